package modem

import (
	"testing"
	"testing/synctest"
)

// ussdExchanges are what the modem says after AT+CUSD= for the rows of ussd.json that are whole exchanges: the wire as
// python-gsmmodem's test of that name has it.
var ussdExchanges = map[string]string{
	"plain":                `OK|+CUSD: 0,"Available Balance: R 96.45 .",15`,
	"menu":                 `OK|+CUSD: 1,"Hallo daar",15`,
	"multi_line_LF":        "OK|+CUSD: 0,\"You have the following remaining balances:\n0 free minutes\n20 MORE Weekend minutes \",15",
	"multi_line_CRLF":      "OK|+CUSD: 1,\"Bal:$100.00 *\r\nExp 01 Jan 2013\r\n1. Recharge\r\n00. Home\r\n*charges can take 48hrs\",15",
	"cusd_before_ok":       `+CUSD: 0,"Available Balance: R 96.45 .",15|OK`,
	"extra_release_before": `OK|+CUSD: 2|+CUSD: 0,"Wrong order test message",15`,
	"extra_release_after":  `OK|+CUSD: 0,"Notifications test",15|+CUSD: 2`,
	"other_client":         `OK|+CUSD: 3,"Test2",15`,
	"urc_between":          `+CMTI: "SM",1|+CUSD: 2,"Notification before OK",15|OK`,
}

func TestUSSDExchanges(t *testing.T) {
	seen := 0
	for _, v := range load[struct {
		Name     string
		Hex      string
		Expected struct {
			Text   string
			Active bool `json:"session_active"`
		}
	}](t, "ussd.json") {
		if v.Hex != "" {
			continue
		}
		seen++
		t.Run(v.Name, func(t *testing.T) {
			wire, ok := ussdExchanges[v.Name]
			if !ok {
				t.Fatal("a row without its exchange")
			}
			synctest.Test(t, func(t *testing.T) {
				s := newScript(t)
				s.answers[`+CUSD=1,"*100#",15`], s.answers["+CUSD=2"] = wire, "OK"
				m := s.mustOpen(Config{})
				got, err := m.USSD(t.Context(), "*100#")
				if err != nil || got.Menu != v.Expected.Active {
					t.Fatalf("got %+v, %v", got, err)
				}
				// atcmd makes one line break of CR LF.
				if want := normal(v.Expected.Text); normal(got.Text) != want {
					t.Errorf("got %q, want %q", got.Text, want)
				}
				if closed := s.count("+CUSD=2"); closed == 1 != got.Menu {
					t.Errorf("closed %d times", closed)
				}
			})
		})
	}
	if seen != len(ussdExchanges) {
		t.Errorf("%d exchanges in the file, %d here", seen, len(ussdExchanges))
	}
}

func normal(s string) string {
	var out []byte
	for i := range len(s) {
		if s[i] != '\r' {
			out = append(out, s[i])
		}
	}
	return string(out)
}

func TestUSSDRefusals(t *testing.T) {
	for name, wire := range map[string]string{
		"refused": "ERROR", "not supported": "OK|+CUSD: 4", "no answer in time": "OK|+CUSD: 5", "closed without a text": "OK|+CUSD: 2", "silence": "OK",
	} {
		synctest.Test(t, func(t *testing.T) {
			s := newScript(t)
			s.answers[`+CUSD=1,"*100#",15`] = wire
			m := s.mustOpen(Config{})
			if got, err := m.USSD(t.Context(), "*100#"); err == nil {
				t.Errorf("%s: got %+v", name, got)
			}
			if closed := s.count("+CUSD=2"); closed == 1 != (wire != "ERROR") {
				t.Errorf("%s: the session was closed %d times", name, closed)
			}
		})
	}
}

func TestUSSDGrammar(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript(t)
		m := s.mustOpen(Config{})
		before := len(s.log())
		for _, code := range []string{"", "*100#\r", `*1",15`, "hello", "\x1a"} {
			if _, err := m.USSD(t.Context(), code); err == nil {
				t.Errorf("%q was taken", code)
			}
		}
		if len(s.log()) != before {
			t.Errorf("asked %q", s.log()[before:])
		}
	})
}

// TestUSSDOldAnswer: what came before the code was sent is not its answer.
func TestUSSDOldAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript(t)
		s.answers[`+CUSD=1,"*100#",15`] = `OK|+CUSD: 0,"new",15`
		m := s.mustOpen(Config{})
		for range 2 * maxUSSD {
			s.say(`+CUSD: 0,"old",15`)
			synctest.Wait()
		}
		if got, err := m.USSD(t.Context(), "*100#"); err != nil || got.Text != "new" {
			t.Errorf("got %+v, %v", got, err)
		}
	})
}

// TestUSSDPackedByProfile: a Huawei wants the code packed; generic asks it in plain words and is refused.
func TestUSSDPackedByProfile(t *testing.T) {
	for profile, ok := range map[string]bool{"generic": false, "huawei": true} {
		synctest.Test(t, func(t *testing.T) {
			s := newScript(t)
			s.on = remembering()
			s.answers[`+CUSD=1,"AA180C3602",15`] = `OK|+CUSD: 0,"E6B79C9E6FD1EF6F",15`
			m := s.mustOpen(Config{Profile: profile})
			got, err := m.USSD(t.Context(), "*100#")
			if (err == nil) != ok || ok && got.Text != "forty-two" {
				t.Errorf("%s: %+v, %v", profile, got, err)
			}
		})
	}
}
