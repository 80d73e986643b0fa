package hw

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"os/user"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// Condition is a stable code for why a terminal could not be opened.
type Condition string

// The closed list of conditions.
const (
	NoDevice     Condition = "no-device"     // nothing there: not plugged in, unplugged, a dangling symlink
	NoPermission Condition = "no-permission" // there, but not for this user
	PortBusy     Condition = "port-busy"     // another program, or another simpost, holds it
	NotATTY      Condition = "not-a-tty"     // something there, but no terminal
	OpenFailed   Condition = "open-failed"   // the kernel refused for another reason, such as a node with no device behind it
)

// ModemManager is the program that takes every modem it sees.
const ModemManager = "ModemManager"

// OpenError says why Open failed, for programs (Condition) and for people.
type OpenError struct {
	Path      string
	Condition Condition
	Remedy    string // what to do about it, one sentence; may be empty
	Holder    string // of PortBusy: the name of the program that holds it, where it can be seen
	PID       int    // and its number; 0 where it can't be seen
	Err       error

	detail string
}

func (e *OpenError) Error() string {
	return fmt.Sprintf("open %s: %s", e.Path, e.detail)
}

func (e *OpenError) Unwrap() error { return e.Err }

// openError sorts err into a Condition and looks around for what would help.
func openError(path string, err error) *OpenError {
	e := &OpenError{Path: path, Err: err, detail: cause(err).Error()}
	switch {
	case isGone(err) && exists(path):
		// Not NoDevice: Wait has nothing to wait for.
		e.Condition, e.Remedy = OpenFailed, "a device node with nothing behind it: unplug the modem and plug it in again"
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ENOTDIR), isGone(err):
		e.Condition, e.detail, e.Remedy = NoDevice, "no such device", absentRemedy(path)
	case errors.Is(err, unix.EPERM):
		// Mode and owner say EACCES; EPERM is the service's own DeviceAllow list.
		e.Condition, e.detail = NoPermission, "permission denied by the system"
		e.Remedy = "allow the device's kind in the service: sudo systemctl edit simpost, DeviceAllow="
	case errors.Is(err, unix.EACCES):
		e.Condition, e.detail = NoPermission, "permission denied"
		e.Remedy = permissionRemedy(path)
	case errors.Is(err, unix.EBUSY), errors.Is(err, errBusy):
		e.Condition = PortBusy
		h := holder(path)
		e.Holder, e.PID = h.name, h.pid
		e.detail, e.Remedy = busyWords(h)
	case errors.Is(err, unix.ENOTTY):
		e.Condition, e.detail = NotATTY, "not a terminal"
		e.Remedy = "name the modem's serial port, such as /dev/ttyUSB2 or a link in /dev/serial/by-id"
	default:
		e.Condition, e.detail = OpenFailed, err.Error()
	}
	return e
}

func absentRemedy(path string) string {
	if target, err := os.Readlink(path); err == nil {
		return "the link points to " + target + ", which is not there: plug the modem in"
	}
	return "plug the modem in; `ls /dev/serial/by-id` shows what is attached"
}

// permissionRemedy names the group that may use the device and how to join it.
func permissionRemedy(path string) string {
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return "a folder on the way to it is closed to this user"
	}
	gid := strconv.FormatUint(uint64(st.Gid), 10)
	group := gid
	if g, err := user.LookupGroupId(gid); err == nil {
		group = g.Name
	}
	if st.Mode&unix.S_IRGRP == 0 || st.Mode&unix.S_IWGRP == 0 || st.Gid == 0 {
		return fmt.Sprintf("its group %s has no use of it: install simpost's udev rules (sudo make install) and plug the modem in again; for an adapter, or a modem that they do not list, they say in their head which line to add", group)
	}
	name := "$USER"
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	return fmt.Sprintf("it belongs to the group %s: sudo usermod -aG %s %s, then log in again or restart the service", group, group, name)
}

func busyWords(h process) (detail, remedy string) {
	if h.pid == 0 {
		return "in use by another program", "sudo simpost doctor says which one, and then stop that"
	}
	who := fmt.Sprintf("%s (pid %d)", cmp.Or(h.name, "a program"), h.pid)
	detail = "in use by " + who
	switch {
	case h.pid == os.Getpid():
		return detail, "two modems of the configuration name the same device"
	case h.name == ModemManager:
		return detail, "install simpost's udev rules, or: sudo systemctl disable --now ModemManager"
	}
	return detail, "stop " + who + ", or give simpost another port of the modem"
}

// cause is the innermost error: the outer ones repeat verb and path.
func cause(err error) error {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return errno
	}
	return err
}
