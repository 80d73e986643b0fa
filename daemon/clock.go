package daemon

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// A Raspberry Pi has no clock of its own: it starts in 1970, or where it was last
// switched off, and may never see a time server. This file is the daemon's own
// time, which everything that is stored and everything that is due goes by.
//
// It runs with the monotonic clock and never follows the system's clock into a
// jump, unless the kernel says that the clock is synchronised. It starts no
// earlier than the last thing that is on record. Until it is trusted nothing
// expires: a message is rather late than lost.

const (
	clockSlack = 2 * time.Second     // less than this is no jump
	stampAge   = 30 * time.Minute    // a message this young says that our time is right, to within as much
	longAway   = 30 * 24 * time.Hour // a clock this far from the record wants a witness, a network's too
)

// clockFloor is before this program was written: a clock before it is wrong.
var clockFloor = time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)

// clock is safe for concurrent use. The zero value is not usable.
type clock struct {
	wall   func() time.Time // the system's clock
	synced func() bool      // the kernel says that it is right
	kept   func() bool      // the machine has a battery clock

	mu      sync.Mutex
	record  time.Time     // the last time on record when we started
	base    time.Time     // our time at anchor
	anchor  time.Time     // with a monotonic reading
	witness bool          // somebody who knows has confirmed it
	sure    bool          // and not only the machine's own battery
	stepped skew          // since step was last called
	set     chan struct{} // has something when stepped has

	heard   time.Time // what a network said that was too far off to be believed at once,
	heardAt time.Time // and when
}

func newClock(wall func() time.Time, synced, kept func() bool) *clock {
	c := &clock{wall: wall, synced: synced, kept: kept, anchor: time.Now(), set: make(chan struct{}, 1)}
	c.base = wall()
	return c
}

// systemClock is the clock of this machine.
func systemClock() *clock { return newClock(time.Now, kernelSynced, func() bool { return hasRTC("") }) }

// start continues from the last time on record, which may be zero.
func (c *clock) start(last time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.anchor, c.base, c.record = time.Now(), c.wall(), last
	switch {
	case c.synced():
		c.witness, c.sure = true, true
		if d := c.base.Sub(last); d < -clockSlack { // what is planned on record is planned by a wrong clock
			c.note(d)
		}
	case c.base.Before(last):
		c.base = last
	case c.kept() && c.base.After(clockFloor) && (last.IsZero() || c.base.Sub(last) < longAway):
		c.witness = true
	}
}

// now is our time. It steps only to a synchronised clock.
func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	ours := c.base.Add(time.Since(c.anchor))
	theirs := c.wall()
	if d := theirs.Sub(ours); (d > clockSlack || d < -clockSlack) && theirs.After(clockFloor) && c.synced() {
		c.setTo(theirs, d)
		c.witness, c.sure = true, true
		return theirs
	}
	return ours
}

// setTo makes theirs our time, d from what it was. c.mu is held.
func (c *clock) setTo(theirs time.Time, d time.Duration) {
	c.base, c.anchor = theirs, time.Now()
	c.note(d)
}

// note has the housekeeper see to a step. c.mu is held.
func (c *clock) note(d time.Duration) {
	c.stepped.planned += d
	if d < 0 || !c.sure { // else the machine slept: what was written before it was written then
		c.stepped.written += d
	}
	select {
	case c.set <- struct{}{}:
	default:
	}
}

// atLeast takes a network's time stamp as a witness: it is not later than now. It
// says nothing about a clock that is ahead of it, because messages may be old: a
// clock a day ahead that such a message vouched for would let things expire early.
// A clock that is trusted does not listen.
func (c *clock) atLeast(stamp time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.witness || stamp.Before(clockFloor) {
		return
	}
	ours := c.base.Add(time.Since(c.anchor))
	if d := stamp.Sub(ours); d > 0 {
		if d > longAway && !c.saidTwice(stamp) {
			return
		}
		c.setTo(stamp, d)
		ours = stamp
	}
	c.witness = ours.Sub(stamp) < stampAge
	c.sure = c.witness
}

// told takes what a network says that the time is, which is now and not some time
// ago. Nobody signs it: to take us back behind what is on record it must be said
// twice, and a clock that is trusted does not listen.
func (c *clock) told(theirs time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.witness || theirs.Before(clockFloor) {
		return
	}
	ours := c.base.Add(time.Since(c.anchor))
	d := theirs.Sub(ours)
	if (d > longAway || theirs.Before(c.record)) && !c.saidTwice(theirs) {
		return
	}
	if d > clockSlack || d < -clockSlack {
		c.setTo(theirs, d)
	}
	c.witness, c.sure = true, true
}

// saidTwice says whether the last such time that a network said agrees with t. One
// digit that the line has spoilt is another year, and all that waits would expire.
// c.mu is held.
func (c *clock) saidTwice(t time.Time) bool {
	before := c.heard.Add(time.Since(c.heardAt))
	agree := !c.heard.IsZero() && t.Sub(before).Abs() <= longAway
	c.heard, c.heardAt = t, time.Now()
	return agree
}

// skew is by how much a clock was wrong: by it was planned what is to happen, and
// written what has happened.
type skew struct{ planned, written time.Duration }

// step is our time, by how much it was set since this was last asked for, and whether
// it may let something expire: all of one moment, so that the time is never that of
// before the step.
func (c *clock) step() (now time.Time, by skew, trusted bool) {
	c.now()
	c.mu.Lock()
	defer c.mu.Unlock()
	by, c.stepped = c.stepped, skew{}
	return c.base.Add(time.Since(c.anchor)), by, c.witness
}

// trusted says whether our time may let something expire. Ask before now, for the clock
// may be set in between.
func (c *clock) trusted() bool {
	c.now()
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.witness
}

// kernelSynced asks the kernel whether a time server keeps its clock
// (adjtimex(2)). Setting the clock by hand takes that back.
func kernelSynced() bool {
	var t unix.Timex
	state, err := unix.Adjtimex(&t)
	return err == nil && state != unix.TIME_ERROR && t.Status&unix.STA_UNSYNC == 0
}

// clockJudge says why the kernel cannot be asked, nil if it can: in a container
// adjtimex may be refused.
func clockJudge() error {
	var t unix.Timex
	if _, err := unix.Adjtimex(&t); err != nil {
		return fmt.Errorf("adjtimex: %w", err)
	}
	return nil
}

// hasRTC looks below root, where sys is; "" is /.
func hasRTC(root string) bool {
	_, err := os.Stat(filepath.Join(cmp.Or(root, "/"), "sys/class/rtc/rtc0"))
	return err == nil
}
