package emulator

import (
	"io"
	"os"
	"sync"
	"time"
)

// Limits of a line. A modem's own buffers are small; the host's output waits, the modem's output is dropped when full.
const (
	inputLimit  = 16 << 10 // bytes the host may be ahead of the modem before its Write waits
	outputLimit = 1 << 20  // bytes nobody read, after which the modem loses what it says
)

// bitsPerByte is 8N1: a start bit, eight data bits, a stop bit.
const bitsPerByte = 10

// pipe is one direction of a serial line: bytes arrive at the far end when the line speed has carried them there.
type pipe struct {
	mu      sync.Mutex
	queue   []chunk
	size    int
	free    time.Time // when the wire is idle again
	baud    int       // 0 carries everything at once
	stuck   bool      // no byte moves (flow control held by the far end)
	err     error
	changed chan struct{} // closed and replaced on every change
}

type chunk struct {
	due  time.Time
	data []byte
}

func newPipe(baud int) *pipe { return &pipe{baud: baud, changed: make(chan struct{})} }

func (p *pipe) signal() {
	close(p.changed)
	p.changed = make(chan struct{})
}

// put queues b without waiting and reports whether there was room for it below limit.
func (p *pipe) put(b []byte, limit int) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err != nil || p.size+len(b) > limit {
		return false
	}
	p.append(b)
	return true
}

func (p *pipe) append(b []byte) {
	now := time.Now()
	if p.free.Before(now) {
		p.free = now
	}
	if p.baud > 0 {
		p.free = p.free.Add(time.Duration(len(b)) * bitsPerByte * time.Second / time.Duration(p.baud))
	}
	p.queue = append(p.queue, chunk{p.free, append([]byte(nil), b...)})
	p.size += len(b)
	p.signal()
}

// write queues b and waits while the far end is inputLimit behind. It gives up when stop closes.
func (p *pipe) write(b []byte, stop <-chan struct{}) (int, error) {
	for {
		p.mu.Lock()
		if p.err != nil {
			defer p.mu.Unlock()
			return 0, p.err
		}
		if !p.stuck && p.size < inputLimit {
			p.append(b)
			p.mu.Unlock()
			return len(b), nil
		}
		changed := p.changed
		p.mu.Unlock()
		select {
		case <-changed:
		case <-stop:
			return 0, os.ErrClosed
		}
	}
}

// read waits for bytes that have arrived. It returns os.ErrClosed when stop closes and p.err once the pipe has ended.
func (p *pipe) read(b []byte, stop <-chan struct{}) (int, error) {
	for {
		select {
		case <-stop: // first, so that a reader told to stop takes nothing that came later
			return 0, os.ErrClosed
		default:
		}
		p.mu.Lock()
		if n := p.take(b); n > 0 {
			p.mu.Unlock()
			return n, nil
		}
		if p.err != nil {
			defer p.mu.Unlock()
			return 0, p.err
		}
		wait := time.Duration(-1)
		if len(p.queue) > 0 {
			wait = time.Until(p.queue[0].due)
		}
		changed := p.changed
		p.mu.Unlock()
		if !waitLine(wait, changed, stop) {
			return 0, os.ErrClosed
		}
	}
}

// waitLine waits for a change, for d when it is not negative, or for stop (false).
func waitLine(d time.Duration, changed, stop <-chan struct{}) bool {
	var due <-chan time.Time
	if d >= 0 {
		t := time.NewTimer(d)
		defer t.Stop()
		due = t.C
	}
	select {
	case <-changed:
	case <-due:
	case <-stop:
		return false
	}
	return true
}

// take moves the oldest piece that has arrived into b. Every piece written is a read of its own: a reader that needs
// two of them joined is wrong about serial lines.
func (p *pipe) take(b []byte) int {
	if len(p.queue) == 0 || p.queue[0].due.After(time.Now()) {
		return 0
	}
	c := &p.queue[0]
	n := copy(b, c.data)
	if c.data = c.data[n:]; len(c.data) == 0 {
		p.queue = p.queue[1:]
	}
	p.size -= n
	p.signal()
	return n
}

func (p *pipe) end(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err == nil {
		p.err = err
		p.signal()
	}
}

func (p *pipe) setStuck(stuck bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stuck != stuck {
		p.stuck = stuck
		p.signal()
	}
}

// clear drops what is on the wire.
func (p *pipe) clear() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.queue, p.size, p.free = nil, 0, time.Time{}
	p.signal()
}

// port is the host's end of an open line.
type port struct {
	m    *Modem
	out  *pipe // what the modem says
	done chan struct{}
	once sync.Once

	leaving bool // the host has gone; nothing blocks any more
	garbled bool // the two ends run at different speeds
}

var _ io.ReadWriteCloser = (*port)(nil)

// Read returns what the modem said. After an unplug it returns ErrUnplugged, after Close os.ErrClosed.
func (p *port) Read(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	return p.out.read(b, p.done)
}

// Write hands bytes to the modem and waits while the modem's buffer is full.
func (p *port) Write(b []byte) (int, error) {
	select {
	case <-p.done:
		return 0, os.ErrClosed
	default:
	}
	on, err := p.m.takes(p)
	switch {
	case err != nil:
		return 0, err
	case !on, p.garbled:
		return len(b), nil // a line with nobody at the other end who understands takes anything
	}
	return p.m.in.write(b, p.done)
}

// unstick lets what was written go, and what is still to be written: the host has gone.
func (p *port) unstick() {
	p.m.locked(func() {
		p.leaving = true
		if p.m.port == p {
			p.m.in.setStuck(false)
		}
	})
}

// Close drops DTR. The modem keeps its settings, and whatever it was in the middle of.
func (p *port) Close() error {
	p.once.Do(func() {
		close(p.done)
		p.m.hostClosed(p)
	})
	return nil
}
