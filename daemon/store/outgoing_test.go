package store

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"simpost/daemon/api"
)

func TestIdempotency(t *testing.T) {
	s := open(t)
	key := func(caller, name string, hash byte) *Key {
		return &Key{Caller: caller, Key: name, Hash: [32]byte{hash}}
	}
	first := must[Accepted](t)(s.Enqueue(t0, key("1000", "k", 1), []NewMessage{text(1), text(2)}))
	if first.Replayed || len(first.Messages) != 2 {
		t.Fatalf("first: %+v", first)
	}
	ok(t, s.Expire1(at(time.Hour)))
	again := must[Accepted](t)(s.Enqueue(at(6*24*time.Hour), key("1000", "k", 1), []NewMessage{text(1), text(2)}))
	if !again.Replayed || string(again.Body) != string(first.Body) || len(again.Messages) != 2 || again.Messages[1].ID != first.Messages[1].ID {
		t.Errorf("again: %+v", again)
	}
	_, err := s.Enqueue(at(time.Hour), key("1000", "k", 2), []NewMessage{text(1)})
	wantHint(t, err, api.CodeKeyReused)
	other := must[Accepted](t)(s.Enqueue(at(time.Hour), key("1001", "k", 2), []NewMessage{text(1)}))
	if other.Replayed {
		t.Error("another caller's key was taken for the same")
	}
	late := must[Accepted](t)(s.Enqueue(at(keepKeys), key("1000", "k", 2), []NewMessage{text(1)}))
	if late.Replayed {
		t.Error("the key was remembered for longer than 7 days")
	}
	if n := must[int](t)(s.ForgetKeys(at(keepKeys + time.Hour))); n != 1 { // the one of 1001
		t.Errorf("forgot %d keys, want 1", n)
	}
	if page := must[api.Messages](t)(s.List(Filter{})); len(page.Messages) != 4 {
		t.Errorf("%d messages, want 4", len(page.Messages))
	}
}

// Expire1 is Expire without its count.
func (s *Store) Expire1(now time.Time) error {
	_, err := s.Expire(now)
	return err
}

// TestAllOrNothing: a list with one that can't be stored leaves nothing behind.
func TestAllOrNothing(t *testing.T) {
	s := open(t)
	bad := text(1)
	bad.Parts = [][]byte{nil}
	_, err := s.Enqueue(t0, &Key{Caller: "a", Key: "b"}, []NewMessage{text(1), bad})
	if err == nil {
		t.Fatal("a part without octets was accepted")
	}
	if page := must[api.Messages](t)(s.List(Filter{})); len(page.Messages) != 0 || s.LastEvent() != 0 {
		t.Errorf("left: %+v", page)
	}
	if n := s.Counts()["queued"]; n != 0 {
		t.Errorf("%d are counted as queued", n)
	}
	_, err = s.Enqueue(t0, nil, []NewMessage{text(1), text(0)})
	wantCode(t, err, api.CodeEmptyText)
	must[Accepted](t)(s.Enqueue(t0, &Key{Caller: "a", Key: "b"}, []NewMessage{text(1)}))
}

func TestAcceptedIsWhatIsRead(t *testing.T) {
	s := open(t)
	class, later, end := 0, t0.Add(time.Hour+123456*time.Nanosecond), t0.Add(2*time.Hour)
	m := text(2)
	m.Class, m.NotBefore, m.Expires, m.Priority, m.OnUnknown, m.Modem = &class, &later, &end, api.Alert, api.OnUnknownHold, "office"
	acc := must[Accepted](t)(s.Enqueue(t0, nil, []NewMessage{m})).Messages[0]
	got := must[api.Message](t)(s.Get(parseID(t, acc.ID)))
	if fmt.Sprintf("%+v %v %v %v", shallow(acc), *acc.Text, *acc.NotBefore, *acc.Expires) != fmt.Sprintf("%+v %v %v %v", shallow(got), *got.Text, *got.NotBefore, *got.Expires) {
		t.Errorf("accepted %+v\nread     %+v", acc, got)
	}
	if got.State != api.Scheduled || len(got.Parts) != 2 || got.Parts[1].Report != api.ReportWaiting {
		t.Errorf("got %+v", got)
	}
}

