package store

import (
	"slices"
	"testing"
	"time"

	"simpost/daemon/api"
)

var (
	refused = &api.Reason{Code: "rejected", Message: "the network refused it"}
	resend  = Decision{State: api.Queued, Reason: api.Reason{Code: "resend", Message: "again"}}
)

// policy is a message of n parts with an on_unknown.
func policy(n int, p api.OnUnknown) NewMessage {
	m := text(n)
	m.OnUnknown = p
	return m
}

func TestSettleFailed(t *testing.T) {
	w := newWorldHere(t)
	id := w.enqueue(text(4))
	jobs := w.due()
	w.sent(jobs[0], 1)
	a := w.submit(jobs[1])
	w.settle(Settle{Attempt: a, State: api.Queued, MR: -1, RetryAt: w.now.Add(time.Hour), Error: refused})
	after := w.s.LastEvent()
	w.settle(Settle{Attempt: w.submit(jobs[2]), State: api.Failed, MR: -1, Error: refused})
	m := w.want(id, api.Failed, api.Submitted, api.Failed, api.Failed, api.Failed)
	if m.Error == nil || m.Reason != nil {
		t.Errorf("error %+v, reason %+v", m.Error, m.Reason)
	}
	want := []api.EventType{api.EventSubmitting, api.EventPartFailed, api.EventPartFailed, api.EventPartFailed, api.EventFailed}
	if got := w.events(after); !slices.Equal(got, want) {
		t.Errorf("events %v, want %v", got, want)
	}
	if len(w.due()) != 0 {
		t.Error("parts of a failed message are still due")
	}
}

// TestRefusedRepeat: the first copy may be out, so a repeat that is refused for good
// proves nothing of the message: it is unknown, and says what the network said.
func TestRefusedRepeat(t *testing.T) {
	w := newWorldHere(t)
	id := w.enqueue(text(2))
	first := w.lost(w.next())
	w.repeat(1)
	after := w.s.LastEvent()
	w.settle(Settle{Attempt: w.submit(w.due()[1]), State: api.Failed, MR: -1, Error: refused})
	m := w.want(id, api.Unknown, api.Unknown, api.Queued)
	if m.Error == nil || m.Error.Code != refused.Code || m.Error.Message != refused.Message+"; an earlier copy may have been sent" {
		t.Errorf("error %+v", m.Error)
	}
	if got := m.Attempts[1]; got.State != api.Failed || got.Error == nil || *got.Error != *refused {
		t.Errorf("the attempt that was refused: %+v", got)
	}
	want := []api.EventType{api.EventSubmitting, api.EventPartUnknown, api.EventUnknown}
	if got := w.events(after); !slices.Equal(got, want) {
		t.Errorf("events %v, want %v", got, want)
	}
	ok(t, w.s.Quarantine(w.tick(), w.sim.ID, w.now))
	if u := must[[]UnknownPart](t)(w.s.Undecided(w.now)); len(u) != 0 {
		t.Errorf("the policy is asked, and would send it a third time: %+v", u)
	}
	w.sent(w.next(), 7) // the other part: the first may have arrived
	ok(t, w.s.Evidence(w.tick(), first, Settle{State: api.Submitted, MR: 6}))
	w.want(id, api.Sent, api.Submitted, api.Submitted)
}

// TestRefusedRepeatIsResolved by a person, as any that is unknown.
func TestRefusedRepeatIsResolved(t *testing.T) {
	for action, want := range map[api.Action]api.State{api.ResolveFail: api.Failed, api.ResolveSent: api.Sent, api.ResolveResend: api.Queued} {
		w := newWorldHere(t)
		id := w.enqueue(text(1))
		w.lost(w.next())
		w.repeat(1)
		w.settle(Settle{Attempt: w.submit(w.next()), State: api.Failed, MR: -1, Error: refused})
		must[api.Message](t)(w.s.Resolve(w.tick(), id, action))
		w.want(id, want)
	}
}

