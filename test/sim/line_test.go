package sim

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"sync"
	"time"

	"simpost/hw"
	"simpost/modem/emulator"
)

// A line is what lies between a modem and whichever daemon has it open. What
// goes wrong with a modem at a given byte goes wrong here.
type line struct {
	modem *emulator.Modem

	mu       sync.Mutex
	rng      *rand.Rand
	step     step
	way      way
	armed    bool
	done     chan struct{}     // closed when the death has been died
	mended   chan struct{}     // closed when the modem is as before
	deaf     bool              // what is written is lost
	mute     bool              // what the modem says is lost
	babble   bool              // it says garbage instead
	lateTill time.Time         // what it says is heard no sooner
	heard    []byte            // since the last write
	pins     []string          // PINs and PUKs that reached the modem
	filled   bool              // the last write was a PDU
	stray    int               // ^Z without a PDU before it
	spoilt   func(byte) []byte // what is heard for each byte; nil: all is heard as it was said
}

func newLine(seed uint64, m *emulator.Modem) *line {
	return &line{modem: m, rng: rand.New(rand.NewPCG(seed, 2))}
}

// noisy makes the line lose and double bytes with these probabilities.
func (l *line) noisy(lose, double float64) {
	l.spoil(func(c byte) []byte {
		switch {
		case l.rng.Float64() < lose:
			return nil
		case l.rng.Float64() < double:
			return []byte{c, c}
		}
		return []byte{c}
	})
}

// spoil makes something else of each byte, in both directions; nil: a good line.
func (l *line) spoil(what func(byte) []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.spoilt = what
}

// noise is what a bad line makes of b. l.mu is held.
func (l *line) noise(b []byte) []byte {
	if l.spoilt == nil {
		return b
	}
	out := make([]byte, 0, len(b)+1)
	for _, c := range b {
		out = append(out, l.spoilt(c)...)
	}
	return out
}

// port is a line as one daemon has it open.
type port struct {
	life  *life
	line  *line
	inner io.ReadWriteCloser
	said  chan []byte // by the modem, or in its name
	err   error       // read after said is closed
	rest  []byte

	reads, writes *pace // of the daemon

	once   sync.Once
	closed chan struct{}
}

// saidRoom bounds what may wait to be read; a full one makes the modem wait.
const saidRoom = 16

func newPort(l *life, ln *line, inner io.ReadWriteCloser) *port {
	p := &port{life: l, line: ln, inner: inner, said: make(chan []byte, saidRoom), closed: make(chan struct{})}
	go p.pump()
	return p
}

// pump carries what the modem says.
func (p *port) pump() {
	defer close(p.said)
	buf := make([]byte, 1024)
	for {
		n, err := p.inner.Read(buf)
		if err != nil {
			p.err = gone(err)
			return
		}
		b, after, act := p.line.fromModem(bytes.Clone(buf[:n]))
		if after > 0 && !p.pause(after) {
			p.err = io.ErrClosedPipe
			return
		}
		if len(b) > 0 && !p.say(b) {
			p.err = io.ErrClosedPipe
			return
		}
		if act && !p.die() {
			p.err = io.ErrClosedPipe
			return
		}
	}
}

func (p *port) say(b []byte) bool {
	select {
	case p.said <- b:
		return true
	case <-p.closed:
		return false
	}
}

func (p *port) pause(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-p.closed:
		return false
	}
}

// die lets the modem die in its way, from the pump: it may speak a last word.
func (p *port) die() bool {
	if word := p.line.die(); word != "" {
		return p.say([]byte(word))
	}
	return true
}

func (p *port) Read(b []byte) (int, error) {
	for len(p.rest) == 0 {
		select {
		case s, ok := <-p.said:
			if !ok {
				if err := p.life.pass(moment{bytes: nil}); err != nil {
					return 0, err
				}
				return 0, p.err
			}
			p.rest = s
		case <-p.closed:
			return 0, io.ErrClosedPipe
		}
	}
	p.reads.step()
	if err := p.life.pass(moment{bytes: p.rest}); err != nil {
		return 0, err
	}
	n := copy(b, p.rest)
	p.rest = p.rest[n:]
	return n, nil
}

func (p *port) Write(b []byte) (int, error) {
	p.writes.step()
	half := func() { p.inner.Write(bytes.TrimSuffix(b, []byte("\x1a"))) } // it dies all the same if that fails
	if err := p.life.pass(moment{write: true, bytes: b, half: half}); err != nil {
		return 0, err
	}
	out, act := p.line.toModem(b)
	if len(out) > 0 {
		if _, err := p.inner.Write(out); err != nil {
			return 0, gone(err)
		}
	}
	if act {
		if word := p.line.die(); word != "" {
			p.say([]byte(word))
		}
	}
	return len(b), nil
}

func (p *port) Close() error {
	p.once.Do(func() { close(p.closed) })
	return p.inner.Close()
}

// gone says of an emulated port what hw says of a real one.
func gone(err error) error {
	if errors.Is(err, emulator.ErrUnplugged) {
		return hw.ErrGone
	}
	return err
}
