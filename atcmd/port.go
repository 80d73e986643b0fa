package atcmd

import (
	"fmt"
	"io"
	"time"
)

// The control characters that may end a write; nothing else below ' ' ever reaches the port.
const (
	cr    = '\r'
	ctrlZ = 0x1a // submits a payload
	esc   = 0x1b // leaves a payload prompt
)

// A port whose Read returns (0, nil) at once, as serial ports with a zero read timeout do, is polled.
const (
	freeReads = 10
	pollEvery = time.Millisecond
)

// write is one Write of the port: printable text and what ends it, 0 for nothing.
type write struct {
	text string
	end  byte
	done chan error
}

// put hands w to the writer and waits for it. taken says that bytes may have left.
func (c *Conn) put(stop <-chan struct{}, text string, end byte) (taken bool, err error) {
	w := write{text, end, make(chan error, 1)}
	select {
	case c.out <- w:
	case <-stop:
		return false, errGone
	case <-c.dead:
		return false, errGone
	}
	select {
	case err = <-w.done:
		return true, err
	case <-stop:
	case <-c.dead:
	}
	return true, errGone
}

// writer is the goroutine that writes: a Write that blocks for ever blocks nobody else.
func (c *Conn) writer() {
	limit := stoppedTimer(func() { c.fail(ErrWriteLimit) })
	defer limit.Stop()
	for {
		select {
		case w := <-c.out:
			c.traceWrite(w)
			limit.Reset(c.cfg.WriteLimit)
			err := writeTo(c.port, w)
			limit.Stop()
			if err != nil {
				c.fail(err)
			}
			w.done <- err
		case <-c.dead:
			return
		}
	}
}

// writeTo is the only place that writes to a port. It refuses whatever could end a line early.
func writeTo(port io.Writer, w write) error {
	b := []byte(w.text)
	switch {
	case !printable(w.text):
		return ErrBadCommand
	case w.end == cr || w.end == ctrlZ || w.end == esc:
		b = append(b, w.end)
	case w.end != 0:
		return ErrBadCommand
	}
	n, err := port.Write(b)
	if err == nil && n < len(b) {
		err = io.ErrShortWrite
	}
	if err != nil {
		return fmt.Errorf("write to the modem: %w", err)
	}
	return nil
}

// printable says whether s is printable ASCII.
func printable(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// reader is the one goroutine that reads. It never waits for a consumer.
func (c *Conn) reader() {
	defer c.endURCs()
	buf := make([]byte, 4096)
	for empty := 0; ; {
		n, err := c.port.Read(buf)
		if n > 0 {
			c.mu.Lock()
			c.feed(buf[:n])
			c.mu.Unlock()
		}
		if err != nil {
			c.fail(fmt.Errorf("read from the modem: %w", err))
			return
		}
		if empty++; n > 0 {
			empty = 0
		}
		wait := time.Duration(0)
		if empty > freeReads {
			wait = pollEvery
		}
		if !c.alive(wait) {
			return
		}
	}
}

// alive waits for d and says whether the connection still lives.
func (c *Conn) alive(d time.Duration) bool {
	if d == 0 {
		select {
		case <-c.dead:
			return false
		default:
			return true
		}
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-c.dead:
		return false
	case <-t.C:
		return true
	}
}

func (c *Conn) endURCs() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.flushHead()
	close(c.urcs)
}

// feed cuts b into lines and prompts and routes them. c.mu is held.
func (c *Conn) feed(b []byte) {
	c.lastRx = time.Now()
	quoted := c.fr.quoted
	for _, b := range b {
		switch t, ok := c.fr.push(b); {
		case !ok:
		case t.prompt:
			c.echo(t.text)
			c.gotPrompt()
		default:
			c.route(t.text)
		}
	}
	if c.fr.quoted && !quoted {
		c.pending.Reset(c.cfg.PDUWait)
	}
	if c.fr.holds(c.ends) {
		c.unended.Reset(c.cfg.Quiet)
	}
}

// ends says whether l ends the running command. c.mu is held.
func (c *Conn) ends(l string) bool {
	return isFinal(l) || c.cur != nil && c.cur.spec.ends(l)
}

// endLine ends a final result whose line end was lost.
func (c *Conn) endLine() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil || time.Since(c.lastRx) < c.cfg.Quiet || !c.fr.holds(c.ends) {
		return
	}
	t, _ := c.fr.flush()
	c.route(t.text)
}

// expire gives up on a PDU line or a closing quote that does not come.
func (c *Conn) expire() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return
	}
	c.flushHead()
	if !c.fr.quoted {
		return
	}
	if t, ok := c.fr.flush(); ok {
		c.route(t.text)
	}
}

// urc queues u. It never blocks: chatter leaves the last quarter of the queue to messages and evidence, and what finds
// no room is counted. c.mu is held.
func (c *Conn) urc(u URC) {
	c.dropSpare()
	room := cap(c.urcs) - len(c.urcs)
	weighty := u.PDU != "" || u.Late
	if room == 0 || !weighty && room <= cap(c.urcs)/4 {
		c.missed++
		return
	}
	u.Missed, c.missed = c.missed, 0
	c.urcs <- u
}

func (c *Conn) traceWrite(w write) {
	if c.cfg.Trace == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	text := hide(w.text, secretsIn(w.text))
	switch w.end {
	case ctrlZ:
		text += "^Z"
	case esc:
		text += "ESC"
	}
	c.cfg.Trace('>', text)
}

// traceRead is called with c.mu held.
func (c *Conn) traceRead(text string) {
	if c.cfg.Trace != nil {
		c.cfg.Trace('<', text)
	}
}
