package store

import (
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"simpost/daemon/api"
)

// What may be accepted is bounded by budgets. They are debited in the transaction
// that accepts: a crash can't forget what was spent, and a replay, which accepts
// nothing, spends nothing. A cancelled message gives nothing back.
//
// A row is one window of one budget, so that accepting costs the same whatever
// was accepted before: a minute of a recipient, a day of the daemon.

const schemaBudget = `
CREATE TABLE budget (
	key     TEXT NOT NULL, -- "day", or "to:" and a recipient's number_key
	starts  INTEGER NOT NULL,
	ends    INTEGER NOT NULL, -- from then on nobody looks at it
	parts   INTEGER NOT NULL,
	alarmed INTEGER NOT NULL DEFAULT 0,
	PRIMARY KEY (key, starts)
) STRICT, WITHOUT ROWID;
CREATE INDEX budget_ends ON budget(ends);
`

const (
	dayKey = "day"
	toKey  = "to:"
	// slice is the window of a recipient's budget; what is in the slices that
	// an hour back touches is what counts.
	budgetSlice = time.Minute
	budgetHour  = time.Hour
	// alarmAt is the share of a day's budget that is worth an alarm, in percent.
	alarmAt = 80
	// ahead is how far ahead a window may end: one that ends later is from a clock
	// that was wrong.
	ahead = 48 * time.Hour
)

// Budget bounds what Spend accepts, in parts. 0 is no bound.
type Budget struct {
	RecipientHour int // to one number within any hour
	Day           int // to all numbers on one day
}

// OverBudget is the refusal of what is over a budget.
type OverBudget struct {
	Refusal *api.Error
	Parts   int // the least bound that would have let it through
}

func (e *OverBudget) Error() string { return e.Refusal.Error() }
func (e *OverBudget) Unwrap() error { return e.Refusal }

// Spent is what a day has seen.
type Spent struct {
	Parts int
	Ends  time.Time
}

// dayOf is the day that now is in, in its own time zone.
func dayOf(now time.Time) (starts, ends time.Time) {
	y, m, d := now.Date()
	return time.Date(y, m, d, 0, 0, 0, 0, now.Location()), time.Date(y, m, d+1, 0, 0, 0, 0, now.Location())
}

// Today is how many parts were accepted on the day of now under a budget.
func (s *Store) Today(now time.Time) (Spent, error) {
	starts, ends := dayOf(now)
	day := Spent{Ends: ends}
	err := s.read().row(`SELECT coalesce(max(parts), 0) FROM budget WHERE key = ? AND starts = ?`, dayKey, starts.UnixMilli()).Scan(&day.Parts)
	return day, s.readError("look up the day's budget", err)
}

// spend debits b for msgs, or names everything that is over it: CodeGuardRecipientHour,
// CodeGuardDay. alarm: with this request the day's alarm is due; its event is appended.
func (t *tx) spend(now time.Time, b Budget, msgs []NewMessage) (alarm bool, err error) {
	if b.RecipientHour > 0 {
		if err := t.spendOnRecipients(b.RecipientHour, msgs); err != nil {
			return false, err
		}
	}
	if b.Day > 0 {
		return t.spendOfDay(now, b.Day, msgs)
	}
	return false, nil
}

func (t *tx) spendOnRecipients(limit int, msgs []NewMessage) error {
	parts := map[string]int{}
	for i := range msgs {
		for _, key := range msgs[i].accounts() {
			parts[key] += len(msgs[i].Parts)
		}
	}
	over, most := map[string]string{}, 0
	for key, n := range parts {
		before, err := t.debit(toKey+key, n, limit)
		if err != nil {
			return err
		}
		if before+n > limit {
			most = max(most, before+n)
			over[key] = fmt.Sprintf("it would be %d parts to this number within an hour, %d of them accepted before, and the limit is %d", before+n, before, limit)
		}
	}
	return overHour(msgs, over, most)
}

// accounts are the keys that a message's recipient is counted under.
func (n *NewMessage) accounts() []string {
	if len(n.Accounts) > 0 {
		return n.Accounts
	}
	return []string{numberKey(n.To)}
}

// hour is the first and the last slice that count now.
func (t *tx) hour() (first, last int64) {
	last = t.now - t.now%budgetSlice.Milliseconds()
	return last - budgetHour.Milliseconds(), last
}

// debit adds n parts to the slice of now, unless the hour would then have more
// than limit, and returns what the hour had before.
func (t *tx) debit(key string, n, limit int) (before int, err error) {
	first, last := t.hour()
	err = t.row(`SELECT coalesce(sum(parts), 0) FROM budget WHERE key = ? AND starts BETWEEN ? AND ?`, key, first, last).Scan(&before)
	if err != nil || before+n > limit {
		return before, err
	}
	_, err = t.exec(`INSERT INTO budget (key, starts, ends, parts) VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET parts = parts + excluded.parts`,
		key, last, last+(budgetHour+budgetSlice).Milliseconds(), n)
	return before, err
}

// overHour refuses every message to one of the recipients in over, which says why;
// nil if there is none. most is what the busiest of them would have come to.
func overHour(msgs []NewMessage, over map[string]string, most int) error {
	if len(over) == 0 {
		return nil
	}
	var wrong []api.FieldError
	for i := range msgs {
		keys := msgs[i].accounts()
		if at := slices.IndexFunc(keys, func(key string) bool { return over[key] != "" }); at >= 0 {
			wrong = append(wrong, api.FieldError{Field: fmt.Sprintf("to[%d]", i), Code: api.CodeGuardRecipientHour, Value: msgs[i].To, Message: over[keys[at]]})
		}
	}
	e := api.Errorf(api.CodeGuardRecipientHour, "%s", wrong[0].Message)
	e.Errors = wrong
	return &OverBudget{e, most}
}

