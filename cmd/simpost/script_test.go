package main

import (
	"bufio"
	"bytes"
	"context"
	"database/sql"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	_ "github.com/mattn/go-sqlite3"
	"github.com/rogpeppe/go-internal/testscript"
)

// patience bounds every wait of a script: what has not come by then will not.
const patience = time.Minute

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"simpost": main})
}

// TestScripts runs testdata/*.txt: what the user sees. Beside testscript's own
// commands there are, for programs that go on running,
//
//	start NAME PROGRAM ARGS...   run it
//	expect NAME REGEXP [VAR]     wait for a line, after the last one expected; keep its first group
//	seen NAME REGEXP             wait for a line, wherever it stands
//	signal NAME INT|TERM|KILL    send it a signal
//	ended NAME STATUS            wait for its end
//	newer FILE                   make a database one of a later version
//	status N PROGRAM ARGS...     run a program to its end, which has this exit status
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		Deadline:            time.Now().Add(5 * patience),
		Setup: func(env *testscript.Env) error {
			env.Values[processes{}] = map[string]*process{}
			env.Setenv("SIMPOST_SOCKET", env.WorkDir+"/simpost.sock")
			return fill(env)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"start": start, "expect": expect, "seen": seen, "signal": sendSignal, "ended": ended, "status": exitStatus,
			"newer": newer,
		},
	})
}

// processes is the key of a script's running programs.
type processes struct{}

// process is a program that a script has started.
type process struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended and all it said is in lines
	err  error         // of its end

	passed int // lines behind which the next expect looks

	mu      sync.Mutex
	lines   []string
	changed chan struct{} // closed and replaced at every line
}

func running(ts *testscript.TestScript, name string) *process {
	p := ts.Value(processes{}).(map[string]*process)[name]
	if p == nil {
		ts.Fatalf("no program %q was started", name)
	}
	return p
}

func start(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: start NAME PROGRAM ARGS...")
	}
	path, err := exec.LookPath(args[1])
	ts.Check(err)
	p := &process{cmd: exec.Command(path, args[2:]...), done: make(chan struct{}), changed: make(chan struct{})}
	p.cmd.Args[0] = args[1]
	p.cmd.Dir = ts.Getenv("WORK")
	for _, name := range []string{"PATH", "HOME", "TMPDIR", "SIMPOST_SOCKET"} {
		p.cmd.Env = append(p.cmd.Env, name+"="+ts.Getenv(name))
	}
	r, w, err := os.Pipe()
	ts.Check(err)
	p.cmd.Stdout, p.cmd.Stderr = w, w
	ts.Check(p.cmd.Start())
	w.Close()
	go p.read(r)
	ts.Value(processes{}).(map[string]*process)[args[0]] = p
	ts.Defer(func() {
		_ = p.cmd.Process.Kill()
		<-p.done
	})
}

func (p *process) read(r io.ReadCloser) {
	defer r.Close()
	exited := make(chan error, 1)
	go func() { exited <- p.cmd.Wait() }()
	for s := bufio.NewScanner(r); s.Scan(); {
		p.mu.Lock()
		p.lines = append(p.lines, s.Text())
		close(p.changed)
		p.changed = make(chan struct{})
		p.mu.Unlock()
	}
	p.err = <-exited
	close(p.done)
}

func (p *process) output() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Join(p.lines, "\n")
}

// match finds the first line from a place on that re matches, and what to wait for
// if there is none.
func (p *process) match(re *regexp.Regexp, from int) (groups []string, next int, changed <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := from; i < len(p.lines); i++ {
		if m := re.FindStringSubmatch(p.lines[i]); m != nil {
			return m, i + 1, nil
		}
	}
	return nil, len(p.lines), p.changed
}

// await waits for a line from a place on; it returns its groups and the place behind it.
func (p *process) await(ts *testscript.TestScript, name, pattern string, from int) ([]string, int) {
	re, err := regexp.Compile(pattern)
	ts.Check(err)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for ended := false; ; {
		groups, next, changed := p.match(re, from)
		switch {
		case groups != nil:
			return groups, next
		case ended:
			ts.Fatalf("%s ended without a line like %q; it said:\n%s", name, pattern, p.output())
		}
		select {
		case <-changed:
		case <-p.done:
			ended = true
		case <-ctx.Done():
			ts.Fatalf("%s printed no line like %q in %v; it said:\n%s", name, pattern, patience, p.output())
		}
	}
}

func expect(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 || len(args) > 3 {
		ts.Fatalf("usage: expect NAME REGEXP [VAR]")
	}
	p := running(ts, args[0])
	groups, next := p.await(ts, args[0], args[1], p.passed)
	p.passed = next
	if len(args) == 3 {
		ts.Setenv(args[2], groups[1])
	}
}

func seen(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: seen NAME REGEXP")
	}
	running(ts, args[0]).await(ts, args[0], args[1], 0)
}

func sendSignal(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: signal NAME INT|TERM|KILL")
	}
	signals := map[string]syscall.Signal{"INT": syscall.SIGINT, "TERM": syscall.SIGTERM, "KILL": syscall.SIGKILL}
	ts.Check(running(ts, args[0]).cmd.Process.Signal(signals[args[1]]))
}

func ended(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: ended NAME STATUS")
	}
	p := running(ts, args[0])
	select {
	case <-p.done:
	case <-time.After(patience):
		ts.Fatalf("%s did not end in %v; it said:\n%s", args[0], patience, p.output())
	}
	if got := statusOf(p.err); got != args[1] {
		ts.Fatalf("%s ended with %s, want %s; it said:\n%s", args[0], got, args[1], p.output())
	}
}

// statusOf is the exit status, or the signal's name.
func statusOf(err error) string {
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return "0"
	}
	if ws := exit.Sys().(syscall.WaitStatus); ws.Signaled() {
		return ws.Signal().String()
	}
	return strconv.Itoa(exit.ExitCode())
}

func exitStatus(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: status N PROGRAM ARGS...")
	}
	err := ts.Exec(args[1], args[2:]...)
	if got := statusOf(err); got != args[0] {
		ts.Fatalf("exit status %s, want %s", got, args[0])
	}
}

func newer(ts *testscript.TestScript, neg bool, args []string) {
	db, err := sql.Open("sqlite3", ts.MkAbs(args[0]))
	ts.Check(err)
	_, err = db.Exec("PRAGMA user_version = 9999")
	ts.Check(errors.Join(err, db.Close()))
}

// fill writes the files that a script can't hold: WORK in configurations, and
// texts that are too long or not UTF-8.
func fill(env *testscript.Env) error {
	files, err := filepath.Glob(env.WorkDir + "/*.toml")
	if err != nil {
		return err
	}
	for _, name := range files {
		raw, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		if err := os.WriteFile(name, bytes.ReplaceAll(raw, []byte("$WORK"), []byte(env.WorkDir)), 0o600); err != nil {
			return err
		}
	}
	if err := os.WriteFile(env.WorkDir+"/latin1", []byte("p\xe5 deg\n"), 0o600); err != nil {
		return err
	}
	if err := os.WriteFile(env.WorkDir+"/huge", bytes.Repeat([]byte("x"), maxTextInput+1), 0o600); err != nil {
		return err
	}
	return os.WriteFile(env.WorkDir+"/long", bytes.Repeat([]byte("x"), 255*153+1), 0o600)
}
