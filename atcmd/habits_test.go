package atcmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/warthog618/modem/at"
)

// The habits of github.com/warthog618/modem/at v0.4.0 that HOUSE section 7 lists: each test shows the habit on a bare
// at.AT, so that it is seen if a new version loses it, and then that a Conn does not have it.

// modem is how a fake answers.
type modem func(f *fake, tok string) bool

// habit runs library and here in a bubble of their own, each with a modem that answers as on.
func habit(t *testing.T, on func() modem, library func(t *testing.T, f *fake, a *at.AT), here func(t *testing.T, f *fake, c *Conn)) {
	t.Helper()
	t.Run("library", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f, p := newFake(t, on())
			a := at.New(p)
			library(t, f, a)
			p.Close()
			<-a.Closed()
		})
	})
	t.Run("here", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f, p := newFake(t, on())
			c := Open(p, Config{})
			here(t, f, c)
			eq(t, "close", c.Close(), nil)
		})
	})
}

// says is a modem that answers everything alike.
func says(s ...string) func() modem {
	return func() modem { return func(f *fake, _ string) bool { f.say(s...); return true } }
}

func TestHabitURCLeaksIntoTheAnswer(t *testing.T) {
	habit(t, says("\r\n+CSQ: 20,99\r\n\r\nRING\r\n\r\n+CMTI: \"SM\",3\r\n\r\nOK\r\n"),
		func(t *testing.T, f *fake, a *at.AT) {
			got, err := a.Command("+CSQ")
			eq(t, "error", err, nil)
			eq(t, "answer", got, []string{"+CSQ: 20,99", "RING", `+CMTI: "SM",3`})
		},
		func(t *testing.T, f *fake, c *Conn) {
			got, err := c.Exec(bg, "+CSQ")
			eq(t, "error", err, nil)
			eq(t, "answer", got.Lines, []string{"+CSQ: 20,99"})
			eq(t, "URCs", drain(c), urcs("RING", `+CMTI: "SM",3`))
		})
}

// lateCMGS says +CMGS: 1 for the first payload only when the second command is under way.
func lateCMGS() modem {
	n := 0
	return func(f *fake, tok string) bool {
		switch {
		case strings.HasPrefix(tok, "AT+CMGS"):
			if n++; n == 2 {
				f.say("\r\n+CMGS: 1\r\n")
			}
			f.prompt("\r\n> ")
		case strings.HasPrefix(tok, "PDU:") && n == 1:
		case strings.HasPrefix(tok, "PDU:"):
			f.say("\r\n+CMGS: 2\r\n\r\nOK\r\n")
		default:
			return false
		}
		return true
	}
}

func TestHabitLateAnswerBecomesTheNextOnes(t *testing.T) {
	habit(t, lateCMGS,
		func(t *testing.T, f *fake, a *at.AT) {
			_, err := a.SMSCommand("+CMGS=19", hexPDU(19, 1))
			eq(t, "error", err, at.ErrDeadlineExceeded)
			got, err := a.SMSCommand("+CMGS=19", hexPDU(19, 2))
			eq(t, "error", err, nil)
			eq(t, "answer of the second", got, []string{"+CMGS: 1", "+CMGS: 2"})
		},
		func(t *testing.T, f *fake, c *Conn) {
			ctx, cancel := context.WithTimeout(bg, time.Second)
			defer cancel()
			_, err := c.ExecPrompt(ctx, "+CMGS=19", Prompt{Payload: hexPDU(19, 1)})
			x := execError(t, err)
			eq(t, "submitted", x.Submitted, true)
			r, err := c.ExecPrompt(bg, "+CMGS=19", Prompt{Payload: hexPDU(19, 2)})
			eq(t, "error", err, nil)
			eq(t, "answer of the second", r.Lines, []string{"+CMGS: 2"})
			eq(t, "evidence", drain(c), []URC{{Line: "+CMGS: 1", Late: true, Seq: x.Seq}})
		})
}

// slowCMGS answers 45 s after ^Z, as a network may.
func slowCMGS() modem {
	return func(f *fake, tok string) bool {
		switch {
		case strings.HasPrefix(tok, "AT+CMGS"):
			f.prompt("\r\n> ")
		case strings.HasPrefix(tok, "PDU:"):
			pass(45 * time.Second)
			f.say("\r\n+CMGS: 9\r\n\r\nOK\r\n")
		default:
			return false
		}
		return true
	}
}

func TestHabitOneSecondLimit(t *testing.T) {
	habit(t, slowCMGS,
		func(t *testing.T, f *fake, a *at.AT) {
			start := time.Now()
			_, err := a.SMSCommand("+CMGS=19", hexPDU(19, 1))
			eq(t, "error", err, at.ErrDeadlineExceeded)
			eq(t, "after", time.Since(start), time.Second)
		},
		func(t *testing.T, f *fake, c *Conn) {
			start := time.Now()
			r, err := c.ExecPrompt(bg, "+CMGS=19", Prompt{Payload: hexPDU(19, 1)})
			eq(t, "error", err, nil)
			eq(t, "answer", r.Lines, []string{"+CMGS: 9"})
			eq(t, "after", time.Since(start), 45*time.Second)
		})
}

