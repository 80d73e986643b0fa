package hw

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"
)

// newPTY returns the modem's end of a pseudo-terminal and the path of ours.
func newPTY(tb testing.TB) (modem *os.File, path string) {
	tb.Helper()
	modem, tty, err := pty.Open()
	if err != nil {
		tb.Fatal(err)
	}
	// tty stays open, so that the modem's end can be read before and after a Conn.
	tb.Cleanup(func() { tty.Close(); modem.Close() })
	return modem, tty.Name()
}

func mustOpen(tb testing.TB, path string) *conn {
	tb.Helper()
	rwc, err := Open(Port{Path: path})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { rwc.Close() })
	return rwc.(*conn)
}

func wantOpenError(t *testing.T, path string, want Condition) *OpenError {
	t.Helper()
	rwc, err := Open(Port{Path: path})
	var oe *OpenError
	if !errors.As(err, &oe) {
		t.Fatalf("Open(%s) = %v, %v; want an *OpenError", path, rwc, err)
	}
	if oe.Condition != want || oe.Path != path || oe.Remedy == "" {
		t.Fatalf("Open(%s): condition %s, path %s, remedy %q; want %s and a remedy (%v)",
			path, oe.Condition, oe.Path, oe.Remedy, want, err)
	}
	return oe
}

func TestBytesGoBothWaysUnchanged(t *testing.T) {
	modem, path := newPTY(t)
	c := mustOpen(t, path)

	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	got := make([]byte, len(all))
	if _, err := c.Write(all); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(modem, got); err != nil || !bytes.Equal(got, all) {
		t.Fatalf("the modem read % x, %v", got, err)
	}
	if _, err := modem.Write(all); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(c, got); err != nil || !bytes.Equal(got, all) {
		t.Fatalf("we read % x, %v", got, err)
	}
}

// cook sets the line as a login terminal's, with all that a modem's must not have.
func cook(t *testing.T, path string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := control(f, func(fd int) error {
		tio, err := unix.IoctlGetTermios(fd, unix.TCGETS)
		if err != nil {
			return err
		}
		tio.Cflag = unix.B300 | unix.CS7 | unix.PARENB | unix.CSTOPB | unix.HUPCL | unix.CRTSCTS
		tio.Lflag |= unix.ECHO | unix.ICANON | unix.ISIG
		tio.Iflag |= unix.ICRNL | unix.IXON
		tio.Oflag |= unix.OPOST
		return unix.IoctlSetTermios(fd, unix.TCSETS, tio)
	}); err != nil {
		t.Fatal(err)
	}
}

func TestLineSettings(t *testing.T) {
	_, path := newPTY(t)
	for _, tt := range []struct {
		baud   int
		rtscts bool
		want   uint32
		flow   uint32
	}{{0, false, unix.B115200, 0}, {9600, false, unix.B9600, 0}, {460800, true, unix.B460800, unix.CRTSCTS}} {
		cook(t, path)
		rwc, err := Open(Port{Path: path, Baud: tt.baud, RTSCTS: tt.rtscts})
		if err != nil {
			t.Fatal(err)
		}
		var tio *unix.Termios
		if err := control(rwc.(*conn).f, func(fd int) (err error) {
			tio, err = unix.IoctlGetTermios(fd, unix.TCGETS)
			return err
		}); err != nil {
			t.Fatal(err)
		}
		rwc.Close()
		if got := tio.Cflag & unix.CBAUD; got != tt.want {
			t.Errorf("baud %d: speed bits %#o, want %#o", tt.baud, got, tt.want)
		}
		if tio.Cflag&(unix.HUPCL|unix.CRTSCTS|unix.PARENB|unix.CSTOPB) != tt.flow || tio.Cflag&unix.CSIZE != unix.CS8 {
			t.Errorf("baud %d: control flags %#o", tt.baud, tio.Cflag)
		}
		if tio.Lflag&(unix.ECHO|unix.ICANON|unix.ISIG) != 0 || tio.Iflag&(unix.ICRNL|unix.IXON) != 0 || tio.Oflag&unix.OPOST != 0 {
			t.Errorf("baud %d: not raw: %#o %#o %#o", tt.baud, tio.Lflag, tio.Iflag, tio.Oflag)
		}
	}
}