// shallow is m without what it points at.
func shallow(m api.Message) api.Message {
	m.Text, m.NotBefore, m.Expires, m.Class = nil, nil, nil, nil
	return m
}

// TestDueOrder: priority, begun before new, due time, id; and whose turn it is.
func TestDueOrder(t *testing.T) {
	w := newWorldHere(t)
	other := must[SIM](t)(w.s.Seen(t0, Identity{Modem: "spare", IMSI: "242010000000002"}))
	later := w.now.Add(time.Hour)
	add := func(change func(*NewMessage)) int64 {
		m := text(2)
		change(&m)
		return w.enqueue(m)
	}
	bulk := add(func(m *NewMessage) { m.Priority = api.Bulk })
	first := add(func(*NewMessage) {})
	named := add(func(m *NewMessage) { m.Modem = "office" })
	add(func(m *NewMessage) { m.Modem = "spare" })
	scheduled := add(func(m *NewMessage) { m.NotBefore = &later; m.Priority = api.Alert })
	begun := add(func(*NewMessage) {})
	alert := add(func(m *NewMessage) { m.Priority = api.Alert })

	order := func(jobs []Job) (got []int64) {
		for _, j := range jobs {
			if j.Seq == 1 {
				got = append(got, j.Message)
			}
		}
		return got
	}
	want := []int64{alert, first, named, begun, bulk}
	if got := order(w.due()); !slices.Equal(got, want) {
		t.Errorf("order %v, want %v", got, want)
	}
	for _, j := range w.due() {
		if j.Message == begun && j.Seq == 1 {
			a := w.submit(j)
			w.settle(Settle{Attempt: a, State: api.Queued, MR: -1, RetryAt: w.now.Add(time.Second)})
		}
	}
	w.tick()
	want = []int64{alert, begun, first, named, bulk}
	if got := order(w.due()); !slices.Equal(got, want) {
		t.Errorf("after it began: order %v, want %v", got, want)
	}
	for _, j := range must[[]Job](t)(w.s.Due(w.now, DueQuery{SIM: other.ID, Modem: "spare", Limit: 100})) {
		if j.Message == begun || j.Message == named {
			t.Errorf("message %d was offered to another SIM", j.Message)
		}
	}
	w.now = later
	if got := order(w.due()); got[0] != alert || got[1] != scheduled {
		t.Errorf("when its time has come: order %v", got)
	}
	if jobs := must[[]Job](t)(w.s.Due(w.now, DueQuery{SIM: w.sim.ID, Modem: "office", Limit: 3})); len(jobs) != 3 {
		t.Errorf("limit 3 gave %d", len(jobs))
	}
}

func TestNextDue(t *testing.T) {
	w := newWorldHere(t)
	next := func() (time.Time, bool) {
		at, found, err := w.s.NextDue(DueQuery{SIM: w.sim.ID, Modem: "office"})
		ok(t, err)
		return at, found
	}
	if _, found := next(); found {
		t.Error("something is due in an empty store")
	}
	later := w.now.Add(time.Hour)
	m := text(1)
	m.NotBefore = &later
	id := w.enqueue(m)
	if at, found := next(); !found || !at.Equal(later) {
		t.Errorf("next is %v, want %v", at, later)
	}
	if at, found, err := w.s.NextHousekeeping(w.now); err != nil || !found || !at.Equal(later) {
		t.Errorf("housekeeping is at %v %v, want %v", at, err, later)
	}
	w.now = later
	if n := must[int](t)(w.s.Expire(later)); n != 1 {
		t.Errorf("%d were woken, want 1", n)
	}
	w.want(id, api.Queued)
	retry := w.now.Add(time.Minute)
	a := w.submit(w.next())
	w.settle(Settle{Attempt: a, State: api.Queued, MR: -1, RetryAt: retry, Error: &api.Reason{Code: "rejected", Message: "congestion"}})
	if at, _ := next(); !at.Equal(retry) {
		t.Errorf("next is %v, want %v", at, retry)
	}
	if got := w.want(id, api.Queued).Reason; got == nil || got.Code != "rejected" {
		t.Errorf("reason %+v", got)
	}
}

