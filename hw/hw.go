// Package hw knows which modems are attached, opens, locks and closes the
// terminal that one hangs on, and waits for one that is not there yet. It knows
// no AT: what it hands out is a stream of bytes. The daemon's supervisors are its
// callers.
//
// What a reader would get wrong: go.bug.st/serial programs the line and is then
// closed; not one byte passes through it. Its Write has no time limit and, after
// Close, writes into whatever file took over the descriptor number; its Read
// can do the same in the moment of a Close, and panics on descriptors above
// 1023. The bytes go through an *os.File in non-blocking mode, where the
// runtime's poller gives deadlines, a Close that frees whoever waits, no thread
// per port, and no wake-up until there is something to read.
//
// The serial library's port enumerator is never called: it opens and reprograms
// every ttyS* of the machine. Attached walks sysfs, which opens nothing.
package hw

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"go.bug.st/serial"
	"golang.org/x/sys/unix"
)

const (
	// DefaultBaud is the line speed of a Port that names none. USB modems
	// ignore the speed; those on a UART ship with this or detect it.
	DefaultBaud = 115200

	// writeLimit bounds one Write. The longest PDU takes 0.4 s at 9600 baud;
	// a device that takes nothing for this long has stopped.
	writeLimit = 5 * time.Second
)

// ErrGone is in every Read and Write error that means that the device has left:
// unplugged, hung up, or the other end of a pseudo-terminal closed.
var ErrGone = errors.New("the device is gone")

// Port says which terminal to open and how. It is comparable.
type Port struct {
	Path string // a tty, a pty, or a symlink to one; it may come and go
	Baud int    // bits per second; 0 is DefaultBaud

	RTSCTS bool // hardware flow control: the line has the two wires, and the modem wants them
}

// Open opens the terminal, takes it for this process alone, and sets it to raw
// 8N1 without flow control (unless p.RTSCTS) and with DTR and RTS on; what was still unread from
// before is dropped. Closing does not drop DTR (HUPCL is off), which would reset
// some modems. Every error is an *OpenError.
//
// The stream takes one reader and one writer at a time, in any goroutines. Read
// blocks until there is a byte: it never returns 0, nil. Write gives up after
// 5 s with os.ErrDeadlineExceeded and the count of bytes the device took. Both
// say ErrGone once the device has left. Close frees a blocked Read and Write,
// which return os.ErrClosed, and drops bytes that the device has not taken yet;
// nothing reaches the device after it. A second Close returns nil.
func Open(p Port) (io.ReadWriteCloser, error) {
	f, err := openTTY(p.Path)
	if err != nil {
		return nil, openError(p.Path, err)
	}
	if err := setUp(f, p); err != nil {
		f.Close()
		return nil, openError(p.Path, err)
	}
	return &conn{f: f, writeLimit: writeLimit}, nil
}

// openTTY opens only what is a character device: opening a FIFO would wait for
// its other end, and opening a plain file would succeed.
func openTTY(path string) (*os.File, error) {
	fi, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if fi.Mode()&os.ModeCharDevice == 0 {
		return nil, unix.ENOTTY
	}
	// O_NONBLOCK: open would otherwise wait for a carrier that few modems raise.
	return os.OpenFile(path, unix.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK, 0)
}

// setUp locks the terminal first and touches its settings only then, so that a
// port in use by another program is left as that program set it.
func setUp(f *os.File, p Port) error {
	if p.Baud == 0 {
		p.Baud = DefaultBaud
	}
	return control(f, func(fd int) error {
		if _, err := unix.IoctlGetTermios(fd, unix.TCGETS); err != nil {
			return err
		}
		if err := lock(fd); err != nil {
			return err
		}
		if err := programLine(fd, p.Baud); err != nil {
			return err
		}
		if err := keepDTR(fd, p.RTSCTS); err != nil {
			return fmt.Errorf("switch off hang-up on close: %w", err)
		}
		return exclude(fd)
	})
}

// programLine lets the serial library set the line through a descriptor of its
// own. The path by descriptor names the very device that is locked, whatever a
// symlink points to by now.
func programLine(fd, baud int) error {
	port, err := serial.Open(fmt.Sprintf("/proc/self/fd/%d", fd),
		&serial.Mode{BaudRate: baud, DataBits: 8, Parity: serial.NoParity, StopBits: serial.OneStopBit})
	var perr *serial.PortError
	if errors.As(err, &perr) && perr.Code() == serial.PortBusy {
		return errBusy
	}
	if err != nil {
		return fmt.Errorf("set %d baud 8N1: %w", baud, err)
	}
	// Control lines are best effort: a pseudo-terminal has none (ENOTTY).
	_ = port.SetDTR(true)
	_ = port.SetRTS(true)
	if err := port.ResetInputBuffer(); err != nil {
		port.Close()
		return fmt.Errorf("drop old input: %w", err)
	}
	return port.Close()
}

// keepDTR leaves DTR up when the port is closed, and hands RTS to the driver where
// that is wanted: neither is among what the serial library sets.
func keepDTR(fd int, rtscts bool) error {
	t, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return err
	}
	t.Cflag &^= unix.HUPCL
	if rtscts {
		t.Cflag |= unix.CRTSCTS
	}
	return unix.IoctlSetTermios(fd, unix.TCSETS, t)
}

// conn is an open, locked terminal.
type conn struct {
	f          *os.File
	writeLimit time.Duration

	writing sync.Mutex // keeps one Write's deadline from ending another
	close   sync.Once
	err     error // of the first Close
}

func (c *conn) Read(p []byte) (int, error) {
	n, err := c.f.Read(p)
	return n, c.explain("read", err)
}

func (c *conn) Write(p []byte) (int, error) {
	c.writing.Lock()
	defer c.writing.Unlock()
	// The kernel's poller takes a point in time, not a duration: it is monotonic.
	if err := c.f.SetWriteDeadline(time.Now().Add(c.writeLimit)); err != nil {
		return 0, fmt.Errorf("write %s: %w", c.f.Name(), os.ErrClosed)
	}
	n, err := c.f.Write(p)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return n, fmt.Errorf("write %s: the device took %d of %d bytes in %v: %w",
			c.f.Name(), n, len(p), c.writeLimit, os.ErrDeadlineExceeded)
	}
	return n, c.explain("write", err)
}

// explain marks the errors of a device that has left. After a hang-up the
// kernel answers reads with end of file or EIO, and writes with EIO.
func (c *conn) explain(verb string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, io.EOF), isGone(err):
		return fmt.Errorf("%s %s: %w (%w)", verb, c.f.Name(), ErrGone, cause(err))
	}
	return err
}

func (c *conn) Close() error {
	c.close.Do(func() {
		_ = control(c.f, func(fd int) error {
			include(fd)
			// Closing a tty waits up to 30 s for its output to drain unless there is none.
			return unix.IoctlSetInt(fd, unix.TCFLSH, unix.TCOFLUSH)
		})
		c.err = c.f.Close()
	})
	return c.err
}

// control runs fn on the descriptor, which can't be closed meanwhile.
// File.Fd is not used: nothing would keep the number valid.
func control(f *os.File, fn func(fd int) error) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var ferr error
	if err := raw.Control(func(fd uintptr) { ferr = fn(int(fd)) }); err != nil {
		return err
	}
	return ferr
}

func isGone(err error) bool {
	return errors.Is(err, unix.EIO) || errors.Is(err, unix.ENXIO) || errors.Is(err, unix.ENODEV)
}
