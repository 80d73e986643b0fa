package atcmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

var bg = context.Background()

// hexPDU has n TPDU octets after a one-octet empty SMSC.
func hexPDU(n int, b byte) string { return "00" + strings.Repeat(fmt.Sprintf("%02X", b), n) }

func drain(c *Conn) (us []URC) {
	for {
		select {
		case u, ok := <-c.URCs():
			if !ok {
				return
			}
			us = append(us, u)
		default:
			return
		}
	}
}

func eq(t *testing.T, what string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("%s:\n got %q\nwant %q", what, got, want)
	}
}

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

func (s scene) run(c *Conn) (Response, error) {
	if s.payload != "" {
		return c.ExecPrompt(bg, s.cmd, Prompt{Payload: s.payload})
	}
	return c.Exec(bg, s.cmd)
}

// M1 M2 M14 M19: every URC at every line boundary of every transcript.
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

// The transcripts of all scenes cut in two at every byte, and into single bytes.
func TestSplit(t *testing.T) {
	for _, s := range scenes {
		ends := []string{"\r\n", "\r", "\n", "\r\r\n", "\x00\r\n\x00"}
		if false { // 200 runs cover them all
			k := rand.IntN(len(ends))
			ends = ends[k : k+1]
		}
		for _, end := range ends {
			a := end + strings.Join(s.before, end+end) + end
			if s.payload != "" {
				a += "> "
			}
			b := end + strings.Join(s.after, end+end) + end
			for cut := -1; cut < max(len(a), len(b)); cut++ {
				synctest.Test(t, func(t *testing.T) {
					say := func(f *fake, s string) {
						if cut < 0 {
							for i := range len(s) {
								f.say(s[i : i+1])
							}
							return
						}
						k := min(cut, len(s))
						f.say(s[:k])
						pass(time.Millisecond)
						f.say(s[k:])
					}
					_, p := newFake(t, func(f *fake, tok string) bool {
						switch {
						case tok == "AT"+s.cmd && s.payload == "":
							say(f, a)
						case tok == "AT"+s.cmd:
							f.prompt("")
							say(f, a)
						default:
							say(f, b)
						}
						return true
					})
					c := Open(p, Config{})
					r, err := s.run(c)
					if err != nil {
						t.Fatal(err)
					}
					eq(t, s.cmd, r.Lines, s.want)
					eq(t, "URCs", len(drain(c)), 0)
					c.Close()
				})
			}
		}
	}
}

// M3 M4: answers 0.1 to 5 s after ctx ended, by three kinds of modem.
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

// stuckPort breaks the contract: its Close frees nothing.
type stuckPort struct{ free chan struct{} }

func (p stuckPort) Read([]byte) (int, error)  { <-p.free; return 0, io.EOF }
func (p stuckPort) Write([]byte) (int, error) { <-p.free; return 0, io.EOF }
func (p stuckPort) Close() error              { <-p.free; return nil }

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

// M7: a port whose Read returns (0, nil) all the time.
type timeoutPort struct {
	net.Conn
	d time.Duration
}

func (p timeoutPort) Read(b []byte) (int, error) {
	p.SetReadDeadline(time.Now().Add(p.d))
	n, err := p.Conn.Read(b)
	if ne, ok := err.(net.Error); ok && ne.Timeout() {
		err = nil
	}
	return n, err
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

// M8: order of 200, idle and in an answer.
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

// M9: the ack comes after the store, after the running CMGS, and its error is seen.
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

// M16 M20: finals.
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

// M17 M18 M21: prompts, and the bytes on the wire.
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

// M19: PDU line missing, then idle or answer; unclosed quote.
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
		u := "\r\n+CUSD: 1,\"a\r\nb\r\n\r\n> c\",15\r\n"
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

type causePort struct {
	net.Conn
	cause error
}

func (p causePort) Read(b []byte) (int, error) {
	n, err := p.Conn.Read(b)
	if err != nil {
		err = p.cause
	}
	return n, err
}
func (p causePort) Write(b []byte) (int, error) {
	n, err := p.Conn.Write(b)
	if err != nil {
		err = p.cause
	}
	return n, err
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

// The same in real time, microseconds for milliseconds.
func TestStormReal(t *testing.T) {
	storm(t, rand.Uint64(), 10, 50*time.Microsecond)
}
