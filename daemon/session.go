package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"simpost/configs"
	"simpost/daemon/api"
	"simpost/daemon/store"
	"simpost/modem"
)

// A session is the work with one modem while its port works: straight-line code
// that sends, receives and polls, and returns when anything makes it doubt the
// modem. The supervisor opens it again. One goroutine runs it, and nothing else
// touches the modem.

// glanceEvery is how many polls it takes until one of them asks for registration,
// operator or signal instead: an idle modem gets one command a poll.
const glanceEvery = 10

var (
	errRebooted   = errors.New("the modem restarted by itself")
	errSIMChanged = errors.New("the SIM card was pulled or locked")
)

// session is owned by the goroutine that runs it.
type session struct {
	d    *Daemon
	cfg  configs.Modem
	log  *slog.Logger
	m    *modem.Modem
	sim  store.SIM
	lane *lane
	desk desk // what people ask of the modem
	errands

	proofs     proofs
	duties     duties
	status     modem.Status
	sending    bool     // the lane has joined the queue
	listDue    bool     // a sweep is wanted now
	hints      []string // memories it is about; none: all of them
	drained    bool     // the last thing done was a sweep
	unreadable bool
	doubtful   bool // something stayed in the modem that should not have
	doubts     int  // sweeps in a row of which that is so
	full       bool
	listened   time.Time // what had come until then was looked at
	deafUntil  time.Time // an acknowledgement may have been missed
	spoilt     string    // the last message that was handed over with other octets than announced
	miscounts  bool      // all are
	paused     time.Time // nothing is sent before
	pausedFor  api.ConditionCode
	owed       time.Time // until then the modem may answer for a message it was silent to
	cardSeen   time.Time // it was the one that the session began with
	pace       pace
	lookDue    bool // the modem said that the network changed
	simDue     bool // or the card
	vain       int  // looks in a row that found nothing new
	nextLook   time.Time
	nextPoll   time.Time
	nextSweep  time.Time
	polls      int
	used       map[string]int   // of each memory, at the last poll
	left       map[string]int   // of each memory, after the last sweep: a person's drafts, or what can't be deleted
	refused    map[string]int   // numbers refused in a row, and how often
	lteRow     int              // messages that failed in a row as they do on LTE without SMS
	open       map[uint64]int64 // exchange -> unknown attempt, for late evidence
}

// run works until ctx ends (nil) or the modem can't be trusted (an error).
func (s *session) run(ctx context.Context) error {
	if err := s.begin(ctx); err != nil {
		return err
	}
	defer s.end()
	desk, leave := s.d.desks.enter(s.cfg.Name)
	defer leave()
	s.desk = desk
	for ctx.Err() == nil {
		if err := s.turn(ctx); err != nil && ctx.Err() == nil {
			return err
		}
	}
	return nil
}

// begin makes the modem and its SIM known, starts the quarantine of what an
// earlier session left open, and asks for a first sweep.
func (s *session) begin(ctx context.Context) error {
	id, set := s.m.Identity(), s.m.Settings()
	sim, err := s.d.store.Seen(s.d.now(), store.Identity{Modem: s.cfg.Name, IMEI: id.IMEI, IMSI: id.IMSI, ICCID: id.ICCID,
		Manufacturer: id.Manufacturer, Model: id.Model, Revision: id.Revision})
	if isDiskFull(err) {
		s.d.diskFull()
	}
	if err != nil {
		return err
	}
	s.sim, s.open, s.used, s.cardSeen = sim, map[uint64]int64{}, map[string]int{}, time.Now()
	s.d.board.identify(s.cfg.Name, id, set)
	s.d.recognise(s.cfg.Name, id.IMSI)
	s.lane = &lane{name: s.cfg.Name, sim: sim.ID, rules: s.d.guard.rules(s.cfg.Name), waker: make(chan struct{}, 1)}
	if s.pace, err = s.d.paceOf(sim.ID); err != nil {
		return err
	}
	s.owes(s.owed)
	s.log.Info("modem is up", "manufacturer", id.Manufacturer, "model", id.Model, "profile", set.Profile, "indications", set.CNMI)
	s.sweepAll()
	s.nextSweep = time.Now().Add(s.d.cfg.Receive.Sweep)
	s.nextPoll = time.Now().Add(s.d.cfg.Receive.Poll)
	if err := s.d.store.Quarantine(s.d.now(), sim.ID, s.d.now().Add(s.d.quarantine())); err != nil {
		return err
	}
	if err := s.newErrands(); err != nil {
		return err
	}
	if err := s.newProofs(ctx); err != nil {
		return fmt.Errorf("see what the SIM remembers: %w", err)
	}
	return s.look(ctx)
}