// TestLateRefusalOfTheFirst: no copy is out, and the first was refused for a while only:
// the part is tried again, and is a duplicate of nothing.
func TestLateRefusalOfTheFirst(t *testing.T) {
	w := newWorldHere(t)
	id := w.enqueue(text(1))
	first := w.lost(w.next())
	w.repeat(1)
	w.settle(Settle{Attempt: w.submit(w.next()), State: api.Failed, MR: -1, Error: refused})
	ok(t, w.s.Evidence(w.tick(), first, Settle{State: api.Queued, MR: -1, Error: refused, RetryAt: w.now}))
	if m := w.want(id, api.Queued); m.PossibleDuplicate {
		t.Error("both copies were refused, and it is a possible duplicate")
	}
	w.settle(Settle{Attempt: w.submit(w.next()), State: api.Failed, MR: -1, Error: refused})
	w.want(id, api.Failed)
}

// TestRefusedRepeatOfARefused: where the first copy was refused too, as is learned
// before the repeat ends or after it, the message has failed.
func TestRefusedRepeatOfARefused(t *testing.T) {
	for _, late := range []bool{false, true} {
		w := newWorldHere(t)
		id := w.enqueue(text(1))
		first := w.lost(w.next())
		w.repeat(1)
		second := w.submit(w.next())
		steps := []func(){
			func() { ok(t, w.s.Evidence(w.tick(), first, Settle{State: api.Failed, MR: -1, Error: refused})) },
			func() { w.settle(Settle{Attempt: second, State: api.Failed, MR: -1, Error: refused}) },
		}
		if late {
			slices.Reverse(steps)
		}
		steps[0]()
		steps[1]()
		if m := w.want(id, api.Failed, api.Failed); !late && m.PossibleDuplicate {
			t.Error("every copy was refused, and it is a possible duplicate")
		}
	}
}

func TestSettleTwice(t *testing.T) {
	w := newWorldHere(t)
	id := w.enqueue(text(1))
	a := w.sent(w.next(), 9)
	wantCode(t, w.s.Settle(w.tick(), Settle{Attempt: a, State: api.Failed, MR: -1}), api.CodeConflict)
	wantCode(t, w.s.NotSent(w.tick(), a, w.now, *refused), api.CodeConflict)
	wantCode(t, w.s.Settle(w.tick(), Settle{Attempt: 77, State: api.Failed, MR: -1}), api.CodeNotFound)
	m := w.want(id, api.Sent, api.Submitted)
	if *m.Parts[0].MR != 9 || m.SentAt == nil || *m.Attempts[0].MR != 9 || m.Attempts[0].IMSI != "242010000000001" {
		t.Errorf("got %+v", m)
	}
}

func TestNotSent(t *testing.T) {
	w := newWorldHere(t)
	id := w.enqueue(text(1))
	a := w.submit(w.next())
	ok(t, w.s.NotSent(w.tick(), a, w.now.Add(time.Minute), api.Reason{Code: "not-sent", Message: "no prompt"}))
	m := w.want(id, api.Queued, api.Queued)
	if m.Parts[0].Attempts != 0 || len(m.Attempts) != 1 || m.Attempts[0].State != api.Failed || m.Reason == nil {
		t.Errorf("got %+v", m)
	}
	if len(w.due()) != 0 {
		t.Error("it is due before its time")
	}
	w.now = w.now.Add(time.Minute)
	if j := w.next(); j.Tries != 0 || j.Resend {
		t.Errorf("job %+v", j)
	}
}

func TestPauseAndGiveUp(t *testing.T) {
	w := newWorldHere(t)
	id := w.enqueue(text(2))
	part := w.next().Part
	credit := api.Reason{Code: "no-credit", Message: "the SIM has no credit"}
	after := w.s.LastEvent()
	for i := range 3 {
		ok(t, w.s.Pause(w.tick(), part, w.now.Add(time.Duration(i)*time.Hour), credit))
	}
	if got := w.events(after); len(got) != 1 {
		t.Errorf("waiting for one thing made the events %v", got)
	}
	if m := w.want(id, api.Queued); m.Reason == nil || *m.Reason != credit || m.Parts[0].Attempts != 0 {
		t.Errorf("got %+v", m)
	}
	ok(t, w.s.GiveUp(w.tick(), part, *refused))
	w.want(id, api.Failed, api.Failed, api.Failed)
	wantCode(t, w.s.GiveUp(w.tick(), part, *refused), api.CodeConflict)
	wantCode(t, w.s.Pause(w.tick(), part, w.now, credit), api.CodeConflict)
}

