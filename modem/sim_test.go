package modem

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
)

// card is the SIM side of a script: a PIN, a counter, a lock.
type card struct {
	pin      string
	left     int
	open     bool
	entered  int
	counter  string // query that tells the counter, "" if none does
	shape    string // of its answer, with %d
	answer   string // to AT+CPIN= instead of the card's own, "hang" for silence
	noICCID  bool
	readyErr string // error of CPIN? before READY, once
}

func (c *card) on(cmd string) (string, bool) {
	switch {
	case cmd == "+CPIN?" && c.readyErr != "" && c.open:
		e := c.readyErr
		c.readyErr = ""
		return e, true
	case cmd == "+CPIN?" && c.left == 0:
		return "+CPIN: SIM PUK|OK", true
	case cmd == "+CPIN?" && !c.open:
		return "+CPIN: SIM PIN|OK", true
	case cmd == c.counter:
		return fmt.Sprintf(c.shape, c.left) + "|OK", true
	case cmd == "+CIMI" && !c.open:
		return "+CME ERROR: 11", true
	case cmd == "+CCID" && c.noICCID:
		return "ERROR", true
	case strings.HasPrefix(cmd, "+CPIN="):
		c.entered++
		if c.answer == "hang" {
			return "", true
		}
		if c.answer != "" {
			return c.answer, true
		}
		if cmd != `+CPIN="`+c.pin+`"` {
			c.left--
			return "+CME ERROR: 16", true
		}
		c.open, c.left = true, 3
		return "OK", true
	}
	return "", false
}

// diary is a PINGuard that survives the modem, as the daemon's does.
type diary struct {
	tried map[string]bool
	log   []string
	fails error
}

func (d *diary) guard() PINGuard {
	return PINGuard{
		Tried: func(key string) bool { return d.tried[key] },
		Trying: func(key string) error {
			d.log = append(d.log, "trying "+key)
			if d.fails != nil {
				return d.fails
			}
			d.tried[key] = true
			return nil
		},
		Worked: func(key string) error {
			d.log = append(d.log, "worked "+key)
			delete(d.tried, key)
			return nil
		},
	}
}

const testICCID, testIMEI = "8947010000000000017", "350000000000018"

