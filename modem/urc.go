package modem

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"simpost/atcmd"
)

// Limits of what waits between two calls of Take. Indications beyond them are counted in Missed, and the poll finds
// what they announced; a direct report beyond them is lost, as it would be with the modem's own store full.
const (
	maxDirect   = 256
	maxEvidence = 64
	maxNotes    = 32 // memory names, full memories, calls: each list
	maxUSSD     = 8  // answers of a session in progress, and what the network said by itself: each
)

// Taken is what came outside of commands since the last Take.
type Taken struct {
	Direct   []Direct    // in order of arrival
	Late     []Evidence  // answers to commands that had been given up
	Memories []string    // memories where something is said to have arrived; "" where the modem named none
	Full     []string    // memories said to be full
	Calls    []Ring      // rings and ends of calls, in order
	USSD     []USSDReply // what the network said outside of a call of USSD: its own idea, or too late
	Rebooted bool        // the modem restarted by itself: settings are lost, open it again
	Network  bool        // registration changed
	SIM      bool        // the SIM's state changed
	Time     time.Time   // that the network told, when the modem said so; zero if it did not
	Missed   int         // lines lost because nobody took them: poll

	ussd []string // as it came: what it means is the dialect's to say
}

// Ring is one ring of an incoming call, or its end.
type Ring struct {
	Number string // the caller's, "" where it is withheld or comes with the next one
	Over   bool
}

// Direct is a PDU that came without being asked for. A CMT with CSMS=1, and a CDS then too, waits for Ack.
type Direct struct {
	Kind   string // CMT, CDS or CBM
	PDU    string // in hex, "" if the modem announced one and sent none
	Length int    // octets of the TPDU as announced, -1 if not told
}

// Evidence is a late answer to a send whose error carries the same Seq. Seq 0 belongs to the last open attempt.
type Evidence struct {
	Seq  uint64
	MR   int // of a late +CMGS: proof that the network took the message; -1 without one
	Code int // of a late +CMS ERROR, -1 without one
	Line string
}

// Refusal is what a late +CMS ERROR says of the message, nil where it proves nothing.
func (e Evidence) Refusal() *SendError {
	code := atcmd.CMSError(e.Code)
	late := &atcmd.ExecError{Seq: e.Seq, Verb: "+CMGS", Sent: true, Submitted: true, Err: code}
	if e.Code < 0 || e.MR >= 0 || atcmd.Ambiguous(late) {
		return nil
	}
	return &SendError{Outcome: Rejected, Class: classes[code.Class()], Code: e.Code, MR: -1, Seq: e.Seq, Err: late}
}

// news gathers the URCs. It has the one goroutine of this package: Wake must be woken by a line that comes while nobody
// calls, and atcmd's channel must be emptied during a CMGS of three minutes, or evidence would be dropped there. The
// goroutine ends with the conversation; Close joins it.
type news struct {
	wake chan struct{} // capacity 1
	done chan struct{}

	mu      sync.Mutex
	taken   Taken
	isUp    bool
	banner  string          // of a port that is no AT port
	ready   map[string]bool // boot lines of the boot in progress
	booting bool            // Open saw this boot: its last lines may still come
	asking  bool            // USSD waits for an answer
	ussd    chan string     // answers to USSD nobody took yet
	restart func()          // ends the exchange that a restart leaves without an answer; nil without one
}

func listen(c *atcmd.Conn) *news {
	n := &news{wake: make(chan struct{}, 1), done: make(chan struct{}), ready: map[string]bool{}, ussd: make(chan string, maxUSSD)}
	go func() {
		defer close(n.done)
		for u := range c.URCs() {
			n.put(u)
		}
		n.ring()
	}()
	return n
}

// Wake has one element when there is something to Take or the port died. Capacity 1: many lines, one wake-up.
func (m *Modem) Wake() <-chan struct{} { return m.news.wake }

