package atcmd

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// Answers 0.1 to 5 s after ctx ended, by three kinds of modem.
func TestLateAnswer(t *testing.T) {
	for _, kind := range []string{"queues", "deaf", "aborts"} {
		for _, late := range []time.Duration{100, 150, 200, 300, 500, 1000, 1200, 2000, 3000, 5000} {
			for _, cmd := range []string{"+COPS?", "+CMGS=19", "+CSQ", "+CMEE?"} {
				synctest.Test(t, func(t *testing.T) {
					late := late * time.Millisecond
					mr := 100
					f, p := newFake(t, func(f *fake, tok string) bool {
						slow := func(s string) {
							d := time.Duration(0)
							if mr == 100 {
								d = time.Second + late
							}
							mr++
							if !f.work(d) {
								s = "\r\nOK\r\n"
							}
							f.say(s)
						}
						switch {
						case strings.HasPrefix(tok, "AT+CMGS="):
							f.prompt("\r\n> ")
						case strings.HasPrefix(tok, "PDU:"):
							slow(fmt.Sprintf("\r\n+CMGS: %d\r\n\r\nOK\r\n", mr+1))
						case tok == "AT"+cmd && mr == 100:
							slow("\r\n" + strings.TrimSuffix(cmd, "?") + ": 0,0,\"PLUS\"\r\n\r\nOK\r\n")
						default:
							return false
						}
						return true
					})
					f.deaf, f.aborts = kind == "deaf", kind == "aborts"
					c := Open(p, Config{})
					ctx, cancel := context.WithTimeout(bg, time.Second)
					defer cancel()
					start := time.Now()
					var err error
					if prompts := cmd == "+CMGS=19"; prompts {
						_, err = c.ExecPrompt(ctx, cmd, Prompt{Payload: hexPDU(19, 1)})
					} else {
						_, err = c.Exec(ctx, cmd)
					}
					var xe *ExecError
					if !errors.As(err, &xe) || !errors.Is(err, context.DeadlineExceeded) || !xe.Sent || xe.Submitted != (cmd == "+CMGS=19") {
						t.Fatalf("%v", err)
					}
					eq(t, "returned at", time.Since(start), time.Second)
					// whatever comes next gets its own answer
					r, err := c.Exec(bg, "+CPIN?")
					if err != nil {
						t.Fatal(kind, late, err, f.history())
					}
					eq(t, "CPIN "+kind, r.Lines, []string{"+CPIN: 1"})
					r, err = c.ExecPrompt(bg, "+CMGS=19", Prompt{Payload: hexPDU(19, 2)})
					if err != nil {
						t.Fatal(err)
					}
					eq(t, "mr of the second", r.Lines, []string{"+CMGS: 102"})
					us := drain(c)
					if kind != "aborts" && cmd == "+CMGS=19" {
						eq(t, "evidence", us, []URC{{Line: "+CMGS: 101", Late: true, Seq: xe.Seq}})
					}
					c.Close()
				})
			}
		}
	}
}

// A prompt that comes after ctx ended gets ESC, never the payload, never ^Z.
func TestLatePrompt(t *testing.T) {
	for _, kind := range []string{"queues", "deaf"} {
		for late := time.Duration(0); late <= 6000; late += 50 {
			synctest.Test(t, func(t *testing.T) {
				first := true
				f, p := newFake(t, func(f *fake, tok string) bool {
					switch {
					case strings.HasPrefix(tok, "AT+CMGS="):
						if first {
							first = false
							f.work(time.Second + late*time.Millisecond)
						}
						f.prompt("\r\n> ")
					case strings.HasPrefix(tok, "PDU:"):
						f.say("\r\n+CMGS: 5\r\n\r\nOK\r\n")
					default:
						return false
					}
					return true
				})
				f.deaf = kind == "deaf"
				c := Open(p, Config{})
				ctx, cancel := context.WithTimeout(bg, time.Second)
				defer cancel()
				_, err := c.ExecPrompt(ctx, "+CMGS=19", Prompt{Payload: hexPDU(19, 1)})
				var xe *ExecError
				if late == 0 && err == nil {
					c.Close()
					return
				}
				if !errors.As(err, &xe) || late > 0 && xe.Submitted {
					t.Fatalf("%v", err)
				}
				synctest.Wait() // Submitted: handed to the port, now it is out
				if xe.Submitted == (f.subs() == 0) {
					t.Fatal("wrong word on ^Z", xe.Submitted, late, kind)
				}
				if r, err := c.Exec(bg, "+CPIN?"); err != nil || r.Lines[0] != "+CPIN: 1" {
					t.Fatal(late, r, err, f.history())
				}
				n := f.subs()
				if r, err := c.ExecPrompt(bg, "+CMGS=19", Prompt{Payload: hexPDU(19, 2)}); err != nil || r.Lines[0] != "+CMGS: 5" {
					t.Fatal(r, err)
				}
				eq(t, "^Z count", f.subs(), n+1)
				eq(t, "second payload", f.got("PDU:"+hexPDU(19, 2)), 1)
				c.Close()
			})
		}
	}
}

