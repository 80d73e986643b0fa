package atcmd

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// The final and the end of ctx in the same instant: one of them wins, wholly.
func TestSameInstant(t *testing.T) {
	won := 0
	for i := range 60 {
		synctest.Test(t, func(t *testing.T) {
			n := 0
			_, p := newFake(t, func(f *fake, tok string) bool {
				switch {
				case strings.HasPrefix(tok, "AT+CMGS"):
					f.prompt("> ")
				case strings.HasPrefix(tok, "PDU:"):
					if n++; n == 1 {
						pass(time.Second)
					}
					f.say(fmt.Sprintf("\r\n+CMGS: %d\r\n\r\nOK\r\n", n))
				default:
					return false
				}
				return true
			})
			c := Open(p, Config{})
			ctx, cancel := context.WithTimeout(bg, time.Second)
			defer cancel()
			r, err := c.ExecPrompt(ctx, "+CMGS=19", Prompt{Payload: hexPDU(19, 1)})
			var xe *ExecError
			switch {
			case err == nil:
				won++
				eq(t, "lines", r.Lines, []string{"+CMGS: 1"})
			case !errors.As(err, &xe) || !xe.Submitted || !errors.Is(err, context.DeadlineExceeded):
				t.Fatal(i, err)
			}
			r, err2 := c.ExecPrompt(bg, "+CMGS=19", Prompt{Payload: hexPDU(19, 2)})
			eq(t, "second", err2, nil)
			eq(t, "second", r.Lines, []string{"+CMGS: 2"})
			us := drain(c)
			if err == nil {
				eq(t, "no evidence", len(us), 0)
			} else {
				for _, u := range us {
					if u.Late && u.Seq == xe.Seq {
						xe.Lines = append(xe.Lines, u.Line)
					}
				}
				eq(t, "evidence", xe.Lines, []string{"+CMGS: 1"})
			}
			c.Close()
		})
	}
	t.Log("final won", won, "of 60")
}

// ctx ends between +CMGS: n and OK.
func TestHalfAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, p := newFake(t, func(f *fake, tok string) bool {
			switch {
			case strings.HasPrefix(tok, "AT+CMGS"):
				f.prompt("> ")
			case strings.HasPrefix(tok, "PDU:"):
				f.say("\r\n+CMGS: 42\r\n")
				pass(2 * time.Second)
				f.say("\r\nOK\r\n")
			default:
				return false
			}
			return true
		})
		c := Open(p, Config{})
		ctx, cancel := context.WithTimeout(bg, time.Second)
		defer cancel()
		_, err := c.ExecPrompt(ctx, "+CMGS=19", Prompt{Payload: hexPDU(19, 1)})
		var xe *ExecError
		if !errors.As(err, &xe) || !xe.Submitted {
			t.Fatal(err)
		}
		eq(t, "evidence", xe.Lines, []string{"+CMGS: 42"})
		r, err := c.Exec(bg, "+CPIN?")
		eq(t, "next", err, nil)
		eq(t, "next", r.Lines, []string{"+CPIN: 1"})
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
		eq(t, "wire", string(f.raw), "AT+CSQ\r")
		c.Close()
	})
}

// A prompt and a ping's answer in one burst: the line is not clean yet.
func TestPromptWithPing(t *testing.T) {
	for range 20 {
		synctest.Test(t, func(t *testing.T) {
			first := true
			f, p := newFake(t, func(f *fake, tok string) bool {
				switch {
				case strings.HasPrefix(tok, "AT+CMGS"):
				case tok == "AT+CMEE?" && first:
					first = false
					f.prompt("\r\n> \r\n+CMEE: 1\r\n\r\nOK\r\n")
				default:
					return false
				}
				return true
			})
			c := Open(p, Config{})
			ctx, cancel := context.WithTimeout(bg, time.Second)
			defer cancel()
			c.ExecPrompt(ctx, "+CMGS=19", Prompt{Payload: hexPDU(19, 1)})
			ctx2, cancel2 := context.WithTimeout(bg, time.Minute)
			defer cancel2()
			r, err := c.Exec(ctx2, "+CPIN?")
			eq(t, "next "+f.history(), err, nil)
			eq(t, "next", r.Lines, []string{"+CPIN: 1"})
			c.Close()
		})
	}
}
