package daemon

import (
	"sync"
	"time"

	"simpost/daemon/store"
)

// This file decides which modem sends what. Sessions pull: a modem that is free
// takes the next due part, so a slow modem takes less by itself. Of several free
// modems the one that has sent least takes a message that may go anywhere.
//
// A message is claimed whole and in memory only: `queued` on disk stays a proof
// of not sent, and two modems never share the parts of one message.

const (
	dueLimit    = 16   // parts asked for at a time
	dueLimitMax = 4096 // when all of those belong to other modems' messages
)

// lane is one modem that can send now. All fields are guarded by queue.mu.
type lane struct {
	name  string
	sim   int64
	rules *numberRules  // of its SIM card; nil: it may send to every number
	waker chan struct{} // capacity 1
	idle  bool          // waiting for work
	held  bool          // by the guard, since it sent the last part
	sent  int
}

// queue hands due parts to lanes. Its methods may be called from any goroutine.
type queue struct {
	store *store.Store
	guard *guard

	mu      sync.Mutex
	lanes   map[*lane]bool
	claimed map[int64]*lane // by message
	closed  bool            // nothing is handed out: the disk is full
	aside   aside
}

func newQueue(st *store.Store, g *guard) *queue {
	return &queue{store: st, guard: g, lanes: map[*lane]bool{}, claimed: map[int64]*lane{}}
}

// join makes l known as able to send; leave undoes it and lets others take its work.
func (q *queue) join(l *lane) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.aside.joins(l, q.present(l))
	q.lanes[l] = true
}

func (q *queue) leave(l *lane) {
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.lanes, l)
	q.aside.leaves(q.present(l))
	q.wakeAll()
}

// wake tells every lane that there may be work.
func (q *queue) wake() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.wakeAll()
}

func (q *queue) wakeAll() {
	for l := range q.lanes {
		l.notify()
	}
}

func (l *lane) notify() {
	select {
	case l.waker <- struct{}{}:
	default: // it has been told already
	}
}

// open says whether parts are handed out, and wakes the lanes when they are again.
func (q *queue) open(yes bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = !yes
	if yes {
		q.wakeAll()
	}
}

// idle notes whether l waits for work.
func (q *queue) idle(l *lane, yes bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	l.idle = yes
}

// claim takes the next due part for l. The caller releases it.
func (q *queue) claim(l *lane, now time.Time) (store.Job, bool, error) {
	if err := q.takeBack(now); err != nil {
		return store.Job{}, false, err
	}
	for limit, tries := dueLimit, 0; limit <= dueLimitMax; tries++ {
		job, found, err := q.pick(l, now, limit)
		if err != nil {
			return store.Job{}, false, err
		}
		if len(found.barred) > 0 {
			if err := q.setAside(l, now, found.barred); err != nil {
				q.release(l, job, false)
				return store.Job{}, false, err
			}
		}
		switch {
		case job.Part != 0:
			return job, true, nil
		case len(found.barred) > 0 && tries < asideTries:
			limit = max(limit, 16*dueLimit)
		case len(found.barred) > 0:
			l.notify() // the session has other things to do too
			return store.Job{}, false, nil
		case found.all:
			return store.Job{}, false, nil
		default:
			limit *= 16
		}
	}
	return store.Job{}, false, nil
}

// sight is what a look at the due parts has shown besides the one to send.
type sight struct {
	all    bool        // there are no more
	barred []store.Job // of messages to set aside, which l has claimed
}

// pick claims the first of up to limit due parts that l should send; Part 0: none.
func (q *queue) pick(l *lane, now time.Time, limit int) (take store.Job, f sight, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed || !q.lanes[l] {
		return take, sight{all: true}, nil
	}
	jobs, err := q.store.Due(now, l.query(limit))
	if err != nil {
		return take, f, err
	}
	f.all = len(jobs) < limit
	var others []store.Job
	for _, job := range jobs {
		switch {
		case q.claimed[job.Message] != nil:
		case l.bars(job) == nil:
			if q.mayTake(l, job) {
				q.claimed[job.Message], l.held = l, false
				take = job
			}
		case q.takerOf(job) == nil:
			q.claimed[job.Message] = l
			f.barred = append(f.barred, job)
		default:
			others = append(others, job)
		}
		if take.Part != 0 {
			return take, f, nil
		}
	}
	if limit > dueLimit && !f.all { // they are in the way
		for _, job := range others {
			if q.claimed[job.Message] == nil {
				q.claimed[job.Message] = l
				f.barred = append(f.barred, job)
			}
		}
	}
	return take, f, nil
}

func (l *lane) query(limit int) store.DueQuery {
	return store.DueQuery{SIM: l.sim, Modem: l.name, Home: l.home(), Limit: limit}
}

// mayTake says whether l should send job. A message that any modem may send is
// left to the idle lane that has sent least, which is woken for it.
func (q *queue) mayTake(l *lane, job store.Job) bool {
	if q.claimed[job.Message] != nil {
		return false
	}
	if job.SIM != 0 || job.Modem != "" {
		return true
	}
	best := l
	for other := range q.lanes {
		if other.idle && other.less(best) && other.bars(job) == nil {
			best = other
		}
	}
	if best != l {
		best.notify()
	}
	return best == l
}

func (l *lane) less(other *lane) bool {
	if l.sent != other.sent {
		return l.sent < other.sent
	}
	return l.name < other.name
}

// release gives job back after it was sent, or not.
func (q *queue) release(l *lane, job store.Job, sent bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.claimed[job.Message] == l {
		delete(q.claimed, job.Message)
	}
	if sent {
		l.sent++
	}
}

// nextDue is when l has something to send that it has not now.
func (q *queue) nextDue(l *lane) (time.Time, bool, error) {
	return q.store.NextDue(l.query(0))
}