func TestOpenDropsWhatCameBefore(t *testing.T) {
	modem, path := newPTY(t)
	first := mustOpen(t, path)
	if _, err := modem.Write([]byte("+CMGS: 7\r\n")); err != nil {
		t.Fatal(err)
	}
	one := make([]byte, 1)
	if _, err := io.ReadFull(first, one); err != nil { // the rest has arrived too
		t.Fatal(err)
	}
	first.Close()

	second := mustOpen(t, path)
	if _, err := modem.Write([]byte("new")); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 3)
	if _, err := io.ReadFull(second, got); err != nil || string(got) != "new" {
		t.Fatalf("read %q, %v; want only what came after Open", got, err)
	}
}

func TestOpenErrors(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	fifo := filepath.Join(dir, "fifo")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	dangling := filepath.Join(dir, "modem0")
	if err := os.Symlink(filepath.Join(dir, "ttyUSB9"), dangling); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]Condition{
		filepath.Join(dir, "ttyUSB2"): NoDevice,
		dangling:                      NoDevice,
		filepath.Join(file, "x"):      NoDevice,
		file:                          NotATTY,
		fifo:                          NotATTY,
		dir:                           NotATTY,
		"/dev/null":                   NotATTY,
	} {
		wantOpenError(t, path, want)
	}
	if oe := wantOpenError(t, dangling, NoDevice); !strings.Contains(oe.Remedy, "ttyUSB9") {
		t.Errorf("a dangling link's remedy does not say where it leads: %q", oe.Remedy)
	}
	if !errors.Is(wantOpenError(t, dangling, NoDevice), os.ErrNotExist) {
		t.Error("the cause is lost")
	}
}

// Root is refused nothing, so the errors are given instead of provoked.
func TestErrorConditions(t *testing.T) {
	_, path := newPTY(t)
	for _, tt := range []struct {
		err    error
		want   Condition
		remedy string
	}{
		{&os.PathError{Op: "open", Path: path, Err: unix.EACCES}, NoPermission, "group"},
		{&os.PathError{Op: "open", Path: path, Err: unix.EPERM}, NoPermission, "DeviceAllow"},
		{&os.PathError{Op: "open", Path: path, Err: unix.EBUSY}, PortBusy, "stop"},
		{&os.PathError{Op: "open", Path: path, Err: unix.ENXIO}, OpenFailed, "nothing behind it"},
		{&os.PathError{Op: "open", Path: path, Err: unix.ENODEV}, OpenFailed, "nothing behind it"},
		{fmt.Errorf("set 115200 baud 8N1: %w", unix.EIO), OpenFailed, "nothing behind it"},
		{&os.PathError{Op: "open", Path: path, Err: unix.EMFILE}, OpenFailed, ""},
	} {
		e := openError(path, tt.err)
		if e.Condition != tt.want || !strings.Contains(e.Remedy, tt.remedy) {
			t.Errorf("%v: %s, %q; want %s, %q", tt.err, e.Condition, e.Remedy, tt.want, tt.remedy)
		}
		if !strings.HasPrefix(e.Error(), "open "+path+": ") || strings.Count(e.Error(), path) > 2 {
			t.Errorf("message %q", e.Error())
		}
	}
}

// A device that left between open and the settings is absent, not broken.
func TestGoneWithItsNode(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ttyUSB2")
	if e := openError(path, unix.EIO); e.Condition != NoDevice || !strings.Contains(e.Remedy, "plug the modem in") {
		t.Errorf("%s, %q", e.Condition, e.Remedy)
	}
}

// Every session has the node /dev/tty; in one without a terminal nothing is
// behind it, and Wait would return at once: NoDevice would be tried in a circle.
func TestNodeWithNothingBehindIt(t *testing.T) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), helperEnv+"=/dev/tty")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	out, err := cmd.Output()
	if err == nil {
		t.Fatal("a session without a terminal has opened /dev/tty")
	}
	const want = "open-failed: open /dev/tty: no such device or address\n"
	if string(out) != want {
		t.Errorf("it said %q, want %q", out, want)
	}
	if err := Wait(t.Context(), "/dev/tty"); err != nil {
		t.Error(err)
	}
}

