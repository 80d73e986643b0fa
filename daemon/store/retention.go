package store

import (
	"database/sql"
	"errors"
	"fmt"
	"time"

	"simpost/daemon/api"
)

// What a message said is forgotten when it is old enough: text, data and every
// octet on the air, of messages that are done. Rows, numbers and states stay, and
// so does all of a message that is still open, `unknown` and `held` too: a person
// may yet have it sent. Events are forgotten from the oldest on.
//
// SQLite overwrites what is deleted (secure_delete), and the write-ahead log,
// which still has the old pages, is emptied after it. What the file system or the
// card keeps of old blocks is beyond this program.

// Retention says for how long things are kept, 0 for ever. Not less than the
// 7 days for which an idempotency key holds its answer, and parts come together.
type Retention struct {
	Text   time.Duration // since the message was accepted or received
	Events time.Duration
	Signal time.Duration // see KeepSignal
}

const (
	// forgetSlack gathers what ends one by one into one round.
	forgetSlack = time.Hour
	// eventWindow is how many of the oldest events one round of ForgetEvents looks at.
	eventWindow = 1000
)

// finished are the states in which nothing of a message can be sent any more.
const finished = `('sent', 'delivered', 'failed', 'expired', 'cancelled', 'received')`

// The indexes are of what has not been forgotten, so they say what is next.
const (
	oldBodies = `FROM message INDEXED BY message_body WHERE (text IS NOT NULL OR data IS NOT NULL) AND state IN ` + finished
	oldPDUs   = `FROM received INDEXED BY received_body WHERE pdu <> x''`
	oldSaid   = `FROM event INDEXED BY event_said WHERE (number <> '' OR text <> '')`
)

// Forget forgets what finished messages said, as Retention has it.
func (s *Store) Forget(now time.Time) (int, error) {
	if s.Retention.Text == 0 {
		return 0, nil
	}
	cutoff := now.Add(-s.Retention.Text).UnixMilli()
	bodies, err := s.batches(now, "forget old texts", func(t *tx) (int, error) { return t.forgetBodies(cutoff) })
	if err != nil {
		return bodies, err
	}
	pdus, err := s.batches(now, "forget old octets", func(t *tx) (int, error) {
		return t.scrub(t.change(`UPDATE received SET pdu = x'', octets = 0 WHERE id IN (SELECT id `+oldPDUs+` AND received_at <= ? LIMIT ?)`, cutoff, housekeepingBatch))
	})
	if err != nil {
		return bodies + pdus, err
	}
	said, err := s.batches(now, "forget what old events say", func(t *tx) (int, error) {
		return t.scrub(t.change(`UPDATE event SET number = '', text = '' WHERE seq IN (SELECT seq `+oldSaid+` AND at <= ? LIMIT ?)`, cutoff, housekeepingBatch))
	})
	return bodies + pdus + said, err
}

func (t *tx) forgetBodies(cutoff int64) (int, error) {
	ids, err := t.ids(`SELECT id `+oldBodies+` AND created_at <= ? LIMIT ?`, cutoff)
	if err != nil {
		return 0, err
	}
	for _, id := range ids {
		if _, err := t.exec(`UPDATE message SET text = NULL, data = NULL, sum = NULL WHERE id = ?`, id); err != nil {
			return 0, err
		}
		if _, err := t.exec(`UPDATE part SET tpdu = x'', sum = NULL WHERE message = ?`, id); err != nil {
			return 0, err
		}
	}
	return t.scrub(len(ids), nil)
}

// scrub asks the leader to empty the log after the COMMIT if anything changed.
func (t *tx) scrub(n int, err error) (int, error) {
	t.forgot = t.forgot || n > 0
	return n, err
}

// ForgetEvents forgets the oldest events, never the newest: it carries the count.
// One from the future was written by a wrong clock and is no newer than its place.
func (s *Store) ForgetEvents(now time.Time) (int, error) {
	if s.Retention.Events == 0 {
		return 0, nil
	}
	cutoff := now.Add(-s.Retention.Events).UnixMilli()
	return s.batches(now, "forget old events", func(t *tx) (int, error) {
		return t.change(`DELETE FROM event WHERE seq <= (SELECT max(seq) FROM (SELECT seq, at FROM event ORDER BY seq LIMIT ?1)
			WHERE (at <= ?2 OR at > ?3) AND seq < (SELECT max(seq) FROM event))`, eventWindow, cutoff, t.now+day)
	})
}

// day in milliseconds.
const day = 24 * 3600 * 1000

// nextForget are the terms of NextHousekeeping's query: when something is old enough.
func (r Retention) nextForget() string {
	terms := ""
	if r.Text > 0 {
		due := (r.Text + forgetSlack).Milliseconds()
		terms += fmt.Sprintf(` UNION ALL SELECT (SELECT created_at %s ORDER BY created_at LIMIT 1) + %d
			UNION ALL SELECT (SELECT received_at %s ORDER BY received_at LIMIT 1) + %d
			UNION ALL SELECT (SELECT at %s ORDER BY at LIMIT 1) + %d`, oldBodies, due, oldPDUs, due, oldSaid, due)
	}
	if r.Events > 0 {
		terms += fmt.Sprintf(` UNION ALL SELECT (SELECT at FROM event WHERE seq < (SELECT max(seq) FROM event) ORDER BY seq LIMIT 1) + %d`,
			(r.Events + forgetSlack).Milliseconds())
	}
	return terms
}

// gap is the event that stands for those after `after` that are not kept any
// more; ok is false where all are there. Its number is the last one's that is
// missing, so who reads on after it misses nothing more.
func (t *tx) gap(after int64) (e api.Event, ok bool, err error) {
	var first, at int64
	err = t.row(`SELECT seq, at FROM event ORDER BY seq LIMIT 1`).Scan(&first, &at)
	if errors.Is(err, sql.ErrNoRows) || err == nil && first <= after+1 {
		return api.Event{}, false, nil
	}
	detail := fmt.Sprintf("the events %d to %d are not kept any more", after+1, first-1)
	return api.Event{Seq: first - 1, At: fromMilli(at), Type: api.EventGap, Detail: detail}, true, err
}
