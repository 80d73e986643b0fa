package emulator

import (
	"slices"
	"time"

	"github.com/warthog618/sms"
	"github.com/warthog618/sms/encoding/tpdu"
)

// Behaviour is how a phone treats what is sent to it.
type Behaviour string

// The behaviours of a phone. Report means the status report of a message that asked for one.
const (
	Answer      Behaviour = "answer"      // takes it at once; report 00
	Unreachable Behaviour = "unreachable" // a temporary report, then nothing until SetBehaviour, Delay or the end of validity (46)
	Reject      Behaviour = "reject"      // report 42, permanent
	Slow        Behaviour = "slow"        // takes it after Delay; report 00
	Silent      Behaviour = "silent"      // takes it; no report ever
)

// defaultSlow is the delay of a slow phone that names none.
const defaultSlow = 30 * time.Second

// PhoneConfig describes a virtual phone. The zero value answers, on the next free number.
type PhoneConfig struct {
	Number    string
	Behaviour Behaviour     // default Answer
	Delay     time.Duration // of Slow (default 30 s); of Unreachable: when it comes back (default never); of Answer: before the Reply goes

	// Reply, when set, is asked for every whole message; a non-empty answer goes back to the sender. It is called with
	// the network locked and must not call it.
	Reply func(Joined) string
}

// Joined is a message as a phone shows it: parts with one sender and one reference put together.
type Joined struct {
	From     string
	Text     string
	Data     []byte // of 8-bit messages
	At       time.Time
	Ref      int // concatenation reference
	Parts    int
	Complete bool
	Class    int // message class 0..3, -1 for none

	got []*tpdu.TPDU // by part
}

// Phone is somebody else's telephone.
type Phone struct {
	n         *Network
	cfg       PhoneConfig
	messages  []*Joined
	partial   []*Joined // those of messages that lack parts
	ref       int
	returning bool // Delay runs
}

// NewPhone puts a phone on the network, in place of the one that had its number.
func (n *Network) NewPhone(c PhoneConfig) *Phone {
	n.mu.Lock()
	defer n.mu.Unlock()
	p := n.newPhone(c)
	n.subscriber(p.cfg.Number).phone = p
	return p
}

func (n *Network) newPhone(c PhoneConfig) *Phone {
	if c.Number == "" {
		c.Number = n.freeNumber("9100")
	}
	if c.Behaviour == "" {
		c.Behaviour = Answer
	}
	if c.Behaviour == Slow && c.Delay <= 0 {
		c.Delay = defaultSlow
	}
	return &Phone{n: n, cfg: c}
}

// Number is the phone's number.
func (p *Phone) Number() string { return p.cfg.Number }

// SetBehaviour changes how the phone behaves from now on; what waits for it is tried again.
func (p *Phone) SetBehaviour(b Behaviour) {
	p.n.mu.Lock()
	defer p.n.mu.Unlock()
	p.cfg.Behaviour = b
	s := p.n.subscriber(p.cfg.Number)
	p.n.after(0, func() { p.n.pump(s) })
}

// Messages returns what arrived, in order of first parts, incomplete ones too (Complete tells).
func (p *Phone) Messages() []Joined {
	p.n.mu.Lock()
	defer p.n.mu.Unlock()
	var out []Joined
	for _, j := range p.messages {
		c := *j
		c.got = nil
		out = append(out, c)
	}
	return out
}

// Send writes a text to a number, a long one in parts.
func (p *Phone) Send(to, text string) {
	p.n.mu.Lock()
	defer p.n.mu.Unlock()
	p.send(to, text)
}

func (p *Phone) send(to, text string) {
	p.ref++
	s := p.n.subscriber(to)
	wide := s.sim != nil && s.sim.modem != nil && s.sim.modem.hit("incoming.ref-16bit") != nil
	parts, err := delivers(p.cfg.Number, text, p.ref, wide, p.n.now())
	if err != nil {
		panic("emulator: " + err.Error()) // any UTF-8 text can be encoded
	}
	var items []*item
	for _, b := range parts {
		items = append(items, &item{tpdu: b})
	}
	p.n.enqueue(s, s.bend(items...)...)
}

// receive takes a message off the queue, or leaves it there, as the phone behaves.
func (p *Phone) receive(s *subscriber, it *item) {
	n := p.n
	switch p.cfg.Behaviour {
	case Reject:
		s.remove(it)
		n.settle(it.sub, 0x42, true) // connection rejected by SME
		return
	case Unreachable:
		p.absent(s, it)
		return
	case Slow:
		if !it.tried {
			it.tried = true
			it.due = it.due.Add(p.cfg.Delay)
		}
		if wait := time.Until(it.due); wait > 0 {
			n.after(wait, func() { n.pump(s) })
			return
		}
	case Silent:
		if it.sub != nil {
			it.sub.silent = true
		}
	}
	s.remove(it)
	p.join(it)
	n.settle(it.sub, 0x00, true)
}

// absent leaves the message with the service centre, and brings the phone back after Delay.
func (p *Phone) absent(s *subscriber, it *item) {
	p.n.failed(s, it, absent)
	if p.cfg.Delay <= 0 || p.returning {
		return
	}
	p.returning = true
	p.n.after(p.cfg.Delay, func() {
		p.cfg.Behaviour, p.returning = Answer, false
		p.n.pump(s)
	})
}

// join shows the message, or puts the part where it belongs. Phones join by sender and reference.
func (p *Phone) join(it *item) {
	t, err := sms.Unmarshal(it.tpdu, sms.AsMT)
	if err != nil {
		return
	}
	total, part, ref, long := t.ConcatInfo()
	if !long || part < 1 || part > total {
		total, part, ref = 1, 1, 0
	}
	from := t.OA.Number()
	i := slices.IndexFunc(p.partial, func(j *Joined) bool {
		return j.From == from && j.Ref == ref && j.Parts == total && j.got[part-1] == nil
	})
	if i < 0 {
		j := &Joined{From: from, Ref: ref, Parts: total, Class: classOf(t), At: time.Now(), got: make([]*tpdu.TPDU, total)}
		p.messages = append(p.messages, j)
		p.partial = append(p.partial, j)
		i = len(p.partial) - 1
	}
	j := p.partial[i]
	j.got[part-1] = t
	if !slices.Contains(j.got, nil) {
		p.partial = slices.Delete(p.partial, i, i+1)
		p.show(j)
	}
	p.n.signal()
}

func classOf(t *tpdu.TPDU) int {
	if c, err := t.DCS.Class(); err == nil && c != tpdu.MClassUnknown {
		return int(c)
	}
	return -1
}

// show is a message that is whole: the phone's owner reads it, and may answer.
func (p *Phone) show(j *Joined) {
	j.Complete = true
	j.Text = textOf(j.got...)
	if a, _ := j.got[0].Alphabet(); a == tpdu.Alpha8Bit {
		j.Data, j.Text = []byte(j.Text), ""
	}
	j.got = nil
	if p.cfg.Reply == nil {
		return
	}
	answer := p.cfg.Reply(*j)
	switch {
	case answer == "":
	case p.cfg.Behaviour == Answer && p.cfg.Delay > 0:
		p.n.after(p.cfg.Delay, func() { p.send(j.From, answer) })
	default:
		p.send(j.From, answer)
	}
}
