package store

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"simpost/daemon/api"
)

// The mark is a small file outside the database's folder that says how far the
// database had come. A database that is behind it was restored from a copy: what
// the copy holds as queued may have been sent since it was made, so it is held
// for a person (restore.go).
//
// It costs the way of a message nothing: attempts are reserved in blocks, so the
// file is written before the first attempt of a block and when the store closes,
// then exactly. What it can't tell: a copy made after the last time it was
// written (so after a crash, up to markBlock attempts back), and a copy that came
// with its own mark, such as an image of the whole card. A copy that Backup made
// needs no mark: it says itself that it is one.

// markBlock is how many attempts one write of the mark allows.
const markBlock = 64

// progress is what a mark says of its database. After a clean stop Reached and
// Reserved are equal.
type progress struct {
	reached  int64 // attempts: committed when the mark was written
	reserved int64 // attempts: none above it has begun
	events   int64 // of the log: committed when the mark was written
}

// mark is the file. Only the writer's leader, Start and Close use it.
type mark struct {
	path string // "": there is none
	progress
}

// errNoMark: the file is not there, or is not a mark.
var errNoMark = errors.New("there is no mark")

const (
	markFormat = "simpost-mark 1 attempts=%d..%d events=%d"
	markSize   = 256 // octets: no mark is longer
)

func (p progress) encode() []byte {
	line := fmt.Sprintf(markFormat, p.reached, p.reserved, p.events)
	return fmt.Appendf(nil, "%s crc=%08x\n", line, crc32.ChecksumIEEE([]byte(line)))
}

func decodeMark(data []byte) (progress, error) {
	var p progress
	if _, err := fmt.Sscanf(string(data), markFormat, &p.reached, &p.reserved, &p.events); err != nil || string(p.encode()) != string(data) {
		return progress{}, errNoMark
	}
	return p, nil
}

// findMark reads the mark and makes room for it; there is none without a path.
func findMark(path string) (string, progress, error) {
	if path == "" {
		return "", progress{}, errNoMark
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return "", progress{}, fmt.Errorf("find the mark: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return "", progress{}, markError(path, err)
	}
	was, err := readMark(path)
	return path, was, err
}

// readMark returns errNoMark where a database that has one lost it.
func readMark(path string) (progress, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW, 0)
	if errors.Is(err, os.ErrNotExist) {
		return progress{}, errNoMark
	}
	if err != nil {
		return progress{}, markError(path, err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, markSize))
	if err != nil {
		return progress{}, markError(path, err)
	}
	return decodeMark(data)
}

// write replaces the file: after any crash it is the old mark or the new one.
func (m *mark) write(p progress) error {
	for _, step := range replacing(m.path, p.encode()) {
		if err := step(); err != nil {
			return markError(m.path, err)
		}
	}
	m.progress = p
	return nil
}

// replacing are the steps that put data in the place of a file.
func replacing(path string, data []byte) []func() error {
	fresh := path + ".new"
	var f *os.File
	return []func() error{
		func() (err error) {
			f, err = os.OpenFile(fresh, os.O_CREATE|os.O_TRUNC|os.O_WRONLY|unix.O_NOFOLLOW, fileMode)
			return err
		},
		func() error {
			_, err := f.Write(data)
			return errors.Join(err, f.Sync(), f.Close())
		},
		func() error { return os.Rename(fresh, path) },
		func() error { return syncDir(filepath.Dir(path)) },
	}
}

func markError(path string, err error) error {
	if isNoSpace(err) {
		e := diskFull("write the mark " + path)
		e.Hint = "make room on the file system of the mark, or set `mark` to a file on another; simpost goes on by itself"
		return e
	}
	e := api.Errorf(api.CodeStorage, "the mark that tells a restored database: %v", err)
	e.Hint = "make the folder " + filepath.Dir(path) + " on a local disk, writable for simpost's user, or set `mark` to another file"
	return e
}

// reserve allows attempt id to begin. It runs inside the leader's transaction,
// before its COMMIT.
func (s *Store) reserve(id int64) error {
	if s.mark.path == "" || id <= s.mark.reserved {
		return nil
	}
	p := s.done()
	p.reserved = id + markBlock - 1
	return s.putMark(p)
}

// putMark writes the mark, if there is one, for the writer's leader. Without room
// the next try may work; any other failure is the end of the store.
func (s *Store) putMark(p progress) error {
	if s.mark.path == "" {
		return nil
	}
	err := s.mark.write(p)
	if e := new(api.Error); errors.As(err, &e) && e.Code != api.CodeDiskFull {
		s.fail(err)
	}
	return err
}

// done is how far the committed database has come, nothing reserved beyond.
func (s *Store) done() progress {
	s.mu.Lock()
	defer s.mu.Unlock()
	return progress{reached: s.lastAttempt, reserved: s.lastAttempt, events: s.lastEvent}
}

// leave writes the exact mark of a database that is closed in order.
func (s *Store) leave() error {
	if s.mark.path == "" || s.Err() != nil {
		return nil
	}
	if p := s.done(); p != s.mark.progress {
		return s.mark.write(p)
	}
	return nil
}

// startMark compares the database with its mark.
func (s *Store) startMark(now time.Time, path string) (behind bool, err error) {
	s.mark = mark{}
	state, err := s.marked()
	if err != nil {
		return false, err
	}
	if path == "" && state != restored {
		return false, s.setMarked(now, unmarked)
	}
	path, was, err := findMark(path)
	lost := errors.Is(err, errNoMark)
	if err != nil && !lost {
		return false, err
	}
	have := s.done()
	switch {
	case state == restored: // Backup made it, or the last daemon ended before it had held everything
		behind = true
	case lost, have.reached > was.reserved: // a mark that was passed is not this database's
		behind = state == marked
	default:
		behind = have.reached < was.reached || have.events < was.events
	}
	s.mark.path = path
	if behind {
		return true, s.admit(now, max(have.events, was.events)+jump)
	}
	return false, nil
}

// jump is how far the numbers of events go on after a restored copy: who has read
// what the copy does not have must see that numbers are missing, and not wait for
// them to come again.
const jump = 1 << 20

// admit notes that the database was restored, as event seq.
func (s *Store) admit(now time.Time, seq int64) error {
	if err := s.setMarked(now, restored); err != nil {
		return err
	}
	err := s.write(now, "note that the database was restored", func(t *tx) error {
		_, err := t.exec(`INSERT INTO event (seq, at, type, detail) VALUES (?, ?, ?, ?)`, seq, t.now, string(api.EventRestored), restoredReason.Message)
		return err
	})
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lastEvent = seq
	return nil
}

// settled says that the mark and the database agree. The mark comes first: a
// database that says it has one must have it.
func (s *Store) settled(now time.Time) error {
	if s.mark.path == "" {
		return s.setMarked(now, unmarked)
	}
	if err := s.mark.write(s.done()); err != nil {
		return err
	}
	return s.setMarked(now, marked)
}

// What the database itself knows of its mark.
const (
	unmarked = iota
	marked
	restored // it is a copy, and not all that it holds open is held yet
)

func (s *Store) marked() (state int, err error) {
	err = s.read().row(`SELECT state FROM mark`).Scan(&state)
	return state, s.readError("read the state of the mark", err)
}

func (s *Store) setMarked(now time.Time, state int) error {
	was, err := s.marked()
	if err != nil || was == state {
		return err
	}
	return s.write(now, "note the state of the mark", func(t *tx) error {
		_, err := t.exec(`UPDATE mark SET state = ?`, state)
		return err
	})
}
