package daemon

import (
	"context"
	"time"

	"simpost/configs"
	"simpost/daemon/api"
	"simpost/daemon/store"
)

// Errands are what a session does besides the mail, and only when there is no
// mail to do: each has a time at which it is due, and the session sleeps no
// longer than to the next.

const (
	askTimeAgain = 10 * time.Minute // until the network has told the time
	choreSettle  = time.Minute      // from the start of a session to its first chore
	choreLook    = time.Hour        // how often the calendar is looked at
	choreRetry   = 6 * time.Hour    // after a chore that failed,
	keepRetry    = 24 * time.Hour   // and after one that costs a message
)

// errands is what a session knows of them. A time that is zero is none.
type errands struct {
	menu     menu               // what the network asks of people
	call     call               // that rings
	channels []configs.Channels // of broadcasts that are wanted
	air      airtime            // of broadcasts
	history  history            // of the signal
	announce time.Time          // when the modem is asked to announce what is no mail
	askTime  time.Time          // when the network is asked for the time
	chores   time.Time          // when the calendar is looked at
}

// nextErrand is when the next is due, zero if none is.
func (s *session) nextErrand() time.Time {
	var next time.Time
	for _, at := range []time.Time{s.menu.until, s.call.next(), s.announce, s.chores, s.askTime} {
		if !at.IsZero() && (next.IsZero() || at.Before(next)) {
			next = at
		}
	}
	return next
}

// errand does what is due.
func (s *session) errand(ctx context.Context, now time.Time) error {
	switch {
	case due(s.call.next(), now):
		return s.onCall(ctx)
	case due(s.menu.until, now):
		return s.endMenu(ctx)
	case due(s.announce, now):
		return s.askForMore(ctx)
	case due(s.askTime, now):
		return s.askNetworkTime(ctx)
	case due(s.chores, now):
		return s.doChores(ctx)
	}
	return nil
}

// due says whether a time that may not be set has come.
func due(at, now time.Time) bool { return !at.IsZero() && !at.After(now) }

// newErrands plans the first of them.
func (s *session) newErrands() error {
	s.announce, s.askTime = time.Now(), time.Now()
	s.channels, _ = configs.ParseChannels(s.cfg.Broadcasts) // the configuration was checked
	if s.cfg.BalanceCode != "" || s.cfg.KeepaliveEvery > 0 {
		s.chores = time.Now().Add(choreSettle)
	}
	b, err := s.d.store.Balance(s.sim.ID)
	if err != nil {
		return err
	}
	s.d.board.update(s.cfg.Name, func(m *api.Modem) { m.Balance = b })
	return s.newHistory()
}

// askForMore has the modem announce what is no mail: it comes after the mail that
// waits for the modem.
func (s *session) askForMore(ctx context.Context) error {
	s.announce = time.Time{}
	if err := s.m.ShowCallers(ctx); err != nil {
		return err
	}
	return s.listen(ctx)
}

// askNetworkTime asks a network for the time that our own clock does not know.
func (s *session) askNetworkTime(ctx context.Context) error {
	s.askTime = time.Time{}
	if s.d.clock.trusted() {
		return nil
	}
	s.askTime = time.Now().Add(askTimeAgain)
	for range 2 { // a far one must be told twice
		told, err := s.m.NetworkTime(ctx)
		if err != nil {
			return s.m.Err()
		}
		if s.d.clock.told(told); s.d.clock.trusted() {
			s.log.Info("the network has told the time")
			return nil
		}
	}
	return nil
}

// leaveErrands records what ends with the session.
func (s *session) leaveErrands() {
	if err := s.noteSignal(api.Signal{Registration: offline}); err != nil {
		s.log.Error("the end of the signal is not recorded", "error", err)
	}
	if s.call.told {
		if err := s.closeCall(); err != nil {
			s.log.Error("the end of a call is not recorded", "error", err)
		}
	}
}

// doChores looks at the calendar and does what is due, of the SIM card and not
// of the modem. Dates mean nothing to a clock that is not trusted, and without a
// network nothing can be done; a person in a menu is not disturbed.
func (s *session) doChores(ctx context.Context) error {
	s.chores = time.Now().Add(choreLook)
	if !s.d.clock.trusted() || !s.sending || !s.menu.until.IsZero() {
		s.chores = time.Now().Add(choreSettle)
		return nil
	}
	every := s.cfg.BalanceEvery
	if every == 0 {
		every = configs.DefaultBalanceEvery
	}
	if s.cfg.BalanceCode != "" {
		if err := s.chore(ctx, store.CheckBalance, every, choreRetry, s.checkBalance); err != nil {
			return err
		}
	}
	if s.cfg.KeepaliveEvery > 0 {
		return s.chore(ctx, store.Keepalive, s.cfg.KeepaliveEvery, keepRetry, s.keepAlive)
	}
	return nil
}

// chore runs do if it is due, and records a failure so that it is not tried again
// before retry is over. The error is what ends the session.
func (s *session) chore(ctx context.Context, c store.Chore, every, retry time.Duration, do func(context.Context) error) error {
	is, err := s.isDue(c, every, retry)
	if err != nil || !is {
		return s.storeResult(err)
	}
	err = do(ctx)
	switch {
	case err == nil, s.m.Err() != nil:
		return s.m.Err()
	case ctx.Err() != nil:
		return nil
	case hasCode(err, api.CodeStorage):
		return err
	}
	s.fault(string(c), err)
	return s.storeResult(s.d.store.ChoreTried(s.d.now(), s.sim.ID, c, false))
}

// isDue asks the calendar. What keeps a card alive counts from the card's first
// sight, and from the last message that it sent, whoever wrote it.
func (s *session) isDue(c store.Chore, every, retry time.Duration) (bool, error) {
	done, tried, err := s.d.store.ChoreTimes(s.sim.ID, c)
	now := s.d.now()
	if err != nil {
		return false, err
	}
	if c == store.Keepalive {
		if tried.IsZero() {
			return false, s.d.store.ChoreTried(now, s.sim.ID, c, true)
		}
		sent, err := s.d.store.LastSent(s.sim.ID)
		if err != nil {
			return false, err
		}
		if s.cfg.KeepaliveTo != "" && sent.After(done) {
			done = sent
		}
	}
	return ripe(now, done, every) && (tried.Equal(done) || ripe(now, tried, retry)), nil
}

// ripe says that every has passed since. A time ahead of us was written by a wrong clock.
func ripe(now, since time.Time, every time.Duration) bool {
	d := now.Sub(since)
	return d >= every || d < -time.Hour
}
