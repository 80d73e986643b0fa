package emulator

import (
	"fmt"
	"time"

	"github.com/warthog618/sms/encoding/tpdu"
)

// Submission is one SUBMIT the service centre truly accepted, whatever the host was told about it.
type Submission struct {
	Seq    int // from 1, in order of acceptance
	At     time.Time
	Modem  string
	IMSI   string
	From   string // the SIM's number
	To     string // as it was typed: with + where it was international
	MR     byte   // the reference that left on the air (TP-MR)
	HostMR byte   // the one the host wrote
	TPDU   []byte // as it left on the air
	Text   string // of this part alone
	Data   []byte // of 8-bit messages

	// Of a part of a long message; Total is 1 for a message in one piece.
	ConcatRef, Total, Part int

	RD, SRR   bool // TP-RD and TP-SRR
	PID, DCS  byte
	Validity  time.Duration
	Delivered bool // has reached its recipient by now
	Status    byte // the last TP-ST reported or due, 0xFF before there is one
}

// noStatus stands in Submission.Status before the service centre knows anything.
const noStatus = 0xFF

type submission struct {
	Submission
	tpdu     *tpdu.TPDU
	sender   *SIM
	scts     time.Time
	answered bool     // the host has its +CMGS, so that reports may follow
	early    bool     // reports need not wait for that
	waiting  [][]byte // reports that came before the answer
	settled  bool     // no longer held by the service centre
	silent   bool     // its recipient's network makes no reports
}

// cause is why the service centre or the recipient refuses: an RP cause (1..127) or a TP-FCS (128..255), as +CMS ERROR says it.
type cause int

// The causes the emulator gives by itself (TS 24.011 Annex E, TS 23.040 9.2.3.22, TS 27.005 3.2.5).
const (
	accepted        cause = 0
	memoryCapacity  cause = 22
	absent          cause = 27
	congestion      cause = 42
	duplicateSM     cause = 197 // TP-FCS C5, SM rejected, duplicate SM
	protocolError   cause = 111
	noNetwork       cause = 331
	smscUnknown     cause = 330
	invalidPDUParam cause = 304
)

// Record returns every SUBMIT accepted so far, in order: the judge of "sent exactly once".
func (n *Network) Record() []Submission {
	n.mu.Lock()
	defer n.mu.Unlock()
	out := make([]Submission, len(n.record))
	for i, s := range n.record {
		out[i] = s.Submission
	}
	return out
}

// Count is how many SUBMITs have been accepted: len(Record()) without the copying.
func (n *Network) Count() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.record)
}

// submit is the service centre's door. The lock is held.
func (n *Network) submit(m *Modem, t *tpdu.TPDU, hostMR byte) (*submission, cause) {
	to := n.subscriber(t.DA.Number())
	s, deliver, why := n.consider(m, t, hostMR)
	switch {
	case why != accepted:
	case s.RD && to.holds(s):
		why = duplicateSM
	case len(n.record) >= recordLimit || len(to.queue) >= queueLimit:
		why = congestion
	case deliver == nil: // a command: accepted, but not a message
		return s, accepted
	}
	if why != accepted {
		n.event(Event{Kind: Rejected, Modem: m.cfg.Name, Number: t.DA.Number(), Detail: fmt.Sprintf("cause %d", why)})
		return nil, why
	}
	n.record = append(n.record, s)
	n.event(Event{Kind: Accepted, Modem: s.Modem, Number: s.To, Submission: s.Seq,
		Detail: fmt.Sprintf("mr %d, part %d of %d", s.MR, s.Part, s.Total)})
	n.enqueue(to, to.bend(&item{tpdu: deliver, sub: s})...)
	return s, accepted
}

