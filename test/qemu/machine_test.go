package qemu_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

const (
	// patience bounds every wait: an emulated processor on a busy machine is slow.
	patience = 8 * time.Minute

	tick = 100 * time.Millisecond
)

// machine is a QEMU that runs, and the ways into it.
type machine struct {
	t       *testing.T
	cmd     *exec.Cmd
	console string // the file with what its kernel and systemd say
	ended   chan struct{}
	qmp     *qmp
	shell   *shell
}

// arch is how to run a machine of one architecture.
type arch struct {
	name, qemu string
	kernel     string // its command line
	board      []string
}

var (
	// On a busy machine the timer seems not to work.
	amd64 = arch{"amd64", "qemu-system-x86_64", "console=ttyS0 no_timer_check", []string{"-cpu", "qemu64"}}
	arm64 = arch{"arm64", "qemu-system-aarch64", "console=ttyAMA0", []string{"-machine", "virt", "-cpu", "cortex-a53"}}
)

// disk is what a machine starts from.
type disk struct{ kernel, initrd, image string }

// newDisk makes a disk of a tree. It has room for what a test writes, not more.
func newDisk(t *testing.T, d tree) disk {
	t.Helper()
	one := func(pattern string) string {
		found, _ := filepath.Glob(d.path(pattern))
		if len(found) != 1 {
			t.Fatalf("%d files match %s", len(found), pattern)
		}
		return found[0]
	}
	image := filepath.Join(t.TempDir(), "disk")
	command(t, "mke2fs", "-q", "-t", "ext4", "-d", d.dir, image, "700M")
	return disk{one("boot/vmlinuz-*"), one("boot/initrd.img-*"), image}
}

// boot starts a machine and waits for its shell. Its modems are the sockets of an
// emulator, which are not plugged in yet.
func boot(t *testing.T, a arch, d disk, drive string, modems []string) *machine {
	t.Helper()
	dir := t.TempDir()
	m := &machine{t: t, console: filepath.Join(dir, "console"), ended: make(chan struct{})}
	shell, monitor := filepath.Join(dir, "shell"), filepath.Join(dir, "qmp")
	args := append(slices.Clone(a.board), "-accel", "tcg", "-m", "256", "-nodefaults", "-display", "none", "-no-reboot",
		"-kernel", d.kernel, "-initrd", d.initrd, "-append", a.kernel+" root=/dev/vda rw quiet panic=1",
		"-serial", "file:"+m.console, "-drive", drive, "-device", "virtio-blk-pci,drive=disk",
		"-device", "qemu-xhci,id=usb", "-device", "virtio-serial-pci",
		"-chardev", "socket,id=shell,path="+shell+",server=on,wait=off", "-device", "virtserialport,chardev=shell,name=shell",
		"-qmp", "unix:"+monitor+",server=on,wait=off")
	for i, socket := range modems {
		args = append(args, "-chardev", fmt.Sprintf("socket,id=line%d,path=%s,reconnect=1", i, socket))
	}
	m.cmd = exec.Command(a.qemu, args...)
	m.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	m.cmd.Stderr = os.Stderr
	if err := m.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(m.ended)
		m.cmd.Wait()
	}()
	t.Cleanup(m.cut)
	began := time.Now()
	m.qmp = dialQMP(m, monitor)
	m.shell = dialShell(m, shell)
	m.run("true")
	t.Logf("the machine has started after %.0f s", time.Since(began).Seconds())
	return m
}

// cut takes the power away.
func (m *machine) cut() {
	m.cmd.Process.Kill()
	<-m.ended
	if m.shell != nil {
		m.shell.conn.Close()
		m.qmp.conn.Close()
	}
	if m.t.Failed() {
		said, _ := os.ReadFile(m.console)
		m.t.Logf("the console says:\n%s", tail(string(said), 60))
	}
}

// broken ends the test because the machine does not answer. That QEMU itself has
// crashed, as 7.2 does now and then when a device is pulled, is no verdict on simpost:
// insist begins anew.
func (m *machine) broken(what string, err error) {
	m.t.Helper()
	select {
	case <-m.ended:
		if s, ok := m.cmd.ProcessState.Sys().(syscall.WaitStatus); ok && s.Signaled() && (s.Signal() == syscall.SIGSEGV || s.Signal() == syscall.SIGABRT) {
			m.t.Skipf("QEMU itself has crashed (%v): nothing is judged", s.Signal())
		}
	case <-time.After(patience):
	}
	m.t.Fatalf("%s: %v", what, err)
}

// mostCrashes of QEMU in a row are a failure.
const mostCrashes = 3

// insister is what insist needs of a *testing.T.
type insister interface {
	Helper()
	Run(name string, test func(*testing.T)) bool
	Failed() bool
	Fatal(args ...any)
}

// insist runs a test until it has come to its end, or failed. Where QEMU crashes every
// time nothing was judged, and that is no pass.
func insist(t insister, test func(*testing.T)) {
	t.Helper()
	for try := range mostCrashes {
		judged := false
		t.Run(fmt.Sprintf("try %d", try+1), func(t *testing.T) {
			test(t)
			judged = true
		})
		if judged || t.Failed() {
			return
		}
	}
	t.Fatal("QEMU has crashed each time: nothing was judged. Run it again, or with another QEMU")
}

