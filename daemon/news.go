package daemon

import (
	"context"
	"errors"
	"maps"
	"time"

	"simpost/daemon/api"
	"simpost/daemon/store"
	"simpost/modem"
)

// What a modem says by itself. Hints hurry the work and are looked into, not believed;
// an answer that comes late is evidence.

// news handles what the modem said outside commands.
func (s *session) news(ctx context.Context) error {
	taken := s.m.Take()
	for _, d := range taken.Direct {
		if err := s.direct(ctx, d); err != nil {
			return err
		}
	}
	s.listened = time.Now()
	for _, e := range taken.Late {
		if err := s.evidence(e); err != nil {
			return err
		}
	}
	if !taken.Time.IsZero() {
		s.d.clock.told(taken.Time)
	}
	if err := errors.Join(s.heard(taken.USSD), s.ring(ctx, taken.Calls)); err != nil {
		return err
	}
	if taken.Rebooted {
		return errRebooted
	}
	if len(taken.Full) > 0 || taken.Missed > 0 {
		s.sweepAll()
	}
	s.sweep(taken.Memories...)
	s.simDue = s.simDue || taken.SIM
	s.lookDue = s.lookDue || taken.SIM || taken.Network
	return s.lookAgain(ctx)
}

// lookPause lies at least between two looks at card and network because of what the
// modem said: some say it with every answer, or all the time. Looks in a row that find
// nothing new come ever more seldom, down to the poll's own pace; a swapped card is
// found by cardTrust all the same.
const lookPause = time.Second

// lookAgain looks at card and network when the modem has said that they changed.
func (s *session) lookAgain(ctx context.Context) error {
	now := time.Now()
	if !s.lookDue || now.Before(s.nextLook) {
		return nil
	}
	was, sim := s.status, s.simDue
	s.lookDue, s.simDue = false, false
	check := s.checkNetwork
	if sim {
		check = s.checkSIM
	}
	if err := check(ctx); err != nil {
		return err
	}
	s.vain++
	if !sameNetwork(was, s.status) {
		s.vain = 0
	}
	s.nextLook = now.Add(min(lookPause<<min(s.vain/4, 10), s.d.cfg.Receive.Poll))
	return nil
}

// sameNetwork says whether nothing but the signal differs.
func sameNetwork(a, b modem.Status) bool {
	a.Signal, a.Bars = b.Signal, b.Bars
	return a == b
}

func (s *session) checkNetwork(ctx context.Context) error {
	if err := s.sameCard(ctx, cardTrust); err != nil {
		return err
	}
	return s.look(ctx)
}

// evidence settles an unknown attempt by an answer that came late.
func (s *session) evidence(e modem.Evidence) error {
	attempt := s.open[e.Seq]
	if e.Seq == 0 && len(s.open) == 1 { // it can't be told whose it is, but only one is open
		for _, attempt = range s.open {
		}
	}
	settle := store.Settle{Attempt: attempt, State: api.Submitted, MR: e.MR, Evidence: "a late answer of the modem"}
	refusal := e.Refusal()
	switch {
	case attempt == 0 || e.MR < 0 && refusal == nil:
		return nil
	case refusal != nil:
		v := afterSend(s.d.cfg.Send, refusal, 0, s.d.now())
		v.settle.Attempt, v.settle.Evidence = attempt, settle.Evidence
		settle = v.settle
	}
	maps.DeleteFunc(s.open, func(_ uint64, a int64) bool { return a == attempt })
	if s.owed = (time.Time{}); s.pausedFor == api.CondAnswerOwed {
		s.paused = time.Time{}
		s.show()
	}
	return s.storeResult(s.d.store.Evidence(s.d.now(), attempt, settle))
}

// checkSIM looks again at a SIM that the modem says has changed: a pulled card, or
// another one, ends the session, and the next finds out which card is there.
func (s *session) checkSIM(ctx context.Context) error {
	if err := s.look(ctx); err != nil {
		return err
	}
	if s.status.SIM != "READY" {
		return errSIMChanged
	}
	return s.sameCard(ctx, 0)
}
