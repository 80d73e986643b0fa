package store

import (
	"fmt"
	"strings"
	"time"
)

// A clock that was wrong has stamped and planned by it.

// stamps are the times of rows that are only ever added: rows of one table that are
// above some number were written after it was read.
var stamps = [...]struct{ table, id, column string }{
	{"message", "id", "created_at"},
	{"received", "id", "received_at"},
	{"attempt", "id", "started_at"},
	{"report", "id", "received_at"},
	{"event", "seq", "at"},
	{"idempotency", "rowid", "created_at"},
	{"broadcast", "id", "at"},
}

// heights are the highest number in each of them.
type heights [len(stamps)]int64

var heightsSQL = func() string {
	var highest []string
	for _, st := range stamps {
		highest = append(highest, fmt.Sprintf(`(SELECT coalesce(max(%s), 0) FROM %s)`, st.id, st.table))
	}
	return `SELECT ` + strings.Join(highest, ", ")
}()

// scanned are the places for an answer to heightsSQL.
func (h *heights) scanned() []any {
	to := make([]any, len(h))
	for i := range h {
		to[i] = &h[i]
	}
	return to
}

// Restamp sees to it that the clock was set to now. What is to happen after some time,
// retries, quarantines and the wait for reports, moves by planned; what somebody gave a
// date for stays. What was written since Open moves by written; how many messages that
// were is returned. again: this step was seen to, and what was written meanwhile by the
// time of before is to follow. One goroutine may call it.
func (s *Store) Restamp(now time.Time, planned, written time.Duration, again bool) (messages int, err error) {
	since := s.opened
	if again {
		since = s.restamped
	}
	err = s.write(now, "correct the times", func(t *tx) (err error) {
		// Too early is no harm, and what was moved forward can't be told from what was not.
		if planned < 0 || !again {
			if err := t.replan(planned.Milliseconds()); err != nil {
				return err
			}
		}
		if written != 0 {
			if messages, err = t.restamp(written.Milliseconds(), since); err != nil {
				return err
			}
		}
		return t.row(heightsSQL).Scan(since.scanned()...)
	})
	if err == nil {
		s.restamped = since
	}
	return messages, err
}

func (t *tx) restamp(by int64, since heights) (messages int, err error) {
	wrong := `+ ?2 <= ?3`
	if by < 0 {
		wrong = `> ?3` // stamped ahead of now
	}
	for i, st := range stamps {
		n, err := t.change(fmt.Sprintf(`UPDATE %[1]s SET %[2]s = %[2]s + ?2 WHERE %[3]s > ?1 AND %[2]s %[4]s`, st.table, st.column, st.id, wrong), since[i], by, t.now)
		if err != nil {
			return 0, err
		}
		if st.table == "message" {
			messages = n
		}
	}
	// What reports have taught of the service centre's clock was learned by ours.
	_, err = t.exec(`UPDATE sim SET skew = skew - ?1, skew_hint = NULL, hinted_by = NULL WHERE abs(skew - ?1) < abs(skew)`, by)
	if err != nil {
		return 0, err
	}
	return messages, t.rematchAll()
}

// rematchAll looks again at all reports that are kept unmatched.
func (t *tx) rematchAll() error {
	sims, err := t.ids(`SELECT DISTINCT sim FROM report WHERE attempt IS NULL AND received_at > ? LIMIT ?`, t.now-keepUnmatched.Milliseconds())
	for _, sim := range sims {
		if err := t.rematch(sim, ""); err != nil {
			return err
		}
	}
	return err
}

func (t *tx) replan(by int64) error {
	planned := `> ?2 - ?1` // not due yet
	if by < 0 {
		planned = `+ ?1 >= ?2` // nor by the time of before
	}
	plans := []string{
		`UPDATE part SET decide_at = decide_at + ?1 WHERE state = 'unknown' AND decided = 0 AND decide_at ` + planned,
		`UPDATE part SET report_by = report_by + ?1 WHERE report_by ` + planned,
	}
	if by < 0 { // forward a retry comes early
		plans = append(plans, `UPDATE part SET due_at = max(due_at + ?1, coalesce((SELECT not_before FROM message WHERE id = part.message), 0))
			WHERE state = 'queued' AND due_at > ?2`)
	}
	for _, sql := range plans {
		if _, err := t.exec(sql, by, t.now); err != nil {
			return err
		}
	}
	return nil
}