// TestCrash is kill -9 past ^Z: what was in the air is unknown, the rest is not.
func TestCrash(t *testing.T) {
	w := newWorldHere(t)
	id := w.enqueue(text(3))
	w.sent(w.next(), 1)
	w.submit(w.next())
	after := w.s.LastEvent()
	if rec := must[Recovered](t)(w.s.Start(w.tick())); rec.Unknown != 1 {
		t.Errorf("recovered %+v", rec)
	}
	w.want(id, api.Unknown, api.Submitted, api.Unknown, api.Queued)
	want := []api.EventType{api.EventDaemonStarted, api.EventPartUnknown, api.EventUnknown}
	if got := w.events(after); !slices.Equal(got, want) {
		t.Errorf("events %v, want %v", got, want)
	}
	if got := must[[]UnknownPart](t)(w.s.Undecided(w.now.Add(1000 * time.Hour))); len(got) != 0 {
		t.Errorf("decided before the modem is back: %+v", got)
	}
	if rec := must[Recovered](t)(w.s.Start(w.tick())); rec.Unknown != 0 {
		t.Errorf("recovered again %+v", rec)
	}
}

func TestQuarantine(t *testing.T) {
	w := newWorldHere(t)
	id := w.enqueue(text(1))
	a := w.lost(w.next())
	until := w.now.Add(2 * time.Minute)
	undecided := func(now time.Time) []UnknownPart { return must[[]UnknownPart](t)(w.s.Undecided(now)) }
	ok(t, w.s.Quarantine(w.now, w.sim.ID+1, until))
	if _, found, _ := w.s.NextHousekeeping(w.now); found {
		t.Error("another SIM's quarantine was taken for its own")
	}
	ok(t, w.s.Quarantine(w.now, w.sim.ID, until))
	if at, _, _ := w.s.NextHousekeeping(w.now); !at.Equal(until) {
		t.Errorf("housekeeping at %v, want %v", at, until)
	}
	if got := undecided(until.Add(-time.Millisecond)); len(got) != 0 {
		t.Errorf("too early: %+v", got)
	}
	ok(t, w.s.Quarantine(w.now, w.sim.ID, time.Time{}))
	if got := undecided(until); len(got) != 0 {
		t.Errorf("decided while the modem is gone: %+v", got)
	}
	ok(t, w.s.Quarantine(w.now, w.sim.ID, until))
	got := undecided(until)
	if len(got) != 1 || got[0] != (UnknownPart{Part: 1, Message: id, Attempt: a, OnUnknown: api.OnUnknownResend, Unknowns: 1, MR: -1, SIM: w.sim.ID}) {
		t.Fatalf("undecided %+v", got)
	}
	ok(t, w.s.Decide(w.tick(), got[0].Part, resend))
	w.want(id, api.Queued, api.Queued)
	j := w.next()
	if !j.Resend || j.Tries != 1 || j.LastMR != -1 {
		t.Errorf("job %+v", j)
	}
	w.lost(j)
	if m := w.want(id, api.Unknown, api.Unknown); !m.PossibleDuplicate {
		t.Error("the repeat does not say so")
	}
	ok(t, w.s.Quarantine(w.now, w.sim.ID, w.now))
	got = undecided(w.now)
	if len(got) != 1 || got[0].Unknowns != 2 {
		t.Fatalf("undecided %+v", got)
	}
	ok(t, w.s.Decide(w.tick(), got[0].Part, Decision{State: api.Unknown, Reason: api.Reason{Code: "unknown", Message: "twice"}}))
	w.want(id, api.Unknown, api.Unknown)
	ok(t, w.s.Quarantine(w.now, w.sim.ID, w.now))
	if got := undecided(w.now); len(got) != 0 {
		t.Errorf("asked again: %+v", got)
	}
}

