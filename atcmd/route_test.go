package atcmd

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// script answers each command with its lines; a command that is not in it gets the fake's own answer.
func script(m map[string][]string) modem {
	return func(f *fake, tok string) bool {
		ls, ok := m[tok]
		for _, l := range ls {
			if d, err := time.ParseDuration(l); err == nil {
				pass(d)
				continue
			}
			f.say("\r\n" + l + "\r\n")
		}
		return ok
	}
}

// talk runs test with a Conn to a modem that answers by m.
func talk(t *testing.T, m modem, test func(f *fake, c *Conn)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		f, p := newFake(t, m)
		c := Open(p, Config{})
		test(f, c)
		eq(t, "close", c.Close(), nil)
	})
}

func ask(t *testing.T, c *Conn, cmd string, want ...string) {
	t.Helper()
	r, err := c.Exec(bg, cmd)
	eq(t, cmd+" error", err, nil)
	eq(t, cmd, r.Lines, want)
}

// A final result said twice, the second one when the next command is already written.
func TestFinalSaidTwice(t *testing.T) {
	for name, m := range map[string]map[string][]string{
		"in one burst":     {"AT+CMGF=0": {"OK", "OK"}},
		"while idle":       {"AT+CMGF=0": {"OK", "1ms", "OK"}},
		"after chatter":    {"AT+CMGF=0": {"OK", "^RSSI: 9", "OK"}},
		"hits the next":    {"AT+CMGF=0": {"OK"}, "AT+CSQ": {"OK", "40ms", "+CSQ: 20,99", "OK"}},
		"hits a query":     {"AT+CMGF=0": {"OK"}, "AT+CPMS?": {"OK", "+CPMS: 1", "OK"}},
		"then always is":   {"AT+CMGF=0": {"OK", "OK"}, "AT+CSQ": {"+CSQ: 20,99", "OK", "10ms", "OK"}},
		"error in a burst": {"AT+CMGF=0": {"ERROR", "ERROR"}},
	} {
		t.Run(name, func(t *testing.T) {
			if m["AT+CSQ"] == nil {
				m["AT+CSQ"] = []string{"+CSQ: 20,99", "OK"}
			}
			talk(t, script(m), func(_ *fake, c *Conn) {
				c.Exec(bg, "+CMGF=0")
				if name == "while idle" {
					pass(2 * time.Millisecond)
				}
				ask(t, c, "+CPMS?", "+CPMS: 1")
				ask(t, c, "+CSQ", "+CSQ: 20,99")
				ask(t, c, "+CPMS?", "+CPMS: 1")
				start := time.Now()
				ask(t, c, "+CSQ", "+CSQ: 20,99")
				if d := time.Since(start); d < repeatPause {
					t.Fatalf("no pause was learned: %v", d)
				}
			})
		})
	}
}

// So may an error be.
func TestErrorSaidTwice(t *testing.T) {
	m := map[string][]string{"AT+CMGF=0": {"ERROR"}, "AT+CSQ": {"ERROR", "9ms", "+CSQ: 20,99", "OK"}}
	talk(t, script(m), func(_ *fake, c *Conn) {
		_, err := c.Exec(bg, "+CMGF=0")
		eq(t, "first", errors.Is(err, FinalError("ERROR")), true)
		ask(t, c, "+CSQ", "+CSQ: 20,99")
		eq(t, "evidence", drain(c), []URC{{Line: "ERROR", Late: true}})
		_, err = c.Exec(bg, "+CSQ")
		eq(t, "its own", errors.Is(err, FinalError("ERROR")), true)
	})
}