func TestSecondOpenIsRefusedByName(t *testing.T) {
	_, path := newPTY(t)
	link := filepath.Join(t.TempDir(), "modem0")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	first := mustOpen(t, path)
	oe := wantOpenError(t, link, PortBusy)
	if want := fmt.Sprintf("(pid %d)", os.Getpid()); !strings.Contains(oe.Error(), want) {
		t.Errorf("%q does not name %s", oe.Error(), want)
	}
	first.Close()
	mustOpen(t, link)
}

// helperEnv makes this test binary, run again, hold the port that it names.
const helperEnv = "HW_TEST_HOLD"

func TestMain(m *testing.M) {
	if path := os.Getenv(helperEnv); path != "" {
		if _, err := Open(Port{Path: path}); err != nil {
			var open *OpenError
			errors.As(err, &open)
			fmt.Printf("%s: %v\n", open.Condition, err)
			os.Exit(1)
		}
		fmt.Println("open")
		select {}
	}
	os.Exit(m.Run())
}

func TestAnotherProgramHoldsAndDies(t *testing.T) {
	_, path := newPTY(t)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), helperEnv+"="+path)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Process.Kill()
	said := make([]byte, 5)
	if _, err := io.ReadFull(out, said); err != nil || string(said) != "open\n" {
		t.Fatalf("the other program said %q, %v", said, err)
	}
	oe := wantOpenError(t, path, PortBusy)
	if want := fmt.Sprintf("hw.test (pid %d)", cmd.Process.Pid); !strings.Contains(oe.Error(), want) {
		t.Errorf("%q does not name %s", oe.Error(), want)
	}
	cmd.Process.Kill()
	cmd.Wait()
	mustOpen(t, path)
}