// end takes the modem out of the queue. What is unknown waits for its return.
func (s *session) end() {
	s.d.queue.leave(s.lane)
	s.d.board.offline(s.cfg.Name)
	s.leaveErrands()
	for _, d := range s.m.Take().Direct {
		if d.Kind != "CDS" {
			continue // it was not acknowledged: the network brings it again
		}
		if _, err := s.keep(incoming(d.PDU, d.Length), d.Kind, -1); err != nil {
			s.log.Error("a report is lost", "error", err)
		}
	}
	if err := s.d.store.Quarantine(s.d.now(), s.sim.ID, time.Time{}); err != nil {
		s.log.Error("quarantine not stopped", "error", err)
	}
}

// turn does the most urgent thing there is to do, or waits for one.
func (s *session) turn(ctx context.Context) error {
	if err := s.news(ctx); err != nil {
		return err
	}
	if err := s.serve(ctx); err != nil {
		return err
	}
	now := time.Now()
	if !s.paused.IsZero() && !now.Before(s.paused) {
		s.paused = time.Time{}
		s.show()
	}
	switch {
	case s.listDue && !s.drained: // between two sweeps one part may leave: a flood must not hold an alert back
		s.drained = true
		return s.drain(ctx)
	case !now.Before(s.nextPoll):
		return s.poll(ctx)
	}
	s.drained = false
	if s.maySend(now) {
		job, ok, err := s.d.queue.claim(s.lane, s.d.now())
		if err != nil {
			return s.storeResult(err)
		}
		if ok {
			return s.send(ctx, job)
		}
	}
	if s.listDue {
		return nil
	}
	if err := s.slowed(now); err != nil {
		return s.storeResult(err)
	}
	if next := s.nextErrand(); !next.IsZero() && !next.After(now) {
		return s.errand(ctx, now)
	}
	return s.wait(ctx, now)
}

// wait sleeps until there is something to do.
func (s *session) wait(ctx context.Context, now time.Time) error {
	longest := s.sleep(now)
	s.d.expectModem(s.cfg, longest)
	t := time.NewTimer(longest)
	defer t.Stop()
	s.d.queue.idle(s.lane, s.maySend(now))
	defer s.d.queue.idle(s.lane, false)
	defer func() { s.listened = time.Now() }()
	select {
	case <-ctx.Done():
	case <-s.lane.waker:
	case <-s.desk.bell:
	case <-s.m.Wake():
	case <-s.m.Done():
		return s.m.Err()
	case <-t.C:
	}
	return nil
}

// sleep is how long there is nothing to do unless somebody wakes the session.
func (s *session) sleep(now time.Time) time.Duration {
	until := s.nextPoll
	if s.paused.After(now) && s.paused.Before(until) {
		until = s.paused
	}
	if next := s.nextErrand(); !next.IsZero() && next.Before(until) {
		until = next
	}
	if s.lookDue && s.nextLook.Before(until) {
		until = s.nextLook
	}
	if next := s.pace.next(); next.After(now) && next.Before(until) {
		until = next
	}
	if s.maySend(now) {
		ours := s.d.now()
		due, ok, err := s.d.queue.nextDue(s.lane)
		if err == nil && ok && due.After(ours) && now.Add(due.Sub(ours)).Before(until) { // what is due and was not handed out, another lane has
			until = now.Add(due.Sub(ours))
		}
	}
	return until.Sub(now)
}

func (s *session) maySend(now time.Time) bool {
	return s.sending && !now.Before(s.paused) && !now.Before(s.pace.next())
}

// poll is the truth that URCs only hurry: one cheap question, and a sweep when
// its answer has changed, or an hour is over.
func (s *session) poll(ctx context.Context) error {
	now := time.Now()
	s.nextPoll = now.Add(s.d.cfg.Receive.Poll)
	s.polls++
	if !s.sending {
		if err := s.look(ctx); err != nil {
			return err
		}
	} else if s.polls%glanceEvery == 0 {
		if err := s.glance(ctx); err != nil || s.m.Settings().CNMI != "poll" {
			return err
		}
	}
	if now.Before(s.deafUntil) {
		if err := s.rearm(ctx); err != nil {
			return err
		}
	}
	counts, err := s.m.Counts(ctx)
	if err != nil {
		return fmt.Errorf("poll: %w", err)
	}
	s.duties.works()
	s.d.board.answered(s.cfg.Name, s.d.now(), counts)
	s.watchRoom(counts)
	s.sweep(s.arrived(counts)...)
	if counts == nil && s.m.Settings().CNMI == "poll" { // nothing says whether something has come
		s.sweepAll()
	}
	if s.unreadable && s.asksAgain() { // an empty memory is news to nobody
		s.sweepAll()
	}
	if !now.Before(s.nextSweep) {
		s.nextSweep = now.Add(s.d.cfg.Receive.Sweep)
		s.sweepAll()
		return s.rearm(ctx)
	}
	s.show()
	return nil
}

