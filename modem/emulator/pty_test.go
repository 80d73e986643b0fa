package emulator

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// patience is how long a test waits for something real to happen.
const patience = 10 * time.Second

// openTTY opens a terminal as a host does: raw, no controlling terminal.
func openTTY(t *testing.T, name string) *os.File {
	t.Helper()
	fd, err := unix.Open(name, unix.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatalf("open %s: %v", name, err)
	}
	f := os.NewFile(uintptr(fd), name)
	t.Cleanup(func() { f.Close() })
	return f
}

// readUntil reads until what came ends with mark.
func readUntil(t *testing.T, f *os.File, mark string) string {
	t.Helper()
	f.SetReadDeadline(time.Now().Add(patience))
	var got []byte
	b := make([]byte, 1024)
	for !strings.HasSuffix(string(got), mark) {
		n, err := f.Read(b)
		if err != nil {
			t.Fatalf("after %q: %v", got, err)
		}
		got = append(got, b[:n]...)
	}
	return string(got)
}

// servePTY serves m until the test ends and returns the link once it is there.
func servePTY(t *testing.T, n *Network, m *Modem) (link string, awaitLink func(gone bool, not string) string) {
	t.Helper()
	link = filepath.Join(t.TempDir(), "modem")
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- m.ServePTY(ctx, link) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if _, err := os.Lstat(link); err == nil {
			t.Error("the link is still there")
		}
	})
	tick := time.NewTicker(time.Millisecond)
	t.Cleanup(tick.Stop)
	return link, func(gone bool, not string) string {
		t.Helper()
		for range 10000 {
			to, err := os.Readlink(link)
			if gone && err != nil || !gone && err == nil && to != not {
				return to
			}
			<-tick.C
		}
		t.Fatalf("the link never changed")
		return ""
	}
}

func TestPTY(t *testing.T) {
	n := NewNetwork(NetworkConfig{})
	defer n.Close()
	m := n.NewModem(Config{})
	link, await := servePTY(t, n, m)
	name := await(false, "")
	f := openTTY(t, link)
	for range 2 { // a second host finds what the first left
		io.WriteString(f, "ATE0\r")
		readUntil(t, f, "\r\nOK\r\n")
		b := submits(t, "+4791000001", "hello")[0]
		fmt.Fprintf(f, "AT+CMGS=%d\r", len(b))
		readUntil(t, f, "\r\n> ")
		fmt.Fprintf(f, "00%X\x1a", b)
		if got := readUntil(t, f, "\r\nOK\r\n"); !strings.Contains(got, "+CMGS: ") {
			t.Errorf("answer %q", got)
		}
		f.Close()
		if err := n.Wait(t.Context(), func() bool { return !inUse(m) }); err != nil {
			t.Fatal(err)
		}
		f = openTTY(t, link)
	}
	io.WriteString(f, "AT\r")
	readUntil(t, f, "OK\r\n")

	m.Unplug()
	f.SetReadDeadline(time.Now().Add(patience))
	if _, err := f.Read(make([]byte, 1)); err == nil || os.IsTimeout(err) {
		t.Errorf("read of an unplugged terminal: %v", err)
	}
	await(true, "")
	m.Plug()
	if again := await(false, ""); again == name {
		t.Errorf("the new terminal has the old name %s", again)
	}
	f = openTTY(t, link)
	io.WriteString(f, "AT\r")
	if got := readUntil(t, f, "OK\r\n"); got != "AT\r\r\nOK\r\n" {
		t.Errorf("after the replug %q", got)
	}
	if c := len(n.Record()); c != 2 {
		t.Errorf("%d submissions", c)
	}
}

func inUse(m *Modem) (yes bool) {
	m.locked(func() { yes = m.port != nil })
	return yes
}