// TestPolicies: what each does, and that hold and fail keep the other parts back.
func TestPolicies(t *testing.T) {
	for _, c := range []struct {
		policy   api.OnUnknown
		decision api.State
		due      int // parts of the message that go on while it is unknown
		want     api.State
		second   api.State
		event    api.EventType
	}{
		{api.OnUnknownResend, api.Queued, 1, api.Queued, api.Queued, api.EventPartResend},
		{api.OnUnknownHold, api.Held, 0, api.Held, api.Queued, api.EventHeld},
		{api.OnUnknownFail, api.Failed, 0, api.Failed, api.Failed, api.EventFailed},
	} {
		t.Run(string(c.policy), func(t *testing.T) {
			w := newWorldHere(t)
			id := w.enqueue(policy(2, c.policy))
			second := w.due()[1].Part
			w.lost(w.next())
			if got := w.due(); len(got) != c.due {
				t.Errorf("%d parts are due, want %d", len(got), c.due)
			}
			if c.due == 0 {
				_, err := w.s.Submitting(w.tick(), Submit{Part: second, SIM: w.sim.ID, Modem: "office"})
				wantCode(t, err, api.CodeConflict)
			}
			after := w.s.LastEvent()
			ok(t, w.s.Decide(w.tick(), 1, Decision{State: c.decision, Reason: *refused}))
			w.want(id, c.want, c.decision, c.second)
			if got := w.events(after); !slices.Contains(got, c.event) {
				t.Errorf("events %v, want %s", got, c.event)
			}
			wantCode(t, w.s.Decide(w.tick(), 1, Decision{State: c.decision}), api.CodeConflict)
		})
	}
}

func TestResolve(t *testing.T) {
	for _, c := range []struct {
		action api.Action
		want   api.State
		first  api.State
		second api.State
		due    int
	}{
		{api.ResolveResend, api.Queued, api.Queued, api.Queued, 2},
		{api.ResolveFail, api.Failed, api.Failed, api.Failed, 0},
		{api.ResolveSent, api.Sending, api.Submitted, api.Queued, 1},
	} {
		for _, held := range []bool{false, true} {
			w := newWorldHere(t)
			id := w.enqueue(policy(2, api.OnUnknownHold))
			w.lost(w.next())
			if held {
				ok(t, w.s.Decide(w.tick(), 1, Decision{State: api.Held, Reason: *refused}))
			}
			m := must[api.Message](t)(w.s.Resolve(w.tick(), id, c.action))
			if m.State != c.want || m.Parts[0].State != c.first || m.Parts[1].State != c.second {
				t.Errorf("%s, held %v: got %s %+v", c.action, held, m.State, m.Parts)
			}
			if m.Attempts[0].State != api.Unknown {
				t.Errorf("%s: a person's word was taken for evidence: %+v", c.action, m.Attempts)
			}
			if got := len(w.due()); got != c.due {
				t.Errorf("%s: %d parts are due, want %d", c.action, got, c.due)
			}
			if m.PossibleDuplicate != (c.action == api.ResolveResend) {
				t.Errorf("%s: possible_duplicate is %v", c.action, m.PossibleDuplicate)
			}
			_, err := w.s.Resolve(w.tick(), id, c.action)
			wantHint(t, err, api.CodeConflict)
		}
	}
	w := newWorldHere(t)
	_, err := w.s.Resolve(w.now, 1, api.ResolveSent)
	wantCode(t, err, api.CodeNotFound)
	_, err = w.s.Resolve(w.now, 1, "perhaps")
	wantCode(t, err, api.CodeInvalid)
}

