package emulator

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"
)

// ServePTY puts the modem on a pseudo-terminal until ctx ends; link becomes a symlink to the slave, replaced and removed in
// one step. Unplugging hangs the terminal up and removes the link; plugging makes another terminal, under another name.
// A host that closes the terminal drops DTR, as Close of an in-process port does. It returns nil when ctx has ended, and
// errs when there is no pseudo-terminal to be had, link is in the way, or the port is in use.
func (m *Modem) ServePTY(ctx context.Context, link string) error {
	last := ""
	for {
		if err := m.n.Wait(ctx, m.isPlugged); err != nil {
			return nil
		}
		t, err := openTerminal(last)
		if err != nil {
			return fmt.Errorf("serve %s on a pseudo-terminal: %w", m.cfg.Name, err)
		}
		last = t.name
		if err := publish(t.name, link); err != nil {
			t.close()
			return fmt.Errorf("serve %s on a pseudo-terminal: %w", m.cfg.Name, err)
		}
		err = m.serveTerminal(ctx, t)
		unpublish(t.name, link)
		t.close()
		if ctx.Err() != nil || m.n.isClosed() {
			return nil
		}
		if err != nil {
			return fmt.Errorf("serve %s on %s: %w", m.cfg.Name, link, err)
		}
	}
}

func (m *Modem) isPlugged() (yes bool) {
	m.locked(func() { yes = m.plugged || m.n.closed })
	return yes
}

func (n *Network) isClosed() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.closed
}

// serveTerminal serves one host after the other until the modem is unplugged (nil), ctx ends, or another terminal is needed.
func (m *Modem) serveTerminal(ctx context.Context, t *terminal) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		m.n.Wait(ctx, func() bool { return !m.isPlugged() || m.n.isClosed() })
		t.close()
	}()
	defer func() { cancel(); <-gone }()
	for {
		if err := t.waitOpened(); err != nil {
			return nil // closed under us: unplugged or ended
		}
		p, err := m.open(false)
		switch {
		case errors.Is(err, ErrUnplugged):
			return nil
		case err != nil:
			return err
		}
		pump(ctx, p, t.master)
		if !m.isPlugged() || m.n.isClosed() || ctx.Err() != nil || !t.hasHost() && t.reserved() {
			return nil
		}
	}
}

// ServeConn puts the modem on a stream until the stream or ctx ends, or the modem is unplugged. It closes the stream. It errs
// when the port can't be opened.
func (m *Modem) ServeConn(ctx context.Context, conn io.ReadWriteCloser) error {
	p, err := m.open(false)
	if err != nil {
		conn.Close()
		return err
	}
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	pump(ctx, p, conn)
	return conn.Close()
}

// ServeListener puts the modem on one connection of ln after the other until ctx ends; the next host is heard when the one
// before has gone. While the modem is unplugged, connections are closed as soon as they are made. It closes ln, and errs when
// ln does, or when the port is in use.
func (m *Modem) ServeListener(ctx context.Context, ln net.Listener) error {
	defer ln.Close()
	defer context.AfterFunc(ctx, func() { ln.Close() })()
	for {
		conn, err := ln.Accept()
		if err != nil && ctx.Err() == nil {
			return fmt.Errorf("serve %s on %s: %w", m.cfg.Name, ln.Addr(), err)
		}
		if err != nil {
			return nil
		}
		if err := m.ServeConn(ctx, conn); errors.Is(err, ErrInUse) {
			return fmt.Errorf("serve %s on %s: %w", m.cfg.Name, ln.Addr(), err)
		}
	}
}

// ahead is how many reads a host on a stream may be ahead of a modem that takes no bytes.
const ahead = 16

// pump carries bytes both ways until either side or ctx ends; it closes p, and far once the modem is gone.
func pump(ctx context.Context, p *port, far io.ReadWriteCloser) {
	defer context.AfterFunc(ctx, func() { p.Close() })()
	var both sync.WaitGroup
	both.Go(func() {
		if _, err := io.Copy(far, p); errors.Is(err, ErrUnplugged) {
			far.Close()
		}
	})
	heard := make(chan []byte, ahead)
	both.Go(func() {
		for b := range heard {
			p.Write(b) // an error is the modem's end, which the other direction sees
		}
		p.Close()
	})
	for {
		b := make([]byte, 4096)
		n, err := far.Read(b)
		if err != nil {
			break
		}
		heard <- b[:n]
	}
	p.unstick()
	close(heard)
	both.Wait()
}

// terminal is a pseudo-terminal whose slave hosts open and close.
type terminal struct {
	master *os.File
	name   string
	opens  *os.File // inotify: a host has opened the slave
	once   sync.Once
}

