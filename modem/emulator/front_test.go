package emulator

import (
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestSplitLine(t *testing.T) {
	for _, c := range []struct {
		line string
		want []verb
	}{
		{"", nil},
		{"E0", []verb{{name: "E", args: "0"}}},
		{"e0v1q0&c1x4", []verb{{name: "E", args: "0"}, {name: "V", args: "1"}, {name: "Q", args: "0"}, {name: "&C", args: "1"}, {name: "X", args: "4"}}},
		{"E0+CPMS?", []verb{{name: "E", args: "0"}, {name: "+CPMS", op: '?'}}},
		{"+cmee=1;+CREG=2", []verb{{name: "+CMEE", op: '=', args: "1"}, {name: "+CREG", op: '=', args: "2"}}},
		{`+CSCA="+47;1",145;S3=13;S4?`, []verb{{name: "+CSCA", op: '=', args: `"+47;1",145`}, {name: "S3", op: '=', args: "13"}, {name: "S4", op: '?'}}},
		{"+CNMI=?", []verb{{name: "+CNMI", op: 't'}}},
		{"+CMGF?;I", []verb{{name: "+CMGF", op: '?'}, {name: "I"}}},
		{"D+4790000001;", []verb{{name: "D", args: "+4790000001;"}}},
		{"^CURC=0", []verb{{name: "^CURC", op: '=', args: "0"}}},
	} {
		got, err := splitLine(c.line)
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%q: %+v, %v; want %+v", c.line, got, err, c.want)
		}
	}
	for _, bad := range []string{"?", "E0=", "S", "1", "+CPMS?x"} {
		if got, err := splitLine(bad); err == nil {
			t.Errorf("%q is taken: %+v", bad, got)
		}
	}
}

// TestFront is V.250: what is a command line and how it is answered.
func TestFront(t *testing.T) {
	bubble(t, NetworkConfig{}, func(t *testing.T, n *Network) {
		h := dial(t, n.NewModem(Config{}))
		for _, c := range []struct{ in, out string }{
			{"AT\r", "AT\r" + okay}, // echo is on after power-up
			{"ATE0\r", "ATE0\r" + okay},
			{"at\r", okay},
			{"\r\n\x1b\x00garbage AT\r", okay},
			{"AAT+CMGF?\r", "\r\n+CMGF: 0\r\n" + okay},
			{"A/", "\r\n+CMGF: 0\r\n" + okay}, // the last line again, at once
			{"AT+CMGX\b?\r", "\r\nERROR\r\n"},
			{"AT+CMGX\b\bGF?\r", "\r\n+CMGF: 0\r\n" + okay},
			{"AT+CMX\bGF?\r", "\r\n+CMGF: 0\r\n" + okay},
			{"AT+CMEE=2;+CMEE?\r", "\r\n+CMEE: 2\r\n" + okay},
			{"AT+CMEE=9\r", "\r\n+CME ERROR: Incorrect parameters\r\n"},
			{"AT+CMEE=1;+CMEE=9;+CMEE=2\r", "\r\n+CME ERROR: 50\r\n"}, // the rest is not run
			{"AT+CMEE?\r", "\r\n+CMEE: 1\r\n" + okay},
			{"AT+NOSUCH\r", "\r\nERROR\r\n"},
			{"ATV0\r", "0\r"},
			{"AT+CMGF?\r", "+CMGF: 0\r\n0\r"},
			{"AT+NOSUCH\r", "4\r"},
			{"ATV1\r", okay},
			{"ATQ1\r", ""},
			{"AT+CMGF?\r", "\r\n+CMGF: 0\r\n"},
			{"ATQ0\r", okay},
			{"ATS3?\r", "\r\n013\r\n" + okay},
			{"ATD123;\r", "\r\nNO CARRIER\r\n"},
			{"ATI\r", "\r\nsimpost\r\nEMULATOR\r\nRevision: 1.0\r\n" + okay},
			{"AT" + strings.Repeat("X", 3000) + "\r", okay},
			{"ATZ\r", okay},
			{"AT+CMEE?\r", "AT+CMEE?\r\r\n+CMEE: 0\r\n" + okay}, // reset: echo on, no codes
		} {
			h.write(c.in)
			if got := h.settle(); got != c.out {
				t.Errorf("%q\n got %q\nwant %q", c.in, got, c.out)
			}
		}
	})
}

// TestFrontByteByByte gets the same answers when every byte is written alone.
func TestFrontByteByByte(t *testing.T) {
	bubble(t, NetworkConfig{}, func(t *testing.T, n *Network) {
		h := dial(t, n.NewModem(Config{}))
		for _, b := range []byte("ATE0\rAT+CMGF?\rA/") {
			h.write(string(b))
			synctest.Wait()
		}
		if got, want := h.settle(), "ATE0\r"+okay+"\r\n+CMGF: 0\r\n"+okay+"\r\n+CMGF: 0\r\n"+okay; got != want {
			t.Errorf("\n got %q\nwant %q", got, want)
		}
	})
}

