package store

import (
	"fmt"
	"testing"
	"time"

	"simpost/daemon/api"
)

func money(f float64) *float64 { return &f }

// count is how many events of a type there are.
func (w *world) count(kind api.EventType) (n int) {
	w.t.Helper()
	for _, e := range must[[]api.Event](w.t)(w.s.Events(0, 0)) {
		if e.Type == kind {
			n++
		}
	}
	return n
}

// TestBalance: amounts come back as they were, and one event says that they are low.
func TestBalance(t *testing.T) {
	w := newWorldHere(t)
	if b := must[*api.Balance](t)(w.s.Balance(w.sim.ID)); b != nil {
		t.Errorf("a card that was never asked about has %+v", b)
	}
	for _, c := range []struct {
		amount *float64
		low    bool
		events int
	}{{money(42.05), false, 0}, {money(4.99), true, 1}, {money(-0.29), true, 1}, {nil, false, 1}, {money(1e9), false, 1}, {money(0), true, 2}} {
		ok(t, w.s.KeepBalance(w.tick(), w.sim.ID, "office", api.Balance{Text: "it says", Amount: c.amount, Low: c.low}))
		b := must[*api.Balance](t)(w.s.Balance(w.sim.ID))
		if (b.Amount == nil) != (c.amount == nil) || b.Amount != nil && *b.Amount != *c.amount || b.Low != c.low || !b.At.Equal(w.now) || b.Text != "it says" {
			t.Errorf("kept %+v, want %+v", b, c)
		}
		if n := w.count(api.EventBalanceLow); n != c.events {
			t.Errorf("%d events, want %d", n, c.events)
		}
	}
}

// TestChores: what was done and what was only tried, and since when it counts.
func TestChores(t *testing.T) {
	w := newWorldHere(t)
	times := func() (done, tried time.Time) {
		done, tried, err := w.s.ChoreTimes(w.sim.ID, Keepalive)
		ok(t, err)
		return done, tried
	}
	if done, tried := times(); !done.IsZero() || !tried.IsZero() {
		t.Errorf("never done, and yet %v, %v", done, tried)
	}
	ok(t, w.s.ChoreTried(w.tick(), w.sim.ID, Keepalive, false))
	first := w.now
	ok(t, w.s.ChoreTried(w.tick(), w.sim.ID, Keepalive, false))
	if done, tried := times(); !done.Equal(first) || !tried.Equal(w.now) {
		t.Errorf("tried twice: %v, %v", done, tried)
	}
	ok(t, w.s.ChoreTried(w.tick(), w.sim.ID, Keepalive, true))
	if done, tried := times(); !done.Equal(w.now) || !tried.Equal(w.now) {
		t.Errorf("done: %v, %v", done, tried)
	}
	if at := must[time.Time](t)(w.s.LastSent(w.sim.ID)); !at.IsZero() {
		t.Errorf("nothing was sent, and yet at %v", at)
	}
	w.enqueue(text(1))
	w.sent(w.next(), 7)
	sent := w.now
	w.enqueue(text(1))
	w.lost(w.next())
	if at := must[time.Time](t)(w.s.LastSent(w.sim.ID)); !at.Equal(sent) {
		t.Errorf("sent at %v, want %v", at, sent)
	}
}

func page(serial, n, of int) Page {
	return Page{Modem: "office", Channel: 4370, Serial: serial, DCS: 1, Page: n, Pages: of, Alert: "flood", Language: "en", Text: fmt.Sprint("p", n, " "), PDU: []byte{byte(n)}}
}

