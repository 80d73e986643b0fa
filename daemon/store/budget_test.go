package store

import (
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mattn/go-sqlite3"

	"simpost/daemon/api"
)

// to is a message of n parts to number.
func to(number string, n int) NewMessage {
	m := text(n)
	m.To = number
	return m
}

func (s *Store) today(t *testing.T, now time.Time) int {
	t.Helper()
	return must[Spent](t)(s.Today(now)).Parts
}

func alarms(t *testing.T, s *Store) (n int) {
	t.Helper()
	for _, e := range must[[]api.Event](t)(s.Events(0, 0)) {
		if e.Type == api.EventGuardAlarm {
			n++
		}
	}
	return n
}

func TestRecipientHour(t *testing.T) {
	s, b := open(t), Budget{RecipientHour: 5}
	send := func(after time.Duration, m ...NewMessage) error {
		_, err := s.EnqueueWithin(at(after), nil, m, b)
		return err
	}
	ok(t, send(0, to("+4790000001", 3)))
	ok(t, send(20*time.Minute, to("+4790000001", 2), to("+4790000002", 5)))
	wantCode(t, send(59*time.Minute, to("+4790000001", 1)), api.CodeGuardRecipientHour)
	wantCode(t, send(59*time.Minute, to("0047 900 00 001", 1)), api.CodeGuardRecipientHour)
	ok(t, send(61*time.Minute, to("+4790000001", 3)))
	wantCode(t, send(62*time.Minute, to("+4790000001", 1)), api.CodeGuardRecipientHour)
	// A message that alone is over the limit is never accepted.
	wantCode(t, send(50*time.Hour, to("+4790000001", 6)), api.CodeGuardRecipientHour)
	// Two for one number count together.
	wantCode(t, send(50*time.Hour, to("+4790000001", 3), to("+4790000001", 3)), api.CodeGuardRecipientHour)
	if n := s.today(t, t0); n != 0 {
		t.Errorf("%d parts are counted for the day, which has no limit", n)
	}
}

// At no moment are there more parts in the hour before it than the limit.
func TestRecipientHourSlides(t *testing.T) {
	s, b := open(t), Budget{RecipientHour: 7}
	var accepted []time.Time
	for i := range 400 {
		now := at(time.Duration(i) * 43 * time.Second)
		if _, err := s.EnqueueWithin(now, nil, []NewMessage{text(1)}, b); err == nil {
			accepted = append(accepted, now)
		}
	}
	for i, first := range accepted {
		n := 0
		for _, other := range accepted[i:] {
			if other.Sub(first) < time.Hour {
				n++
			}
		}
		if n > b.RecipientHour {
			t.Fatalf("%d parts within an hour of %v", n, first)
		}
	}
	if len(accepted) < 28 { // 7 in each of the 4.7 hours
		t.Errorf("only %d were accepted", len(accepted))
	}
}

// Everyone who is over the limit is named, and nobody gets anything.
func TestOverTheHourNamesEveryone(t *testing.T) {
	s, b := open(t), Budget{RecipientHour: 2, Day: 100}
	must[Accepted](t)(s.EnqueueWithin(t0, nil, []NewMessage{to("+4790000001", 2), to("+4790000003", 1)}, b))
	_, err := s.EnqueueWithin(t0, nil, []NewMessage{to("+4790000001", 1), to("+4790000002", 1), to("+4790000003", 2)}, b)
	e := wantCode(t, err, api.CodeGuardRecipientHour)
	var fields []string
	for _, f := range e.Errors {
		fields = append(fields, f.Field+" "+f.Value)
	}
	if want := []string{"to[0] +4790000001", "to[2] +4790000003"}; !slices.Equal(fields, want) {
		t.Errorf("named are %q, want %q", fields, want)
	}
	if n := s.today(t, t0); n != 3 {
		t.Errorf("%d parts are debited, want the 3 of the first request", n)
	}
	must[Accepted](t)(s.EnqueueWithin(t0, nil, []NewMessage{to("+4790000002", 2), to("+4790000003", 1)}, b))
	if page := must[api.Messages](t)(s.List(Filter{})); len(page.Messages) != 4 {
		t.Errorf("%d messages, want 4", len(page.Messages))
	}
}

