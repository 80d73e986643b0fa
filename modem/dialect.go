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
	iccid     []string      // commands that tell the ICCID, before the common ones
	left      counter       // how many tries the PIN has left
	cnmi      []string      // ladder of indication modes, best first; below it only polling
	memory    []string      // preferred receiving memories, best first
	list      time.Duration // CMGL's limit where it hangs rather than answers
	bareREADY bool          // AT+CPIN? is answered by READY without an OK
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
	field     int
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
	smss:   "none",
	ack:    "+CNMA",
}

// dialects are tried in order. Another vendor is another row.
var dialects = []dialect{
	{
		name:  "huawei",
		match: []string{"huawei", "brovi"},
		// ^CURC=0 stops the chatter that gets between header and PDU (gammu 126, 138).
		init:  []string{"^CURC=0"},
		iccid: []string{"^ICCID?"},
		left:  counter{cmd: "^CPIN?", name: "^CPIN", field: 3},
		// Mode 2 is advertised and then refused, or taken and not honoured (oFono build_cnmi_string).
		cnmi:  []string{"1,1,0,1,0", "1,1,0,2,0", "2,1,0,1,0"},
		list:  60 * time.Second, // CMGL hangs after a while of polling (gammu 4, 266, 323, 393)
		ussd:  ussdPacked,
		reset: []string{"^RESET"},
	},
	{
		name:  "simcom-lte",
		match: []string{"sim7", "sim82", "a76"},
		iccid: []string{"+CICCID"},
		left:  counter{cmd: "+SPIC", name: "+SPIC", field: 0},
		cnmi:  []string{"2,1,0,1,0", "2,1,0,2,0", "1,1,0,1,0"},
		reset: []string{"+CRESET"},
	},
	{
		name:  "simcom-2g",
		match: []string{"sim800", "sim808", "sim900", "sim868", "simcom"},
		left:  counter{cmd: "+SPIC", name: "+SPIC", field: 0},
		cnmi:  []string{"2,1,0,1,0", "1,1,0,1,0", "2,1,0,2,0"}, // ds=1: reports never reach its stores (faucamp 61)
	},
	{
		name:  "quectel",
		match: []string{"quectel"},
		iccid: []string{"+QCCID"},
		left:  counter{cmd: `+QPINC="SC"`, name: "+QPINC", label: "SC", field: 1},
		// A report in "SR" is announced as "SM",0, and reading that gives another message (IchthysMaranatha 75): never ds=2.
		cnmi: []string{"2,1,0,1,0", "1,1,0,1,0"},
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
