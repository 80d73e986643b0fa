package modem

import (
	"cmp"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"simpost/modem/emulator"
)

func TestCard(t *testing.T) {
	book := []emulator.Contact{{Number: "+4790000002", Name: "Åse"}, {}, {Number: "110", Name: "Fire"}}
	for profile, want := range map[string]struct {
		memories string
		puk      int
	}{
		"generic": {"SM ME SR", 10}, "huawei": {"SM ME SR", 10}, "sim800": {"SM", 10}, "quectel-ec25": {"SM ME SR", 10}, "wavecom": {"SM SR", 10},
		"telit": {"SM ME SR", -1}, "ublox": {"SM ME SR", 10},
	} {
		inLab(t, emulator.Config{Profile: profile, Book: book, PIN: "2580"}, func(t *testing.T, l *lab) {
			d := &diary{tried: map[string]bool{}}
			m := l.mustOpen(Config{PIN: func() (string, error) { return "2580", nil }, Guard: d.guard()})
			l.phone.Send(l.modem.Number(), "hello")
			synctest.Wait()
			c, err := m.Card(t.Context())
			var names []string
			held := 0
			for _, mem := range c.Memories {
				names = append(names, mem.Memory)
				held += mem.Used
			}
			if err != nil || c.State != "READY" || c.Lock != "on" || c.Tries != (Tries{3, want.puk}) || c.SMSC != "+4790000000" || c.Number != l.modem.Number() ||
				strings.Join(names, " ") != want.memories || held != 1 || !slices.Contains(c.Books, MemoryCount{"SM", 2, 250}) {
				t.Errorf("%s: %+v, %v\n%s", profile, c, err, l.transcript())
			}
			if _, err := m.Counts(t.Context()); err != nil || m.Take().Rebooted {
				t.Errorf("%s: the next poll takes it for a reboot: %v", profile, err)
			}
			l.receive(m)
		})
	}
}

func TestPhonebook(t *testing.T) {
	book := []emulator.Contact{{Number: "+4790000002", Name: "Åse Ø"}, {}, {Number: "110", Name: "Brann 🔥"}}
	for len(book) < 120 {
		book = append(book, emulator.Contact{})
	}
	book = append(book, emulator.Contact{Number: "+4790000003", Name: "Καλημέρα"})
	inLab(t, emulator.Config{Book: book}, func(t *testing.T, l *lab) {
		m := l.mustOpen(Config{})
		got, err := m.Phonebook(t.Context())
		want := []Contact{{"SM", 1, "+4790000002", "Åse Ø"}, {"SM", 3, "110", "Brann 🔥"}, {"SM", 121, "+4790000003", "Καλημέρα"}}
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%+v, %v\n%s", got, err, l.transcript())
		}
		if v, err := m.query(t.Context(), "+CSCS?", "+CSCS"); err != nil || v != `"GSM"` {
			t.Errorf("the alphabet is left as %s, %v", v, err)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		s := newScript(t)
		if _, err := s.mustOpen(Config{}).Phonebook(t.Context()); err == nil {
			t.Error("a modem without a phonebook has one")
		}
	})
}

func TestServiceCentreIsWritten(t *testing.T) {
	inLab(t, emulator.Config{SMSC: "none"}, func(t *testing.T, l *lab) {
		m := l.mustOpen(Config{})
		if err := m.SetServiceCentre(t.Context(), `+47";+CMGD=1,4`); err == nil {
			t.Error("anything may reach the wire")
		}
		if err := m.SetServiceCentre(t.Context(), "+4790000000"); err != nil || m.Settings().SMSC != "+4790000000" {
			t.Errorf("%v, %+v", err, m.Settings())
		}
		if _, accepted, err := l.send(m); err != nil || accepted != 1 {
			t.Errorf("%v, %d accepted", err, accepted)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		if err := newScript(t).mustOpen(Config{}).SetServiceCentre(t.Context(), "+4790000009"); err == nil {
			t.Error("a card that keeps its own was not noticed")
		}
	})
}

func TestNetworks(t *testing.T) {
	inLab(t, emulator.Config{Latency: 3 * time.Second}, func(t *testing.T, l *lab) {
		m := l.mustOpen(Config{})
		got, err := m.Networks(t.Context())
		want := []Network{{"24201", "Emulated", "current", "lte"}, {"24299", "Stranger (Emulated)", "forbidden", "umts"}}
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%+v, %v", got, err)
		}
		if err := m.SelectNetwork(t.Context(), "24299"); err == nil {
			t.Error("a network that refuses the card was entered")
		}
		if s, err := m.Status(t.Context()); err != nil || !s.CanSend || s.Manual {
			t.Errorf("the choice was not given back: %+v, %v", s, err)
		}
		if err := m.SelectNetwork(t.Context(), "24201"); err != nil {
			t.Error(err)
		}
		if s, err := m.Status(t.Context()); err != nil || !s.CanSend || !s.Manual {
			t.Errorf("bound to its own: %+v, %v", s, err)
		}
		if err := m.SelectNetwork(t.Context(), `24201";+CFUN=0`); err == nil {
			t.Error("anything may reach the wire")
		}
		if err := m.SelectNetwork(t.Context(), AutoNetwork); err != nil {
			t.Error(err)
		}
	})
}

