package hw

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// The kernel tells of devices that come and go over netlink (Linux,
// lib/kobject_uevent.c). What it says is only a reason to look: Attached is the
// truth, so a lost event costs nothing but a moment, and a forged one nothing.

const (
	// ueventLimit is larger than what the kernel puts into one (UEVENT_BUFFER_SIZE
	// and a path).
	ueventLimit = 16 << 10
	// kernelGroup is the kernel's own multicast group; 2 is udev's, which does not
	// reach into a network namespace.
	kernelGroup = 1
)

// Source tells what is attached, and when to look again.
type Source struct {
	// Attached lists the devices; nil: there are none.
	Attached func() ([]Device, error)
	// Watch calls changed when a device may have come or gone, until ctx ends,
	// which is nil; an error says that the system does not tell. nil: it does not.
	Watch func(ctx context.Context, changed func()) error
}

// System is the Source of the machine.
func System() Source {
	return Source{Attached: func() ([]Device, error) { return Attached(DefaultSysfs) }, Watch: watchUevents}
}

// watchUevents listens to the kernel.
func watchUevents(ctx context.Context, changed func()) error {
	socket, err := openUevents()
	if err != nil {
		return fmt.Errorf("listen to the kernel's device events: %w", err)
	}
	defer socket.Close()
	stop := context.AfterFunc(ctx, func() { _ = socket.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	buf := make([]byte, ueventLimit)
	for {
		event, err := receiveUevent(socket, buf)
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, unix.ENOBUFS): // events were dropped
			changed()
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return fmt.Errorf("read the kernel's device events: %w", err)
		case concernsModems(event):
			changed()
		}
	}
}

func openUevents() (*os.File, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_KOBJECT_UEVENT)
	if err != nil {
		return nil, err
	}
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: kernelGroup}); err != nil {
		unix.Close(fd)
		return nil, err
	}
	return os.NewFile(uintptr(fd), "uevents"), nil
}

// receiveUevent waits for a message of the kernel; nil is one of somebody else,
// who can reach this socket by its number.
func receiveUevent(socket *os.File, buf []byte) ([]byte, error) {
	raw, err := socket.SyscallConn()
	if err != nil {
		return nil, err
	}
	var n int
	var from unix.Sockaddr
	var rerr error
	err = raw.Read(func(fd uintptr) bool {
		n, from, rerr = unix.Recvfrom(int(fd), buf, 0)
		return !errors.Is(rerr, unix.EAGAIN)
	})
	if err := errors.Join(err, rerr); err != nil {
		return nil, err
	}
	if sender, ok := from.(*unix.SockaddrNetlink); !ok || sender.Pid != 0 {
		return nil, nil
	}
	return buf[:n], nil
}

// concernsModems says whether an event, "add@/devices/..." and then KEY=VALUE, each
// with a NUL after it, is about a terminal or a USB device.
func concernsModems(event []byte) bool {
	for field := range bytes.SplitSeq(event, []byte{0}) {
		if subsystem, ok := bytes.CutPrefix(field, []byte("SUBSYSTEM=")); ok {
			return slices.Contains([]string{"tty", "usb", "usb-serial"}, string(subsystem))
		}
	}
	return false
}
