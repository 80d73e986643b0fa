package sim

import (
	"bytes"
	"regexp"
	"time"
)

// How a modem dies: at one of nine steps of its work, in one of ten ways (TRUST F12).

type step string

const (
	stepIdle      step = "idle"
	stepPrePrompt step = "pre-prompt"
	stepAtPrompt  step = "at-prompt"
	stepMidPDU    step = "mid-pdu"
	stepAfterZ    step = "after-^z"
	stepBeforeOK  step = "after-+cmgs"
	stepMidURC    step = "mid-urc"
	stepInCMGL    step = "in-cmgl"
	stepInCMGD    step = "in-cmgd"
)

var steps = []step{stepIdle, stepPrePrompt, stepAtPrompt, stepMidPDU, stepAfterZ, stepBeforeOK, stepMidURC, stepInCMGL, stepInCMGD}

// way is how it dies; late ones come back with everything they had to say.
type way struct {
	name string
	late time.Duration
}

var ways = []way{
	{name: "hang"}, {name: "reboot"}, {name: "vanish"}, {name: "garbage"}, {name: "error"}, {name: "ok-no-mr"},
	{"late-30s", 30 * time.Second}, {"late-60s", time.Minute}, {"late-119s", 119 * time.Second}, {"late-300s", 300 * time.Second},
}

const (
	hangs       = 10 * time.Minute // then somebody cuts the power
	vanishes    = 10 * time.Second
	babbles     = 30 * time.Second
	swallows    = 2 * time.Second // the modem's own answer, when another one is given for it
	shortestPDU = 10              // digits: less before a ^Z is no PDU of ours

	takes = 500 * time.Millisecond
)

// arm lets the modem die once, at the next such step.
func (l *line) arm(s step, how way) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.step, l.way, l.armed = s, how, true
	l.heard = nil
	l.done, l.mended = make(chan struct{}), make(chan struct{})
}

// disarm takes a death back that was not died; true: there was one.
func (l *line) disarm() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	was := l.armed
	l.armed = false
	return was
}

var (
	onlyPDU = regexp.MustCompile("^[0-9A-F]{10,}\x1a?$")
	atWrite = map[step]string{stepPrePrompt: "AT+CMGS=", stepAfterZ: "\x1a", stepInCMGD: "AT+CMGD="}
	atRead  = map[step]*regexp.Regexp{
		stepAtPrompt: regexp.MustCompile(`\n> `),
		stepBeforeOK: regexp.MustCompile(`\+CMGS: ?\d+\r\n`),
		stepMidURC:   regexp.MustCompile(`\r\n\+C[MD][TS]I?: ?`),
		stepInCMGL:   regexp.MustCompile(`\+CMGL: ?[0-9,]+\r\n[0-9A-F]{8}`),
	}
)

// toModem is what of b reaches the modem, and whether it dies after that.
func (l *line) toModem(b []byte) (out []byte, act bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.heard = nil
	pdu := onlyPDU.Match(b)
	if bytes.Contains(b, []byte("\x1a")) && !l.filled && !pdu {
		l.stray++
	}
	l.filled = pdu
	if l.deaf {
		return nil, false
	}
	if at := bytes.Index(b, []byte("AT+CPIN=")); at >= 0 {
		l.pins = append(l.pins, string(bytes.TrimSpace(b[at:])))
	}
	if l.armed && l.step == stepMidPDU && pdu {
		l.armed = false
		return b[:len(b)/2], true
	}
	if mark := atWrite[l.step]; l.armed && mark != "" && bytes.Contains(b, []byte(mark)) {
		l.armed = false
		if l.step == stepAfterZ {
			if l.rng.IntN(2) == 0 && l.way.late == 0 { // it died before it looked at what it had been given
				return bytes.TrimSuffix(b, []byte("\x1a")), true
			}
		}
		return b, true
	}
	return l.noise(b), false
}

// fromModem is what of b is heard, how late, and whether the modem dies after that.
func (l *line) fromModem(b []byte) (out []byte, after time.Duration, act bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.babble:
		for i := range b {
			b[i] = byte(l.rng.UintN(256))
		}
		return b, 0, false
	case l.mute:
		return nil, 0, false
	}
	if left := time.Until(l.lateTill); left > 0 {
		after = left
	}
	re := atRead[l.step]
	if !l.armed || re == nil {
		return l.noise(b), after, false
	}
	before := len(l.heard)
	l.heard = append(l.heard, b...)
	at := re.FindIndex(l.heard)
	if at == nil || at[1] <= before {
		return b, after, false
	}
	l.armed = false
	return b[:at[1]-before], after, true
}

// die is the end in the armed way. It returns what the modem seems to say.
func (l *line) die() (word string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	defer close(l.done)
	switch l.way.name {
	case "hang":
		l.silent(hangs, l.modem.Reboot)
	case "reboot":
		l.silent(takes, l.modem.Reboot) // by then the network has what it was given
	case "vanish":
		l.silent(takes, func() {
			l.modem.Unplug()
			time.Sleep(vanishes)
			l.modem.Plug()
		})
	case "garbage":
		l.deaf, l.babble = true, true
		go l.after(babbles, func() {})
		return string([]byte{0xFF, 0x00, 0x91, 0x7E, 0xFE})
	case "error", "ok-no-mr":
		l.mute = true
		go l.after(swallows, func() {})
		return map[string]string{"error": "\r\nERROR\r\n", "ok-no-mr": "\r\nOK\r\n"}[l.way.name]
	default:
		late := l.way.late + time.Duration(l.rng.IntN(momentMost)) // never just when the daemon gives up
		l.lateTill = time.Now().Add(late)
		go l.after(late, func() {})
	}
	return ""
}

// silent is the death of a modem that neither hears nor says anything, until then.
func (l *line) silent(d time.Duration, then func()) {
	l.deaf, l.mute = true, true
	go l.after(d, then)
}

// after mends the modem.
func (l *line) after(d time.Duration, then func()) {
	time.Sleep(d)
	then()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.deaf, l.mute, l.babble = false, false, false
	close(l.mended)
}
