package store

import (
	"database/sql"
	"errors"
	"fmt"
	"strconv"

	"simpost/daemon/api"
)

// message is an outgoing message with all its parts, as an operation works on it.
type message struct {
	id        int64
	state     api.State
	number    string
	key       string // number_key
	policy    api.OnUnknown
	sim       sql.NullInt64
	modem     string
	asked     string
	ref       sql.NullInt64
	total     int
	report    bool
	validity  int64
	notBefore sql.NullInt64
	sentAt    sql.NullInt64
	duplicate bool
	code      string
	reason    string
	parts     []*part
}

// part is a row of the table part.
type part struct {
	id       int64
	seq      int
	state    api.State
	lane     string
	due      int64
	expires  sql.NullInt64
	blocked  bool
	mr       sql.NullInt64
	modem    string
	tries    int
	resend   bool
	decideAt sql.NullInt64
	decided  bool
	report   api.ReportState
	reportBy sql.NullInt64
	code     string
	reason   string
}

// because sets why the part is where it is; nil clears it.
func (p *part) because(r *api.Reason) {
	p.code, p.reason = "", ""
	if r != nil {
		p.code, p.reason = r.Code, r.Message
	}
}

func errNotFound(id int64) error {
	return api.Errorf(api.CodeNotFound, "there is no message %d", id)
}

// message loads an outgoing message.
func (t *tx) message(id int64) (*message, error) {
	m := &message{id: id}
	err := t.row(`SELECT state, number, number_key, on_unknown, sim, modem, asked, ref, total, report, validity, not_before, sent_at, duplicate, code, reason
		FROM message WHERE id = ? AND direction = 'out'`, id).Scan(&m.state, &m.number, &m.key, &m.policy, &m.sim, &m.modem, &m.asked, &m.ref,
		&m.total, &m.report, &m.validity, &m.notBefore, &m.sentAt, &m.duplicate, &m.code, &m.reason)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, errNotFound(id)
	}
	if err != nil {
		return nil, err
	}
	rows, err := t.rows(`SELECT id, seq, state, lane, due_at, expires, blocked, mr, modem, tries, resend, decide_at, decided, report, report_by, code, reason
		FROM part WHERE message = ? ORDER BY seq`, id)
	if err != nil {
		return nil, err
	}
	m.parts, err = collect(rows, scanPart)
	return m, err
}

func scanPart(rows *sql.Rows) (*part, error) {
	p := &part{}
	return p, rows.Scan(&p.id, &p.seq, &p.state, &p.lane, &p.due, &p.expires, &p.blocked, &p.mr, &p.modem, &p.tries, &p.resend,
		&p.decideAt, &p.decided, &p.report, &p.reportBy, &p.code, &p.reason)
}

// part loads a part with its message.
func (t *tx) part(id int64) (*message, *part, error) {
	var owner int64
	err := t.row(`SELECT message FROM part WHERE id = ?`, id).Scan(&owner)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil, api.Errorf(api.CodeNotFound, "there is no part %d", id)
	}
	if err != nil {
		return nil, nil, err
	}
	m, err := t.message(owner)
	if err != nil {
		return nil, nil, err
	}
	for _, p := range m.parts {
		if p.id == id {
			return m, p, nil
		}
	}
	return nil, nil, corrupt(fmt.Sprintf("part %d is not among those of message %d", id, owner))
}

// save writes p and takes it through st; CodeConflict where the table has no such row.
func (t *tx) save(p *part, st step) error {
	to, ok := st.next(p.state)
	if !ok {
		return wrongState(p, st)
	}
	p.decided = p.decided && to == api.Unknown // evidence may move it after all
	n, err := t.change(saves[st], p.lane, p.due, p.mr, p.modem, p.tries, p.resend, p.decideAt, p.decided, string(p.report), p.reportBy,
		p.code, p.reason, p.id)
	if err != nil {
		return err
	}
	if n != 1 {
		return wrongState(p, st)
	}
	p.state = to
	return nil
}

func wrongState(p *part, st step) error {
	return api.Errorf(api.CodeConflict, "part %d is %s: %q does not happen to it", p.seq, p.state, transitions[st].name)
}

// note brings the message's cached columns up to date after its parts changed,
// and appends the parts' events and the message's own.
func (t *tx) note(m *message, events ...api.Event) error {
	was := m.state
	if err := t.refresh(m); err != nil {
		return err
	}
	if m.state != was {
		if typ, ok := messageEvents[m.state]; ok {
			events = append(events, api.Event{Type: typ, Detail: m.reason})
		}
	}
	for _, e := range events {
		e.Message, e.State = formatID(m.id), string(m.state)
		if e.Modem == "" {
			e.Modem = m.modem
		}
		if err := t.event(e); err != nil {
			return err
		}
	}
	return nil
}

