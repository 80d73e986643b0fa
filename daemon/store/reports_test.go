package store

import (
	"slices"
	"testing"
	"time"

	"simpost/daemon/api"
)

// reports hands in delivery reports, each with octets of its own.
type reports struct {
	*world
	n int
}

const (
	stDelivered = 0x00
	stPending   = 0x20
	stFailed    = 0x45
)

// report is a report about mr to number, stamped by the service centre at scts.
func (r *reports) report(mr int, number string, scts time.Time, status int) Received {
	r.t.Helper()
	r.n++
	in := Incoming{Modem: "office", SIM: r.sim.ID, Slot: -1, PDU: []byte{6, byte(r.n)}, Kind: "report", Report: &Report{
		MR: mr, Number: number, SentAt: scts, Discharge: scts.Add(time.Duration(r.n) * time.Second), Status: status,
		StatusText: "as it is", Final: status != stPending, Delivered: status == stDelivered}}
	return r.receive(in)
}

func newReports(t *testing.T) *reports { return &reports{world: newWorldHere(t)} }

const recipient = "+4790000001"

func TestReportStates(t *testing.T) {
	for _, c := range []struct {
		name   string
		status []int
		want   api.State
		report api.ReportState
	}{
		{"delivered", []int{stDelivered}, api.Delivered, api.ReportDelivered},
		{"failed", []int{stFailed}, api.Failed, api.ReportFailed},
		{"pending", []int{stPending}, api.Sent, api.ReportPending},
		{"pending, then delivered", []int{stPending, stPending, stDelivered}, api.Delivered, api.ReportDelivered},
		{"pending, then failed", []int{stPending, stFailed}, api.Failed, api.ReportFailed},
		{"delivered stays", []int{stDelivered, stFailed, stPending}, api.Delivered, api.ReportDelivered},
		{"failed, then delivered after all", []int{stFailed, stPending, stDelivered}, api.Delivered, api.ReportDelivered},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newReports(t)
			id := w.enqueue(text(1))
			w.sent(w.next(), 7)
			for _, status := range c.status {
				if got := w.report(7, "90000001", w.now, status); got.Matched != id {
					t.Errorf("status %#x: matched %d, want %d", status, got.Matched, id)
				}
			}
			m := w.want(id, c.want)
			if m.Parts[0].Report != c.report || len(m.Reports) != len(c.status) {
				t.Errorf("got %+v", m)
			}
		})
	}
}

// TestReportRepeated: the same report again changes nothing and is matched as before.
func TestReportRepeated(t *testing.T) {
	w := newReports(t)
	id := w.enqueue(text(1))
	w.sent(w.next(), 7)
	scts := w.now
	w.report(7, recipient, scts, stDelivered)
	after := w.s.LastEvent()
	w.n--
	got := w.report(7, recipient, scts, stDelivered)
	if !got.New || got.Matched != id || len(w.get(id).Reports) != 1 || w.s.LastEvent() != after {
		t.Errorf("got %+v, events %v", got, w.events(after))
	}
}

// TestReportBeforeAnswer: the report overtakes the +CMGS.
func TestReportBeforeAnswer(t *testing.T) {
	for status, want := range map[int]api.State{stDelivered: api.Delivered, stFailed: api.Failed, stPending: api.Submitted} {
		w := newReports(t)
		id := w.enqueue(text(1))
		a := w.submit(w.next())
		if got := w.report(7, recipient, w.now, status); got.Matched != 0 {
			t.Errorf("matched before the MR is known: %+v", got)
		}
		w.settle(Settle{Attempt: a, State: api.Submitted, MR: 7})
		if m := w.get(id); m.Parts[0].State != want || len(m.Reports) != 1 {
			t.Errorf("status %#x: %+v, want %s", status, m, want)
		}
	}
}

// TestReportProves: a report settles an unknown attempt, in every state its part
// may have come to.
func TestReportProves(t *testing.T) {
	decide := func(st api.State) func(*reports) {
		return func(w *reports) { ok(w.t, w.s.Decide(w.tick(), 1, Decision{State: st, Reason: *refused})) }
	}
	for _, c := range []struct {
		name    string
		before  func(*reports)
		pending api.State
	}{
		{"unknown", func(*reports) {}, api.Submitted},
		{"unknown for good", decide(api.Unknown), api.Submitted},
		{"held", decide(api.Held), api.Submitted},
		{"failed by policy", decide(api.Failed), api.Submitted},
		{"queued again", decide(api.Queued), api.Submitted},
	} {
		for _, final := range []bool{false, true} {
			w := newReports(t)
			id := w.enqueue(text(1))
			w.lost(w.next())
			scts := w.now
			c.before(w)
			status, want := stPending, c.pending
			if final {
				status, want = stDelivered, api.Delivered
			}
			if got := w.report(9, recipient, scts, status); got.Matched != id {
				t.Errorf("%s: not matched", c.name)
			}
			m := w.get(id)
			if m.Parts[0].State != want || *m.Parts[0].MR != 9 || m.PossibleDuplicate {
				t.Errorf("%s, final %v: %+v", c.name, final, m)
			}
			if a := m.Attempts[0]; a.State != api.Submitted || a.Evidence == "" {
				t.Errorf("%s: attempt %+v", c.name, a)
			}
		}
	}
}

