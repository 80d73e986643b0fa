package hw

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestNoUSBAtAll(t *testing.T) {
	if devices, err := Attached(t.TempDir()); err != nil || len(devices) != 0 {
		t.Errorf("%v, %v; a machine without USB has nothing attached", devices, err)
	}
}

// A stick may say anything, and leave while it is read.
func TestAttachedAsItMayBe(t *testing.T) {
	tr := loadTree(t, "testdata/sysfs/quectel-ec25.txt")
	root := tr.build(t)
	usb := filepath.Join(root, "bus/usb/devices")
	overwrite := func(file, text string) {
		t.Helper()
		if err := os.Remove(filepath.Join(usb, file)); err != nil {
			t.Fatal(err)
		}
		if text == "" {
			return
		}
		if err := os.WriteFile(filepath.Join(usb, file), []byte(text), 0o444); err != nil {
			t.Fatal(err)
		}
	}
	overwrite("1-1/product", "EC25\x1b[2J\xff\u202e"+strings.Repeat("x", 4096)+"\n")
	overwrite("1-1:1.0/bInterfaceNumber", "zz\n")
	overwrite("1-2/idVendor", "") // it is leaving
	if err := os.Symlink("nowhere", filepath.Join(usb, "3-1")); err != nil {
		t.Fatal(err)
	}
	devices, err := Attached(root)
	if err != nil || len(devices) != 1 || devices[0].Place != "1-1" {
		t.Fatalf("%+v, %v", devices, err)
	}
	d := devices[0]
	if strings.ContainsAny(d.Model, "\x1b\u202e") || !strings.HasPrefix(d.Model, "EC25?[2J") || len([]rune(d.Model)) > attributeLimit {
		t.Errorf("model %q", d.Model)
	}
	if c := d.Choose(); !c.Sure || c.TTY.Path != "/dev/ttyUSB2" {
		t.Errorf("%+v", c)
	}
	if d.Node != "/dev/bus/usb/001/002" {
		t.Errorf("node %s", d.Node)
	}
}

func TestPortOfTwoRoles(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("a port with two roles was read")
		}
	}()
	parseModels("33f8:01a4 at=03 other=03")
}

// The table is read whole, and its facts are as they stand there.
func TestTableOfModels(t *testing.T) {
	if n := len(models()); n < 300 {
		t.Errorf("%d models", n)
	}
	for id, want := range map[string]map[int]string{
		"33f8:01a4": {2: roleDiag, 3: roleAT, 5: roleGPS},
		"2cb7:01a2": {2: roleAT, 3: roleOther},
		"2c7c:0125": {0: roleDiag, 1: roleGPS, 2: roleAT, 3: roleSecondAT},
		"1e0e:9011": {2: roleOther, 4: roleAT, 5: roleDialUp},
		"19d2:0016": {2: roleAT, 1: roleSecondAT},
	} {
		for number, role := range want {
			if got := models()[id].roles[number]; got != role {
				t.Errorf("%s interface %d is %q, want %q", id, number, got, role)
			}
		}
	}
	if !models()["1546:01a7"].none {
		t.Error("1546:01a7 is a GPS receiver")
	}
}

func TestPlacesAreInOrder(t *testing.T) {
	places := []string{"1-1", "1-1.1", "1-1.2", "1-1.10", "1-2", "1-10", "2-1", "10-1"}
	for i := range places {
		for j := range places {
			if got := comparePlaces(places[i], places[j]); (got < 0) != (i < j) || (got == 0) != (i == j) {
				t.Errorf("%s and %s: %d", places[i], places[j], got)
			}
		}
	}
}

// Interfaces that the kernel has yet to show, or that no driver has taken, may still bring ports.
func TestInterfacesAreCounted(t *testing.T) {
	root := loadTree(t, "testdata/sysfs/quectel-ec25.txt").build(t)
	if err := os.WriteFile(filepath.Join(root, "bus/usb/devices/1-1/bNumInterfaces"), []byte(" 7\n"), 0o444); err != nil {
		t.Fatal(err)
	}
	devices, err := Attached(root)
	if err != nil || len(devices) != 2 {
		t.Fatalf("%+v, %v", devices, err)
	}
	for i, want := range []int{7 - 5, 1} {
		if got := devices[i].Pending; got != want {
			t.Errorf("%s: %d pending, want %d", devices[i].Place, got, want)
		}
	}
}

// What the ports of a stick are taken for before the last of them is there.
func TestChoiceIsEarly(t *testing.T) {
	for _, tt := range []struct {
		file  string
		early []bool // with the first port, with two, with three
	}{
		{"huawei-e1550", []bool{true, true, true}},    // the highest is the AT port
		{"huawei-pcui", []bool{true, true, false}},    // dial-up, diagnostics, AT
		{"quectel-ec25", []bool{false, false, false}}, // none, none, AT
		{"simcom-a7670", []bool{false, false, false}}, // none, AT, dial-up
		{"telit-he910", []bool{true, true, true}},     // in no table
		{"sim800-adapters", []bool{false}},            // no modem: each port is only asked
	} {
		devices, err := Attached(loadTree(t, "testdata/sysfs/"+tt.file+".txt").build(t))
		if err != nil {
			t.Fatal(err)
		}
		for n, want := range tt.early {
			d := devices[0]
			d.TTYs = slices.Clone(d.TTYs[:n+1])
			for i := range d.TTYs {
				d.TTYs[i].Role = ""
			}
			d.assignRoles()
			if c := d.Choose(); c.Early != want {
				t.Errorf("%s with %d ports: early is %t: %s", tt.file, n+1, c.Early, c.Why)
			}
		}
	}
}

// What looks like a port for diagnostics is not tried with the rest.
func TestWhatIsTriedLater(t *testing.T) {
	devices, err := Attached(loadTree(t, "testdata/sysfs/quectel-ec200.txt").build(t))
	if err != nil {
		t.Fatal(err)
	}
	c := devices[len(devices)-1].Choose()
	if len(c.Try) != 1 || c.Try[0].Endpoints != 3 || len(c.Later) != 2 {
		t.Errorf("%+v", c)
	}
}
