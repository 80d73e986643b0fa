package atcmd

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

type scene struct {
	cmd, payload string
	before       []string // lines up to the prompt (prompting) or all
	after        []string
	want         []string
}

var scenes = []scene{
	{cmd: "+CSQ", before: []string{"+CSQ: 20,99", "OK"}, want: []string{"+CSQ: 20,99"}},
	{cmd: "+CIMI", before: []string{"260011234567890", "OK"}, want: []string{"260011234567890"}},
	{cmd: "+CREG?", before: []string{"+CREG: 2,1,\"0145\",\"00A1\"", "OK"}, want: []string{"+CREG: 2,1,\"0145\",\"00A1\""}},
	{cmd: "+CPMS=\"SM\"", before: []string{"+CPMS: 1,20,1,20,1,20", "OK"}, want: []string{"+CPMS: 1,20,1,20,1,20"}},
	{cmd: "+CMGL=4", before: []string{"+CMGL: 1,1,,23", hexPDU(23, 0xA1), "+CMGL: 2,1,,30", hexPDU(30, 0xA2), "OK"},
		want: []string{"+CMGL: 1,1,,23", hexPDU(23, 0xA1), "+CMGL: 2,1,,30", hexPDU(30, 0xA2)}},
	{cmd: "+CMGS=19", payload: hexPDU(19, 0xB1), before: []string{"AT+CMGS=19"}, after: []string{"+CMGS: 77", "OK"}, want: []string{"+CMGS: 77"}},
}

func (s scene) run(c *Conn) (Response, error) {
	if s.payload != "" {
		return c.ExecPrompt(bg, s.cmd, Prompt{Payload: s.payload})
	}
	return c.Exec(bg, s.cmd)
}

type inject struct {
	wire string
	want []URC
}

var injects = []inject{
	{"\r\n+CMTI: \"SM\",3\r\n", []URC{{Line: "+CMTI: \"SM\",3"}}},
	{"\r\n+CMT: ,20\r\n" + hexPDU(20, 0xC1) + "\r\n", []URC{{Line: "+CMT: ,20", PDU: hexPDU(20, 0xC1)}}},
	{"\r\n+CMT: ,20\r\n\r\n" + hexPDU(20, 0xC1) + "\r\n", []URC{{Line: "+CMT: ,20", PDU: hexPDU(20, 0xC1)}}}, // blank before the PDU
	{"\r\n+CDS: 25\r\n" + hexPDU(25, 0xC2) + "\r\n", []URC{{Line: "+CDS: 25", PDU: hexPDU(25, 0xC2)}}},
	{"\r\n+CBM: 88\r\n" + hexPDU(88, 0xC3) + "\r\n", []URC{{Line: "+CBM: 88", PDU: hexPDU(88, 0xC3)}}},
	{"\r\n+CMT: ,20\r\n", []URC{{Line: "+CMT: ,20"}}}, // PDU never comes
	{"\r\nRING\r\n", []URC{{Line: "RING"}}},
	{"\r\n^BOOT:1,0\r\n", []URC{{Line: "^BOOT:1,0"}}},
	{"\r\n+CREG: 1\r\n+CREG: 1,\"0145\",\"00A1\"\r\n", []URC{{Line: "+CREG: 1"}, {Line: "+CREG: 1,\"0145\",\"00A1\""}}},
	{"\r\nNO CARRIER\r\n", []URC{{Line: "NO CARRIER"}}},
	{"\r\n+CUSD: 0,\"one\r\nOK\r\n> three\",15\r\n", []URC{{Line: "+CUSD: 0,\"one\nOK\n> three\",15"}}},
	{"\r\n+ZUSIMR:2\r\n\r\n+ZUSIMR:2\r\n", []URC{{Line: "+ZUSIMR:2"}, {Line: "+ZUSIMR:2"}}},
}

