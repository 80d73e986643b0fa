package hw

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A tree of testdata/sysfs describes sticks as one would read them from
// usb-devices(1); sysfs lays them out as the kernel does. The lines:
//
//	# where the facts are from
//	device PLACE VENDOR:PRODUCT SERIAL MAKER | MODEL      (serial - is none)
//	  NUMBER CLASS/SUBCLASS/PROTOCOL ENDPOINTS DRIVER [tty... net...] [| LABEL]   (driver - is none)
//	want PLACE sure|try|none [TTY] | WHY                  (what Choose says, WHY a part of it)
type tree struct {
	source  string
	devices []string // places
	files   map[string]string
	links   map[string]string // from, to: both from the root
	wants   []want
}

type want struct{ place, how, tty, why string }

func loadTree(t *testing.T, name string) tree {
	t.Helper()
	raw, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	tr := tree{files: map[string]string{}, links: map[string]string{}}
	var dir, place string
	for line := range strings.Lines(string(raw)) {
		main, rest, _ := strings.Cut(strings.TrimSpace(line), "|")
		words, rest := strings.Fields(main), strings.TrimSpace(rest)
		switch {
		case len(words) == 0:
		case words[0] == "#":
			tr.source += rest + line
		case words[0] == "device":
			place = words[1]
			dir = tr.device(place, words[2], words[3], strings.Join(words[4:], " "), rest)
		case words[0] == "want":
			tr.wants = append(tr.wants, want{words[1], words[2], strings.Join(words[3:], ""), rest})
		default:
			tr.usbInterface(dir, place, words, rest)
		}
	}
	if tr.source == "" || len(tr.devices) == 0 || len(tr.wants) != len(tr.devices) {
		t.Fatalf("%s: a source, devices and a wish for each are needed", name)
	}
	return tr
}

// device adds the folder of one, below the controller and the hubs on the way.
func (tr *tree) device(place, ids, serial, maker, model string) string {
	tr.devices = append(tr.devices, place)
	bus, ports, _ := strings.Cut(place, "-")
	dir := "devices/pci0000:00/0000:00:14.0/usb" + bus
	tr.links["bus/usb/devices/usb"+bus] = dir
	at := bus + "-"
	for i, port := range strings.Split(ports, ".") {
		at += strings.TrimPrefix("."+port, map[bool]string{true: "."}[i == 0])
		dir += "/" + at
		tr.links["bus/usb/devices/"+at] = dir
	}
	vendor, product, _ := strings.Cut(ids, ":")
	for file, text := range map[string]string{"idVendor": vendor, "idProduct": product, "manufacturer": maker, "product": model,
		"serial": strings.TrimPrefix(serial, "-"), "busnum": bus, "devnum": fmt.Sprint(len(tr.devices) + 1)} {
		if text != "" {
			tr.files[dir+"/"+file] = text
		}
	}
	return dir
}

func (tr *tree) usbInterface(dir, place string, words []string, label string) {
	name := fmt.Sprintf("%s:1.%s", place, strings.TrimLeft(words[0], "0")+map[bool]string{true: "0"}[strings.Trim(words[0], "0") == ""])
	dir += "/" + name
	tr.links["bus/usb/devices/"+name] = dir
	class := strings.Split(words[1], "/")
	for file, text := range map[string]string{"bInterfaceNumber": words[0], "bInterfaceClass": class[0],
		"bInterfaceSubClass": class[1], "bInterfaceProtocol": class[2], "bNumEndpoints": "0" + words[2], "interface": label} {
		if text != "" {
			tr.files[dir+"/"+file] = text
		}
	}
	if driver := words[3]; driver != "-" {
		tr.files["bus/usb/drivers/"+driver+"/uevent"] = ""
		tr.links[dir+"/driver"] = "bus/usb/drivers/" + driver
	}
	for _, n := range words[4:] {
		switch {
		case strings.HasPrefix(n, "ttyACM"):
			tr.tty(dir+"/tty/"+n, n, 166)
		case strings.HasPrefix(n, "tty"):
			tr.files[dir+"/"+n+"/port_number"] = "0"
			tr.tty(dir+"/"+n+"/tty/"+n, n, 188)
		default:
			tr.files[dir+"/net/"+n+"/type"] = "1"
		}
	}
}

func (tr *tree) tty(dir, name string, major int) {
	minor := strings.TrimLeft(name, "tyUSBACM")
	tr.files[dir+"/uevent"] = fmt.Sprintf("MAJOR=%d\nMINOR=%s\nDEVNAME=%s", major, minor, name)
	tr.files[dir+"/dev"] = fmt.Sprintf("%d:%s", major, minor)
	tr.links["class/tty/"+name] = dir
}

// build makes the tree below a folder of its own, and its links relative, as in /sys.
func (tr tree) build(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	must := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	for file, text := range tr.files {
		file = filepath.Join(root, file)
		must(os.MkdirAll(filepath.Dir(file), 0o755))
		must(os.WriteFile(file, []byte(text+"\n"), 0o444))
	}
	for _, link := range slices.Sorted(maps.Keys(tr.links)) {
		from := filepath.Join(root, link)
		must(os.MkdirAll(filepath.Dir(from), 0o755))
		target, err := filepath.Rel(filepath.Dir(from), filepath.Join(root, tr.links[link]))
		must(err)
		must(os.Symlink(target, from))
	}
	return root
}

func TestEachStickHasItsPort(t *testing.T) {
	files, err := filepath.Glob("testdata/sysfs/*.txt")
	if err != nil || len(files) < 12 {
		t.Fatalf("%d trees, at least 12 are wanted (%v)", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			tr := loadTree(t, file)
			devices, err := Attached(tr.build(t))
			if err != nil {
				t.Fatal(err)
			}
			found := map[string]Device{}
			for _, d := range devices {
				found[d.Place] = d
			}
			for _, w := range tr.wants {
				if d, ok := found[w.place]; ok {
					w.check(t, d)
				} else {
					t.Errorf("%s is not among %v", w.place, slices.Sorted(maps.Keys(found)))
				}
			}
		})
	}
}

func (w want) check(t *testing.T, d Device) {
	t.Helper()
	c := d.Choose()
	how := cmp.Or(map[bool]string{c.Sure: "sure", len(c.Try) > 0: "try"}[true], "none")
	if how != w.how || filepath.Base(c.TTY.Path) != filepath.Base(w.tty) || !strings.Contains(c.Why, w.why) {
		t.Errorf("%s %s:\nwant %s %q because %q\ngot  %s %q because %q", d.Place, d.Model, w.how, w.tty, w.why, how, c.TTY.Path, c.Why)
	}
	for _, try := range c.Try {
		if try.Role != "" {
			t.Errorf("%s is known to be for %s and would be tried", try.Path, try.Role)
		}
	}
}
