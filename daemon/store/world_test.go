package store

import (
	"testing"
	"time"

	"simpost/daemon/api"
)

// world is a store with a SIM in a modem, and a clock that goes a second a step.
type world struct {
	t   testing.TB
	s   *Store
	sim SIM
	now time.Time
}

func newWorld(t testing.TB, s *Store) *world {
	t.Helper()
	sim := must[SIM](t)(s.Seen(t0, Identity{Modem: "office", IMEI: "350000000000006", IMSI: "242010000000001", ICCID: "8947010000000000001"}))
	return &world{t: t, s: s, sim: sim, now: t0}
}

func newWorldHere(t testing.TB) *world {
	t.Helper()
	return newWorld(t, open(t))
}

func (w *world) tick() time.Time {
	w.now = w.now.Add(time.Second)
	return w.now
}

// enqueue accepts one message and returns its id.
func (w *world) enqueue(m NewMessage) int64 {
	w.t.Helper()
	acc := must[Accepted](w.t)(w.s.Enqueue(w.tick(), nil, []NewMessage{m}))
	return parseID(w.t, acc.Messages[0].ID)
}

// due are the jobs that the SIM may send now.
func (w *world) due() []Job {
	w.t.Helper()
	return must[[]Job](w.t)(w.s.Due(w.now, DueQuery{SIM: w.sim.ID, Modem: "office", Limit: 100}))
}

// next is the first of them.
func (w *world) next() Job {
	w.t.Helper()
	jobs := w.due()
	if len(jobs) == 0 {
		w.t.Fatal("nothing is due")
	}
	return jobs[0]
}

// submit begins an attempt of job.
func (w *world) submit(j Job) int64 {
	w.t.Helper()
	ref := j.Ref
	if ref < 0 {
		ref = j.NextRef
	}
	return must[int64](w.t)(w.s.Submitting(w.tick(), Submit{Part: j.Part, SIM: w.sim.ID, Modem: "office", Ref: ref}))
}

// settle ends it.
func (w *world) settle(set Settle) {
	w.t.Helper()
	ok(w.t, w.s.Settle(w.tick(), set))
}

// sent submits a job that the network takes under mr.
func (w *world) sent(j Job, mr int) int64 {
	w.t.Helper()
	a := w.submit(j)
	w.settle(Settle{Attempt: a, State: api.Submitted, MR: mr})
	return a
}

// lost submits a job nobody can say anything of.
func (w *world) lost(j Job) int64 {
	w.t.Helper()
	a := w.submit(j)
	w.settle(Settle{Attempt: a, State: api.Unknown, MR: -1, Error: &api.Reason{Code: "timeout", Message: "no answer"}})
	return a
}

// repeat ends the quarantine of an unknown part, and the policy sends it again.
func (w *world) repeat(part int64) {
	w.t.Helper()
	ok(w.t, w.s.Quarantine(w.tick(), w.sim.ID, w.now))
	ok(w.t, w.s.Decide(w.tick(), part, resend))
}

// get reads a message back.
func (w *world) get(id int64) api.Message {
	w.t.Helper()
	return must[api.Message](w.t)(w.s.Get(id))
}

// want fails unless a message has a state and its parts have theirs.
func (w *world) want(id int64, state api.State, parts ...api.State) api.Message {
	w.t.Helper()
	m := w.get(id)
	if m.State != state {
		w.t.Errorf("message %d is %s, want %s", id, m.State, state)
	}
	for i, p := range parts {
		if m.Parts[i].State != p {
			w.t.Errorf("part %d of message %d is %s, want %s", i+1, id, m.Parts[i].State, p)
		}
	}
	return m
}

// events are the types of the log since seq, with the part where there is one.
func (w *world) events(after int64) (all []api.EventType) {
	w.t.Helper()
	for _, e := range must[[]api.Event](w.t)(w.s.Events(after, 0)) {
		all = append(all, e.Type)
	}
	return all
}

func parseID(t testing.TB, id string) int64 {
	t.Helper()
	return must[int64](t)(parse(id))
}
