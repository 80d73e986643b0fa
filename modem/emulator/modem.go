package emulator

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"time"
)

// The habits of Config.EFSMSS.
const (
	afterAck    = "after-ack"
	beforeRadio = "before-radio"
	never       = "never"
)

// ErrUnplugged is what an open port answers once the modem is gone.
var ErrUnplugged = errors.New("the modem is unplugged")

// ErrInUse is what Open answers while the port is open already.
var ErrInUse = errors.New("the port is in use")

// Config describes one modem. The zero value is a generic one with a card, on the next free number.
type Config struct {
	Name    string // default modem0, modem1, ...
	Profile string // one of Profiles; default "generic"

	Number, IMSI, ICCID, PIN string // of its card
	IMEI                     string
	SMSC                     string // the service centre its card names; default the network's; "none" for none
	NoSIM                    bool
	Book                     []Contact      // the phonebook of its card
	Slots                    map[string]int // places in "SM", "ME", "SR", "BM"; default the profile's

	LineSpeed int           // baud, 8N1; 0 is as fast as memory
	OnlyAt    int           // the baud its port is set to: at another (OpenAt) both sides read garbage; 0 is any
	Latency   time.Duration // from ^Z to +CMGS; half of it before the network has the message
	// EFSMSS says when the modem writes the Last Used TP-MR to its card (EF_SMSS): "after-ack" (the default), once the network has
	// acknowledged; "before-radio", before the message leaves; "never", so that the reference lives in the modem's memory only.
	EFSMSS    string
	KeepMR    bool // the host's TP-MR leaves as it is; otherwise the modem counts its own
	Seed      uint64
	ColdStart bool // starts with the profile's boot; otherwise it has been on for long

	// Trace, when set, is told every line and every command, with the network locked: it must not call the network.
	Trace func(modem string, toModem bool, line string)
}

// Modem is one emulated modem. All methods are safe for concurrent use.
type Modem struct {
	n          *Network
	cfg        Config
	prof       *profile
	rng        *rand.Rand
	vocabulary map[string]command

	sim        *SIM
	me, sr, bm *memory

	in      *pipe // to the modem; a new one for every plug
	port    *port // the host's end, nil while nobody has it open
	plugged bool
	powered bool
	cpu     *cpu
	simAt   time.Time // the card answers from then on
	hearsAt time.Time // and the modem itself from then

	set        settings
	cfun       int
	reg        int  // +CREG state the network gives it, 0..11
	regWas     *int // and what it was before a fault changed it
	lastMR     byte
	owed       *owedAck
	faults     map[string]*fault
	commands   int
	history    []string
	prompted   bool     // waits for a payload: what it has to say waits too
	held       []string // said after the payload
	parts      []*item  // incoming parts that a fault holds back
	joined     []byte   // output that a fault holds back
	lastHeard  time.Time
	floodStops int
	deaf       string              // the fault that made it deaf
	call       *Call               // rings
	ussd       bool                // a USSD session waits for an answer
	ussdScript map[string][]string // what SetUSSD put in place of the menu
	bound      string              // the network that was chosen by AT+COPS=1, "" if the modem chooses
	book       string              // the phonebook in force
	waits      time.Time           // what is about the card is answered 515 until then
	sentAt     time.Time           // the last message was answered
	hung       bool                // a +CDS was shown, see profile.CDSHangs
	boots      int
}

// settings are what ATZ, AT&F and a reboot reset.
type settings struct {
	echo, verbose, quiet bool
	cmee, cmgf, csms     int
	cnmi                 [5]int
	mem                  [3]string
	creg                 map[string]int // +CREG, +CGREG, +CEREG
	charset              string
	channels             string // of broadcasts
	copsFormat           int
	cmms, cgsms, clip    int
	csmp                 string
	dtr                  int // &D
	s                    map[string]int
	chatter              bool
	hushed               int               // how often the command came that ends the chatter
	other                map[string]string // settings that are only remembered
}

// NewModem puts a modem with a card on the network. It panics on a profile or an EF_SMSS habit that does not exist.
func (n *Network) NewModem(c Config) *Modem {
	n.mu.Lock()
	defer n.mu.Unlock()
	i := len(n.modems)
	if c.Name == "" {
		c.Name = fmt.Sprintf("modem%d", i)
	}
	if c.Profile == "" {
		c.Profile = "generic"
	}
	prof, err := loadProfile(c.Profile)
	if err != nil {
		panic("emulator: " + err.Error())
	}
	if c.EFSMSS == "" {
		c.EFSMSS = afterAck
	}
	if !slices.Contains([]string{afterAck, beforeRadio, never}, c.EFSMSS) {
		panic("emulator: no such EF_SMSS habit: " + c.EFSMSS)
	}
	if c.IMEI == "" {
		c.IMEI = luhn(fmt.Sprintf("%s%06d", prof.TAC, i+1))
	}
	m := &Modem{n: n, cfg: c, prof: prof, rng: rand.New(rand.NewPCG(c.Seed, uint64(i))), reg: 1, cfun: 1,
		vocabulary: vocabulary, faults: map[string]*fault{}, lastMR: 0xFF}
	prof.capacity(c.Slots)
	m.me, m.sr, m.bm = newMemory("ME", prof.Capacity["ME"]), newMemory("SR", prof.Capacity["SR"]), newMemory("BM", prof.Capacity["BM"])
	n.modems = append(n.modems, m)
	if !c.NoSIM {
		if prof.NoSMSC && c.SMSC == "" {
			c.SMSC = noSMSC
		}
		m.insert(&SIM{Number: c.Number, IMSI: c.IMSI, ICCID: c.ICCID, PIN: c.PIN, SMSC: c.SMSC, Book: c.Book})
	}
	m.plug()
	m.start(c.ColdStart)
	return m
}