// A query that is answered by OK alone right after another OK is believed after a silence; nothing else waits.
func TestBareOK(t *testing.T) {
	talk(t, script(map[string][]string{"AT+CPIN?": {"OK"}, "AT+CMGL=4": {"OK"}, "AT+CMGF=0": {"OK"}}), func(_ *fake, c *Conn) {
		start := time.Now()
		ask(t, c, "+CMGL=4")
		ask(t, c, "+CMGF=0")
		eq(t, "took", time.Since(start), time.Duration(0))
		ask(t, c, "+CPIN?")
		eq(t, "took", time.Since(start), 200*time.Millisecond)
		ask(t, c, "+CMGF=0")
		pass(time.Second)
		ask(t, c, "+CPIN?")
		eq(t, "took", time.Since(start), 1200*time.Millisecond)
	})
}

// A line that ends the answer in place of OK, and beside it.
func TestCommandFinal(t *testing.T) {
	cmd := Command{Line: "+CPIN?", Final: "+CPIN: READY"}
	for name, tc := range map[string]struct {
		lines []string
		took  time.Duration
		want  []string
	}{
		"no OK":       {[]string{"+CPIN: READY"}, 200, []string{"+CPIN: READY"}},
		"no blank":    {[]string{"+CPIN:READY"}, 200, []string{"+CPIN:READY"}},
		"OK":          {[]string{"+CPIN: READY", "OK"}, 0, []string{"+CPIN: READY"}},
		"OK later":    {[]string{"+CPIN: READY", "90ms", "OK"}, 90, []string{"+CPIN: READY"}},
		"other value": {[]string{"+CPIN: SIM PIN", "OK"}, 0, []string{"+CPIN: SIM PIN"}},
		"only OK":     {[]string{"OK"}, 0, nil},
	} {
		t.Run(name, func(t *testing.T) {
			talk(t, script(map[string][]string{"AT+CPIN?": tc.lines}), func(_ *fake, c *Conn) {
				start := time.Now()
				r, err := c.Do(bg, cmd)
				eq(t, "error", err, nil)
				eq(t, "answer", r.Lines, tc.want)
				eq(t, "took", time.Since(start), tc.took*time.Millisecond)
				ask(t, c, "+CSQ?", "+CSQ: 1")
				eq(t, "URCs", drain(c), []URC(nil))
			})
		})
	}
}

// A boot's +CPIN: READY is told from the answer that follows it.
func TestURCThatLooksLikeTheAnswer(t *testing.T) {
	talk(t, script(map[string][]string{
		"AT+CPIN?":  {"+CPIN: READY", "+CPIN: SIM PIN", "OK"},
		"AT+CEREG?": {"+CEREG: 2,5,\"0502\",\"0404736D\"", "+CEREG: 2,1,\"0502\",\"0404736D\",7", "OK"},
	}), func(_ *fake, c *Conn) {
		ask(t, c, "+CPIN?", "+CPIN: SIM PIN")
		ask(t, c, "+CEREG?", "+CEREG: 2,1,\"0502\",\"0404736D\",7")
		eq(t, "URCs", drain(c), urcs("+CPIN: READY", "+CEREG: 2,5,\"0502\",\"0404736D\""))
	})
}

// Some modems answer AT+CREG? with what the standard keeps for the URC. It is the answer
// where there is no other, and what came before or after it is in order.
func TestURCThatIsTheAnswer(t *testing.T) {
	for name, tc := range map[string]struct {
		lines, want []string
		urcs        []URC
	}{
		"alone":          {[]string{"+CREG: 1", "OK"}, []string{"+CREG: 1"}, nil},
		"before it":      {[]string{"+CREG: 2", "+CREG: 0,1", "OK"}, []string{"+CREG: 0,1"}, urcs("+CREG: 2")},
		"behind it":      {[]string{"+CREG: 0,1", "+CREG: 2", "OK"}, []string{"+CREG: 0,1"}, urcs("+CREG: 2")},
		"twice":          {[]string{"+CREG: 2", "+CREG: 1", "OK"}, []string{"+CREG: 1"}, urcs("+CREG: 2")},
		"of another":     {[]string{"+CEREG: 2", "+CREG: 0,1", "OK"}, []string{"+CREG: 0,1"}, urcs("+CEREG: 2")},
		"among chatter":  {[]string{"^RSSI: 3", "+CREG: 1", "OK"}, []string{"+CREG: 1"}, urcs("^RSSI: 3")},
		"before chatter": {[]string{"+CREG: 2", "^RSSI: 3", "+CREG: 0,1", "OK"}, []string{"+CREG: 0,1"}, urcs("+CREG: 2", "^RSSI: 3")},
	} {
		t.Run(name, func(t *testing.T) {
			talk(t, script(map[string][]string{"AT+CREG?": tc.lines}), func(_ *fake, c *Conn) {
				ask(t, c, "+CREG?", tc.want...)
				eq(t, "URCs", drain(c), tc.urcs)
			})
		})
	}
	talk(t, script(map[string][]string{"AT+CREG?": {"+CREG: 1", "ERROR"}}), func(_ *fake, c *Conn) {
		if _, err := c.Exec(bg, "+CREG?"); err == nil {
			t.Error("an ERROR counts as success")
		}
		eq(t, "URCs", drain(c), urcs("+CREG: 1"))
	})
}