// Take hands over what came since the last call and forgets it. It sends nothing and may be called from any goroutine.
func (m *Modem) Take() Taken {
	n := m.news
	n.mu.Lock()
	defer n.mu.Unlock()
	t := n.taken
	n.taken = Taken{}
	for _, v := range t.ussd {
		r, _ := m.readUSSD(v)
		t.USSD = append(t.USSD, r)
	}
	return t
}

func (n *news) ring() {
	select {
	case n.wake <- struct{}{}:
	default:
	}
}

// up ends the bring-up: from now on a boot line means a restart.
func (n *news) up() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.isUp = true
	n.booting = n.booting || len(n.ready) > 0
	n.taken.Rebooted = false
}

// sawBoot tells that the modem was found busy starting.
func (n *news) sawBoot() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.booting = true
}

// rebooted is a reboot that was noticed by its effects.
func (n *news) rebooted() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.restarted()
	n.ring()
}

// restarted notes that the modem restarted by itself. n.mu is held.
func (n *news) restarted() {
	n.taken.Rebooted = true
	if n.restart != nil {
		n.restart()
	}
}

var errRestarted = errors.New("the modem restarted before it answered")

// untilRestart is ctx for an exchange that no modem answers after a restart. Its cause then is errRestarted.
func (n *news) untilRestart(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	set := func(f func()) {
		n.mu.Lock()
		defer n.mu.Unlock()
		n.restart = f
	}
	set(func() { cancel(errRestarted) })
	return ctx, func() {
		set(nil)
		cancel(nil)
	}
}

// sawReady says whether the modem announced that its message store is ready.
func (n *news) sawReady() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.ready["SMS READY"] || n.ready["SMS DONE"] || n.ready["+QIND: SMS DONE"] || n.ready["#QSS: 3"]
}

func (n *news) notModem() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.banner
}

// put files one line. What a line is was decided by atcmd; here is only what it means to the mail.
func (n *news) put(u atcmd.URC) {
	n.mu.Lock()
	defer n.mu.Unlock()
	t := &n.taken
	t.Missed += u.Missed
	told := u.Missed > 0
	if u.Late {
		told = n.evidence(u) || told
	} else {
		told = n.event(u) || told
	}
	if told {
		n.ring()
	}
}

func (n *news) evidence(u atcmd.URC) bool {
	e := Evidence{Seq: u.Seq, MR: -1, Code: -1, Line: u.Line}
	if mr, ok := parseMR([]string{u.Line}); ok {
		e.MR = int(mr)
	} else if v, ok := cutName(u.Line, "+CMS ERROR"); ok {
		if code, ok := number(fields(v), 0); ok {
			e.Code = code
		}
	} else {
		return false // a late OK or a late query's answer proves nothing
	}
	if len(n.taken.Late) >= maxEvidence {
		n.taken.Missed++
		return true
	}
	n.taken.Late = append(n.taken.Late, e)
	return true
}

func (n *news) event(u atcmd.URC) bool {
	t := &n.taken
	name, v, _ := strings.Cut(u.Line, ":")
	switch name = strings.TrimSpace(name); name {
	case "+CMT", "+CDS", "+CBM":
		n.direct(u)
	case "+CMTI", "+CDSI", "+CBMI":
		note(&t.Memories, fields(v)[0])
	case "^SMMEMFULL":
		note(&t.Full, unquote(v))
	case "+CIEV":
		return n.indicator(v)
	case "+CLIP":
		n.call(fields(v)[0])
	case "RING", "+CRING":
		n.call("")
	case "NO CARRIER", "^CEND":
		n.rings(Ring{Over: true})
	case "+CREG", "+CGREG", "+CEREG", "+C5GREG":
		t.Network = true
	case "^SIMST", "+QUSIM", "+QSIMSTAT", "#QSS", "+CSIMST":
		t.SIM = true
		if f := fields(v); name == "#QSS" && f[len(f)-1] == "3" { // messages can be read
			n.ready["#QSS: 3"] = true
		}
	case "+CTZE", "*PSUTTZ":
		told, ok := announcedTime(name, v)
		if ok {
			t.Time = told
		}
		return ok
	case "+CUSD":
		return n.ussdLine(strings.TrimSpace(v))
	case "+CPIN":
		t.SIM = true
		return n.bootLine(u.Line)
	default:
		return n.bootLine(u.Line)
	}
	return true
}