func TestCancel(t *testing.T) {
	w := newWorldHere(t)
	id := w.enqueue(text(2))
	m := must[api.Message](t)(w.s.Cancel(w.tick(), id))
	if m.State != api.Cancelled || m.Parts[1].State != api.Cancelled {
		t.Errorf("got %+v", m)
	}
	late := func(id int64) {
		t.Helper()
		_, err := w.s.Cancel(w.tick(), id)
		t.Log(wantCode(t, err, api.CodeTooLate).Message)
	}
	late(id)
	inAir, partly, unknown, again, refusedOnce := w.enqueue(text(1)), w.enqueue(text(2)), w.enqueue(text(1)), w.enqueue(text(1)), w.enqueue(text(1))
	for _, j := range w.due() {
		switch {
		case j.Message == inAir:
			w.submit(j)
		case j.Message == partly && j.Seq == 1:
			w.sent(j, 1)
		case j.Message == unknown:
			w.lost(j)
		case j.Message == again:
			w.lost(j)
			ok(t, w.s.Decide(w.tick(), j.Part, resend))
		case j.Message == refusedOnce:
			w.settle(Settle{Attempt: w.submit(j), State: api.Queued, MR: -1, RetryAt: w.now, Error: refused})
		}
	}
	for _, id := range []int64{inAir, partly, unknown, again} {
		late(id)
	}
	if m := must[api.Message](t)(w.s.Cancel(w.tick(), refusedOnce)); m.State != api.Cancelled {
		t.Errorf("refused for a while and cancelled: %s", m.State)
	}
	_, err := w.s.Cancel(w.tick(), 999)
	wantCode(t, err, api.CodeNotFound)
	rec := must[Received](t)(w.s.Receive(w.tick(), incoming("SM", 1, 1), nil))
	_, err = w.s.Cancel(w.tick(), rec.Message)
	wantCode(t, err, api.CodeConflict)
}

// TestEvidence: what a late answer of an unknown attempt does in each state its
// part may have come to.
func TestEvidence(t *testing.T) {
	accepted := Settle{State: api.Submitted, MR: 5, Evidence: "late answer"}
	later := Settle{State: api.Queued, MR: -1, RetryAt: t0, Error: refused}
	failed := Settle{State: api.Failed, MR: -1, Error: refused}
	decide := func(st api.State) func(*world, Job) {
		return func(w *world, j Job) {
			ok(w.t, w.s.Decide(w.tick(), j.Part, Decision{State: st, Reason: api.Reason{Code: "policy", Message: "decided"}}))
		}
	}
	again := func(then func(*world, int64)) func(*world, Job) {
		return func(w *world, j Job) {
			decide(api.Queued)(w, j)
			then(w, w.submit(w.next()))
		}
	}
	settle := func(set Settle) func(*world, int64) {
		return func(w *world, a int64) {
			set.Attempt = a
			w.settle(set)
		}
	}
	third := func(w *world, j Job) {
		again(settle(Settle{State: api.Unknown, MR: -1}))(w, j)
		must[api.Message](w.t)(w.s.Resolve(w.tick(), j.Message, api.ResolveResend))
	}
	for _, c := range []struct {
		name      string
		before    func(*world, Job)
		set       Settle
		want      api.State
		duplicate bool
	}{
		{"unknown, accepted", func(*world, Job) {}, accepted, api.Submitted, false},
		{"unknown, refused", func(*world, Job) {}, failed, api.Failed, false},
		{"unknown, refused for a while", func(*world, Job) {}, later, api.Queued, false},
		{"unknown for good, accepted", decide(api.Unknown), accepted, api.Submitted, false},
		{"held, accepted", decide(api.Held), accepted, api.Submitted, false},
		{"held, refused", decide(api.Held), failed, api.Failed, false},
		{"failed by policy, accepted", decide(api.Failed), accepted, api.Submitted, false},
		{"failed by policy, refused", decide(api.Failed), failed, api.Failed, false},
		{"queued again, accepted", decide(api.Queued), accepted, api.Submitted, false},
		{"queued again, refused", decide(api.Queued), failed, api.Queued, false},
		{"in the air again, accepted", again(func(*world, int64) {}), accepted, api.Submitting, true},
		{"repeat accepted, first too", again(settle(Settle{State: api.Submitted, MR: 6})), accepted, api.Submitted, true},
		{"repeat refused, first accepted", again(settle(failed)), accepted, api.Submitted, true},
		{"repeat unknown, first refused", again(settle(Settle{State: api.Unknown, MR: -1})), failed, api.Unknown, true},
		{"to be sent a third time, first accepted", third, accepted, api.Submitted, true},
		{"to be sent a third time, first refused", third, failed, api.Queued, true},
		{"repeat unknown, first accepted", again(settle(Settle{State: api.Unknown, MR: -1})), accepted, api.Submitted, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorldHere(t)
			id := w.enqueue(text(1))
			j := w.next()
			a := w.lost(j)
			c.before(w, j)
			ok(t, w.s.Evidence(w.tick(), a, c.set))
			m := w.get(id)
			if m.Parts[0].State != c.want || m.PossibleDuplicate != c.duplicate {
				t.Errorf("part is %s, duplicate %v; want %s %v", m.Parts[0].State, m.PossibleDuplicate, c.want, c.duplicate)
			}
			want := c.set.State
			if want == api.Queued {
				want = api.Failed
			}
			if m.Attempts[0].State != want {
				t.Errorf("attempt is %s, want %s", m.Attempts[0].State, want)
			}
			ok(t, w.s.Evidence(w.tick(), a, failed)) // the first evidence stands
			if got := w.get(id).Attempts[0].State; got != want {
				t.Errorf("then it is %s", got)
			}
		})
	}
}

