package daemon

import (
	"fmt"
	"slices"
	"time"

	"simpost/daemon/api"
)

// pacePeriod is what parts_per_minute counts in.
const pacePeriod = time.Minute

// maxTold bounds what a pace remembers of parts whose delay is on record: to
// record it again changes nothing.
const maxTold = 4096

// waitingLimit is how many parts of a queue are told why they wait; those behind
// them have to wait for these first.
const waitingLimit = 256

// pace slows a SIM card down: no more than limit parts leave in any minute. It is
// its session's own.
type pace struct {
	limit int            // 0 none
	left  []time.Time    // when the last parts left, at most limit; monotonic
	told  map[int64]bool // parts whose delay is on record
}

// note counts a part that leaves now.
func (p *pace) note(now time.Time) {
	if p.limit == 0 {
		return
	}
	p.left = append(p.left, now)
	p.left = p.left[max(0, len(p.left)-p.limit):]
}

// next is when a part may leave again; zero is any time.
func (p *pace) next() time.Time {
	if p.limit == 0 || len(p.left) < p.limit {
		return time.Time{}
	}
	return p.left[0].Add(pacePeriod)
}

// news is those of parts whose delay is not on record yet. Then it is.
func (p *pace) news(parts []int64) []int64 {
	parts = slices.DeleteFunc(parts, func(part int64) bool { return p.told[part] })
	if len(p.told) > maxTold || p.told == nil {
		p.told = map[int64]bool{}
	}
	for _, part := range parts {
		p.told[part] = true
	}
	return parts
}

func (p *pace) reason() api.Reason {
	return api.Reason{Code: string(api.CodeGuardPace),
		Message: fmt.Sprintf("the SIM card has sent %d parts within a minute: it goes on by itself (parts_per_minute below [guard])", p.limit)}
}

// paceOf takes up the pace of a SIM card where the process or the session before
// left it: a daemon that crashes in a loop must not send without limit.
func (d *Daemon) paceOf(sim int64) (pace, error) {
	if d.guard.off() {
		return pace{}, nil
	}
	p, now := pace{limit: d.cfg.Guard.PartsPerMinute}, d.now()
	left, err := d.store.Left(now, sim, now.Add(-pacePeriod), p.limit)
	if err != nil {
		return pace{}, fmt.Errorf("look up what the SIM card has sent: %w", err)
	}
	for _, at := range left {
		p.note(time.Now().Add(-now.Sub(at)))
	}
	return p, nil
}

// slowed tells those who look at a message that waits for the SIM card's pace and
// for nothing else.
func (s *session) slowed(now time.Time) error {
	if !s.sending || now.Before(s.paused) || !now.Before(s.pace.next()) {
		return nil
	}
	parts, err := s.d.queue.waiting(s.lane, s.d.now())
	if err != nil {
		return err
	}
	if parts = s.pace.news(parts); len(parts) == 0 {
		return nil
	}
	return s.d.store.Delayed(s.d.now(), parts, s.pace.reason())
}

// waiting is the due parts that wait for l, which holds back until it takes the
// next one: those that no other lane may send.
func (q *queue) waiting(l *lane, now time.Time) ([]int64, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	l.held = true
	jobs, err := q.store.Due(now, l.query(waitingLimit))
	if err != nil {
		return nil, err
	}
	alone := true
	for other := range q.lanes {
		alone = alone && (other == l || other.held)
	}
	var parts []int64
	for _, job := range jobs {
		if q.claimed[job.Message] == nil && l.bars(job) == nil && (alone || job.SIM != 0 || job.Modem != "") {
			parts = append(parts, job.Part)
		}
	}
	return parts, nil
}

// recognise makes a modem's SIM known to the guard, and warns where that can't
// tell its country.
func (d *Daemon) recognise(modem, imsi string) {
	if d.guard.off() {
		return
	}
	codes := d.guard.seen(modem, imsi)
	d.board.update(modem, func(m *api.Modem) {
		m.Home, m.Warning = nil, nil
		for _, c := range codes {
			m.Home = append(m.Home, "+"+c)
		}
		if len(codes) == 0 {
			m.Warning = homeUnknown()
		}
	})
	if len(codes) == 0 {
		d.log.Warn("the guard cannot tell the country of this SIM card: every country but premium numbers is allowed", "modem", modem)
	}
}

// remember tells the guard of the SIM cards that were in the modems before, so
// that what is handed in before a modem is up is judged by them.
func (d *Daemon) remember() error {
	if d.guard.off() {
		d.log.Warn("the guard is off: nothing limits what is sent")
		return nil
	}
	known, err := d.store.Cards()
	if err != nil {
		return fmt.Errorf("look up the SIM cards: %w", err)
	}
	for _, name := range d.board.names() {
		if imsi, ok := known[name]; ok {
			d.guard.seen(name, imsi)
		}
	}
	if len(d.guard.homes("")) == 0 {
		d.log.Warn("no SIM card has told its country yet: until then every country but premium numbers is allowed")
	}
	return nil
}
