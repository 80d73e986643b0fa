package store

import (
	"context"
	"fmt"
	"math"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"simpost/daemon/api"
)

// One fsync for many callers. Whoever comes while nobody leads becomes the
// leader: it runs every operation that waits, each in a savepoint of one
// transaction, commits once and wakes them. Operations that arrive meanwhile
// wait for the next commit, whose leader is the first of them. An operation that
// fails is rolled back alone; a COMMIT that fails fails them all.

// maxBatch bounds the operations that share a commit, and so how long the first waits.
const maxBatch = 256

// writer is the queue of operations. It is as long as there are callers: each
// waits for its one operation.
type writer struct {
	mu      sync.Mutex
	waiting []*operation
	leading bool
}

type operation struct {
	tx       tx
	run      func(*tx) error
	doing    string
	err      error
	panicked any
	wake     chan bool // capacity 1; true: lead, false: done
}

// tx is one operation inside the leader's transaction.
type tx struct {
	conn   querier
	now    int64 // UTC milliseconds
	events int
	counts map[api.State]int // change of the numbers of open messages
	begun  int64             // the attempt that it begins, 0: none
	forgot bool              // what it deleted must not stay in the write-ahead log
	day    *dayCount         // the leader's
}

// write runs one operation and returns after the COMMIT that holds it. doing
// says in the error what could not be done.
func (s *Store) write(now time.Time, doing string, run func(*tx) error) error {
	op := &operation{run: run, doing: doing, wake: make(chan bool, 1), tx: tx{conn: s.conn, now: now.UnixMilli(), day: &s.day}}
	s.w.mu.Lock()
	s.w.waiting = append(s.w.waiting, op)
	lead := !s.w.leading
	s.w.leading = true
	s.w.mu.Unlock()
	if lead || <-op.wake {
		s.lead()
	}
	if op.panicked != nil {
		panic(op.panicked)
	}
	return storageError(doing, op.err)
}

// lead commits the first operations of the queue, passes the lead on and wakes the rest.
func (s *Store) lead() {
	s.w.mu.Lock()
	n := min(len(s.w.waiting), maxBatch)
	batch := s.w.waiting[:n:n]
	s.w.waiting = s.w.waiting[n:]
	s.w.mu.Unlock()

	if err := s.commit(batch); err != nil {
		for _, op := range batch {
			op.err = err
		}
	}

	s.w.mu.Lock()
	s.w.leading = len(s.w.waiting) > 0
	if s.w.leading {
		s.w.waiting[0].wake <- true
	} else {
		s.w.waiting = nil
	}
	s.w.mu.Unlock()
	for _, op := range batch[1:] { // the first is the leader itself
		op.wake <- false
	}
}

// commit runs batch in one transaction. Its error is the error of all of them.
func (s *Store) commit(batch []*operation) error {
	if err := s.Err(); err != nil {
		return err
	}
	if err := s.exec(`BEGIN IMMEDIATE`); err != nil {
		return s.judge(err)
	}
	if err := s.all(batch); err != nil {
		_ = s.exec(`ROLLBACK`) // fails only where SQLite has done it
		s.day = dayCount{}
		return s.judge(err)
	}
	s.publish(batch)
	for _, op := range batch {
		s.forgot = s.forgot || op.tx.forgot
	}
	_ = s.tend() // what was committed is; a failure has ended the store
	return nil
}

// all runs batch to its COMMIT.
func (s *Store) all(batch []*operation) error {
	for _, op := range batch {
		if err := s.try(op); err != nil {
			return err
		}
	}
	if err := batch[0].tx.writeDay(); err != nil {
		return err
	}
	return s.exec(`COMMIT`)
}

