package emulator

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/warthog618/sms/encoding/tpdu"
)

// sendCommands are the commands with a prompt, and what goes with them (TS 27.005 3.5 and 4.3).
var sendCommands = map[string]command{
	"+CMGS":  {set: sendMessage, testFunc: func(*exec) final { return resultOK }, sim: true, sms: true},
	"+CMGC":  {set: sendMessage, testFunc: func(*exec) final { return resultOK }, sim: true, sms: true},
	"+CMGW":  {set: writeMessage, run: writeMessage, testFunc: func(*exec) final { return resultOK }, sim: true, sms: true},
	"+CMSS":  {set: sendStored, testFunc: func(*exec) final { return resultOK }, sim: true, sms: true},
	"+CMMS":  flag("(0-2)", []int{0, 1, 2}, func(s *settings) *int { return &s.cmms }),
	"+CGSMS": flag("(0-3)", []int{0, 1, 2, 3}, func(s *settings) *int { return &s.cgsms }),
}

// sendMessage is +CMGS=length: prompt, PDU, network, reference.
func sendMessage(x *exec) final {
	m := x.m
	if m.set.cmgf == 1 {
		return sendText(x)
	}
	if m.hit("storage.full-322") != nil {
		return m.cmsError(322)
	}
	if x.name == "+CMGS" && m.hit("send.cmgs-refused") != nil {
		return m.cmsError(302)
	}
	n, err := strconv.Atoi(strings.TrimSpace(x.args))
	if err != nil || n < 1 || n > 232 {
		return m.cmsError(304)
	}
	frame, end, ok := x.askPDU(n)
	if !ok {
		return end
	}
	return x.transmit(frame, nil)
}

// frame is what the host wrote after the prompt.
type frame struct {
	sc, tpdu []byte
}

// askPDU prompts and reads a PDU of n octets, the service centre not counted. ok is false when the command has ended.
func (x *exec) askPDU(n int) (frame, final, bool) {
	text, end, ok := x.prompt()
	if !ok {
		return frame{}, end, false
	}
	b, err := hex.DecodeString(strings.Join(strings.Fields(text), ""))
	if err != nil || len(b) == 0 || len(b) < 1+int(b[0]) || len(b)-1-int(b[0]) != n {
		return frame{}, x.m.cmsError(304), false
	}
	split := 1 + int(b[0])
	return frame{b[:split], b[split:]}, resultOK, true
}

// prompt asks for a payload: CR LF > SP, and no more until ^Z or ESC (TS 27.005 4.3).
func (x *exec) prompt() (string, final, bool) {
	m := x.m
	x.flush()
	prompt, end, ok := m.bendPrompt(x)
	if !ok {
		return "", end, false
	}
	m.trace(false, ">")
	m.emit([]byte(prompt))
	m.promptOpened()
	text, by, ok := x.payload()
	switch {
	case !ok:
		return "", silence, false
	case by == esc:
		m.release()
		return "", m.abandoned(), false
	}
	m.release()
	return text, resultOK, true
}

// transmit sends a frame and answers with the reference. stored is the slot it came from, nil for +CMGS.
func (x *exec) transmit(f frame, stored *slot) final {
	m := x.m
	t, err := parseSubmit(f.tpdu)
	switch {
	case err != nil:
		return m.cmsError(int(invalidPDUParam))
	case len(f.sc) <= 1 && m.sim.smsc == "":
		return m.cmsError(int(smscUnknown))
	case !m.reachable():
		return m.cmsError(int(noNetwork))
	case m.set.cgsms&1 == 0 && m.hit("send.wrong-bearer") != nil: // 1 and 3 are circuits first (TS 27.007 10.1.21)
		return m.cmsError(500)
	}
	if m.hit("send.swallowed") != nil {
		return silence
	}
	hostMR := t.MR
	if !m.cfg.KeepMR {
		t.MR = m.nextMR()
	}
	m.lastMR = t.MR
	if m.cfg.EFSMSS == beforeRadio {
		m.sim.lastMR = t.MR
	}
	latency := m.latency()
	if !x.sleep(latency / 2) {
		return silence
	}
	s, end, more := x.submit(t, hostMR)
	if s != nil {
		defer m.n.answeredNow(s)
	}
	if !more || !x.sleep(latency-latency/2) {
		return end
	}
	m.sentAt = time.Now()
	m.wait()
	if s != nil && m.cfg.EFSMSS == afterAck && m.sim != nil {
		m.sim.lastMR = t.MR
	}
	if stored != nil && s != nil {
		stored.stat = stoSent
	}
	return x.answerSend(t.MR, end)
}

