package modem

import (
	"strings"
	"time"
)

// dialect is what is particular about a family of modems. Every field's zero value means "as generic". A quirk is a
// field here and a profile of the emulator, never an if in the code.
type dialect struct {
	name      string
	match     []string      // any of these in "manufacturer model", lower case; the first dialect that matches is used
	init      []string      // sent once the dialect is known; a refusal is of no interest
	unlocked  []string      // sent after the PIN, likewise
	iccid     []string      // commands that tell the ICCID, before the common ones
	left      counter       // how many tries the PIN has left
	cnmi      []string      // ladder of indication modes, best first; below it only polling
	mute      bool          // announces nothing: no ladder, only polling
	memory    []string      // preferred receiving memories, best first
	arity     int           // how many memories AT+CPMS= takes at most; 0: 3
	list      time.Duration // CMGL's limit where it hangs rather than answers
	bareREADY bool          // AT+CPIN? is answered by READY without an OK
	waits     bool          // +CME ERROR: 515 is "please wait": the command is given again
	keepsLink bool          // honours AT+CMMS=2: the radio link stays up between two messages
	ussd      ussdForm      // how USSD text is written on the wire
	reset     []string      // restarts the modem, tried before AT+CFUN=1,1
	ack       string        // positive acknowledgement, "+CNMA"
	direct    bool          // messages come directly only: CSMS=1 and CNMA
	smss      string        // when the modem writes EF_SMSS: "" none, "before-radio"
	keepsMR   bool          // sends the host's TP-MR
}

// counter is a command that tells the tries left, and where in its answer.
type counter struct {
	cmd, name string
	label     string // the line begins with this field, where several lines come
	field     int    // of the PIN
	puk       int    // of the PUK, 0 where it is not told; CPINR has it in a line of its own
}

type ussdForm int

const (
	ussdPlain  ussdForm = iota // the text itself
	ussdPacked                 // GSM 7-bit packed, in hex (TS 23.038 6.1.2.3)
	ussdUCS2                   // UCS-2 in hex
)

// cnmiEnd closes every ladder (MODEMS 1.4 step 8): no reports, and the two for modems that never flush (bfr=1, gammu 1206).
var cnmiEnd = []string{"2,1,0,2,1", "2,1,0,0,0", "1,1,0,0,0", "2,1,0,0,1"}

// generic asks for stored messages and direct reports: with CSMS=0 a crash may lose a report, never a message (HOUSE 9).
var generic = dialect{
	name:   "generic",
	left:   counter{cmd: "+CPINR", name: "+CPINR", label: "SIM PIN", field: 1},
	cnmi:   []string{"2,1,0,1,0", "2,1,0,2,0", "1,1,0,1,0", "1,1,0,2,0"},
	memory: []string{"SM", "ME", "MT"},
	arity:  cpmsMost,
	smss:   "none",
	ack:    "+CNMA",
}

// cpmsMost is how many memories AT+CPMS= names: mem1, mem2, mem3 (TS 27.005 3.2.2).
const cpmsMost = 3