// TestEvidenceForAMessageThatFailed: a part that was never sent, as is proven late, stays
// behind when another part of its message failed.
func TestEvidenceForAMessageThatFailed(t *testing.T) {
	w := newWorldHere(t)
	id := w.enqueue(text(2))
	a := w.lost(w.next())
	w.settle(Settle{Attempt: w.submit(w.next()), State: api.Failed, MR: -1, Error: refused})
	ok(t, w.s.Evidence(w.tick(), a, Settle{State: api.Queued, MR: -1, RetryAt: t0, Evidence: "it was never sent"}))
	w.want(id, api.Failed, api.Failed, api.Failed)
}

// TestEvidenceOfASettledAttempt: what the modem itself said stands.
func TestEvidenceOfASettledAttempt(t *testing.T) {
	w := newWorldHere(t)
	id := w.enqueue(text(1))
	a := w.submit(w.next())
	ok(t, w.s.Evidence(w.tick(), a, Settle{State: api.Submitted, MR: 5}))
	w.want(id, api.Sending, api.Submitting)
	w.settle(Settle{Attempt: a, State: api.Failed, MR: -1, Error: refused})
	ok(t, w.s.Evidence(w.tick(), a, Settle{State: api.Submitted, MR: 5}))
	if m := w.want(id, api.Failed, api.Failed); m.Attempts[0].State != api.Failed {
		t.Errorf("attempt %+v", m.Attempts[0])
	}
}

// TestEvidenceWhileInTheAir: the first copy turns out to be accepted while the
// repeat is on its way; however that ends, the part is out.
func TestEvidenceWhileInTheAir(t *testing.T) {
	for _, end := range []Settle{
		{State: api.Failed, MR: -1, Error: refused}, {State: api.Queued, MR: -1, RetryAt: t0}, {State: api.Unknown, MR: -1}, {State: api.Submitted, MR: 6},
	} {
		w := newWorldHere(t)
		id := w.enqueue(text(1))
		j := w.next()
		first := w.lost(j)
		ok(t, w.s.Decide(w.tick(), j.Part, resend))
		end.Attempt = w.submit(w.next())
		ok(t, w.s.Evidence(w.tick(), first, Settle{State: api.Submitted, MR: 5}))
		w.want(id, api.Sending, api.Submitting)
		w.settle(end)
		w.want(id, api.Sent, api.Submitted)
	}
}
