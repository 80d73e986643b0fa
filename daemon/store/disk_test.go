package store

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"simpost/daemon/api"
)

// A disk that fails, at each call SQLite makes (TRUST F6, C18, C19): a child works
// on a database, and a library that is preloaded into it lets one call fail. What
// it does not reach are the calls of Go itself, such as the mark's.

const (
	diskEnv      = "STORE_TEST_DISK" // the database of the child
	diskAllEnv   = "STORE_TEST_DISK_ALL"
	diskMessages = 6
	// brokenLimit is how long a broken store may take to say so.
	brokenLimit = time.Second
	noCall      = 1 << 30
)

// commitUntilBroken takes messages from acceptance to a reference, and says for
// each when it was acknowledged. It goes on where the disk was full, and ends
// where it is broken.
func commitUntilBroken(path string) {
	s, err := Open(path)
	if err != nil {
		end("open", err, nil)
	}
	s.checkpointAt = 40
	if _, err = s.Start(t0); err != nil {
		end("start", err, s)
	}
	sim, err := s.Seen(t0, Identity{Modem: "office", IMSI: "242010000000001"})
	for tries := 0; err != nil; tries++ {
		end("seen", err, s)
		sim, err = s.Seen(t0, Identity{Modem: "office", IMSI: "242010000000001"})
	}
	for n := 0; n < diskMessages; {
		if err := diskMessage(s, sim); err != nil {
			end("message", err, s)
			continue
		}
		n++
	}
	if err := s.Close(); err != nil {
		end("close", err, nil)
	}
	fmt.Println("done")
	os.Exit(0)
}

func diskMessage(s *Store, sim SIM) error {
	acc, err := s.Enqueue(t0, nil, []NewMessage{text(1)})
	if err != nil {
		return err
	}
	fmt.Println("ack", acc.Messages[0].ID)
	jobs, err := s.Due(t0, DueQuery{SIM: sim.ID, Modem: "office"})
	if err != nil {
		return err
	}
	attempt, err := s.Submitting(t0, Submit{Part: jobs[0].Part, SIM: sim.ID, Modem: "office"})
	if err != nil {
		return err
	}
	return s.Settle(t0, Settle{Attempt: attempt, State: api.Submitted, MR: 1})
}

// end ends the child, unless the disk was only full: then Probe says when it goes on.
func end(doing string, err error, s *Store) {
	var e *api.Error
	if !errors.As(err, &e) {
		fmt.Println("strange", doing, err)
		os.Exit(1)
	}
	fmt.Println(doing, e.Code)
	switch {
	case s == nil:
		os.Exit(0)
	case e.Code == api.CodeDiskFull:
		for tries := 0; s.Probe() != nil; tries++ {
			if tries == 100 {
				fmt.Println("strange: it never recovers")
				os.Exit(1)
			}
		}
		return
	}
	select {
	case <-s.Broken():
	case <-time.After(brokenLimit):
		fmt.Println("strange: it does not end")
	}
	if _, err := s.Enqueue(t0, nil, []NewMessage{text(1)}); err == nil {
		fmt.Println("strange: it goes on acknowledging")
	}
	if err := s.Close(); err != nil {
		fmt.Println("strange: close:", err)
	}
	os.Exit(0)
}

// fault is one trial: calls at to last of a kind fail with errno.
type fault struct {
	lib      string
	call     string
	at, last int
	errno    unix.Errno
}

// outcome is what a child said, and what it called.
type outcome struct {
	lines  []string
	acked  map[string]bool
	calls  string
	health string // integrity and all that was acknowledged, seen by the next process
}

