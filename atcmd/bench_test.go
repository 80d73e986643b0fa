package atcmd

import (
	"io"
	"sync"
	"testing"

	"github.com/warthog618/modem/at"
)

// loop is a modem without goroutines: Write queues the answer, Read takes it.
type loop struct {
	rx   chan []byte
	rest []byte
	once sync.Once
	end  chan struct{}
}

func newLoop() *loop { return &loop{rx: make(chan []byte, 16), end: make(chan struct{})} }

var (
	ansCSQ    = []byte("\r\n+CSQ: 20,99\r\n\r\nOK\r\n")
	ansPrompt = []byte("\r\n> ")
	ansCMGS   = []byte("\r\n+CMGS: 12\r\n\r\nOK\r\n")
)

func (l *loop) Write(p []byte) (int, error) {
	switch {
	case p[len(p)-1] == 0x1a:
		l.rx <- ansCMGS
	case p[0] != 'A':
	case len(p) > 6 && p[5] == 'G':
		l.rx <- ansPrompt
	default:
		l.rx <- ansCSQ
	}
	return len(p), nil
}
func (l *loop) Read(p []byte) (int, error) {
	for len(l.rest) == 0 {
		select {
		case l.rest = <-l.rx:
		case <-l.end:
			return 0, io.EOF
		}
	}
	n := copy(p, l.rest)
	l.rest = l.rest[n:]
	return n, nil
}
func (l *loop) Close() error { l.once.Do(func() { close(l.end) }); return nil }

// BenchmarkRoundTrip is a command and its answer over a pipe in memory, beside bare at.AT.
func BenchmarkRoundTrip(b *testing.B) {
	b.Run("Conn", func(b *testing.B) {
		c := Open(newLoop(), Config{})
		b.ReportAllocs()
		for b.Loop() {
			if _, err := c.Exec(bg, "+CSQ"); err != nil {
				b.Fatal(err)
			}
		}
		c.Close()
	})
	b.Run("bare", func(b *testing.B) {
		l := newLoop()
		a := at.New(l)
		b.ReportAllocs()
		for b.Loop() {
			if _, err := a.Command("+CSQ"); err != nil {
				b.Fatal(err)
			}
		}
		l.Close()
		<-a.Closed()
	})
}

// BenchmarkSubmit is AT+CMGS, prompt, PDU, ^Z and answer, with a Ready that returns at once.
func BenchmarkSubmit(b *testing.B) {
	pdu := hexPDU(140, 1)
	b.Run("Conn", func(b *testing.B) {
		c := Open(newLoop(), Config{})
		b.ReportAllocs()
		for b.Loop() {
			if _, err := c.ExecPrompt(bg, "+CMGS=140", Prompt{Payload: pdu, Ready: func() error { return nil }}); err != nil {
				b.Fatal(err)
			}
		}
		c.Close()
	})
	b.Run("bare", func(b *testing.B) {
		l := newLoop()
		a := at.New(l)
		b.ReportAllocs()
		for b.Loop() {
			if _, err := a.SMSCommand("+CMGS=140", pdu); err != nil {
				b.Fatal(err)
			}
		}
		l.Close()
		<-a.Closed()
	})
}