func TestPIN(t *testing.T) {
	pin := func(s string) func() (string, error) { return func() (string, error) { return s, nil } }
	type want struct {
		condition string // "" is success
		entered   int
		log       []string
	}
	both := []string{"trying " + testICCID, "trying imei-" + testIMEI, "worked " + testICCID, "worked imei-" + testIMEI}
	once := both[:2]
	undone := []string{both[0], both[2], both[3]}
	blind := []string{"trying blind-" + testIMEI, "trying imei-" + testIMEI, "worked blind-" + testIMEI, "worked imei-" + testIMEI}
	for name, c := range map[string]struct {
		card  card
		pin   func() (string, error)
		tried bool
		fails error
		want  want
	}{
		"right":                  {card: card{pin: "1234", left: 3}, pin: pin("1234"), want: want{"", 1, both}},
		"right, SIM busy":        {card: card{pin: "1234", left: 3, readyErr: "+CME ERROR: 14"}, pin: pin("1234"), want: want{"", 1, both}},
		"wrong":                  {card: card{pin: "1234", left: 3}, pin: pin("4321"), want: want{"pin-refused", 1, once}},
		"tried before":           {card: card{pin: "1234", left: 3}, pin: pin("1234"), tried: true, want: want{"pin-refused", 0, nil}},
		"two left":               {card: card{pin: "1234", left: 2, counter: "+CPINR", shape: "+CPINR: SIM PIN,%d,3"}, pin: pin("1234"), want: want{"pin-guard", 0, nil}},
		"three left":             {card: card{pin: "1234", left: 3, counter: "+CPINR", shape: "+CPINR: SIM PUK,10,10|+CPINR: SIM PIN,%d,3"}, pin: pin("1234"), want: want{"", 1, both}},
		"not recorded":           {card: card{pin: "1234", left: 3}, pin: pin("1234"), fails: errors.New("disk full"), want: want{"pin-guard", 0, undone}},
		"none configured":        {card: card{pin: "1234", left: 3}, want: want{"pin-required", 0, nil}},
		"not to be read":         {card: card{pin: "1234", left: 3}, pin: func() (string, error) { return "", errors.New("no such file") }, want: want{"pin-required", 0, nil}},
		"letters":                {card: card{pin: "1234", left: 3}, pin: pin("12a4"), want: want{"pin-required", 0, nil}},
		"injection":              {card: card{pin: "1234", left: 3}, pin: pin("1234\"\rAT"), want: want{"pin-required", 0, nil}},
		"too short":              {card: card{pin: "1234", left: 3}, pin: pin("123"), want: want{"pin-required", 0, nil}},
		"blocked":                {card: card{pin: "1234", left: 0}, pin: pin("1234"), want: want{"puk-required", 0, nil}},
		"answered in error":      {card: card{pin: "1234", left: 3, answer: "ERROR"}, pin: pin("1234"), want: want{"pin-refused", 1, once}},
		"not looked at":          {card: card{pin: "1234", left: 3, answer: "+CME ERROR: 14", counter: "+CPINR", shape: "+CPINR: SIM PIN,%d,3"}, pin: pin("1234"), want: want{"sim-busy", 1, both}},
		"refused, counter stale": {card: card{pin: "1234", left: 3, answer: "+CME ERROR: 16", counter: "+CPINR", shape: "+CPINR: SIM PIN,%d,3"}, pin: pin("1234"), want: want{"pin-refused", 1, once}},
		"taken, and asked again": {card: card{pin: "1234", left: 3, answer: "OK"}, pin: pin("1234"), want: want{"sim-failure", 1, both}},
		"no answer":              {card: card{pin: "1234", left: 3, answer: "hang"}, pin: pin("1234"), want: want{"pin-refused", 1, once}},
		"ICCID behind the PIN": {card: card{pin: "1234", left: 3, noICCID: true}, pin: pin("1234"),
			want: want{"", 1, blind}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newScript(t)
				s.on = c.card.on
				d := &diary{tried: map[string]bool{}, fails: c.fails}
				if c.tried {
					d.tried[testICCID] = true
				}
				_, err := s.open(Config{PIN: c.pin, Guard: d.guard()})
				if c.want.condition == "" && err != nil {
					t.Fatalf("open: %v", err)
				}
				if c.want.condition != "" {
					wantCondition(t, err, c.want.condition)
				}
				if c.card.entered != c.want.entered || !slices.Equal(d.log, c.want.log) {
					t.Errorf("entered %d times, want %d; log %q, want %q", c.card.entered, c.want.entered, d.log, c.want.log)
				}
				if err != nil && strings.Contains(err.Error(), "1234") {
					t.Errorf("the error shows the PIN: %v", err)
				}
			})
		})
	}
}

// TestPINNeverTwice opens the same SIM again and again, with a crash around every step of the first try.
func TestPINNeverTwice(t *testing.T) {
	for name, crash := range map[string]func(d *diary, c *card, cancel context.CancelFunc) func(string) (string, bool){
		"wrong PIN": func(d *diary, c *card, _ context.CancelFunc) func(string) (string, bool) { return c.on },
		"gone before the answer": func(d *diary, c *card, cancel context.CancelFunc) func(string) (string, bool) {
			return func(cmd string) (string, bool) {
				if strings.HasPrefix(cmd, "+CPIN=") {
					defer cancel()
					c.on(cmd)
					return "", true
				}
				return c.on(cmd)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d, c := &diary{tried: map[string]bool{}}, &card{pin: "1234", left: 3}
				for range 10 {
					ctx, cancel := context.WithCancel(t.Context())
					s := newScript(t)
					s.on = crash(d, c, cancel)
					if m, err := Open(ctx, s.host, Config{PIN: func() (string, error) { return "9999", nil }, Guard: d.guard()}); err == nil {
						m.Close()
						t.Fatal("opened with a wrong PIN")
					}
					cancel()
				}
				if c.entered != 1 || c.left != 2 {
					t.Errorf("entered %d times, %d tries left", c.entered, c.left)
				}
			})
		})
	}
}