// TestPTYExclusive: gammu asks to be alone, and leaves without taking that back.
func TestPTYExclusive(t *testing.T) {
	n := NewNetwork(NetworkConfig{})
	defer n.Close()
	link, await := servePTY(t, n, n.NewModem(Config{}))
	await(false, "")
	f := openTTY(t, link)
	conn, err := f.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	if conn.Control(func(fd uintptr) { err = unix.IoctlSetInt(int(fd), unix.TIOCEXCL, 0) }); err != nil {
		t.Fatal(err)
	}
	io.WriteString(f, "AT\r")
	readUntil(t, f, "OK\r\n")
	f.Close()
	free := func() bool { // an error to an ordinary user, a mark to root
		fd, err := unix.Open(link, unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
		if err != nil {
			return false
		}
		defer unix.Close(fd)
		marked, err := unix.IoctlGetInt(fd, unix.TIOCGEXCL)
		return err == nil && marked == 0
	}
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for i := 0; !free(); i++ {
		if i == 10000 {
			t.Fatal("nobody else gets in")
		}
		<-tick.C
	}
	f = openTTY(t, link)
	io.WriteString(f, "AT\r")
	readUntil(t, f, "OK\r\n")
}

func TestPTYLinkInTheWay(t *testing.T) {
	n := NewNetwork(NetworkConfig{})
	defer n.Close()
	link := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(link, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	err := n.NewModem(Config{}).ServePTY(t.Context(), link)
	if err == nil || !strings.Contains(err.Error(), "is in the way") {
		t.Errorf("got %v", err)
	}
}

func TestServeConn(t *testing.T) {
	n := NewNetwork(NetworkConfig{})
	defer n.Close()
	m := n.NewModem(Config{})
	a, b := net.Pipe()
	done := make(chan error, 1)
	go func() { done <- m.ServeConn(t.Context(), b) }()
	a.SetDeadline(time.Now().Add(patience))
	io.WriteString(a, "ATE0V1\r")
	buf := make([]byte, len("ATE0V1\r\r\nOK\r\n"))
	if _, err := io.ReadFull(a, buf); err != nil || !strings.HasSuffix(string(buf), "OK\r\n") {
		t.Errorf("%q, %v", buf, err)
	}
	m.Unplug()
	if _, err := a.Read(buf); err != io.EOF {
		t.Errorf("after the unplug: %v", err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// TestServeListener: hosts are served one after the other, and nobody while the modem is away.
func TestServeListener(t *testing.T) {
	n := NewNetwork(NetworkConfig{})
	defer n.Close()
	m := n.NewModem(Config{})
	ln, err := net.Listen("unix", filepath.Join(t.TempDir(), "modem"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- m.ServeListener(ctx, ln) }()
	host := func() net.Conn {
		t.Helper()
		c, err := net.Dial("unix", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		c.SetDeadline(time.Now().Add(patience))
		return c
	}
	answer := make([]byte, len("AT\r\r\nOK\r\n"))
	first, second := host(), host()
	for _, c := range []net.Conn{first, second} {
		io.WriteString(c, "AT\r")
		if _, err := io.ReadFull(c, answer); err != nil || !strings.HasSuffix(string(answer), "OK\r\n") {
			t.Fatalf("%q, %v", answer, err)
		}
		if c == first {
			first.Close()
		}
	}
	m.Unplug()
	for _, c := range []net.Conn{second, host()} {
		if _, err := c.Read(answer); err != io.EOF {
			t.Errorf("unplugged: %v", err)
		}
	}
	m.Plug()
	back := host()
	io.WriteString(back, "AT\r")
	if _, err := io.ReadFull(back, answer); err != nil {
		t.Errorf("plugged again: %v", err)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if _, err := net.Dial("unix", ln.Addr().String()); err == nil {
		t.Error("it still listens")
	}
}

// TestPTYWriteBlocks: a modem that takes no bytes does not keep its terminal from the next host, nor the server from ending.
func TestPTYWriteBlocks(t *testing.T) {
	n := NewNetwork(NetworkConfig{})
	defer n.Close()
	m := n.NewModem(Config{})
	link, await := servePTY(t, n, m)
	await(false, "")
	if err := m.Fault("life.write-blocks", FaultConfig{}); err != nil {
		t.Fatal(err)
	}
	f := openTTY(t, link)
	io.WriteString(f, "ATE0\r")
	blocked := func() (yes bool) {
		m.locked(func() { yes = m.faults["life.write-blocks"].acted > 0 })
		return yes
	}
	if err := n.Wait(t.Context(), blocked); err != nil {
		t.Fatal(err)
	}
	f.Close()
	if err := n.Wait(t.Context(), func() bool { return !inUse(m) }); err != nil {
		t.Fatal(err)
	}
	f = openTTY(t, link)
	io.WriteString(f, "AT\r")
	readUntil(t, f, "OK\r\n")
}
