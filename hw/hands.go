package hw

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Hands restart a modem from outside, when it no longer listens to what is said
// to it. What they may do they may do by the rights of device nodes, which the udev
// rules grant: nothing here needs root but Rebind.
//
// All of them make the terminal disappear and come back, maybe under another name,
// as if somebody had pulled the plug. None of them knows whether that helped.

// Hand is one way to restart a modem, a stable word.
type Hand string

// The closed list, from the gentlest on.
const (
	USBReset  Hand = "usb-reset"  // a reset of the device, by the kernel
	USBRebind Hand = "usb-rebind" // taken from the system and given back; needs root
	USBPower  Hand = "usb-power"  // its port of the hub switched off and on
	PowerKey  Hand = "power-key"  // the module's PWRKEY pressed, by a GPIO line
)

// Hands are the hands of this machine. The zero value is ready; it holds nothing
// and may be used by several goroutines for different devices.
type Hands struct {
	Root string // where sys and dev are; "" is /. For tests

	ioctl   func(f *os.File, request uint, argument unsafe.Pointer) error // nil is the kernel's
	request func(k Key) (line, error)                                     // nil is the character device's
}

// HandError says why a hand could not do its work, and what would let it.
type HandError struct {
	Hand   Hand
	Where  string // the device node, attribute or line it needed
	Remedy string // one sentence; may be empty
	Err    error
}

func (e *HandError) Error() string {
	return fmt.Sprintf("%s by %s: %v", e.Hand, e.Where, handWords(e.Err))
}

func (e *HandError) Unwrap() error { return e.Err }

// Unable says that the hand will not work at the next try either: the machine
// lacks it, or the rights to it.
func (e *HandError) Unable() bool {
	return !errors.Is(e.Err, unix.ENODEV) && !errors.Is(e.Err, context.Canceled)
}

// handError adds to err what would let the hand do its work.
func handError(hand Hand, where string, err error) error {
	if err == nil {
		return nil
	}
	return &HandError{Hand: hand, Where: where, Remedy: handRemedy(hand, where, err), Err: err}
}

// The refusals that no errno names.
var (
	errGanged  = errors.New("the hub switches all its ports together, or none")
	errNoPort  = errors.New("not behind a USB hub")
	errNoGPIO  = errors.New("no such line")
	errLineBad = errors.New("written otherwise than chip/line")
)

// handWords puts what the kernel answers to these requests into words.
func handWords(err error) string {
	switch {
	case errors.Is(err, unix.EACCES), errors.Is(err, unix.EPERM):
		return "permission denied"
	case errors.Is(err, unix.ENOENT):
		return "it is not there"
	case errors.Is(err, unix.ENODEV), errors.Is(err, unix.ENXIO):
		return "the device left meanwhile"
	case errors.Is(err, unix.EBUSY):
		return "another program holds it"
	case errors.Is(err, unix.EPIPE):
		return "the hub refuses"
	case errors.Is(err, unix.ETIMEDOUT):
		return "the device does not answer its bus"
	case errors.Is(err, unix.ENOTTY), errors.Is(err, unix.EINVAL):
		return "this system has no such request"
	case errors.Is(err, unix.EROFS):
		return "closed to the daemon, which is not root's"
	}
	return cause(err).Error()
}

func handRemedy(hand Hand, where string, err error) string {
	denied := errors.Is(err, unix.EACCES) || errors.Is(err, unix.EPERM) || errors.Is(err, unix.EROFS)
	switch {
	case denied && hand == USBRebind:
		return "this takes root: sudo simpost doctor --restart"
	case denied && hand == USBPower:
		return "give the hub to the group simpost, as the udev rules show in their example, or as root: sudo simpost doctor --restart"
	case denied:
		return permissionRemedy(where)
	case errors.Is(err, unix.EBUSY):
		return "gpioinfo, of the package gpiod, shows who holds the line"
	case errors.Is(err, errGanged):
		return "put the modem on a hub that switches its ports one by one, or leave usb_power out"
	case hand == PowerKey && errors.Is(err, unix.ENOENT), errors.Is(err, errNoGPIO):
		return "gpioinfo, of the package gpiod, lists the lines that there are"
	}
	return ""
}

// offTime is how long a port stays without power: what a modem holds in its
// capacitors keeps it alive for a while.
const offTime = 5 * time.Second

// pause waits for d, or less if ctx ends.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

func (h *Hands) root() string { return cmp.Or(h.Root, "/") }
