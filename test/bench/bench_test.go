package main

import (
	"maps"
	"testing"
	"time"
)

func TestParseBench(t *testing.T) {
	for _, v := range []struct {
		line, name string
		want       figures
	}{
		{"BenchmarkDecode/warthog618/long-2 \t 3 \t 12.5 ns/op \t 48 B/op \t 7 allocs/op\n", "Decode/warthog618/long",
			figures{"ns/op": 12.5, "B/op": 48, "allocs/op": 7}},
		{"BenchmarkDue/rows=1000 \t 3 \t 12 ns/op\n", "Due/rows=1000", figures{"ns/op": 12}},
		{"ok  \tsimpost/pdu\t1.2s\n", "", nil},
		{"BenchmarkBroken-2 \t panic: at once\n", "", nil},
	} {
		name, got, ok := parseBench(v.line)
		if name != v.name || ok != (v.want != nil) || !maps.Equal(got, v.want) {
			t.Errorf("%q: got %q %v %v, want %q %v", v.line, name, got, ok, v.name, v.want)
		}
	}
}

func TestQuantile(t *testing.T) {
	d := []time.Duration{5, 1, 4, 2, 3}
	for q, want := range map[float64]time.Duration{0: 1, 0.5: 3, 1: 5} {
		if got := quantile(d, q); got != want {
			t.Errorf("%v: got %d, want %d", q, got, want)
		}
	}
	if got := quantile(nil, 0.5); got != 0 {
		t.Errorf("of nothing: got %d", got)
	}
}

func TestPacked(t *testing.T) {
	if got, want := packed("hellohello"), "E8329BFD4697D9EC37"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	// 160 septets are 140 octets; the service centre's, first, reference, address,
	// protocol, coding, validity and length octets are 14.
	if got, want := len(hostPDU())/2, 140+14; got != want {
		t.Errorf("a full part has %d octets, want %d", got, want)
	}
}

func TestShort(t *testing.T) {
	for d, want := range map[time.Duration]string{
		1234567890: "1.23s", 33_456_789: "33.46ms", 1_234: "1.23µs", 999: "999ns",
	} {
		if got := short(d); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	if got := signed(-2 * time.Millisecond); got != "-2ms" {
		t.Errorf("got %s", got)
	}
}
