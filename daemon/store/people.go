package store

import (
	"fmt"
	"time"

	"simpost/daemon/api"
)

// What a person asks of a message.

// Cancel takes an outgoing message back while nothing of it can have been sent.
// Errors: CodeNotFound, CodeTooLate with the reason.
func (s *Store) Cancel(now time.Time, id int64) (api.Message, error) {
	err := s.write(now, "cancel the message", func(t *tx) error {
		m, err := t.person(id)
		if err != nil {
			return err
		}
		if why := m.tooLate(); why != "" {
			return api.Errorf(api.CodeTooLate, "message %d can't be cancelled: %s", id, why)
		}
		for _, p := range m.parts {
			p.because(&api.Reason{Code: "cancelled", Message: "cancelled by a person"})
			if err := t.save(p, stepCancel); err != nil {
				return err
			}
		}
		return t.note(m)
	})
	if err != nil {
		return api.Message{}, err
	}
	return s.Get(id)
}

// tooLate is why m can't be cancelled, "" if it can.
func (m *message) tooLate() string {
	for _, p := range m.parts {
		switch {
		case p.state == api.Submitting:
			return fmt.Sprintf("part %d of %d is being sent", p.seq, m.total)
		case p.state == api.Submitted || p.state == api.Delivered:
			return fmt.Sprintf("part %d of %d has been sent", p.seq, m.total)
		case p.state == api.Unknown || p.state == api.Held || p.state == api.Queued && p.resend:
			return fmt.Sprintf("part %d of %d may have been sent", p.seq, m.total)
		case p.state != api.Queued:
			return fmt.Sprintf("it is %s", m.state)
		}
	}
	return ""
}

// person loads an outgoing message a person names; an incoming one is CodeConflict.
func (t *tx) person(id int64) (*message, error) {
	var in bool
	if err := t.row(`SELECT count(*) > 0 FROM message WHERE id = ? AND direction = 'in'`, id).Scan(&in); err != nil {
		return nil, err
	}
	if in {
		return nil, api.Errorf(api.CodeConflict, "message %d was received: there is nothing to send or take back", id)
	}
	return t.message(id)
}

// giveUpRest gives up the parts that still wait of a message that has begun: its
// SIM may never come back.
func (t *tx) giveUpRest(m *message, gone *int) error {
	for _, p := range m.parts {
		if p.state != api.Queued {
			continue
		}
		*gone++
		p.because(&api.Reason{Code: "resolved", Message: "a person decided: fail"})
		if err := t.withdraw(p, stepGiveUp, stepSiblingUnknown); err != nil {
			return err
		}
	}
	if *gone == 0 {
		return nothingOpen(m)
	}
	return nil
}

func nothingOpen(m *message) error {
	e := api.Errorf(api.CodeConflict, "message %d is %s: there is nothing to decide", m.id, m.state)
	e.Hint = "only messages that are held or unknown are resolved, and the rest of one that has begun can fail"
	return e
}

// Resolve applies a person's decision to the parts of a message that are held or
// unknown. Errors: CodeNotFound; CodeConflict if it has none; CodeInvalid for
// another action.
func (s *Store) Resolve(now time.Time, id int64, action api.Action) (api.Message, error) {
	st, ok := map[api.Action]step{api.ResolveResend: stepResolveResend, api.ResolveFail: stepResolveFail, api.ResolveSent: stepResolveSent}[action]
	if !ok {
		return api.Message{}, api.Errorf(api.CodeInvalid, "%q is not an action: resend, fail or sent", action)
	}
	err := s.write(now, "resolve the message", func(t *tx) error {
		m, err := t.person(id)
		if err != nil {
			return err
		}
		events, err := t.resolve(m, st, action)
		if err != nil {
			return err
		}
		return t.note(m, events...)
	})
	if err != nil {
		return api.Message{}, err
	}
	return s.Get(id)
}

func (t *tx) resolve(m *message, st step, action api.Action) ([]api.Event, error) {
	events := []api.Event{{Type: api.EventResolved, Detail: "a person decided: " + string(action)}}
	open := 0
	for _, p := range m.parts {
		if p.state != api.Unknown && p.state != api.Held {
			continue
		}
		open++
		more, err := t.decide(m, p, st, api.Reason{Code: "resolved", Message: "a person decided: " + string(action)})
		if err != nil {
			return nil, err
		}
		events = append(events, more...)
	}
	if open == 0 && action == api.ResolveFail && m.tooLate() != "" {
		return events, t.giveUpRest(m, &open)
	}
	if open == 0 {
		return nil, nothingOpen(m)
	}
	return events, nil
}
