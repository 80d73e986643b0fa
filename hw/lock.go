package hw

import (
	"errors"

	"golang.org/x/sys/unix"
)

// Two locks, because each stops what the other lets through: TIOCEXCL makes the
// kernel refuse any further open, but not one by root; flock stops a second
// simpost whoever runs it, but not a program that never asks.

// errBusy is another program's claim on the terminal.
var errBusy = errors.New("in use by another program")

func lock(fd int) error {
	if err := unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB); err != nil {
		if errors.Is(err, unix.EWOULDBLOCK) {
			return errBusy
		}
		return err
	}
	// Root got in although another program asked to be alone.
	if taken, err := unix.IoctlGetInt(fd, unix.TIOCGEXCL); err == nil && taken != 0 && !isPTY(fd) {
		return errBusy
	}
	return nil
}

// exclude keeps later openers out. Not on a pseudo-terminal: there the mark
// belongs to the pair and outlives us for as long as the other end stays open,
// so that after a kill -9 we could not come back as an ordinary user.
func exclude(fd int) error {
	if isPTY(fd) {
		return nil
	}
	return unix.IoctlSetInt(fd, unix.TIOCEXCL, 0)
}

// include takes the mark off: it belongs to the terminal, and would stay for as
// long as anybody else, even root's `cat`, keeps it open.
func include(fd int) { _ = unix.IoctlSetInt(fd, unix.TIOCNXCL, 0) }

// isPTY reports whether fd is the slave of a Unix 98 pseudo-terminal: majors
// 136 to 143 (Linux, Documentation/admin-guide/devices.txt).
func isPTY(fd int) bool {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return false
	}
	major := unix.Major(st.Rdev)
	return major >= 136 && major <= 143
}