// TestPINNeverTwiceOnACardThatHides: the card tells its ICCID at one start and not at the next.
func TestPINNeverTwiceOnACardThatHides(t *testing.T) {
	for _, hides := range [][]bool{{false, true}, {true, false}, {true, true}} {
		synctest.Test(t, func(t *testing.T) {
			d, c := &diary{tried: map[string]bool{}}, &card{pin: "1234", left: 3}
			for _, c.noICCID = range hides {
				s := newScript(t)
				s.on = c.on
				_, err := s.open(Config{PIN: func() (string, error) { return "9999", nil }, Guard: d.guard()})
				wantCondition(t, err, "pin-refused")
			}
			if c.entered != 1 {
				t.Errorf("hidden %v: entered %d times", hides, c.entered)
			}
			// Another card in the same modem is not to suffer for one that told its name.
			other := &card{pin: "5678", left: 3}
			s := newScript(t)
			s.answers["+CCID"] = "+CCID: 8947010000000000025|OK"
			s.on = other.on
			_, err := s.open(Config{PIN: func() (string, error) { return "5678", nil }, Guard: d.guard()})
			if named := !hides[0]; named != (err == nil) {
				t.Errorf("hidden %v: another card: %v", hides, err)
			}
		})
	}
}

func TestPINWithoutAGuardIsNotEntered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, c := newScript(t), &card{pin: "1234", left: 3}
		s.on = c.on
		_, err := s.open(Config{PIN: func() (string, error) { return "1234", nil }})
		wantCondition(t, err, "pin-required")
		if c.entered != 0 {
			t.Error("entered")
		}
	})
}

// TestCountersOfTheDialects: generic does not know the vendor's counter and would spend the last but one try; the
// vendor's own profile asks it and stops.
func TestCountersOfTheDialects(t *testing.T) {
	for profile, c := range map[string]card{
		"huawei":     {counter: "^CPIN?", shape: "^CPIN: SIM PIN,2,10,%d,10,3"},
		"simcom-2g":  {counter: "+SPIC", shape: "+SPIC: %d,10,0,10"},
		"simcom-lte": {counter: "+SPIC", shape: "+SPIC: %d,10,0,10"},
		"quectel":    {counter: `+QPINC="SC"`, shape: `+QPINC: "SC",%d,10`},
	} {
		for _, as := range []string{"generic", profile} {
			t.Run(profile+" as "+as, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					c := c
					c.pin, c.left = "1234", 2
					s, d := newScript(t), &diary{tried: map[string]bool{}}
					s.on = c.on
					_, err := s.open(Config{Profile: as, PIN: func() (string, error) { return "9999", nil }, Guard: d.guard()})
					if as == "generic" {
						wantCondition(t, err, "pin-refused")
					} else {
						wantCondition(t, err, "pin-guard")
					}
					if want := map[bool]int{true: 1, false: 2}[as == "generic"]; c.left != want {
						t.Errorf("%d tries left, want %d", c.left, want)
					}
				})
			})
		}
	}
}

// TestPINNeverTwiceHoweverTheCardIsTold: modems tell one card with and without its check digit, in upper and lower case.
func TestPINNeverTwiceHoweverTheCardIsTold(t *testing.T) {
	for _, c := range []struct {
		first, second string
		same          bool
	}{
		{"8947010000000000017", "89470100000000000175", true}, {"89470100000000000175", "8947010000000000017", true},
		{"894701000000000001", "8947010000000000017", true}, {"8947010000000000017", "894701000000000001", true},
		{"8986010A0000000001", "8986010a00000000017", true}, {"8986010a00000000017", "8986010A00000000017", true},
		// The next cards of a series, which often have one PIN, are others.
		{"89014103211118510720", "89014103211118510738", false}, {"8901410321111851072", "8901410321111851073", false},
	} {
		synctest.Test(t, func(t *testing.T) {
			d, entered := &diary{tried: map[string]bool{}}, 0
			for _, iccid := range []string{c.first, c.second} {
				s, card := newScript(t), &card{pin: "1234", left: 3}
				s.on, s.answers["+CCID"] = card.on, "+CCID: "+iccid+"|OK"
				_, err := s.open(Config{PIN: func() (string, error) { return "9999", nil }, Guard: d.guard()})
				wantCondition(t, err, "pin-refused")
				entered += card.entered
			}
			if c.same != (entered == 1) {
				t.Errorf("%s, then %s: entered %d times", c.first, c.second, entered)
			}
		})
	}
}
