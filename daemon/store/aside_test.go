package store

import (
	"slices"
	"testing"
	"time"

	"simpost/daemon/api"
)

// What is set aside is found by the cards that it is for, and by any after it was
// taken back; its reason goes with it.
func TestSetAside(t *testing.T) {
	w := newWorldHere(t)
	named := text(1)
	named.Modem = "office"
	ids := []int64{w.enqueue(text(2)), w.enqueue(text(1)), w.enqueue(named)}
	due := func(home ...string) (found []int64) {
		for _, job := range must[[]Job](t)(w.s.Due(w.now, DueQuery{SIM: w.sim.ID, Modem: "office", Home: home, Limit: 10})) {
			if !slices.Contains(found, job.Message) {
				found = append(found, job.Message)
			}
		}
		slices.Sort(found)
		return found
	}
	wantDue := func(want []int64, home ...string) {
		t.Helper()
		if got := due(home...); !slices.Equal(got, want) {
			t.Errorf("a card from %v finds %v, want %v", home, got, want)
		}
	}
	why := &api.Reason{Code: string(api.CodeGuardCountry), Message: "another country"}
	ok(t, w.s.SetAside(w.now, []Aside{{Message: ids[0], Home: []string{"46"}}, {Message: ids[1], Nobody: true, Reason: why}, {Message: ids[2], Nobody: true, Reason: why}}))
	wantDue(nil, "47")
	wantDue(ids[:1], "46")
	if _, found, err := w.s.NextDue(DueQuery{SIM: w.sim.ID, Modem: "office", Home: []string{"47"}}); found || err != nil {
		t.Errorf("a card is told of what it may not send: %v", err)
	}
	m := must[api.Message](t)(w.s.Get(ids[1]))
	if m.State != api.Queued || m.Reason == nil || *m.Reason != *why {
		t.Errorf("it is %s because of %v", m.State, m.Reason)
	}
	ok(t, w.s.TakeBack(w.now, [][]string{{"46"}}, true))
	wantDue(nil, "47")
	ok(t, w.s.TakeBack(w.now, [][]string{{"47"}}, true))
	wantDue(ids[:1], "47")
	ok(t, w.s.TakeBack(w.now, nil, false))
	wantDue(ids, "47")
	if m := must[api.Message](t)(w.s.Get(ids[2])); m.Reason != nil {
		t.Errorf("it was taken back, and waits because of %v", m.Reason)
	}
	if jobs := must[[]Job](t)(w.s.Due(w.now, DueQuery{SIM: w.sim.ID, Modem: "other", Limit: 10})); len(jobs) != 3 {
		t.Errorf("another modem finds %d parts, want the 3 that name none", len(jobs))
	}
}

// What has begun on a card stays with it; what is aside is judged anew by the next start.
func TestSetAsideLeavesWhatHasBegun(t *testing.T) {
	w := newWorldHere(t)
	id := w.enqueue(text(2))
	w.sent(w.next(), 1)
	ok(t, w.s.SetAside(w.now, []Aside{{Message: id, Nobody: true}}))
	if w.next().Message != id {
		t.Error("half of a message was set aside")
	}
	other := w.enqueue(text(1))
	ok(t, w.s.SetAside(w.now, []Aside{{Message: other, Nobody: true}}))
	must[Recovered](t)(w.s.Start(w.now.Add(time.Hour)))
	jobs := must[[]Job](t)(w.s.Due(w.now.Add(time.Hour), DueQuery{SIM: w.sim.ID, Modem: "office", Limit: 10}))
	if len(jobs) != 2 || jobs[1].Message != other {
		t.Errorf("after the start %d parts are due", len(jobs))
	}
}