// nextMR is the modem's own count, 0 to 255 and round again.
func (m *Modem) nextMR() byte {
	if m.hit("report.mr-reused") != nil {
		return m.lastMR
	}
	return m.lastMR + 1
}

// submit hands the message to the network, between the faults that come before and after that. more is false when the
// command has ended with end already.
func (x *exec) submit(t *tpdu.TPDU, hostMR byte) (s *submission, end final, more bool) {
	m := x.m
	if m.sim == nil || !m.reachable() {
		return nil, m.cmsError(int(noNetwork)), true
	}
	if code, f := m.sendFault(); f != nil {
		if f.Accept {
			s, _ = m.n.submit(m, t, hostMR)
		}
		wait := f.delay(0)
		if code == lateCode {
			wait = f.delay(lateDelay)
		}
		if !x.sleep(wait) {
			return s, silence, false
		}
		return s, m.cmsError(code), true
	}
	if m.hit("send.ok-not-sent") != nil {
		x.quiet = true
		return nil, resultOK, true
	}
	s, why := m.n.submit(m, t, hostMR)
	if why != accepted {
		return nil, m.cmsError(int(why)), true
	}
	if m.hit("report.before-cmgs") != nil {
		s.early = true
	}
	return s, resultOK, true
}

// answerSend says +CMGS: mr, or what a fault makes of it.
func (x *exec) answerSend(mr byte, end final) final {
	m := x.m
	if end != resultOK || x.quiet {
		return end
	}
	line := fmt.Sprintf("%s: %d", x.name, mr)
	if end, bent := m.bendAnswer(line); bent {
		return end
	}
	m.point("urc.before-cmgs", true)
	x.say(line)
	return resultOK
}

// writeMessage is +CMGW=length[,stat]: into mem2, as unsent unless it says otherwise.
func writeMessage(x *exec) final {
	m := x.m
	if m.hit("storage.full-322") != nil {
		return m.cmsError(322)
	}
	var f frame
	stat := stoUnsent
	if m.set.cmgf == 1 {
		built, end, ok := x.askText(fields(x.args))
		if !ok {
			return end
		}
		f = built
	} else {
		v, ok := numbers(x.args, -1, stoUnsent)
		if !ok || v[0] < 1 || v[1] < recUnread || v[1] > stoSent {
			return m.cmsError(304)
		}
		asked, end, ok := x.askPDU(v[0])
		if !ok {
			return end
		}
		f, stat = asked, v[1]
	}
	index, ok := m.keep(m.set.mem[1], &slot{stat: stat, sc: f.sc, tpdu: f.tpdu})
	if !ok {
		return m.cmsError(322)
	}
	m.n.signal()
	x.sayf("+CMGW: %d", index)
	return resultOK
}

// sendStored is +CMSS=index, from mem2.
func sendStored(x *exec) final {
	m := x.m
	v, ok := numbers(join(fields(x.args), 1), -1)
	if !ok {
		return m.cmsError(304)
	}
	p := m.at(m.set.mem[1], v[0])
	if p == nil || *p == nil {
		return m.cmsError(321)
	}
	return x.transmit(frame{(*p).sc, (*p).tpdu}, *p)
}
