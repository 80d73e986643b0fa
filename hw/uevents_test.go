package hw

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// As the kernel sends them; see `udevadm monitor --kernel --property`.
const addTTY = "add@/devices/pci0000:00/0000:00:14.0/usb1/1-1/1-1:1.2/ttyUSB2/tty/ttyUSB2\x00ACTION=add\x00" +
	"DEVPATH=/devices/pci0000:00/0000:00:14.0/usb1/1-1/1-1:1.2/ttyUSB2/tty/ttyUSB2\x00SUBSYSTEM=tty\x00" +
	"MAJOR=188\x00MINOR=2\x00DEVNAME=ttyUSB2\x00SEQNUM=4242\x00"

var uevents = map[string]bool{
	addTTY: true,
	strings.ReplaceAll(addTTY, "SUBSYSTEM=tty", "SUBSYSTEM=usb-serial"): true,
	"remove@/devices/x\x00ACTION=remove\x00SUBSYSTEM=usb\x00":           true,
	"add@/devices/x\x00ACTION=add\x00SUBSYSTEM=block\x00":               false,
	// Forms that no kernel sends.
	"":                                  false,
	"\x00\x00":                          false,
	"SUBSYSTEM=":                        false,
	"add@/x\x00SUBSYSTEM=ttyprintk\x00": false,
	"libudev\x00\xfe\xed\xca\xfeSUBSYSTEM=block":   false,
	strings.Repeat("A", 70000):                     false,
	"add@/x\x00SUBSYSTEM=mem\x00SUBSYSTEM=tty\x00": false,
}

func TestConcernsModems(t *testing.T) {
	for event, want := range uevents {
		if got := concernsModems([]byte(event)); got != want {
			t.Errorf("%.80q: %v", event, got)
		}
	}
}

func FuzzConcernsModems(f *testing.F) {
	for event := range uevents {
		f.Add([]byte(event))
	}
	f.Fuzz(func(t *testing.T, event []byte) {
		if concernsModems(event) && !strings.Contains(string(event), "SUBSYSTEM=") {
			t.Errorf("%q", event)
		}
		if !concernsModems(append([]byte("add@/x\x00SUBSYSTEM=tty\x00"), event...)) {
			t.Errorf("hidden by what follows: %q", event)
		}
	})
}

// The socket opens without rights, ends with its context, and drops what another
// process says.
func TestWatchUevents(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- System().Watch(ctx, func() {}) }()
	cancel()
	select {
	case err := <-done:
		if err != nil && !errors.Is(err, unix.EPERM) && !errors.Is(err, unix.EAFNOSUPPORT) && !errors.Is(err, unix.EPROTONOSUPPORT) {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("it does not end")
	}
}

func TestForgedUevent(t *testing.T) {
	socket, err := openUevents()
	if err != nil {
		t.Skipf("this system has no device events: %v", err)
	}
	defer socket.Close()
	forger, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, unix.NETLINK_KOBJECT_UEVENT)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(forger)
	var to unix.Sockaddr
	if err := control(socket, func(fd int) (err error) { to, err = unix.Getsockname(fd); return err }); err != nil {
		t.Fatal(err)
	}
	to.(*unix.SockaddrNetlink).Groups = 0
	if err := unix.Sendto(forger, []byte(addTTY), 0, to); err != nil {
		t.Skipf("this system does not let processes write to each other: %v", err)
	}
	event, err := receiveUevent(socket, make([]byte, ueventLimit))
	if err != nil || event != nil {
		t.Errorf("got %q, %v; another process sent it", event, err)
	}
}
