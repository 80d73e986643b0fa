package modem

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestParseClock(t *testing.T) {
	want := time.Date(2026, 1, 31, 11, 0, 5, 0, time.UTC)
	for _, s := range []string{"26/01/31,12:00:05+04", "2026/01/31,12:00:05+04", "26/01/31,12:00:05+4", "26/01/31,11:00:05+00", "26/01/31,05:30:05-22"} {
		if got, ok := parseClock(s); !ok || !got.Equal(want) {
			t.Errorf("%q: %v, %v", s, got, ok)
		}
	}
	for _, s := range []string{"", "26/01/31,12:00:05", "26/13/31,12:00:05+04", "26/01/31,12:00:05+99", "26/01/31 12:00:05+04", "now"} {
		if got, ok := parseClock(s); ok {
			t.Errorf("%q was read as %v", s, got)
		}
	}
}

// TestAnnouncedTime: what a modem says by itself of the time, once and as it stands in the manuals.
func TestAnnouncedTime(t *testing.T) {
	want := time.Date(2026, 1, 31, 11, 0, 5, 0, time.UTC)
	for line, ok := range map[string]bool{
		`+CTZE: "+04",0,"2026/01/31,12:00:05"`: true, `+CTZE: "+04",0,"26/01/31,12:00:05"`: true, `*PSUTTZ: 2026,1,31,11,0,5,"+4",0`: true,
		`+CTZE: "+04",0`: false, `*PSUTTZ: 2026,13,31,11,0,5,"+4",0`: false, `*PSUTTZ: soon`: false,
	} {
		synctest.Test(t, func(t *testing.T) {
			s := newScript(t)
			m := s.mustOpen(Config{})
			s.say(line)
			synctest.Wait()
			if got := m.Take().Time; got.IsZero() == ok || ok && !got.Equal(want) {
				t.Errorf("%s: %v", line, got)
			}
			if got := m.Take().Time; !got.IsZero() {
				t.Errorf("%s: told twice", line)
			}
		})
	}
}

// TestNetworkTime: a clock that does not follow the network is nobody's witness.
func TestNetworkTime(t *testing.T) {
	for follows, ok := range map[string]bool{"+CTZU: 1|OK": true, "+CTZU: 0|OK": false, "ERROR": false} {
		synctest.Test(t, func(t *testing.T) {
			s := newScript(t)
			s.answers["+CTZU=1"], s.answers["+CTZU?"], s.answers["+CCLK?"] = "OK", follows, `+CCLK: "26/01/31,12:00:05+04"|OK`
			got, err := s.mustOpen(Config{}).NetworkTime(t.Context())
			if (err == nil) != ok || ok && !got.Equal(time.Date(2026, 1, 31, 11, 0, 5, 0, time.UTC)) {
				t.Errorf("%s: %v, %v", follows, got, err)
			}
		})
	}
}