func TestDay(t *testing.T) {
	s, b := open(t), Budget{Day: 10}
	acc := must[Accepted](t)(s.EnqueueWithin(t0, nil, []NewMessage{text(7)}, b))
	if acc.Alarm || alarms(t, s) != 0 {
		t.Error("an alarm at 70 %")
	}
	acc = must[Accepted](t)(s.EnqueueWithin(t0, nil, []NewMessage{text(1)}, b))
	if !acc.Alarm || alarms(t, s) != 1 {
		t.Error("no alarm at 80 %")
	}
	_, err := s.EnqueueWithin(t0, nil, []NewMessage{text(3)}, b)
	wantCode(t, err, api.CodeGuardDay)
	acc = must[Accepted](t)(s.EnqueueWithin(t0, nil, []NewMessage{text(2)}, b))
	if acc.Alarm || alarms(t, s) != 1 {
		t.Error("a second alarm on one day")
	}
	_, err = s.EnqueueWithin(at(12*time.Hour-time.Millisecond), nil, []NewMessage{text(1)}, b)
	wantCode(t, err, api.CodeGuardDay)
	midnight := at(12 * time.Hour)
	if n := s.today(t, midnight); n != 0 {
		t.Errorf("the new day begins with %d", n)
	}
	must[Accepted](t)(s.EnqueueWithin(midnight, nil, []NewMessage{text(10)}, b))
	if alarms(t, s) != 2 {
		t.Error("no alarm on the second day")
	}
}

// A day is one of the clock on the wall, also when it has 23 hours.
func TestDayOfItsZone(t *testing.T) {
	oslo, err := time.LoadLocation("Europe/Oslo")
	ok(t, err)
	for _, c := range []struct{ now, starts, ends string }{
		{"2026-03-01T00:30:00+01:00", "2026-03-01T00:00:00+01:00", "2026-03-02T00:00:00+01:00"},
		{"2026-03-29T12:00:00+02:00", "2026-03-29T00:00:00+01:00", "2026-03-30T00:00:00+02:00"},
	} {
		now := must[time.Time](t)(time.Parse(time.RFC3339, c.now))
		starts, ends := dayOf(now.In(oslo))
		if starts.Format(time.RFC3339) != c.starts || ends.Format(time.RFC3339) != c.ends {
			t.Errorf("the day of %s is %s to %s", c.now, starts, ends)
		}
	}
}

// A replay accepts nothing and spends nothing, also where nothing is left.
func TestReplaySpendsNothing(t *testing.T) {
	s, b := open(t), Budget{RecipientHour: 2, Day: 2}
	key := &Key{Caller: "1000", Key: "k"}
	for i := range 3 {
		acc := must[Accepted](t)(s.EnqueueWithin(t0, key, []NewMessage{text(2)}, b))
		if acc.Replayed != (i > 0) {
			t.Errorf("request %d: replayed is %v", i, acc.Replayed)
		}
	}
	if n := s.today(t, t0); n != 2 {
		t.Errorf("%d parts are debited, want 2", n)
	}
}

// What fails after the debit takes it back.
func TestFailureSpendsNothing(t *testing.T) {
	s, b := open(t), Budget{RecipientHour: 9, Day: 9}
	bad := text(1)
	bad.Parts = [][]byte{nil}
	if _, err := s.EnqueueWithin(t0, nil, []NewMessage{text(2), bad}, b); err == nil {
		t.Fatal("a part without octets was accepted")
	}
	if n := s.today(t, t0); n != 0 {
		t.Errorf("%d parts are debited for nothing", n)
	}
	must[Accepted](t)(s.EnqueueWithin(t0, nil, []NewMessage{text(9)}, b))
}