// A command given up is not its own ping: its late answer would pass for the ping's.
func TestPingIsNotTheCommandGivenUp(t *testing.T) {
	talk(t, script(map[string][]string{"AT+CMEE?": nil}), func(f *fake, c *Conn) {
		ctx, cancel := context.WithTimeout(bg, time.Second)
		defer cancel()
		_, err := c.Exec(ctx, "+CMEE?")
		eq(t, "sent", execError(t, err).Sent, true)
		ask(t, c, "+CSQ?", "+CSQ: 1")
		eq(t, "talk", f.history(), "AT+CMEE?|AT+CMGF?|AT+CSQ?")
	})
}

// A module that starts while it is asked AT hears it within a second, however long that takes: it has heard none of the
// pings that grew rarer meanwhile.
func TestStartingModuleIsHeardAtOnce(t *testing.T) {
	for start := time.Duration(0); start <= 60*time.Second; start += 1300 * time.Millisecond {
		synctest.Test(t, func(t *testing.T) {
			on := time.Now().Add(start)
			f, p := newFake(t, func(*fake, string) bool { return time.Now().Before(on) })
			c := Open(p, Config{})
			for {
				ctx, cancel := context.WithTimeout(bg, time.Second)
				_, err := c.Exec(ctx, "")
				cancel()
				if err == nil {
					break
				}
			}
			if took := time.Since(on); took > 2500*time.Millisecond {
				t.Errorf("on after %v, heard %v later: %s", start, took, f.history())
			}
			ask(t, c, "+CSQ?", "+CSQ: 1")
			c.Close()
		})
	}
}

// However late the answers to AT and the pings come, and if all of them come at once: each command gets its own.
func TestLateAnswersToAT(t *testing.T) {
	for late := 900 * time.Millisecond; late <= 20*time.Second; late += 170 * time.Millisecond {
		for _, each := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				start, tokens := time.Now(), 0
				f, p := newFake(t, func(f *fake, tok string) bool {
					if tokens++; each && tokens <= 4 { // slow for a while
						pass(late / 4)
					} else if !each { // it hangs, and does what it was told when that is over
						pass(late - time.Since(start))
					}
					return false
				})
				c := Open(p, Config{})
				ctx, cancel := context.WithTimeout(bg, time.Second)
				defer cancel()
				c.Exec(ctx, "")
				for _, q := range []string{"+CSQ?", "+CMEE?", "+CMGF?", "+CSMS?", "+CSCS?"} {
					if r, err := c.Exec(bg, q); err != nil || len(r.Lines) != 1 || r.Lines[0] != q[:len(q)-1]+": 1" {
						t.Fatalf("%v, %v: %s: %q, %v: %s", late, each, q, r.Lines, err, f.history())
					}
				}
				eq(t, "unasked", len(drain(c)), 0)
				c.Close()
			})
		}
	}
}

// A modem that is gone for good ends the connection.
func TestNoResync(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, p := newFake(t, func(*fake, string) bool { return true })
		c := Open(p, Config{})
		ctx, cancel := context.WithTimeout(bg, time.Second)
		defer cancel()
		c.Exec(ctx, "+CSQ")
		if _, err := c.Exec(bg, "+CSQ"); !errors.Is(err, ErrNoResync) {
			t.Fatal(err)
		}
		eq(t, "close", c.Close(), nil)
	})
}

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

// A ctx that ends between +CMGS: n and OK leaves the mr in the error.
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

