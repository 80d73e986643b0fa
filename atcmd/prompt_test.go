package atcmd

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// Prompts and echoes as modems write them, and the bytes on the wire.
func TestPrompts(t *testing.T) {
	pay := hexPDU(19, 5)
	for _, pr := range []string{"\r\n> ", "\r\n>", ">", " > ", "\r\n  >  ", "> \r\n", "AT+CMGS=19\r> ", "AT+CMGS=19\r\n> ", "AT+CMGS=19> ",
		"AT+CMGS=19\r\r\n> ", "\x00> ", "\r\n+CMTI: \"SM\",1\r\n> ", "> > > ", "> \r\n> \r\n> ", "\r\r\n> ", "\r\n\x00>\x00 "} {
		for _, rest := range []string{"\r\n+CMGS: 8\r\n\r\nOK\r\n", pay + "\x1a\r\n+CMGS: 8\r\n\r\nOK\r\n", " " + pay + "\r\n+CMGS: 8\r\nOK\r\n",
			"\r\n> \r\n> +CMGS: 8\r\nOK\r\n", "\r\n>\r\n+CMGS: 8\r\nOK\r\n"} {
			synctest.Test(t, func(t *testing.T) {
				f, p := newFake(t, func(f *fake, tok string) bool {
					if strings.HasPrefix(tok, "PDU:") {
						f.say(rest)
					} else {
						f.prompt(pr)
					}
					return true
				})
				c := Open(p, Config{})
				r, err := c.ExecPrompt(bg, "+CMGS=19", Prompt{Payload: pay})
				if err != nil {
					t.Fatalf("%q %q: %v", pr, rest, err)
				}
				eq(t, pr+"/"+rest, r.Lines, []string{"+CMGS: 8"})
				synctest.Wait()
				eq(t, "wire", f.wire(), "AT+CMGS=19\r"+pay+"\x1a")
				c.Close()
			})
		}
	}
}

// A '>' in an answer is text, a prompt while idle is escaped, OK without a prompt is not success.
func TestOddPrompts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, p := newFake(t, func(f *fake, tok string) bool {
			switch {
			case tok == "ATI":
				f.say("\r\n> Fancy\r\nOKAY\r\n>\r\n\r\nOK\r\n")
			case strings.HasPrefix(tok, "AT+CMGS"):
				f.say("\r\nOK\r\n\r\n+CMGS: 3\r\n")
				f.prompt("> ")
			case strings.HasPrefix(tok, "PDU:"):
				f.say("\r\n+CMGS: 4\r\n\r\nOK\r\n")
			default:
				return false
			}
			return true
		})
		c := Open(p, Config{})
		r, err := c.Exec(bg, "I")
		eq(t, "ATI", r.Lines, []string{"> Fancy", "OKAY", ">"})
		eq(t, "ATI", err, nil)
		r, err = c.ExecPrompt(bg, "+CMGS=19", Prompt{Payload: hexPDU(19, 1)})
		eq(t, "CMGS", r.Lines, []string{"+CMGS: 4"})
		eq(t, "CMGS", err, nil)
		eq(t, "stale", drain(c), []URC{{Line: "OK", Late: true}, {Line: "+CMGS: 3", Late: true}})
		f.prompt("\r\n> ")
		pass(time.Second)
		r, err = c.Exec(bg, "+CPIN?")
		eq(t, "after idle prompt", r.Lines, []string{"+CPIN: 1"})
		eq(t, "after idle prompt", err, nil)
		eq(t, "ESC", f.got("ESC"), 1)
		eq(t, "^Z", f.subs(), 1)
		c.Close()
	})
}