func (f fault) try(t *testing.T) outcome {
	t.Helper()
	dir := t.TempDir()
	db, calls := filepath.Join(dir, "simpost.db"), filepath.Join(dir, "calls")
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), diskEnv+"="+db, "LD_PRELOAD="+f.lib, "FAULT_FILE=simpost.db", "FAULT_CALL="+f.call,
		"FAULT_AT="+strconv.Itoa(f.at), "FAULT_LAST="+strconv.Itoa(f.last), "FAULT_ERRNO="+strconv.Itoa(int(f.errno)), "FAULT_LOG="+calls)
	said, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%+v: %v\n%s", f, err, said)
	}
	o := outcome{lines: strings.Split(strings.TrimSpace(string(said)), "\n"), acked: map[string]bool{}}
	for _, l := range o.lines {
		if id, is := strings.CutPrefix(l, "ack "); is {
			o.acked[id] = true
		}
	}
	if strings.Contains(string(said), "strange") {
		t.Errorf("%+v: %s", f, said)
	}
	o.calls = string(must[[]byte](t)(os.ReadFile(calls)))
	s := must[*Store](t)(Open(db))
	defer func() { ok(t, s.Close()) }()
	for id := range o.acked {
		if _, err := s.Get(parseID(t, id)); err != nil {
			t.Errorf("%+v: message %s was acknowledged: %v", f, id, err)
		}
	}
	ok(t, s.rdb.QueryRow(`PRAGMA integrity_check`).Scan(&o.health))
	if o.health != "ok" {
		t.Errorf("%+v: integrity: %s", f, o.health)
	}
	return o
}

// faultLib builds the library that fails, and counts the calls of a run without faults.
func faultLib(t *testing.T) (f fault, writes, syncs int) {
	t.Helper()
	gcc, err := exec.LookPath("gcc")
	if err != nil {
		t.Skip("gcc builds the library that fails calls; TestFullDisk and TestFullByLimit go without it")
	}
	f = fault{lib: filepath.Join(t.TempDir(), "fault.so"), call: "write", at: noCall, last: noCall}
	if said, err := exec.Command(gcc, "-shared", "-fPIC", "-o", f.lib, "testdata/fault.c", "-ldl").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	o := f.try(t)
	writes, syncs = strings.Count(o.calls, "w"), strings.Count(o.calls, "s")
	if len(o.acked) != diskMessages || o.lines[len(o.lines)-1] != "done" || writes < 200 || syncs < 3*diskMessages {
		t.Fatalf("without a fault: %d writes, %d syncs, %q", writes, syncs, o.lines)
	}
	return f, writes, syncs
}

// stride is 1 with STORE_TEST_DISK_ALL, which tries every single call.
func stride(n int) int {
	if os.Getenv(diskAllEnv) != "" {
		return 1
	}
	return n
}

// TestFailedSync: after an fsync that failed nothing is acknowledged, nothing is
// synced again, and the process ends.
func TestFailedSync(t *testing.T) {
	f, _, syncs := faultLib(t)
	f.call, f.errno = "sync", unix.EIO
	for k := 1; k <= syncs; k += stride(2) {
		f.at, f.last = k, k
		o := f.try(t)
		if last := o.lines[len(o.lines)-1]; !strings.HasSuffix(last, string(api.CodeStorage)) {
			t.Errorf("sync %d failed, and it said %q", k, o.lines)
		}
		if len(o.acked) == 0 && o.lines[0] == "open "+string(api.CodeStorage) {
			continue // a file that is being made has nothing to lose
		}
		if _, after, found := strings.Cut(o.calls, "S"); !found || strings.ContainsAny(after, "sS") {
			t.Errorf("sync %d failed, and then: %s", k, after)
		}
	}
}

// TestFailedWrite: the same of writes.
func TestFailedWrite(t *testing.T) {
	f, writes, _ := faultLib(t)
	f.call, f.errno = "write", unix.EIO
	for k := 1; k <= writes; k += stride(53) {
		f.at, f.last = k, k
		o := f.try(t)
		if last := o.lines[len(o.lines)-1]; !strings.HasSuffix(last, string(api.CodeStorage)) {
			t.Errorf("write %d failed, and it said %q", k, o.lines)
		}
	}
}

// TestNoRoomAtEachWrite: what fails for want of room fails alone, and when there
// is room it goes on by itself.
func TestNoRoomAtEachWrite(t *testing.T) {
	f, writes, _ := faultLib(t)
	f.call, f.errno = "write", unix.ENOSPC
	for k := 1; k <= writes; k += stride(53) {
		for _, length := range []int{1, 40} {
			f.at, f.last = k, k+length-1
			o := f.try(t)
			last := o.lines[len(o.lines)-1]
			if last != "done" && last != "open "+string(api.CodeDiskFull) {
				t.Errorf("no room for writes %d to %d, and it said %q", f.at, f.last, o.lines)
			}
		}
	}
}
