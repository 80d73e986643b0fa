package daemon

import (
	"errors"
	"slices"
	"time"

	"simpost/daemon/api"
)

// What is done about a modem that does not answer: a ladder, each step heavier than
// the one below it. docs/modems.md has the same table for people.
//
// The lowest step is not the daemon's: atcmd gives a command up, leaves an open
// prompt by ESC and asks questions until one is answered (StepResync); where none
// is, the session ends, and with it this ladder begins. A session in which the modem
// does for goodWhile what it is asked for ends it.

// rung is one step: how often it is tried before the next, and for how long the
// modem is left alone, its port closed, before each try.
type rung struct {
	step  api.RecoveryStep
	grace []time.Duration // one a try
	limit stepLimit
	hand  bool // it is taken from outside, see hands.go
}

// stepLimit is how often a step may be taken, over good times and bad: a modem that
// has to be restarted every ten minutes is a matter for a person. The zero value is
// no limit: to open a port harms nobody.
type stepLimit struct{ hour, day int }

var rungs = []rung{
	// The port is opened anew, and the modem brought up from the first AT on.
	{step: api.StepReinit, grace: []time.Duration{2 * time.Second, 4 * time.Second}},
	// AT+CFUN=1,1 or the maker's own command; one that does not answer is not waited for.
	{step: api.StepReset, grace: []time.Duration{8 * time.Second}, limit: stepLimit{hour: 4, day: 12}},
	// As reinit, but closed for as long as a stick may take to be on the bus again.
	{step: api.StepReopen, grace: []time.Duration{15 * time.Second, 30 * time.Second, time.Minute}},
	// What follows is left out where the modem or the configuration does not have it.
	{step: api.StepUSBReset, grace: []time.Duration{5 * time.Second}, limit: stepLimit{hour: 2, day: 6}, hand: true},
	{step: api.StepUSBPower, grace: []time.Duration{5 * time.Second}, limit: stepLimit{hour: 1, day: 4}, hand: true},
	{step: api.StepPowerKey, grace: []time.Duration{5 * time.Second}, limit: stepLimit{hour: 1, day: 4}, hand: true},
}

// againFrom is the rung that follows the last: a modem is never given up.
const againFrom = 1

// errRestarted ends a session in which simpost told the modem to restart, and
// restartPause is how long it takes until there is anything to look at.
var errRestarted = errors.New("the modem was told to restart")

const restartPause = time.Second

// goodWhile is how long a modem works that ends a row of failures.
const goodWhile = time.Minute

// ladder is where on it a modem is. It is its supervisor's own; the zero value is
// the ground.
type ladder struct {
	failures int       // sessions in a row that did not last
	rung     int       // of the step taken last
	try      int       // of it, from 1; 0 on the ground
	rounds   int       // how often the end was reached
	silent   bool      // at the last failure the modem did not even begin to answer
	ailing   duty      // what it was silent to, and was not seen to do since
	owed     time.Time // until then it may answer for a message, if it is not restarted
	reset    bool      // the step taken last is a reset, and it is not done yet
	speed    int       // at which the modem was heard; 0 as long as it was not
	uses     uses
	usedUp   bool // a step was left out because of its limit
	hands    hands
}

// uses are when the steps that have a limit were taken.
type uses map[api.RecoveryStep][]time.Time

// worked ends the row if a modem did what it was asked for, for a good while.
func (l *ladder) worked(d time.Duration) {
	if d >= goodWhile {
		*l = ladder{speed: l.speed, owed: l.owed, uses: l.uses, hands: l.hands}
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
	again := l.ailing != "" && code == api.CondStuck && l.rung < againFrom && l.try > 0 // it came up and does not do it
	if l.try++; l.try > len(rungs[l.rung].grace) || again {
		l.rung, l.try = l.rung+1, 1
	}
	l.next(now)
	l.reset = rungs[l.rung].step == api.StepReset
	l.hands.due = rungs[l.rung].hand
	return true
}

// next goes on to a step that can be taken, from the last to againFrom. To
// reopen the port always can be.
func (l *ladder) next(now time.Time) {
	for ; ; l.rung++ {
		if l.rung == len(rungs) {
			l.rung, l.hands.last = againFrom, time.Time{}
			l.speed = 0 // it may be another modem, of another speed
			l.rounds++
		}
		if l.may(rungs[l.rung], now) {
			return
		}
	}
}

// may says whether a step can be taken now.
func (l *ladder) may(r rung, now time.Time) bool {
	if r.hand && !l.hands.can(r.step) {
		return false
	}
	hour, day := 0, 0
	for _, at := range l.uses[r.step] {
		if ago := now.Sub(at); ago < 24*time.Hour {
			day++
			if ago < time.Hour {
				hour++
			}
		}
	}
	ok := r.limit == stepLimit{} || hour < r.limit.hour && day < r.limit.day
	l.usedUp = l.usedUp || !ok
	return ok
}

// take notes that the step that is due is taken, and forgets what no limit asks about
// any more.
func (l *ladder) take(now time.Time) {
	if l.uses == nil {
		l.uses = uses{}
	}
	step := rungs[l.rung].step
	recent := slices.DeleteFunc(l.uses[step], func(at time.Time) bool { return now.Sub(at) >= 24*time.Hour })
	l.uses[step] = append(recent, now)
}

// grace is how long the modem is left alone before the step.
func (l *ladder) grace() time.Duration { return rungs[l.rung].grace[l.try-1] }

// wantsKick says that the modem is to be told to restart without being heard.
func (l *ladder) wantsKick(now time.Time) bool { return l.silent && l.takeReset(now) }

// wantsReset says that the modem, which has just been brought up, is to be told to restart.
func (l *ladder) wantsReset(now time.Time) bool { return l.takeReset(now) }

func (l *ladder) takeReset(now time.Time) bool {
	due := l.reset
	if l.reset = false; due {
		l.take(now)
	}
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
	if row.usedUp {
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
