package modem

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"simpost/modem/emulator"
)

// Every modem we know says who it is and whose its card is, and keeps its settings.
func TestLookAtEveryModem(t *testing.T) {
	for _, profile := range emulator.Profiles() {
		inLab(t, emulator.Config{Profile: profile, ICCID: "89470100000000000179"}, func(t *testing.T, l *lab) {
			port, err := l.modem.Open()
			if err != nil {
				t.Fatal(err)
			}
			id, err := Look(t.Context(), port, true)
			if err != nil || len(id.IMEI) < 15 || id.ICCID != "89470100000000000179" {
				t.Fatalf("%s: %+v, %v\n%s", profile, id, err, l.transcript())
			}
			for _, line := range l.modem.Transcript() {
				cmd, ok := strings.CutPrefix(line, "> AT")
				if ok && strings.Contains(cmd, "=") && !strings.HasPrefix(cmd, "+CRSM=176,") {
					t.Errorf("%s: AT%s sets something", profile, cmd)
				}
			}
		})
	}
}

func saysNothing(string) (string, bool) { return "", true }

// A look ends within 3 s, whatever is there, and says what.
func TestLookGivesUpFast(t *testing.T) {
	for name, c := range map[string]struct {
		says      string // again and again, by itself
		answers   func(cmd string) (string, bool)
		condition string // of the error, or two of which chance decides; "" for a modem
	}{
		"silence":            {"", saysNothing, "silent"},
		"a GPS receiver":     {"$GPGGA,,,,,,0,00,,,M,,M,,*66", saysNothing, "not-a-modem or silent"},
		"an echo":            {"", func(cmd string) (string, bool) { return "AT" + cmd, true }, "silent"},
		"a Bluetooth module": {"", func(cmd string) (string, bool) { return map[bool]string{true: "OK", false: "ERROR"}[cmd == ""], true }, "not-a-modem"},
		"a loader":           {"NETWORK SERVICE CHANGE", saysNothing, "not-a-modem or silent"},
		"no IMEI":            {"", func(cmd string) (string, bool) { return "ERROR", cmd == "+CGSN" }, ""},
		"AT refused":         {"", func(cmd string) (string, bool) { return "ERROR", cmd == "" }, ""},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := newScript(t)
			s.on = c.answers
			var talk sync.WaitGroup
			defer talk.Wait()
			if c.says != "" {
				talk.Go(func() { // a receiver says it every second
					for range 3 {
						s.say(c.says)
						time.Sleep(time.Second)
					}
				})
			}
			began := time.Now()
			id, err := Look(t.Context(), s.host, false)
			var start *StartError
			switch {
			case c.condition == "" && (err != nil || id.IMEI == "" && id.Manufacturer == ""):
				t.Errorf("%s: %+v, %v", name, id, err)
			case c.condition != "" && (!errors.As(err, &start) || !strings.Contains(c.condition, start.Condition)):
				t.Errorf("%s: %v, want %s", name, err, c.condition)
			}
			if took := time.Since(began); took > 3*time.Second {
				t.Errorf("%s: took %v", name, took)
			}
			if strings.Contains(strings.Join(s.log(), " "), "^Z") {
				t.Errorf("%s: %q", name, s.log())
			}
		})
	}
}

// A modem that a crash left in a prompt gets ESC, and one that sleeps is called twice.
func TestLookAtAModemThatIsElsewhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript(t)
		s.atInput = true
		if id, err := Look(t.Context(), s.host, false); err != nil || id.IMEI == "" {
			t.Errorf("in a prompt: %+v, %v; asked %q", id, err, s.log())
		}
	})
	synctest.Test(t, func(t *testing.T) {
		s := newScript(t)
		s.on = func(string) (string, bool) { return "", len(s.asked) < 2 }
		if id, err := Look(t.Context(), s.host, false); err != nil || id.IMEI == "" {
			t.Errorf("asleep: %+v, %v; asked %q", id, err, s.log())
		}
		if !slices.Contains(s.log(), "+CGSN") {
			t.Errorf("asked %q", s.log())
		}
	})
}