// AT+CNMA waits behind a running submission: the ack comes after the store, after the running CMGS, and its error is seen.
func TestAckOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var order []string
		note := func(s string) { mu.Lock(); order = append(order, s); mu.Unlock() }
		_, p := newFake(t, func(f *fake, tok string) bool {
			switch {
			case strings.HasPrefix(tok, "AT+CMGS"):
				f.prompt("> ")
			case strings.HasPrefix(tok, "PDU:"):
				f.say("\r\n+CMT: ,20\r\n" + hexPDU(20, 7) + "\r\n")
				pass(1400 * time.Millisecond)
				note("sent")
				f.say("\r\n+CMGS: 4\r\n\r\nOK\r\n")
			case tok == "AT+CNMA":
				note("acked")
				f.say("\r\n+CMS ERROR: 340\r\n")
			default:
				return false
			}
			return true
		})
		c := Open(p, Config{})
		var wg sync.WaitGroup
		wg.Go(func() {
			u := <-c.URCs()
			eq(t, "pdu", u.PDU, hexPDU(20, 7))
			note("stored")
			_, err := c.Exec(bg, "+CNMA")
			var e CMSError
			if !errors.As(err, &e) || e != 340 {
				t.Error(err)
			}
		})
		if _, err := c.ExecPrompt(bg, "+CMGS=19", Prompt{Payload: hexPDU(19, 3)}); err != nil {
			t.Fatal(err)
		}
		wg.Wait()
		eq(t, "order", order, []string{"stored", "sent", "acked"})
		c.Close()
	})
}

// sender is a modem whose prompt and whose answer take as long as told. A negative time is never.
func sender(prompt, answer time.Duration) modem {
	return func(f *fake, tok string) bool {
		switch {
		case strings.HasPrefix(tok, "AT+CMGS") && prompt >= 0:
			f.work(prompt)
			f.prompt("\r\n> ")
		case strings.HasPrefix(tok, "PDU:") && answer >= 0:
			f.work(answer)
			f.say("\r\n+CMGS: 7\r\n\r\nOK\r\n")
		default:
			return strings.HasPrefix(tok, "AT+CMGS")
		}
		return true
	}
}

// ^Z waits for Ready, whichever of the prompt and Ready comes first, and nothing waits for longer than both.
func TestReadyBeforeCtrlZ(t *testing.T) {
	for _, tc := range []struct{ prompt, ready, want time.Duration }{
		{0, 0, 0}, {0, 300, 300}, {300, 0, 300}, {300, 300, 300}, {100, 300, 300},
	} {
		synctest.Test(t, func(t *testing.T) {
			f, p := newFake(t, sender(tc.prompt*time.Millisecond, 0))
			c := Open(p, Config{})
			start := time.Now()
			var began time.Duration
			r, err := c.ExecPrompt(bg, "+CMGS=19", Prompt{Payload: hexPDU(19, 1), Ready: func() error {
				began = time.Since(start)
				synctest.Wait()
				eq(t, "command line before Ready", f.got("AT+CMGS=19"), 1)
				pass(tc.ready * time.Millisecond)
				eq(t, "^Z before Ready returned", f.subs(), 0)
				return nil
			}})
			eq(t, "error", err, nil)
			eq(t, "answer", r.Lines, []string{"+CMGS: 7"})
			eq(t, "Ready began", began, time.Duration(0))
			eq(t, "took", time.Since(start), tc.want*time.Millisecond)
			eq(t, "^Z", f.subs(), 1)
			c.Close()
		})
	}
}

// An error of Ready is ESC, never ^Z, and the line is in step afterwards.
func TestReadyFails(t *testing.T) {
	broken := errors.New("disk full")
	for _, tc := range []struct{ prompt, ready time.Duration }{{0, 0}, {0, 300}, {300, 0}, {5000, 10}} {
		synctest.Test(t, func(t *testing.T) {
			f, p := newFake(t, sender(tc.prompt*time.Millisecond, 0))
			c := Open(p, Config{})
			_, err := c.ExecPrompt(bg, "+CMGS=19", Prompt{Payload: hexPDU(19, 1), Ready: func() error {
				pass(tc.ready * time.Millisecond)
				return broken
			}})
			x := execError(t, err)
			eq(t, "is Ready's error", errors.Is(err, broken), true)
			eq(t, "sent", x.Sent, true)
			eq(t, "submitted", x.Submitted, false)
			eq(t, "ambiguous", Ambiguous(err), false)
			r, err := c.Exec(bg, "+CPIN?")
			eq(t, "next", err, nil)
			eq(t, "next", r.Lines, []string{"+CPIN: 1"})
			eq(t, "^Z", f.subs(), 0)
			raw := f.wire()
			if e, p := strings.IndexByte(raw, esc), strings.Index(raw, "AT+CMEE?"); e < 0 || p < e {
				t.Fatalf("no ESC before the ping: %q", raw)
			}
			c.Close()
		})
	}
}