// tail is the last lines of a text.
func tail(text string, lines int) string {
	all := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

// dial waits for a socket that QEMU is about to make.
func dial(t *testing.T, path string) net.Conn {
	t.Helper()
	var conn net.Conn
	eventually(t, "QEMU listens on "+path, func() (ok bool) {
		var err error
		conn, err = net.Dial("unix", path)
		return err == nil
	})
	return conn
}

// eventually asks again and again for what announces itself to nobody.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	late := time.After(patience)
	again := time.NewTicker(tick)
	defer again.Stop()
	for !ok() {
		select {
		case <-again.C:
		case <-late:
			t.Fatalf("not within %s: %s", patience, what)
		}
	}
}

// shell is a root shell in the guest.
type shell struct {
	conn net.Conn
	in   *bufio.Reader
}

func dialShell(m *machine, path string) *shell {
	conn := dial(m.t, path)
	return &shell{conn, bufio.NewReader(conn)}
}

// endMark is what follows the answer of every command, with its status.
const endMark = "\x1eended "

// try runs a script and returns what it said and its exit status.
func (m *machine) try(script string) (said string, status int) {
	m.t.Helper()
	m.shell.conn.SetDeadline(time.Now().Add(patience))
	fmt.Fprintf(m.shell.conn, "( %s\n) </dev/null; printf '\\036ended %%d\\n' $?\n", script)
	for {
		line, err := m.shell.in.ReadString('\n')
		if err != nil {
			m.broken("the guest does not answer "+script, err)
		}
		before, after, over := strings.Cut(line, endMark)
		said += before
		if over {
			fmt.Sscan(after, &status)
			return said, status
		}
	}
}

// run runs a script; a failure is the test's.
func (m *machine) run(script string) string {
	m.t.Helper()
	said, status := m.try(script)
	if status != 0 {
		journal, _ := m.try("journalctl -u simpost --no-pager -n 40")
		m.t.Fatalf("%s: exit status %d\n%s\nthe daemon's log:\n%s", script, status, said, journal)
	}
	return said
}

// ask runs simpost and reads its JSON.
func (m *machine) ask(answer any, args string) {
	m.t.Helper()
	said := m.run("simpost --json " + args)
	if err := json.Unmarshal([]byte(said), answer); err != nil {
		m.t.Fatalf("simpost %s says %q: %v", args, said, err)
	}
}

// until waits for a condition in the guest.
func (m *machine) until(what, script string) {
	m.t.Helper()
	m.run(fmt.Sprintf("for i in $(seq %d); do { %s; } >/dev/null 2>&1 && exit 0; sleep 0.5; done; echo 'not in time: %s'; exit 1",
		int(patience.Seconds()), script, what))
}

// plug puts a modem into a port of the USB controller.
func (m *machine) plug(i int) {
	m.t.Helper()
	m.qmp.execute("device_add", map[string]any{"driver": "usb-serial", "id": fmt.Sprintf("modem%d", i), "bus": "usb.0",
		"chardev": fmt.Sprintf("line%d", i), "serial": fmt.Sprintf("SIMPOST%d", i), "always-plugged": true})
}

// pull pulls it, and returns when it is gone.
func (m *machine) pull(i int) {
	m.t.Helper()
	id := fmt.Sprintf("modem%d", i)
	m.qmp.execute("device_del", map[string]any{"id": id})
	m.qmp.await("DEVICE_DELETED", id)
}

// qmp is QEMU's monitor.
type qmp struct {
	t    *testing.T
	conn net.Conn
	in   *json.Decoder
	seen []qmpAnswer // events that nobody waited for yet

	broken func(what string, err error) // ends the test
}

type qmpAnswer struct {
	Return json.RawMessage
	Error  *struct{ Desc string }
	Event  string
	Data   struct{ Device string }
}

func dialQMP(m *machine, path string) *qmp {
	conn := dial(m.t, path)
	q := &qmp{t: m.t, conn: conn, in: json.NewDecoder(conn), broken: m.broken}
	q.next() // its greeting
	q.execute("qmp_capabilities", nil)
	return q
}

func (q *qmp) next() qmpAnswer {
	q.t.Helper()
	q.conn.SetDeadline(time.Now().Add(patience))
	var a qmpAnswer
	if err := q.in.Decode(&a); err != nil {
		q.broken("QEMU's monitor", err)
	}
	return a
}

func (q *qmp) execute(command string, arguments any) {
	q.t.Helper()
	call := map[string]any{"execute": command}
	if arguments != nil {
		call["arguments"] = arguments
	}
	if err := json.NewEncoder(q.conn).Encode(call); err != nil {
		q.t.Fatal(err)
	}
	for {
		switch a := q.next(); {
		case a.Event != "":
			q.seen = append(q.seen, a)
		case a.Error != nil:
			q.t.Fatalf("QEMU refuses %s %v: %s", command, arguments, a.Error.Desc)
		default:
			return
		}
	}
}

// await waits for an event about a device.
func (q *qmp) await(event, device string) {
	q.t.Helper()
	is := func(a qmpAnswer) bool { return a.Event == event && a.Data.Device == device }
	if i := slices.IndexFunc(q.seen, is); i >= 0 {
		q.seen = slices.Delete(q.seen, i, i+1)
		return
	}
	for {
		a := q.next()
		if is(a) {
			return
		}
		q.seen = append(q.seen, a)
	}
}