// A +CMT inside a list: by its length; where that does not tell, no octets are credited to the slot.
func TestMessageInsideAList(t *testing.T) {
	for name, tc := range map[string]struct {
		lines, want []string
		urcs        []URC
	}{
		"with its PDU": {
			[]string{"+CMGL: 1,1,,23", "+CMT: ,20", hexPDU(20, 1), hexPDU(23, 2), "OK"},
			[]string{"+CMGL: 1,1,,23", hexPDU(23, 2)},
			[]URC{{Line: "+CMT: ,20", PDU: hexPDU(20, 1)}},
		},
		"of equal length": {
			[]string{"+CMGL: 1,1,,20", "+CMT: ,20", hexPDU(20, 1), hexPDU(20, 2), "OK"},
			[]string{"+CMGL: 1,1,,20", hexPDU(20, 2)},
			[]URC{{Line: "+CMT: ,20", PDU: hexPDU(20, 1)}},
		},
		"without its PDU": {
			[]string{"+CMGL: 1,1,,23", "+CMT: ,20", hexPDU(23, 2), "OK"},
			[]string{"+CMGL: 1,1,,23", hexPDU(23, 2)},
			urcs("+CMT: ,20"),
		},
		"without its PDU, of equal length": {
			[]string{"+CMGL: 1,1,,20", "+CMT: ,20", hexPDU(20, 2), "+CMGL: 3,1,,20", hexPDU(20, 3), "OK"},
			[]string{"+CMGL: 1,1,,20", "+CMGL: 3,1,,20", hexPDU(20, 3)},
			[]URC{{Line: "+CMT: ,20", PDU: hexPDU(20, 2)}},
		},
		"before a header": {
			[]string{"+CMT: ,20", "+CMGL: 1,1,,20", hexPDU(20, 2), "OK"},
			[]string{"+CMGL: 1,1,,20", hexPDU(20, 2)},
			urcs("+CMT: ,20"),
		},
		"chatter between header and PDU": {
			[]string{"+CMGL: 1,1,,23", "^RSSI: 9", hexPDU(23, 2), "+CMT: ,20", "^RSSI: 8", hexPDU(20, 1), "OK"},
			[]string{"+CMGL: 1,1,,23", hexPDU(23, 2)},
			[]URC{{Line: "^RSSI: 9"}, {Line: "^RSSI: 8"}, {Line: "+CMT: ,20", PDU: hexPDU(20, 1)}},
		},
		"a PDU that lost a digit": {
			[]string{"+CMGL: 1,1,,23", hexPDU(23, 2)[1:], "OK"},
			[]string{"+CMGL: 1,1,,23", hexPDU(23, 2)[1:]},
			nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			talk(t, script(map[string][]string{"AT+CMGL=4": tc.lines}), func(_ *fake, c *Conn) {
				ask(t, c, "+CMGL=4", tc.want...)
				eq(t, "URCs", drain(c), tc.urcs)
			})
		})
	}
}

