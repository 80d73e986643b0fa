package emulator

import (
	"fmt"
	"time"
)

// ringEvery is the cadence of a telephone that rings.
const ringEvery = 5 * time.Second

// Call is an incoming call at a modem. Nobody ever answers it. Its methods are safe for concurrent use.
type Call struct {
	n    *Network
	m    *Modem
	from string
	over bool
}

// Call rings the modem of a number until End, or until its host hangs up. from is "" for a caller who withholds the
// number. A number that is no modem's, or not reachable, or busy, gives a call that is over.
func (n *Network) Call(from, to string) *Call {
	n.mu.Lock()
	defer n.mu.Unlock()
	c := &Call{n: n, from: from, over: true}
	s := n.subs[n.canonical(to)]
	if s == nil || s.sim == nil || s.sim.modem == nil || !s.sim.modem.reachable() || s.sim.modem.call != nil {
		return c
	}
	c.m, c.over = s.sim.modem, false
	c.m.call = c
	n.event(Event{Kind: Called, Modem: c.m.cfg.Name, Number: from, Detail: "rings"})
	c.ring()
	return c
}

// ring says one ring and plans the next.
func (c *Call) ring() {
	switch {
	case c.over:
		return
	case !c.m.powered || !c.m.reachable():
		c.end("the modem went away")
		return
	}
	c.m.urc("RING")
	if c.m.set.clip == 1 {
		c.m.urc(c.clip())
	}
	c.n.after(ringEvery, c.ring)
}

// clip is who calls (TS 27.007 7.11): the last field is 1 for a number that is withheld.
func (c *Call) clip() string {
	if c.from == "" {
		return `+CLIP: "",128,"",0,"",1`
	}
	toa := 129
	if c.from[0] == '+' {
		toa = 145
	}
	return fmt.Sprintf(`+CLIP: "%s",%d,"",0,"",0`, c.m.inCharset(c.from), toa)
}

// End is the caller who gives up.
func (c *Call) End() {
	c.n.mu.Lock()
	defer c.n.mu.Unlock()
	c.hangUp()
}

func (c *Call) hangUp() {
	if !c.over {
		c.end("the caller gave up")
		c.m.urc("NO CARRIER")
	}
}

// EndAfter is End some time from now.
func (c *Call) EndAfter(d time.Duration) {
	c.n.mu.Lock()
	defer c.n.mu.Unlock()
	c.n.after(d, c.hangUp)
}

// Vanish is End on a modem that does not say so.
func (c *Call) Vanish() {
	c.n.mu.Lock()
	defer c.n.mu.Unlock()
	if !c.over {
		c.end("the caller gave up")
	}
}

// Over says whether it rings no more.
func (c *Call) Over() bool {
	c.n.mu.Lock()
	defer c.n.mu.Unlock()
	return c.over
}

func (c *Call) end(why string) {
	c.over, c.m.call = true, nil
	c.n.event(Event{Kind: Called, Modem: c.m.cfg.Name, Number: c.from, Detail: why})
}

// hangUp is AT+CHUP and ATH.
func hangUp(x *exec) final {
	if c := x.m.call; c != nil {
		c.end("the modem's host hung up")
	}
	return resultOK
}
