package store

import (
	"database/sql"
	"time"

	"simpost/daemon/api"
)

// A database that was restored from a copy is stale: whatever the copy shows as
// open may have been sent, cancelled or decided since. Nothing of it leaves by
// itself. It is held, and `simpost resolve` releases it.

var restoredReason = api.Reason{Code: "restored", Message: "the database was restored from a copy, and this may have been sent since the copy was made"}

// StartMarked is Start with a mark: a small file outside the database's folder
// (mark.go). If the database is behind it, or is a copy that Backup made, every open
// part is held, and Recovered.Restored says so. An empty path is Start.
func (s *Store) StartMarked(now time.Time, path string) (Recovered, error) {
	behind, err := s.startMark(now, path)
	if err != nil {
		return Recovered{}, err
	}
	rec, err := s.recover(now) // its event makes every copy made before this start an older one
	if err != nil {
		return rec, err
	}
	if err := s.TakeBack(now, nil, false); err != nil { // the configuration, and the cards, may be others now
		return rec, err
	}
	if rec.Restored = behind; behind {
		if rec.Held, err = s.batches(now, "hold what the copy has open", (*tx).holdRestored); err != nil {
			return rec, err
		}
	}
	return rec, s.settled(now)
}

// holdRestored holds the open parts of up to a batch of messages.
func (t *tx) holdRestored() (int, error) {
	ids, err := t.ids(`SELECT DISTINCT message FROM part WHERE state = 'queued' OR state = 'unknown' AND decided = 0 LIMIT ?`)
	if err != nil {
		return 0, err
	}
	for _, id := range ids {
		if err := t.holdMessage(id); err != nil {
			return 0, err
		}
	}
	return len(ids), nil
}

func (t *tx) holdMessage(id int64) error {
	m, err := t.message(id)
	if err != nil {
		return err
	}
	for _, p := range m.parts {
		if p.state != api.Queued && (p.state != api.Unknown || p.decided) {
			continue
		}
		p.because(&restoredReason)
		p.decideAt = sql.NullInt64{}
		if err := t.save(p, stepRestored); err != nil {
			return err
		}
	}
	return t.note(m)
}
