package atcmd

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// prompts, and the bytes on the wire.
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
				eq(t, "wire", string(f.raw), "AT+CMGS=19\r"+pay+"\x1a")
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

// the ack comes after the store, after the running CMGS, and its error is seen.
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
