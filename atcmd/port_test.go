package atcmd

import (
	"context"
	"errors"
	"io"
	"net"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// A port that takes no bytes: ctx ends the wait, and the write limit the connection.
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

// The port dies after every byte of the talk, on either side's turn.
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

// Close at any time of a submission and of the resync after it: every exchange ends with ErrClosed, no goroutine is left
// (the bubble would not end), and no ^Z leaves any more.
func TestCloseAtAnyTime(t *testing.T) {
	for at := time.Duration(0); at < 6*time.Second; at += 50 * time.Millisecond {
		synctest.Test(t, func(t *testing.T) {
			f, p := newFake(t, sender(300*time.Millisecond, -1))
			c := Open(p, Config{})
			var wg sync.WaitGroup
			wg.Go(func() {
				_, err := c.ExecPrompt(bg, "+CMGS=19", Prompt{
					Payload: hexPDU(19, 1),
					Ready:   func() error { pass(500 * time.Millisecond); return nil },
					Answer:  2 * time.Second,
				})
				eq(t, "cause", errors.Is(err, ErrClosed) || errors.Is(err, ErrNoAnswer), true)
			})
			synctest.Wait()
			wg.Go(func() {
				if _, err := c.Exec(bg, "+CMEE?"); !errors.Is(err, ErrClosed) && err != nil {
					t.Error("waiter:", err)
				}
			})
			pass(at)
			synctest.Wait()
			eq(t, "alive", c.Err(), nil)
			closed := f.subs()
			eq(t, "close", c.Close(), nil)
			eq(t, "cause", c.Err(), ErrClosed)
			wg.Wait()
			eq(t, "^Z after Close", f.subs(), closed)
		})
	}
}

// spinPort returns (0, nil) without waiting.
type spinPort struct {
	*loop
	reads atomic.Int64
}

func (p *spinPort) Read(b []byte) (int, error) {
	p.reads.Add(1)
	select {
	case p.rest = <-p.rx:
		return p.loop.Read(b)
	case <-p.end:
		return 0, io.EOF
	default:
		return 0, nil
	}
}

func TestEmptyReadsDoNotSpin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &spinPort{loop: newLoop()}
		c := Open(p, Config{})
		pass(time.Second)
		if n := p.reads.Load(); n > int64(time.Second/pollEvery)+freeReads+1 {
			t.Errorf("%d reads in a second", n)
		}
		ask(t, c, "+CSQ", "+CSQ: 20,99")
		eq(t, "close", c.Close(), nil)
	})
}

// shortPort takes one byte of each write.
type shortPort struct{ *loop }

func (p shortPort) Write(b []byte) (int, error) { return 1, nil }

func TestShortWriteEndsTheConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := Open(shortPort{newLoop()}, Config{})
		_, err := c.Exec(bg, "+CSQ")
		eq(t, "cause", errors.Is(err, io.ErrShortWrite), true)
		<-c.Done()
		eq(t, "cause kept", errors.Is(c.Err(), io.ErrShortWrite), true)
		eq(t, "close", c.Close(), nil)
	})
}

// No goroutine outlives Close, counted outside a bubble.
func TestNoGoroutineIsLeft(t *testing.T) {
	before := runtime.NumGoroutine()
	for range 20 {
		c := Open(newLoop(), Config{})
		if _, err := c.Exec(bg, "+CSQ"); err != nil {
			t.Fatal(err)
		}
		eq(t, "close", c.Close(), nil)
	}
	for range 1000 { // one that has closed its channel may still be on its way out
		if runtime.NumGoroutine() <= before {
			return
		}
		pass(time.Millisecond)
	}
	stacks := make([]byte, 1<<16)
	t.Fatalf("%d goroutines more:\n%s", runtime.NumGoroutine()-before, stacks[:runtime.Stack(stacks, true)])
}
