package store

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"simpost/daemon/api"
)

// together runs all of ops so that they share one commit: a first operation holds
// the lead until the others wait. It must be called in a synctest bubble.
func (s *Store) together(ops []func(*tx) error) []error {
	hold, errs := make(chan struct{}), make([]error, len(ops))
	var all sync.WaitGroup
	all.Go(func() {
		_ = s.write(t0, "hold the lead", func(*tx) error { <-hold; return nil })
	})
	synctest.Wait()
	for i, op := range ops {
		all.Go(func() { errs[i] = s.write(t0, "do it", op) })
		synctest.Wait() // they queue in this order
	}
	close(hold)
	all.Wait()
	return errs
}

// inBubble runs f in a synctest bubble with a store that lives in it.
func inBubble(t *testing.T, f func(t *testing.T, s *Store)) {
	synctest.Test(t, func(t *testing.T) { f(t, open(t)) })
}

// note is an operation that appends an event.
func noteOp(detail string) func(*tx) error {
	return func(t *tx) error { return t.event(api.Event{Type: api.EventModem, Detail: detail}) }
}

// details are the events as they were committed.
func (s *Store) details(t *testing.T) (all []string) {
	t.Helper()
	for i, e := range must[[]api.Event](t)(s.Events(0, 0)) {
		if e.Seq != int64(i)+1 {
			t.Errorf("event %d has number %d", i+1, e.Seq)
		}
		all = append(all, e.Detail)
	}
	return all
}

// TestGroupCommit: many operations, one change of the log, and one that fails is
// rolled back alone.
func TestGroupCommit(t *testing.T) {
	inBubble(t, func(t *testing.T, s *Store) {
		commits := 0
		ops := []func(*tx) error{noteOp("a"), func(t *tx) error { return errors.Join(noteOp("lost")(t), errNotFound(1)) }, noteOp("b")}
		done := make(chan struct{})
		go func() {
			defer close(done)
			for seen := int64(0); seen < 2; commits++ {
				changed := s.Changed()
				if seen = s.LastEvent(); seen < 2 {
					<-changed
				}
			}
		}()
		errs := s.together(ops)
		<-done
		if errs[0] != nil || errs[2] != nil || errs[1] == nil {
			t.Errorf("errors: %v", errs)
		}
		wantCode(t, errs[1], api.CodeNotFound)
		if got := fmt.Sprint(s.details(t)); got != "[a b]" {
			t.Errorf("committed %s, want [a b]", got)
		}
		if commits != 2 { // looked once before and once after
			t.Errorf("the two events came in %d commits", commits-1)
		}
	})
}

// TestCommitFails: the COMMIT itself fails, so nobody's operation has happened.
func TestCommitFails(t *testing.T) {
	inBubble(t, func(t *testing.T, s *Store) {
		ops := []func(*tx) error{noteOp("a"), func(t *tx) error {
			// A deferred foreign key is looked at by the COMMIT.
			if _, err := t.exec(`PRAGMA defer_foreign_keys = ON`); err != nil {
				return err
			}
			_, err := t.exec(`INSERT INTO part (message, seq, state, tpdu, lane, priority, due_at, report) VALUES (99, 1, 'queued', x'00', '', 1, 0, 'waiting')`)
			return err
		}, noteOp("b")}
		for i, err := range s.together(ops) {
			if err == nil {
				t.Errorf("operation %d succeeded, and its commit did not", i)
			}
		}
		if got := s.details(t); len(got) != 0 || s.LastEvent() != 0 {
			t.Errorf("events %v, last %d, want none", got, s.LastEvent())
		}
		ok(t, s.write(t0, "go on", noteOp("c")))
		if got := fmt.Sprint(s.details(t)); got != "[c]" {
			t.Errorf("then %s, want [c]", got)
		}
	})
}

// TestPanicReachesItsCaller and nobody else.
func TestPanicReachesItsCaller(t *testing.T) {
	inBubble(t, func(t *testing.T, s *Store) {
		var caught any
		func() {
			defer func() { caught = recover() }()
			_ = s.write(t0, "burst", func(t *tx) error {
				_ = noteOp("lost")(t)
				panic("boom")
			})
		}()
		if caught != "boom" {
			t.Errorf("caught %v, want boom", caught)
		}
		ok(t, s.write(t0, "go on", noteOp("a")))
		if got := fmt.Sprint(s.details(t)); got != "[a]" {
			t.Errorf("committed %s, want [a]", got)
		}
	})
}

