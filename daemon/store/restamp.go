package store

import (
	"context"
	"time"
)

// Restamp moves what this run accepted and received while its clock was wrong by
// by: else retention would take a text of today for one of years ago. What has
// been stamped by the right clock meanwhile can't have come by so much, and stays.
func (s *Store) Restamp(now time.Time, by time.Duration) (int, error) {
	wrong := `> ?3 AND ?2 < 0` // stamped ahead of now
	if by > 0 {
		wrong = `+ ?2 <= ?3`
	}
	moved := 0
	err := s.write(now, "correct the times", func(t *tx) (err error) {
		moved, err = t.change(`UPDATE message SET created_at = created_at + ?2 WHERE id > ?1 AND created_at `+wrong, s.before.message, by.Milliseconds(), t.now)
		if err != nil {
			return err
		}
		_, err = t.change(`UPDATE received SET received_at = received_at + ?2 WHERE id > ?1 AND received_at `+wrong, s.before.received, by.Milliseconds(), t.now)
		return err
	})
	return moved, err
}

// rows are the highest numbers there were when the store was opened.
type rows struct{ message, received int64 }

func (s *Store) remember(ctx context.Context) error {
	err := s.conn.QueryRowContext(ctx, `SELECT (SELECT coalesce(max(id), 0) FROM message), (SELECT coalesce(max(id), 0) FROM received)`).
		Scan(&s.before.message, &s.before.received)
	if err != nil {
		return storageError("see what there is", err)
	}
	return nil
}
