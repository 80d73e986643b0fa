package atcmd

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// M4 M5: no hidden limit; the wait for the turn ends with ctx.
func TestTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, p := newFake(t, func(f *fake, tok string) bool {
			switch {
			case strings.HasPrefix(tok, "AT+CMGS"):
				f.prompt("> ")
			case strings.HasPrefix(tok, "PDU:"):
				pass(45 * time.Second)
				f.say("\r\n+CMGS: 9\r\n\r\nOK\r\n")
			default:
				return false
			}
			return true
		})
		c := Open(p, Config{})
		var wg sync.WaitGroup
		wg.Go(func() {
			start := time.Now()
			r, err := c.ExecPrompt(bg, "+CMGS=19", Prompt{Payload: hexPDU(19, 3)})
			if err != nil || r.Lines[0] != "+CMGS: 9" || time.Since(start) != 45*time.Second {
				t.Error(r, err, time.Since(start))
			}
		})
		pass(time.Second)
		ctx, cancel := context.WithTimeout(bg, 100*time.Millisecond)
		defer cancel()
		start := time.Now()
		_, err := c.Exec(ctx, "+CSQ")
		var xe *ExecError
		if !errors.Is(err, context.DeadlineExceeded) || !errors.As(err, &xe) || xe.Sent || time.Since(start) != 100*time.Millisecond {
			t.Fatal(err, time.Since(start))
		}
		wg.Wait()
		c.Close()
	})
}

// M6: a port that takes no bytes.
func TestBlockedWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := net.Pipe() // nobody reads a
		defer a.Close()
		c := Open(b, Config{})
		start := time.Now()
		for range 6 {
			ctx, cancel := context.WithTimeout(bg, 50*time.Millisecond)
			if _, err := c.Exec(ctx, "+CSQ"); !errors.Is(err, context.DeadlineExceeded) {
				t.Fatal(err)
			}
			cancel()
		}
		eq(t, "elapsed", time.Since(start), 300*time.Millisecond)
		_, err := c.Exec(bg, "+CSQ")
		if !errors.Is(err, ErrWriteLimit) || time.Since(start) != 5*time.Second {
			t.Fatal(err, time.Since(start))
		}
		eq(t, "close", c.Close(), nil)
		_, err = c.Exec(bg, "+CSQ")
		if !errors.Is(err, ErrWriteLimit) {
			t.Fatal(err)
		}
	})
}

func TestStuckPort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := stuckPort{make(chan struct{})}
		c := Open(p, Config{})
		ctx, cancel := context.WithTimeout(bg, time.Second)
		defer cancel()
		if _, err := c.Exec(ctx, "+CSQ"); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
		eq(t, "close", c.Close(), errStuck)
		close(p.free)
	})
}

func TestReadTimeouts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, p := newFake(t, nil)
		c := Open(timeoutPort{p, 20 * time.Millisecond}, Config{})
		for range 5 {
			pass(30 * time.Second) // 1500 empty reads
			if r, err := c.Exec(bg, "+CSQ?"); err != nil || r.Lines[0] != "+CSQ: 1" {
				t.Fatal(r, err)
			}
		}
		eq(t, "close", c.Close(), nil)
	})
}

// M22: the port dies after every byte of the talk, on either side's turn.
func TestHangup(t *testing.T) {
	cause := errors.New("input/output error")
	for _, s := range scenes {
		total := 11 + len(s.payload)
		for _, l := range append(s.before, s.after...) {
			total += len(l) + 4
		}
		for cut := 0; cut <= total; cut++ {
			synctest.Test(t, func(t *testing.T) {
				left := cut
				say := func(f *fake, s string) {
					k := min(left, len(s))
					left -= k
					f.say(s[:k])
					if left == 0 {
						pass(time.Millisecond)
						f.c.Close()
					}
				}
				_, p := newFake(t, func(f *fake, tok string) bool {
					ls := s.before
					if strings.HasPrefix(tok, "PDU:") {
						ls = s.after
					}
					if s.payload != "" && tok[:2] == "AT" {
						f.prompt("")
						say(f, "\r\n"+ls[0]+"\r\n> ")
						return true
					}
					for _, l := range ls {
						say(f, "\r\n"+l+"\r\n")
					}
					return true
				})
				c := Open(causePort{p, cause}, Config{})
				_, err := s.run(c)
				if err != nil && !errors.Is(err, cause) {
					t.Fatalf("%s %d: %v", s.cmd, cut, err)
				}
				pass(2 * time.Millisecond)
				p.Close()
				if _, err := s.run(c); !errors.Is(err, cause) {
					t.Fatal(err)
				}
				for range c.URCs() {
				}
				eq(t, "close", c.Close(), nil)
			})
		}
	}
	// hang-up and Close while resync is under way, at any time
	for ms := time.Duration(900); ms < 5000; ms += 90 {
		for _, mine := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				f, p := newFake(t, func(*fake, string) bool { return true }) // mute
				c := Open(p, Config{})
				go func() {
					pass(ms * time.Millisecond)
					if mine {
						c.Close()
					} else {
						f.c.Close()
					}
				}()
				ctx, cancel := context.WithTimeout(bg, time.Second)
				defer cancel()
				c.ExecPrompt(ctx, "+CMGS=19", Prompt{Payload: "00"})
				if _, err := c.Exec(bg, "+CSQ"); !errors.Is(err, ErrClosed) && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrClosedPipe) {
					t.Fatal(err)
				}
				eq(t, "close", c.Close(), nil)
			})
		}
	}
}
