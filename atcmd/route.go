package atcmd

import (
	"strings"
	"time"
)

// dest is where a line goes. Every line goes to exactly one, and destination is the one function that decides it.
type dest uint8

const (
	toNobody   dest = iota // echo, a second prompt, what an exchange given up leaves behind
	toURC                  // said by the modem itself
	toHead                 // as toURC, but its PDU follows on a line of its own
	toPDU                  // that PDU
	toAnswer               // of the running command
	toSpare                // of the running command if nothing better comes, else said by the modem itself
	toFinal                // ends the running command
	toHeld                 // ends the running command, or is the last command's final result said twice
	toEvidence             // an answer nobody waits for
	toRepeat               // the last final result, said twice
	toPing                 // the own line of a ping
	toSync                 // the OK of the newest ping
)

// repeatPause is the silence asked for before each command of a modem that says final results twice.
const repeatPause = 50 * time.Millisecond

// destination decides what l is. It changes nothing. c.mu is held.
func (c *Conn) destination(l string) dest {
	name := id(l)
	switch {
	case c.cur != nil && c.cur.isEcho(l):
		return toNobody
	case c.head != "" && c.isPDUOfHead(l):
		return toPDU
	case c.cur != nil:
		return c.cur.destination(l, name)
	case c.lost != nil:
		return c.lost.destination(l, name)
	case l == c.last && time.Since(c.lastAt) <= c.cfg.Quiet:
		return toRepeat
	case isFinal(l):
		return toEvidence
	}
	return unasked(name)
}

// unasked is the destination of a line that belongs to no exchange.
func unasked(name string) dest {
	switch {
	case withPDU[name]:
		return toHead
	case answerOnly[name]:
		return toEvidence
	}
	return toURC
}

// isPDUOfHead says whether l is the second line of c.head. Where l could also belong to the command's answer (a +CMGL
// entry, an IMSI), the length in c.head decides. If that +CMT lost its PDU and the entry's is exactly as long, the
// +CMT gets it and the entry has none: so no octets are ever credited to a memory slot that may hold others, and the
// message is listed again, which costs a repeat but never a message.
func (c *Conn) isPDUOfHead(l string) bool {
	if !isHex(l) {
		return false
	}
	n := tpduLen(c.head)
	if c.lost != nil || c.cur != nil && (c.cur.pdu || !c.cur.spec.named) {
		return isPDU(l) && (n < 0 || fits(l, n))
	}
	return true
}

// destination decides for the running command.
func (x *exchange) destination(l, name string) dest {
	answers := x.prompt == nil || x.submitted
	switch {
	case x.pdu && isHex(l):
		return toAnswer
	case x.spec.final(l):
		return x.finalDestination(l)
	case answers && x.spec.solicited(l, name):
		return toAnswer
	case answers && x.spec.query && x.spec.has(name) && isBareReg(l):
		return toSpare
	case len(x.secret) > 0 && name == "" && !isBareURC(l):
		return toNobody // a torn echo of a PIN
	}
	return unasked(name)
}

func (x *exchange) finalDestination(l string) dest {
	switch {
	case l == "OK" && x.prompt != nil && !x.submitted: // no command with a prompt succeeds without it
		return toEvidence
	case l == x.before && x.spec.lined && x.held == "" && len(x.lines) == 0:
		return toHeld
	}
	return toFinal
}

// route sends a line where it belongs. c.mu is held.
func (c *Conn) route(l string) {
	if x := c.cur; x != nil && x.prompted { // text modes repeat the prompt, echo repeats the payload after it
		if l = strings.TrimLeft(l, "> "); l == "" {
			return
		}
	}
	d := c.destination(l)
	if c.lost != nil && isFinal(l) {
		c.lost.hears()
	}
	l = c.redact(l, d)
	c.traceRead(l)
	if d != toPDU && d != toURC && d != toNobody { // only chatter may stand between a header and its PDU
		c.flushHead()
	}
	switch d {
	case toNobody:
		c.echo(l)
	case toURC:
		c.urc(URC{Line: l})
	case toHead:
		c.head = l
		c.pending.Reset(c.cfg.PDUWait)
	case toPDU:
		c.urc(URC{Line: c.head, PDU: l})
		c.head = ""
	case toAnswer:
		c.answer(c.cur, l)
	case toSpare:
		c.dropSpare()
		c.cur.spare = l
	case toFinal:
		c.final(c.cur, l)
	case toHeld:
		c.hold(c.cur, l)
	case toEvidence:
		c.evidence(l)
	case toRepeat:
		c.repeats = true
	case toPing:
		c.lost.answered(id(l) + "?")
	case toSync:
		c.inSync()
	}
}

