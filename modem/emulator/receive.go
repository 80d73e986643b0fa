package emulator

import (
	"fmt"
	"strings"
)

// owedAck is a +CMT or +CDS that the host has to acknowledge with +CNMA (TS 27.005 3.4.4, CSMS=1).
type owedAck struct {
	done func(cause)
	item *item
}

// receive takes a message from the network and calls done, at once or when the host has acknowledged. The lock is held.
func (m *Modem) receive(it *item, done func(cause)) {
	if m.hung {
		done(protocolError)
		return
	}
	if it.report {
		m.receiveReport(it, done)
		return
	}
	pid, class := classify(it.tpdu)
	if pid == typeZero && m.hit("incoming.type-0") == nil {
		done(accepted) // TS 23.040 9.2.3.9: acknowledged and thrown away
		return
	}
	mt := m.set.cnmi[1]
	direct := mt == 2 && class != 2 || mt == 3 && class == 3 || mt > 0 && class == 0 && m.prof.Class0 == "cmt"
	if direct {
		head := fmt.Sprintf("+CMT: ,%d", len(it.tpdu))
		if m.prof.CMTNoAlpha {
			head = fmt.Sprintf("+CMT: %d", len(it.tpdu))
		}
		m.direct(it, head, done)
		return
	}
	mem := m.set.mem[2]
	if class == 2 {
		mem = "SM"
	}
	index, why := m.store(mem, it.tpdu)
	if why == accepted && mt > 0 {
		m.announce("+CMTI", mem, index)
	}
	if why == accepted && m.hit("incoming.redelivered") != nil {
		why = protocolError
	}
	done(why)
}

const typeZero = 0x40 // TP-PID of a short message type 0

// classify finds TP-PID and the message class of a DELIVER; -1 is no class. An unreadable one has neither.
func classify(b []byte) (pid byte, class int) {
	if len(b) < 2 {
		return 0, -1
	}
	at := 3 + (int(b[1])+1)/2
	if len(b) < at+2 {
		return 0, -1
	}
	pid, dcs := b[at], b[at+1]
	if dcs&0x90 == 0x10 || dcs&0xF0 == 0xF0 {
		return pid, int(dcs & 3)
	}
	return pid, -1
}

// store puts a received TPDU into a memory, or tells why not.
func (m *Modem) store(mem string, tpdu []byte) (int, cause) {
	if m.bendStore(mem) {
		return 0, memoryCapacity
	}
	index, ok := m.keep(mem, &slot{sc: scField(m.n.cfg.SMSC), tpdu: tpdu})
	if !ok {
		if m.prof.FullURC != "" {
			m.urc(strings.ReplaceAll(m.prof.FullURC, "{mem}", mem))
		}
		return 0, memoryCapacity
	}
	m.n.signal()
	return index, accepted
}

func (m *Modem) announce(name, mem string, index int) {
	for _, line := range m.bendAnnounce(name, mem, index) {
		m.urc(line)
	}
}

// direct shows a message at once. Without acknowledgements it is the host's from then on, heard or not; with them (CSMS=1)
// the network waits.
func (m *Modem) direct(it *item, head string, done func(cause)) {
	lines := []string{head, fmt.Sprintf("%X%X", scField(m.n.cfg.SMSC), it.tpdu)}
	if m.set.cmgf == 1 {
		lines = m.textLines(it)
	}
	if m.set.csms == 0 {
		m.urcPDU(lines)
		done(accepted)
		return
	}
	if m.port == nil {
		done(protocolError)
		return
	}
	m.urcPDU(lines)
	owed := &owedAck{done: done, item: it}
	m.owed = owed
	m.n.after(m.n.cfg.CNMA, func() {
		if m.owed == owed {
			m.set.cnmi[1], m.set.cnmi[3] = 0, 0 // TS 27.005 3.4.4: without a word
			m.owe(nil)
		}
	})
}

// owe settles what the host owes: nil is a missed acknowledgement, RP-ERROR to the network.
func (m *Modem) owe(ack *cause) {
	owed := m.owed
	if owed == nil {
		return
	}
	m.owed = nil
	if ack == nil {
		owed.done(protocolError)
		return
	}
	owed.done(*ack)
}

// receiveReport routes a status report as <ds> says.
func (m *Modem) receiveReport(it *item, done func(cause)) {
	ds := m.set.cnmi[3]
	if ds == 2 && m.hit("report.cds") != nil {
		ds = 1
	}
	switch ds {
	case 1:
		m.direct(it, m.bendCDS(len(it.tpdu)), done)
		m.hung = m.prof.CDSHangs && m.set.csms == 0
	case 2:
		index, why := m.store(m.prof.Reports.Store, it.tpdu)
		done(why)
		if why == accepted {
			m.announceReport(index)
		}
	default:
		done(accepted) // nobody asked to see it
	}
}

// announceReport says +CDSI with what the profile makes of memory and index.
func (m *Modem) announceReport(index int) {
	mem := m.prof.Reports.Announce
	if i := m.prof.Reports.Index; i != nil {
		index = *i
	}
	m.announce("+CDSI", mem, index)
}

// runCNMA acknowledges what was shown. In PDU mode 0 and 1 are positive, 2 is negative; 1 and 2 may bring a PDU.
func runCNMA(x *exec) final {
	m := x.m
	if m.owed == nil {
		return m.cmsError(340)
	}
	if m.owed.item.report && m.prof.CNMAMissing {
		return m.cmsError(302)
	}
	yes := accepted
	m.owe(&yes)
	return resultOK
}

func setCNMA(x *exec) final {
	m := x.m
	v, ok := numbers(x.args, -1, 0)
	if !ok || v[0] < 0 || v[0] > 2 {
		return m.cmsError(304)
	}
	if m.owed == nil {
		return m.cmsError(340)
	}
	if v[1] > 0 {
		text, end, ok := x.prompt()
		if !ok {
			return end
		}
		if len(strings.TrimSpace(text)) != 2*v[1] {
			return m.cmsError(304)
		}
	}
	if v[0] == 2 {
		m.owe(nil)
		return resultOK
	}
	return runCNMA(x)
}
