package store

import (
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"testing"

	"simpost/daemon/api"
)

func TestList(t *testing.T) {
	w := newWorldHere(t)
	var ids []string
	for i := range 5 {
		m := text(1 + i%2)
		m.To = []string{"+4790000001", "004790000001", "+47 90 00 00 02", "2000", "+4790000001"}[i]
		ids = append([]string{formatID(w.enqueue(m))}, ids...)
	}
	w.sent(w.next(), 1)
	in := formatID(w.receive(incoming("SM", 1, 1)).Message)
	name := incoming("SM", 2, 2)
	name.From = "Telenor"
	named := formatID(w.receive(name).Message)
	for _, c := range []struct {
		filter Filter
		want   []string
	}{
		{Filter{}, append([]string{named, in}, ids...)},
		{Filter{Direction: api.In}, []string{named, in}},
		{Filter{Direction: api.Out}, ids},
		{Filter{State: api.Sent}, ids[4:]},
		{Filter{Direction: api.Out, State: api.Queued}, ids[:4]},
		{Filter{Number: "+4790000001"}, []string{ids[0], ids[3], ids[4]}},
		{Filter{Number: "0047 90-00-00-01"}, []string{ids[0], ids[3], ids[4]}},
		{Filter{Number: "4790000002"}, []string{in, ids[2]}},
		{Filter{Number: "2000"}, []string{ids[1]}},
		{Filter{Number: "TELENOR"}, []string{named}},
		{Filter{Number: "+4790000077"}, nil},
		{Filter{Modem: "office", Direction: api.Out}, ids[4:]},
		{Filter{Modem: "office"}, []string{named, in, ids[4]}},
		{Filter{After: ids[2]}, ids[3:]},
		{Filter{After: ids[2], Limit: 1}, ids[3:4]},
	} {
		page := must[api.Messages](t)(w.s.List(c.filter))
		var got []string
		for _, m := range page.Messages {
			got = append(got, m.ID)
			if len(m.Parts) == 0 {
				t.Errorf("%+v: message %s has no parts", c.filter, m.ID)
			}
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%+v: got %v, want %v", c.filter, got, c.want)
		}
	}
	_, err := w.s.List(Filter{After: "x"})
	wantCode(t, err, api.CodeInvalid)
	_, err = w.s.Get(999)
	wantCode(t, err, api.CodeNotFound)
}

// TestPages walks through pages while newer messages come.
func TestPages(t *testing.T) {
	w := newWorldHere(t)
	ok(t, w.s.queue(1))
	for range 2*maxPage + 9 {
		w.receive(incoming("", -1, 1))
	}
	seen, after := map[string]bool{}, ""
	for {
		page := must[api.Messages](t)(w.s.List(Filter{After: after, Limit: 9999}))
		if len(page.Messages) > maxPage {
			t.Fatalf("a page of %d", len(page.Messages))
		}
		for _, m := range page.Messages {
			if seen[m.ID] {
				t.Fatalf("message %s comes twice", m.ID)
			}
			seen[m.ID] = true
		}
		ok(t, w.s.queue(1))
		if page.Next == nil {
			break
		}
		after = *page.Next
	}
	if len(seen) != 2*maxPage+10 {
		t.Errorf("saw %d messages", len(seen))
	}
}

// TestPlans: what runs often is found by an index at any size.
func TestPlans(t *testing.T) {
	s := open(t)
	for name, c := range map[string]struct {
		query string
		args  []any
	}{
		"due":      {dueSQL, []any{"s:1", "m:office", "h:47", 1, 1, 1}},
		"next due": {nextDueSQL, []any{"s:1", "m:office", "h:47"}},
		"aside":    {asideSQL, []any{`["h:47"]`, 1}},
		"waiting":  {waitingSQL, []any{"s:1"}},
		"number":   {`SELECT id FROM message WHERE id < ? AND number_key = ? ORDER BY id DESC LIMIT ?`, []any{1, "a", 1}},
		"modem":    {`SELECT id FROM message WHERE modem <> '' AND modem = ? ORDER BY id DESC LIMIT ?`, []any{"a", 1}},
		"state":    {`SELECT id FROM message WHERE state = ? ORDER BY id DESC LIMIT ?`, []any{"a", 1}},
	} {
		rows, err := s.read().rows("EXPLAIN QUERY PLAN "+c.query, c.args...)
		ok(t, err)
		plan := must[[]string](t)(collect(rows, scanPlan))
		for _, line := range plan {
			if strings.Contains(line, "SCAN part") || strings.Contains(line, "SCAN message") || strings.Contains(line, "USE TEMP B-TREE") && name != "due" && name != "aside" {
				t.Errorf("%s: %s", name, fmt.Sprint(plan))
			}
		}
	}
}