// ExecPrompt comes back no sooner than Ready, whatever else ended it, and no ^Z leaves.
func TestReadyIsJoined(t *testing.T) {
	for name, tc := range map[string]struct {
		on    modem
		end   func(f *fake, c *Conn, cancel func())
		cause error
	}{
		"ctx":         {sender(0, 0), func(_ *fake, _ *Conn, cancel func()) { cancel() }, context.Canceled},
		"close":       {sender(0, 0), func(_ *fake, c *Conn, _ func()) { c.Close() }, ErrClosed},
		"final":       {sender(0, 0), func(f *fake, _ *Conn, _ func()) { f.say("\r\n+CMS ERROR: 304\r\n") }, CMSError(304)},
		"never asked": {sender(-1, 0), func(_ *fake, _ *Conn, cancel func()) { cancel() }, context.Canceled},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f, p := newFake(t, tc.on)
				c := Open(p, Config{})
				ctx, cancel := context.WithCancel(bg)
				defer cancel()
				go func() { pass(time.Second); tc.end(f, c, cancel) }()
				start := time.Now()
				_, err := c.ExecPrompt(ctx, "+CMGS=19", Prompt{Payload: hexPDU(19, 1), Ready: func() error {
					pass(3 * time.Second)
					return nil
				}})
				eq(t, "cause", errors.Is(err, tc.cause), true)
				eq(t, "submitted", execError(t, err).Submitted, false)
				eq(t, "took", time.Since(start), 3*time.Second)
				eq(t, "^Z", f.subs(), 0)
				c.Close()
			})
		})
	}
}

// A Ready that fails after the modem has refused does not hold anybody.
func TestReadyFailsAfterTheFinal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, p := newFake(t, sender(0, 0))
		c := Open(p, Config{})
		_, err := c.ExecPrompt(bg, "+CMGS=19", Prompt{Payload: hexPDU(19, 1), Ready: func() error {
			pass(time.Second)
			f.say("\r\n+CMS ERROR: 304\r\n")
			pass(time.Second)
			return errors.New("too late")
		}})
		eq(t, "cause", errors.Is(err, CMSError(304)), true)
		r, err := c.Exec(bg, "+CPIN?")
		eq(t, "next", err, nil)
		eq(t, "next", r.Lines, []string{"+CPIN: 1"})
		c.Close()
	})
}

// The limits of a prompt and of an answer, as given and by default.
func TestPromptLimits(t *testing.T) {
	for _, tc := range []struct {
		name                 string
		on                   modem
		p                    Prompt
		cause                error
		after                time.Duration
		submitted, ambiguous bool
	}{
		{"no prompt", sender(-1, 0), Prompt{}, ErrNoPrompt, 30 * time.Second, false, false},
		{"no prompt, shorter", sender(-1, 0), Prompt{Wait: time.Second}, ErrNoPrompt, time.Second, false, false},
		{"no answer", sender(0, -1), Prompt{}, ErrNoAnswer, 180 * time.Second, true, true},
		{"no answer, shorter", sender(0, -1), Prompt{Answer: 9 * time.Second}, ErrNoAnswer, 9 * time.Second, true, true},
		{"both slow", sender(29*time.Second, 179*time.Second), Prompt{}, nil, 208 * time.Second, false, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, p := newFake(t, tc.on)
				c := Open(p, Config{})
				tc.p.Payload = hexPDU(19, 1)
				start := time.Now()
				_, err := c.ExecPrompt(bg, "+CMGS=19", tc.p)
				eq(t, "cause", errors.Is(err, tc.cause), true)
				eq(t, "after", time.Since(start), tc.after)
				eq(t, "ambiguous", Ambiguous(err), tc.ambiguous)
				if err != nil {
					eq(t, "submitted", execError(t, err).Submitted, tc.submitted)
				}
				c.Close()
			})
		})
	}
}