// TestConfiguredNetwork: the choice is made where another is in force, and only there.
func TestConfiguredNetwork(t *testing.T) {
	inLab(t, emulator.Config{}, func(t *testing.T, l *lab) {
		for _, c := range []struct {
			network string
			sets    int
			manual  bool
		}{{"", 0, false}, {AutoNetwork, 0, false}, {"24201", 1, true}, {"24201", 0, true}, {"", 0, true}, {AutoNetwork, 1, false}, {"24299", 2, false}} {
			before := len(l.modem.Transcript())
			m := l.mustOpen(Config{Network: c.network})
			sets := 0
			for _, line := range l.modem.Transcript()[before:] {
				if strings.HasPrefix(line, "> AT+COPS=0") || strings.HasPrefix(line, "> AT+COPS=1") {
					sets++
				}
			}
			if s, err := m.Status(t.Context()); err != nil || s.Manual != c.manual || sets != c.sets || s.Operator != "Emulated" {
				t.Errorf("%q: %d settings, %+v, %v", c.network, sets, s, err)
			}
			m.Close()
		}
		_, err := l.open(Config{Network: "Emulated"})
		wantCondition(t, err, "config")
	})
}

// TestOneTryLessMayStay: a person says that one try left is enough.
func TestOneTryLessMayStay(t *testing.T) {
	for keep, want := range map[int]string{0: "pin-guard", 1: ""} {
		inLab(t, emulator.Config{PIN: "2580"}, func(t *testing.T, l *lab) {
			port, err := l.modem.Open()
			if err != nil {
				t.Fatal(err)
			}
			if _, err := port.Write([]byte("AT+CPIN=\"0000\"\r")); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			port.Close()
			d := &diary{tried: map[string]bool{}}
			g := d.guard()
			g.Keep = keep
			_, err = l.open(Config{PIN: func() (string, error) { return "2580", nil }, Guard: g})
			if want == "" && err != nil {
				t.Error(err)
			} else if want != "" {
				wantCondition(t, err, want)
			}
		})
	}
}

func TestParseNetworks(t *testing.T) {
	for said, want := range map[string][]Network{
		`+COPS: (2,"T-Mobile (DE)","TMO","26201",7),(1,"","o2","26207"),,(0-4),(0-2)`: {
			{"26201", "T-Mobile (DE)", "current", "lte"}, {"26207", "o2", "available", "unknown"}},
		`+COPS: (3,"00540045","","0032003600320030003100",2)`: nil,
		`+COPS: (1,"0054","0054","00320034003200300031",0)`:   {{"24201", "T", "available", "gsm"}},
		"+COPS: (2,\"RADIOLINJA\",,\"24405\"),\n(0,\"TELE\",,\"24491\")": {
			{"24405", "RADIOLINJA", "current", "unknown"}, {"24491", "TELE", "unknown", "unknown"}},
		"+COPS: ,,(0,1,2,3,4),(0,1,2)": nil, "": nil, `+COPS: (`: nil,
	} {
		if got := parseNetworks(strings.Split(said, "\n")); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v", said, got)
		}
	}
}

// TestNetworkVectors holds parseNetworks against ModemManager's own cases. Where a modem does not tell the kind of access
// or writes it outside of the bracket, ModemManager says gsm or looks for it there, and we say unknown.
func TestNetworkVectors(t *testing.T) {
	type entry struct{ Avail, Long, Short, Code, Act string }
	type vector struct {
		Name, Transcript string
		Expected         []entry
	}
	otherwise := map[string]string{ // what else we make of it than ModemManager, and why
		"test_cops_response_mf627a":       "a name in an alphabet that was not asked for stays as it came",
		"test_cops_response_quicksilver":  "a network of seven digits can't be chosen and is left out",
		"test_cops_response_samsung_z810": "a comma in a name is part of it",
	}
	for _, v := range load[vector](t, "networks.json") {
		same := sameNetworks(parseNetworks(strings.Split(v.Transcript, "\r\n")), func(i int, n Network) bool {
			want := v.Expected[i]
			return n.Code == want.Code && n.State == want.Avail && n.Name == cmp.Or(want.Long, want.Short) && (n.Access == want.Act || n.Access == "unknown")
		}, len(v.Expected))
		if _, odd := otherwise[v.Name]; same == odd {
			t.Errorf("%s: the same as ModemManager: %t; %+v, theirs %+v", v.Name, same, parseNetworks(strings.Split(v.Transcript, "\r\n")), v.Expected)
		}
	}
}

func sameNetworks(got []Network, same func(i int, n Network) bool, want int) bool {
	if len(got) != want {
		return false
	}
	for i, n := range got {
		if !same(i, n) {
			return false
		}
	}
	return true
}

// What a bad line made of the card's number must not become another card, not even when it is so twice.
func TestNumberOfTheCardThatTheLineSpoilt(t *testing.T) {
	const right, short, wrong = "242010000000001", "24201000000001", "242010000000081"
	for name, c := range map[string]struct {
		told []string
		want string
	}{
		"told well":          {[]string{right, right, right}, right},
		"spoilt twice alike": {[]string{short, short, right, right, right}, right},
		"spoilt in turns":    {[]string{short, right, wrong, right, right}, right},
		"asked again":        {[]string{short, wrong, short, wrong, right, right, right, right}, right},
		"another card":       {[]string{wrong, wrong, wrong}, wrong},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := newScript(t)
			told := c.told
			s.on = func(cmd string) (string, bool) {
				if cmd != "+CIMI" || len(told) == 0 {
					return "", false
				}
				answer := told[0] + "|OK"
				told = told[1:]
				return answer, true
			}
			m := s.mustOpen(Config{})
			if got := m.Identity().IMSI; got != c.want || len(told) != 0 {
				t.Errorf("%s: at the start the card is %s with %q unasked, want %s", name, got, told, c.want)
			}
			if c.want != right {
				return
			}
			for told = c.told; len(told) > 0; {
				if same, err := m.SameSIM(t.Context()); !same || err != nil {
					t.Errorf("%s: later it is another card: %v", name, err)
				}
			}
		})
	}
}
