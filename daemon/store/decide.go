package store

import (
	"database/sql"
	"errors"
	"time"

	"simpost/daemon/api"
)

// This file keeps what nobody can say: the quarantine in which evidence may
// come, and what policy decides after it.

// maxUndecided bounds one answer of Undecided.
const maxUndecided = 1000

// Recovered is what Start found.
type Recovered struct {
	Unknown  int  // attempts that were in the air when the daemon ended
	Restored bool // the database is a copy, or older than its mark (StartMarked)
	Held     int  // messages that are held because of that
}

// Start begins a run of the daemon: what was `submitting` when the last one ended
// is `unknown` now, because its ^Z may have left.
func (s *Store) Start(now time.Time) (Recovered, error) { return s.StartMarked(now, "") }

func (s *Store) recover(now time.Time) (Recovered, error) {
	var rec Recovered
	err := s.write(now, "recover", func(t *tx) error {
		rec = Recovered{}
		rows, err := t.rows(`SELECT id FROM attempt WHERE state = 'submitting'`)
		if err != nil {
			return err
		}
		open, err := collect(rows, scanID)
		if err != nil {
			return err
		}
		if err := t.event(api.Event{Type: api.EventDaemonStarted}); err != nil {
			return err
		}
		for _, id := range open {
			a, m, p, err := t.attempt(id)
			if err != nil {
				return err
			}
			lost := api.Reason{Code: "interrupted", Message: "simpost ended while the modem had it"}
			if err := t.settle(a, m, p, Settle{State: api.Unknown, MR: -1, Error: &lost}); err != nil {
				return err
			}
			rec.Unknown++
		}
		return nil
	})
	return rec, err
}

// Quarantine says until when evidence about the SIM's unknown parts is waited
// for. Zero: its modem is gone, wait for as long as it takes.
func (s *Store) Quarantine(now time.Time, sim int64, until time.Time) error {
	at := sql.NullInt64{Int64: until.UnixMilli(), Valid: !until.IsZero()}
	return s.write(now, "set the quarantine", func(t *tx) error {
		_, err := t.exec(`UPDATE part SET decide_at = ? WHERE state = 'unknown' AND decided = 0 AND lane = ? AND decide_at IS NOT ?`, at, simLane(sim), at)
		return err
	})
}

// UnknownPart is a part whose quarantine has ended without evidence.
type UnknownPart struct {
	Part, Message int64
	Attempt       int64 // the last one
	OnUnknown     api.OnUnknown
	Unknowns      int // attempts nobody can say anything of
	MR            int // of the last one, -1: not known
	SIM           int64
	Doomed        bool // another part of the message failed: the recipient could never join this one
}

// Undecided returns the parts for which the policy must decide now, up to 1,000.
func (s *Store) Undecided(now time.Time) ([]UnknownPart, error) {
	rows, err := s.read().rows(`SELECT p.id, p.message, a.id, m.on_unknown,
			(SELECT count(*) FROM attempt u WHERE u.part = p.id AND u.state = 'unknown'), a.mr, a.sim,
			EXISTS (SELECT 1 FROM part f WHERE f.message = p.message AND f.state = 'failed')
		FROM part p JOIN message m ON m.id = p.message JOIN attempt a ON a.id = (SELECT max(id) FROM attempt WHERE part = p.id)
		WHERE p.state = 'unknown' AND p.decided = 0 AND p.decide_at IS NOT NULL AND p.decide_at <= ? ORDER BY p.decide_at, p.id LIMIT ?`,
		now.UnixMilli(), maxUndecided)
	if err != nil {
		return nil, s.readError("find what to decide", err)
	}
	parts, err := collect(rows, func(rows *sql.Rows) (u UnknownPart, err error) {
		var mr sql.NullInt64
		err = rows.Scan(&u.Part, &u.Message, &u.Attempt, &u.OnUnknown, &u.Unknowns, &mr, &u.SIM, &u.Doomed)
		u.MR = orMinusOne(mr)
		return u, err
	})
	return parts, s.readError("find what to decide", err)
}

// Decision is what the policy says of an unknown part.
type Decision struct {
	State  api.State // Queued: send it again, marked; Held; Failed; Unknown: for good
	Reason api.Reason
}

// Decide applies the policy to a part that is still unknown (else CodeConflict).
func (s *Store) Decide(now time.Time, part int64, d Decision) error {
	return s.write(now, "apply the policy", func(t *tx) error {
		m, p, err := t.part(part)
		if err != nil {
			return err
		}
		st, ok := map[api.State]step{api.Queued: stepDecideResend, api.Held: stepDecideHold, api.Failed: stepDecideFail, api.Unknown: stepDecideStay}[d.State]
		if !ok {
			panic("store: a policy can't decide " + string(d.State))
		}
		events, err := t.decide(m, p, st, d.Reason)
		if err != nil {
			return err
		}
		return t.note(m, events...)
	})
}

// decide takes p through st, which is a policy's or a person's decision.
func (t *tx) decide(m *message, p *part, st step, reason api.Reason) ([]api.Event, error) {
	p.because(&reason)
	p.decideAt, p.decided = sql.NullInt64{}, st == stepDecideStay
	switch transitions[st].to {
	case api.Queued:
		p.resend, p.due = true, t.now
	case api.Submitted:
		p.accepted(t.now, m, orMinusOne(p.mr))
	}
	if err := t.save(p, st); err != nil {
		return nil, err
	}
	e := partEvent(p)
	switch p.state {
	case api.Queued:
		e.Type = api.EventPartResend
	case api.Held:
		return nil, nil // the message says it
	case api.Failed:
		more, err := t.failSiblings(m)
		return append([]api.Event{e}, more...), err
	}
	return []api.Event{e}, nil
}

// schemaCard is the step of the schema that says whose card's reference attempt.smss
// is. A SIM is known by its IMSI, and a card that replaces another one has that too.
const schemaCard = `ALTER TABLE attempt ADD COLUMN iccid TEXT`

// CardMR is the Last-Used-TP-MR (EF_SMSS, TS 31.102 4.2.28) that a card tells.
type CardMR struct {
	ICCID string
	MR    byte
}

func (c *CardMR) columns() (smss sql.NullInt64, iccid sql.NullString) {
	if c == nil {
		return smss, iccid
	}
	return optionalByte(&c.MR), sql.NullString{String: c.ICCID, Valid: true}
}

// Unstarted returns the unknown attempt that the card's reference proves to have
// never been started, 0 if there is none: the SIM's last one, before which this very
// card told the same. A card that does not say which it is proves nothing.
func (s *Store) Unstarted(sim int64, card CardMR) (attempt int64, err error) {
	var state string
	var before CardMR
	err = s.read().row(`SELECT id, state, smss, coalesce(iccid, '') FROM attempt WHERE sim = ? AND smss IS NOT NULL ORDER BY id DESC LIMIT 1`, sim).
		Scan(&attempt, &state, &before.MR, &before.ICCID)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return 0, nil
	case err != nil:
		return 0, s.readError("find the last attempt", err)
	case state != string(api.Unknown) || before != card || card.ICCID == "":
		return 0, nil
	}
	return attempt, nil
}