// openTerminal makes a raw pseudo-terminal that is not called last.
func openTerminal(last string) (*terminal, error) {
	master, slave, err := pty.Open()
	if err != nil {
		return nil, fmt.Errorf("open a pseudo-terminal: %w", err)
	}
	if slave.Name() == last { // keep the old name taken while the next one is made
		defer master.Close()
		defer slave.Close()
		return openTerminal("")
	}
	defer slave.Close()
	defer master.Close()
	t := &terminal{name: slave.Name()}
	if err := makeRaw(slave); err != nil {
		return nil, fmt.Errorf("make %s raw: %w", t.name, err)
	}
	if t.master, err = pollable(master); err != nil {
		return nil, fmt.Errorf("open the master of %s: %w", t.name, err)
	}
	if t.opens, err = watchOpens(t.name); err != nil {
		t.master.Close()
		return nil, fmt.Errorf("watch %s: %w", t.name, err)
	}
	return t, nil
}

// pollable is a second descriptor for f whose reads end when it is closed: creack/pty leaves its own in blocking mode.
func pollable(f *os.File) (*os.File, error) {
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		unix.Close(fd)
		return nil, err
	}
	return os.NewFile(uintptr(fd), f.Name()), nil
}

func (t *terminal) close() {
	t.once.Do(func() {
		t.master.Close()
		t.opens.Close()
	})
}

// waitOpened waits for a host. Until one has the slave open, a read of the master fails at once.
func (t *terminal) waitOpened() error {
	b := make([]byte, 4096)
	for {
		if _, err := t.opens.Read(b); err != nil {
			return err
		}
		if t.hasHost() { // and it was not reserved, or somebody who has left without a word
			return nil
		}
	}
}

// hasHost reports whether a host has the slave open, or has left something to read. A closed terminal has one: reading tells.
func (t *terminal) hasHost() bool {
	conn, err := t.master.SyscallConn()
	if err != nil {
		return true
	}
	p := []unix.PollFd{{Events: unix.POLLIN}}
	if err := conn.Control(func(fd uintptr) {
		p[0].Fd = int32(fd)
		_, err = unix.Poll(p, 0)
	}); err != nil {
		return true
	}
	return err != nil || p[0].Revents&unix.POLLHUP == 0 || p[0].Revents&unix.POLLIN != 0
}

// reserved reports whether the last host keeps the next one out. Its TIOCEXCL ends with it on a real line, but on a
// pseudo-terminal stays as long as the master. Root, whom it does not stop, takes it off; everybody else needs a new terminal.
func (t *terminal) reserved() bool {
	fd, err := unix.Open(t.name, unix.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return errors.Is(err, unix.EBUSY)
	}
	defer unix.Close(fd)
	return unix.IoctlSetInt(fd, unix.TIOCNXCL, 0) != nil
}

// makeRaw is cfmakeraw: bytes pass as they are.
func makeRaw(f *os.File) error {
	conn, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var inner error
	err = conn.Control(func(fd uintptr) {
		var a *unix.Termios
		if a, inner = unix.IoctlGetTermios(int(fd), unix.TCGETS); inner != nil {
			return
		}
		a.Iflag &^= unix.IGNBRK | unix.BRKINT | unix.PARMRK | unix.ISTRIP | unix.INLCR | unix.IGNCR | unix.ICRNL | unix.IXON
		a.Oflag &^= unix.OPOST
		a.Lflag &^= unix.ECHO | unix.ECHONL | unix.ICANON | unix.ISIG | unix.IEXTEN
		a.Cflag = a.Cflag&^(unix.CSIZE|unix.PARENB) | unix.CS8
		a.Cc[unix.VMIN], a.Cc[unix.VTIME] = 1, 0
		inner = unix.IoctlSetTermios(int(fd), unix.TCSETS, a)
	})
	return errors.Join(err, inner)
}

// watchOpens is an inotify descriptor that becomes readable when name is opened.
func watchOpens(name string) (*os.File, error) {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), "inotify")
	if _, err := unix.InotifyAddWatch(fd, name, unix.IN_OPEN); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// publish makes link a symlink to name in one step. Only a symlink is replaced.
func publish(name, link string) error {
	if st, err := os.Lstat(link); err == nil && st.Mode()&os.ModeSymlink == 0 {
		return fmt.Errorf("%s is in the way: it is not a symlink", link)
	}
	next := link + ".new"
	os.Remove(next)
	if err := os.Symlink(name, next); err != nil {
		return fmt.Errorf("link the terminal: %w", err)
	}
	if err := os.Rename(next, link); err != nil {
		return fmt.Errorf("link the terminal: %w", err)
	}
	return nil
}

// unpublish removes link if it is still ours.
func unpublish(name, link string) {
	if to, err := os.Readlink(link); err == nil && to == name {
		os.Remove(link)
	}
}