// TestCommitThatFailsSpendsNothing: nothing that was debited in memory outlives a
// commit that did not happen.
func TestCommitThatFailsSpendsNothing(t *testing.T) {
	s := open(t)
	b := Budget{Day: 10}
	must[Accepted](t)(s.EnqueueWithin(t0, nil, []NewMessage{text(2)}, b))
	err := s.write(t0, "spend", func(tx *tx) error {
		if _, err := tx.spend(t0, b, []NewMessage{text(7)}); err != nil {
			return err
		}
		return sqlite3.Error{Code: sqlite3.ErrFull} // ends the batch
	})
	wantCode(t, err, api.CodeDiskFull)
	must[Accepted](t)(s.EnqueueWithin(t0, nil, []NewMessage{text(8)}, b))
	if n := s.today(t, t0); n != 10 {
		t.Errorf("%d parts are debited, want 10", n)
	}
	_, err = s.EnqueueWithin(t0, nil, []NewMessage{text(1)}, b)
	wantCode(t, err, api.CodeGuardDay)
}

// TestAccounts: what is one number shares one budget, however it is spelt.
func TestAccounts(t *testing.T) {
	s := open(t)
	b := Budget{RecipientHour: 3}
	home, abroad := text(2), text(2)
	home.To, home.Accounts = "90000001", []string{"4790000001", "4690000001"}
	abroad.Accounts = []string{"4790000001"}
	must[Accepted](t)(s.EnqueueWithin(t0, nil, []NewMessage{home}, b))
	_, err := s.EnqueueWithin(t0, nil, []NewMessage{abroad}, b)
	if e := wantCode(t, err, api.CodeGuardRecipientHour); len(e.Errors) != 1 || e.Errors[0].Value != abroad.To {
		t.Errorf("refused: %+v", e.Errors)
	}
	abroad.To, abroad.Accounts = "+4690000002", []string{"4690000002"}
	must[Accepted](t)(s.EnqueueWithin(t0, nil, []NewMessage{abroad}, b))
}

// Requests that share a commit do not share what only one of them can have.
func TestBudgetUnderContention(t *testing.T) {
	s, b := open(t), Budget{RecipientHour: 1000, Day: 50}
	var all sync.WaitGroup
	var mu sync.Mutex
	accepted := 0
	for range 16 {
		all.Go(func() {
			for range 10 {
				_, err := s.EnqueueWithin(t0, nil, []NewMessage{text(1)}, b)
				var e *api.Error
				mu.Lock()
				switch {
				case err == nil:
					accepted++
				case !errors.As(err, &e) || e.Code != api.CodeGuardDay:
					t.Error(err)
				}
				mu.Unlock()
			}
		})
	}
	all.Wait()
	if n := s.today(t, t0); accepted != 50 || n != 50 || alarms(t, s) != 1 {
		t.Errorf("%d were accepted, %d debited, %d alarms; want 50, 50 and 1", accepted, n, alarms(t, s))
	}
}

// Windows that are over are forgotten, also those of a clock that was wrong.
func TestForgetBudgets(t *testing.T) {
	s, b := open(t), Budget{RecipientHour: 9, Day: 9}
	rows := func() (n int) {
		ok(t, s.read().row(`SELECT count(*) FROM budget`).Scan(&n))
		return n
	}
	must[Accepted](t)(s.EnqueueWithin(at(10*365*24*time.Hour), nil, []NewMessage{text(9)}, b))
	must[Accepted](t)(s.EnqueueWithin(t0, nil, []NewMessage{text(9)}, b)) // the wrong clock's debit is no obstacle
	if n := rows(); n != 4 {
		t.Errorf("%d rows, want 4", n)
	}
	for _, c := range []struct {
		after time.Duration
		left  int
	}{{0, 2}, {60 * time.Minute, 2}, {61 * time.Minute, 1}, {12 * time.Hour, 0}} {
		must[int](t)(s.ForgetBudgets(at(c.after)))
		if n := rows(); n != c.left {
			t.Errorf("after %v there are %d rows, want %d", c.after, n, c.left)
		}
	}
}

