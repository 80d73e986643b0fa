package daemon

import (
	"maps"
	"slices"
	"strings"
	"time"

	"simpost/daemon/api"
	"simpost/daemon/store"
	"simpost/pdu"
)

// What was accepted was judged by all the cards that were known then. The card
// that is to send it judges once more, for it is the one that pays: a message that
// it may not send is left to the cards that may. If there is none it waits, with
// the line of the configuration that lifts the rule.
//
// What is in the way of others leaves their lane (store/aside.go), so that to find
// the next part costs the same whatever lies in front of it.

// asideTries bounds how often one claim sets messages aside.
const asideTries = 8

// aside is when what was set aside must be judged anew. All of it is guarded by
// queue.mu.
type aside struct {
	judged map[string]bool // cards and their modems that have been here
	stale  bool            // a card has come or left: what waits for absent ones may go
	turns  int             // of cards that come and leave
	nobody bool            // a card has come that was not here before: what waits for none may go
}

// joins notes that l comes to the lanes that are present.
func (a *aside) joins(l *lane, present map[string]*lane) {
	who := l.name + " " + l.key()
	if a.judged == nil {
		a.judged = map[string]bool{}
	}
	a.nobody = a.nobody || !a.judged[who]
	a.stale = a.stale || !a.judged[who] || present[l.key()] == nil
	a.judged[who] = true
	a.turns++
}

// leaves notes that the lanes that are present are without one. If there are none
// nobody could judge: what waits stays as it is.
func (a *aside) leaves(present map[string]*lane) {
	a.stale = a.stale || len(present) > 0
	a.turns++
}

// home is where l's SIM card is from: what its verdict depends on.
func (l *lane) home() []string {
	if l.rules == nil {
		return nil
	}
	return l.rules.home
}

func (l *lane) key() string { return strings.Join(l.home(), " ") }

// bars says why l may not send job, nil if it may. What has begun on a card is
// finished there.
func (l *lane) bars(job store.Job) *barred {
	if l.rules == nil || job.SIM != 0 {
		return nil
	}
	to, err := pdu.ParseAddress(job.To)
	if err != nil {
		return nil // it was one when it was accepted, and what is sent is in the TPDU
	}
	return l.rules.check(to)
}

// present is one lane of each home, l aside.
func (q *queue) present(l *lane) map[string]*lane {
	homes := map[string]*lane{}
	for other := range q.lanes {
		if other != l {
			homes[other.key()] = other
		}
	}
	return homes
}

// takerOf is the lane that has sent least of those that may send job; nil: none.
func (q *queue) takerOf(job store.Job) *lane {
	var best *lane
	for other := range q.lanes {
		if (job.Modem == "" || job.Modem == other.name) && other.bars(job) == nil && (best == nil || other.less(best)) {
			best = other
		}
	}
	return best
}

// setAside gets what l may not send out of its way. l has claimed it.
func (q *queue) setAside(l *lane, now time.Time, jobs []store.Job) error {
	q.mu.Lock()
	turns := q.aside.turns
	all := make([]store.Aside, len(jobs))
	for i, job := range jobs {
		all[i] = q.placeOf(l, job)
	}
	q.mu.Unlock()
	err := q.store.SetAside(now, all)
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, job := range jobs {
		delete(q.claimed, job.Message)
	}
	if turns != q.aside.turns { // it was judged by cards that may have left, and not by one that has come
		q.aside.stale, q.aside.nobody = true, true
	}
	if err == nil {
		for other := range q.lanes {
			if other != l {
				other.notify()
			}
		}
	}
	return err
}

// placeOf is where a message goes that l may not send.
func (q *queue) placeOf(l *lane, job store.Job) store.Aside {
	if other := q.takerOf(job); other != nil {
		return store.Aside{Message: job.Message, Home: other.home()}
	}
	why := l.bars(job)
	a := store.Aside{Message: job.Message, Nobody: true, Reason: l.rules.waits(why)}
	if modem, home, ok := q.guard.awayFor(job); ok {
		a.Home, a.Nobody = home, false
		a.Reason = &api.Reason{Code: string(why.code), Message: why.why + ": it waits for the modem " + modem + ", whose SIM card may send it"}
	}
	return a
}

// takeBack has what was set aside judged anew, if a card has come or left.
func (q *queue) takeBack(now time.Time) error {
	q.mu.Lock()
	if !q.aside.stale {
		q.mu.Unlock()
		return nil
	}
	nobody := q.aside.nobody
	q.aside.stale, q.aside.nobody = false, false
	var homes [][]string
	for _, l := range q.present(nil) {
		homes = append(homes, l.home())
	}
	q.mu.Unlock()
	err := q.store.TakeBack(now, homes, !nobody)
	if err != nil {
		q.mu.Lock()
		defer q.mu.Unlock()
		q.aside.stale, q.aside.nobody = true, q.aside.nobody || nobody
		return err
	}
	q.wake()
	return nil
}

// awayFor is a modem whose SIM card, when it was last seen, may send job.
func (g *guard) awayFor(job store.Job) (modem string, home []string, ok bool) {
	g.mu.Lock()
	names := slices.Sorted(maps.Keys(g.home))
	g.mu.Unlock()
	for _, name := range names {
		l := &lane{name: name, rules: g.rules(name)}
		if (job.Modem == "" || job.Modem == name) && l.bars(job) == nil {
			return name, l.home(), true
		}
	}
	return "", nil, false
}

// waits is why a message waits that no card may send. It is shown to who may not
// see numbers, so it names none.
func (r *numberRules) waits(b *barred) *api.Reason {
	lift := liftBy("its number in `allow`")
	if b.code == api.CodeGuardCountry {
		lift = r.hint([]*barred{b})
	}
	return &api.Reason{Code: string(b.code), Message: b.why + ": it waits; " + lift}
}
