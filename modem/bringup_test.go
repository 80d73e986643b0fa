package modem

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestBringUpOnRecordedModems plays python-gsmmodem's seven modems: their own answers, a plain modem's for the rest.
func TestBringUpOnRecordedModems(t *testing.T) {
	type recorded struct {
		Name    string            `json:"name"`
		Answers map[string]string `json:"answers"`
	}
	want := map[string]struct {
		profile  string
		memories string
		cnmi     string
	}{
		"HuaweiK3715":              {"huawei", "SM ME SR", "1,1,0,1,0"},
		"HuaweiE1752":              {"huawei", "SM ME SR", "1,1,0,1,0"},
		"WavecomMultiband900E1800": {"wavecom", "SM SR", "2,1,0,1,0"},
		"QualcommM6280":            {"generic", "SM ME SR", "2,1,0,1,0"},
		"ZteK3565Z":                {"zte", "SM ME SR", "1,1,0,1,0"},
		"NokiaN79":                 {"generic", "", "poll"},
		"GenericTestModem":         {"generic", "SM ME SR", "2,1,0,1,0"},
	}
	for _, r := range load[recorded](t, "modem-profiles.json") {
		t.Run(r.Name, func(t *testing.T) {
			w, ok := want[r.Name]
			if !ok {
				t.Fatal("a modem this test does not know")
			}
			synctest.Test(t, func(t *testing.T) {
				s := newScript(t)
				s.on = remembering()
				for cmd, answer := range r.Answers {
					s.answers[strings.TrimPrefix(cmd, "AT")] = strings.ReplaceAll(strings.TrimSuffix(answer, "\r\n"), "\r\n", "|")
				}
				if r.Name == "NokiaN79" {
					s.on = nil
					delete(s.answers, `+CPMS="SM","SM","SM"`)
					delete(s.answers, "+CNMI=2,1,0,1,0")
					s.answers["+CSMS=1"] = "ERROR"
				}
				if r.Name == "WavecomMultiband900E1800" { // three memories are refused, two are taken
					s.on = remembering(`+CPMS="SM","SM","SM"`)
				}
				m := s.mustOpen(Config{Limits: Limits{Boot: 5 * time.Minute}})
				set := m.Settings()
				if set.Profile != w.profile || strings.Join(set.Memories, " ") != w.memories || set.CNMI != w.cnmi {
					t.Errorf("settings %+v, want %+v", set, w)
				}
				if m.Identity().Manufacturer == "" || m.Identity().IMSI == "" {
					t.Errorf("identity %+v", m.Identity())
				}
			})
		})
	}
}

// remembering takes every CPMS= and CNMI= but those refused, and reads them back.
func remembering(refused ...string) func(cmd string) (string, bool) {
	mems, cnmi := []string{"SM", "SM", "SM"}, "0,0,0,0,0"
	return func(cmd string) (string, bool) {
		switch {
		case slices.Contains(refused, cmd):
			return "ERROR", true
		case strings.HasPrefix(cmd, `+CPMS="`):
			for i, mem := range words(cmd) {
				mems[i] = mem
			}
			return "+CPMS: 0,30,0,30,0,30|OK", true
		case cmd == "+CPMS?":
			return `+CPMS: "` + strings.Join(mems, `",0,30,"`) + `",0,30|OK`, true
		case strings.HasPrefix(cmd, "+CNMI="):
			cnmi = strings.TrimPrefix(cmd, "+CNMI=")
			return "OK", true
		case cmd == "+CNMI?":
			return "+CNMI: " + cnmi + "|OK", true
		}
		return "", false
	}
}

func TestCNMILadder(t *testing.T) {
	for name, c := range map[string]struct {
		taken []string // rungs that are answered OK
		reads string   // what CNMI? says then, "" for the rung itself, "ERROR" for refused
		want  string
	}{
		"first rung":                     {[]string{"2,1,0,1,0"}, "", "2,1,0,1,0"},
		"stored reports":                 {[]string{"2,1,0,2,0"}, "", "2,1,0,2,0"},
		"mode 1":                         {[]string{"1,1,0,1,0"}, "", "1,1,0,1,0"},
		"no reports":                     {[]string{"1,1,0,0,0"}, "", "1,1,0,0,0"},
		"nothing is taken":               {nil, "", "poll"},
		"taken but not kept":             {[]string{"2,1,0,1,0", "2,1,0,0,0"}, "0,0,0,0,0", "poll"},
		"can be set but not asked for":   {[]string{"2,1,0,1,0"}, "ERROR", "2,1,0,1,0"},
		"only the buffer flag differs":   {[]string{"2,1,0,1,0"}, "2,1,0,1,1", "2,1,0,1,0"},
		"another report mode than asked": {[]string{"2,1,0,1,0", "2,1,0,0,0"}, "2,1,0,0,0", "2,1,0,0,0"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newScript(t)
				now := ""
				s.on = func(cmd string) (string, bool) {
					rung, set := strings.CutPrefix(cmd, "+CNMI=")
					switch {
					case set && slices.Contains(c.taken, rung):
						now = rung
						return "OK", true
					case set:
						return "+CMS ERROR: 303", true
					case cmd == "+CNMI?" && c.reads == "ERROR":
						return "ERROR", true
					case cmd == "+CNMI?" && c.reads != "":
						return "+CNMI: " + c.reads + "|OK", true
					case cmd == "+CNMI?":
						return "+CNMI: " + now + "|OK", true
					}
					return "", false
				}
				if got := s.mustOpen(Config{}).Settings().CNMI; got != c.want {
					t.Errorf("got %s, want %s", got, c.want)
				}
			})
		})
	}
}

