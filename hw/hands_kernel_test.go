package hw

import (
	"errors"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestHandsOnAKernel uses the hands on the USB device of a terminal that really is
// there: as root, on a machine of which nobody needs it meanwhile. SIMPOST_TEST_USB
// names the terminal.
func TestHandsOnAKernel(t *testing.T) {
	tty := os.Getenv("SIMPOST_TEST_USB")
	if tty == "" {
		t.Skip("SIMPOST_TEST_USB names no terminal on USB that may be reset")
	}
	h := &Hands{}
	usb := h.USBOf(tty)
	if usb == "" {
		t.Fatalf("%s belongs to no USB device", tty)
	}
	for _, hand := range []struct {
		name Hand
		do   func() error
	}{
		{USBReset, func() error { return h.Reset(usb) }},
		{USBRebind, func() error { return h.Rebind(t.Context(), usb) }},
		{USBPower, func() error { return h.CyclePort(t.Context(), usb) }},
		{USBPower + " by the hub", func() error {
			port, err := h.portOf(usb)
			return errors.Join(err, h.cycleByHub(t.Context(), usb, port))
		}},
	} {
		before := made(t, tty)
		begin := time.Now()
		err := hand.do()
		took := time.Since(begin)
		if errors.Is(err, errGanged) || errors.Is(err, errNoPort) {
			t.Logf("%s: %v", hand.name, err)
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", hand.name, err)
			continue
		}
		if !comesBack(t, tty, before) {
			t.Errorf("%s: the terminal was not made anew", hand.name)
		}
		if again := h.USBOf(tty); again != usb {
			t.Errorf("%s: it was at %s and is at %s", hand.name, usb, again)
		}
		t.Logf("%s of %s took %v, and the terminal was back after %v", hand.name, usb, took, time.Since(begin))
	}
}

// made is when the kernel made a device file.
func made(t *testing.T, name string) unix.Timespec {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Stat(name, &st); err != nil {
		t.Fatal(err)
	}
	return st.Ctim
}

// comesBack waits for a device file that is another than the one made before.
func comesBack(t *testing.T, name string, before unix.Timespec) bool {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); <-tick.C {
		var st unix.Stat_t
		if unix.Stat(name, &st) == nil && st.Ctim != before {
			return true
		}
	}
	return false
}