func TestLeft(t *testing.T) {
	s := open(t)
	office := must[SIM](t)(s.Seen(t0, Identity{Modem: "office", IMSI: "242010000000001"}))
	spare := must[SIM](t)(s.Seen(t0, Identity{Modem: "spare", IMSI: "242010000000002"}))
	must[Accepted](t)(s.Enqueue(t0, nil, slices.Repeat([]NewMessage{text(1)}, 8)))
	for i, j := range must[[]Job](t)(s.Due(t0, DueQuery{SIM: office.ID, Modem: "office", Limit: 8})) {
		sim, modem := office.ID, "office"
		if i%2 == 1 {
			sim, modem = spare.ID, "spare"
		}
		must[int64](t)(s.Submitting(at(time.Duration(i)*20*time.Second), Submit{Part: j.Part, SIM: sim, Modem: modem}))
	}
	left := must[[]time.Time](t)(s.Left(at(2*time.Minute), office.ID, at(time.Minute), 10)) // of 0, 40, 80, 120 s
	if want := []time.Time{at(80 * time.Second), at(120 * time.Second)}; !slices.Equal(left, want) {
		t.Errorf("got %v, want %v", left, want)
	}
	left = must[[]time.Time](t)(s.Left(at(2*time.Minute), office.ID, t0.Add(-time.Second), 3))
	if len(left) != 3 || left[2] != at(120*time.Second) {
		t.Errorf("got %v, want the last 3", left)
	}
}

// A delay is said once, clears when the part leaves, and changes nothing else.
func TestDelayed(t *testing.T) {
	s := open(t)
	sim := must[SIM](t)(s.Seen(t0, Identity{Modem: "office", IMSI: "242010000000001"}))
	must[Accepted](t)(s.Enqueue(t0, nil, []NewMessage{text(1), text(1)}))
	q := DueQuery{SIM: sim.ID, Modem: "office", Limit: 8}
	before := must[[]Job](t)(s.Due(t0, q))
	reason := api.Reason{Code: "guard-pace", Message: "it waits"}
	events := s.LastEvent()
	for range 2 {
		ok(t, s.Delayed(t0, []int64{before[0].Part, before[1].Part, 4711}, reason))
	}
	if n := s.LastEvent() - events; n != 2 {
		t.Errorf("%d events, want one a part", n)
	}
	if m := must[api.Message](t)(s.Get(before[0].Message)); m.Reason == nil || *m.Reason != reason || m.State != api.Queued {
		t.Errorf("got %+v", m)
	}
	if after := must[[]Job](t)(s.Due(t0, q)); len(after) != 2 || after[0].Part != before[0].Part {
		t.Errorf("the queue has changed: %+v", after)
	}
	a := must[int64](t)(s.Submitting(t0, Submit{Part: before[0].Part, SIM: sim.ID, Modem: "office"}))
	if m := must[api.Message](t)(s.Get(before[0].Message)); m.Reason != nil {
		t.Errorf("it has left and waits for %+v", m.Reason)
	}
	ok(t, s.Delayed(t0, []int64{before[0].Part}, reason))
	ok(t, s.Settle(t0, Settle{Attempt: a, State: api.Submitted, MR: 1}))
}

func TestCards(t *testing.T) {
	s := open(t)
	must[SIM](t)(s.Seen(t0, Identity{Modem: "office", IMSI: "240010000000009"}))
	must[SIM](t)(s.Seen(at(time.Hour), Identity{Modem: "office", IMSI: "242010000000001"}))
	must[SIM](t)(s.Seen(t0, Identity{Modem: "spare", ICCID: "8947000000000000001"}))
	cards := must[map[string]string](t)(s.Cards())
	if len(cards) != 2 || cards["office"] != "242010000000001" || cards["spare"] != "" {
		t.Errorf("got %v", cards)
	}
}

// BenchmarkEnqueueWithin is BenchmarkEnqueue's 64 callers with a budget: what the
// guard costs where every message waits for the one before.
func BenchmarkEnqueueWithin(b *testing.B) {
	for name, budget := range map[string]Budget{"none": {}, "hour": {RecipientHour: 1e9}, "both": {RecipientHour: 1e9, Day: 1e9}} {
		b.Run(name, func(b *testing.B) {
			s := open(b)
			var n atomic.Int64
			var all sync.WaitGroup
			b.ResetTimer()
			for range 64 {
				all.Go(func() {
					for n.Add(1) <= int64(b.N) {
						if _, err := s.EnqueueWithin(t0, nil, []NewMessage{text(1)}, budget); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			all.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "messages/s")
		})
	}
}
