package daemon

import (
	"slices"
	"sync"
	"time"

	"simpost/configs"
)

// Every loop of the daemon says, before anything that takes time, by when it will
// be heard of again at the latest. One that is not has lost its way: a driver that
// never returns, a lock that nobody gives back. systemd is told that the daemon is
// alive only while all loops keep their word, and starts it anew when it is not.
// A modem that hangs is no reason: its loop knows, and says so in time.

const (
	roundLimit   = 5 * time.Minute  // one round of the housekeeper
	workLimit    = 10 * time.Minute // from one line written to a modem to the next, besides the wait for an answer
	pulseLeeway  = time.Minute      // for a machine that has much else to do
	houseLoop    = "housekeeper"
	modemLoopFor = "modem "
)

// pulse is by when each loop wants to be heard of. The zero value is ready; it is
// safe for concurrent use.
type pulse struct {
	mu sync.Mutex
	by map[string]time.Time
}

// expect has the loop be heard of again within d.
func (p *pulse) expect(loop string, d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.by == nil {
		p.by = map[string]time.Time{}
	}
	p.by[loop] = time.Now().Add(d + pulseLeeway)
}

// ended expects the loop no more.
func (p *pulse) ended(loop string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.by, loop)
}

// late names the loops that are overdue.
func (p *pulse) late(now time.Time) []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var names []string
	for name, by := range p.by {
		if now.After(by) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// Alive says whether every loop made progress within its own bound, and logs those
// that did not. Safe for concurrent use.
func (d *Daemon) Alive() bool {
	late := d.pulse.late(time.Now())
	if len(late) > 0 {
		d.log.Error("loops are stuck", "loops", late)
	}
	return len(late) == 0
}

// expectModem bounds a step of a modem's loop, after a wait of its own choice.
func (d *Daemon) expectModem(mc configs.Modem, wait time.Duration) {
	d.pulse.expect(modemLoopFor+mc.Name, wait+d.cfg.Send.AnswerTimeout+workLimit)
}