func TestDirectMessagesOnlyWithAcknowledgement(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript(t)
		s.answers["+CPMS?"], s.answers["+CPMS=?"] = "+CPMS: ,,,,,,,,|OK", "+CPMS: (),(),()|OK"
		delete(s.answers, `+CPMS="SM","SM","SM"`)
		s.answers["+CSMS=1"], s.answers["+CSMS?"] = "+CSMS: 1,1,1|OK", "+CSMS: 1,1,1,1|OK"
		s.answers["+CNMI=2,2,0,1,0"], s.answers["+CNMI?"] = "OK", "+CNMI: 2,2,0,1,0|OK"
		s.answers["+CNMA"] = "OK"
		m := s.mustOpen(Config{})
		if set := m.Settings(); set.CSMS != 1 || set.CNMI != "2,2,0,1,0" || len(set.Memories) != 0 {
			t.Fatalf("settings %+v", set)
		}
		s.say("+CMT: ,19|0004058101F60000627011022084000541E19058000000")
		<-m.Wake()
		if got := m.Take().Direct; len(got) != 1 || got[0].Kind != "CMT" || got[0].Length != 19 || got[0].PDU == "" {
			t.Fatalf("direct %+v", got)
		}
		if err := m.Ack(t.Context(), true); err != nil || s.count("+CNMA") != 1 {
			t.Errorf("ack: %v, %d CNMA", err, s.count("+CNMA"))
		}
		s.set("+CNMA", "+CMS ERROR: 340")
		if err := m.Ack(t.Context(), true); err != nil {
			t.Errorf("an ack nobody expects: %v", err)
		}
	})
}

func TestCPMSArities(t *testing.T) {
	for name, c := range map[string]struct {
		refused []string
		arity   int
	}{
		"three, mem2 elsewhere": {nil, 3},
		"three the same":        {[]string{`+CPMS="SM","ME","SM"`}, 3},
		"two":                   {[]string{`+CPMS="SM","ME","SM"`, `+CPMS="SM","SM","SM"`}, 2},
		"one":                   {[]string{`+CPMS="SM","ME","SM"`, `+CPMS="SM","SM","SM"`, `+CPMS="SM","SM"`}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newScript(t)
				s.on = remembering(c.refused...)
				s.answers["+CPMS=?"] = `+CPMS: ("ME","SM"),("ME","SM"),("SM")|OK`
				m := s.mustOpen(Config{})
				if m.arity != c.arity || !slices.Equal(m.Settings().Memories, []string{"SM", "ME"}) {
					t.Errorf("arity %d, settings %+v, asked %q", m.arity, m.Settings(), s.log())
				}
			})
		})
	}
}

func TestConditions(t *testing.T) {
	for name, c := range map[string]struct {
		set  map[string]string
		cfg  Config
		want string
	}{
		"no PDU mode":             {map[string]string{"+CMGF=0": "ERROR", "+CMGF?": "ERROR"}, Config{}, "no-sms"},
		"text mode stays":         {map[string]string{"+CMGF?": "+CMGF: 1|OK"}, Config{}, "no-sms"},
		"not a modem":             {map[string]string{"+CGMI": "ERROR", "+CGMM": "ERROR", "+CGMR": "ERROR", "+CGSN": "ERROR"}, Config{}, "not-a-modem"},
		"no SIM":                  {map[string]string{"+CPIN?": "+CME ERROR: 10"}, Config{}, "sim-absent"},
		"no SIM, in words":        {map[string]string{"+CPIN?": "+CPIN: NOT INSERTED|OK"}, Config{}, "sim-absent"},
		"SIM not ready, in words": {map[string]string{"+CPIN?": "+CPIN: NOT READY|OK"}, Config{}, "sim-busy"},
		"SIM failure":             {map[string]string{"+CPIN?": "+CME ERROR: 13"}, Config{}, "sim-failure"},
		"SIM busy":                {map[string]string{"+CPIN?": "+CME ERROR: 14"}, Config{}, "sim-busy"},
		"store busy":              {map[string]string{"+CPMS?": "+CMS ERROR: 314"}, Config{}, "sim-busy"},
		"PIN wanted":              {map[string]string{"+CPIN?": "+CPIN: SIM PIN|OK"}, Config{}, "pin-required"},
		"PIN, as an error":        {map[string]string{"+CPIN?": "+CME ERROR: 11"}, Config{}, "pin-required"},
		"PUK wanted":              {map[string]string{"+CPIN?": "+CPIN: SIM PUK|OK"}, Config{}, "puk-required"},
		"network lock":            {map[string]string{"+CPIN?": "+CPIN: PH-NET PIN|OK"}, Config{}, "device-locked"},
		"unknown profile":         {nil, Config{Profile: "abacus"}, "config"},
		"SMSC is no number":       {nil, Config{SMSC: "+47\r\nAT"}, "config"},
		"SMSC with a quote":       {nil, Config{SMSC: `+47"`}, "config"},
		"nothing is answered": {map[string]string{"": "", "E0V1": "", "+CMEE?": "", "+CMGF?": "", "+CSMS?": "", "+CSCS?": "", "+CNMI?": "", "+CPMS?": ""},
			Config{}, "silent"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newScript(t)
				for k, v := range c.set {
					s.answers[k] = v
				}
				_, err := s.open(c.cfg)
				wantCondition(t, err, c.want)
				if _, err := s.host.Write([]byte("x")); err == nil {
					t.Error("the port is left open")
				}
			})
		})
	}
}