// A mark left on a pty by a killed process would refuse every user but root.
func TestNoExclusiveMarkOnAPTY(t *testing.T) {
	_, path := newPTY(t)
	c := mustOpen(t, path)
	err := control(c.f, func(fd int) error {
		marked, err := unix.IoctlGetInt(fd, unix.TIOCGEXCL)
		if err == nil && marked != 0 {
			err = errors.New("TIOCEXCL is set")
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func TestDeviceGoesAndComesBack(t *testing.T) {
	link := filepath.Join(t.TempDir(), "modem0")
	for range 20 {
		modem, tty, err := pty.Open()
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(tty.Name(), link); err != nil {
			t.Fatal(err)
		}
		if err := Wait(t.Context(), link); err != nil {
			t.Fatal(err)
		}
		c := mustOpen(t, link)
		failed := make(chan error)
		go func() {
			_, err := c.Read(make([]byte, 1))
			failed <- err
		}()
		modem.Close()
		if err := <-failed; !errors.Is(err, ErrGone) {
			t.Fatalf("Read after a hang-up: %v, want ErrGone", err)
		}
		if _, err := c.Write([]byte("AT\r")); !errors.Is(err, ErrGone) {
			t.Fatalf("Write after a hang-up: %v, want ErrGone", err)
		}
		c.Close()
		tty.Close()
		os.Remove(link)
		wantOpenError(t, link, NoDevice)
	}
}

func TestCloseFreesRead(t *testing.T) {
	modem, path := newPTY(t)
	goroutines, files := runtime.NumGoroutine(), openFiles(t)
	for range 100 {
		c := mustOpen(t, path)
		first, last := make(chan error), make(chan error)
		go func() {
			one := make([]byte, 1)
			_, err := c.Read(one)
			first <- err
			_, err = c.Read(one)
			last <- err
		}()
		modem.Write([]byte("x"))
		if err := <-first; err != nil {
			t.Fatal(err)
		}
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		if err := <-last; !errors.Is(err, os.ErrClosed) {
			t.Fatalf("Read ended with %v, want os.ErrClosed", err)
		}
		if err := c.Close(); err != nil {
			t.Fatalf("second Close: %v", err)
		}
	}
	for range 1000 { // the last ones above may not have returned yet
		if runtime.NumGoroutine() <= goroutines {
			break
		}
		runtime.Gosched()
	}
	if n := runtime.NumGoroutine(); n > goroutines {
		t.Errorf("%d goroutines, %d before", n, goroutines)
	}
	if n := openFiles(t); n > files {
		t.Errorf("%d open files, %d before", n, files)
	}
}

func openFiles(t *testing.T) int {
	t.Helper()
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(fds)
}

func TestCloseFreesWrite(t *testing.T) {
	modem, path := newPTY(t)
	c := mustOpen(t, path)
	failed := make(chan error)
	go func() {
		_, err := c.Write(make([]byte, 1<<20)) // far more than a pty holds
		failed <- err
	}()
	if _, err := modem.Read(make([]byte, 1)); err != nil { // it is writing
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-failed; !errors.Is(err, os.ErrClosed) {
		t.Fatalf("Write ended with %v, want os.ErrClosed", err)
	}
}

func TestWriteGivesUp(t *testing.T) {
	_, path := newPTY(t)
	c := mustOpen(t, path)
	c.writeLimit = 20 * time.Millisecond
	n, err := c.Write(make([]byte, 1<<20))
	if !errors.Is(err, os.ErrDeadlineExceeded) || n == 0 || n == 1<<20 {
		t.Fatalf("Write = %d, %v; want a part and os.ErrDeadlineExceeded", n, err)
	}
	if !strings.Contains(err.Error(), fmt.Sprintf("took %d of %d bytes", n, 1<<20)) {
		t.Errorf("message %q", err)
	}
}

func TestLongWriteToASlowReader(t *testing.T) {
	modem, path := newPTY(t)
	c := mustOpen(t, path)
	want := bytes.Repeat([]byte("0123456789abcdef"), 1<<13)
	done := make(chan error, 1)
	go func() {
		_, err := c.Write(want)
		done <- err
	}()
	got := make([]byte, 0, len(want))
	buf := make([]byte, 100)
	for len(got) < len(want) {
		n, err := modem.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, buf[:n]...)
	}
	if err := <-done; err != nil || !bytes.Equal(got, want) {
		t.Fatalf("%v; %d of %d bytes equal: %v", err, len(got), len(want), bytes.Equal(got, want))
	}
}

// The serial library's own Write after Close goes to whoever took the number.
func TestNothingLeavesAfterClose(t *testing.T) {
	_, path := newPTY(t)
	c := mustOpen(t, path)
	c.Close()
	var others []*os.File
	for i := range 32 { // take the number that was freed
		f, err := os.Create(filepath.Join(t.TempDir(), fmt.Sprint(i)))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		others = append(others, f)
	}
	if _, err := c.Write([]byte("AT+CMGS=23\r")); !errors.Is(err, os.ErrClosed) {
		t.Errorf("Write after Close: %v, want os.ErrClosed", err)
	}
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, os.ErrClosed) {
		t.Errorf("Read after Close: %v, want os.ErrClosed", err)
	}
	for _, f := range others {
		if fi, err := f.Stat(); err != nil || fi.Size() != 0 {
			t.Fatalf("%s got %d bytes, %v", f.Name(), fi.Size(), err)
		}
	}
}

// BenchmarkRoundTrip is one command and its answer, without any AT.
func BenchmarkRoundTrip(b *testing.B) {
	modem, path := newPTY(b)
	c := mustOpen(b, path)
	go func() {
		buf := make([]byte, 512)
		for {
			n, err := modem.Read(buf)
			if err != nil {
				return
			}
			modem.Write(buf[:n])
		}
	}()
	question, answer := bytes.Repeat([]byte("A"), 347), make([]byte, 347)
	for b.Loop() {
		if _, err := c.Write(question); err != nil {
			b.Fatal(err)
		}
		if _, err := io.ReadFull(c, answer); err != nil {
			b.Fatal(err)
		}
	}
}