// Name is the modem's name in the record.
func (m *Modem) Name() string { return m.cfg.Name }

// Number is the number of the card in the modem, "" without one.
func (m *Modem) Number() string {
	m.n.mu.Lock()
	defer m.n.mu.Unlock()
	if m.sim == nil {
		return ""
	}
	return m.sim.Number
}

// Open opens the port at the speed it is set to. The modem goes on with whatever it was doing: a prompt left open by the last
// host is still open.
func (m *Modem) Open() (io.ReadWriteCloser, error) { return m.OpenAt(m.cfg.OnlyAt) }

// OpenAt is Open by a host whose line has another speed.
func (m *Modem) OpenAt(baud int) (io.ReadWriteCloser, error) {
	p, err := m.open(m.cfg.OnlyAt != 0 && baud != m.cfg.OnlyAt)
	if err != nil {
		return nil, err // not a nil *port in an interface
	}
	return p, nil
}

func (m *Modem) open(garbled bool) (*port, error) {
	m.n.mu.Lock()
	defer m.n.mu.Unlock()
	switch {
	case !m.plugged:
		return nil, fmt.Errorf("open %s: %w", m.cfg.Name, ErrUnplugged)
	case m.port != nil:
		return nil, fmt.Errorf("open %s: %w", m.cfg.Name, ErrInUse)
	}
	m.port = &port{m: m, out: newPipe(m.cfg.LineSpeed), done: make(chan struct{}), garbled: garbled}
	m.n.signal()
	return m.port, nil
}

// takes says whether there is power to hear a write to p, or why it can't be made.
func (m *Modem) takes(p *port) (on bool, err error) {
	m.n.mu.Lock()
	defer m.n.mu.Unlock()
	if m.port != p {
		return false, ErrUnplugged
	}
	if p.leaving {
		return m.powered, nil
	}
	if f := m.hit("life.write-blocks"); f != nil {
		in := m.in
		in.setStuck(true)
		m.n.signal()
		if f.Delay > 0 {
			m.n.after(f.Delay, func() { in.setStuck(false) })
		}
	}
	return m.powered, nil
}

// hostClosed is DTR going low.
func (m *Modem) hostClosed(p *port) {
	m.n.mu.Lock()
	defer m.n.mu.Unlock()
	if m.port != p {
		return
	}
	m.port = nil
	m.in.setStuck(false)
	m.n.signal()
	if m.powered && (m.set.dtr == 3 || m.hit("life.dtr-hangup") != nil) {
		m.stop()
		m.defaults()
		m.run()
	}
}

// defaults is AT&F: everything but the chosen memories, which only a reboot resets.
func (m *Modem) defaults() {
	mem := m.set.mem
	if mem[0] == "" {
		mem = m.prof.Memory
	}
	m.set = settings{echo: m.prof.Echo, verbose: true, dtr: 2, mem: mem, chatter: true, charset: m.prof.Charset, csmp: "17,167,0,0",
		creg: map[string]int{}, s: map[string]int{"S3": '\r', "S4": '\n', "S5": '\b'}, other: map[string]string{}}
}

// Commands is how many command lines the modem has been given.
func (m *Modem) Commands() int {
	m.n.mu.Lock()
	defer m.n.mu.Unlock()
	return m.commands
}

// historyLimit is how many lines Transcript remembers.
const historyLimit = 1000

// Transcript returns the last lines on the wire, "> " before what the modem was told, "< " before what it said.
func (m *Modem) Transcript() []string {
	m.n.mu.Lock()
	defer m.n.mu.Unlock()
	return append([]string(nil), m.history...)
}

func (m *Modem) trace(toModem bool, line string) {
	if m.cfg.Trace != nil {
		m.cfg.Trace(m.cfg.Name, toModem, line)
	}
	mark := "< "
	if toModem {
		mark = "> "
	}
	if len(m.history) >= 2*historyLimit {
		m.history = append(m.history[:0:0], m.history[historyLimit:]...)
	}
	m.history = append(m.history, mark+line)
}

// cpu is the processor of a powered modem: it ends with the power.
type cpu struct {
	done chan struct{}
	buf  []byte
	rest []byte
	echo []byte
	last string // for A/
}

func (m *Modem) run() {
	c := &cpu{done: make(chan struct{}), buf: make([]byte, 4096)}
	m.cpu = c
	in := m.in
	m.n.running.Add(1)
	go func() {
		defer m.n.running.Done()
		m.process(c, in)
	}()
}

func (m *Modem) stop() {
	m.prompted, m.held = false, nil
	if m.cpu != nil {
		close(m.cpu.done)
		m.cpu = nil
	}
}
