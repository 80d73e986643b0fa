package hw

import (
	"os"
	"path/filepath"
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
