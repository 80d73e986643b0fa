package daemon

import (
	"context"
	"fmt"
	"time"

	"simpost/daemon/api"
	"simpost/modem"
)

// An incoming call is two events: call, once it is known who calls, and
// call.ended. Nobody answers it; a missed call is a free signal.

const (
	// callGrace is how long a caller's number may follow the first ring.
	callGrace = 2 * time.Second
	// callSilence after the last ring is the end of a call whose end the modem did not tell. Telephones ring every 5 s.
	callSilence = 12 * time.Second
)

// call is the one that rings; the zero value is none.
type call struct {
	number string // "" not known, or withheld
	since  time.Time
	last   time.Time // ring
	told   bool      // there is an event
}

// next is when something is to be done about it, zero for no call.
func (c *call) next() time.Time {
	switch {
	case c.since.IsZero():
		return time.Time{}
	case !c.told:
		return c.since.Add(callGrace)
	}
	return c.last.Add(callSilence)
}

// ring takes what the modem says of calls.
func (s *session) ring(ctx context.Context, rings []modem.Ring) error {
	now := time.Now()
	for _, r := range rings {
		other := r.Number != "" && s.call.number != "" && r.Number != s.call.number
		if r.Over || other {
			if err := s.endCall(ctx); err != nil {
				return err
			}
		}
		if r.Over {
			continue
		}
		if s.call.since.IsZero() {
			s.call.since = now
		}
		s.call.last = now
		if r.Number != "" {
			s.call.number = r.Number
		}
		if s.call.number != "" {
			if err := s.tellCall(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

// onCall does what is due.
func (s *session) onCall(ctx context.Context) error {
	if !s.call.told {
		return s.tellCall(ctx)
	}
	return s.endCall(ctx)
}

// tellCall records who calls, once a call, and hangs up if that is wanted.
func (s *session) tellCall(ctx context.Context) error {
	if s.call.told {
		return nil
	}
	s.call.told = true
	what := "a call rings"
	if s.call.number == "" {
		what = "a call rings, its number is withheld"
	}
	s.log.Info(what, "number", mask(s.call.number))
	if err := s.noteCall(api.EventCall, what); err != nil || !s.cfg.HangUp {
		return err
	}
	if err := s.m.HangUp(ctx); err != nil {
		s.fault("not-hung-up", err)
		return s.m.Err()
	}
	return nil
}

// endCall records that it rings no more.
func (s *session) endCall(ctx context.Context) error {
	if s.call.since.IsZero() {
		return nil // the end of nothing: some modems say so now and then
	}
	if err := s.tellCall(ctx); err != nil {
		return err
	}
	return s.closeCall()
}

func (s *session) closeCall() error {
	rang := s.call.last.Sub(s.call.since).Round(time.Second)
	err := s.noteCall(api.EventCallEnded, fmt.Sprintf("it rang for %v", rang))
	s.call = call{}
	return err
}

func (s *session) noteCall(kind api.EventType, detail string) error {
	return s.storeResult(s.d.store.Note(s.d.now(), api.Event{Type: kind, Modem: s.cfg.Name, Number: s.call.number, Detail: detail}))
}