// refresh is the one function that writes an outgoing message's state after its
// birth. It follows from the parts, and so do the reason and the flag.
func (t *tx) refresh(m *message) error {
	states, duplicate := make([]api.State, len(m.parts)), false
	for i, p := range m.parts {
		states[i] = p.state
		duplicate = duplicate || p.resend
	}
	state := derive(states, m.notBefore.Valid && m.notBefore.Int64 > t.now)
	code, reason := m.why(state)
	sentAt := m.sentAt
	if !sentAt.Valid && (state == api.Sent || state == api.Delivered) {
		sentAt = sql.NullInt64{Int64: t.now, Valid: true}
	}
	if err := t.block(m); err != nil {
		return err
	}
	if state == m.state && duplicate == m.duplicate && code == m.code && reason == m.reason && sentAt == m.sentAt {
		return nil
	}
	t.count(m.state, -1)
	t.count(state, 1)
	m.state, m.duplicate, m.code, m.reason, m.sentAt = state, duplicate, code, reason, sentAt
	_, err := t.exec(`UPDATE message SET state = ?, duplicate = ?, code = ?, reason = ?, sent_at = ? WHERE id = ?`,
		string(state), duplicate, code, reason, sentAt, m.id)
	return err
}

// why is the reason of the first part that makes the message what it is.
func (m *message) why(state api.State) (code, reason string) {
	cause := state
	switch state {
	case api.Sent, api.Delivered:
		return "", ""
	case api.Sending, api.Scheduled:
		cause = api.Queued
	}
	for _, p := range m.parts {
		if p.state == cause && p.code != "" {
			return p.code, p.reason
		}
	}
	return "", ""
}

// block holds the queued parts back while another part's outcome decides whether
// the message goes on: under hold and fail, not under resend.
func (t *tx) block(m *message) error {
	blocked := false
	for _, p := range m.parts {
		blocked = blocked || m.policy != api.OnUnknownResend && (p.state == api.Unknown || p.state == api.Held)
	}
	for _, p := range m.parts {
		if p.state != api.Queued || p.blocked == blocked {
			continue
		}
		p.blocked = blocked
		if _, err := t.exec(`UPDATE part SET blocked = ? WHERE id = ?`, blocked, p.id); err != nil {
			return err
		}
	}
	return nil
}

// count keeps the numbers of open messages.
func (t *tx) count(state api.State, n int) {
	for _, open := range openStates {
		if open != state {
			continue
		}
		if t.counts == nil {
			t.counts = map[api.State]int{}
		}
		t.counts[state] += n
	}
}

// ending is how p comes to an end for which it must not be out: by st, or by
// stUnknown, for good, if an earlier copy may have been sent.
func (p *part) ending(st, stUnknown step) step {
	if !p.resend {
		return st
	}
	p.decided, p.decideAt = true, sql.NullInt64{}
	p.reason += "; an earlier copy may have been sent"
	return stUnknown
}

// withdraw takes a queued part out of the queue.
func (t *tx) withdraw(p *part, st, stUnknown step) error { return t.save(p, p.ending(st, stUnknown)) }

// siblingFailed is why a part of a message that failed is not sent.
var siblingFailed = api.Reason{Code: "part-failed", Message: "another part of the message failed"}

// failSiblings gives up the queued parts of a message of which one failed: its
// recipient could never join them.
func (t *tx) failSiblings(m *message) (events []api.Event, err error) {
	for _, p := range m.parts {
		if p.state != api.Queued {
			continue
		}
		p.because(&siblingFailed)
		if err := t.withdraw(p, stepSibling, stepSiblingUnknown); err != nil {
			return nil, err
		}
		events = append(events, partEvent(p))
	}
	return events, nil
}

// partEvent is the event of a part that has just come to its state.
func partEvent(p *part) api.Event {
	types := map[api.State]api.EventType{
		api.Queued: api.EventPartRetry, api.Submitting: api.EventSubmitting, api.Submitted: api.EventSubmitted,
		api.Failed: api.EventPartFailed, api.Unknown: api.EventPartUnknown, api.Delivered: api.EventPartReport,
	}
	return api.Event{Type: types[p.state], Part: p.seq, Modem: p.modem, Detail: p.reason}
}

func simLane(sim int64) string { return "s:" + strconv.FormatInt(sim, 10) }

// modemLane is the lane of a message that asks for a modem, or for none.
func modemLane(name string) string {
	if name == "" {
		return ""
	}
	return "m:" + name
}