// sweep asks for the named memories to be read; sweepAll for every memory.
func (s *session) sweep(memories ...string) {
	if len(memories) > 0 && (!s.listDue || len(s.hints) > 0) {
		s.listDue, s.hints = true, append(s.hints, memories...)
	}
}

func (s *session) sweepAll() { s.listDue, s.hints = true, nil }

// rearm asks whether the modem still announces what arrives: it may have stopped
// without a word (TS 27.005 3.4.1).
func (s *session) rearm(ctx context.Context) error {
	if err := s.m.Ping(ctx); err != nil { // first: Rearm would mend what shows a reboot
		return fmt.Errorf("hourly check: %w", err)
	}
	lost, err := s.m.Rearm(ctx)
	if lost {
		s.log.Warn("the modem had stopped announcing messages")
	}
	if err != nil {
		return fmt.Errorf("check the indications: %w", err)
	}
	return nil
}

// reportMemory holds delivery reports only: where it is full no message is refused.
const reportMemory = "SR"

// arrived names the memories that hold more than what a sweep left there, and
// not what they held at the last poll: some modems count messages that nobody can
// read. A full memory is read at every poll.
func (s *session) arrived(counts []modem.MemoryCount) []string {
	var news []string
	s.full = false
	for _, c := range counts {
		full := c.Total > 0 && c.Used >= c.Total && c.Memory != reportMemory
		s.full = s.full || full
		if full || c.Used > s.left[c.Memory] && c.Used != s.used[c.Memory] {
			news = append(news, c.Memory)
		}
		s.used[c.Memory] = c.Used
	}
	return news
}

// look reads registration and signal; glance reads one of them.
func (s *session) look(ctx context.Context) error {
	st, err := s.m.Status(ctx)
	if err != nil {
		return err
	}
	return s.seen(ctx, st)
}

func (s *session) glance(ctx context.Context) error {
	st, err := s.m.Glance(ctx)
	if err != nil {
		return err
	}
	return s.seen(ctx, st)
}

// seen joins or leaves the queue by what the network says.
func (s *session) seen(ctx context.Context, st modem.Status) error {
	s.status = st
	s.d.board.status(s.cfg.Name, s.d.now(), st)
	if err := s.noteSignal(signalOf(st)); err != nil {
		return err
	}
	able := st.CanSend && !s.stranded() && s.hasSMSC(ctx)
	switch {
	case able && !s.sending:
		s.d.queue.join(s.lane)
	case !able && s.sending:
		s.d.queue.leave(s.lane)
	}
	s.sending = able
	s.show()
	return nil
}

// stranded says that the SIM card is abroad and may not send there.
func (s *session) stranded() bool {
	return s.cfg.HomeOnly && s.status.CanSend && s.status.Roaming
}

// hasSMSC says whether there is a service centre to send to; one that was missing
// is asked for again.
func (s *session) hasSMSC(ctx context.Context) bool {
	if !s.m.Settings().NoSMSC() {
		return true
	}
	if !s.m.FindServiceCentre(ctx) {
		return false
	}
	s.d.board.identify(s.cfg.Name, s.m.Identity(), s.m.Settings())
	return true
}

// pause stops sending for a while, for a reason that people can read.
func (s *session) pause(code api.ConditionCode, d time.Duration) {
	s.paused, s.pausedFor = time.Now().Add(d), code
	s.show()
}

// show tells the board the condition the modem is in: the first that applies.
func (s *session) show() {
	now := time.Now()
	code := registrationCondition(s.status)
	switch {
	case s.d.full.Load():
		code = api.CondDiskFull
	case s.stranded():
		code = api.CondHomeOnly
	case s.status.CanSend && s.m.Settings().NoSMSC():
		code = api.CondNoSMSC
	case s.full:
		code = api.CondMemoryFull
	case s.unreadable:
		code = api.CondUnreadable
	case now.Before(s.paused):
		code = s.pausedFor
	case s.status.CanSend && len(s.m.Settings().Memories) == 0 && s.m.Settings().CNMI == "poll":
		code = api.CondCantReceive
	}
	s.d.setCondition(s.cfg.Name, code, nil)
}

// fault notes what went wrong without ending the session.
func (s *session) fault(code string, err error) {
	s.log.Warn("modem trouble", "code", code, "error", err)
	s.d.board.fault(s.cfg.Name, api.Reason{Code: code, Message: err.Error()})
}

// storeResult says whether the session can go on after err: a full disk pauses
// all sending until there is room, a person or a report may have been faster, and
// any other failure of the store ends it.
func (s *session) storeResult(err error) error {
	switch {
	case isDiskFull(err):
		s.d.diskFull()
		return nil
	case isConflict(err):
		s.log.Info("not recorded, it was settled otherwise", "why", err)
		return nil
	}
	return err
}