// Every URC at every line boundary of every transcript.
func TestInjection(t *testing.T) {
	for _, s := range scenes {
		for _, in := range injects {
			for at := 0; at <= len(s.before)+len(s.after)+1; at++ {
				synctest.Test(t, func(t *testing.T) {
					n := 0
					say := func(f *fake, ls []string) {
						for _, l := range ls {
							if n == at {
								f.say(in.wire)
							}
							n++
							f.say("\r\n" + l + "\r\n")
						}
					}
					f, p := newFake(t, func(f *fake, tok string) bool {
						switch {
						case tok == "AT"+s.cmd:
							say(f, s.before)
							if s.payload == "" {
								if n == at {
									f.say(in.wire)
								}
								return true
							}
							if n == at {
								f.say(in.wire)
							}
							n++
							f.prompt("\r\n> ")
						case strings.HasPrefix(tok, "PDU:"):
							eq(t, "payload", tok[4:], s.payload)
							say(f, s.after)
							if n == at {
								f.say(in.wire)
							}
						default:
							return false
						}
						return true
					})
					_ = f
					c := Open(p, Config{})
					r, err := s.run(c)
					if err != nil {
						t.Fatalf("%s/%q/%d: %v", s.cmd, in.wire, at, err)
					}
					eq(t, fmt.Sprintf("%s/%q/%d", s.cmd, in.wire, at), r.Lines, s.want)
					pass(3 * time.Second) // lets a missing PDU be given up
					us := drain(c)
					if at <= n {
						eq(t, fmt.Sprintf("URC %s/%q/%d", s.cmd, in.wire, at), us, in.want)
					}
					c.Close()
				})
			}
		}
	}
}

// Every scene with every line end, cut in two at every byte, and byte by byte.
func TestSplit(t *testing.T) {
	for _, s := range scenes {
		for _, end := range []string{"\r\n", "\r", "\n", "\r\r\n", "\x00\r\n\x00"} {
			synctest.Test(t, func(t *testing.T) { splitAtEveryByte(t, s, end) })
		}
	}
}

func splitAtEveryByte(t *testing.T, s scene, end string) {
	t.Helper()
	before := end + strings.Join(s.before, end+end) + end
	if s.payload != "" {
		before += "> "
	}
	after := end + strings.Join(s.after, end+end) + end
	var cut int
	_, p := newFake(t, func(f *fake, tok string) bool {
		say := before
		if tok != "AT"+s.cmd {
			say = after
		} else if s.payload != "" {
			f.prompt("")
		}
		if cut < 0 {
			f.say(strings.Split(say, "")...)
			return true
		}
		k := min(cut, len(say))
		f.say(say[:k])
		pass(time.Millisecond)
		f.say(say[k:])
		return true
	})
	c := Open(p, Config{})
	for cut = -1; cut < max(len(before), len(after)); cut++ {
		r, err := s.run(c)
		eq(t, fmt.Sprintf("%s cut at %d", s.cmd, cut), err, nil)
		eq(t, fmt.Sprintf("%s cut at %d", s.cmd, cut), r.Lines, s.want)
		pass(2 * time.Millisecond) // the rest of a line end
		eq(t, "URCs", len(drain(c)), 0)
	}
	c.Close()
}

// Final results, with and without a prompt awaited.
func TestFinals(t *testing.T) {
	for _, tc := range []struct {
		cmd, final string
		want       error
		is         bool
	}{
		{"+X", "OK", nil, false},
		{"+X", "OK ", nil, false},
		{"+X", "\x00OK", nil, false},
		{"+X", "ERROR", FinalError("ERROR"), false},
		{"+X", "ERROR: 12", FinalError("ERROR: 12"), false},
		{"+X", "COMMAND NOT SUPPORT", FinalError("COMMAND NOT SUPPORT"), false},
		{"+X", "TOO MANY PARAMETERS", FinalError("TOO MANY PARAMETERS"), false},
		{"+X", "+CME ERROR: 10", CMEError(10), false},
		{"+X", "+CME ERROR:10", CMEError(10), false},
		{"+X", "+CME ERROR: SIM not inserted", CMEError(10), false},
		{"+X", "+CME ERROR: sim not INSERTED", CMEError(10), false},
		{"+X", "+CME ERROR", CMEError(100), true},
		{"+X", "+CME ERROR: something odd", CMEError(100), true},
		{"+X", "+CMS ERROR: 500", CMSError(500), false},
		{"+X", "+CMS ERROR:38", CMSError(38), false},
		{"+X", "+CMS ERROR: network out of order", CMSError(38), false},
		{"+X", "+CMS ERROR: 999", CMSError(999), false},
		{"D123", "NO CARRIER", FinalError("NO CARRIER"), false},
		{"D123", "BUSY", FinalError("BUSY"), false},
		{"D123", "NO DIAL TONE", FinalError("NO DIAL TONE"), false},
		{"D123", "CONNECT 9600", nil, false},
	} {
		for _, prompts := range []bool{false, true} {
			if prompts && (tc.cmd != "+X" || tc.want == nil) {
				continue
			}
			synctest.Test(t, func(t *testing.T) {
				_, p := newFake(t, func(f *fake, tok string) bool { f.say("\r\n" + tc.final + "\r\n"); return true })
				c := Open(p, Config{})
				start := time.Now()
				var err error
				if prompts {
					_, err = c.ExecPrompt(bg, tc.cmd, Prompt{Payload: "00"})
				} else {
					_, err = c.Exec(bg, tc.cmd)
				}
				eq(t, "time", time.Since(start), time.Duration(0))
				var xe *ExecError
				switch {
				case tc.want == nil:
					eq(t, tc.final, err, nil)
				case !errors.As(err, &xe) || xe.Submitted:
					t.Fatal(tc.final, err)
				case tc.is:
					eq(t, tc.final, errors.Is(err, tc.want), true)
				default:
					eq(t, tc.final, xe.Err, tc.want)
				}
				c.Close()
			})
		}
	}
}

