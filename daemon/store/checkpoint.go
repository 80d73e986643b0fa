package store

import (
	"context"
	"errors"
	"fmt"
)

// When the pages of the write-ahead log go to their places. SQLite would do it by
// itself, and ignore an fsync that fails there; so the leader does it after a
// COMMIT, and the failure ends the store as any other.

// checkpointAt is how many pages the log has before they go to their places: so
// many that those which change with every message go once for hundreds of them.
const checkpointAt = 4000

// tend looks after the log when a COMMIT has been made.
func (s *Store) tend() error {
	if s.forgot {
		return s.emptyLog()
	}
	frames, _, err := s.checkpoint("NOOP")
	if err == nil && frames >= s.checkpointAt {
		_, _, err = s.checkpoint("PASSIVE")
	}
	return s.judge(err)
}

// emptyLog puts all pages in their places and gives the log's own copies up. It
// does not wait for a reader that still needs them; the next commit tries again.
//
// It is done at every start too: after a failed fsync the kernel may show pages
// that the disk does not have, and this writes them anew.
func (s *Store) emptyLog() error {
	if err := s.exec(`PRAGMA busy_timeout = 0`); err != nil {
		return s.judge(err)
	}
	_, busy, err := s.checkpoint("TRUNCATE")
	s.forgot = err != nil || busy
	return s.judge(errors.Join(err, s.exec(fmt.Sprintf(`PRAGMA busy_timeout = %d`, busyTimeout.Milliseconds()))))
}

// checkpoint runs SQLite's own in a mode, and returns how many pages the log has.
func (s *Store) checkpoint(mode string) (frames int, busy bool, err error) {
	var moved int
	err = s.conn.QueryRowContext(context.Background(), `PRAGMA wal_checkpoint(`+mode+`)`).Scan(&busy, &frames, &moved)
	return frames, busy, err
}