// TestPromptOutlivesTheHost finds half a PDU at the prompt after the host has died, and ESC out of it.
func TestPromptOutlivesTheHost(t *testing.T) {
	bubble(t, NetworkConfig{}, func(t *testing.T, n *Network) {
		m := n.NewModem(Config{})
		h := dial(t, m)
		h.ok("ATE0")
		h.say("AT+CMGS=20")
		h.write("0011000A91")
		h.settle()
		h.port.Close()
		h = dial(t, m)
		if got := h.say("AT"); got != "" {
			t.Errorf("at the prompt AT is answered %q", got)
		}
		h.write("\x1b")
		if got := h.settle(); got != okay {
			t.Errorf("ESC is answered %q", got)
		}
		h.want("AT+CMGF?", "\r\n+CMGF: 0\r\n"+okay)
		if len(n.Record()) != 0 {
			t.Error("something was sent")
		}
	})
}

// TestBoot is a cold start: the card is busy, the profile's lines come, then all is well.
func TestBoot(t *testing.T) {
	bubble(t, NetworkConfig{}, func(t *testing.T, n *Network) {
		h := dial(t, n.NewModem(Config{Profile: "sim800", ColdStart: true}))
		h.want("AT", "") // it does not hear yet
		after(500 * time.Millisecond)
		h.settle()
		h.ok("ATE0", "AT+CMEE=1")
		h.want("AT+CPIN?", "\r\n+CME ERROR: 14\r\n")
		h.want("AT+CMGF=0", "\r\n+CME ERROR: 14\r\n")
		h.want("AT+CREG=1;+CREG?", "\r\n+CREG: 1,2\r\n"+okay)
		<-time.After(4 * time.Second)
		want := ""
		for _, l := range []string{"+CFUN: 1", "+CPIN: READY", "Call Ready", "SMS Ready"} {
			want += "\r\n" + l + "\r\n"
		}
		if got := strings.Replace(h.settle(), "\r\n+CREG: 1\r\n", "", 1); got != want {
			t.Errorf("\n got %q\nwant %q", got, want)
		}
		h.want("AT+CPIN?", "\r\n+CPIN: READY\r\n"+okay)
	})
}

func TestPIN(t *testing.T) {
	bubble(t, NetworkConfig{}, func(t *testing.T, n *Network) {
		m := n.NewModem(Config{PIN: "0123"})
		h := dial(t, m)
		h.ok("ATE0", "AT+CMEE=1", "AT+CREG=1")
		h.want("AT+CPIN?", "\r\n+CPIN: SIM PIN\r\n"+okay)
		h.want("AT+CREG?", "\r\n+CREG: 1,0\r\n"+okay)
		h.want("AT+CPMS?", "\r\n+CMS ERROR: 311\r\n")
		h.want("AT+CIMI", "\r\n+CME ERROR: 11\r\n")
		h.want(`AT+CPIN="9999"`, "\r\n+CME ERROR: 16\r\n")
		h.want("AT+CPINR", "\r\n+CPINR: SIM PIN,2,3\r\n+CPINR: SIM PUK,10,10\r\n"+okay)
		h.want(`AT+CPIN="0123"`, okay+"\r\n+CREG: 1\r\n")
		h.want("AT+CPIN?", "\r\n+CPIN: READY\r\n"+okay)
		h.want(`AT+CLCK="SC",2`, "\r\n+CLCK: 1\r\n"+okay)
		m.Reboot()
		h.settle()
		h.ok("ATE0", "AT+CMEE=1")
		for range 2 {
			h.want(`AT+CPIN="9999"`, "\r\n+CME ERROR: 16\r\n")
		}
		h.want(`AT+CPIN="9999"`, "\r\n+CME ERROR: 12\r\n")
		h.want("AT+CPIN?", "\r\n+CPIN: SIM PUK\r\n"+okay)
		h.want(`AT+CPIN="12345678","4711"`, okay)
		h.ok(`AT+CLCK="SC",0,"4711"`)
		m.Reboot()
		h.settle()
		h.ok("ATE0")
		h.want("AT+CPIN?", "\r\n+CPIN: READY\r\n"+okay)
	})
}