func TestHabitWaitForTheTurnIsOutsideTheLimit(t *testing.T) {
	const limit = 100 * time.Millisecond
	habit(t, slowCMGS,
		func(t *testing.T, f *fake, a *at.AT) {
			go a.SMSCommand("+CMGS=19", hexPDU(19, 1), at.WithTimeout(time.Minute))
			synctest.Wait()
			start := time.Now()
			a.Command("+CSQ?", at.WithTimeout(limit))
			eq(t, "after", time.Since(start), 45*time.Second)
		},
		func(t *testing.T, f *fake, c *Conn) {
			var wg sync.WaitGroup
			wg.Go(func() { c.ExecPrompt(bg, "+CMGS=19", Prompt{Payload: hexPDU(19, 1)}) })
			synctest.Wait()
			ctx, cancel := context.WithTimeout(bg, limit)
			defer cancel()
			start := time.Now()
			_, err := c.Exec(ctx, "+CSQ?")
			eq(t, "sent", execError(t, err).Sent, false)
			eq(t, "after", time.Since(start), limit)
			wg.Wait()
		})
}

// TestHabitNoContext ends every wait there is through ctx. at.AT has no ctx to show.
func TestHabitNoContext(t *testing.T) {
	for _, tc := range []struct {
		name            string
		on              modem
		prompt          bool
		sent, submitted bool
	}{
		{"answer", func(*fake, string) bool { return true }, false, true, false},
		{"prompt", func(*fake, string) bool { return true }, true, true, false},
		{"after ^Z", func(f *fake, tok string) bool {
			if strings.HasPrefix(tok, "AT+CMGS") {
				f.prompt("> ")
			}
			return true
		}, true, true, true},
		{"half an answer", func(f *fake, tok string) bool { f.say("\r\n+CSQ: 1,2\r\n"); return true }, false, true, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, p := newFake(t, tc.on)
				c := Open(p, Config{})
				for _, wait := range []time.Duration{0, time.Millisecond, 3 * time.Second} { // the later ones wait for the resync
					ctx, cancel := context.WithTimeout(bg, wait)
					start := time.Now()
					var err error
					if tc.prompt {
						_, err = c.ExecPrompt(ctx, "+CMGS=19", Prompt{Payload: hexPDU(19, 1)})
					} else {
						_, err = c.Exec(ctx, "+CSQ")
					}
					cancel()
					x := execError(t, err)
					eq(t, "cause", errors.Is(err, context.DeadlineExceeded), true)
					eq(t, "after", time.Since(start), wait)
					if wait == time.Millisecond {
						eq(t, "sent", x.Sent, tc.sent)
						eq(t, "submitted", x.Submitted, tc.submitted)
					} else {
						eq(t, "sent", x.Sent, false)
					}
				}
				eq(t, "close", c.Close(), nil)
			})
		})
	}
}

func TestHabitURCsLoseTheirOrder(t *testing.T) { // one goroutine each in the library: a race, not shown
	synctest.Test(t, func(t *testing.T) {
		f, p := newFake(t, nil)
		c := Open(p, Config{Queue: 600})
		var want []URC
		for i := range 400 {
			want = append(want, URC{Line: fmt.Sprintf("+CMTI: \"SM\",%d", i)})
			f.say("\r\n" + want[i].Line + "\r\n")
		}
		synctest.Wait()
		eq(t, "order", drain(c), want)
		c.Close()
	})
}

// TestHabitOddLinesTimeOut: what at.AT does not take for an end or a prompt, it waits on.
func TestHabitOddLinesTimeOut(t *testing.T) {
	for name, tc := range map[string]struct {
		wire   string
		prompt bool
		fails  bool
	}{
		"COMMAND NOT SUPPORT":      {"\r\nCOMMAND NOT SUPPORT\r\n", false, true},
		"prompt after a space":     {"\r\n > ", true, false},
		"prompt glued to the echo": {"AT+CMGS=19> ", true, false},
		"bare CR":                  {"\r+CSQ: 1,2\r\rOK\r", false, false},
		"NUL noise":                {"\x00\r\n\x00OK\x00\r\n", false, false},
		"blanks around OK":         {"\r\n OK \r\n", false, false},
	} {
		on := func() modem {
			return func(f *fake, tok string) bool {
				switch {
				case strings.HasPrefix(tok, "PDU:"):
					f.say("\r\n+CMGS: 1\r\n\r\nOK\r\n")
				case tc.prompt:
					f.prompt(tc.wire)
				default:
					f.say(tc.wire)
				}
				return true
			}
		}
		t.Run(name, func(t *testing.T) {
			habit(t, on,
				func(t *testing.T, f *fake, a *at.AT) {
					var err error
					if tc.prompt {
						_, err = a.SMSCommand("+CMGS=19", hexPDU(19, 1))
					} else {
						_, err = a.Command("+CSQ")
					}
					eq(t, "error", err, at.ErrDeadlineExceeded)
				},
				func(t *testing.T, f *fake, c *Conn) {
					start := time.Now()
					var err error
					if tc.prompt {
						_, err = c.ExecPrompt(bg, "+CMGS=19", Prompt{Payload: hexPDU(19, 1)})
					} else {
						_, err = c.Exec(bg, "+CMMS=2")
					}
					eq(t, "fails", err != nil, tc.fails)
					eq(t, "after", time.Since(start), time.Duration(0))
				})
		})
	}
}

