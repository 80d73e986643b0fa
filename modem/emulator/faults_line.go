package emulator

import (
	"bytes"
	"strings"
	"time"
)

// Families 1 to 4: bytes, chatter, the prompt, final results.

// chatterLine is what a modem without chatter of its own says where a fault wants some.
const chatterLine = "^RSSI:18"

func (m *Modem) chatter() string {
	if l := m.prof.Chatter.Lines; len(l) > 0 {
		return l[0]
	}
	return chatterLine
}

// point is a place where chatter may come; the fault of that name makes it come.
func (m *Modem) point(name string, here bool) {
	if here && m.hit(name) != nil {
		m.sayURC("\r\n" + m.chatter() + "\r\n")
	}
}

// emit puts bytes on the line as the faults of family 1 let them.
func (m *Modem) emit(b []byte) {
	if m.port == nil || !m.powered {
		return
	}
	if m.port.garbled {
		b = bytes.Repeat([]byte{0xF8, 0x80}, (len(b)+1)/2)
	}
	if len(m.faults) == 0 {
		m.port.out.put(b, outputLimit)
		return
	}
	b = m.bendBytes(b)
	if f := m.hit("bytes.join"); f != nil {
		m.gather(b, f.delay(200*time.Millisecond))
		return
	}
	for _, piece := range m.cut(b) {
		m.port.out.put(piece, outputLimit)
	}
}

func (m *Modem) bendBytes(b []byte) []byte {
	if m.hit("bytes.crcrlf") != nil {
		b = bytes.ReplaceAll(b, []byte("\r\n"), []byte("\r\r\n"))
	}
	if m.hit("bytes.no-final-crlf") != nil {
		b = bytes.TrimSuffix(b, []byte("\r\n"))
	}
	if m.hit("bytes.lost") != nil && len(b) > 0 {
		i := m.rng.IntN(len(b))
		b = append(b[:i:i], b[i+1:]...)
	}
	if m.hit("bytes.nul") != nil {
		i := m.rng.IntN(len(b) + 1)
		b = append(append(b[:i:i], 0, 0), b[i:]...)
	}
	if m.hit("bytes.garbage") != nil {
		b = append([]byte{0xF8, 0x80, 0xFE, 0x78, byte(0x80 + m.rng.IntN(0x80))}, b...)
	}
	if m.hit("bytes.long-line") != nil {
		b = append([]byte("\r\n"+strings.Repeat("U", 8<<10)+"\r\n"), b...)
	}
	return b
}

// gather holds output back for d and says it in one piece.
func (m *Modem) gather(b []byte, d time.Duration) {
	if m.joined = append(m.joined, b...); len(m.joined) > len(b) {
		return
	}
	p := m.port
	m.n.after(d, func() {
		b := m.joined
		m.joined = nil
		if m.port == p && p != nil {
			p.out.put(b, outputLimit)
		}
	})
}

// cut splits b where bytes.split wants it.
func (m *Modem) cut(b []byte) [][]byte {
	if m.hit("bytes.split") == nil {
		return [][]byte{b}
	}
	var out [][]byte
	for len(b) > 0 {
		k := 1 + m.rng.IntN(min(len(b), 16))
		out = append(out, b[:k])
		b = b[k:]
	}
	return out
}

// headed says that a PDU follows this line.
func headed(line string) bool {
	for _, h := range []string{"+CMGL: ", "+CMGR: ", "+CMT: ", "+CDS: "} {
		if strings.HasPrefix(line, h) {
			return true
		}
	}
	return false
}

// interrupt puts chatter between headers and PDUs.
func (m *Modem) interrupt(lines []string) []string {
	if m.faults["urc.header-pdu"] == nil {
		return lines
	}
	var out []string
	for _, l := range lines {
		out = append(out, l)
		if headed(l) && m.hit("urc.header-pdu") != nil {
			out = append(out, "", m.chatter())
		}
	}
	return out
}

// urcPDU is an unsolicited header and its PDU.
func (m *Modem) urcPDU(lines []string) { m.urc(m.interrupt(lines)...) }

// floodGap is 100 lines a second; floodStop is how many +CPMS? end it, as on ZTE sticks.
const (
	floodGap  = 10 * time.Millisecond
	floodStop = 3
)

func (m *Modem) flood() {
	f := m.faults["urc.flood"]
	if f == nil || m.floodStops >= floodStop || m.n.closed {
		return
	}
	if m.powered {
		m.urc("+ZUSIMR:2")
	}
	m.n.after(floodGap, m.flood)
}

// bendPrompt is the prompt, or the end of the command instead.
func (m *Modem) bendPrompt(x *exec) (string, final, bool) {
	m.point("urc.command-prompt", true)
	if f := m.hit("prompt.late"); f != nil && !x.sleep(f.delay(5*time.Second)) {
		return "", silence, false
	}
	switch {
	case m.hit("prompt.never") != nil:
		return "", resultOK, true
	case m.hit("prompt.then-error") != nil:
		m.emit([]byte("\r\n> "))
		return "", resultError, false
	case m.hit("prompt.lf-only") != nil:
		return "\n>", resultOK, true
	case m.hit("prompt.no-space") != nil:
		return "\r\n>", resultOK, true
	case m.hit("prompt.after-urc") != nil:
		return "\r\n" + m.chatter() + "\r\n> ", resultOK, true
	}
	return "\r\n> ", resultOK, true
}

// promptOpened is just after the prompt.
func (m *Modem) promptOpened() { m.point("urc.prompt-ctrlz", true) }

// abandoned is the answer to ESC at the prompt.
func (m *Modem) abandoned() final {
	switch {
	case m.hit("prompt.esc-silent") != nil:
		return silence
	case m.hit("prompt.esc-error") != nil:
		return resultError
	}
	return resultOK
}

// bendFinal is what becomes of a final result.
func (m *Modem) bendFinal(end final) []final {
	if m.hit("final.no-carrier") != nil {
		m.sayURC("\r\nNO CARRIER\r\n")
	}
	code, coded := errorCode(end.text)
	isError := coded || end == resultError
	switch {
	case isError && m.hit("final.command-not-support") != nil:
		return []final{{"COMMAND NOT SUPPORT", resultError.code}}
	case coded && m.hit("final.bare-error") != nil:
		return []final{resultError}
	case coded && m.hit("final.verbose") != nil:
		return []final{{end.text[:len("+CME ERROR: ")] + errorText(end.text, code), resultError.code}}
	case end == resultOK && m.hit("final.ok-twice") != nil:
		return []final{end, end}
	}
	return []final{end}
}
