package store

import (
	"path/filepath"
	"testing"
	"time"

	"simpost/daemon/api"
)

// t0 is a moment of the tests.
var t0 = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func at(d time.Duration) time.Time { return t0.Add(d) }

func open(t testing.TB) *Store {
	t.Helper()
	return openAt(t, filepath.Join(t.TempDir(), "simpost.db"))
}

func openAt(t testing.TB, path string) *Store {
	t.Helper()
	s, err := Open(path)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s
}

func must[T any](t testing.TB) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// text is a message of n parts to +4790000001.
func text(n int) NewMessage {
	body := "hello"
	m := NewMessage{To: "+4790000001", Text: &body, Encoding: "gsm7", Report: true}
	for i := range n {
		m.Parts = append(m.Parts, []byte{1, 0, byte(i)})
	}
	return m
}

func TestMainPath(t *testing.T) {
	s := open(t)
	must[Recovered](t)(s.Start(t0))
	sim := must[SIM](t)(s.Seen(t0, Identity{Modem: "office", IMSI: "242010000000001"}))
	acc := must[Accepted](t)(s.Enqueue(t0, nil, []NewMessage{text(2)}))
	jobs := must[[]Job](t)(s.Due(t0, DueQuery{SIM: sim.ID, Modem: "office", Limit: 10}))
	if len(jobs) != 2 {
		t.Fatalf("got %d jobs, want 2", len(jobs))
	}
	for i, j := range jobs {
		a := must[int64](t)(s.Submitting(at(time.Second), Submit{Part: j.Part, SIM: sim.ID, Modem: "office", Ref: j.NextRef}))
		ok(t, s.Settle(at(2*time.Second), Settle{Attempt: a, State: api.Submitted, MR: 7 + i}))
	}
	for i := range jobs {
		in := Incoming{Modem: "office", SIM: sim.ID, Memory: "SM", Slot: i, PDU: []byte{6, byte(i)}, Kind: "report",
			Report: &Report{MR: 7 + i, Number: "90000001", SentAt: at(2 * time.Second), Discharge: at(3 * time.Second), Final: true, Delivered: true, StatusText: "delivered"}}
		rec := must[Received](t)(s.Receive(at(4*time.Second), in, nil))
		if rec.Matched == 0 {
			t.Errorf("report %d was not matched", i)
		}
	}
	m := must[api.Message](t)(s.Get(jobs[0].Message))
	if m.State != api.Delivered || m.ID != acc.Messages[0].ID || len(m.Attempts) != 2 || len(m.Reports) != 2 {
		t.Errorf("got %+v", m)
	}
	page := must[api.Messages](t)(s.List(Filter{Number: "0047 900 00 001"}))
	if len(page.Messages) != 1 {
		t.Errorf("list: got %+v", page)
	}
	for _, e := range must[[]api.Event](t)(s.Events(0, 0)) {
		t.Logf("%d %s part %d %s %s", e.Seq, e.Type, e.Part, e.State, e.Detail)
	}
	ok(t, s.Backup(t.Context(), filepath.Join(t.TempDir(), "copy.db")))
}