// A +CMGS that comes late is evidence for its own exchange: during the resync, idle, and up to the next ^Z.
func TestLateEvidenceHasItsSeq(t *testing.T) {
	for name, late := range map[string]string{
		"during the resync": "AT+CMEE?", "before the next prompt": "AT+CMGS=20", "before the next answer": "AT+CSQ?",
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, p := newFake(t, func(f *fake, tok string) bool {
					if tok == late {
						f.say("\r\n+CMGS: 41\r\n")
					}
					switch {
					case strings.HasPrefix(tok, "AT+CMGS"):
						f.prompt("\r\n> ")
					case tok == "PDU:"+hexPDU(20, 2):
						f.say("\r\n+CMGS: 42\r\n\r\nOK\r\n")
					case !strings.HasPrefix(tok, "PDU:"):
						return false
					}
					return true
				})
				c := Open(p, Config{})
				_, err := c.ExecPrompt(bg, "+CMGS=19", Prompt{Payload: hexPDU(19, 1), Answer: time.Second})
				seq := execError(t, err).Seq
				_, err = c.Exec(bg, "+CSQ?")
				eq(t, "between", err, nil)
				r, err := c.ExecPrompt(bg, "+CMGS=20", Prompt{Payload: hexPDU(20, 2)})
				eq(t, "second", err, nil)
				eq(t, "second", r.Lines, []string{"+CMGS: 42"})
				eq(t, "evidence", drain(c), []URC{{Line: "+CMGS: 41", Late: true, Seq: seq}})
				c.Close()
			})
		})
	}
}

// A +CMGS after its OK, or after an ERROR that said nothing, is evidence for the exchange that ended so.
func TestEvidenceAfterTheFinal(t *testing.T) {
	for _, final := range []string{"OK", "ERROR"} {
		synctest.Test(t, func(t *testing.T) {
			_, p := newFake(t, func(f *fake, tok string) bool {
				if strings.HasPrefix(tok, "PDU:") {
					f.say("\r\n"+final+"\r\n", "\r\n+CMGS: 9\r\n\r\nOK\r\n")
					return true
				}
				return sender(0, 0)(f, tok)
			})
			c := Open(p, Config{})
			r, err := c.ExecPrompt(bg, "+CMGS=19", Prompt{Payload: hexPDU(19, 1)})
			seq := r.Seq
			if err != nil {
				seq = execError(t, err).Seq
			}
			eq(t, "lines", len(r.Lines), 0)
			eq(t, "evidence", <-c.URCs(), URC{Line: "+CMGS: 9", Late: true, Seq: seq})
			ask(t, c, "+CPIN?", "+CPIN: 1")
			c.Close()
		})
	}
}

// A +CMGS said twice is not credited to an older submission whose answer never came.
func TestSecondMRIsNobodys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, p := newFake(t, func(f *fake, tok string) bool {
			switch tok {
			case "PDU:" + hexPDU(19, 1):
				return true
			case "PDU:" + hexPDU(19, 2):
				f.say("\r\n+CMGS: 42\r\n\r\nOK\r\n\r\n+CMGS: 42\r\n\r\nOK\r\n")
				return true
			}
			return sender(0, 0)(f, tok)
		})
		c := Open(p, Config{})
		_, err := c.ExecPrompt(bg, "+CMGS=19", Prompt{Payload: hexPDU(19, 1), Answer: time.Second})
		eq(t, "first", errors.Is(err, ErrNoAnswer), true)
		r, err := c.ExecPrompt(bg, "+CMGS=19", Prompt{Payload: hexPDU(19, 2)})
		eq(t, "second", err, nil)
		eq(t, "second", r.Lines, []string{"+CMGS: 42"})
		eq(t, "evidence", <-c.URCs(), URC{Line: "+CMGS: 42", Late: true})
		c.Close()
	})
}

