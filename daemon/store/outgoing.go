package store

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"simpost/daemon/api"
)

// keepKeys is how long an idempotency key is remembered.
const keepKeys = 7 * 24 * time.Hour

// NewMessage is a message to send: one recipient, its parts encoded already.
type NewMessage struct {
	To        string
	Text      *string
	Data      []byte
	Port      *int
	Encoding  string // gsm7, ucs2, 8bit
	Class     *int   // 0 to 3
	Priority  api.Priority
	OnUnknown api.OnUnknown
	Modem     string // asked for by name, "" any
	Report    bool
	Validity  time.Duration // 0: as the service centre likes
	NotBefore *time.Time
	Expires   *time.Time
	Parts     [][]byte // SMS-SUBMIT TPDUs, concat reference 0, TP-MR 0
	Accounts  []string // what To is called in budgets, whatever its spelling; empty: its digits
}

// Key makes a request repeatable: the same caller, key and hash get the same answer.
type Key struct {
	Caller, Key string
	Hash        [32]byte // of the canonical body
}

// Accepted is what was answered to a request.
type Accepted struct {
	Messages []api.Message
	Body     []byte // Messages in JSON, octet for octet as at the first time; nil without a key
	Replayed bool
	Alarm    bool // with this request the day's budget is nearly used up
}

// Enqueue accepts messages, all or none, and answers after the commit. A key
// that came before with the same hash answers as then and writes nothing; with
// another hash it is CodeKeyReused.
func (s *Store) Enqueue(now time.Time, key *Key, msgs []NewMessage) (Accepted, error) {
	return s.EnqueueWithin(now, key, msgs, Budget{})
}

// EnqueueWithin is Enqueue, and debits budget in the same transaction. What is
// over it is CodeGuardRecipientHour or CodeGuardDay, and nothing is accepted.
func (s *Store) EnqueueWithin(now time.Time, key *Key, msgs []NewMessage, budget Budget) (Accepted, error) {
	var done Accepted
	err := s.write(now, "accept the message", func(t *tx) (err error) {
		done = Accepted{}
		if key != nil {
			if done, err = t.replay(*key); err != nil || done.Replayed {
				return err
			}
		}
		if done.Alarm, err = t.spend(now, budget, msgs); err != nil {
			return err
		}
		for i := range msgs {
			m, err := t.enqueue(&msgs[i])
			if err != nil {
				return err
			}
			done.Messages = append(done.Messages, m)
		}
		if key == nil {
			return nil
		}
		if done.Body, err = json.Marshal(done.Messages); err != nil {
			return fmt.Errorf("keep the answer: %w", err)
		}
		_, err = t.exec(`INSERT INTO idempotency (caller, key, hash, body, created_at) VALUES (?, ?, ?, ?, ?)
			ON CONFLICT DO UPDATE SET hash = excluded.hash, body = excluded.body, created_at = excluded.created_at`,
			key.Caller, key.Key, key.Hash[:], done.Body, t.now)
		return err
	})
	if err != nil {
		return Accepted{}, err
	}
	return done, nil
}

// replay finds what a key was answered with in the last 7 days.
func (t *tx) replay(key Key) (Accepted, error) {
	var hash, body []byte
	err := t.row(`SELECT hash, body FROM idempotency WHERE caller = ? AND key = ? AND created_at > ?`,
		key.Caller, key.Key, t.now-keepKeys.Milliseconds()).Scan(&hash, &body)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return Accepted{}, nil
	case err != nil:
		return Accepted{}, err
	case !bytes.Equal(hash, key.Hash[:]):
		e := api.Errorf(api.CodeKeyReused, "this idempotency key was used for another message in the last 7 days")
		e.Hint = "use a new key for a new message; the same key only to repeat the same request"
		return Accepted{}, e
	}
	done := Accepted{Body: body, Replayed: true}
	if err := json.Unmarshal(body, &done.Messages); err != nil {
		return Accepted{}, fmt.Errorf("read the kept answer: %w", err)
	}
	return done, nil
}

// enqueue inserts one message, its parts and its event.
func (t *tx) enqueue(n *NewMessage) (api.Message, error) {
	if len(n.Parts) == 0 {
		return api.Message{}, api.Errorf(api.CodeEmptyText, "a message without parts has nothing to send")
	}
	state, due := api.Queued, t.now
	if n.NotBefore != nil && n.NotBefore.UnixMilli() > t.now {
		state, due = api.Scheduled, n.NotBefore.UnixMilli()
	}
	policy := n.OnUnknown
	if policy == "" {
		policy = api.OnUnknownResend
	}
	id, err := t.insert(`INSERT INTO message (direction, state, number, number_key, text, data, port, encoding, class, created_at, modem, total,
		priority, on_unknown, asked, report, validity, not_before, expires, sum) VALUES ('out', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		string(state), n.To, numberKey(n.To), n.Text, n.Data, intOrNull(n.Port), n.Encoding, intOrNull(n.Class), t.now, n.Modem, len(n.Parts),
		rank(n.Priority), string(policy), n.Modem, n.Report, n.Validity.Milliseconds(), milliOrNull(n.NotBefore), milliOrNull(n.Expires),
		contentSum(n.To, n.Encoding, n.Port, n.Text, n.Data))
	if err != nil {
		return api.Message{}, err
	}
	report := api.ReportNotAsked
	if n.Report {
		report = api.ReportWaiting
	}
	for i, tpdu := range n.Parts {
		_, err := t.exec(`INSERT INTO part (message, seq, state, tpdu, lane, priority, due_at, expires, report, sum) VALUES (?, ?, 'queued', ?, ?, ?, ?, ?, ?, ?)`,
			id, i+1, tpdu, modemLane(n.Modem), rank(n.Priority), due, milliOrNull(n.Expires), string(report),
			partSum(id, i+1, tpdu))
		if err != nil {
			return api.Message{}, err
		}
	}
	t.count(state, 1)
	m := n.accepted(id, state, policy, report, fromMilli(t.now))
	return m, t.event(api.Event{Type: api.EventAccepted, Message: m.ID, Modem: n.Modem, State: string(state)})
}

// accepted is the message as its sender first sees it.
func (n *NewMessage) accepted(id int64, state api.State, policy api.OnUnknown, report api.ReportState, now time.Time) api.Message {
	m := api.Message{
		ID: formatID(id), Direction: api.Out, State: state, To: n.To, Text: n.Text, Data: n.Data, Port: n.Port, Encoding: n.Encoding, Class: n.Class,
		Priority: priorities[rank(n.Priority)], OnUnknown: policy, Modem: n.Modem, CreatedAt: now,
		NotBefore: inMilli(n.NotBefore), Expires: inMilli(n.Expires),
	}
	for i := range n.Parts {
		m.Parts = append(m.Parts, api.Part{Seq: i + 1, State: api.Queued, Report: report})
	}
	return m
}

// inMilli is t as it will be read back.
func inMilli(t *time.Time) *time.Time {
	if t == nil || t.IsZero() {
		return nil
	}
	ms := fromMilli(t.UnixMilli())
	return &ms
}

// priorities in the order of the queue.
var priorities = [...]api.Priority{api.Alert, api.Normal, api.Bulk}

// priorityOf is the priority of a column, which damage may have moved.
func priorityOf(rank int64) api.Priority {
	if rank < 0 || rank >= int64(len(priorities)) {
		return api.Normal
	}
	return priorities[rank]
}

// rank is p's place in the order; an empty one is normal.
func rank(p api.Priority) int {
	for i, known := range priorities {
		if p == known {
			return i
		}
	}
	return 1
}
