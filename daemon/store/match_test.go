package store

import (
	"testing"
	"time"
)

func TestMatch(t *testing.T) {
	const scts = int64(1_800_000_000_000)
	ms := func(d time.Duration) int64 { return d.Milliseconds() }
	exact := func(id int64, off time.Duration) candidate {
		return candidate{attempt: id, started: scts + ms(off), exact: true}
	}
	unknown := func(id int64, off time.Duration) candidate {
		return candidate{attempt: id, started: scts + ms(off), unknown: true}
	}
	flying := func(id int64, off time.Duration) candidate {
		return candidate{attempt: id, started: scts + ms(off)}
	}
	for _, c := range []struct {
		name string
		skew time.Duration
		in   []candidate
		want int64
	}{
		{"nothing", 0, nil, 0},
		{"one", 0, []candidate{exact(1, -3*time.Second)}, 1},
		{"nearest of two", 0, []candidate{exact(1, -time.Minute), exact(2, -4*time.Second)}, 2},
		{"nearest of two, the other order", 0, []candidate{exact(1, -4*time.Second), exact(2, -time.Minute)}, 1},
		{"after the submit or before it", 0, []candidate{exact(1, 3*time.Second), exact(2, -9*time.Second)}, 1},
		{"a tie", 0, []candidate{exact(1, -5*time.Second), exact(2, 5*time.Second)}, 0},
		{"a tie within the resolution of SCTS", 0, []candidate{exact(1, -5*time.Second), exact(2, -5900*time.Millisecond)}, 0},
		{"a tie, and a nearer one", 0, []candidate{exact(1, -5*time.Second), exact(2, 5*time.Second), exact(3, time.Second)}, 3},
		{"at the edge", 0, []candidate{exact(1, -10*time.Minute)}, 1},
		{"too far", 0, []candidate{exact(1, -10*time.Minute-time.Millisecond)}, 0},
		{"an hour off", 0, []candidate{exact(1, -time.Hour)}, 0},
		{"an hour off, and that is known", time.Hour, []candidate{exact(1, -time.Hour)}, 1},
		{"the skew decides which", 30 * time.Second, []candidate{exact(1, -3*time.Second), exact(2, -33*time.Second)}, 2},
		{"unknown without MR", 0, []candidate{unknown(1, -time.Minute)}, 1},
		{"unknown without MR, too far", 0, []candidate{unknown(1, -11*time.Minute)}, 0},
		{"exact before unknown", 0, []candidate{unknown(1, -time.Second), exact(2, -5*time.Minute)}, 2},
		{"an exact tie leaves nothing to the unknown", 0, []candidate{unknown(1, 0), exact(2, -5*time.Second), exact(3, 5*time.Second)}, 0},
		{"unknown beside a far exact", 0, []candidate{unknown(1, -time.Second), exact(2, -time.Hour)}, 1},
		{"two unknown", 0, []candidate{unknown(1, -time.Second), unknown(2, -time.Minute)}, 0},
		{"two unknown, one of them far", 0, []candidate{unknown(1, -time.Hour), unknown(2, -time.Minute)}, 0},
		{"one in the air", 0, []candidate{flying(1, -time.Second)}, 0},
		{"unknown, and one in the air", 0, []candidate{unknown(1, -time.Minute), flying(2, -time.Second)}, 0},
	} {
		if got := match(scts, ms(c.skew), c.in); got != c.want {
			t.Errorf("%s: got %d, want %d", c.name, got, c.want)
		}
	}
}

func TestSkew(t *testing.T) {
	var k skew
	k, learned := k.suspect(1, 3_600_000)
	if learned || k.known {
		t.Error("one report was believed")
	}
	if k, learned = k.suspect(1, 3_600_500); learned {
		t.Error("two reports of one attempt were believed")
	}
	if k, learned = k.suspect(2, 7_200_000); learned {
		t.Error("two reports that disagree were believed")
	}
	if k, learned = k.suspect(3, 7_201_000); !learned || !k.known || k.value != 7_201_000 {
		t.Errorf("two reports that agree: got %+v", k)
	}
	if k = k.confirm(7_205_000); k.value != 7_202_000 || k.hinted {
		t.Errorf("a match moves it: got %+v", k)
	}
	if k = (skew{}).confirm(4000); !k.known || k.value != 4000 {
		t.Errorf("the first match: got %+v", k)
	}
}

func TestNumberKey(t *testing.T) {
	for in, want := range map[string]string{
		"+47 900 00 001": "4790000001", "004790000001": "4790000001", "90000001": "90000001", "(0)22-33": "02233",
		"2000": "2000", "*100#": "*100#", "Telenor": "telenor", "TAXI 24": "taxi 24", "": "", "+": "+",
	} {
		if got := numberKey(in); got != want {
			t.Errorf("key of %q: got %q, want %q", in, got, want)
		}
	}
	for in, want := range map[string]string{"4790000001": "0000001", "2000": "2000", "0000001": "0000001", "telenor norge": "telenor norge"} {
		if got := tail(in); got != want {
			t.Errorf("tail of %q: got %q, want %q", in, got, want)
		}
	}
}