// Another command given up meanwhile does not take a submission's evidence, and does not credit it with its own error.
func TestEvidencePassesAnotherCommandGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lists := 0
		_, p := newFake(t, func(f *fake, tok string) bool {
			switch {
			case strings.HasPrefix(tok, "AT+CMGS"):
				f.prompt("\r\n> ")
			case tok == "AT+CMGL=4":
				if lists++; lists == 2 {
					f.work(2 * time.Second)
					f.say("\r\n+CMS ERROR: 500\r\n\r\n+CMGS: 41\r\n")
				}
			case !strings.HasPrefix(tok, "PDU:"):
				return false
			}
			return true
		})
		c := Open(p, Config{})
		_, err := c.ExecPrompt(bg, "+CMGS=19", Prompt{Payload: hexPDU(19, 1), Answer: time.Second})
		submission := execError(t, err).Seq
		var list uint64
		for range 2 {
			pass(time.Minute)
			ctx, cancel := context.WithTimeout(bg, time.Second)
			_, err = c.Exec(ctx, "+CMGL=4")
			cancel()
			list = execError(t, err).Seq
		}
		ask(t, c, "+CSQ?", "+CSQ: 1")
		eq(t, "evidence", drain(c), []URC{
			{Line: "+CMS ERROR: 500", Late: true, Seq: list},
			{Line: "+CMGS: 41", Late: true, Seq: submission},
		})
		c.Close()
	})
}

// Nothing but printable ASCII and the one end that the Conn adds reaches the port.
func TestInjectionGuard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, p := newFake(t, nil)
		c := Open(p, Config{})
		bad := []string{"\r", "\n", "\x1a", "\x1b", "\x00", "\x7f", "\t", "é", "\xff", strings.Repeat("A", maxCommand)}
		for _, b := range bad {
			_, err := c.Exec(bg, "+CPIN=1"+b+"AT")
			refused(t, b, err)
			_, err = c.ExecPrompt(bg, "+CMGS=19"+b, Prompt{Payload: "00"})
			refused(t, b, err)
		}
		for _, b := range append(bad[:len(bad)-1], "0", "0G", " 00", "", strings.Repeat("A", maxCommand+2)) {
			_, err := c.ExecPrompt(bg, "+CMGS=19", Prompt{Payload: b})
			refused(t, b, err)
		}
		eq(t, "wire", f.wire(), "")
		c.Close()
	})
}

func refused(t *testing.T, what string, err error) {
	t.Helper()
	x := execError(t, err)
	if !errors.Is(err, ErrBadCommand) || x.Sent || x.Submitted || x.Seq != 0 {
		t.Fatalf("%q: %+v", what, x)
	}
}

func TestWriteToRefuses(t *testing.T) {
	for _, w := range []write{
		{text: "AT\r"}, {text: "AT\n", end: cr}, {text: "00\x1a"}, {text: "\x1b"}, {text: "AT", end: '\n'}, {text: "AT", end: 'x'},
	} {
		var b bytes.Buffer
		if err := writeTo(&b, w); !errors.Is(err, ErrBadCommand) || b.Len() > 0 {
			t.Errorf("%q %q: %v, wrote %q", w.text, w.end, err, b.Bytes())
		}
	}
	var b bytes.Buffer
	for _, w := range []write{{text: "AT", end: cr}, {text: "00"}, {end: ctrlZ}, {end: esc}} {
		if err := writeTo(&b, w); err != nil {
			t.Error(err)
		}
	}
	if got := b.String(); got != "AT\r00\x1a\x1b" {
		t.Errorf("wrote %q", got)
	}
}
