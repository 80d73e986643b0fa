package daemon

import (
	"context"
	"fmt"
	"time"

	"simpost/daemon/api"
)

// The housekeeper does what time asks for: quarantines that end, messages that
// expire, reports that never came. It sleeps until the next such moment and
// writes nothing when there is none.

const (
	housekeepingPause = time.Second     // at most one round a second, however much happens
	housekeepingLong  = time.Hour       // a round even if nothing is known to be due
	diskProbe         = 5 * time.Second // how often a full disk is tried again
	restampFrom       = time.Minute     // what a clock was wrong by less is left
	untrustedPause    = time.Minute     // between rounds while the clock is not trusted
)

func (d *Daemon) housekeeper(ctx context.Context) error {
	defer d.pulse.ended(houseLoop)
	for {
		d.pulse.expect(houseLoop, roundLimit)
		changed := d.store.Changed()
		if err := d.housekeep(); err != nil {
			return unlessCorrupt(err)
		}
		if !d.rest(ctx, changed) {
			return nil
		}
	}
}

// rest waits for the next moment something is due, or for news; false at the end.
func (d *Daemon) rest(ctx context.Context, changed <-chan struct{}) bool {
	pause := time.NewTimer(housekeepingPause)
	defer pause.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-pause.C:
	}
	longest := d.nextRound(d.now())
	d.pulse.expect(houseLoop, longest)
	next := time.NewTimer(longest)
	defer next.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-next.C:
	case <-changed:
	case <-d.poke:
	case <-d.clock.set:
	}
	return true
}

func (d *Daemon) nextRound(now time.Time) time.Duration {
	if d.full.Load() {
		return diskProbe
	}
	if d.moves.rounds > 0 {
		return 0
	}
	at, ok, err := d.store.NextHousekeeping(now)
	if err != nil || !ok {
		return housekeepingLong
	}
	wait := at.Sub(now)
	if !d.clock.trusted() {
		wait = max(wait, untrustedPause) // what is due may have to wait for the clock
	}
	return min(max(wait, 0), housekeepingLong)
}

// housekeep does one round. A full disk is tried again next time.
func (d *Daemon) housekeep() error {
	err := d.round()
	switch {
	case isDiskFull(err):
		d.diskFull()
		return nil
	case err != nil:
		return fmt.Errorf("housekeeping: %w", err)
	}
	return d.probeDisk()
}

func (d *Daemon) round() error {
	now, by, trusted := d.clock.step()
	d.moves.add(by)
	steps := []func(time.Time) (int, error){d.restamp, d.decideUnknown, d.store.PartialBroadcasts}
	if trusted {
		steps = append(steps, d.store.Expire, d.store.NoReports, d.store.Incomplete, d.store.ForgetKeys, d.store.ForgetBudgets, d.store.Forget, d.store.ForgetEvents)
	}
	for _, step := range steps {
		if _, err := step(now); err != nil {
			return err
		}
	}
	return nil
}

// moves are by how much what is on record is to be moved, and in how many rounds: two,
// because what took its stamp just before the clock was set may be written just after.
type moves struct {
	skew
	rounds int
}

const restampRounds = 2

func (m *moves) add(by skew) {
	if by.planned.Abs() <= restampFrom {
		return
	}
	if m.rounds == restampRounds { // the last one had no effect yet: the disk is full
		by = skew{by.planned + m.planned, by.written + m.written}
	}
	*m = moves{by, restampRounds}
}

func (d *Daemon) restamp(now time.Time) (int, error) {
	m := &d.moves
	if m.rounds == 0 {
		return 0, nil
	}
	n, err := d.store.Restamp(now, m.planned, m.written, m.rounds < restampRounds)
	if err != nil {
		return 0, err
	}
	m.rounds--
	if n > 0 {
		d.log.Warn("the clock was wrong: what was recorded by it is given its right time", "by", m.written, "messages", n)
	}
	d.queue.wake()
	return n, nil
}

// decideUnknown applies each message's policy to parts whose quarantine is over.
func (d *Daemon) decideUnknown(now time.Time) (int, error) {
	parts, err := d.store.Undecided(now)
	if err != nil {
		return 0, err
	}
	for _, u := range parts {
		verdict := decide(u)
		if err := d.store.Decide(now, u.Part, verdict); err != nil && !isConflict(err) { // evidence may have come meanwhile
			return 0, err
		}
		d.log.Warn("outcome unknown", "message", u.Message, "decision", verdict.State)
	}
	if len(parts) > 0 {
		d.queue.wake()
	}
	return len(parts), nil
}

// diskFull stops sending until probeDisk finds room.
func (d *Daemon) diskFull() {
	if !d.closeFor(true) {
		return
	}
	d.log.Error("the disk is full: nothing is sent or accepted until there is room")
	d.wakeHousekeeper()
}

func (d *Daemon) wakeHousekeeper() {
	select {
	case d.poke <- struct{}{}:
	default:
	}
}

// probeDisk tries a real write while the disk is full, and resumes when it works.
func (d *Daemon) probeDisk() error {
	if !d.full.Load() {
		return nil
	}
	if err := d.store.Probe(); err != nil {
		if isDiskFull(err) {
			return nil
		}
		return fmt.Errorf("try the disk: %w", err)
	}
	d.closeFor(false)
	d.log.Info("there is room on the disk again")
	return nil
}

// closeFor opens or closes the queue for a full disk, and says whether that
// changed anything. The mark and the queue change together.
func (d *Daemon) closeFor(full bool) bool {
	d.gate.Lock()
	defer d.gate.Unlock()
	if d.full.Swap(full) == full {
		return false
	}
	d.queue.open(!full)
	return true
}

// trouble is what is wrong with the daemon itself, nil if nothing.
func (d *Daemon) trouble() *api.Reason {
	if d.full.Load() {
		return &api.Reason{Code: string(api.CodeDiskFull), Message: conditionWords[api.CondDiskFull].sentence}
	}
	if isCorrupt(d.store.Err()) {
		return &api.Reason{Code: string(api.CodeDatabaseCorrupt), Message: corruptSentence()}
	}
	return d.damage.Load()
}
