package atcmd

import (
	"context"
	"fmt"
	"io"
	"net"
	"reflect"
	"strings"
	"sync"
	"testing"
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

// pass lets time go by: in a synctest bubble, but for the one test that counts real goroutines.
func pass(d time.Duration) { <-time.After(d) }

// fake is a modem on the far end of a pipe. Input is cut into tokens:
// "AT…", "ESC", or "PDU:…" ending in ^Z. on answers one token at a time.
type fake struct {
	c  net.Conn
	tx chan []byte
	in chan string
	on func(f *fake, tok string) bool
	wg sync.WaitGroup

	mu      sync.Mutex
	log     []string
	raw     []byte // what came
	out     []byte // what was said
	pdu     bool   // in payload input
	deaf    bool   // discards input
	aborts  bool   // any byte while busy aborts the command
	busy    bool
	aborted chan struct{}
}

func newFake(t testing.TB, on func(f *fake, tok string) bool) (*fake, net.Conn) {
	a, b := net.Pipe()
	f := &fake{c: a, tx: make(chan []byte, 100000), in: make(chan string, 1000), on: on, aborted: make(chan struct{}, 1)}
	f.wg.Go(f.read)
	f.wg.Go(f.answer)
	f.wg.Go(f.send)
	t.Cleanup(func() { b.Close(); f.wg.Wait() })
	return f, b
}

func (f *fake) say(s ...string) {
	for _, s := range s {
		f.mu.Lock()
		f.out = append(f.out, s...)
		f.mu.Unlock()
		f.tx <- []byte(s)
	}
}

// prompt enters payload input.
func (f *fake) prompt(s string) {
	f.mu.Lock()
	f.pdu = true
	f.mu.Unlock()
	f.say(s)
}

// work is busy for d; false when aborted by input.
func (f *fake) work(d time.Duration) bool {
	f.mu.Lock()
	f.busy = true
	select {
	case <-f.aborted:
	default:
	}
	f.mu.Unlock()
	defer func() { f.mu.Lock(); f.busy = false; f.mu.Unlock() }()
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-f.aborted:
		return false
	}
}

func (f *fake) send() {
	for b := range f.tx {
		if _, err := f.c.Write(b); err != nil {
			break
		}
	}
}

func (f *fake) read() {
	defer close(f.in)
	buf, cur := make([]byte, 512), ""
	for {
		n, err := f.c.Read(buf)
		for _, b := range buf[:n] {
			f.mu.Lock()
			f.raw = append(f.raw, b)
			tok := ""
			switch {
			case f.busy && f.deaf:
			case f.busy && f.aborts:
				select {
				case f.aborted <- struct{}{}:
				default:
				}
				f.busy = false
			case f.pdu && b == 0x1a:
				tok, cur, f.pdu = "PDU:"+cur, "", false
			case b == 0x1b:
				tok, cur, f.pdu = "ESC", "", false
			case !f.pdu && b == '\r':
				if i := strings.Index(cur, "AT"); i >= 0 {
					tok = cur[i:]
				}
				cur = ""
			default:
				cur += string(rune(b))
			}
			if tok != "" {
				f.log = append(f.log, tok)
			}
			f.mu.Unlock()
			if tok != "" {
				f.in <- tok
			}
		}
		if err != nil {
			return
		}
	}
}

func (f *fake) answer() {
	defer close(f.tx)
	for tok := range f.in {
		if f.on != nil && f.on(f, tok) {
			continue
		}
		switch {
		case tok == "ESC" || strings.HasPrefix(tok, "PDU:"):
		case strings.HasSuffix(tok, "?") && strings.HasPrefix(tok, "AT+"):
			f.say("\r\n" + tok[2:len(tok)-1] + ": 1\r\n\r\nOK\r\n")
		default:
			f.say("\r\nOK\r\n")
		}
	}
}

func (f *fake) got(tok string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for _, l := range f.log {
		if l == tok {
			n++
		}
	}
	return n
}

func (f *fake) history() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return strings.Join(f.log, "|")
}

// wire is everything that came from the Conn.
func (f *fake) wire() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return string(f.raw)
}

// heard is everything that was said to the Conn.
func (f *fake) heard() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return string(f.out)
}

func (f *fake) subs() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return strings.Count(string(f.raw), "\x1a")
}

// stuckPort breaks the contract: its Close frees nothing.
type stuckPort struct{ free chan struct{} }

func (p stuckPort) Read([]byte) (int, error) { <-p.free; return 0, io.EOF }

func (p stuckPort) Write([]byte) (int, error) { <-p.free; return 0, io.EOF }

func (p stuckPort) Close() error { <-p.free; return nil }

// timeoutPort has a read timeout: its Read returns (0, nil) when it runs out.
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