// consider reads a SUBMIT and makes the DELIVER its recipient will get; an SMS-COMMAND has none.
func (n *Network) consider(m *Modem, t *tpdu.TPDU, hostMR byte) (s *submission, deliver []byte, why cause) {
	raw, err := t.MarshalBinary()
	if err != nil {
		return nil, nil, protocolError
	}
	now := n.now()
	s = &submission{tpdu: t, sender: m.sim, scts: now}
	s.Submission = Submission{Seq: len(n.record) + 1, At: time.Now(), Modem: m.cfg.Name, IMSI: m.sim.IMSI, From: m.sim.Number,
		To: t.DA.Number(), MR: t.MR, HostMR: hostMR, TPDU: raw, Text: textOf(t), Total: 1, Part: 1,
		RD: t.FirstOctet&tpdu.FoRD != 0, SRR: t.FirstOctet&tpdu.FoSRR != 0, PID: t.PID, DCS: byte(t.DCS),
		Validity: validity(t, now, n.cfg.Validity), Status: noStatus}
	if total, part, ref, ok := t.ConcatInfo(); ok {
		s.ConcatRef, s.Total, s.Part = ref, total, part
	}
	if a, _ := t.Alphabet(); a == tpdu.Alpha8Bit {
		s.Data = t.UD
	}
	if t.SmsType() == tpdu.SmsCommand {
		return s, nil, accepted
	}
	if deliver, err = deliverOf(t, m.sim.Number, now); err != nil {
		return nil, nil, protocolError
	}
	return s, deliver, accepted
}

// answeredNow lets the reports out that waited for the host to have its +CMGS.
func (n *Network) answeredNow(s *submission) {
	s.answered = true
	for _, b := range s.waiting {
		n.enqueue(n.subscriber(s.From), &item{tpdu: b, sub: s, report: true})
	}
	s.waiting = nil
}

// settle is called when the service centre knows what became of s; final ends its being held.
func (n *Network) settle(s *submission, status byte, final bool) {
	if s == nil || s.settled {
		return
	}
	s.settled = final
	s.Status = status
	if final {
		s.Delivered = status < 0x20
		kind := Failed
		if s.Delivered {
			kind = Delivered
		}
		n.event(Event{Kind: kind, Number: s.To, Modem: s.Modem, Submission: s.Seq, Detail: fmt.Sprintf("status %02X", status)})
	}
	n.sendReport(s, status)
}

// sendReport makes the status report, if one was asked for, and all that its sender's modem is to suffer with it.
func (n *Network) sendReport(s *submission, status byte) {
	if !s.SRR || s.silent {
		return
	}
	b, err := report(s, status, n.now())
	if err != nil {
		panic("emulator: " + err.Error()) // the address came out of the same codec
	}
	reports := [][]byte{b}
	if m := s.sender.modem; m != nil {
		reports = m.bendReports(s, b)
	}
	for _, b := range reports {
		if s.answered || s.early {
			n.enqueue(n.subscriber(s.From), &item{tpdu: b, sub: s, report: true})
		} else {
			s.waiting = append(s.waiting, b)
		}
	}
}

// subscriber is a number the service centre knows: a SIM, a phone, or nobody yet.
type subscriber struct {
	number string // canonical
	sim    *SIM
	phone  *Phone
	queue  []*item
	busy   bool // an attempt is under way (the modem owes a CNMA)
	full   bool // its memory was full; only reports are tried until it says it has space (RP-SMMA)
	timer  bool // a retry is due
}

// item is a message on its way to a subscriber.
type item struct {
	tpdu    []byte
	sub     *submission // what it came of; nil for a message a phone wrote or a test injected
	report  bool
	due     time.Time
	expires time.Time
	tried   bool
	why     cause // it was refused the last time
}

func (n *Network) subscriber(number string) *subscriber {
	key := n.canonical(number)
	s := n.subs[key]
	if s == nil {
		s = &subscriber{number: key}
		n.subs[key] = s
	}
	return s
}

// bend lets the faults of the recipient's modem work on what comes in.
func (s *subscriber) bend(items ...*item) []*item {
	if s.sim != nil && s.sim.modem != nil {
		return s.sim.modem.bendIncoming(items)
	}
	return items
}

// holds says that an equal message is still with the service centre (TS 23.040 9.2.3.25).
func (s *subscriber) holds(like *submission) bool {
	for _, it := range s.queue {
		if !it.report && it.sub != nil && it.sub.MR == like.MR && it.sub.IMSI == like.IMSI && it.sub.To == like.To {
			return true
		}
	}
	return false
}