// TestBroadcasts: pages in any order make one event, repeats write nothing, and the
// oldest go.
func TestBroadcasts(t *testing.T) {
	w := newWorldHere(t)
	for i, n := range []int{3, 1, 1, 2, 3, 2} {
		known := must[bool](t)(w.s.KeepPage(w.tick(), page(7, n, 3)))
		if want := i == 2 || i > 3; known != want {
			t.Errorf("page %d, the %d: known is %v", n, i, known)
		}
	}
	b := must[[]api.Broadcast](t)(w.s.Broadcasts(10))
	if len(b) != 1 || b[0].Text != "p1 p2 p3 " || b[0].Missing != 0 || b[0].Alert != "flood" || b[0].Language != "en" || w.count(api.EventBroadcast) != 1 {
		t.Errorf("got %+v, %d events", b, w.count(api.EventBroadcast))
	}
	w.now = w.now.Add(2 * time.Hour)
	for n, want := range []bool{false, true} { // once an hour it is noted that it goes on
		if known := must[bool](t)(w.s.KeepPage(w.tick(), page(7, 1+n, 3))); known != want {
			t.Errorf("page %d after two hours: known is %v", 1+n, known)
		}
	}
	must[bool](t)(w.s.KeepPage(w.tick(), page(8, 2, 2)))
	if n := must[int](t)(w.s.PartialBroadcasts(w.now)); n != 0 {
		t.Errorf("%d are announced at once", n)
	}
	w.now = w.now.Add(broadcastPatience)
	if due, is, err := w.s.NextHousekeeping(w.now); err != nil || !is || due.After(w.now) {
		t.Errorf("housekeeping is due at %v, %v, %v", due, is, err)
	}
	for i, want := range []int{1, 0} {
		if n := must[int](t)(w.s.PartialBroadcasts(w.now)); n != want {
			t.Errorf("round %d announces %d", i, n)
		}
	}
	for i := range broadcastLimit {
		must[bool](t)(w.s.KeepPage(w.tick(), page(100+i, 1, 1)))
	}
	var pages int
	ok(t, w.s.conn.QueryRowContext(t.Context(), `SELECT count(*) FROM broadcast_page`).Scan(&pages))
	if b := must[[]api.Broadcast](t)(w.s.Broadcasts(2 * broadcastLimit)); len(b) != broadcastLimit || pages != broadcastLimit || b[0].Serial != 99+broadcastLimit {
		t.Errorf("%d are kept in %d pages, the newest %d", len(b), pages, b[0].Serial)
	}
}

// TestSignals: rows come back in order, and go when they are old, or from a clock
// that was wrong.
func TestSignals(t *testing.T) {
	w := newWorldHere(t)
	w.s.Retention.Signal = 10 * 24 * time.Hour
	dbm := -71
	if last := must[api.Signal](t)(w.s.LastSignal("office")); !last.At.IsZero() {
		t.Errorf("the last of nothing is %+v", last)
	}
	ok(t, w.s.KeepSignal(w.now.AddDate(10, 0, 0), "office", api.Signal{Registration: "home"}))
	for range 20 {
		w.now = w.now.Add(24 * time.Hour)
		ok(t, w.s.KeepSignal(w.now, "office", api.Signal{DBm: &dbm, Registration: "home", Operator: "Emulated", Bearer: "4G (LTE)"}))
		ok(t, w.s.KeepSignal(w.now, "cellar", api.Signal{Registration: "searching"}))
	}
	rows := must[[]api.Signal](t)(w.s.Signals("office", t0))
	if len(rows) != 10 || !rows[9].At.Equal(w.now) || !rows[0].At.Before(rows[1].At) || *rows[0].DBm != -71 || rows[0].Bearer != "4G (LTE)" {
		t.Errorf("%d rows: %+v", len(rows), rows)
	}
	if rows := must[[]api.Signal](t)(w.s.Signals("office", w.now.Add(-36*time.Hour))); len(rows) != 2 {
		t.Errorf("%d rows of a day and a half", len(rows))
	}
	if last := must[api.Signal](t)(w.s.LastSignal("cellar")); !last.At.Equal(w.now) || last.DBm != nil {
		t.Errorf("the last is %+v", last)
	}
}

// TestForgetWhatEventsSay: numbers of callers and texts of the network go with the
// texts of messages, and the events stay.
func TestForgetWhatEventsSay(t *testing.T) {
	w := newWorldHere(t)
	w.s.Retention = Retention{Text: keep}
	for i := range 300 {
		ok(t, w.s.Note(w.tick(), api.Event{Type: api.EventCall, Modem: "office", Number: fmt.Sprint("+47secret", i), Detail: "a call rings"}))
		ok(t, w.s.Note(w.tick(), api.Event{Type: api.EventUSSD, Modem: "office", Text: fmt.Sprint("secret ", i)}))
	}
	if e := must[[]api.Event](t)(w.s.Events(0, 2)); e[len(e)-2].Number != "+47secret0" || e[len(e)-1].Text != "secret 0" {
		t.Fatalf("got %+v", e)
	}
	before := must[int](t)(w.s.Forget(w.now))
	w.now = w.now.Add(keep)
	if due, is, err := w.s.NextHousekeeping(w.now); err != nil || !is || due.After(w.now.Add(forgetSlack)) {
		t.Errorf("forgetting is due at %v, %v, %v", due, is, err)
	}
	if n := must[int](t)(w.s.Forget(w.now)); before != 0 || n != 600 {
		t.Errorf("%d were forgotten at once, %d later", before, n)
	}
	if hits := w.hits("secret"); hits != 0 || w.count(api.EventCall) != 300 {
		t.Errorf("the files say it %d times, and %d calls are left", hits, w.count(api.EventCall))
	}
}
