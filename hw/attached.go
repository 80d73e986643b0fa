package hw

import (
	"cmp"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// What is attached is read from sysfs, where the kernel has already said it all:
// no terminal is opened, so nothing is reset, reprogrammed or taken from the
// program that uses it. Terminals that are not on USB (ttyS0, ttyAMA0) are not
// listed: what hangs on them can't be seen, so they are used where the
// configuration names them, and only there.

// DefaultSysfs is where the kernel shows its devices.
const DefaultSysfs = "/sys"

// Device is a USB device that has terminals, or that a maker of modems made.
type Device struct {
	Place           string // its port, as the kernel names it: 1-1.2 is the second port of a hub in the first
	Vendor, Product string // ids, four hex digits each
	Maker, Model    string // what it says of itself; may be empty
	Serial          string // may be empty, and the same in all sticks of a kind
	Node            string // its file below /dev/bus/usb
	TTYs            []TTY  // by interface; empty: no driver has made one
	Pending         int    // interfaces that are still to come, or that no driver has taken, perhaps for good

	storage bool // shows itself as a disk or a CD-ROM
	network bool // is a network card
	idle    int  // vendor-specific interfaces that no driver has taken
}

// TTY is one terminal of a device.
type TTY struct {
	Path      string // such as /dev/ttyUSB2; another after the next re-plug
	Interface int    // its number in the device
	Class     [3]int // class, subclass and protocol of the interface
	Driver    string // of the kernel, such as option, cdc_acm or ch341
	Endpoints int    // besides the control endpoint; ports for diagnostics often have 2, those for AT 3
	Role      string // what it is for, see ids.go: AT, second AT, dial-up, GPS, diagnostics, audio, other; empty: not known
}

// Attached lists what is attached by USB, in the order of places. sysfs is
// DefaultSysfs but in tests. What is unplugged meanwhile is left out; a machine
// without USB has nothing attached, which is no error.
func Attached(sysfs string) ([]Device, error) {
	usb := filepath.Join(sysfs, "bus/usb/devices")
	entries, err := os.ReadDir(usb)
	if os.IsNotExist(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list the USB devices: %w", err)
	}
	var found []Device
	for _, e := range entries {
		// 1-1.2:1.0 is an interface of 1-1.2, usb1 the controller itself.
		if strings.Contains(e.Name(), ":") || strings.HasPrefix(e.Name(), "usb") {
			continue
		}
		if d, ok := readDevice(usb, e.Name()); ok && (len(d.TTYs) > 0 || d.fromModemMaker() || cdroms[d.id()]) {
			found = append(found, d)
		}
	}
	slices.SortFunc(found, func(a, b Device) int { return comparePlaces(a.Place, b.Place) })
	return found, nil
}

// readDevice reads a device and its interfaces; false: it has just left.
func readDevice(usb, place string) (Device, bool) {
	dir := filepath.Join(usb, place)
	d := Device{Place: place, Vendor: attribute(dir, "idVendor"), Product: attribute(dir, "idProduct"),
		Maker: attribute(dir, "manufacturer"), Model: attribute(dir, "product"), Serial: attribute(dir, "serial")}
	bus, _ := strconv.Atoi(attribute(dir, "busnum"))
	address, _ := strconv.Atoi(attribute(dir, "devnum"))
	d.Node = fmt.Sprintf("/dev/bus/usb/%03d/%03d", bus, address)
	interfaces, _ := filepath.Glob(filepath.Join(usb, place+":*"))
	for _, dir := range interfaces {
		d.readInterface(dir)
	}
	said, _ := strconv.Atoi(attribute(dir, "bNumInterfaces"))
	d.Pending = d.idle + max(said-len(interfaces), 0)
	slices.SortFunc(d.TTYs, func(a, b TTY) int {
		return cmp.Or(cmp.Compare(a.Interface, b.Interface), cmp.Compare(len(a.Path), len(b.Path)), cmp.Compare(a.Path, b.Path))
	})
	d.assignRoles()
	return d, d.Vendor != "" && d.Product != ""
}

// Classes of interfaces (usb.org, defined class codes).
const (
	classComm     = 0x02
	classStorage  = 0x08
	classWireless = 0xe0 // RNDIS, among others
	classVendor   = 0xff
)

func (d *Device) readInterface(dir string) {
	t := TTY{Interface: hexAttribute(dir, "bInterfaceNumber"),
		Class:     [3]int{hexAttribute(dir, "bInterfaceClass"), hexAttribute(dir, "bInterfaceSubClass"), hexAttribute(dir, "bInterfaceProtocol")},
		Endpoints: hexAttribute(dir, "bNumEndpoints")}
	if target, err := os.Readlink(filepath.Join(dir, "driver")); err == nil {
		t.Driver = filepath.Base(target)
	}
	d.storage = d.storage || t.Class[0] == classStorage
	nets, _ := filepath.Glob(filepath.Join(dir, "net/*"))
	d.network = d.network || len(nets) > 0 || t.Class[0] == classWireless
	if t.Class[0] == classVendor && t.Class[1] != subclassADB && t.Driver == "" {
		d.idle++
	}
	// cdc_acm hangs its terminal on the interface, usb-serial drivers on a port of it.
	for _, pattern := range []string{"tty/tty*", "tty*/tty/tty*"} {
		names, _ := filepath.Glob(filepath.Join(dir, pattern))
		for _, name := range names {
			t.Path = "/dev/" + filepath.Base(name)
			d.TTYs = append(d.TTYs, t)
		}
	}
}

// attributeLimit is the longest string a USB device can have (USB 2.0, 9.6.7).
const attributeLimit = 126

// attribute is the text of a file in sysfs, without what a terminal would act
// on: a device says what it likes.
func attribute(dir, name string) string {
	raw, err := fs.ReadFile(os.DirFS(dir), name)
	if err != nil {
		return ""
	}
	text := strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, strings.TrimSpace(strings.ToValidUTF8(string(raw), "?")))
	if runes := []rune(text); len(runes) > attributeLimit {
		text = string(runes[:attributeLimit])
	}
	return text
}

func hexAttribute(dir, name string) int {
	n, err := strconv.ParseUint(attribute(dir, name), 16, 8)
	if err != nil {
		return -1
	}
	return int(n)
}

// comparePlaces puts 1-2 before 1-10.
func comparePlaces(a, b string) int {
	split := func(r rune) bool { return r == '-' || r == '.' }
	return slices.CompareFunc(strings.FieldsFunc(a, split), strings.FieldsFunc(b, split), func(a, b string) int {
		return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b))
	})
}