func TestSIMOutAndIn(t *testing.T) {
	bubble(t, NetworkConfig{}, func(t *testing.T, n *Network) {
		m := n.NewModem(Config{})
		h := dial(t, m)
		h.ok("ATE0", "AT+CMEE=1")
		s := m.RemoveSIM()
		h.want("AT+CPIN?", "\r\n+CME ERROR: 10\r\n")
		h.want("AT+CMGL=4", "\r\n+CMS ERROR: 310\r\n")
		p := n.NewPhone(PhoneConfig{})
		p.Send(s.Number, "while you were out")
		synctest.Wait()
		m.InsertSIM(s)
		synctest.Wait()
		if got := m.Stored("SM"); len(got) != 1 {
			t.Errorf("stored %v", got)
		}
	})
}

// TestEveryProfile brings every modem up as far as its profile says it can be, and sends a message.
func TestEveryProfile(t *testing.T) {
	for _, name := range Profiles() {
		t.Run(name, func(t *testing.T) {
			bubble(t, NetworkConfig{}, func(t *testing.T, n *Network) {
				p := n.NewPhone(PhoneConfig{})
				m := n.NewModem(Config{Profile: name})
				h := dial(t, m)
				h.ok("ATE0", "AT+CMGF=0", `AT+CSCA="+4790000000",145`)
				for _, q := range []string{"AT+CGMI", "AT+CGMM", "AT+CGSN", "AT+CIMI", "AT" + m.prof.ICCIDCommand, "AT+CREG?", "AT+CPMS?", "AT+CSQ"} {
					if got := h.say(q); !strings.HasSuffix(got, okay) {
						t.Errorf("%s: %q", q, got)
					}
				}
				if got := h.submit(p.Number(), "hello"); !strings.Contains(got, "+CMGS: 0") {
					t.Errorf("answer %q", got)
				}
			})
		})
	}
	if _, err := loadProfile("no-such"); err == nil || !strings.Contains(err.Error(), "sim800") {
		t.Errorf("an unknown profile: %v", err)
	}
}

// TestProfiles are the habits that tell the makes apart.
func TestProfiles(t *testing.T) {
	for _, c := range []struct{ profile, line, want string }{
		{"generic", "AT^CURC=0", "\r\nERROR\r\n"},
		{"huawei", "AT^CURC=0", okay},
		{"huawei", "AT+WIND?", "\r\nCOMMAND NOT SUPPORT\r\n"},
		{"huawei", "AT+CNMI=2,1,0,2,0", "\r\n+CMS ERROR: 303\r\n"},
		{"huawei", "AT+CNMI=1,1,0,2,0", okay},
		{"huawei", "AT+CMMS=2", "\r\n+CMS ERROR: 500\r\n"},
		{"huawei", "AT^CPIN?", "\r\n^CPIN: READY,,10,3,10,3\r\n" + okay},
		{"huawei-brovi", `AT+CPMS="SM","SM"`, "\r\n+CMS ERROR: 302\r\n"},
		{"huawei-brovi", `AT+CPMS="SM","SM","SM"`, "\r\n+CPMS: 0,30,0,30,0,30\r\n" + okay},
		{"wavecom", "AT+CPIN?", "\r\n+CPIN: READY\r\n"},
		{"wavecom", `AT+CPMS="SM","SM","SR"`, "\r\n+CMS ERROR: 302\r\n"},
		{"wavecom", "AT+CPMS=?", "\r\n+CPMS: ((\"SM\",\"BM\",\"SR\"),(\"SM\"))\r\n" + okay},
		{"sim800", "AT+CLAC", "\r\n+CME ERROR: 100\r\n"},
		{"cinterion", "AT+CNMI=2,1,0,2,0", "\r\n+CMS ERROR: 303\r\n"},
		{"cinterion", "AT+CNMI=2,1,0,2,1", okay},
		{"mbm", "AT+CSCA?", "\r\n+CSCA: \"\",129\r\n" + okay},
		{"nokia", "AT+CPMS?", "\r\n+CPMS: ,,,,,,,,\r\n" + okay},
		{"sim800", "AT+SPIC", "\r\n+SPIC: 3,10,3,10\r\n" + okay},
		{"quectel-ec25", `AT+QPINC="SC"`, "\r\n+QPINC: \"SC\",3,10\r\n" + okay},
		{"telit", "AT#QSS?", "\r\n#QSS: 0\r\n" + okay},
	} {
		bubble(t, NetworkConfig{}, func(t *testing.T, n *Network) {
			h := dial(t, n.NewModem(Config{Profile: c.profile}))
			h.ok("ATE0", "AT+CMEE=1")
			if got := h.say(c.line); got != c.want {
				t.Errorf("%s: %s\n got %q\nwant %q", c.profile, c.line, got, c.want)
			}
		})
	}
}

