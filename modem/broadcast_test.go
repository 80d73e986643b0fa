package modem

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"simpost/modem/emulator"
)

// TestBroadcasts: every modem hands a page out, announces where it has stored it, or says that it does neither and has its
// indications as before.
func TestBroadcasts(t *testing.T) {
	can := 0
	for _, profile := range emulator.Profiles() {
		inLab(t, emulator.Config{Profile: profile}, func(t *testing.T, l *lab) {
			m := l.mustOpen(Config{SMSC: "+4790000000"})
			time.Sleep(2 * time.Minute) // its boot
			before := m.Settings().CNMI
			err := m.Broadcasts(t.Context(), "4370-4399,50")
			m.Take()
			l.net.Broadcast(emulator.Broadcast{Channel: 4371, Text: "hello"})
			l.net.Broadcast(emulator.Broadcast{Channel: 51, Text: "not for us"})
			synctest.Wait()
			got := m.Take()
			stored, lerr := m.List(t.Context(), got.Memories...)
			if lerr != nil {
				t.Errorf("%s: %v", profile, lerr)
			}
			pages := len(stored)
			for _, d := range got.Direct {
				if d.Kind == "CBM" && d.Length == 88 && len(d.PDU) == 176 {
					pages++
				}
			}
			switch {
			case err == nil && pages != 1:
				t.Errorf("%s: %d pages came: %+v", profile, pages, got)
			case err != nil && (!errors.Is(err, errNoBroadcasts) || m.Settings().CNMI != before):
				t.Errorf("%s: %v, indications %s, were %s", profile, err, m.Settings().CNMI, before)
			}
			if err == nil {
				can++
			}
			if lost, err := m.Rearm(t.Context()); lost || err != nil {
				t.Errorf("%s: the indications are not as they are thought to be: %v", profile, err)
			}
		})
	}
	if can < 5 {
		t.Errorf("%d profiles do broadcasts", can)
	}
}

// TestBroadcastForms: what CSCB is given is written as the modem takes it, and nothing else reaches the wire.
func TestBroadcastForms(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript(t)
		s.answers[`+CSCB=0,"50"`], s.answers["+CNMI=2,1,2,1,0"], s.answers["+CNMI?"] = "OK", "OK", "+CNMI: 2,1,0,1,0|OK"
		m := s.mustOpen(Config{})
		s.set("+CNMI?", "+CNMI: 2,1,2,1,0|OK")
		if err := m.Broadcasts(t.Context(), "50"); err != nil || m.Settings().CNMI != "2,1,2,1,0" {
			t.Errorf("%v, %s", err, m.Settings().CNMI)
		}
		for _, bad := range []string{"", "alerts", "50\r", `50",""`, "1-2-3"} {
			if err := m.Broadcasts(t.Context(), bad); err == nil {
				t.Errorf("%q was taken", bad)
			}
		}
		for _, l := range s.log() {
			if strings.Contains(l, "alerts") {
				t.Errorf("asked %q", l)
			}
		}
	})
}

// TestCalls: a call tells who it is on every modem that is asked for it, and can be hung up.
func TestCalls(t *testing.T) {
	for _, profile := range emulator.Profiles() {
		inLab(t, emulator.Config{Profile: profile, Number: "+4790000001"}, func(t *testing.T, l *lab) {
			m := l.mustOpen(Config{SMSC: "+4790000000"})
			if err := m.ShowCallers(t.Context()); err != nil {
				t.Fatal(profile, err)
			}
			m.Take()
			c := l.net.Call("+4791000001", "+4790000001")
			synctest.Wait()
			if got := m.Take().Calls; len(got) != 1 || got[0] != (Ring{Number: "+4791000001"}) {
				t.Errorf("%s: %+v", profile, got)
			}
			if err := m.HangUp(t.Context()); err != nil || !c.Over() {
				t.Errorf("%s: %v, over %v", profile, err, c.Over())
			}
		})
	}
}

// TestHangUpAsBefore: a modem without CHUP knows ATH.
func TestHangUpAsBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript(t)
		s.answers["H"] = "OK"
		if err := s.mustOpen(Config{}).HangUp(t.Context()); err != nil || s.count("H") != 1 {
			t.Errorf("%v, asked %q", err, s.log())
		}
	})
}
