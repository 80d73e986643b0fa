package emulator

import (
	"fmt"
	"strings"
	"time"
)

// Control characters that mean something on the line.
const (
	ctrlZ = 0x1A
	esc   = 0x1B
)

// Limits of what the host may say at once.
const (
	lineLimit    = 2048 // of a command line; the rest is cut off
	payloadLimit = 4096 // after a prompt
)

// process is the modem's processor: it reads lines and runs them, one at a time, until the power goes.
func (m *Modem) process(c *cpu, in *pipe) {
	for {
		line, ok := m.readLine(c, in)
		if !ok {
			return
		}
		m.n.mu.Lock()
		if c.alive() {
			m.flushEcho(c)
			m.point("urc.echo-reply", true)
			m.command(c, in, line)
		}
		m.n.mu.Unlock()
	}
}

func (c *cpu) alive() bool {
	select {
	case <-c.done:
		return false
	default:
		return true
	}
}

// next is the next byte from the host; it waits without the lock.
func (m *Modem) next(c *cpu, in *pipe) (byte, bool) {
	for len(c.rest) == 0 {
		if len(c.echo) > 0 {
			m.locked(func() { m.flushEcho(c) })
		}
		k, err := in.read(c.buf, c.done)
		if err != nil {
			return 0, false
		}
		c.rest = c.buf[:k]
		m.locked(func() { c.rest = m.heard(c.rest) })
	}
	b := c.rest[0]
	c.rest = c.rest[1:]
	c.echo = append(c.echo, b)
	return b, true
}

func (m *Modem) flushEcho(c *cpu) {
	if (m.set.echo || m.prof.EchoStays) && len(c.echo) > 0 && m.deaf == "" {
		m.emit(c.echo)
	}
	c.echo = c.echo[:0]
}

// readLine waits for AT...<CR> or A/ (V.250 5.2): whatever comes before the A is no command.
func (m *Modem) readLine(c *cpu, in *pipe) (string, bool) {
	var line []byte
	for {
		b, ok := m.next(c, in)
		if !ok {
			return "", false
		}
		switch {
		case b == '\r':
			if len(line) >= 2 {
				c.last = string(line[2:])
				return c.last, true
			}
			line = line[:0]
		case b == '\b':
			line = line[:max(0, len(line)-1)]
		case b < ' ' || b >= 0x7F:
		case len(line) == 0:
			if b == 'A' || b == 'a' {
				line = append(line, b)
			}
		case len(line) == 1 && b == '/':
			return c.last, true
		case len(line) == 1 && b != 'T' && b != 't':
			line = line[:0]
			if b == 'A' || b == 'a' {
				line = append(line, b)
			}
		case len(line) < lineLimit:
			line = append(line, b)
		}
	}
}

// exec is one command under way.
type exec struct {
	m  *Modem
	c  *cpu
	in *pipe
	verb
	lines []string // information text not yet said
	quiet bool     // the answer leaves the reference out
	said  bool     // something of this command line has been said
}

// final is how a command line ends.
type final struct {
	text string // "OK", "ERROR", "+CME ERROR: 10", ...; "" says nothing at all
	code int    // the numeric result of ATV0
}

var (
	resultOK    = final{"OK", 0}
	resultError = final{"ERROR", 4}
	noCarrier   = final{"NO CARRIER", 3}
	silence     = final{} // the command ends without a word
)

// command runs a line. The lock is held; it is let go while a command waits.
func (m *Modem) command(c *cpu, in *pipe, line string) {
	m.commands++
	m.trace(true, "AT"+line)
	x := &exec{m: m, c: c, in: in}
	if !m.wake(line) {
		return
	}
	verbs, err := splitLine(line)
	if err != nil {
		m.finish(x, resultError)
		return
	}
	end := resultOK
	for _, v := range verbs {
		x.verb = v
		end = m.execute(x)
		m.hush(v)
		if end != resultOK {
			break
		}
	}
	if c.alive() {
		m.finish(x, end)
	}
}

// hush ends the chatter of a profile that has a command for it, whatever its answer was.
func (m *Modem) hush(v verb) {
	if c := m.prof.Chatter; c.Stop != "" && v.text() == c.Stop {
		if m.set.hushed++; m.set.hushed >= c.StopCount {
			m.set.chatter = false
		}
	}
}

// execute runs one command: a profile's own answer first, then the table.
func (m *Modem) execute(x *exec) final {
	if lines, ok := m.prof.Answers[x.text()]; ok {
		return x.canned(lines)
	}
	cmd, ok := m.vocabulary[x.name]
	if !ok || !m.prof.knows(cmd, x.text(), x.name) || cmd.untold != "" && m.hit(cmd.untold) != nil {
		return m.unknown()
	}
	if why := m.gate(cmd, x.name); why != resultOK {
		return why
	}
	var f func(*exec) final
	switch x.op {
	case 't':
		return x.test(cmd)
	case '?':
		f = cmd.read
	case '=':
		f = cmd.set
	default:
		f = cmd.run
	}
	if f == nil {
		return m.unknown()
	}
	return f(x)
}

