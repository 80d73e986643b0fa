package peers_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const (
	patience  = time.Minute     // of every wait: what has not come by then will not
	grace     = 5 * time.Second // for a program to end when it is told to
	mostLines = 20_000          // of one stream; gammu-smsd without its device writes gigabytes
	tail      = 200             // lines of each stream that a failure shows
)

// process is somebody's program, running. It and its children end with the test.
type process struct {
	name     string
	cmd      *exec.Cmd
	out, err *lines
	done     chan struct{} // closed when it has ended and all it said has been read
}

// start runs a program until the end of the test.
func start(t *testing.T, name string, args ...string) *process {
	t.Helper()
	p := &process{name: name, cmd: exec.Command(name, args...), out: newLines(), err: newLines(), done: make(chan struct{})}
	p.cmd.Dir = t.TempDir()
	// A group of its own, because daemons fork; and an end even if the test is killed.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	stderr, err := p.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		var read sync.WaitGroup
		read.Go(func() { p.out.read(stdout, p.kill) })
		read.Go(func() { p.err.read(stderr, p.kill) })
		read.Wait()
		p.cmd.Wait() // its exit status is in ProcessState
		close(p.done)
	}()
	t.Cleanup(func() { p.end(t) })
	return p
}

func (p *process) kill() { syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL) }

// end asks the program's group to end, and makes it.
func (p *process) end(t *testing.T) {
	syscall.Kill(-p.cmd.Process.Pid, syscall.SIGTERM)
	select {
	case <-p.done:
	case <-time.After(grace):
	}
	p.kill()
	<-p.done
	if t.Failed() {
		t.Logf("%s\nstdout: %s\nstderr: %s", strings.Join(p.cmd.Args, " "), p.out, p.err)
	}
}

// run runs a program to its end and returns what it said; a failure is the test's.
func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	p := start(t, name, args...)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	select {
	case <-p.done:
	case <-ctx.Done():
		t.Fatalf("%s did not end within %s", name, patience)
	}
	if code := p.cmd.ProcessState.ExitCode(); code != 0 {
		t.Fatalf("%s ended with %d", strings.Join(p.cmd.Args, " "), code)
	}
	return strings.Join(p.out.all(), "\n")
}

// expect waits for the first line of l that contains text.
func (p *process) expect(t *testing.T, l *lines, text string) {
	t.Helper()
	p.wait(t, l, fmt.Sprintf("says %q", text), func(said []string) bool {
		return slices.ContainsFunc(said, func(line string) bool { return strings.Contains(line, text) })
	})
}

// wait waits until ok says that the lines so far are enough.
func (p *process) wait(t *testing.T, l *lines, what string, ok func([]string) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for {
		said, changed := l.since()
		if ok(said) {
			return
		}
		select {
		case <-changed:
		case <-p.done:
			if !ok(l.all()) {
				t.Fatalf("%s ended before it %s", p.name, what)
			}
			return
		case <-ctx.Done():
			t.Fatalf("not within %s: %s %s", patience, p.name, what)
		}
	}
}

// eventually asks again and again for what announces itself to nobody, such as a file.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("not within %s: %s", patience, what)
		}
	}
}

// lines is what came on one stream of a program.
type lines struct {
	mu      sync.Mutex
	said    []string
	changed chan struct{} // closed and replaced at every line
}

func newLines() *lines { return &lines{changed: make(chan struct{})} }

// read takes lines until r ends. More than mostLines is a program gone mad, which stop ends.
func (l *lines) read(r io.Reader, stop func()) {
	in := bufio.NewScanner(r)
	for in.Scan() && l.add(in.Text()) {
	}
	if in.Err() != nil || len(l.all()) >= mostLines {
		l.add(fmt.Sprintf("(killed: more than %d lines, or a line too long)", mostLines))
		stop()
	}
}

// add reports whether there is room for more.
func (l *lines) add(line string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.said = append(l.said, line)
	close(l.changed)
	l.changed = make(chan struct{})
	return len(l.said) < mostLines
}

func (l *lines) since() ([]string, <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.said[:len(l.said):len(l.said)], l.changed
}

func (l *lines) all() []string {
	said, _ := l.since()
	return said
}

// String is the end of what was said.
func (l *lines) String() string {
	said := l.all()
	return "\n\t" + strings.Join(said[max(0, len(said)-tail):], "\n\t")
}

// A program that never stops talking is ended, and what it said is not kept for ever.
func TestTalkersAreKilled(t *testing.T) {
	t.Parallel()
	p := start(t, "yes")
	select {
	case <-p.done:
	case <-time.After(patience):
		t.Fatal("it still talks")
	}
	if got := len(p.out.all()); got != mostLines+1 {
		t.Errorf("%d lines are kept, want %d and why they are the last", got, mostLines)
	}
}