// TestChatter comes by itself and stops when it is told to.
func TestChatter(t *testing.T) {
	for profile, stop := range map[string][]string{"huawei": {"AT^CURC=0"}, "zte": {"ATE0+CPMS?", "ATE0+CPMS?", "ATE0+CPMS?"}} {
		bubble(t, NetworkConfig{}, func(t *testing.T, n *Network) {
			h := dial(t, n.NewModem(Config{Profile: profile}))
			h.ok("ATE0")
			<-time.After(time.Minute)
			if got := h.settle(); strings.Count(got, "\r\n") < 10 {
				t.Errorf("%s: %q", profile, got)
			}
			h.ok(stop...)
			<-time.After(time.Minute)
			if got := h.settle(); got != "" {
				t.Errorf("%s goes on: %q", profile, got)
			}
		})
	}
}

func TestUSSD(t *testing.T) {
	for profile, c := range map[string]struct{ ask, answer string }{
		"generic": {`AT+CUSD=1,"*101#",15`, `+CUSD: 0,"Your balance is 42.00",15`},
		"sim7600": {`AT+CUSD=1,"*101#",15`, `+CUSD: 0,"0059006F00750072002000620061006C0061006E00630065002000690073002000340032002E00300030",72`},
		"huawei":  {`AT+CUSD=1,"AA180C3602",15`, `+CUSD: 0,"D9775D0E1287D961F7B80C4ACF4134990B0603",15`},
	} {
		bubble(t, NetworkConfig{}, func(t *testing.T, n *Network) {
			h := dial(t, n.NewModem(Config{Profile: profile}))
			h.ok("ATE0")
			if profile == "huawei" { // *100# and then 1, as the hex of packed septets
				if got := h.say(c.ask); !strings.Contains(got, "+CUSD: 1,") {
					t.Errorf("menu %q", got)
				}
				c.ask = `AT+CUSD=1,"31",15`
			}
			if got, want := h.say(c.ask), okay+"\r\n"+c.answer+"\r\n"; got != want {
				t.Errorf("%s\n got %q\nwant %q", profile, got, want)
			}
		})
	}
}

func TestRegistration(t *testing.T) {
	bubble(t, NetworkConfig{}, func(t *testing.T, n *Network) {
		m := n.NewModem(Config{})
		p := n.NewPhone(PhoneConfig{})
		h := dial(t, m)
		h.ok("ATE0", "AT+CREG=2", "AT+CEREG=1")
		h.want("AT+CREG?", "\r\n+CREG: 2,1,\"00C3\",\"0001E240\",2\r\n"+okay)
		for state := range 12 {
			m.SetRegistration(state)
			h.settle()
			want := "+CMS ERROR: 331"
			if state == 1 || state == 5 || state == 6 || state == 7 {
				want = "+CMGS: "
			}
			if got := h.submit(p.Number(), "x"); !strings.Contains(got, want) {
				t.Errorf("state %d: %q", state, got)
			}
		}
		m.SetRegistration(1)
		h.settle()
		h.want("AT+CFUN=4", okay+"\r\n+CREG: 0\r\n\r\n+CEREG: 0\r\n")
		h.want("AT+COPS?", "\r\n+COPS: 0\r\n"+okay)
		h.want("AT+CSQ", "\r\n+CSQ: 99,99\r\n"+okay)
		h.want("AT+CFUN=1", okay+"\r\n+CREG: 1,\"00C3\",\"0001E240\",2\r\n\r\n+CEREG: 1\r\n")
		h.want("AT+COPS=3,2;+COPS?", "\r\n+COPS: 0,2,\"24201\",7\r\n"+okay)
	})
}

// TestPowerOff: the line takes anything and answers nothing until there is power.
func TestPowerOff(t *testing.T) {
	bubble(t, NetworkConfig{}, func(t *testing.T, n *Network) {
		m := n.NewModem(Config{})
		h := dial(t, m)
		m.PowerOff()
		for range inputLimit / 1024 * 2 {
			h.write(strings.Repeat("U", 1024))
		}
		h.want("AT", "")
		m.PowerOn()
		h.want("AT", "AT\r"+okay)
	})
}

// TestOpenOnce: a port has one host; Close gives it back; Network.Close ends everything.
func TestOpenOnce(t *testing.T) {
	bubble(t, NetworkConfig{}, func(t *testing.T, n *Network) {
		m := n.NewModem(Config{})
		h := dial(t, m)
		if _, err := m.Open(); err == nil {
			t.Error("opened twice")
		}
		h.port.Close()
		if _, err := h.port.Write([]byte("AT\r")); err == nil {
			t.Error("a closed port takes bytes")
		}
		h = dial(t, m)
		n.Close()
		if err := <-h.end; err == nil {
			t.Error("the port outlives the network")
		}
	})
}
