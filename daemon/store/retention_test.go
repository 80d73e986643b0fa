package store

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"simpost/daemon/api"
)

const keep = 90 * 24 * time.Hour

// forgettable fills a store with messages that have said secret things, sent and
// received, and returns their number.
func (w *world) forgettable(secret string) (n int) {
	w.t.Helper()
	for i := range 300 {
		m, said := text(1+i%3), fmt.Sprintf("%s-out-%d.", secret, i)
		m.Text = &said
		for k := range m.Parts {
			m.Parts[k] = fmt.Appendf(nil, "%s-tpdu-%d-%d %s", secret, i, k, strings.Repeat("x", i))
		}
		must[Accepted](w.t)(w.s.Enqueue(w.tick(), &Key{Caller: "uid:1", Key: fmt.Sprint(i)}, []NewMessage{m}))
		for range m.Parts {
			w.sent(w.next(), i%256)
		}
		body := fmt.Sprintf("%s-in-%d", secret, i)
		in := Incoming{Modem: "office", SIM: w.sim.ID, Memory: "SM", Slot: i % 10, Kind: "deliver", From: "+4790000002", Text: &body,
			Encoding: "gsm7", SentAt: w.now, PDU: fmt.Appendf(nil, "%s-pdu-%d %s", secret, i, strings.Repeat("y", i))}
		rec := must[Received](w.t)(w.s.Receive(w.tick(), in, nil))
		ok(w.t, w.s.Deleted(w.tick(), rec.Row))
		n += 2
	}
	return n
}

// hits counts how often a text is in the files of the database.
func (w *world) hits(what string) (n int) {
	w.t.Helper()
	for _, suffix := range []string{"", "-wal"} {
		n += bytes.Count(must[[]byte](w.t)(os.ReadFile(w.s.path+suffix)), []byte(what))
	}
	return n
}

// TestForget: what finished messages said is nowhere in the files afterwards; what
// is open keeps it, and rows and states stay.
func TestForget(t *testing.T) {
	w := newWorldHere(t)
	w.s.Retention = Retention{Text: keep}
	n := w.forgettable("secret")
	var open []int64
	for i, policy := range []api.State{api.Held, api.Unknown} {
		m, said := text(1), fmt.Sprint("still open ", i)
		m.Text = &said
		id := w.enqueue(m)
		w.lost(w.next())
		ok(t, w.s.Quarantine(w.tick(), w.sim.ID, w.now))
		for _, u := range must[[]UnknownPart](t)(w.s.Undecided(w.now)) {
			ok(t, w.s.Decide(w.tick(), u.Part, Decision{State: policy, Reason: *refused}))
		}
		open = append(open, id)
	}
	if got := must[int](t)(w.s.Forget(w.now)); got != 0 || w.hits("secret") == 0 {
		t.Fatalf("%d were forgotten on the first day", got)
	}
	w.now = w.now.Add(keep)
	must[int](t)(w.s.ForgetKeys(w.now))
	if due, _, err := w.s.NextHousekeeping(w.now); err != nil || due.After(w.now.Add(forgetSlack)) {
		t.Errorf("forgetting is due at %v, %v", due, err)
	}
	if got := must[int](t)(w.s.Forget(w.now)); got < n {
		t.Errorf("%d texts and PDUs were forgotten of %d messages", got, n)
	}
	if hits := w.hits("secret"); hits != 0 {
		t.Errorf("the files still say it %d times", hits)
	}
	page := must[api.Messages](t)(w.s.List(Filter{Limit: 200}))
	for _, m := range page.Messages[len(open):] {
		if m.Text != nil || m.State != api.Sent && m.State != api.Received || len(m.Parts) == 0 {
			t.Fatalf("got %+v", m)
		}
	}
	for i, id := range open {
		if m := w.get(id); m.Text == nil || *m.Text != fmt.Sprint("still open ", i) {
			t.Errorf("the open message %d has forgotten its text", id)
		}
	}
	before := w.fileState()
	if got := must[int](t)(w.s.Forget(w.now)); got != 0 || w.fileState() != before {
		t.Errorf("forgetting again changed %d rows, or wrote", got)
	}
}

// TestForgetBesideAReader: a reader that needs the old pages puts the emptying of
// the log off, and fails nothing.
func TestForgetBesideAReader(t *testing.T) {
	w := newWorldHere(t)
	w.s.Retention = Retention{Text: keep}
	w.forgettable("secret")
	reader := must[interface{ Rollback() error }](t)(w.s.rdb.Begin())
	_ = w.hits("secret")
	rows, err := w.s.rdb.Query(`SELECT text FROM message`)
	ok(t, err)
	rows.Next()
	w.now = w.now.Add(keep)
	must[int](t)(w.s.ForgetKeys(w.now))
	must[int](t)(w.s.Forget(w.now))
	ok(t, rows.Close())
	ok(t, reader.Rollback())
	ok(t, w.s.queue(1)) // the next commit
	if hits := w.hits("secret"); hits != 0 {
		t.Errorf("the files still say it %d times", hits)
	}
}

// TestForgetEvents: the oldest events go, their numbers do not come again, and
// who reads from before them is told.
func TestForgetEvents(t *testing.T) {
	w := newWorldHere(t)
	w.s.Retention = Retention{Events: keep}
	for range 2500 {
		ok(t, w.s.Note(w.tick(), api.Event{Type: api.EventModem}))
	}
	ok(t, w.s.Note(w.now.Add(10*365*24*time.Hour), api.Event{Type: api.EventModem})) // by a wrong clock
	w.now = w.now.Add(keep)
	for range 3 {
		ok(t, w.s.Note(w.tick(), api.Event{Type: api.EventModem}))
	}
	due, found, err := w.s.NextHousekeeping(w.now)
	if err != nil || !found || due.After(w.now.Add(forgetSlack)) {
		t.Errorf("forgetting is due at %v %v %v", due, found, err)
	}
	if n := must[int](t)(w.s.ForgetEvents(w.now)); n != 2501 {
		t.Errorf("%d events were forgotten, want 2501", n)
	}
	got := must[[]api.Event](t)(w.s.Events(100, 0))
	if len(got) != 4 || got[0].Type != api.EventGap || got[0].Seq != 2501 || got[1].Seq != 2502 {
		t.Errorf("after 100: %+v", got)
	}
	if got := must[[]api.Event](t)(w.s.Events(2501, 0)); len(got) != 3 || got[0].Type == api.EventGap {
		t.Errorf("after the gap: %+v", got)
	}
	w.now = w.now.Add(2 * keep)
	must[int](t)(w.s.ForgetEvents(w.now))
	ok(t, w.s.Note(w.tick(), api.Event{Type: api.EventModem}))
	if got := must[[]api.Event](t)(w.s.Events(2504, 0)); len(got) != 1 || got[0].Seq != 2505 || w.s.LastEvent() != 2505 {
		t.Errorf("the numbers went back: %+v", got)
	}
}
