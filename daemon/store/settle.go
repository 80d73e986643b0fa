package store

import (
	"database/sql"
	"errors"
	"slices"
	"time"

	"simpost/daemon/api"
)

// This file keeps what happens to attempts: begun, settled, and what evidence
// says of one whose answer was lost. An attempt is appended, never edited into
// another one; an unknown attempt stays open to evidence for ever.

const (
	// reportGrace is how long after the end of validity a report may still come.
	reportGrace = 24 * time.Hour
	// networkValidity stands for the service centre's own validity, which nobody knows.
	networkValidity = 7 * 24 * time.Hour
)

// attempt is a row of the table attempt.
type attempt struct {
	id    int64
	part  int64
	state api.State
	sim   int64
	modem string
	tail  string
}

// Submit says what is about to be sent.
type Submit struct {
	Part   int64
	SIM    int64
	Modem  string
	Ref    int    // the concat reference in the TPDU; not looked at if the message has one part
	Reason string // why it follows the attempt before, "" for the first
	// AnyTime: the clock is not to be believed, so nothing is too late.
	AnyTime bool
	// SMSS is the card's last reference before it, where that can tell later whether
	// it was started; nil elsewhere.
	SMSS *CardMR
	// MR is the reference that the host wrote, where the modem keeps it; nil
	// where the modem writes its own.
	MR *byte
}

// Submitting commits that ^Z may leave now (I1) and returns the attempt. The
// first one binds the message to SIM, modem and reference (I5). CodeConflict: the
// part is not queued any more, it was cancelled say, or the message is bound to
// another SIM or reference; then nothing may be sent.
func (s *Store) Submitting(now time.Time, sub Submit) (int64, error) {
	var id int64
	err := s.write(now, "record the attempt", func(t *tx) (err error) {
		if id, err = t.submitting(sub); err != nil {
			return err
		}
		t.begun = id
		return s.reserve(id)
	})
	if err != nil {
		return 0, err
	}
	return id, nil
}

