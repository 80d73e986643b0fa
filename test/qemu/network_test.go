package qemu_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// network is a `simpost emulate` outside the machine. It outlives every power cut,
// as a real network does, and its record is the judge.
type network struct {
	t       *testing.T
	control io.Writer
	ports   []string
	record  string

	mu      sync.Mutex
	lines   []string // of the trace
	changed chan struct{}
}

// latency is from ^Z to the modem's answer; the network has the message after half
// of it. In between there is time to pull the modem, and for the guest to say that
// it has a message before the second part of that leaves.
const latency = 4 * time.Second

// emulate starts a network of modems. Profiles are used in turn.
func emulate(t *testing.T, modems int, profiles string) *network {
	t.Helper()
	dir := t.TempDir()
	n := &network{t: t, record: filepath.Join(dir, "record"), changed: make(chan struct{})}
	cmd := exec.Command("../../simpost", "emulate", "--modems", fmt.Sprint(modems), "--profile", profiles, "--unix", dir+"/modem%d",
		"--latency", latency.String(), "--record", n.record, "--control", "--trace")
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	var err error
	if n.control, err = cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	said, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	trace, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatalf("%v: make build", err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		if n.mu.Lock(); t.Failed() {
			t.Logf("the last lines of the modems:\n%s", tail(strings.Join(n.lines, "\n"), 60))
		}
		n.mu.Unlock()
	})
	go n.read(trace)
	links := bufio.NewScanner(said)
	for range modems {
		if !links.Scan() {
			t.Fatal("the emulator does not start")
		}
		n.ports = append(n.ports, strings.Fields(links.Text())[0])
	}
	return n
}

func (n *network) read(trace io.Reader) {
	in := bufio.NewScanner(trace)
	for in.Scan() {
		n.mu.Lock()
		n.lines = append(n.lines, in.Text())
		close(n.changed)
		n.changed = make(chan struct{})
		n.mu.Unlock()
	}
}

// mark is where the trace ends now.
func (n *network) mark() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.lines)
}

// sees waits for a line of the trace that begins so, after a mark.
func (n *network) sees(after int, prefix string) {
	n.t.Helper()
	ctx, cancel := context.WithTimeout(n.t.Context(), patience)
	defer cancel()
	for {
		n.mu.Lock()
		lines, changed := n.lines, n.changed
		n.mu.Unlock()
		for ; after < len(lines); after++ {
			if strings.HasPrefix(lines[after], prefix) {
				return
			}
		}
		select {
		case <-changed:
		case <-ctx.Done():
			n.t.Fatalf("not within %s: the modem sees %s", patience, prefix)
		}
	}
}

// tell is a line of --control.
func (n *network) tell(format string, args ...any) {
	n.t.Helper()
	if _, err := fmt.Fprintf(n.control, format+"\n", args...); err != nil {
		n.t.Fatal(err)
	}
}

// number is that of a modem's SIM card.
func number(modem int) string { return fmt.Sprintf("+479000000%d", modem+1) }

// accepted is a part that the network has taken.
type accepted struct {
	From, To, Text   string
	Ref, Part, Total int
}

func (n *network) accepted() []accepted {
	n.t.Helper()
	f, err := os.Open(n.record)
	if err != nil {
		n.t.Fatal(err)
	}
	defer f.Close()
	var all []accepted
	for in := json.NewDecoder(f); ; {
		var a accepted
		switch err := in.Decode(&a); {
		case err == io.EOF:
			return all
		case err != nil:
			n.t.Fatal(err)
		}
		all = append(all, a)
	}
}