// TestOneSIMOneReference is I5: parts go out under one reference of one SIM's counter.
func TestOneSIMOneReference(t *testing.T) {
	w := newWorldHere(t)
	other := must[SIM](t)(w.s.Seen(t0, Identity{Modem: "spare", IMSI: "242010000000002"}))
	ok(t, w.s.write(w.now, "wind the counter on", func(t *tx) error {
		_, err := t.exec(`UPDATE sim SET next_ref = 254 WHERE id = ?`, w.sim.ID)
		return err
	}))
	for ref := 254; ref < 257; ref++ {
		id := w.enqueue(text(2))
		jobs := w.due()
		if jobs[0].Message != id || jobs[0].Ref != -1 || jobs[0].NextRef != ref&0xff {
			t.Fatalf("job %+v, want message %d and reference %d", jobs[0], id, ref&0xff)
		}
		w.sent(jobs[0], 1)
		j := w.next()
		if j.Ref != ref&0xff || j.SIM != w.sim.ID {
			t.Fatalf("second part %+v, want reference %d", j, ref&0xff)
		}
		if ref == 254 {
			_, err := w.s.Submitting(w.tick(), Submit{Part: j.Part, SIM: other.ID, Modem: "spare", Ref: j.Ref})
			wantCode(t, err, api.CodeConflict)
			_, err = w.s.Submitting(w.tick(), Submit{Part: j.Part, SIM: w.sim.ID, Modem: "office", Ref: j.Ref + 1})
			wantCode(t, err, api.CodeConflict)
		}
		w.sent(j, 2)
	}
	single := w.enqueue(text(1))
	w.sent(w.next(), 3)
	w.want(single, api.Sent)
	w.enqueue(text(2))
	if got := w.next().NextRef; got != 1 {
		t.Errorf("next reference %d, want 1: one part needs none", got)
	}
}

// TestOnePartNeedsNoReference: whatever reference comes with it, first and again.
func TestOnePartNeedsNoReference(t *testing.T) {
	w := newWorldHere(t)
	id := w.enqueue(text(1))
	part := w.next().Part
	for ref := 5; ref < 8; ref++ {
		a := must[int64](t)(w.s.Submitting(w.tick(), Submit{Part: part, SIM: w.sim.ID, Modem: "office", Ref: ref}))
		w.settle(Settle{Attempt: a, State: api.Queued, MR: -1, RetryAt: w.now, Error: refused})
	}
	if j := w.next(); j.Message != id || j.Ref != -1 || j.NextRef != 0 || j.Tries != 3 {
		t.Errorf("job %+v", j)
	}
}

// TestSIMMoves: the SIM of a message that has begun is put into another modem.
func TestSIMMoves(t *testing.T) {
	w := newWorldHere(t)
	m := text(2)
	m.Modem = "office"
	id := w.enqueue(m)
	w.sent(w.next(), 1)
	moved := must[SIM](t)(w.s.Seen(w.tick(), Identity{Modem: "spare", IMSI: "242010000000001"}))
	jobs := must[[]Job](t)(w.s.Due(w.now, DueQuery{SIM: moved.ID, Modem: "spare", Limit: 9}))
	if len(jobs) != 1 || jobs[0].Message != id {
		t.Fatalf("jobs %+v", jobs)
	}
	a := must[int64](t)(w.s.Submitting(w.tick(), Submit{Part: jobs[0].Part, SIM: moved.ID, Modem: "spare", Ref: jobs[0].Ref}))
	w.settle(Settle{Attempt: a, State: api.Submitted, MR: 2})
	if got := w.want(id, api.Sent).Parts; got[0].Modem != "office" || got[1].Modem != "spare" {
		t.Errorf("parts %+v", got)
	}
}

