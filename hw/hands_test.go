package hw

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// put writes the files of a made-up machine, given as path and content; a content
// that begins with -> is a link.
func put(t *testing.T, root string, files ...string) {
	t.Helper()
	for i := 0; i < len(files); i += 2 {
		name := filepath.Join(root, files[i])
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		var err error
		if target, ok := strings.CutPrefix(files[i+1], "->"); ok {
			err = os.Symlink(target, name)
		} else {
			err = os.WriteFile(name, []byte(files[i+1]), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// hubTree is a machine with a stick in port 2 of a hub in port 1 of its first bus.
func hubTree(t *testing.T) string {
	root := t.TempDir()
	const stick = "sys/devices/pci0/usb1/1-1/1-1.2"
	put(t, root,
		"sys/devices/pci0/usb1/busnum", "1\n", "sys/devices/pci0/usb1/devnum", "1\n",
		"sys/devices/pci0/usb1/1-1/busnum", "1\n", "sys/devices/pci0/usb1/1-1/devnum", "2\n",
		stick+"/busnum", "1\n", stick+"/devnum", "7\n", stick+"/authorized", "1",
		stick+"/1-1.2:1.2/ttyUSB2/tty/ttyUSB2/dev", "188:2\n",
		"sys/devices/pci0/usb1/1-1/1-1:1.0/1-1-port2/peer", "->../../2-1:1.0/2-1-port2",
		"sys/bus/usb/devices/usb1", "->../../../devices/pci0/usb1",
		"sys/bus/usb/devices/1-1", "->../../../devices/pci0/usb1/1-1",
		"sys/bus/usb/devices/1-1:1.0", "->../../../devices/pci0/usb1/1-1/1-1:1.0",
		"sys/bus/usb/devices/1-1.2", "->../../../"+strings.TrimPrefix(stick, "sys/"),
		"sys/bus/usb/devices/2-1/busnum", "2\n", "sys/bus/usb/devices/2-1/devnum", "3\n",
		"sys/class/tty/ttyUSB2/device", "->../../../"+strings.TrimPrefix(stick, "sys/")+"/1-1.2:1.2/ttyUSB2",
		"dev/bus/usb/001/001", "", "dev/bus/usb/001/002", "", "dev/bus/usb/001/007", "", "dev/bus/usb/002/003", "",
	)
	return root
}

// kernel records the requests of usbfs and answers them.
type kernel struct {
	root   string
	said   []string
	ganged bool
	fail   map[string]error // by what was said
}

func (k *kernel) ioctl(f *os.File, request uint, argument unsafe.Pointer) error {
	node, _ := filepath.Rel(k.root, f.Name())
	what := node + " reset"
	if request == usbControl {
		c := (*controlTransfer)(argument)
		what = fmt.Sprintf("%s %02x %02x %04x %04x %d", node, c.requestType, c.request, c.value, c.index, c.length)
		if c.length >= 8 {
			about := unsafe.Slice((*byte)(c.data), c.length)
			about[3] = oneByOne
			if k.ganged {
				about[3] = 0
			}
		}
	}
	k.said = append(k.said, what)
	return k.fail[what]
}

func newKernel(t *testing.T) (*kernel, *Hands) {
	k := &kernel{root: hubTree(t), fail: map[string]error{}}
	return k, &Hands{Root: k.root, ioctl: k.ioctl}
}

func (k *kernel) want(t *testing.T, said ...string) {
	t.Helper()
	if got, want := strings.Join(k.said, "\n"), strings.Join(said, "\n"); got != want {
		t.Errorf("the kernel was told\n%s\nwant\n%s", got, want)
	}
}

func TestUSBOfATerminal(t *testing.T) {
	_, h := newKernel(t)
	link := filepath.Join(t.TempDir(), "by-id")
	if err := os.Symlink("/dev/ttyUSB2", link); err != nil {
		t.Fatal(err)
	}
	for tty, want := range map[string]string{"/dev/ttyUSB2": "1-1.2", "/dev/ttyS0": "", "/dev/nothing": ""} {
		if got := h.USBOf(tty); got != want {
			t.Errorf("%s belongs to %q, want %q", tty, got, want)
		}
	}
}

func TestResetGoesToTheDeviceItself(t *testing.T) {
	k, h := newKernel(t)
	if err := h.Reset("1-1.2"); err != nil {
		t.Fatal(err)
	}
	k.want(t, "dev/bus/usb/001/007 reset")
}

// The numbers of the requests are the kernel's, for 64-bit machines here:
// linux/usbdevice_fs.h.
func TestUSBRequestNumbers(t *testing.T) {
	if usbReset != 0x5514 {
		t.Errorf("USBDEVFS_RESET is %#x", usbReset)
	}
	if want := map[uintptr]uint{8: 0xc0185500, 4: 0xc0105500}[unsafe.Sizeof(uintptr(0))]; usbControl != want {
		t.Errorf("USBDEVFS_CONTROL is %#x, want %#x", usbControl, want)
	}
}

func TestCyclePortSwitchesBothHalvesOfAHub(t *testing.T) {
	k, h := newKernel(t)
	synctest.Test(t, func(t *testing.T) {
		before := time.Now()
		if err := h.CyclePort(t.Context(), "1-1.2"); err != nil {
			t.Fatal(err)
		}
		if off := time.Since(before); off != offTime {
			t.Errorf("off for %v", off)
		}
	})
	k.want(t,
		"dev/bus/usb/001/002 a0 06 2900 0000 8", "dev/bus/usb/002/003 a0 06 2900 0000 8",
		"dev/bus/usb/001/002 23 01 0008 0002 0", "dev/bus/usb/002/003 23 01 0008 0002 0",
		"dev/bus/usb/001/002 23 03 0008 0002 0", "dev/bus/usb/002/003 23 03 0008 0002 0")
}

// The stick may be gone from the bus; its place is not.
func TestCyclePortWithoutItsDevice(t *testing.T) {
	k, h := newKernel(t)
	if err := os.Remove(filepath.Join(k.root, "sys/bus/usb/devices/1-1.2")); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		if err := h.CyclePort(t.Context(), "1-1.2"); err != nil {
			t.Fatal(err)
		}
	})
	if len(k.said) != 6 {
		t.Errorf("the kernel was told %q", k.said)
	}
}

func TestCyclePortByTheKernelsOwnAttribute(t *testing.T) {
	k, h := newKernel(t)
	put(t, k.root, "sys/devices/pci0/usb1/1-1/1-1:1.0/1-1-port2/disable", "0")
	attribute := filepath.Join(k.root, "sys/devices/pci0/usb1/1-1/1-1:1.0/1-1-port2/disable")
	synctest.Test(t, func(t *testing.T) {
		done := make(chan error, 1)
		go func() { done <- h.CyclePort(t.Context(), "1-1.2") }()
		synctest.Wait()
		if word(attribute) != "1" {
			t.Error("the port is not off")
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	if word(attribute) != "0" {
		t.Error("the port is not on again")
	}
	k.want(t)
}

func TestCyclePortGivesPowerBackWhateverHappens(t *testing.T) {
	k, h := newKernel(t)
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		go func() { time.Sleep(time.Second); stop() }()
		if err := h.CyclePort(ctx, "1-1.2"); !errors.Is(err, context.Canceled) {
			t.Errorf("ended with %v", err)
		}
	})
	if last := k.said[len(k.said)-2:]; !strings.Contains(last[0], "23 03") || !strings.Contains(last[1], "23 03") {
		t.Errorf("the last requests were %q", last)
	}
}

func TestRebind(t *testing.T) {
	k, h := newKernel(t)
	attribute := filepath.Join(k.root, "sys/bus/usb/devices/1-1.2/authorized")
	synctest.Test(t, func(t *testing.T) {
		done := make(chan error, 1)
		go func() { done <- h.Rebind(t.Context(), "1-1.2") }()
		synctest.Wait()
		if word(attribute) != "0" {
			t.Error("the device was not taken")
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	if word(attribute) != "1" {
		t.Error("the device was not given back")
	}
}

// What can go wrong, in words, with what to do.
func TestHandsSayWhatIsWrong(t *testing.T) {
	const reset = "dev/bus/usb/001/007 reset"
	for _, c := range []struct {
		name   string
		spoil  func(k *kernel)
		do     func(h *Hands) error
		says   string
		remedy string
		unable bool
	}{
		{"reset refused", func(k *kernel) { k.fail[reset] = unix.EACCES }, func(h *Hands) error { return h.Reset("1-1.2") },
			"usb-reset by ROOT/dev/bus/usb/001/007: permission denied", "udev rules", true},
		{"device left", func(k *kernel) { k.fail[reset] = unix.ENODEV }, func(h *Hands) error { return h.Reset("1-1.2") },
			"usb-reset by ROOT/dev/bus/usb/001/007: the device left meanwhile", "", false},
		{"bus silent", func(k *kernel) { k.fail[reset] = unix.ETIMEDOUT }, func(h *Hands) error { return h.Reset("1-1.2") },
			"the device does not answer its bus", "", true},
		{"no such device", nil, func(h *Hands) error { return h.Reset("3-9") }, "usb-reset by 3-9: it is not there", "", true},
		{"ganged hub", func(k *kernel) { k.ganged = true }, func(h *Hands) error { return h.CyclePort(context.Background(), "1-1.2") },
			"usb-power by ROOT/dev/bus/usb/001/002: the hub switches all its ports together, or none", "hub that switches its ports one by one", true},
		{"hub closed", func(k *kernel) {
			k.fail["dev/bus/usb/001/002 a0 06 2900 0000 8"] = unix.EACCES
			k.fail["dev/bus/usb/001/002 a0 06 2a00 0000 8"] = unix.EACCES
		},
			func(h *Hands) error { return h.CyclePort(context.Background(), "1-1.2") }, "permission denied", "sudo simpost doctor", true},
		{"no hub", nil, func(h *Hands) error { return h.CyclePort(context.Background(), "usb1") }, "usb-power by usb1: not behind a USB hub", "", true},
		{"rebind of nothing", nil, func(h *Hands) error { return h.Rebind(context.Background(), "3-9") }, "it is not there", "", true},
		{"no GPIO here", nil, func(h *Hands) error {
			return (&Hands{}).Press(context.Background(), Key{"gpiochip9999", 1, false, "ec25"})
		},
			"power-key by /dev/gpiochip9999: it is not there", "gpioinfo", true},
		{"no such pulse", nil, func(h *Hands) error { return h.Press(context.Background(), Key{"gpiochip0", 1, false, "toaster"}) }, `no pulse is called "toaster"`, "", true},
		{"line held", nil, func(h *Hands) error {
			h.request = func(Key) (line, error) { return line{}, unix.EBUSY }
			return h.Press(context.Background(), Key{"gpiochip0", 4, false, "ec25"})
		}, "another program holds it", "gpioinfo", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			k, h := newKernel(t)
			if c.spoil != nil {
				c.spoil(k)
			}
			err := c.do(h)
			var hand *HandError
			if !errors.As(err, &hand) {
				t.Fatalf("%v is no HandError", err)
			}
			if says := strings.ReplaceAll(err.Error(), k.root, "ROOT"); !strings.Contains(says, c.says) {
				t.Errorf("it says %q, want %q", says, c.says)
			}
			if !strings.Contains(hand.Remedy, c.remedy) || c.remedy == "" && hand.Remedy != "" {
				t.Errorf("the remedy is %q, want %q", hand.Remedy, c.remedy)
			}
			if hand.Unable() != c.unable {
				t.Errorf("unable: %v", hand.Unable())
			}
		})
	}
}

func TestRebindWithoutRootSaysSo(t *testing.T) {
	err := handError(USBRebind, "authorized", unix.EACCES)
	if e := err.(*HandError); !strings.Contains(e.Remedy, "sudo simpost doctor --restart") {
		t.Errorf("the remedy is %q", e.Remedy)
	}
}

// press is one press of a key.
type press struct{ after, held time.Duration }

func pressed(t *testing.T, ctx context.Context, pulse string) (all []press, closed bool, err error) {
	start := time.Now()
	var down time.Time
	h := &Hands{request: func(Key) (line, error) {
		return line{
			press: func(on bool) error {
				if on {
					down = time.Now()
				} else if !down.IsZero() {
					all = append(all, press{down.Sub(start), time.Since(down)})
					down = time.Time{}
				}
				return nil
			},
			close: func() error { closed = true; return nil },
		}, nil
	}}
	err = h.Press(ctx, Key{Chip: "gpiochip0", Line: 4, Pulse: pulse})
	if !down.IsZero() {
		t.Error("the key was left pressed")
	}
	return all, closed, err
}

func TestPulses(t *testing.T) {
	for name, p := range Pulses {
		synctest.Test(t, func(t *testing.T) {
			all, closed, err := pressed(t, t.Context(), name)
			want := []press{{0, p.Off}, {p.Off + p.Down, p.On}}
			if err != nil || !closed || fmt.Sprint(all) != fmt.Sprint(want) {
				t.Errorf("%s: %v, closed %v, %v; want %v", name, all, closed, err, want)
			}
		})
		if p.On >= p.Off {
			t.Errorf("%s: what switches on would switch off again", name)
		}
	}
}

func TestPressLetsGoWhenItsTimeEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithTimeout(t.Context(), time.Second)
		defer stop()
		all, closed, err := pressed(t, ctx, "sim7600")
		if len(all) != 1 || all[0].held != time.Second || !closed || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v, closed %v, %v", all, closed, err)
		}
	})
}

func TestParseKey(t *testing.T) {
	for text, want := range map[string]Key{
		"gpiochip0/4":         {"gpiochip0", 4, false, "ec25"},
		"/dev/gpiochip12/0":   {"gpiochip12", 0, false, "ec25"},
		"gpiochip0/17/low":    {"gpiochip0", 17, true, "ec25"},
		"GPIO4":               {},
		"gpiochip0/":          {},
		"gpiochip0/4/high":    {},
		"/dev/../gpiochip0/4": {},
		"gpiochip0/99999":     {},
	} {
		got, err := ParseKey(text, "ec25")
		if got != want || (err == nil) != (want.Chip != "") {
			t.Errorf("%q is %v, %v", text, got, err)
		}
	}
}

func TestSupply(t *testing.T) {
	const firmware = "sys/devices/platform/soc/soc:firmware/get_throttled"
	for _, c := range []struct {
		name  string
		files []string
		want  Supply
		known bool
	}{
		{"well", []string{firmware, "0\n"}, Supply{}, true},
		{"now", []string{firmware, "50005\n"}, Supply{Low: true, Was: true}, true},
		{"was", []string{firmware, "0x50000\n"}, Supply{Was: true}, true},
		{"hot, but fed", []string{firmware, "e0008\n"}, Supply{}, true},
		{"Pi 5", []string{"sys/devices/platform/soc@107c000000/soc@107c000000:firmware/get_throttled", "1\n"}, Supply{Low: true, Was: true}, true},
		{"sensor", []string{"sys/class/hwmon/hwmon0/name", "cpu_thermal\n", "sys/class/hwmon/hwmon1/name", "rpi_volt\n",
			"sys/class/hwmon/hwmon1/in0_lcrit_alarm", "1\n"}, Supply{Low: true, Was: true}, true},
		{"sensor, well", []string{"sys/class/hwmon/hwmon1/name", "rpi_volt\n", "sys/class/hwmon/hwmon1/in0_lcrit_alarm", "0\n"}, Supply{}, true},
		{"no Pi", []string{"sys/class/hwmon/hwmon0/name", "coretemp\n"}, Supply{}, false},
		{"nonsense", []string{firmware, "no\n"}, Supply{}, false},
	} {
		h := &Hands{Root: t.TempDir()}
		put(t, h.Root, c.files...)
		if got, known := h.ReadSupply(); got != c.want || known != c.known {
			t.Errorf("%s: %+v, known %v; want %+v, %v", c.name, got, known, c.want, c.known)
		}
	}
}

// face is an interface of a USB device in a made-up machine.
func face(n int, class string, more ...string) []string {
	dir := fmt.Sprintf("sys/bus/usb/devices/1-1:1.%d/", n)
	files := []string{dir + "bInterfaceClass", class + "\n", dir + "bInterfaceSubClass", "06\n"}
	for _, name := range more {
		files = append(files, dir+name, "->x")
	}
	return files
}

func TestMute(t *testing.T) {
	for _, c := range []struct {
		name, vendor, product string
		faces                 [][]string
		want                  Condition
	}{
		{"a Huawei stick as a CD", "12d1", "1446", [][]string{face(0, "08"), face(1, "08")}, CDROMMode},
		{"a Qualcomm stick as a CD", "05c6", "f000", [][]string{face(0, "08")}, CDROMMode},
		{"a HiLink stick", "12d1", "14dc", [][]string{face(0, "02", "net/eth1"), face(1, "0a"), face(2, "08")}, NetworkCard},
		{"a HiLink stick by RNDIS, without its driver", "19d2", "1405", [][]string{face(0, "e0"), face(1, "0a")}, NetworkCard},
		{"a modem that option does not know", "2c7c", "6007", [][]string{face(0, "ff"), face(1, "ff"), face(2, "ff")}, NoDriver},
		{"a modem at work", "12d1", "1506", [][]string{face(0, "ff", "driver", "ttyUSB0/tty/ttyUSB0"), face(1, "ff"), face(2, "ff"), face(3, "08")}, ""},
		{"a modem with CDC ports", "1546", "1102", [][]string{face(0, "02", "tty/ttyACM0"), face(1, "0a")}, ""},
		{"a drive", "0781", "5567", [][]string{face(0, "08")}, ""},
		{"a phone of a modem maker", "12d1", "107e", [][]string{face(0, "06"), face(1, "ff")}, ""},
	} {
		root := t.TempDir()
		put(t, root, "sys/bus/usb/devices/1-1/idVendor", c.vendor+"\n", "sys/bus/usb/devices/1-1/idProduct", c.product+"\n")
		for _, f := range c.faces {
			put(t, root, f...)
		}
		found, err := Attached(filepath.Join(root, "sys"))
		if err != nil {
			t.Fatal(err)
		}
		var got Condition
		for _, d := range found {
			got = d.Mute()
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}