func TestCounts(t *testing.T) {
	w := newWorldHere(t)
	check := func(want map[string]int) {
		t.Helper()
		got := w.s.Counts()
		for state, n := range want {
			if got[state] != n {
				t.Errorf("counts %v, want %v", got, want)
			}
		}
	}
	for range 4 {
		w.enqueue(text(1))
	}
	check(map[string]int{"queued": 4, "sending": 0, "unknown": 0})
	w.sent(w.next(), 1)
	w.lost(w.next())
	w.submit(w.next())
	check(map[string]int{"queued": 1, "sending": 1, "unknown": 1, "held": 0, "scheduled": 0})
	if n := must[int](t)(w.s.Waiting(w.sim.ID, "office")); n != 0 {
		t.Errorf("%d parts wait for this modem alone", n)
	}
	m := text(3)
	m.Modem = "office"
	w.enqueue(m)
	if n := must[int](t)(w.s.Waiting(w.sim.ID, "office")); n != 3 {
		t.Errorf("%d parts wait for this modem alone, want 3", n)
	}
	path := w.s.path
	ok(t, w.s.Backup(t.Context(), path+".copy"))
	if again := openAt(t, path+".copy"); fmt.Sprint(again.counts) != fmt.Sprint(w.s.counts) {
		t.Errorf("counted again %v, kept %v", again.counts, w.s.counts)
	}
}

func TestSeen(t *testing.T) {
	s := open(t)
	seen := func(imsi, iccid string) SIM {
		t.Helper()
		return must[SIM](t)(s.Seen(t0, Identity{Modem: "office", IMSI: imsi, ICCID: iccid}))
	}
	byICCID := seen("", "8947a")
	if got := seen("242a", "8947a"); got.ID != byICCID.ID || got.IMSI != "242a" {
		t.Errorf("the same card, now readable: %+v", got)
	}
	if got := seen("", "8947a"); got.ID != byICCID.ID {
		t.Errorf("the same card, IMSI not read: %+v", got)
	}
	if got := seen("242a", ""); got.ID != byICCID.ID || got.ICCID != "8947a" {
		t.Errorf("the same card, ICCID not read: %+v", got)
	}
	if got := seen("242b", "8947b"); got.ID == byICCID.ID {
		t.Errorf("another card: %+v", got)
	}
	if got := seen("242c", "8947a"); got.ID == byICCID.ID {
		t.Errorf("another subscription with the same ICCID: %+v", got)
	}
	_, err := s.Seen(t0, Identity{Modem: "office", IMEI: "350000000000006"})
	wantCode(t, err, api.CodeInvalid)
}

// A card that tells nobody who it is is known by its modem, until it does.
func TestUnnamedSIM(t *testing.T) {
	s := open(t)
	seen := func(modem, imei, imsi string) SIM {
		t.Helper()
		return must[SIM](t)(s.Seen(t0, Identity{Modem: modem, IMEI: imei, IMSI: imsi}))
	}
	unnamed := seen("office", "350000000000006", "")
	if got := seen("office", "350000000000006", ""); got.ID != unnamed.ID {
		t.Errorf("the same modem again: %+v", got)
	}
	if got := seen("gate", "350000000000014", ""); got.ID == unnamed.ID {
		t.Errorf("another modem: %+v", got)
	}
	if got := seen("office", "350000000000022", ""); got.ID == unnamed.ID {
		t.Errorf("another modem under the same name: %+v", got)
	}
	gate := seen("gate", "350000000000014", "")
	if got := seen("gate", "350000000000014", "242a"); got.ID != gate.ID || got.IMSI != "242a" {
		t.Errorf("it tells now: %+v", got)
	}
	_, err := s.Seen(t0, Identity{Modem: "gate", IMEI: "350000000000014"})
	wantCode(t, err, api.CodeInvalid)
	if got := seen("gate", "350000000000014", "242b"); got.ID == gate.ID {
		t.Errorf("another card: %+v", got)
	}
}

func TestPIN(t *testing.T) {
	s := open(t)
	hash, other := [32]byte{1}, [32]byte{2}
	tried := func(want bool, hash [32]byte) {
		t.Helper()
		if got := must[bool](t)(s.PINTried("8947a", hash)); got != want {
			t.Errorf("tried is %v, want %v", got, want)
		}
	}
	tried(false, hash)
	ok(t, s.PINTrying(t0, "8947a", hash))
	ok(t, s.PINTrying(t0, "8947a", hash))
	tried(true, hash)
	tried(false, other)
	ok(t, s.PINWorked(t0, "8947a", hash))
	tried(false, hash)
}

// scanPlan is a line of EXPLAIN QUERY PLAN.
func scanPlan(rows *sql.Rows) (line string, err error) {
	var id, parent, unused int
	return line, rows.Scan(&id, &parent, &unused, &line)
}