// PDU line missing, then idle or answer; unclosed quote.
func TestPending(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, p := newFake(t, nil)
		c := Open(p, Config{})
		f.say("\r\n+CMT: ,20\r\n")
		pass(2 * time.Second)
		eq(t, "given up", drain(c), []URC{{Line: "+CMT: ,20"}})
		f.say("\r\n+CMT: ,20\r\n")
		r, err := c.Exec(bg, "+CPIN?")
		eq(t, "answer", r.Lines, []string{"+CPIN: 1"})
		eq(t, "answer", err, nil)
		f.say("\r\n+CUSD: 0,\"never closed\r\nsecond\r\n")
		pass(2 * time.Second)
		r, err = c.Exec(bg, "+CPIN?")
		eq(t, "answer", r.Lines, []string{"+CPIN: 1"})
		eq(t, "answer", err, nil)
		eq(t, "urcs", drain(c), []URC{{Line: "+CMT: ,20"}, {Line: "+CUSD: 0,\"never closed\nsecond"}})
		c.Close()
	})
}

// CUSD: the answer comes after OK, or before it, spanning lines; the query is answered.
func TestUSSD(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := "\r\n+CUSD: 1,\"a\r\x00\nb\r\n\r\n> c\",15\r\n"
		n := 0
		_, p := newFake(t, func(f *fake, tok string) bool {
			if tok != "AT+CUSD=1,\"*100#\",15" {
				return false
			}
			if n++; n == 1 {
				f.say("\r\nOK\r\n", u)
			} else {
				f.say(u, "\r\nOK\r\n")
			}
			return true
		})
		c := Open(p, Config{})
		for range 2 {
			r, err := c.Exec(bg, "+CUSD=1,\"*100#\",15")
			if err != nil || len(r.Lines) != 0 {
				t.Fatal(r, err)
			}
			eq(t, "ussd", <-c.URCs(), URC{Line: "+CUSD: 1,\"a\nb\n\n> c\",15"})
		}
		r, _ := c.Exec(bg, "+CUSD?")
		eq(t, "query", r.Lines, []string{"+CUSD: 1"})
		c.Close()
	})
}

// A final result whose line end was lost ends the command after a silence, and no sooner.
func TestFinalWithoutALineEnd(t *testing.T) {
	for wire, want := range map[string]error{
		"\r\n+CSQ: 20,99\r\n\r\nOK":      nil,
		"\r\n+CMS ERROR: 38":             CMSError(38),
		"\r\nERROR\r":                    FinalError("ERROR"),
		"\r\n+CSQ: 20,99\r\nO|K\r\n":     nil,
		"\r\n+CSQ: 20,99\r\nOK|AY\r\nOK": nil,
	} {
		synctest.Test(t, func(t *testing.T) {
			_, p := newFake(t, func(f *fake, tok string) bool {
				if tok != "AT+CSQ" {
					return false
				}
				for part := range strings.SplitSeq(wire, "|") {
					f.say(part)
					pass(150 * time.Millisecond)
				}
				return true
			})
			c := Open(p, Config{})
			start := time.Now()
			_, err := c.Exec(bg, "+CSQ")
			eq(t, wire, errors.Is(err, want), true)
			if d := time.Since(start); d > 350*time.Millisecond {
				t.Errorf("%q took %v", wire, d)
			}
			ask(t, c, "+CPIN?", "+CPIN: 1")
			c.Close()
		})
	}
}