// dialects are tried in order. Another vendor is another row.
var dialects = []dialect{
	{
		name:  "huawei",
		match: []string{"huawei", "brovi"},
		// ^CURC=0 stops the chatter that gets between header and PDU (gammu 126, 138).
		init:  []string{"^CURC=0"},
		iccid: []string{"^ICCID?"},
		left:  counter{cmd: "^CPIN?", name: "^CPIN", field: 3, puk: 2},
		// Mode 2 is advertised and then refused, or taken and not honoured (oFono build_cnmi_string).
		cnmi:  []string{"1,1,0,1,0", "1,1,0,2,0", "2,1,0,1,0"},
		list:  60 * time.Second, // CMGL hangs after a while of polling (gammu 4, 266, 323, 393)
		ussd:  ussdPacked,
		reset: []string{"^RESET"},
	},
	{
		name:      "simcom-lte",
		match:     []string{"sim7", "sim82", "a76"},
		iccid:     []string{"+CICCID"},
		left:      counter{cmd: "+SPIC", name: "+SPIC", field: 0, puk: 1},
		keepsLink: true,
		reset:     []string{"+CRESET"},
	},
	{
		name:      "simcom-2g",
		match:     []string{"sim800", "sim808", "sim900", "sim868", "simcom"},
		left:      counter{cmd: "+SPIC", name: "+SPIC", field: 0, puk: 1},
		keepsLink: true,
	},
	{
		name:  "quectel",
		match: []string{"quectel"},
		iccid: []string{"+QCCID"},
		left:  counter{cmd: `+QPINC="SC"`, name: "+QPINC", label: "SC", field: 1, puk: 2},
		// A report in "SR" is announced as "SM",0, where another message is (IchthysMaranatha 75): ds=2 only where no ds=1 is taken.
		cnmi:      []string{"2,1,0,1,0", "1,1,0,1,0"},
		keepsLink: true,
	},
	{
		name:  "zte",
		match: []string{"zte"},
		// +ZUSIMR:2 floods the line until the stick crashes, or until it is asked this; after the PIN again (ModemManager).
		init:     []string{"E0+CPMS?", "E0+CPMS?", "E0+CPMS?"},
		unlocked: []string{"+CPMS?", "+CPMS?", "+CPMS?"},
		left:     counter{cmd: "+ZPINPUK=?", name: "+ZPINPUK", field: 0, puk: 1},
		cnmi:     []string{"1,1,0,1,0", "1,1,0,2,0", "2,1,0,1,0"}, // mode 2 is refused (oFono)
	},
	{
		name:      "telit",
		match:     []string{"telit"},
		init:      []string{"#QSS=2"}, // says when the card is ready for messages, and when it is pulled
		iccid:     []string{"#CCID"},
		left:      counter{cmd: "#PCT", name: "#PCT", field: 0},
		keepsLink: true,
		reset:     []string{"#REBOOT"},
	},
	{
		name:      "u-blox",
		match:     []string{"u-blox", "ublox"},
		left:      counter{cmd: "+UPINCNT", name: "+UPINCNT", field: 0, puk: 2},
		keepsLink: true,
		reset:     []string{"+CFUN=16"},
	},
	{
		name:      "wavecom",
		match:     []string{"wavecom"},
		left:      counter{cmd: "+CPINC", name: "+CPINC", field: 0, puk: 2},
		arity:     2,
		bareREADY: true,
		waits:     true, // after +CFUN=1 and after a message (gammu 93)
	},
	{
		name:      "sierra",
		match:     []string{"sierra"},
		left:      counter{cmd: "+CPINC?", name: "+CPINC", field: 0, puk: 2},
		bareREADY: true, // SL8084
		waits:     true,
	},
	{
		name:  "cinterion",
		match: []string{"cinterion", "gemalto", "thales", "siemens"},
		iccid: []string{"^SCID"},
		left:  counter{cmd: `^SPIC="SC"`, name: "^SPIC", field: 0},
		// bfr is 1 or nothing is taken, and reports are stored or not told (gammu 1206, 1207).
		cnmi: []string{"2,1,0,2,1", "1,1,0,2,1"},
	},
	{
		name:  "novatel",
		match: []string{"novatel"},
		// A +CDS wants an acknowledgement that is then refused, and without one the modem hangs: ds=2.
		cnmi: []string{"1,1,0,2,0", "2,1,0,2,0", "1,1,0,0,0"},
	},
	{
		name: "mbm",
		// The models of ModemManager's rules for this make; what they call themselves was not seen of all.
		match: []string{"f3307", "f3507", "f3607", "f5321", "f5521", "c3304", "c3607", "c5621", "h5321", "n5321", "md300", "md400",
			"d5530", "d5550", "d5560", "hs23", "lc2000", "lc2010"},
		init: []string{"+CGSMS=3"}, // messages by the circuit-switched side first
		left: counter{cmd: "*EPIN?", name: "*EPIN", field: 0, puk: 1},
		mute: true,
	},
}

// dialectFor is the dialect of that name, or the first whose match is in the modem's own words.
func dialectFor(profile, manufacturer, model string) (dialect, bool) {
	if profile == generic.name {
		return generic, true
	}
	words := strings.ToLower(manufacturer + " " + model)
	for _, d := range dialects {
		if profile == d.name || profile == "" && containsAny(words, d.match) {
			return d.onGeneric(), true
		}
	}
	return generic, profile == ""
}

func profileNames() string {
	names := []string{generic.name}
	for _, d := range dialects {
		names = append(names, d.name)
	}
	return strings.Join(names, ", ")
}

// onGeneric fills what the dialect leaves open.
func (d dialect) onGeneric() dialect {
	if d.left.cmd == "" {
		d.left = generic.left
	}
	if d.cnmi == nil {
		d.cnmi = generic.cnmi
	}
	if d.memory == nil {
		d.memory = generic.memory
	}
	if d.ack == "" {
		d.ack = generic.ack
	}
	if d.arity == 0 {
		d.arity = cpmsMost
	}
	if d.smss == "" {
		d.smss = generic.smss
	}
	return d
}

func (d dialect) resets() []string { return append(d.reset[:len(d.reset):len(d.reset)], "+CFUN=1,1") }

func containsAny(s string, words []string) bool {
	for _, w := range words {
		if strings.Contains(s, w) {
			return true
		}
	}
	return false
}

// Limits bound every wait. A zero is the default.
type Limits struct {
	Command time.Duration // one plain command: 10 s
	Prompt  time.Duration // from AT+CMGS to its prompt: 30 s
	Answer  time.Duration // from ^Z to the final result: 180 s; the modem's own timers run to 45 s, and 135 s were seen
	List    time.Duration // CMGL over one memory: 120 s
	Delete  time.Duration // CMGD: 30 s
	Network time.Duration // the answer to a USSD request: 60 s
	Scan    time.Duration // a look around for networks, or a change to one: 180 s
	Boot    time.Duration // from the first AT to a SIM and a message store that answer: 60 s
}

func (l Limits) withDefaults() Limits {
	def := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	def(&l.Command, 10*time.Second)
	def(&l.Prompt, 30*time.Second)
	def(&l.Answer, 180*time.Second)
	def(&l.List, 120*time.Second)
	def(&l.Delete, 30*time.Second)
	def(&l.Network, 60*time.Second)
	def(&l.Scan, 180*time.Second)
	def(&l.Boot, 60*time.Second)
	return l
}