// While idle a +CMT takes whatever octets follow, even torn ones: lenient in.
func TestTornMessageWhileIdle(t *testing.T) {
	talk(t, nil, func(f *fake, c *Conn) {
		f.say("\r\n+CMT: ,20\r\n" + hexPDU(20, 1)[:17] + "\r\n")
		eq(t, "URC", <-c.URCs(), URC{Line: "+CMT: ,20", PDU: hexPDU(20, 1)[:17]})
	})
}

// ATV0 answers with digits, and the commands that may end it understand them. Others do not take a digit for an end.
func TestNumericResults(t *testing.T) {
	raw := func(f *fake, tok string) bool {
		switch tok {
		case "AT", "ATV1", "ATE0V1", "ATZ":
			f.say("0\r")
		case "ATX9", "AT&F":
			f.say("4\r")
		case "AT+X":
			f.say("0\r\n", "\r\n4\r\n", "\r\nOK\r\n")
		}
		return true
	}
	talk(t, raw, func(_ *fake, c *Conn) {
		for _, cmd := range []string{"", "V1", "E0V1", "Z"} {
			ask(t, c, cmd)
		}
		for _, cmd := range []string{"X9", "&F"} {
			_, err := c.Exec(bg, cmd)
			eq(t, cmd, errors.Is(err, FinalError("ERROR")), true)
		}
		ask(t, c, "+X", "0", "4")
	})
}

// What came while nobody asked makes the next command wait for a resync, but not for ever.
func TestDirtyLine(t *testing.T) {
	odd := func(f *fake, tok string) bool {
		if tok == "AT+CMEE?" {
			f.say("\r\n+CMEE: 1\r\n\r\nOK\r\n\r\n+COPS: 0\r\n")
			return true
		}
		return false
	}
	talk(t, odd, func(f *fake, c *Conn) {
		f.say("\r\n+CPMS: 1,20\r\n")
		synctest.Wait()
		ask(t, c, "+CSQ?", "+CSQ: 1")
		eq(t, "resyncs", f.got("AT+CMEE?"), maxCleanups)
		eq(t, "ESC", f.got("ESC"), 0)
		for _, u := range drain(c) {
			eq(t, u.Line+" is evidence", u.Late, true)
		}
	})
}

// COMMAND NOT SUPPORT ends a command wherever it stands in a line, but not as somebody's text.
func TestCommandNotSupport(t *testing.T) {
	for line, fails := range map[string]bool{
		"COMMAND NOT SUPPORT":                      true,
		" COMMAND NOT SUPPORT ":                    true,
		"\r\n\x00^X COMMAND NOT SUPPORT!":          true,
		"Command Not Supported":                    true,
		"+CUSD: 0,\"COMMAND NOT SUPPORT\",15":      false,
		"+CUSD: 0,\"a\r\nCOMMAND NOT SUPPORT\",15": false,
	} {
		talk(t, script(map[string][]string{"AT^X": {line, "OK"}}), func(_ *fake, c *Conn) {
			_, err := c.Exec(bg, "^X")
			eq(t, line, err != nil, fails)
		})
	}
}

// A PIN is in no trace, no URC and no error, whole echo or torn.
func TestSecretsStayHere(t *testing.T) {
	for _, echo := range []string{"AT+CPIN=\"4711\"", "T+CPIN=\"4711\"", "+CPIN=\"4711\"", "4711\"", "+CPIN: 4711", "ERROR: 4711",
		"AT+CPIN=\"47\r\n11\"", "IN=\"47"} {
		synctest.Test(t, func(t *testing.T) {
			var mu sync.Mutex
			var said []string
			f, p := newFake(t, script(map[string][]string{"AT+CPIN=\"4711\"": {echo, "+CME ERROR: 16"}}))
			c := Open(p, Config{Trace: func(dir byte, line string) {
				mu.Lock()
				defer mu.Unlock()
				said = append(said, string(dir)+line)
			}})
			_, err := c.Exec(bg, "+CPIN=\"4711\"")
			synctest.Wait()
			c.Close() // nobody traces any more
			said = append(said, err.Error(), strings.Join(execError(t, err).Lines, "|"))
			for _, u := range drain(c) {
				said = append(said, u.Line)
			}
			eq(t, "traced", said[0], ">AT+CPIN=\"****\"")
			eq(t, "reached the modem", f.got("AT+CPIN=\"4711\""), 1)
			for _, s := range said {
				if strings.Contains(s, "4711") || strings.Contains(s, "=\"47") || strings.Contains(s, "11\"") {
					t.Errorf("echo %q: %q", echo, s)
				}
			}
		})
	}
}

