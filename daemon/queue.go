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
	waker chan struct{} // capacity 1
	idle  bool          // waiting for work
	held  bool          // by the guard, since it sent the last part
	sent  int
}

// queue hands due parts to lanes. Its methods may be called from any goroutine.
type queue struct {
	store *store.Store

	mu      sync.Mutex
	lanes   map[*lane]bool
	claimed map[int64]*lane // by message
	closed  bool            // nothing is handed out: the disk is full
}

func newQueue(st *store.Store) *queue {
	return &queue{store: st, lanes: map[*lane]bool{}, claimed: map[int64]*lane{}}
}

// join makes l known as able to send; leave undoes it and lets others take its work.
func (q *queue) join(l *lane) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.lanes[l] = true
}

func (q *queue) leave(l *lane) {
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.lanes, l)
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
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed || !q.lanes[l] {
		return store.Job{}, false, nil
	}
	for limit := dueLimit; limit <= dueLimitMax; limit *= 16 {
		jobs, err := q.store.Due(now, store.DueQuery{SIM: l.sim, Modem: l.name, Limit: limit})
		if err != nil {
			return store.Job{}, false, err
		}
		for _, job := range jobs {
			if q.mayTake(l, job) {
				q.claimed[job.Message], l.held = l, false
				return job, true, nil
			}
		}
		if len(jobs) < limit {
			break
		}
	}
	return store.Job{}, false, nil
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
		if other.idle && other.less(best) {
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
func (q *queue) nextDue(l *lane, now time.Time) (time.Time, bool, error) {
	return q.store.NextDue(now, l.sim, l.name)
}
