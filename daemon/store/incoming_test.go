package store

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"simpost/daemon/api"
)

// incoming is a message of one part in a slot; n makes its octets.
func incoming(memory string, slot, n int) Incoming {
	body := fmt.Sprint("text ", n)
	return Incoming{Modem: "office", SIM: 1, Memory: memory, Slot: slot, PDU: []byte{4, byte(n)}, Kind: "deliver",
		From: "+4790000002", Text: &body, Encoding: "gsm7", SentAt: t0}
}

// partOf is part seq of total under a reference; its octets say so, and mark.
func partOf(ref, seq, total int, mark string, sent time.Time) Incoming {
	in := incoming("SM", -1, 0)
	in.Concat = &Concat{Ref: ref, Total: total, Seq: seq}
	in.PDU = fmt.Appendf(nil, "%s%d", mark, seq)
	in.SentAt = sent
	return in
}

// joinText joins parts by their octets, a missing one as "_".
func joinText(pdus [][]byte) Body {
	var all []string
	for _, p := range pdus {
		if p == nil {
			p = []byte("_")
		}
		all = append(all, string(p))
	}
	text := strings.Join(all, "")
	return Body{Text: &text, Encoding: "gsm7"}
}

// receive hands in over.
func (w *world) receive(in Incoming) Received {
	w.t.Helper()
	return must[Received](w.t)(w.s.Receive(w.tick(), in, joinText))
}

// TestSlots: the same octets in the same physical slot are one row until the
// delete is confirmed; elsewhere, or later, they are a repeat that says so.
func TestSlots(t *testing.T) {
	w := newWorldHere(t)
	first := w.receive(incoming("SM", 3, 1))
	if !first.New || !first.Complete || first.Message == 0 {
		t.Fatalf("first: %+v", first)
	}
	after := w.s.LastEvent()
	again := w.receive(incoming("SM", 3, 1))
	if again.New || again.Row != first.Row || again.Message != first.Message || !again.Complete || w.s.LastEvent() != after {
		t.Errorf("the same slot: %+v", again)
	}
	moved := incoming("SM", 3, 1)
	moved.Modem = "spare" // the SIM is in another stick now
	if got := w.receive(moved); got.New {
		t.Errorf("the same SIM's slot: %+v", got)
	}
	wantRepeat := func(name string, in Incoming) {
		t.Helper()
		after := w.s.LastEvent()
		got := w.receive(in)
		if !got.New || got.Message == first.Message {
			t.Errorf("%s: %+v", name, got)
		}
		if m := w.get(got.Message); m.RepeatOf != formatID(first.Message) || m.State != api.Received {
			t.Errorf("%s: %+v", name, m)
		}
		if got := w.events(after); !slices.Equal(got, []api.EventType{api.EventRepeat}) {
			t.Errorf("%s: events %v", name, got)
		}
	}
	wantRepeat("another slot", incoming("SM", 4, 1))
	wantRepeat("another memory", incoming("ME", 3, 1))
	wantRepeat("directly", incoming("", -1, 1))
	ok(t, w.s.Deleted(w.tick(), first.Row))
	wantRepeat("the slot after its delete", incoming("SM", 3, 1))

	if slots := must[[]Slot](t)(w.s.Undeleted(1, "office")); len(slots) != 3 {
		t.Errorf("slots %+v, want 3", slots)
	}
	if got := w.receive(incoming("SM", 3, 2)); !got.New || w.get(got.Message).RepeatOf != "" {
		t.Errorf("other octets in a slot: %+v", got)
	}
	if slots := must[[]Slot](t)(w.s.Undeleted(1, "office")); len(slots) != 3 {
		t.Errorf("slots %+v, want 3: the old octets are gone", slots)
	}
}

func TestUnreadableAndOther(t *testing.T) {
	w := newWorldHere(t)
	in := incoming("SM", 1, 7)
	in.Kind, in.From, in.Text, in.Encoding, in.Error = "unreadable", "", nil, "unreadable", &api.Reason{Code: "unreadable", Message: "too short"}
	in.SentAt = time.Time{}
	m := w.get(w.receive(in).Message)
	if m.Encoding != "unreadable" || string(m.Data) != string(in.PDU) || m.Error == nil || m.SentAt != nil {
		t.Errorf("unreadable: %+v", m)
	}
	in = incoming("SM", 2, 8)
	in.Kind = "other"
	if got := w.receive(in); !got.New || got.Row == 0 || got.Message != 0 {
		t.Errorf("other: %+v", got)
	}
	in = incoming("SM", 3, 9)
	in.Flags, in.Concat = []string{"odd-address", "trailing"}, &Concat{Total: 2, Seq: 3}
	if got := w.receive(in); !got.Complete || !slices.Equal(w.get(got.Message).Flags, in.Flags) {
		t.Errorf("a part beyond its total: %+v", got)
	}
}

