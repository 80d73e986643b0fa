package emulator

import (
	"context"
	"fmt"
	"iter"
	"sync"
	"time"
)

// Limits of what a network remembers.
const (
	eventLimit  = 1 << 16 // older events are forgotten, oldest first
	recordLimit = 1 << 20 // submissions; the network then refuses more with CMS 42 (congestion)
	queueLimit  = 1 << 14 // messages held for one subscriber; more are refused with CMS 42
)

// NetworkConfig describes a network. The zero value works: everything at once, no losses.
type NetworkConfig struct {
	Latency  time.Duration // from the service centre to the recipient, and for the report back
	Retry    time.Duration // between attempts to an absent or refusing recipient; default 1 minute
	CNMA     time.Duration // how long a modem waits for AT+CNMA; default 15 s
	Validity time.Duration // for messages that name none; default 72 h

	MCC, MNC    string         // default 242, 01
	Operator    string         // default "Emulated"
	CountryCode string         // added to national numbers; default "47"
	SMSC        string         // the service centre's number; default +4790000000
	Zone        *time.Location // of time stamps; default UTC
	ClockOffset time.Duration  // the service centre's clock minus ours
	NoTime      bool           // modems are never told the time: their clocks start in 2004

	// Unknown is how a number behaves that nobody made a Phone for: "" (Answer) makes one on the fly.
	Unknown Behaviour
}

func (c NetworkConfig) withDefaults() NetworkConfig {
	def := func(s *string, v string) {
		if *s == "" {
			*s = v
		}
	}
	def(&c.MCC, "242")
	def(&c.MNC, "01")
	def(&c.Operator, "Emulated")
	def(&c.CountryCode, "47")
	def(&c.SMSC, "+4790000000")
	if c.Retry <= 0 {
		c.Retry = time.Minute
	}
	if c.CNMA <= 0 {
		c.CNMA = 15 * time.Second
	}
	if c.Validity <= 0 {
		c.Validity = 72 * time.Hour
	}
	if c.Zone == nil {
		c.Zone = time.UTC
	}
	if c.Unknown == "" {
		c.Unknown = Answer
	}
	return c
}

// Network is the service centre, the subscribers and the record. All methods are safe for concurrent use.
type Network struct {
	cfg NetworkConfig

	mu      sync.Mutex
	modems  []*Modem
	subs    map[string]*subscriber
	record  []*submission
	events  []Event
	nextSeq int
	serial  uint16 // of the last broadcast
	changed chan struct{}
	due     map[int64]*batch // by nanoseconds of the clock
	closed  bool
	running sync.WaitGroup // the processors of the modems
}

// NewNetwork makes a network nobody is on yet. Close it when done: it ends the goroutines of its modems.
func NewNetwork(c NetworkConfig) *Network {
	c = c.withDefaults()
	buildTables()
	return &Network{
		cfg:     c,
		subs:    map[string]*subscriber{},
		changed: make(chan struct{}),
		due:     map[int64]*batch{},
	}
}

// Close switches every modem off and waits for its goroutines. Open ports end with ErrUnplugged. The record stays readable.
func (n *Network) Close() {
	n.mu.Lock()
	n.closed = true
	for _, b := range n.due {
		b.timer.Stop()
	}
	for _, m := range n.modems {
		m.unplug()
	}
	n.signal()
	n.mu.Unlock()
	n.running.Wait()
}

// after runs f with the lock held, d from now, unless the network closes first. What is due at one instant runs in the
// order in which it was asked for, so that a seed is a whole run.
func (n *Network) after(d time.Duration, f func()) {
	if n.closed {
		return
	}
	due := time.Now().Add(d).UnixNano()
	if b := n.due[due]; b != nil {
		b.do = append(b.do, f)
		return
	}
	n.due[due] = &batch{do: []func(){f}, timer: time.AfterFunc(d, func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		b := n.due[due]
		delete(n.due, due)
		for _, f := range b.do {
			if !n.closed {
				f()
			}
		}
	})}
}

// batch is what is due at one instant.
type batch struct {
	timer *time.Timer
	do    []func()
}

// Event is one thing that happened on the network, in order of Seq.
type Event struct {
	Seq    int
	At     time.Time
	Kind   EventKind
	Modem  string // its name, where a modem took part
	Number string // the subscriber it is about
	Detail string // for people

	// Submission is the Seq of the SUBMIT it is about, 0 for none.
	Submission int
}

// EventKind says what an Event is about.
type EventKind string

// The kinds of Event.
const (
	Accepted  EventKind = "accepted"  // the service centre took a SUBMIT
	Rejected  EventKind = "rejected"  // it did not
	Delivered EventKind = "delivered" // a message reached its recipient, phone or SIM
	Failed    EventKind = "failed"    // the service centre gave up
	Reported  EventKind = "reported"  // a status report reached the sender's modem
	Called    EventKind = "call"      // a call rings at a modem, or is over
	Lifecycle EventKind = "modem"     // power, SIM, registration, unplugging
)

func (n *Network) event(e Event) {
	n.nextSeq++
	e.Seq, e.At = n.nextSeq, time.Now()
	if len(n.events) == eventLimit {
		n.events = append(n.events[:0:0], n.events[eventLimit/2:]...)
	}
	n.events = append(n.events, e)
	n.signal()
}

// signal wakes everyone who waits for the network to change.
func (n *Network) signal() {
	close(n.changed)
	n.changed = make(chan struct{})
}

// Watch yields every event after the call, in order, in the caller's goroutine, until ctx ends or the network closes.
func (n *Network) Watch(ctx context.Context) iter.Seq[Event] {
	n.mu.Lock()
	last := n.nextSeq
	n.mu.Unlock()
	return func(yield func(Event) bool) {
		for {
			batch, changed, closed := n.eventsAfter(last)
			for _, e := range batch {
				if last = e.Seq; !yield(e) {
					return
				}
			}
			if closed && len(batch) == 0 {
				return
			}
			select {
			case <-changed:
			case <-ctx.Done():
				return
			}
		}
	}
}

func (n *Network) eventsAfter(seq int) ([]Event, <-chan struct{}, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	i := len(n.events)
	for i > 0 && n.events[i-1].Seq > seq {
		i--
	}
	return append([]Event(nil), n.events[i:]...), n.changed, n.closed
}

// Wait returns nil as soon as ok does, asking again after every change on the network; it returns ctx's cause otherwise.
// ok may call any method of the network, its modems and phones.
func (n *Network) Wait(ctx context.Context, ok func() bool) error {
	for {
		n.mu.Lock()
		changed := n.changed
		n.mu.Unlock()
		if ok() {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("wait for the emulated network: %w", context.Cause(ctx))
		}
	}
}

// Phone returns the phone of a number, nil if it has none.
func (n *Network) Phone(number string) *Phone {
	n.mu.Lock()
	defer n.mu.Unlock()
	if s := n.subs[n.canonical(number)]; s != nil {
		return s.phone
	}
	return nil
}

// now is the service centre's clock.
func (n *Network) now() time.Time { return time.Now().Add(n.cfg.ClockOffset).In(n.cfg.Zone) }
