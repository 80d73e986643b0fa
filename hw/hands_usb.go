package hw

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The requests of usbfs (linux/usbdevice_fs.h). The second carries a struct whose
// size is part of its number: it ends in a pointer.
const (
	usbReset   = 'U'<<8 | 20                                                 // _IO('U', 20)
	usbControl = 3<<30 | uint(unsafe.Sizeof(controlTransfer{}))<<16 | 'U'<<8 // _IOWR('U', 0, struct usbdevfs_ctrltransfer)
)

// controlTransfer is struct usbdevfs_ctrltransfer.
type controlTransfer struct {
	requestType, request uint8
	value, index, length uint16
	timeout              uint32 // ms
	data                 unsafe.Pointer
}

const controlTimeout = 2000 // ms

// USBOf is the kernel's name, such as 1-1.2, of the USB device that a terminal
// belongs to; "" if it belongs to none. The name is the place where it is plugged
// in, and so outlives the device.
func (h *Hands) USBOf(tty string) string {
	if target, err := filepath.EvalSymlinks(tty); err == nil {
		tty = target
	}
	dir, err := filepath.EvalSymlinks(filepath.Join(h.root(), "sys/class/tty", filepath.Base(tty), "device"))
	for ; err == nil && dir != "/" && dir != "."; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "busnum")); err == nil {
			return filepath.Base(dir)
		}
	}
	return ""
}

// Reset resets a USB device, named as USBOf does.
func (h *Hands) Reset(usb string) error {
	node, err := h.usbNode(usb)
	if err != nil {
		return handError(USBReset, usb, err)
	}
	return handError(USBReset, node, h.withNode(node, func(f *os.File) error {
		return h.control(f, usbReset, nil)
	}))
}

// Rebind takes a USB device from the system and gives it back: its drivers let
// go of it and start anew. It takes root.
func (h *Hands) Rebind(ctx context.Context, usb string) error {
	attribute := h.sysUSB(usb, "authorized")
	err := os.WriteFile(attribute, []byte("0"), 0)
	if err == nil {
		err = pause(ctx, time.Second)
		err = errors.Join(os.WriteFile(attribute, []byte("1"), 0), err)
	}
	return handError(USBRebind, attribute, err)
}

// CyclePort takes the power from the port that a USB device is plugged into, which
// may itself have left the bus, and gives it back after 5 s. It gives it back
// whatever happens.
func (h *Hands) CyclePort(ctx context.Context, usb string) error {
	port, err := h.portOf(usb)
	if err != nil {
		return handError(USBPower, usb, err)
	}
	if attribute := filepath.Join(port.dir, "disable"); unix.Access(attribute, unix.W_OK) == nil {
		return h.cycle(ctx, attribute, func(on bool) error {
			return os.WriteFile(attribute, []byte(map[bool]string{true: "0", false: "1"}[on]), 0)
		})
	}
	return h.cycleByHub(ctx, usb, port)
}

// cycleByHub asks the hub itself, which takes no root.
func (h *Hands) cycleByHub(ctx context.Context, usb string, port usbPort) error {
	if err := h.switches(port); err != nil {
		return err
	}
	// A USB 3 hub is two, and a socket has power until both have switched it off.
	both := []usbPort{port}
	if peer, ok := h.peer(port); ok {
		if err := h.switches(peer); err != nil {
			return err
		}
		both = append(both, peer)
	}
	return h.cycle(ctx, "port "+usb, func(on bool) error {
		var all error
		for _, p := range both {
			all = errors.Join(all, h.switchPort(p, on))
		}
		return all
	})
}

// cycle switches off, waits, and switches on.
func (h *Hands) cycle(ctx context.Context, where string, power func(on bool) error) error {
	err := power(false)
	if err == nil {
		err = pause(ctx, offTime)
	}
	return handError(USBPower, where, errors.Join(err, power(true)))
}

// usbPort is a socket of a hub.
type usbPort struct {
	hub    string // usb1, 1-1
	number int    // from 1
	dir    string // of its attributes in sysfs
}

// portOf reads a device's place: 1-1.2 is port 2 of 1-1, and 1-1 port 1 of usb1,
// the root hub of bus 1.
func (h *Hands) portOf(usb string) (usbPort, error) {
	at := strings.LastIndexAny(usb, "-.")
	if at < 0 {
		return usbPort{}, errNoPort
	}
	number, err := strconv.Atoi(usb[at+1:])
	if err != nil || number < 1 {
		return usbPort{}, errNoPort
	}
	hub, face := usb[:at], usb[:at]+":1.0"
	if usb[at] == '-' {
		hub, face = "usb"+usb[:at], usb[:at]+"-0:1.0"
	}
	return usbPort{hub: hub, number: number, dir: h.sysUSB(face, fmt.Sprintf("%s-port%d", hub, number))}, nil
}

