package emulator

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/warthog618/sms/encoding/gsm7"
)

// The balance menu every network has.
const (
	ussdMenu    = "1. Balance\n2. Your number"
	ussdBalance = "Your balance is 42.00"
)

// setCUSD runs the menu: *100# shows it and waits, 1 and 2 choose, *101# is the balance at once. The answer comes after
// the OK, in the profile's encoding.
func setCUSD(x *exec) final {
	m := x.m
	f := fields(x.args)
	switch {
	case len(f) == 0:
		return m.cmeError(50)
	case f[0] == "2":
		m.ussd = false
		m.n.signal()
		return resultOK
	case len(f) == 1:
		return resultOK
	case !m.reachable():
		return m.cmeError(30)
	}
	asked := m.readUSSD(f[1])
	lines, ok := m.ussdScript[asked]
	if !ok {
		lines = []string{m.sayUSSD(m.ussdAnswer(asked))}
	}
	m.n.after(m.cfg.Latency, func() { m.ussdSays(lines) })
	return resultOK
}

// SetUSSD has the network answer a code, or a choice in a menu, with text from now on; waits leaves the session open for
// another choice.
func (m *Modem) SetUSSD(code, text string, waits bool) {
	m.locked(func() { m.script(code, m.sayUSSD(text, waits)) })
}

// ScriptUSSD is SetUSSD in the modem's own words, such as "+CUSD: 4"; none is silence.
func (m *Modem) ScriptUSSD(code string, lines ...string) {
	m.locked(func() { m.script(code, lines...) })
}

func (m *Modem) script(code string, lines ...string) {
	if m.ussdScript == nil {
		m.ussdScript = map[string][]string{}
	}
	m.ussdScript[code] = lines
}

// PushUSSD is a network that begins by itself: a notice, or with waits a question.
func (m *Modem) PushUSSD(text string, waits bool) {
	m.locked(func() { m.ussdSays([]string{m.sayUSSD(text, waits)}) })
}

// USSDOpen says whether a session waits for the host.
func (m *Modem) USSDOpen() bool {
	m.n.mu.Lock()
	defer m.n.mu.Unlock()
	return m.ussd
}

func (m *Modem) ussdSays(lines []string) {
	if !m.powered {
		return
	}
	for _, l := range lines {
		m.ussd = strings.HasPrefix(l, "+CUSD: 1")
		m.urc(l)
	}
	m.n.signal()
}

func (m *Modem) ussdAnswer(asked string) (text string, open bool) {
	switch {
	case asked == "*100#":
		return ussdMenu, true
	case asked == "*101#", m.ussd && asked == "1":
		return ussdBalance, false
	case m.ussd && asked == "2":
		return m.sim.Number, false
	}
	return "Unknown code " + asked, false
}

// readUSSD undoes the encoding the profile wants of the host.
func (m *Modem) readUSSD(s string) string {
	if m.prof.USSD == "packed" {
		if b, err := hex.DecodeString(s); err == nil {
			if text, err := gsm7.Decode(gsm7.Unpack7BitUSSD(b, 0)); err == nil {
				return string(text)
			}
		}
	}
	return m.fromCharset(s)
}

// sayUSSD is +CUSD: m,"text",dcs in one of the three encodings seen.
func (m *Modem) sayUSSD(text string, open bool) string {
	state := 0
	if open {
		state = 1
	}
	dcs := 15
	switch m.prof.USSD {
	case "packed":
		septets, err := gsm7.Encode([]byte(text))
		if err == nil {
			text = fmt.Sprintf("%X", gsm7.Pack7BitUSSD(septets, 0))
		}
	case "ucs2":
		wide := *m
		wide.set.charset = "UCS2"
		text, dcs = wide.inCharset(text), 72
	default:
		text = m.inCharset(text)
	}
	return fmt.Sprintf(`+CUSD: %d,"%s",%d`, state, text, dcs)
}

// join puts the first n fields back together.
func join(f []string, n int) string {
	return strings.Join(slices.Clone(f[:min(n, len(f))]), ",")
}