func (t *tx) spendOfDay(now time.Time, limit int, msgs []NewMessage) (alarm bool, err error) {
	n := 0
	for i := range msgs {
		n += len(msgs[i].Parts)
	}
	starts, ends := dayOf(now)
	d, err := t.today(starts, ends)
	if err != nil {
		return false, err
	}
	after := d.parts + n
	if after > limit {
		e := api.Errorf(api.CodeGuardDay, "it would be %d parts today, %d of them accepted before, and the limit is %d; the next day begins at %s",
			after, d.parts, limit, ends.Format(time.RFC3339))
		return false, &OverBudget{e, after}
	}
	d.parts, d.unwritten = after, true
	if d.alarmed || after*100 < limit*alarmAt {
		return false, nil
	}
	d.alarmed = true
	return true, t.event(api.Event{Type: api.EventGuardAlarm, Detail: fmt.Sprintf("%d of the %d parts that may be accepted today are used up", after, limit)})
}

// dayCount is a day's row as the leader of the writer keeps it: it is debited in
// memory, and written once for all that share a commit. An operation that fails
// leaves it as it was (try), a commit that fails forgets it. The zero value is no day.
type dayCount struct {
	starts, ends int64
	parts        int
	alarmed      bool
	unwritten    bool
}

// today is the count of the day from starts to ends.
func (t *tx) today(starts, ends time.Time) (*dayCount, error) {
	if t.day.starts == starts.UnixMilli() && t.day.ends == ends.UnixMilli() {
		return t.day, nil
	}
	if err := t.writeDay(); err != nil {
		return nil, err
	}
	d := dayCount{starts: starts.UnixMilli(), ends: ends.UnixMilli()}
	err := t.row(`SELECT parts, alarmed FROM budget WHERE key = ? AND starts = ?`, dayKey, d.starts).Scan(&d.parts, &d.alarmed)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return nil, err
	}
	*t.day = d
	return t.day, nil
}

// writeDay writes what was debited.
func (t *tx) writeDay() error {
	d := t.day
	if !d.unwritten {
		return nil
	}
	_, err := t.exec(`INSERT INTO budget (key, starts, ends, parts, alarmed) VALUES (?, ?, ?, ?, ?)
		ON CONFLICT DO UPDATE SET parts = excluded.parts, alarmed = excluded.alarmed`, dayKey, d.starts, d.ends, d.parts, d.alarmed)
	d.unwritten = d.unwritten && err != nil
	return err
}

// ForgetBudgets forgets the windows that nobody looks at any more.
func (s *Store) ForgetBudgets(now time.Time) (int, error) {
	return s.batches(now, "forget old budgets", func(t *tx) (int, error) {
		if err := t.writeDay(); err != nil {
			return 0, err
		}
		*t.day = dayCount{} // it may be among them
		return t.change(`DELETE FROM budget WHERE (key, starts) IN (SELECT key, starts FROM budget WHERE ends <= ? OR ends > ? LIMIT ?)`,
			t.now, t.now+ahead.Milliseconds(), housekeepingBatch)
	})
}

// Left is when the last parts of a SIM may have left since then: up to limit
// times, in order.
func (s *Store) Left(now time.Time, sim int64, since time.Time, limit int) ([]time.Time, error) {
	// What other SIMs sent meanwhile is in between; the bound keeps a SIM that has
	// sent nothing from being looked for in all that was ever sent.
	rows, err := s.read().rows(`SELECT started_at FROM (SELECT id, started_at FROM attempt WHERE id > (SELECT coalesce(max(id), 0) FROM attempt) - ?
		AND sim = ? AND started_at > ? AND started_at <= ? ORDER BY id DESC LIMIT ?) ORDER BY id`, 64*limit, sim, since.UnixMilli(), now.UnixMilli(), limit)
	if err != nil {
		return nil, s.readError("look up what was sent", err)
	}
	left, err := collect(rows, func(rows *sql.Rows) (time.Time, error) {
		var ms int64
		err := rows.Scan(&ms)
		return fromMilli(ms), err
	})
	return left, s.readError("look up what was sent", err)
}

// Delayed records why queued parts wait, without changing when they are due. A
// part that has a reason, or is not queued any more, is left alone.
func (s *Store) Delayed(now time.Time, parts []int64, reason api.Reason) error {
	return s.write(now, "record a delay", func(t *tx) error {
		for _, id := range parts {
			if err := t.delayed(id, reason); err != nil {
				return err
			}
		}
		return nil
	})
}

func (t *tx) delayed(id int64, reason api.Reason) error {
	m, p, err := t.part(id)
	var gone *api.Error
	switch {
	case errors.As(err, &gone) && gone.Code == api.CodeNotFound:
		return nil
	case err != nil:
		return err
	case p.state != api.Queued || p.code != "":
		return nil
	}
	p.because(&reason)
	if err := t.save(p, stepPause); err != nil {
		return err
	}
	return t.note(m, partEvent(p))
}

// Cards is the IMSI of the SIM that was last seen in each modem, by its name.
func (s *Store) Cards() (map[string]string, error) {
	type card struct{ modem, imsi string }
	rows, err := s.read().rows(`SELECT modem.name, sim.imsi FROM modem JOIN sim ON sim.id = modem.sim`)
	if err != nil {
		return nil, s.readError("look up the SIM cards", err)
	}
	cards, err := collect(rows, func(rows *sql.Rows) (c card, err error) { return c, rows.Scan(&c.modem, &c.imsi) })
	known := map[string]string{}
	for _, c := range cards {
		known[c.modem] = c.imsi
	}
	return known, s.readError("look up the SIM cards", err)
}