func TestSecretsIn(t *testing.T) {
	for cmd, want := range map[string][]string{
		`+CPIN="4711"`:               {"4711"},
		`+CPIN="12345678","4711"`:    {"12345678", "4711"},
		`+CMEE=1;+CPIN=4711;+CREG=2`: {"4711"},
		`+CLCK="SC",1,"4711"`:        {"4711"},
		`+CPWD="SC","1111","2222"`:   {"1111", "2222"},
		`^CPIN="4711"`:               {"4711"},
		`+CPIN?`:                     nil,
		`+CMGS=159`:                  nil,
	} {
		eq(t, cmd, secretsIn(cmd), want)
	}
}

func TestTrace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, p := newFake(t, sender(0, 0))
		var said []string
		c := Open(p, Config{Trace: func(dir byte, line string) { said = append(said, string(dir)+line) }})
		_, err := c.ExecPrompt(bg, "+CMGS=3", Prompt{Payload: "00010203"})
		eq(t, "error", err, nil)
		c.Close()
		eq(t, "trace", said, []string{">AT+CMGS=3", "<>", ">00010203", ">^Z", "<+CMGS: 7", "<OK"})
	})
}

func TestAliasesAndOtherNames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, p := newFake(t, script(map[string][]string{
			"AT+CICCID":   {"+ICCID: 8947", "OK"},
			"AT+CCID":     {"8947080000000000000F", "OK"},
			"ATI":         {"Manufacturer: huawei", "+GCAP: +CGSM,+DS", "^RSSI: 3", "OK"},
			"ATE0+CPMS?":  {"+CPMS: 1,2", "OK"},
			"AT^X":        {"^Y: 1", "^X: 2", "^Z: 3", "OK"},
			"AT+CGSN":     {"+ZUSIMR:2", "356938035643809", "CALL READY", "OK"},
			"AT+CREG=2":   {"+CREG: 1,\"00A1\",\"0001\"", "OK"},
			"AT+COPS=?":   {`+COPS: (2,"A",,"31026",0),`, `(1,"B",,"310410",0),,(0,1),(0,2)`, "OK"},
			"AT+CUSD=1,0": {"+CUSD: 2", "OK"},
		}))
		c := Open(p, Config{Answers: map[string][]string{"^X": {"^Y"}}})
		ask(t, c, "+CICCID", "+ICCID: 8947")
		ask(t, c, "+CCID", "8947080000000000000F")
		ask(t, c, "I", "Manufacturer: huawei", "+GCAP: +CGSM,+DS")
		ask(t, c, "E0+CPMS?", "+CPMS: 1,2")
		ask(t, c, "^X", "^Y: 1", "^X: 2")
		ask(t, c, "+CGSN", "356938035643809")
		ask(t, c, "+CREG=2")
		ask(t, c, "+COPS=?", `+COPS: (2,"A",,"31026",0),`, `(1,"B",,"310410",0),,(0,1),(0,2)`)
		ask(t, c, "+CUSD=1,0")
		eq(t, "URCs", drain(c), urcs("^RSSI: 3", "^Z: 3", "+ZUSIMR:2", "CALL READY", "+CREG: 1,\"00A1\",\"0001\"", "+CUSD: 2"))
		c.Close()
	})
}