// peer is the same socket in the other half of a USB 3 hub.
func (h *Hands) peer(p usbPort) (usbPort, bool) {
	target, err := os.Readlink(filepath.Join(p.dir, "peer"))
	hub, number, ok := strings.Cut(filepath.Base(target), "-port")
	n, bad := strconv.Atoi(number)
	if err != nil || !ok || bad != nil {
		return usbPort{}, false
	}
	return usbPort{hub: hub, number: n}, true
}

// Of USB 2.0, 11.23.2.1 (the hub descriptor) and table 11-17 (the features of a
// port); a USB 3 hub has a descriptor of another type with the same beginning
// (USB 3.2, 10.15.2.1).
const (
	hubDescriptor  = 0x29
	hubDescriptor3 = 0x2a
	fromHub        = 0xa0 // class, device to host
	toPort         = 0x23 // class, other recipient
	getDescriptor  = 6
	clearFeature   = 1
	setFeature     = 3
	portPower      = 8
	switchingMask  = 0x03
	oneByOne       = 0x01
)

// switches fails unless the hub has a switch for each port.
func (h *Hands) switches(p usbPort) error {
	node, err := h.usbNode(p.hub)
	if err != nil {
		return handError(USBPower, p.hub, err)
	}
	return handError(USBPower, node, h.withNode(node, func(f *os.File) error {
		about := make([]byte, 8)
		err := h.transfer(f, controlTransfer{requestType: fromHub, request: getDescriptor, value: hubDescriptor << 8}, about)
		if err != nil {
			err = h.transfer(f, controlTransfer{requestType: fromHub, request: getDescriptor, value: hubDescriptor3 << 8}, about)
		}
		if err == nil && about[3]&switchingMask != oneByOne {
			err = errGanged
		}
		return err
	}))
}

func (h *Hands) switchPort(p usbPort, on bool) error {
	t := controlTransfer{requestType: toPort, request: clearFeature, value: portPower, index: uint16(p.number)}
	if on {
		t.request = setFeature
	}
	node, err := h.usbNode(p.hub)
	if err != nil {
		return err
	}
	return h.withNode(node, func(f *os.File) error { return h.transfer(f, t, nil) })
}

// transfer is a control transfer over endpoint 0.
func (h *Hands) transfer(f *os.File, t controlTransfer, data []byte) error {
	t.timeout = controlTimeout
	var pin runtime.Pinner
	defer pin.Unpin()
	if len(data) > 0 {
		pin.Pin(&data[0])
		t.length, t.data = uint16(len(data)), unsafe.Pointer(&data[0])
	}
	return h.control(f, usbControl, unsafe.Pointer(&t))
}

// usbNode is the device file of a USB device. Its number changes when the device
// is plugged in again, so it is not kept.
func (h *Hands) usbNode(usb string) (string, error) {
	var numbers [2]int
	for i, name := range []string{"busnum", "devnum"} {
		text, err := os.ReadFile(h.sysUSB(usb, name))
		if err != nil {
			return "", err
		}
		if numbers[i], err = strconv.Atoi(strings.TrimSpace(string(text))); err != nil {
			return "", err
		}
	}
	return filepath.Join(h.root(), fmt.Sprintf("dev/bus/usb/%03d/%03d", numbers[0], numbers[1])), nil
}

func (h *Hands) sysUSB(elements ...string) string {
	return filepath.Join(append([]string{h.root(), "sys/bus/usb/devices"}, elements...)...)
}

// withNode opens a device file for writing, which is what usbfs asks of whoever
// wants more than to look.
func (h *Hands) withNode(node string, do func(*os.File) error) error {
	f, err := os.OpenFile(node, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	return do(f)
}

// control is ioctl(2).
func (h *Hands) control(f *os.File, request uint, argument unsafe.Pointer) error {
	if h.ioctl != nil {
		return h.ioctl(f, request, argument)
	}
	return control(f, func(fd int) error {
		if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), uintptr(request), uintptr(argument)); errno != 0 {
			return errno
		}
		return nil
	})
}