func (t *tx) submitting(sub Submit) (int64, error) {
	m, p, err := t.part(sub.Part)
	if err != nil {
		return 0, err
	}
	switch {
	case p.blocked:
		return 0, api.Errorf(api.CodeConflict, "another part of message %d must be decided first", m.id)
	case p.expires.Valid && p.expires.Int64 <= t.now && !sub.AnyTime:
		return 0, api.Errorf(api.CodeConflict, "message %d has expired", m.id)
	}
	if err := t.bind(m, sub); err != nil {
		return 0, err
	}
	var previous sql.NullInt64
	if err := t.row(`SELECT max(id) FROM attempt WHERE part = ?`, p.id).Scan(&previous); err != nil {
		return 0, err
	}
	p.tries++
	p.modem, p.lane = sub.Modem, simLane(sub.SIM)
	p.because(nil)
	if err := t.save(p, stepSubmit); err != nil {
		return 0, err
	}
	smss, iccid := sub.SMSS.columns()
	id, err := t.insert(`INSERT INTO attempt (part, previous, state, sim, modem, number_key, tail, smss, iccid, mr, started_at, reason) VALUES (?, ?, 'submitting', ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		p.id, previous, sub.SIM, sub.Modem, m.key, tail(m.key), smss, iccid, optionalByte(sub.MR), t.now, sub.Reason)
	if err != nil {
		return 0, err
	}
	return id, t.note(m, api.Event{Type: api.EventSubmitting, Part: p.seq, Modem: sub.Modem, Detail: sub.Reason})
}

func optionalByte(b *byte) sql.NullInt64 {
	if b == nil {
		return sql.NullInt64{}
	}
	return sql.NullInt64{Int64: int64(*b), Valid: true}
}

// bind ties a message to the SIM of its first attempt, and takes the reference.
func (t *tx) bind(m *message, sub Submit) error {
	var ref sql.NullInt64
	if m.total > 1 {
		ref = sql.NullInt64{Int64: int64(sub.Ref & 0xff), Valid: true}
	}
	if m.sim.Valid {
		if m.sim.Int64 != sub.SIM || m.ref != ref {
			return api.Errorf(api.CodeConflict, "message %d has begun on another SIM or under another concat reference", m.id)
		}
		if m.modem == sub.Modem {
			return nil
		}
	}
	if m.asked != "" && m.asked != sub.Modem && !m.sim.Valid {
		return api.Errorf(api.CodeConflict, "message %d asks for modem %s", m.id, m.asked)
	}
	if _, err := t.exec(`UPDATE message SET sim = ?, modem = ?, ref = ? WHERE id = ?`, sub.SIM, sub.Modem, ref, m.id); err != nil {
		return err
	}
	first := !m.sim.Valid
	m.sim, m.modem, m.ref = sql.NullInt64{Int64: sub.SIM, Valid: true}, sub.Modem, ref
	if !first {
		return nil
	}
	for _, p := range m.parts {
		p.lane = simLane(sub.SIM)
	}
	if _, err := t.exec(`UPDATE part SET lane = ? WHERE message = ?`, simLane(sub.SIM), m.id); err != nil {
		return err
	}
	if !ref.Valid {
		return nil
	}
	_, err := t.exec(`UPDATE sim SET next_ref = ? WHERE id = ?`, (ref.Int64+1)&0xff, sub.SIM)
	return err
}

// Settle is the outcome of an attempt.
type Settle struct {
	Attempt  int64
	State    api.State // Submitted, Failed, Unknown, or Queued: refused for a while
	MR       int       // TP-MR: with Submitted; with Unknown where it is known, else -1
	Error    *api.Reason
	RetryAt  time.Time   // with Queued
	DecideAt time.Time   // with Unknown; zero: when the modem is back (Quarantine)
	Paused   *api.Reason // with Queued: why it waits, if that is not Error
	Evidence string      // what says so, if it is not the modem's answer
}

// Settle records how an attempt ended. Submitted applies a report that came
// before. Failed gives the message's queued parts up too; a part whose earlier copy
// may be out is Unknown then, and they go on. Queued puts the part
// back for RetryAt. CodeConflict: the attempt is settled already.
func (s *Store) Settle(now time.Time, set Settle) error {
	return s.write(now, "record the outcome", func(t *tx) error {
		a, m, p, err := t.attempt(set.Attempt)
		if err != nil {
			return err
		}
		if a.state != api.Submitting {
			return api.Errorf(api.CodeConflict, "attempt %d is %s already", a.id, a.state)
		}
		return t.settle(a, m, p, set)
	})
}

// NotSent closes an attempt whose ^Z provably never left. It does not count as a try.
func (s *Store) NotSent(now time.Time, attempt int64, retryAt time.Time, reason api.Reason) error {
	return s.write(now, "record the outcome", func(t *tx) error {
		a, m, p, err := t.attempt(attempt)
		if err != nil {
			return err
		}
		if a.state != api.Submitting {
			return api.Errorf(api.CodeConflict, "attempt %d is %s already", a.id, a.state)
		}
		p.tries--
		return t.settle(a, m, p, Settle{State: api.Queued, Error: &reason, RetryAt: retryAt, MR: -1, Evidence: "not sent"})
	})
}

func (t *tx) attempt(id int64) (*attempt, *message, *part, error) {
	a := &attempt{id: id}
	err := t.row(`SELECT part, state, sim, modem, tail FROM attempt WHERE id = ?`, id).Scan(&a.part, &a.state, &a.sim, &a.modem, &a.tail)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil, nil, api.Errorf(api.CodeNotFound, "there is no attempt %d", id)
	}
	if err != nil {
		return nil, nil, nil, err
	}
	m, p, err := t.part(a.part)
	return a, m, p, err
}

// settle ends the attempt that is in the air.
func (t *tx) settle(a *attempt, m *message, p *part, set Settle) error {
	if err := t.closeAttempt(a, set); err != nil {
		return err
	}
	st := stepAccepted
	switch set.State {
	case api.Submitted:
		p.accepted(t.now, m, set.MR)
	case api.Unknown:
		st = stepLost
		p.undecided(set)
	case api.Failed:
		p.because(set.Error)
		st = p.ending(stepRejected, stepRejectUnknown)
	case api.Queued:
		st = stepRetry
		p.retry(set)
	default:
		panic("store: an attempt can't be settled as " + string(set.State))
	}
	if st != stepAccepted {
		earlier, err := t.earlierAccepted(m, p)
		if err != nil {
			return err
		}
		if earlier {
			st = stepAccepted
		}
	}
	return t.arrive(a, m, p, st)
}

// arrive takes p through st with all that follows: what an early report said,
// the other parts of a failed message, the events, and kept reports.
func (t *tx) arrive(a *attempt, m *message, p *part, st step) error {
	if err := t.save(p, st); err != nil {
		return err
	}
	events := []api.Event{partEvent(p)}
	if p.state == api.Submitted {
		if err := t.reported(p); err != nil {
			return err
		}
	}
	if p.state == api.Failed {
		more, err := t.failSiblings(m)
		if err != nil {
			return err
		}
		events = append(events, more...)
	}
	if err := t.note(m, events...); err != nil {
		return err
	}
	if p.state == api.Queued {
		return nil
	}
	return t.rematch(a.sim, a.tail)
}

// reported takes a submitted part where its reports say it is.
func (t *tx) reported(p *part) error {
	switch p.report {
	case api.ReportDelivered:
		return t.save(p, stepDelivered)
	case api.ReportFailed:
		return t.save(p, stepUndelivered)
	}
	return nil
}

// closeAttempt writes what is known of an attempt now.
func (t *tx) closeAttempt(a *attempt, set Settle) error {
	var reason api.Reason
	if set.Error != nil {
		reason = *set.Error
	}
	state, mr := set.State, sql.NullInt64{Int64: int64(set.MR), Valid: set.MR >= 0}
	switch state {
	case api.Queued:
		state, mr.Valid = api.Failed, false
	case api.Failed:
		mr.Valid = false
	}
	a.state = state
	_, err := t.exec(`UPDATE attempt SET state = ?1, mr = CASE WHEN ?1 <> 'failed' THEN coalesce(?2, mr) END, settled_at = ?3, evidence = ?4, code = ?5, error = ?6
		WHERE id = ?7 AND state IN ('submitting', 'unknown')`,
		string(state), mr, t.now, set.Evidence, reason.Code, reason.Message, a.id)
	return err
}

// accepted says that the network took p under mr (-1: not known).
func (p *part) accepted(now int64, m *message, mr int) {
	p.because(nil)
	p.decideAt, p.decided = sql.NullInt64{}, false
	p.mr = sql.NullInt64{Int64: int64(mr), Valid: mr >= 0}
	if p.report != api.ReportWaiting && p.report != api.ReportPending {
		return
	}
	validity := m.validity
	if validity == 0 {
		validity = networkValidity.Milliseconds()
	}
	p.reportBy = sql.NullInt64{Int64: now + validity + reportGrace.Milliseconds(), Valid: true}
}

// undecided leaves p to evidence, and then to its policy.
func (p *part) undecided(set Settle) {
	p.because(set.Error)
	p.decided, p.decideAt = false, sql.NullInt64{Int64: set.DecideAt.UnixMilli(), Valid: !set.DecideAt.IsZero()}
}

// retry puts p back into the queue.
func (p *part) retry(set Settle) {
	p.because(set.Error)
	if set.Paused != nil {
		p.because(set.Paused)
	}
	p.decided, p.decideAt, p.due = false, sql.NullInt64{}, set.RetryAt.UnixMilli()
}

// earlierAccepted is true where another attempt of p turned out to have been
// accepted while this one was in the air: then the part is out, whatever this says.
func (t *tx) earlierAccepted(m *message, p *part) (bool, error) {
	var mr sql.NullInt64
	err := t.row(`SELECT mr FROM attempt WHERE part = ? AND state = 'submitted' ORDER BY id LIMIT 1`, p.id).Scan(&mr)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	p.accepted(t.now, m, orMinusOne(mr))
	return true, nil
}

// Evidence records what came late about an attempt that is unknown: a +CMGS or
// +CMS ERROR that belongs to it. The attempt moves; its part only where states.go
// allows it. An attempt that is settled already is left alone.
func (s *Store) Evidence(now time.Time, attempt int64, set Settle) error {
	return s.write(now, "record the evidence", func(t *tx) error {
		a, m, p, err := t.attempt(attempt)
		if err != nil || a.state != api.Unknown || set.State == api.Unknown {
			return err
		}
		if err := t.closeAttempt(a, set); err != nil {
			return err
		}
		return t.prove(a, m, p, set)
	})
}

// prove moves p after its attempt a, which was unknown, was settled as set says.
func (t *tx) prove(a *attempt, m *message, p *part, set Settle) error {
	if set.State == api.Queued && m.dooms(p) {
		set.State, set.Error = api.Failed, &siblingFailed
	}
	st := map[api.State]step{api.Submitted: stepProofSent, api.Failed: stepProofRefused, api.Queued: stepProofRetry}[set.State]
	if st != stepProofSent {
		left, err := t.unknownAttempts(p)
		if err != nil || left > 0 {
			return err // another copy of it may still be out
		}
		if p.state == api.Queued || p.state == api.Submitting {
			return t.cleared(m, p)
		}
		last, err := t.isLast(a)
		if err != nil {
			return err
		}
		p.resend = p.resend && last // the mark of what was repeated after a was for a
	}
	if _, ok := st.next(p.state); !ok {
		return nil
	}
	switch st {
	case stepProofSent:
		if err := t.proven(m, p, set.MR); err != nil {
			return err
		}
	case stepProofRetry:
		p.retry(set)
	case stepProofRefused:
		p.because(set.Error)
	}
	return t.arrive(a, m, p, st)
}

// dooms says whether another part of m failed: nobody could join p to it.
func (m *message) dooms(p *part) bool {
	return slices.ContainsFunc(m.parts, func(o *part) bool { return o != p && o.state == api.Failed })
}

// proven says that a copy of p was accepted. The mark stays only if another copy
// may be out too: a repeat that has not happened, or was refused, is none.
func (t *tx) proven(m *message, p *part, mr int) error {
	left, err := t.unknownAttempts(p)
	p.resend = p.resend && (p.state != api.Queued || left > 0)
	p.accepted(t.now, m, mr)
	return err
}

// cleared takes the mark off a part whose every earlier copy was refused.
func (t *tx) cleared(m *message, p *part) error {
	if !p.resend {
		return nil
	}
	p.resend = false
	if _, err := t.exec(`UPDATE part SET resend = 0 WHERE id = ?`, p.id); err != nil {
		return err
	}
	if p.state == api.Submitting { // its answer is the news
		return t.note(m)
	}
	return t.note(m, partEvent(p))
}

func (t *tx) unknownAttempts(p *part) (n int, err error) {
	err = t.row(`SELECT count(*) FROM attempt WHERE part = ? AND state = 'unknown'`, p.id).Scan(&n)
	return n, err
}

func (t *tx) isLast(a *attempt) (last bool, err error) {
	err = t.row(`SELECT NOT EXISTS (SELECT 1 FROM attempt WHERE part = ? AND id > ?)`, a.part, a.id).Scan(&last)
	return last, err
}

// Pause leaves a queued part alone until then. It is no try and no failure.
func (s *Store) Pause(now time.Time, part int64, until time.Time, reason api.Reason) error {
	return s.write(now, "pause the part", func(t *tx) error {
		m, p, err := t.part(part)
		if err != nil {
			return err
		}
		if p.state == api.Queued && p.due == until.UnixMilli() && p.code == reason.Code && p.reason == reason.Message {
			return nil
		}
		news := p.code != reason.Code
		p.due = until.UnixMilli()
		p.because(&reason)
		if err := t.save(p, stepPause); err != nil {
			return err
		}
		if !news { // it goes on waiting for the same thing
			return t.note(m)
		}
		return t.note(m, partEvent(p))
	})
}

// GiveUp fails a queued part that can't be sent at all, and the message with it.
func (s *Store) GiveUp(now time.Time, part int64, reason api.Reason) error {
	return s.write(now, "give the part up", func(t *tx) error {
		m, p, err := t.part(part)
		if err != nil {
			return err
		}
		p.because(&reason)
		if err := t.withdraw(p, stepGiveUp, stepSiblingUnknown); err != nil {
			return err
		}
		events := []api.Event{partEvent(p)}
		more, err := t.failSiblings(m)
		if err != nil {
			return err
		}
		return t.note(m, append(events, more...)...)
	})
}