func (n *news) direct(u atcmd.URC) {
	if len(n.taken.Direct) >= maxDirect {
		n.taken.Missed++
		return
	}
	kind, length := parseDirect(u.Line)
	n.taken.Direct = append(n.taken.Direct, Direct{Kind: kind, PDU: trimPadding(u.PDU, length), Length: length})
}

// call joins the RING and the +CLIP of one ring into one entry.
func (n *news) call(number string) {
	rings := n.taken.Calls
	if last := len(rings) - 1; last >= 0 && number != "" && rings[last] == (Ring{}) {
		rings[last].Number = number
		return
	}
	n.rings(Ring{Number: number})
}

// rings notes a ring. Of many that nobody takes the last ones are dropped: they are one call's.
func (n *news) rings(r Ring) {
	if len(n.taken.Calls) < maxNotes {
		n.taken.Calls = append(n.taken.Calls, r)
	}
}

// indicator reads the one +CIEV that matters: smsfull, by name as Cinterion and others write it.
func (n *news) indicator(v string) bool {
	f := fields(v)
	if len(f) < 2 || !strings.EqualFold(f[0], "smsfull") || f[1] == "0" {
		return false
	}
	note(&n.taken.Full, "")
	return true
}

func note(list *[]string, s string) {
	if len(*list) < maxNotes && !slices.Contains(*list, s) {
		*list = append(*list, s)
	}
}

// ussdLine goes to the call of USSD that waits, else to Take.
func (n *news) ussdLine(v string) bool {
	switch {
	case n.asking:
		select {
		case n.ussd <- v:
		default: // it has more than it can want
		}
		return false
	case len(n.taken.ussd) >= maxUSSD:
		n.taken.Missed++
	default:
		n.taken.ussd = append(n.taken.ussd, v)
	}
	return true
}

// ask opens or closes the way of USSD lines to awaitUSSD. What it has not taken is for Take: it came too late.
func (n *news) ask(on bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.asking = on
	for !on && len(n.ussd) > 0 {
		n.taken.ussd = append(n.taken.ussd, <-n.ussd)
		n.ring()
	}
}

// Lines of a start (MODEMS 2). The first ones say that it begins, the others follow for up to a minute.
var (
	bootBegins = []string{"RDY", "^SYSSTART", "*ATREADY", "+AT: READY", "APP RDY", "START", "NORMAL POWER DOWN", "POWERED DOWN",
		"^SHUTDOWN", "+CFUN: 0", "AT-COMMAND INTERPRETER READY"}
	bootGoesOn = []string{"SMS READY", "CALL READY", "SMS DONE", "PB DONE", "+QIND: SMS DONE", "+QIND: PB DONE", "+CFUN: 1",
		"+CPIN: READY", "+PBREADY"}
	banners = []string{"option/faema_", "os_logids.h", "NETWORK SERVICE CHANGE", "$GP", "$GN", "$GL"}
)

// bootLine notes the lines of a start. A modem that was found starting may go on for a while after Open: each of those
// lines is forgiven once. Any other one is the silent reboot (TinyGSM 608): settings are lost, echo is on.
func (n *news) bootLine(line string) bool {
	l := strings.ToUpper(strings.TrimSpace(line))
	begins := slices.ContainsFunc(bootBegins, func(b string) bool { return l == b || strings.HasPrefix(l, b+":") })
	switch {
	case begins && n.isUp:
		n.restarted()
		return true
	case begins:
		n.booting = true
		clear(n.ready)
	case slices.Contains(bootGoesOn, l):
		if n.isUp && (!n.booting || n.ready[l]) {
			n.restarted()
			return true
		}
		n.ready[l] = true
	case containsAny(line, banners):
		n.banner = line
	}
	return false
}
