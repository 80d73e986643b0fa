package store

import (
	"database/sql"
	"time"

	"simpost/daemon/api"
)

// What time brings. Each method works in transactions of at most housekeepingBatch
// rows, so that nobody waits long behind it, and writes nothing when there is nothing.

const (
	housekeepingBatch = 200
	// announceAfter is how long an incomplete message waits before it is announced.
	announceAfter = 24 * time.Hour
	// keySlack gathers keys that end one by one into one delete.
	keySlack = time.Hour
)

// batches calls one until it changes nothing more. one returns how many rows it
// took; fewer than a batch is the end.
func (s *Store) batches(now time.Time, doing string, one func(*tx) (int, error)) (int, error) {
	for total := 0; ; {
		n := 0
		err := s.write(now, doing, func(t *tx) (err error) {
			n, err = one(t)
			return err
		})
		if err != nil {
			return total, err
		}
		total += n
		if n < housekeepingBatch {
			return total, nil
		}
	}
}

func (t *tx) ids(query string, args ...any) ([]int64, error) {
	rows, err := t.rows(query, append(args, housekeepingBatch)...)
	if err != nil {
		return nil, err
	}
	return collect(rows, scanID)
}

// Expire moves what time has overtaken: a scheduled message whose not_before has
// come is queued, and a queued part whose message has expired is expired. One
// that waits for its second copy is `unknown` for good.
func (s *Store) Expire(now time.Time) (int, error) {
	woken, err := s.batches(now, "wake scheduled messages", (*tx).wake)
	if err != nil {
		return woken, err
	}
	expired, err := s.batches(now, "expire messages", (*tx).expire)
	return woken + expired, err
}

func (t *tx) wake() (int, error) {
	ids, err := t.ids(`SELECT id FROM message WHERE state = 'scheduled' AND not_before <= ? LIMIT ?`, t.now)
	if err != nil {
		return 0, err
	}
	for _, id := range ids {
		m, err := t.message(id)
		if err != nil {
			return 0, err
		}
		if err := t.note(m); err != nil {
			return 0, err
		}
	}
	return len(ids), nil
}

func (t *tx) expire() (int, error) {
	ids, err := t.ids(`SELECT DISTINCT message FROM (SELECT message FROM part WHERE state = 'queued' AND expires IS NOT NULL AND expires <= ? ORDER BY expires LIMIT ?)`, t.now)
	if err != nil {
		return 0, err
	}
	parts := 0
	for _, id := range ids {
		n, err := t.expireMessage(id)
		if err != nil {
			return 0, err
		}
		parts += n
	}
	return parts, nil
}

func (t *tx) expireMessage(id int64) (int, error) {
	m, err := t.message(id)
	if err != nil {
		return 0, err
	}
	n := 0
	var events []api.Event
	for _, p := range m.parts {
		if p.state != api.Queued {
			continue
		}
		p.because(&api.Reason{Code: "expired", Message: "it was not sent before it expired"})
		if err := t.withdraw(p, stepExpire, stepExpireUnknown); err != nil {
			return 0, err
		}
		if p.state == api.Unknown {
			events = append(events, partEvent(p))
		}
		n++
	}
	return n, t.note(m, events...)
}

// NoReports gives up on reports that were asked for and did not come by the end of
// validity and 24 hours.
func (s *Store) NoReports(now time.Time) (int, error) {
	return s.batches(now, "give reports up", func(t *tx) (int, error) {
		ids, err := t.ids(`SELECT id FROM part WHERE report_by IS NOT NULL AND report_by <= ? LIMIT ?`, t.now)
		if err != nil {
			return 0, err
		}
		for _, id := range ids {
			m, p, err := t.part(id)
			if err != nil {
				return 0, err
			}
			if _, err := t.exec(`UPDATE part SET report = 'none', report_by = NULL WHERE id = ?`, id); err != nil {
				return 0, err
			}
			if err := t.note(m, api.Event{Type: api.EventPartReport, Part: p.seq, Modem: p.modem, Detail: "no report came"}); err != nil {
				return 0, err
			}
		}
		return len(ids), nil
	})
}

// Incomplete announces, once, messages whose parts have been missing for a day.
func (s *Store) Incomplete(now time.Time) (int, error) {
	return s.batches(now, "announce incomplete messages", func(t *tx) (int, error) {
		ids, err := t.ids(`SELECT id FROM message WHERE incomplete = 1 AND created_at <= ? LIMIT ?`, t.now-announceAfter.Milliseconds())
		if err != nil {
			return 0, err
		}
		for _, id := range ids {
			if _, err := t.exec(`UPDATE message SET incomplete = 2 WHERE id = ?`, id); err != nil {
				return 0, err
			}
			e := api.Event{Type: api.EventIncomplete, Message: formatID(id), State: string(api.Received), Detail: "parts of it have been missing for a day"}
			if err := t.event(e); err != nil {
				return 0, err
			}
		}
		return len(ids), nil
	})
}

// ForgetKeys forgets idempotency keys that are older than 7 days.
func (s *Store) ForgetKeys(now time.Time) (int, error) {
	return s.batches(now, "forget keys", func(t *tx) (int, error) {
		return t.change(`DELETE FROM idempotency WHERE rowid IN (SELECT rowid FROM idempotency WHERE created_at <= ? LIMIT ?)`,
			t.now-keepKeys.Milliseconds(), housekeepingBatch)
	})
}

// NextHousekeeping is when the next of these, or Undecided, has something to do:
// perhaps in the past; false: nothing is known to come.
func (s *Store) NextHousekeeping(_ time.Time) (time.Time, bool, error) {
	var at sql.NullInt64
	err := s.read().row(`SELECT min(at) FROM (
		SELECT min(not_before) AS at FROM message WHERE state = 'scheduled'
		UNION ALL SELECT min(expires) FROM part WHERE state = 'queued' AND expires IS NOT NULL
		UNION ALL SELECT min(decide_at) FROM part WHERE state = 'unknown' AND decided = 0 AND decide_at IS NOT NULL
		UNION ALL SELECT min(report_by) FROM part WHERE report_by IS NOT NULL
		UNION ALL SELECT min(created_at) + ?1 FROM message WHERE incomplete = 1
		UNION ALL SELECT min(at) + ?3 FROM broadcast WHERE announced = 0
		UNION ALL SELECT min(created_at) + ?2 FROM idempotency`+s.Retention.nextForget()+`)`,
		announceAfter.Milliseconds(), (keepKeys + keySlack).Milliseconds(), broadcastPatience.Milliseconds()).Scan(&at)
	if err != nil {
		return time.Time{}, false, s.readError("look ahead", err)
	}
	return fromMilli(at.Int64), at.Valid, nil
}