// A prompt and a ping's answer in one burst: the line is not clean yet.
func TestPromptWithPing(t *testing.T) {
	for i := range 40 {
		synctest.Test(t, func(t *testing.T) {
			first := true
			f, p := newFake(t, func(f *fake, tok string) bool {
				switch {
				case strings.HasPrefix(tok, "AT+CMGS"), tok == "AT+CSQ":
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
			if i%2 == 0 {
				c.ExecPrompt(ctx, "+CMGS=19", Prompt{Payload: hexPDU(19, 1)})
			} else {
				c.Exec(ctx, "+CSQ")
			}
			start := time.Now()
			ask(t, c, "+CPIN?", "+CPIN: 1")
			if d := time.Since(start); d > 5*time.Second {
				t.Fatalf("took %v: %s", d, f.history())
			}
			c.Close()
		})
	}
}

// A modem that waits for a payload nobody knows of, from before a crash, swallows a command: ESC gets it back.
func TestForgottenPrompt(t *testing.T) {
	for _, cmd := range []string{"+CSQ?", ""} {
		talk(t, nil, func(f *fake, c *Conn) {
			f.prompt("")
			ctx, cancel := context.WithTimeout(bg, time.Second)
			defer cancel()
			_, err := c.Exec(ctx, cmd)
			eq(t, "sent", execError(t, err).Sent, true)
			ask(t, c, "+CSQ?", "+CSQ: 1")
			eq(t, "ESC", f.got("ESC"), 1)
			eq(t, "^Z", f.subs(), 0)
		})
	}
}

// Many senders with random limits against a modem with random delays: an mr
// is only ever credited to its own payload, and Submitted is the truth.
func storm(t *testing.T, seed uint64, n int, unit time.Duration) {
	rnd := rand.New(rand.NewPCG(seed, 1))
	var mu sync.Mutex
	seen := map[string]bool{}
	mute := func() time.Duration { mu.Lock(); defer mu.Unlock(); return time.Duration(rnd.IntN(300)) * unit }
	f, p := newFake(t, func(f *fake, tok string) bool {
		switch {
		case strings.HasPrefix(tok, "AT+CMGS"):
			f.work(mute())
			f.prompt("\r\n> ")
		case strings.HasPrefix(tok, "PDU:"):
			mu.Lock()
			seen[tok[4:]] = true
			mu.Unlock()
			f.work(mute())
			v, _ := strconv.ParseInt(tok[6:], 16, 64)
			f.say("\r\n+CMTI: \"SM\",1\r\n", fmt.Sprintf("\r\n+CMGS: %d\r\n\r\nOK\r\n", v))
		default:
			return false
		}
		return true
	})
	f.deaf = seed%2 == 0
	c := Open(p, Config{Quiet: 20 * unit, PingWait: 100 * unit, PDUWait: 100 * unit, DrainMax: 200 * unit})
	var wg sync.WaitGroup
	var ok, bad, sub int
	for g := range 4 {
		wg.Go(func() {
			for i := range n {
				pay := fmt.Sprintf("00%06X", g*1000+i+1)
				ctx, cancel := context.WithTimeout(bg, 2*mute()+time.Duration(1000)*unit)
				r, err := c.ExecPrompt(ctx, "+CMGS=3", Prompt{Payload: pay})
				cancel()
				mu.Lock()
				was := seen[pay]
				mu.Unlock()
				var xe *ExecError
				switch {
				case err == nil:
					mu.Lock()
					ok++
					mu.Unlock()
					if want := fmt.Sprintf("+CMGS: %d", g*1000+i+1); len(r.Lines) != 1 || r.Lines[0] != want {
						t.Errorf("%q for %s", r.Lines, want)
					}
				case !errors.As(err, &xe) || !errors.Is(err, context.DeadlineExceeded):
					t.Errorf("%v %s", err, f.history())
				case was && !xe.Submitted:
					t.Errorf("%s went out, error says no", pay)
				default:
					mu.Lock()
					bad++
					if xe.Submitted {
						sub++
					}
					mu.Unlock()
				}
			}
		})
	}
	stop := make(chan struct{})
	go func() {
		for u := range c.URCs() {
			if u.Late && strings.HasPrefix(u.Line, "+CMGS") && u.Seq == 0 {
				t.Error("evidence without its exchange", u)
			}
		}
		close(stop)
	}()
	wg.Wait()
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	<-stop
	if testing.Verbose() {
		t.Log("ok", ok, "ctx", bad, "of them submitted", sub)
	}
}

func TestStorm(t *testing.T) {
	for range 4 {
		synctest.Test(t, func(t *testing.T) { storm(t, rand.Uint64(), 25, time.Millisecond) })
	}
}