func (n *Network) enqueue(s *subscriber, items ...*item) {
	for _, it := range items {
		it.due = time.Now().Add(n.cfg.Latency)
		it.expires = time.Now().Add(n.cfg.Validity)
		if it.sub != nil && !it.report {
			it.expires = time.Now().Add(it.sub.Validity)
		}
		s.queue = append(s.queue, it)
	}
	if len(items) > 0 {
		n.after(n.cfg.Latency, func() { n.pump(s) })
	}
}

// pump tries what is due for s, oldest first. A message that can't be had keeps its place and those behind it wait.
func (n *Network) pump(s *subscriber) {
	for i := 0; i < len(s.queue) && !s.busy; {
		it := s.queue[i]
		switch {
		case !it.expires.After(time.Now()):
			s.remove(it)
			if !it.report {
				n.settle(it.sub, 0x46, true) // SM validity period expired
			}
			continue
		case s.full && !it.report:
			i++
			continue
		case it.due.After(time.Now()):
			return // its own timer brings us back
		}
		n.attempt(s, it)
		if len(s.queue) > i && s.queue[i] == it {
			if it.why != memoryCapacity {
				return
			}
			i++ // what goes elsewhere may find room
		}
	}
}

func (s *subscriber) remove(it *item) {
	for i, q := range s.queue {
		if q == it {
			s.queue = append(s.queue[:i:i], s.queue[i+1:]...)
			return
		}
	}
}

// attempt gives one message to its recipient.
func (n *Network) attempt(s *subscriber, it *item) {
	switch {
	case s.sim != nil:
		n.attemptSIM(s, it)
	case s.phone == nil && it.report:
		s.remove(it) // the SIM is gone for good
	default:
		if s.phone == nil {
			s.phone = n.newPhone(PhoneConfig{Number: "+" + s.number, Behaviour: n.cfg.Unknown})
		}
		s.phone.receive(s, it)
	}
}

func (n *Network) attemptSIM(s *subscriber, it *item) {
	m := s.sim.modem
	if m == nil || !m.reachable() {
		n.failed(s, it, absent)
		return
	}
	s.busy = true
	m.receive(it, func(why cause) {
		s.busy = false
		if why != accepted {
			n.failed(s, it, why)
			return
		}
		s.remove(it)
		if it.report {
			n.event(Event{Kind: Reported, Modem: m.cfg.Name, Number: s.sim.Number, Submission: it.sub.seq()})
		} else {
			if it.sub == nil {
				n.event(Event{Kind: Delivered, Modem: m.cfg.Name, Number: s.sim.Number})
			}
			n.settle(it.sub, 0x00, true)
		}
		if len(s.queue) > 0 {
			n.after(0, func() { n.pump(s) })
		}
	})
}

func (s *submission) seq() int {
	if s == nil {
		return 0
	}
	return s.Seq
}

// failed keeps the message for later: a retry is due, and memory-full waits for the modem's word as well.
func (n *Network) failed(s *subscriber, it *item, why cause) {
	it.why = why
	if why == memoryCapacity && !it.report {
		s.full = true
	}
	for _, q := range s.queue { // what waits behind it is no better off
		if !q.tried && !q.report && !q.due.After(time.Now()) {
			n.settle(q.sub, 0x22, false) // no response from SME, still trying
			q.tried = true
		}
	}
	if !s.timer {
		s.timer = true
		n.after(n.cfg.Retry, func() {
			s.timer, s.full = false, false
			n.pump(s)
		})
	}
}

// alert is the network hearing that a subscriber is back, or has room again (RP-SMMA).
func (n *Network) alert(sim *SIM) {
	if s := n.subs[n.canonical(sim.Number)]; s != nil && len(s.queue) > 0 {
		s.full = false
		n.after(0, func() { n.pump(s) })
	}
}

// Inject puts a raw TPDU (a DELIVER or a STATUS-REPORT, however odd) on its way to a number.
func (n *Network) Inject(to string, tpdu []byte) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.enqueue(n.subscriber(to), &item{tpdu: append([]byte(nil), tpdu...), report: isReport(tpdu)})
}

// isReport says that what the network brings is a STATUS-REPORT by its TP-MTI (TS 23.040 9.2.3.1).
func isReport(tpdu []byte) bool { return len(tpdu) > 0 && tpdu[0]&3 == 2 }
