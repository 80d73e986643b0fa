package atcmd

import (
	"bytes"
	"context"
	"io"
	"strings"
	"sync"

	"github.com/warthog618/modem/at"
)

// engine runs exchanges through at.AT. What at.AT reads and writes goes through a gate; EOF on the gate is the only way
// to end its wait, so every exchange that was given up costs it: reset starts a fresh one.
type engine struct {
	c    *Conn
	gate *gate
	at   *at.AT
}

func newEngine(c *Conn) *engine {
	e := &engine{c: c}
	e.reset()
	return e
}

// noLimit: at.AT has no ctx and its own limit starts after its queue. Ours ends the wait through the gate.
const noLimit = at.TimeoutOption(-1)

// run returns the lines of x's answer once x is over, or nil once x was given up. The turn is held.
func (e *engine) run(ctx context.Context, x *exchange) []string {
	e.gate.x = x
	stop := context.AfterFunc(ctx, func() { e.c.abandon(x, ctx.Err()) })
	defer stop()
	var lines []string
	var err error
	if x.prompt != nil {
		lines, err = e.at.SMSCommand(x.cmd, x.prompt.Payload, noLimit)
	} else {
		lines, err = e.at.Command(x.cmd, noLimit)
	}
	if err == at.ErrClosed { // the gate shut, perhaps after the final result: at.AT then drops the lines
		return x.answer(e.c)
	}
	for i, l := range lines {
		lines[i] = unmark.Replace(l)
	}
	return lines
}

// at.AT takes a line that starts with ">", "OK", "ERROR" or the command for more than text, so it never sees one:
// every line of an answer is marked, and the final result is put in the two forms that it knows for sure.
var (
	mark   = strings.NewReplacer("\n", "\x02")
	unmark = strings.NewReplacer("\x01", "", "\x02", "\n")
)

// finish hands at.AT the answer of x. Conn.mu is held.
func (e *engine) finish(x *exchange) {
	var b strings.Builder
	for _, l := range x.lines {
		b.WriteString("\x01" + mark.Replace(l) + "\r\n")
	}
	if finalError(x.final) == nil {
		b.WriteString("OK\r\n")
	} else {
		b.WriteString("ERROR\r\n")
	}
	e.gate.feed(b.String())
}

// prompt tells at.AT to write the payload. Conn.mu is held.
func (e *engine) prompt() { e.gate.feed(">") }

// abort ends the exchange in hand without an answer. Conn.mu is held.
func (e *engine) abort() { e.gate.shut() }

// reset ends the at.AT in hand and starts a fresh one. The turn is held and no exchange is inside.
func (e *engine) reset() {
	e.close()
	e.gate = &gate{c: e.c, more: make(chan struct{}, 1), eof: make(chan struct{})}
	e.at = at.New(e.gate)
}

// close waits for the goroutines of at.AT.
func (e *engine) close() {
	if e.gate != nil {
		e.gate.shut()
		<-e.at.Closed()
	}
}

// gate is the port that at.AT sees.
type gate struct {
	c    *Conn
	x    *exchange // set before at.AT is asked to run it
	more chan struct{}
	eof  chan struct{}
	once sync.Once
	mu   sync.Mutex
	buf  bytes.Buffer
}

func (g *gate) shut() { g.once.Do(func() { close(g.eof) }) }

func (g *gate) feed(s string) {
	g.mu.Lock()
	g.buf.WriteString(s)
	g.mu.Unlock()
	select {
	case g.more <- struct{}{}:
	default:
	}
}

func (g *gate) Read(p []byte) (int, error) {
	for {
		g.mu.Lock()
		n, _ := g.buf.Read(p)
		g.mu.Unlock()
		if n > 0 {
			return n, nil
		}
		select {
		case <-g.more:
		case <-g.eof:
			return 0, io.EOF
		}
	}
}

// Write gets the command line, then the payload with ^Z. What could go wrong ends the exchange through Conn, so at.AT
// is told that it went well: it must go on reading, and its own ESC must not come.
func (g *gate) Write(p []byte) (int, error) {
	switch {
	case p[0] == esc:
	case p[len(p)-1] == ctrlZ:
		g.c.submit(g.x)
	default:
		g.c.send(g.x)
	}
	return len(p), nil
}