// TestReportWhileRepeating: it proves the first copy while the second is in the air.
func TestReportWhileRepeating(t *testing.T) {
	w := newReports(t)
	id := w.enqueue(text(1))
	w.settle(Settle{Attempt: w.submit(w.next()), State: api.Unknown, MR: 5})
	scts := w.now
	ok(t, w.s.Decide(w.tick(), 1, resend))
	a := w.submit(w.next())
	w.report(5, recipient, scts, stDelivered)
	w.want(id, api.Sending, api.Submitting)
	w.settle(Settle{Attempt: a, State: api.Failed, MR: -1, Error: refused})
	if m := w.want(id, api.Delivered, api.Delivered); !m.PossibleDuplicate {
		t.Error("the repeat was sent and does not say so")
	}
}

// TestReportNotForThem: reports that fit nobody are kept and said so.
func TestReportNotForThem(t *testing.T) {
	w := newReports(t)
	id := w.enqueue(text(1))
	w.sent(w.next(), 7)
	for name, got := range map[string]Received{
		"another MR":     w.report(8, recipient, w.now, stDelivered),
		"another number": w.report(7, "+4790000009", w.now, stDelivered),
		"an hour early":  w.report(7, recipient, w.now.Add(-time.Hour), stDelivered),
	} {
		if got.Matched != 0 || !got.New {
			t.Errorf("%s: %+v", name, got)
		}
	}
	w.want(id, api.Sent, api.Submitted)
	if got := w.events(0); slices.Index(got, api.EventReport) < 0 {
		t.Errorf("events %v", got)
	}
}

// TestWrappedMR: 256 messages later the same MR means another message.
func TestWrappedMR(t *testing.T) {
	w := newReports(t)
	old := w.enqueue(text(1))
	w.sent(w.next(), 7)
	oldSCTS := w.now
	w.now = w.now.Add(3 * time.Hour)
	fresh := w.enqueue(text(1))
	w.sent(w.next(), 7)
	if got := w.report(7, recipient, w.now, stDelivered); got.Matched != fresh {
		t.Errorf("matched %d, want %d", got.Matched, fresh)
	}
	if got := w.report(7, recipient, oldSCTS, stDelivered); got.Matched != old {
		t.Errorf("matched %d, want %d", got.Matched, old)
	}
}

// TestReportOfAWrongClock: an attempt recorded on a clock a day ahead waits for its
// report, which proves nothing about another one to that number.
func TestReportOfAWrongClock(t *testing.T) {
	w := newReports(t)
	lost, ahead := w.enqueue(text(1)), w.enqueue(text(1))
	w.lost(w.next())
	scts := w.now
	w.now = w.now.Add(24 * time.Hour)
	w.sent(w.next(), 8)
	if got := w.report(8, recipient, scts, stDelivered); got.Matched == lost {
		t.Errorf("the report of message %d was taken for one of %d", ahead, lost)
	}
	w.want(lost, api.Unknown, api.Unknown)
}

// TestReportOfAGarbledMR: the line took a digit of a message's MR. Its report proves
// nothing about another message to that number.
func TestReportOfAGarbledMR(t *testing.T) {
	w := newReports(t)
	lost, sent := w.enqueue(text(1)), w.enqueue(text(1))
	w.lost(w.next())
	w.sent(w.next(), 12)
	if got := w.report(123, recipient, w.now, stDelivered); got.Matched != 0 {
		t.Errorf("the report of message %d was taken for one of %d", sent, got.Matched)
	}
	w.want(lost, api.Unknown, api.Unknown)
}

// TestReportWaitsForAnother: a report that proves a message may come before that of
// another one, for which it was as likely until then.
func TestReportWaitsForAnother(t *testing.T) {
	w := newReports(t)
	lost, sent := w.enqueue(text(1)), w.enqueue(text(1))
	w.lost(w.next())
	w.sent(w.next(), 12)
	w.report(11, recipient, w.now, stDelivered)
	w.want(lost, api.Unknown, api.Unknown)
	w.report(12, recipient, w.now, stDelivered)
	w.want(sent, api.Delivered)
	w.want(lost, api.Delivered)
}