// TestParts come in any order, interleaved with others, over a restart.
func TestParts(t *testing.T) {
	w := newWorldHere(t)
	a3 := w.receive(partOf(7, 3, 3, "a", t0))
	b1 := w.receive(partOf(8, 1, 2, "b", t0))
	if a3.Message == b1.Message || a3.Complete {
		t.Fatalf("a %+v, b %+v", a3, b1)
	}
	if m := w.get(a3.Message); !m.Incomplete || *m.Text != "__a3" || len(m.Parts) != 1 || m.Parts[0].Seq != 3 {
		t.Errorf("so far: %+v", m)
	}
	w.receive(partOf(7, 1, 3, "a", t0))
	other := partOf(7, 2, 3, "x", t0)
	other.From = "+4790000003"
	if got := w.receive(other); got.Message == a3.Message {
		t.Error("another sender's part was taken")
	}
	after := w.s.LastEvent()
	done := w.receive(partOf(7, 2, 3, "a", t0))
	if !done.Complete || done.Message != a3.Message {
		t.Errorf("done: %+v", done)
	}
	if m := w.get(done.Message); m.Incomplete || *m.Text != "a1a2a3" || len(m.Parts) != 3 {
		t.Errorf("done: %+v", m)
	}
	if got := w.events(after); !slices.Equal(got, []api.EventType{api.EventPartReceived, api.EventReceived}) {
		t.Errorf("events %v", got)
	}
}

// TestReusedReference: messages of one sender under one reference do not mix.
func TestReusedReference(t *testing.T) {
	w := newWorldHere(t)
	day := func(n int) time.Time { return t0.Add(time.Duration(n) * 24 * time.Hour) }
	old := w.receive(partOf(7, 1, 2, "old", day(0)))
	w.now = day(3)
	if fresh := w.receive(partOf(7, 1, 2, "new", day(3))); fresh.Message == old.Message {
		t.Fatal("a second part 1 went into the old message")
	}
	done := w.receive(partOf(7, 2, 2, "new", day(3)))
	if m := w.get(done.Message); !done.Complete || *m.Text != "new1new2" {
		t.Errorf("joined %q", *m.Text)
	}
	late := w.receive(partOf(7, 2, 2, "old", day(0)))
	if !late.Complete || late.Message != old.Message || *w.get(late.Message).Text != "old1old2" {
		t.Errorf("late: %+v", late)
	}
	w.receive(partOf(9, 1, 2, "x", day(3)))
	w.now = day(11)
	if got := w.receive(partOf(9, 2, 2, "y", day(11))); got.Complete {
		t.Error("parts eight days apart were joined")
	}
}

// TestRepeatedParts: one part twice is an event; the whole message twice is two
// messages, because two equal alarms are two alarms.
func TestRepeatedParts(t *testing.T) {
	w := newWorldHere(t)
	w.receive(partOf(7, 1, 2, "a", t0))
	after := w.s.LastEvent()
	if got := w.receive(partOf(7, 1, 2, "a", t0)); !got.New || got.Complete {
		t.Errorf("part 1 again: %+v", got)
	}
	if got := w.events(after); !slices.Equal(got, []api.EventType{api.EventRepeat}) {
		t.Errorf("events %v", got)
	}
	done := w.receive(partOf(7, 2, 2, "a", t0))
	if !done.Complete || *w.get(done.Message).Text != "a1a2" {
		t.Errorf("done: %+v", done)
	}
	second := w.receive(partOf(7, 2, 2, "a", t0))
	m := w.get(second.Message)
	if !second.Complete || second.Message == done.Message || m.RepeatOf != formatID(done.Message) || *m.Text != "a1a2" || m.Incomplete {
		t.Errorf("the second: %+v %+v", second, m)
	}
	if page := must[api.Messages](t)(w.s.List(Filter{Direction: api.In})); len(page.Messages) != 2 {
		t.Errorf("%d messages, want 2", len(page.Messages))
	}
}

func TestIncomplete(t *testing.T) {
	w := newWorldHere(t)
	first := w.receive(partOf(7, 1, 2, "a", t0))
	due := w.now.Add(announceAfter)
	if at, found, err := w.s.NextHousekeeping(w.now); err != nil || !found || !at.Equal(due) {
		t.Errorf("housekeeping at %v %v, want %v", at, err, due)
	}
	count := func(now time.Time) int { return must[int](t)(w.s.Incomplete(now)) }
	if n := count(due.Add(-time.Second)); n != 0 {
		t.Errorf("announced %d too early", n)
	}
	after := w.s.LastEvent()
	if n := count(due); n != 1 {
		t.Errorf("announced %d, want 1", n)
	}
	if n := count(due.Add(time.Hour)); n != 0 {
		t.Errorf("announced %d twice", n)
	}
	if got := w.events(after); !slices.Equal(got, []api.EventType{api.EventIncomplete}) {
		t.Errorf("events %v", got)
	}
	w.now = due
	done := w.receive(partOf(7, 2, 2, "a", t0))
	if !done.Complete || done.Message != first.Message || w.get(done.Message).Incomplete {
		t.Errorf("the rest came: %+v", done)
	}
}
