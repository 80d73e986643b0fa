package modem

import (
	"strings"
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
				if err != nil || (got.State == "reply") != v.Expected.Active {
					t.Fatalf("got %+v, %v", got, err)
				}
				// atcmd makes one line break of CR LF.
				if want := normal(v.Expected.Text); normal(got.Text) != want {
					t.Errorf("got %q, want %q", got.Text, want)
				}
				if closed := s.count("+CUSD=2"); closed != 0 {
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

// TestUSSDEndings: each way in which there is no text has its word, and only what the modem itself does not answer is an
// error, after which no session is left open.
func TestUSSDEndings(t *testing.T) {
	for wire, state := range map[string]string{
		"ERROR": "", "OK": "", "+CME ERROR: 30": "",
		"OK|+CUSD: 4": "unsupported", "OK|+CUSD: 5": "timeout", "OK|+CUSD: 2": "ended", "OK|+CUSD: 0": "done", "OK|+CUSD: 3": "elsewhere", "OK|+CUSD: 9": "ended",
	} {
		synctest.Test(t, func(t *testing.T) {
			s := newScript(t)
			s.answers[`+CUSD=1,"*100#",15`] = wire
			m := s.mustOpen(Config{})
			if got, err := m.USSD(t.Context(), "*100#"); (err == nil) != (state != "") || got.State != state || got.Text != "" {
				t.Errorf("%s: got %+v, %v", wire, got, err)
			}
			if closed := s.count("+CUSD=2"); closed == 1 != (wire == "OK") {
				t.Errorf("%s: the session was closed %d times", wire, closed)
			}
		})
	}
}

func TestUSSDGrammar(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript(t)
		m := s.mustOpen(Config{})
		before := len(s.log())
		for _, code := range []string{"", "*100#\r", `*1",15`, "na\u00efve", "\x1a", "a@b", strings.Repeat("1", 183)} {
			if _, err := m.USSD(t.Context(), code); err == nil {
				t.Errorf("%q was taken", code)
			}
		}
		if len(s.log()) != before {
			t.Errorf("asked %q", s.log()[before:])
		}
	})
}

// TestUSSDUnasked: what the network says by itself, before a code or after it, is no answer, and is not lost.
func TestUSSDUnasked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript(t)
		s.answers[`+CUSD=1,"*100#",15`] = `OK|+CUSD: 0,"new",15`
		m := s.mustOpen(Config{})
		for range 2 * maxUSSD {
			s.say(`+CUSD: 1,"004F006C0064",72`)
			synctest.Wait()
		}
		if got, err := m.USSD(t.Context(), "*100#"); err != nil || got.Text != "new" {
			t.Errorf("got %+v, %v", got, err)
		}
		s.say("+CUSD: 2")
		synctest.Wait()
		got := m.Take()
		if len(got.USSD) != maxUSSD || got.USSD[0] != (USSDReply{Text: "Old", State: "reply"}) || got.Missed != maxUSSD+1 {
			t.Errorf("got %+v", got)
		}
	})
}

// TestUSSDForms: a Huawei gets the code packed at once; a modem that nobody knows is asked in plain words first, and from
// then on in the way that it took.
func TestUSSDForms(t *testing.T) {
	for profile, plain := range map[string]int{"generic": 1, "huawei": 0} {
		synctest.Test(t, func(t *testing.T) {
			s := newScript(t)
			s.on = remembering()
			s.answers[`+CUSD=1,"AA180C3602",15`] = `OK|+CUSD: 0,"E6B79C9E6FD1EF6F",15`
			m := s.mustOpen(Config{Profile: profile})
			for range 2 {
				if got, err := m.USSD(t.Context(), "*100#"); err != nil || got.Text != "forty-two" {
					t.Errorf("%s: %+v, %v", profile, got, err)
				}
			}
			if n := s.count(`+CUSD=1,"*100#",15`); n != plain {
				t.Errorf("%s: asked in plain words %d times", profile, n)
			}
		})
	}
}

// TestPackedUSSDUnasked: a modem that takes the code in plain words and answers in packed septets is understood, and one
// of a make that packs, in its text mode, is not misread.
func TestPackedUSSDUnasked(t *testing.T) {
	for _, c := range []struct {
		form ussdForm
		text string
		want string
	}{
		{ussdPlain, "D9775D0E1287D961F7B80C4ACF4134990B0603", "Your balance is 42.00"}, {ussdPlain, "E6B79C9E6FD1EF6F", "forty-two"},
		{ussdUCS2, "D9775D0E1287D961F7B80C4ACF4134990B0603", "Your balance is 42.00"},
		{ussdPlain, "B0986C46ABD96E", "01234567"},
		{ussdPlain, "FACE", "FACE"}, {ussdPlain, "DEADBEEF0001", "DEADBEEF0001"}, {ussdPlain, "A1B2C3D4E5F6A7B8", "A1B2C3D4E5F6A7B8"},
		{ussdPlain, "8947010000000000017C", "8947010000000000017C"}, {ussdPlain, "4790000002", "4790000002"},
		{ussdPacked, "1250", "1250"}, {ussdPacked, "4790000002", "4790000002"}, {ussdPacked, "1234567890123456", "1234567890123456"},
		{ussdPacked, "125", "125"}, {ussdPacked, "31", "1"}, {ussdPacked, "3218", "20"},
	} {
		if got := c.form.decode(c.text, 15); got != c.want {
			t.Errorf("form %d, %s: %q, want %q", c.form, c.text, got, c.want)
		}
	}
}

// TestUSSDGarbage: what stands behind a NUL is no text; the same digits in a packed text are.
func TestUSSDGarbage(t *testing.T) {
	for _, c := range []struct {
		form ussdForm
		text string
		dcs  int
		want string
	}{
		{ussdPlain, "00480069000000FF12341234", 72, "Hi"}, {ussdUCS2, "004800690000FFFE", 15, "Hi"}, {ussdPlain, "0048006900210000D800", 15, "Hi!"},
		{ussdPacked, "C834000000", 15, "Hi@@@"},
		{ussdPlain, "04110430043B0430043D0441003A0020003400320020", 15, "Баланс: 42 "}, // under the coding scheme of another alphabet
		{ussdPlain, "1234567890123456", 15, "1234567890123456"}, {ussdPlain, "123412351236", 15, "123412351236"}, {ussdPlain, "2026", 15, "2026"},
	} {
		if got := c.form.decode(c.text, c.dcs); got != c.want {
			t.Errorf("%s: %q, want %q", c.text, got, c.want)
		}
	}
}