func TestBannerIsNoModem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript(t)
		for k := range s.answers {
			s.answers[k] = ""
		}
		go s.say("$GPGGA,1,2,3")
		_, err := s.open(Config{})
		wantCondition(t, err, "not-a-modem")
	})
}

func TestPortThatDies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript(t)
		s.on = func(cmd string) (string, bool) {
			if cmd == "+CGMM" {
				s.w.CloseWithError(errors.New("unplugged"))
			}
			return "", false
		}
		_, err := s.open(Config{})
		wantCondition(t, err, "closed")
	})
}

func TestSilenceInOneCommandIsNotTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript(t)
		s.answers["+CGMR"], s.answers["+CNUM"] = "", ""
		if m := s.mustOpen(Config{}); m.Settings().CNMI != "2,1,0,1,0" {
			t.Errorf("settings %+v", m.Settings())
		}
	})
}

func TestSMSCIsSetWhereItDiffers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript(t)
		s.answers["+CSCA?"] = `+CSCA: "",129|OK`
		s.on = func(cmd string) (string, bool) {
			if cmd == `+CSCA="+4790000009",145` {
				s.answers["+CSCA?"] = `+CSCA: +4790000009,145|OK`
				return "OK", true
			}
			return "", false
		}
		if got := s.mustOpen(Config{SMSC: "+4790000009"}).Settings().SMSC; got != "+4790000009" {
			t.Errorf("SMSC %q", got)
		}
	})
}

// TestPromptThatOnlyEscapeLeaves: a prompt from before a crash, on a modem that does not repeat it.
func TestPromptThatOnlyEscapeLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript(t)
		s.atInput = true
		start := time.Now()
		s.mustOpen(Config{})
		if took := time.Since(start); took > time.Second {
			t.Errorf("it took %v to leave it", took)
		}
	})
}

// TestNoShownMessagesWithoutAcknowledgement: where CSMS=1 is refused, +CMT is not asked for: a crash would lose it.
func TestNoShownMessagesWithoutAcknowledgement(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript(t)
		s.answers["+CPMS?"], s.answers["+CPMS=?"] = "+CPMS: ,,,,,,,,|OK", "+CPMS: (),(),()|OK"
		delete(s.answers, `+CPMS="SM","SM","SM"`)
		s.answers["+CNMI=2,2,0,1,0"], s.answers["+CNMI?"] = "OK", "+CNMI: 2,2,0,1,0|OK"
		if set := s.mustOpen(Config{}).Settings(); set.CNMI != "poll" || set.CSMS != 0 || s.count("+CNMI=2,2,0,1,0") != 0 {
			t.Errorf("settings %+v", set)
		}
	})
}

// TestModemThatKeepsRestarting: the settings are gone at the end of the bring-up, and again at the end of the second.
func TestModemThatKeepsRestarting(t *testing.T) {
	for times, want := range map[int]string{1: "", 2: "rebooted"} {
		synctest.Test(t, func(t *testing.T) {
			s := newScript(t)
			ends := 0
			s.on = func(cmd string) (string, bool) {
				switch cmd {
				case "E0V1":
					s.answers["+CMEE?"] = "+CMEE: 1|OK"
				case "+CNMI?": // the last setting of the bring-up
					if ends++; ends <= times {
						s.answers["+CMEE?"] = "+CMEE: 0|OK"
					}
				}
				return "", false
			}
			_, err := s.open(Config{})
			if want != "" {
				wantCondition(t, err, want)
			} else if err != nil {
				t.Error(err)
			}
		})
	}
}

// TestMemoryOfItsOwnName: none of the usual memories is offered; the modem's own is used, in the form it takes (Alcatel).
func TestMemoryOfItsOwnName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript(t)
		s.answers["+CPMS=?"], s.answers["+CPMS?"] = `+CPMS: ("SM_P"),("SM_P"),("SM_P")|OK`, `+CPMS: "SM_P",0,10,"SM_P",0,10|OK`
		s.answers[`+CPMS="SM_P","SM_P"`] = "+CPMS: 0,10,0,10|OK"
		m := s.mustOpen(Config{})
		if m.arity != 2 || !slices.Equal(m.Settings().Memories, []string{"SM_P"}) {
			t.Errorf("arity %d, settings %+v", m.arity, m.Settings())
		}
	})
}