// TestBatchLimit: more callers than a batch all get their turn.
func TestBatchLimit(t *testing.T) {
	inBubble(t, func(t *testing.T, s *Store) {
		ops := make([]func(*tx) error, 2*maxBatch+3)
		for i := range ops {
			ops[i] = noteOp("x")
		}
		for i, err := range s.together(ops) {
			if err != nil {
				t.Errorf("operation %d: %v", i, err)
			}
		}
		if n := s.LastEvent(); n != int64(len(ops)) {
			t.Errorf("%d events, want %d", n, len(ops))
		}
	})
}

// TestConcurrent has real goroutines and real time: for the race detector.
func TestConcurrent(t *testing.T) {
	s := open(t)
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			for range 20 {
				if err := s.queue(1); err != nil {
					t.Error(err)
				}
				if _, err := s.List(Filter{Limit: 3}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if n := s.Counts()[string(api.Queued)]; n != 320 {
		t.Errorf("%d messages, want 320", n)
	}
}

// TestBroken: after damage nothing is written any more, and everybody is told.
func TestBroken(t *testing.T) {
	path := filepath.Join(t.TempDir(), "simpost.db")
	s, err := Open(path)
	ok(t, err)
	marked := text(1)
	marked.Parts[0] = []byte("the page that is damaged")
	must[Accepted](t)(s.Enqueue(t0, nil, []NewMessage{marked}))
	ok(t, s.Close())
	damage(t, path, marked.Parts[0])
	s = openAt(t, path)
	_, err = s.Cancel(t0, 1)
	wantHint(t, err, api.CodeDatabaseCorrupt)
	<-s.Broken()
	wantCode(t, s.Err(), api.CodeDatabaseCorrupt)
	_, err = s.Seen(t0, Identity{Modem: "a", IMSI: "1"})
	wantCode(t, err, api.CodeDatabaseCorrupt)
}

// damage overwrites the page of a file that holds mark.
func damage(t *testing.T, path string, mark []byte) {
	t.Helper()
	const page = pageSize
	content := must[[]byte](t)(os.ReadFile(path))
	at := bytes.Index(content, mark)
	if at < 0 {
		t.Fatal("the mark is not in the file")
	}
	copy(content[at/page*page:], bytes.Repeat([]byte{0xa5}, page))
	ok(t, os.WriteFile(path, content, 0o600))
}

// TestIdleWritesNothing: what the daemon calls again and again leaves the file alone.
func TestIdleWritesNothing(t *testing.T) {
	s := open(t)
	s.Retention = Retention{Text: keep, Events: keep}
	w := newWorld(t, s)
	ok(t, s.queue(2))
	w.lost(w.next())
	now := at(time.Minute)
	later := now.Add(time.Hour)
	ok(t, s.Quarantine(now, w.sim.ID, later))
	before := w.fileState()
	for _, step := range []func(time.Time) (int, error){s.Expire, s.NoReports, s.Incomplete, s.ForgetKeys, s.Forget, s.ForgetEvents} {
		if n := must[int](t)(step(now)); n != 0 {
			t.Errorf("housekeeping changed %d rows", n)
		}
	}
	ok(t, s.Quarantine(now, w.sim.ID, later))
	ok(t, s.Deleted(now, 77))
	_ = must[[]UnknownPart](t)(s.Undecided(now))
	_ = must[[]Job](t)(s.Due(now, DueQuery{SIM: w.sim.ID, Modem: "office", Limit: 5}))
	if after := w.fileState(); after != before {
		t.Errorf("files were %s, are %s", before, after)
	}
	ok(t, s.Probe())
	if after := w.fileState(); after == before {
		t.Error("Probe wrote nothing")
	}
}

// fileState is what a write would change.
func (w *world) fileState() string {
	w.t.Helper()
	var state string
	for _, suffix := range []string{"", "-wal"} {
		info := must[os.FileInfo](w.t)(os.Stat(w.s.path + suffix))
		state += fmt.Sprintf("%s %d %d; ", suffix, info.Size(), info.ModTime().UnixNano())
	}
	return state
}