// echo notes that the command in hand came back.
func (c *Conn) echo(l string) {
	if x := c.cur; x != nil && strings.EqualFold(l, "AT"+x.cmd) {
		x.echoed = true
		c.echoes++
	}
}

func (c *Conn) flushHead() {
	if c.head != "" {
		c.urc(URC{Line: c.head})
		c.head = ""
	}
}

// answer takes a line of x's answer.
func (c *Conn) answer(x *exchange, l string) {
	if x.size += len(l); x.size > maxAnswer {
		c.die(errAnswerSize)
		return
	}
	if x.held != "" && len(x.lines) == 0 { // so that was not ours
		c.urc(URC{Line: x.held, Late: true})
		x.held, c.repeats = "", true
		x.stopLimit()
	}
	if x.spec.single && len(x.lines) > 0 { // the line before was a URC that looks like the answer
		c.urc(URC{Line: x.lines[0]})
		x.lines = nil
	}
	x.lines = append(x.lines, l)
	if x.submitted && isMR(l) && x.limit != nil {
		x.limit.Reset(okWait)
	}
	name := id(l)
	x.pdu = name == "+CMGL" || name == "+CMGR"
	if x.spec.ends(l) {
		c.hold(x, "OK")
	}
}

// dropSpare: what might have been the answer was said by the modem itself.
func (c *Conn) dropSpare() {
	if x := c.cur; x != nil && x.spare != "" {
		u := URC{Line: x.spare}
		x.spare = ""
		c.urc(u)
	}
}

// final ends x.
func (c *Conn) final(x *exchange, l string) {
	if x.spare != "" && l == "OK" && len(x.lines) == 0 {
		x.lines, x.spare = []string{x.spare}, ""
	}
	c.dropSpare()
	x.over, x.final = true, l
	x.stopLimit()
	c.cur = nil
	c.fr.wantPrompt, c.fr.echo = true, ""
	c.last, c.lastAt = l, c.lastRx
	if x.submitted && !x.hasMR() {
		c.owed = x.seq
	}
	if x.prompted && !x.submitted { // refused with the prompt open: it may still be
		c.dirty, c.asking = true, true
	}
	c.eng.finish(x)
}

// hold ends x with final result l after a silence, unless what comes meanwhile decides otherwise: the answer, after a
// final result that was the last command's said twice, or the OK after a line that was to be the end.
func (c *Conn) hold(x *exchange, l string) {
	x.held = l
	x.limit = time.AfterFunc(c.cfg.Quiet, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.cur == x && x.held != "" {
			c.final(x, x.held)
		}
	})
}

// evidence hands up an answer without its command. Outside an exchange it also says that the line is out of step.
func (c *Conn) evidence(l string) {
	seq := c.owner(l)
	if seq == c.owed && isSubmitAnswer(l) {
		c.owed = 0
	}
	if c.cur == nil && c.lost == nil {
		c.dirty = true
	}
	c.urc(URC{Line: l, Late: true, Seq: seq})
}

// owner is the exchange that evidence l belongs to, 0 if it can't be told. A +CMGS is always that of the last
// submission whose answer never came; anything else that comes during a resync is of the command given up.
func (c *Conn) owner(l string) uint64 {
	switch {
	case isMR(l):
		return c.owed
	case c.lost != nil && c.lost.x != nil:
		return c.lost.x.seq
	case c.cur == nil && isSubmitAnswer(l):
		return c.owed
	}
	return 0
}

func isSubmitAnswer(l string) bool { return isMR(l) || strings.HasPrefix(l, "+CMS ERROR") }

// isMR says whether l is the message reference of a submission (TS 27.005 4.3).
func isMR(l string) bool { return strings.HasPrefix(l, "+CMGS:") }

// gotPrompt takes a payload prompt. c.mu is held.
func (c *Conn) gotPrompt() {
	c.traceRead(">")
	x := c.cur
	switch {
	case c.lost != nil:
		c.lost.prompted()
	case x == nil:
		c.dirty, c.asking = true, true
	case !x.prompted:
		x.prompted = true
		x.stopLimit()
		c.fr.wantPrompt = false
		c.flushHead()
		c.eng.prompt()
	}
}

// redact hides the secrets of the command in hand. An echo of it is hidden whole: it may be torn. c.mu is held.
func (c *Conn) redact(l string, d dest) string {
	x := c.cur
	if x == nil && c.lost != nil {
		x = c.lost.x
	}
	if x == nil || len(x.secret) == 0 {
		return l
	}
	if d == toNobody {
		return "****"
	}
	return hide(l, x.secret)
}