// canned says a profile's lines; the last may be a final result, otherwise OK follows.
func (x *exec) canned(lines []string) final {
	for i, l := range lines {
		switch last := i == len(lines)-1; {
		case last && l == resultOK.text:
			return resultOK
		case last && isFinal(l):
			return final{l, resultError.code}
		}
		x.say(l)
	}
	return resultOK
}

func isFinal(l string) bool {
	return l == "OK" || l == "ERROR" || l == "COMMAND NOT SUPPORT" || strings.HasPrefix(l, "+CME ERROR") || strings.HasPrefix(l, "+CMS ERROR")
}

// test answers NAME=?.
func (x *exec) test(cmd command) final {
	switch {
	case cmd.testFunc != nil:
		return cmd.testFunc(x)
	case cmd.test != "":
		x.say(x.name + ": " + cmd.test)
	}
	return resultOK
}

func (m *Modem) unknown() final {
	if m.prof.Unknown != "" {
		return final{m.prof.Unknown, resultError.code}
	}
	return resultError
}

// say adds a line of information text.
func (x *exec) say(line string) { x.lines = append(x.lines, line) }

func (x *exec) sayf(format string, args ...any) { x.say(fmt.Sprintf(format, args...)) }

// flush says what has been gathered.
func (x *exec) flush() {
	if len(x.lines) == 0 {
		return
	}
	x.m.emitLines(x, x.lines)
	x.lines, x.said = nil, true
}

// finish says the rest and the final result in one piece.
func (m *Modem) finish(x *exec, end final) {
	for _, f := range m.bendFinal(end) {
		m.sayFinal(x, f)
	}
	m.release()
}

func (m *Modem) sayFinal(x *exec, f final) {
	if m.faults["urc.before-ok"] != nil && f == resultOK {
		x.flush()
		m.point("urc.before-ok", true)
	}
	if f.text == "" || m.set.quiet {
		x.flush()
		return
	}
	lines := append(x.lines, f.text)
	x.lines = nil
	m.emitLines(x, lines, f)
}

// emitLines says lines in V.250 framing: the first is led in, each is ended (S3, S4).
func (m *Modem) emitLines(x *exec, lines []string, end ...final) {
	lines = m.interrupt(lines)
	cr, lf := string(rune(m.set.s["S3"])), string(rune(m.set.s["S4"]))
	eol := cr + lf
	var b strings.Builder
	for i, l := range lines {
		last := i == len(lines)-1 && len(end) > 0
		switch {
		case last && !m.set.verbose:
			fmt.Fprintf(&b, "%d%s", end[0].code, cr)
			continue
		case m.set.verbose && (i == 0 && !x.said || last):
			b.WriteString(eol)
		}
		b.WriteString(l + eol)
	}
	for _, l := range lines {
		m.trace(false, l)
	}
	x.said = true
	m.emit([]byte(b.String()))
}

// urc says unsolicited lines, at once or after the payload the modem waits for.
func (m *Modem) urc(lines ...string) {
	text := "\r\n" + strings.Join(lines, "\r\n") + "\r\n"
	if m.prompted {
		m.held = append(m.held, text)
		return
	}
	m.sayURC(text)
}

func (m *Modem) sayURC(text string) {
	for _, l := range strings.Split(strings.Trim(text, "\r\n"), "\r\n") {
		m.trace(false, l)
	}
	m.emit([]byte(text))
}

// release says what waited.
func (m *Modem) release() {
	held := m.held
	m.held = nil
	for _, text := range held {
		m.sayURC(text)
	}
}

// sleep lets the lock go for d and reports whether the modem is still on afterwards.
func (x *exec) sleep(d time.Duration) bool {
	if d <= 0 {
		return x.c.alive()
	}
	x.m.n.mu.Unlock()
	t := time.NewTimer(d)
	select {
	case <-t.C:
	case <-x.c.done:
		t.Stop()
	}
	x.m.n.mu.Lock()
	return x.c.alive()
}

// payload reads what follows a prompt, without the ^Z or ESC that ended it. ok is false when the power went.
func (x *exec) payload() (text string, end byte, ok bool) {
	m := x.m
	m.prompted = true
	m.n.mu.Unlock()
	var b []byte
	for ok = true; ok && end == 0; {
		var c byte
		if c, ok = m.next(x.c, x.in); !ok {
			break
		}
		switch {
		case c == ctrlZ || c == esc:
			end = c
		case len(b) < payloadLimit:
			b = append(b, c)
		}
	}
	m.n.mu.Lock()
	ok = ok && x.c.alive()
	if ok {
		m.prompted = false
		m.flushEcho(x.c)
		m.trace(true, strings.TrimSpace(string(b))+map[byte]string{ctrlZ: "^Z", esc: "ESC"}[end])
	}
	return string(b), end, ok
}
