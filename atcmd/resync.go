package atcmd

import "time"

// After a command was given up half way its answer may still come, its prompt may still open, and a modem may do
// nothing else meanwhile. Nothing is written for anybody until the line is in step again: silence, ESC if a prompt may
// be open (never ^Z), and a ping whose answer can't be taken for another. If no ping is answered the connection ends.
//
// Pings are few and ever further apart. Where no more than a plain AT was given up, a module may be starting that has not
// heard of any: it is asked AT every PingWait, and pinged again as soon as it has a final result to show.

// pings have an answer of their own name that no modem sends by itself. Each is used once per resync: the answer of the
// newest proves that whatever came before it is in.
var pings = []string{"+CMEE?", "+CMGF?", "+CSMS?", "+CSCS?", "+CNMI?", "+CPMS?"}

// maxEscapes bounds the ESCs before one ping.
const maxEscapes = 5

// resync is the state lost.
type resync struct {
	x      *exchange // given up; nil if the line was dirty
	synced chan struct{}
	woken  chan struct{} // one slot: wakes the resync: a prompt came, or an answer to a plain AT

	// guarded by Conn.mu
	asking bool     // a prompt may be open: only ESC may be written
	heard  bool     // a final result came
	pings  []string // sent; "" is a plain AT, which no answer belongs to
	pinged bool     // the newest ping's own line came, its OK did not
}

// lose enters the state lost, for x or, with nil, for a dirty line. c.mu is held.
func (c *Conn) lose(x *exchange) {
	c.lost = &resync{
		x:      x,
		asking: c.asking,
		synced: make(chan struct{}),
		woken:  make(chan struct{}, 1),
	}
	c.dirty, c.asking = false, false
	c.fr.wantPrompt, c.fr.echo = true, ""
}

// destination decides while a resync is under way.
func (r *resync) destination(l, name string) dest {
	for _, p := range r.pings {
		switch {
		case name+"?" == p:
			return toPing
		case l == "AT"+p:
			return toNobody
		}
	}
	x := r.x
	switch {
	case l == "OK" && r.pinged:
		return toSync
	case l == "OK" || l == "ERROR" || x != nil && x.isEcho(l):
		return toNobody
	case isFinal(l), x != nil && (isHex(l) || x.spec.final(l) || x.spec.solicited(l, name)):
		return toEvidence
	}
	return unasked(name)
}

// answered notes the own line of ping p.
func (r *resync) answered(p string) { r.pinged = p == r.pings[len(r.pings)-1] }

// prompted notes a prompt.
func (r *resync) prompted() {
	r.asking = true
	r.wake()
}

// hears notes a final result, of whatever: the modem answers again.
func (r *resync) hears() {
	r.heard = true
	if r.knocking() {
		r.wake()
	}
}

func (r *resync) knocking() bool { return len(r.pings) > 0 && r.pings[len(r.pings)-1] == "" }

func (r *resync) wake() {
	select {
	case r.woken <- struct{}{}:
	default:
	}
}

// inSync ends the state lost, unless a prompt is open: then the next command would become a payload, and the line needs
// ESC and one more ping. c.mu is held.
func (c *Conn) inSync() {
	r := c.lost
	r.pinged = false
	if r.asking {
		return
	}
	c.lost = nil
	c.last, c.lastAt = "OK", c.lastRx
	close(r.synced)
}

// resync brings the line back to idle and then gives the turn back.
func (c *Conn) resync() {
	defer func() { <-c.turn }()
	c.mu.Lock()
	r := c.lost
	r.asking = r.asking || r.x != nil && r.x.prompt != nil && !r.x.submitted
	c.mu.Unlock()
	wait := c.cfg.PingWait
	for i, p := range r.usable() {
		if !c.ping(r, p) {
			return
		}
		if c.unanswered(r, wait) {
			wait *= 2
			if i == 0 && r.x != nil && r.x.cmd == "" && !c.knock(r) {
				break
			}
		}
		if c.ended(r) {
			c.resynced(c.Err() == nil)
			return
		}
	}
	c.fail(ErrNoResync)
	c.resynced(false)
}

// unanswered waits d for the answer of what was sent last, or a prompt, and says that neither came.
func (c *Conn) unanswered(r *resync, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-r.synced:
	case <-r.woken:
	case <-c.dead:
	case <-t.C:
		c.suspect(r)
		return true
	}
	return false
}

// knock asks AT until a final result has come, for as long as all pings would be waited for; false if none has. The line is
// not in step then: what was asked before may still be answered, even the first ping.
func (c *Conn) knock(r *resync) bool {
	limit := c.cfg.PingWait * (1<<len(pings) - 1)
	for start := time.Now(); time.Since(start) < limit; {
		c.mu.Lock()
		heard := r.heard
		c.mu.Unlock()
		if heard || !c.ping(r, "") {
			return true
		}
		c.unanswered(r, c.cfg.PingWait)
	}
	return false
}

func (c *Conn) resynced(ok bool) {
	if c.cfg.Resynced != nil {
		c.cfg.Resynced(ok)
	}
}

// suspect an open prompt behind a ping that was not answered. After ^Z there is none.
func (c *Conn) suspect(r *resync) {
	c.mu.Lock()
	defer c.mu.Unlock()
	r.asking = r.asking || r.x == nil || !r.x.submitted
}

// usable leaves out the ping that can't be told from the command given up.
func (r *resync) usable() []string {
	if r.x == nil {
		return pings
	}
	var ps []string
	for _, p := range pings {
		if !r.x.spec.has(p[:len(p)-1]) {
			ps = append(ps, p)
		}
	}
	return ps
}

// ended says whether r is over, well or badly. Where it is well, the engine is made ready.
func (c *Conn) ended(r *resync) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return true
	}
	if c.lost == r {
		return false
	}
	c.eng.reset()
	return true
}

// escape leaves a prompt that may be open. One that opens after the ESC needs another. False means the connection died.
func (c *Conn) escape(r *resync) bool {
	for range maxEscapes {
		c.mu.Lock()
		asking := r.asking
		r.asking = false
		select {
		case <-r.woken:
		default:
		}
		c.mu.Unlock()
		if !asking {
			return true
		}
		if _, err := c.put(nil, "", esc); err != nil || !c.silence(c.cfg.Quiet, c.cfg.DrainMax) {
			return false
		}
	}
	return true
}

// ping sends p when the line is quiet and no prompt open, unless an older ping's answer came meanwhile. False means the
// connection died.
func (c *Conn) ping(r *resync, p string) bool {
	if !c.silence(c.cfg.Quiet, c.cfg.DrainMax) || !c.escape(r) {
		return false
	}
	c.mu.Lock()
	done := c.lost != r
	if !done {
		r.pings, r.pinged = append(r.pings, p), false
	}
	c.mu.Unlock()
	if done {
		return true
	}
	_, err := c.put(nil, "AT"+p, cr)
	return err == nil
}

// silence waits until nothing came for d, but not longer than limit. False means the connection died.
func (c *Conn) silence(d, limit time.Duration) bool {
	start := time.Now()
	for rest := d; rest > 0; {
		if !c.alive(rest) {
			return false
		}
		c.mu.Lock()
		rest = d - time.Since(c.lastRx)
		c.mu.Unlock()
		if time.Since(start) >= limit {
			break
		}
	}
	return true
}