func TestHabitBlankLineIsTakenForThePDU(t *testing.T) {
	wire := "\r\n+CMT: ,20\r\n\r\n" + hexPDU(20, 7) + "\r\n"
	habit(t, says("\r\nOK\r\n"),
		func(t *testing.T, f *fake, a *at.AT) {
			got := make(chan []string, 1)
			err := a.AddIndication("+CMT:", func(ls []string) { got <- ls }, at.WithTrailingLine)
			eq(t, "error", err, nil)
			f.say(wire)
			eq(t, "PDU", (<-got)[1], "")
		},
		func(t *testing.T, f *fake, c *Conn) {
			f.say(wire)
			eq(t, "URC", <-c.URCs(), URC{Line: "+CMT: ,20", PDU: hexPDU(20, 7)})
		})
}

func TestHabitClosesAfterAHundredEmptyReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, p := newFake(t, nil)
		a := at.New(timeoutPort{p, 20 * time.Millisecond})
		start := time.Now()
		<-a.Closed()
		eq(t, "library: closed after", time.Since(start), 101*20*time.Millisecond)
	})
	synctest.Test(t, func(t *testing.T) {
		_, p := newFake(t, nil)
		c := Open(timeoutPort{p, 20 * time.Millisecond}, Config{})
		for range 5 {
			pass(30 * time.Second) // 1,500 empty reads
			r, err := c.Exec(bg, "+CSQ?")
			eq(t, "error", err, nil)
			eq(t, "answer", r.Lines, []string{"+CSQ: 1"})
		}
		eq(t, "close", c.Close(), nil)
	})
}

func TestHabitBlockedWriteIsForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		far, p := net.Pipe() // nobody reads
		a := at.New(p)
		done := make(chan error, 1)
		go func() { _, err := a.Command("+CSQ"); done <- err }()
		pass(time.Hour)
		eq(t, "library: came back within the hour", len(done), 0)
		far.Close()
		<-done
		<-a.Closed()
	})
	synctest.Test(t, func(t *testing.T) {
		far, p := net.Pipe()
		defer far.Close()
		c := Open(p, Config{})
		start := time.Now()
		_, err := c.Exec(bg, "+CSQ")
		eq(t, "cause", errors.Is(err, ErrWriteLimit), true)
		eq(t, "after", time.Since(start), 5*time.Second)
		eq(t, "close", c.Close(), nil)
	})
}

func TestHabitNoClose(t *testing.T) { // at.AT has none to show; a goroutine left here would deadlock the bubble
	synctest.Test(t, func(t *testing.T) {
		p := newLoop()
		c := Open(p, Config{})
		if _, err := c.Exec(bg, "+CSQ"); err != nil {
			t.Fatal(err)
		}
		eq(t, "close", c.Close(), nil)
		eq(t, "again", c.Close(), nil)
		_, open := <-c.URCs()
		eq(t, "URCs open", open, false)
		<-c.Done()
		eq(t, "cause", c.Err(), ErrClosed)
		_, err := c.Exec(bg, "+CSQ")
		eq(t, "after Close", errors.Is(err, ErrClosed), true)
	})
}

func TestHabitOKWithoutAPromptIsSuccess(t *testing.T) {
	habit(t, says("\r\nOK\r\n"),
		func(t *testing.T, f *fake, a *at.AT) {
			_, err := a.SMSCommand("+CMGS=19", hexPDU(19, 1))
			eq(t, "error", err, nil)
			eq(t, "payloads", strings.Count(f.history(), "PDU:"), 0)
		},
		func(t *testing.T, f *fake, c *Conn) {
			_, err := c.ExecPrompt(bg, "+CMGS=19", Prompt{Payload: hexPDU(19, 1)})
			eq(t, "cause", errors.Is(err, ErrNoPrompt), true)
		})
}

func TestHabitLinesAreLostAtEOF(t *testing.T) {
	habit(t, says("\r\n+CMGL: 1,1,,20\r\n"),
		func(t *testing.T, f *fake, a *at.AT) {
			go func() { pass(time.Millisecond); f.c.Close() }()
			got, err := a.Command("+CMGL=4")
			eq(t, "error", err, at.ErrClosed)
			eq(t, "lines", len(got), 0)
		},
		func(t *testing.T, f *fake, c *Conn) {
			go func() { pass(time.Millisecond); f.c.Close() }()
			_, err := c.Exec(bg, "+CMGL=4")
			eq(t, "cause", errors.Is(err, io.EOF), true)
			eq(t, "lines", execError(t, err).Lines, []string{"+CMGL: 1,1,,20"})
		})
}

func execError(t *testing.T, err error) *ExecError {
	t.Helper()
	x, ok := errors.AsType[*ExecError](err)
	if !ok {
		t.Fatalf("no ExecError: %v", err)
	}
	return x
}