func TestSubmittingRefusals(t *testing.T) {
	w := newWorldHere(t)
	conflict := func(name string, part int64) {
		t.Helper()
		_, err := w.s.Submitting(w.tick(), Submit{Part: part, SIM: w.sim.ID, Modem: "office"})
		e := wantCode(t, err, api.CodeConflict)
		t.Logf("%s: %s", name, e.Message)
	}
	w.enqueue(text(1))
	j := w.next()
	a := w.submit(j)
	conflict("in the air already", j.Part) // I4
	w.settle(Settle{Attempt: a, State: api.Submitted, MR: 1})
	conflict("sent", j.Part)
	id := w.enqueue(text(1))
	j = w.next()
	must[api.Message](t)(w.s.Cancel(w.tick(), id))
	conflict("cancelled", j.Part)
	m, end := text(1), w.now.Add(2*time.Second)
	m.Expires = &end
	w.enqueue(m)
	j = w.next()
	w.tick()
	conflict("expired", j.Part)
	ok(t, w.s.Expire1(w.now))
	m = text(1)
	m.Modem = "spare"
	w.enqueue(m)
	conflict("another modem's", j.Part+1)
	_, err := w.s.Submitting(w.tick(), Submit{Part: 999, SIM: w.sim.ID, Modem: "office"})
	wantCode(t, err, api.CodeNotFound)
}

// TestIndexHoldsI4: not even a mistake in this package can open two attempts.
func TestIndexHoldsI4(t *testing.T) {
	w := newWorldHere(t)
	w.enqueue(text(1))
	w.submit(w.next())
	err := w.s.write(w.now, "cheat", func(t *tx) error {
		_, err := t.exec(`INSERT INTO attempt (part, state, sim, modem, number_key, tail, started_at, reason) SELECT part, state, sim, modem, number_key, tail, started_at, reason FROM attempt`)
		return err
	})
	if err == nil {
		t.Error("a part has two attempts in the air")
	}
}

func TestExpire(t *testing.T) {
	w := newWorldHere(t)
	end := w.now.Add(time.Hour)
	expiring := func(n int) int64 {
		m := text(n)
		m.Expires = &end
		return w.enqueue(m)
	}
	never, begun, again := expiring(1), expiring(2), expiring(1)
	for _, j := range w.due() {
		switch {
		case j.Message == begun && j.Seq == 1:
			w.sent(j, 1)
		case j.Message == again:
			w.lost(j)
			ok(t, w.s.Decide(w.tick(), j.Part, Decision{State: api.Queued, Reason: api.Reason{Code: "resend", Message: "again"}}))
		}
	}
	if at, found, err := w.s.NextHousekeeping(w.now); err != nil || !found || !at.Equal(end) {
		t.Errorf("housekeeping at %v %v, want %v", at, err, end)
	}
	w.now = end
	if n := must[int](t)(w.s.Expire(end)); n != 3 {
		t.Errorf("%d parts expired, want 3", n)
	}
	w.want(never, api.Expired, api.Expired)
	w.want(begun, api.Expired, api.Submitted, api.Expired)
	w.want(again, api.Unknown, api.Unknown)
	if jobs := w.due(); len(jobs) != 0 {
		t.Errorf("still due: %+v", jobs)
	}
	if n := must[int](t)(w.s.Expire(end)); n != 0 {
		t.Errorf("%d more", n)
	}
}

// TestExpireMany takes more than a batch.
func TestExpireMany(t *testing.T) {
	w := newWorldHere(t)
	end, list := w.now.Add(time.Hour), []NewMessage{}
	for range 2*housekeepingBatch + 1 {
		m := text(1)
		m.Expires = &end
		list = append(list, m)
	}
	must[Accepted](t)(w.s.Enqueue(w.now, nil, list))
	if n := must[int](t)(w.s.Expire(end)); n != len(list) {
		t.Errorf("%d expired, want %d", n, len(list))
	}
}
