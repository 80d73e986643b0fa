package daemon

import (
	"errors"
	"time"

	"simpost/daemon/api"
)

// What is done about a modem that does not answer: a ladder, each step heavier than
// the one below it. docs/modems.md has the same table for people.
//
// The lowest step is not the daemon's: atcmd gives a command up, leaves an open
// prompt by ESC and asks questions until one is answered (StepResync); where none
// is, the session ends, and with it this ladder begins. A session that lasts for
// goodWhile, which takes real answers every few seconds, ends it.

// rung is one step: how often it is tried before the next, and for how long the
// modem is left alone, its port closed, before each try.
type rung struct {
	step  api.RecoveryStep
	grace []time.Duration // one a try
	limit handLimit       // of a step that a hand takes, see hands.go; the others have none
}

var rungs = []rung{
	// The port is opened anew, and the modem brought up from the first AT on.
	{step: api.StepReinit, grace: []time.Duration{2 * time.Second, 4 * time.Second}},
	// AT+CFUN=1,1 or the maker's own command; one that does not answer is not waited for.
	{step: api.StepReset, grace: []time.Duration{8 * time.Second}},
	// As reinit, but closed for as long as a stick may take to be on the bus again.
	{step: api.StepReopen, grace: []time.Duration{15 * time.Second, 30 * time.Second, time.Minute}},
	// What follows is left out where the modem or the configuration does not have it.
	{step: api.StepUSBReset, grace: []time.Duration{5 * time.Second}, limit: handLimit{hour: 2, day: 6}},
	{step: api.StepUSBPower, grace: []time.Duration{5 * time.Second}, limit: handLimit{hour: 1, day: 4}},
	{step: api.StepPowerKey, grace: []time.Duration{5 * time.Second}, limit: handLimit{hour: 1, day: 4}},
}

// againFrom is the rung that follows the last: a modem is never given up.
const againFrom = 1

// errRestarted ends a session in which simpost told the modem to restart, and
// restartPause is how long it takes until there is anything to look at.
var errRestarted = errors.New("the modem was told to restart")

const restartPause = time.Second

// goodWhile is how long a session lasts that ends a row of failures.
const goodWhile = time.Minute

// ladder is where on it a modem is. It is its supervisor's own; the zero value is
// the ground.
type ladder struct {
	failures int  // sessions in a row that did not last
	rung     int  // of the step taken last
	try      int  // of it, from 1; 0 on the ground
	rounds   int  // how often the end was reached
	silent   bool // at the last failure the modem did not even begin to answer
	reset    bool // the step taken last is a reset, and it is not done yet
	speed    int  // at which the modem was heard; 0 as long as it was not
	hands    hands
}

// worked ends the row if a session lasted for a good while.
func (l *ladder) worked(d time.Duration) {
	if d >= goodWhile {
		*l = ladder{speed: l.speed, hands: l.hands}
	}
}

// failed notes a session that ended in code, and says whether that is something
// the ladder is for. If so the next step is due.
func (l *ladder) failed(code api.ConditionCode, now time.Time) bool {
	l.failures++
	if code != api.CondStuck && code != api.CondSilent && !l.hands.lost(code, now) {
		return false
	}
	l.silent = code == api.CondSilent
	if l.try++; l.try > len(rungs[l.rung].grace) {
		l.rung, l.try = l.rung+1, 1
	}
	for l.rung < len(rungs) && !l.hands.may(rungs[l.rung], now) {
		l.rung++
	}
	if l.rung == len(rungs) {
		l.rung = againFrom
		l.rounds++
		l.hands.last = time.Time{}
	}
	l.reset = rungs[l.rung].step == api.StepReset
	l.hands.due = rungs[l.rung].limit != handLimit{}
	return true
}

// grace is how long the modem is left alone before the step.
func (l *ladder) grace() time.Duration { return rungs[l.rung].grace[l.try-1] }

// wantsKick says that the modem is to be told to restart without being heard.
func (l *ladder) wantsKick() bool { return l.silent && l.takeReset() }

// wantsReset says that the modem, which has just been brought up, is to be told to restart.
func (l *ladder) wantsReset() bool { return l.takeReset() }

func (l *ladder) takeReset() bool {
	due := l.reset
	l.reset = false
	return due
}

// recovery is the step as people see it.
func (l *ladder) recovery(now time.Time) *api.Recovery {
	r := rungs[l.rung]
	return &api.Recovery{Step: r.step, Try: l.try, Of: len(r.grace), Rounds: l.rounds, Since: now}
}

// climb takes the next step after a session that ended in code, says so, and
// returns how long the modem is left alone before it. What is tried for a second
// time round is in the log only: a dead modem must not fill the disk.
func (d *Daemon) climb(name string, row *ladder, code api.ConditionCode) time.Duration {
	if !row.failed(code, time.Now()) {
		return reopenDelay(code, row.failures)
	}
	if row.hands.usedUp {
		d.board.find(name, api.FindUsedUp, "")
	}
	r := row.recovery(d.now())
	taken := d.board.recovers(name, r)
	d.log.Warn("recovery of a modem that does not answer", "modem", name, "step", r.Step, "try", r.Try, "of", r.Of, "taken", taken, "in", row.grace())
	if row.rounds == 0 {
		d.record(api.Event{Type: api.EventRecovery, Modem: name, State: string(r.Step), Detail: r.String()})
	}
	return row.grace()
}

// resynced notes that a command was given up on a modem, and whether it answers
// again; where it does not, the session ends and says so.
func (d *Daemon) resynced(name string, ok bool) {
	taken := d.board.count(name, api.StepResync)
	if ok {
		d.log.Warn("a command was given up, and the modem was asked until it answered", "modem", name, "step", api.StepResync, "taken", taken)
	}
}