// 64 KiB without an end, idle and in an answer.
func TestLongLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		long := strings.Repeat("x", 64<<10)
		f, p := newFake(t, func(f *fake, tok string) bool {
			switch tok {
			case "AT+CSQ":
				f.say("\r\n"+long, "\r\n+CSQ: 1,1\r\n\r\nOK\r\n")
			case "AT+COPS?":
				f.say("\r\n" + long) // and nothing more
			default:
				return false
			}
			return true
		})
		c := Open(p, Config{})
		f.say(long)
		f.say("\r\n")
		r, err := c.Exec(bg, "+CSQ")
		eq(t, "answer", r.Lines, []string{"+CSQ: 1,1"})
		eq(t, "answer", err, nil)
		ctx, cancel := context.WithTimeout(bg, time.Second)
		defer cancel()
		if _, err = c.Exec(ctx, "+COPS?"); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
		r, err = c.Exec(bg, "+CPIN?")
		eq(t, "next", r.Lines, []string{"+CPIN: 1"})
		eq(t, "next", err, nil)
		for _, u := range drain(c) {
			if len(u.Line) > maxLine {
				t.Fatal("unbounded")
			}
		}
		c.Close()
	})
}

// 200 URCs while idle and 200 messages in an answer keep their order.
func TestURCOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, p := newFake(t, func(f *fake, tok string) bool {
			for i := range 200 {
				f.say(fmt.Sprintf("\r\n+CMT: ,%d\r\n%s\r\n", 20, fmt.Sprintf("00%040X", i)))
			}
			f.say("\r\n+CSQ: 3,3\r\n\r\nOK\r\n")
			return true
		})
		c := Open(p, Config{Queue: 400})
		for i := range 200 {
			f.say("\r\n+CMTI: \"SM\"," + strconv.Itoa(i) + "\r\n")
		}
		synctest.Wait()
		if r, err := c.Exec(bg, "+CSQ"); err != nil || len(r.Lines) != 1 {
			t.Fatal(r, err)
		}
		us := drain(c)
		eq(t, "count", len(us), 400)
		for i := range 200 {
			eq(t, "idle", us[i], URC{Line: "+CMTI: \"SM\"," + strconv.Itoa(i)})
			eq(t, "busy", us[200+i], URC{Line: "+CMT: ,20", PDU: fmt.Sprintf("00%040X", i)})
		}
		c.Close()
	})
}

// A flood with nobody reading: answers go on, the loss is counted, room stays for messages.
func TestFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, p := newFake(t, func(f *fake, tok string) bool {
			for range 2000 {
				f.say("\r\n+ZUSIMR:2\r\n")
			}
			f.say("\r\n+CMT: ,20\r\n", hexPDU(20, 7)+"\r\n", "\r\n260011234567890\r\n", "\r\nRING\r\n\r\nOK\r\n")
			return true
		})
		c := Open(p, Config{Queue: 64})
		r, err := c.Exec(bg, "+CIMI")
		if err != nil {
			t.Fatal(err)
		}
		eq(t, "answer", r.Lines, []string{"260011234567890"})
		us := drain(c)
		last := us[len(us)-1]
		eq(t, "count", len(us), 49)
		eq(t, "last", last, URC{Line: "+CMT: ,20", PDU: hexPDU(20, 7), Missed: 1952})
		c.Close()
	})
}

// Even messages do not block the reader when nobody takes them.
func TestMessageFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, p := newFake(t, func(f *fake, tok string) bool {
			for range 300 {
				f.say("\r\n+CMT: ,20\r\n" + hexPDU(20, 7) + "\r\n")
			}
			f.say("\r\n+CSQ: 3,3\r\n\r\nOK\r\n")
			return true
		})
		c := Open(p, Config{Queue: 64})
		r, err := c.Exec(bg, "+CSQ")
		eq(t, "answer", err, nil)
		eq(t, "answer", r.Lines, []string{"+CSQ: 3,3"})
		eq(t, "kept", len(drain(c)), 64)
		f.say("\r\nRING\r\n")
		synctest.Wait()
		eq(t, "missed", drain(c), []URC{{Line: "RING", Missed: 236}})
		eq(t, "wire", f.wire(), "AT+CSQ\r")
		c.Close()
	})
}
