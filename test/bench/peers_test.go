package main

import (
	"bytes"
	"context"
	"math"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"simpost/modem/emulator"
)

// Copies and losses are counted by recipient: one who got two does not make up for one who got none.
func TestReceived(t *testing.T) {
	record := []emulator.Submission{{To: "+471"}, {To: "+472"}, {To: "+472"}, {To: "+472"}, {To: "+479"}}
	if got, want := received(record, []string{"+471", "+472", "+473"}), (fate{copies: 2, lost: 1}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestWaiting(t *testing.T) {
	w := newWaiting(2)
	if w.saw("From: x\n\n"+strings.Repeat("0", 160), time.Now()) {
		t.Error("a message was seen before it was sent")
	}
	w.sent(0)
	w.sent(1)
	text := strings.Repeat("0", 159) + "1"
	if w.saw(text[:80], time.Now()) {
		t.Error("half a message counts as seen")
	}
	for range 2 { // once is enough
		if !w.saw("From: x\n\n"+text+"\n", time.Now()) {
			t.Error("a whole message was not seen")
		}
	}
	if got := w.took(); len(got) != 1 {
		t.Errorf("%d are visible, want 1", len(got))
	}
	select {
	case <-w.all:
		t.Error("one is missing, and all is closed")
	default:
	}
	w.saw(strings.Repeat("0", 160), time.Now())
	<-w.all
}

// The table says it where simpost loses, and compares with the better of a program's configurations.
func TestVerdict(t *testing.T) {
	peers := []*peer{{name: "ours"}, {name: "ours", config: "other"}, {name: "a"}, {name: "b"}}
	less, more := metric{key: "m"}, metric{key: "m", more: true}
	for _, v := range []struct {
		values []float64
		m      metric
		want   string
	}{
		{[]float64{1, 9, 2, 4}, less, "first ×2.00"},
		{[]float64{1, 9, 2, 4}, more, "**lost** to b  ×4.00"},
		{[]float64{3, 0, 2, 4}, less, "**lost** to a  ×1.50"},
		{[]float64{0, 9, 1, 4}, less, "first"},
		{[]float64{2, 9, 2, 4}, less, "equal"},
		{[]float64{2.05, 9, 2, 4}, less, "about equal to a "},
		{[]float64{2, 9, math.Inf(1), math.Inf(1)}, less, "first"},
		{[]float64{2, 9}, less, "alone"},
		{nil, less, "not measured"},
	} {
		var r results
		for i, x := range v.values {
			r.add("m", peers[i], x)
		}
		if got := r.verdict(v.m, peers); got != v.want {
			t.Errorf("%v: got %q, want %q", v.values, got, v.want)
		}
	}
}

func TestValues(t *testing.T) {
	p := &peer{name: "p"}
	var r results
	for _, x := range []float64{9, 1, 2} {
		r.add("m", p, x)
	}
	if got, _ := r.value(metric{key: "m"}, p); got != 2 {
		t.Errorf("the median is %v, want 2", got)
	}
	if got, _ := r.value(metric{key: "m", sum: true}, p); got != 12 {
		t.Errorf("the sum is %v, want 12", got)
	}
}

func TestFlaggedCopiesAreShownAndCounted(t *testing.T) {
	p := allPeers()[0]
	var r results
	r.add("kill -9 copies", p, 1)
	r.add("kill -9 flagged", p, 1)
	if text := r.markdown("head"); !strings.Contains(text, "| kill -9: copies too many | 1 (1 flagged) |") {
		t.Errorf("the flagged copy is missing in\n%s", text)
	}
}

func TestReplaceSection(t *testing.T) {
	got, err := replaceSection("a\n"+sectionBegin+"old\n"+sectionEnd+"b\n", "new\n")
	if want := "a\n" + sectionBegin + "new\n" + sectionEnd + "b\n"; err != nil || got != want {
		t.Errorf("got %q %v, want %q", got, err, want)
	}
	if _, err := replaceSection("no marks\n", "new\n"); err == nil {
		t.Error("a file without marks was written to")
	}
}

// The page has the marks that a run writes between.
func TestThePageHasItsMarks(t *testing.T) {
	raw, err := os.ReadFile("../../docs/benchmarks.md")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := replaceSection(string(raw), ""); err != nil {
		t.Error(err)
	}
}

func TestWords(t *testing.T) {
	for v, want := range map[float64]string{math.Inf(1): "never", 0: "0 s", 0.0123: "12.3 ms", 1.234: "1.23 s", 163: "163 s"} {
		if got := duration(v); got != want {
			t.Errorf("%v: got %q, want %q", v, got, want)
		}
	}
}

// A program is a group with all it forks: counted together, and killed together.
func TestGroupsAreCountedAndKilledWhole(t *testing.T) {
	s, err := newStage(t.Context(), &bench{dir: t.TempDir()}, lines[0], 0)
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	if err := s.run("sh", "-c", "sleep 600 & sleep 600 & wait"); err != nil {
		t.Fatal(err)
	}
	leader := s.procs[0].cmd.Process.Pid
	if err := poll(t.Context(), "wait for the children", func() bool { return len(groupOf(leader)) == 3 }); err != nil {
		t.Fatal(err)
	}
	if u, err := s.load(); err != nil || u.resident == 0 || u.wakes == 0 {
		t.Errorf("the load is %+v (%v)", u, err)
	}
	s.end(syscall.SIGKILL)
	if err := poll(context.Background(), "wait for their end", func() bool { return len(groupOf(leader)) == 0 }); err != nil {
		t.Error(err)
	}
}

func TestLogIsBounded(t *testing.T) {
	var l boundedLog
	line := bytes.Repeat([]byte("x"), 1<<20)
	for range 8 {
		if _, err := l.Write(line); err != nil {
			t.Fatal(err)
		}
	}
	if got := l.count(); got != 8<<20 {
		t.Errorf("%d octets are counted", got)
	}
	if kept := len(l.end.String()); kept > tailKept {
		t.Errorf("%d octets are kept", kept)
	}
}