// try runs one operation in its savepoint. The error it returns is one after
// which the transaction can't go on; the operation's own error stays with it.
func (s *Store) try(op *operation) error {
	if err := s.exec(`SAVEPOINT op`); err != nil {
		return err
	}
	before := s.day
	op.err = op.call()
	if op.err == nil {
		return s.exec(`RELEASE op`)
	}
	s.day = before
	op.tx.events, op.tx.counts, op.tx.begun, op.tx.forgot = 0, nil, 0, false
	if endsBatch(op.err) {
		return op.err
	}
	return s.exec(`ROLLBACK TO op; RELEASE op`)
}

// call runs the operation. A panic must reach the goroutine that asked for it,
// not the leader's, who would leave everybody waiting.
func (op *operation) call() (err error) {
	defer func() {
		if op.panicked = recover(); op.panicked != nil {
			err = fmt.Errorf("store: %s: panic: %v", op.doing, op.panicked)
		}
	}()
	return op.run(&op.tx)
}

func (s *Store) exec(query string) error {
	_, err := s.conn.ExecContext(context.Background(), query)
	return err
}

// judge marks the store as broken if err says so.
func (s *Store) judge(err error) error {
	if !isBreaking(err) {
		return err
	}
	err = storageError("use the database", err)
	s.fail(err)
	return err
}

// fail is the end of the store.
func (s *Store) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		s.err = err
		close(s.broken)
	}
}

// readError is storageError for what was read; damage breaks the store as well.
func (s *Store) readError(doing string, err error) error {
	return storageError(doing, s.judge(err))
}

// Broken is closed when nothing is written any more. Err says why: with
// CodeStorage nothing can be trusted, so end the process and open again in the
// next; with CodeDatabaseCorrupt no restart helps, and what can still be read may be.
func (s *Store) Broken() <-chan struct{} { return s.broken }

// Err is what broke the store, an *api.Error, or nil.
func (s *Store) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// publish makes a commit known to those who wait for events.
func (s *Store) publish(batch []*operation) {
	s.mu.Lock()
	defer s.mu.Unlock()
	events := 0
	for _, op := range batch {
		events += op.tx.events
		s.lastAttempt = max(s.lastAttempt, op.tx.begun)
		for state, n := range op.tx.counts {
			s.counts[state] += n
		}
	}
	if events == 0 {
		return
	}
	s.lastEvent += int64(events)
	close(s.changed)
	s.changed = make(chan struct{})
}

// probeRoom is how much must be free again before a full disk counts as mended:
// a handful of messages, so that the daemon does not stop and go with each.
const probeRoom = 128 << 10

// Probe writes and syncs a page and a mark that change nothing: nil means that
// there is room again on the disks of both. Errors: CodeDiskFull, CodeStorage.
func (s *Store) Probe() error {
	const doing = "try the disk"
	if octets, _ := roomAt(s.path); octets < probeRoom {
		return diskFull(doing)
	}
	return s.write(time.Time{}, doing, func(t *tx) error {
		if err := s.putMark(s.mark.progress); err != nil {
			return err
		}
		_, err := t.exec(fmt.Sprintf(`PRAGMA user_version = %d`, len(migrations)))
		return err
	})
}

// Room says whether it is worth while to try Open and StartMarked again after
// CodeDiskFull.
func Room(database, mark string) error {
	octets, files := roomAt(filepath.Dir(database))
	if octets < probeRoom || !files {
		return diskFull("try the disk")
	}
	if mark == "" {
		return nil
	}
	if octets, files = roomAt(filepath.Dir(mark)); octets == 0 || !files {
		return diskFull("try the disk")
	}
	return nil
}

// roomAt is how many octets a file system has left, and whether it takes new files.
// One that does not say has room.
func roomAt(path string) (octets int64, files bool) {
	var fs unix.Statfs_t // whose fields are of other sizes on other machines
	if err := unix.Statfs(path, &fs); err != nil {
		return math.MaxInt64, true
	}
	return int64(fs.Bavail) * int64(fs.Bsize), fs.Files == 0 || fs.Ffree > 0
}