// TestReportOfARepeatedPart: that a part was repeated, and the repeat waits for its
// report, leaves its first attempt no more likely than another message's.
func TestReportOfARepeatedPart(t *testing.T) {
	w := newReports(t)
	lost, repeated := w.enqueue(text(1)), w.enqueue(text(1))
	w.lost(w.next())
	w.lost(w.next())
	ok(t, w.s.Decide(w.tick(), 2, resend))
	w.sent(w.next(), 12)
	if got := w.report(11, recipient, w.now, stDelivered); got.Matched != 0 {
		t.Errorf("taken for one of %d, and may be for %d or %d", got.Matched, lost, repeated)
	}
}

// TestOnlyOneOpen: a report without an exact match proves an unknown attempt only
// if no other one to that number may still get a report.
func TestOnlyOneOpen(t *testing.T) {
	w := newReports(t)
	first, second := w.enqueue(text(1)), w.enqueue(text(1))
	w.lost(w.next())
	w.lost(w.next())
	if got := w.report(7, recipient, w.now, stDelivered); got.Matched != 0 {
		t.Errorf("one of two was taken: %+v", got)
	}
	w.want(first, api.Unknown)
	w.want(second, api.Unknown)
	w.now = w.now.Add(networkValidity + reportGrace)
	third := w.enqueue(text(1))
	w.lost(w.next())
	if got := w.report(7, recipient, w.now, stDelivered); got.Matched != third {
		t.Errorf("matched %d, want %d: no report comes for the others any more", got.Matched, third)
	}
}

// TestClockOffset: the service centre's clock is an hour ahead. One report can't
// say so; the second, of another message, confirms it, and the first is matched.
func TestClockOffset(t *testing.T) {
	w := newReports(t)
	one, two, three := w.enqueue(text(1)), w.enqueue(text(1)), w.enqueue(text(1))
	ahead := func() time.Time { return w.now.Add(time.Hour) }
	w.sent(w.next(), 1)
	first := ahead()
	w.sent(w.next(), 2)
	second := ahead()
	if got := w.report(1, recipient, first, stDelivered); got.Matched != 0 {
		t.Fatalf("believed at once: %+v", got)
	}
	w.report(2, recipient, second, stDelivered)
	w.want(one, api.Delivered)
	w.want(two, api.Delivered)
	w.sent(w.next(), 3)
	if got := w.report(3, recipient, ahead(), stDelivered); got.Matched != three {
		t.Errorf("matched %d, want %d", got.Matched, three)
	}
}

func TestNoReports(t *testing.T) {
	w := newReports(t)
	m := text(1)
	m.Validity = time.Hour
	id := w.enqueue(m)
	w.sent(w.next(), 7)
	scts, due := w.now, w.now.Add(25*time.Hour)
	if at, found, err := w.s.NextHousekeeping(w.now); err != nil || !found || !at.Equal(due) {
		t.Errorf("housekeeping at %v %v, want %v", at, err, due)
	}
	for _, c := range []struct {
		now  time.Time
		want int
	}{{due.Add(-time.Millisecond), 0}, {due, 1}, {due, 0}} {
		if n := must[int](t)(w.s.NoReports(c.now)); n != c.want {
			t.Errorf("gave up %d, want %d", n, c.want)
		}
	}
	if got := w.want(id, api.Sent).Parts[0].Report; got != api.ReportNone {
		t.Errorf("report is %s", got)
	}
	w.now = due
	if got := w.report(7, recipient, scts, stDelivered); got.Matched != id {
		t.Error("a late report was not matched")
	}
	w.want(id, api.Delivered)

	silent := text(1)
	silent.Report = false
	id = w.enqueue(silent)
	w.sent(w.next(), 9)
	if n := must[int](t)(w.s.NoReports(w.now.Add(10000 * time.Hour))); n != 0 || w.get(id).Parts[0].Report != api.ReportNotAsked {
		t.Errorf("a report that nobody asked for was missed %d times", n)
	}
}

func TestFailedReportGivesPartsUp(t *testing.T) {
	w := newReports(t)
	id := w.enqueue(text(2))
	w.sent(w.next(), 7)
	w.report(7, recipient, w.now, stFailed)
	m := w.want(id, api.Failed, api.Failed, api.Failed)
	if m.Error == nil || m.Error.Code != "not-delivered" {
		t.Errorf("error %+v", m.Error)
	}
}
