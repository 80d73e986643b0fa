package emulator

import (
	"fmt"
	"slices"
	"time"
)

// Habits of single makes that no standard knows; a profile switches them on.

// linkUp is how long the radio link stays after a message where AT+CMMS asked for that (TS 27.005 3.5.6).
const linkUp = 5 * time.Second

// latency is how long the network takes for a message: with the link still up, a quarter.
func (m *Modem) latency() time.Duration {
	if m.set.cmms > 0 && time.Since(m.sentAt) <= linkUp {
		return m.cfg.Latency / 4
	}
	return m.cfg.Latency
}

// wait begins the time in which the modem only says "please wait".
func (m *Modem) wait() {
	m.waits = time.Now().Add(time.Duration(m.prof.WaitMS) * time.Millisecond)
}

func (m *Modem) waiting() bool { return time.Now().Before(m.waits) }

// hides says that the memory in force counts reports and shows none.
func (m *Modem) hides() bool { return m.prof.Reports.Hidden && m.set.mem[0] == m.prof.Reports.Store }

// accepted is what follows the right PIN.
func (m *Modem) accepted() {
	m.n.after(0, m.registered)
	if m.prof.PINBusyMS == 0 {
		return
	}
	m.cardBusy(time.Duration(m.prof.PINBusyMS) * time.Millisecond)
	m.set.chatter, m.set.hushed = true, 0
	if m.floodStops >= floodStop { // it had ended
		m.floodStops = 0
		m.n.after(0, m.flood)
	}
}

// tellCard is Telit's word for a card that came or went, where AT#QSS asked for it.
func (m *Modem) tellCard() {
	if !m.powered || !slices.Contains([]string{"1", "2"}, m.set.other["#QSS"]) {
		return
	}
	if m.sim == nil {
		m.urc("#QSS: 0")
		return
	}
	m.urc("#QSS: 1")
	if m.set.other["#QSS"] == "2" && m.cardReady() {
		m.urc("#QSS: 3")
	}
}

// The orders in which makes tell the tries left.
var (
	pinPUK     = func(s *SIM) []any { return []any{s.pinLeft, s.pukLeft, pinTries, pukTries} }
	pinPIN2PUK = func(s *SIM) []any { return []any{s.pinLeft, pinTries, s.pukLeft, pukTries} }
)

// triesLeft is a make's own command for them, in whichever form it is asked.
func triesLeft(order func(*SIM) []any) command {
	f := func(x *exec) final {
		if x.m.sim == nil {
			return x.m.cmeError(10)
		}
		x.say(x.name + ": " + fmt.Sprintf("%d,%d,%d,%d", order(x.m.sim)...))
		return resultOK
	}
	return command{run: f, read: f, testFunc: f, vendor: true, untold: triesUntold}
}

// setSPIC is Cinterion's: of the card's PIN, or with a 1 behind it of the PUK.
func setSPIC(x *exec) final {
	f := fields(x.args)
	switch {
	case x.m.sim == nil:
		return x.m.cmeError(10)
	case len(f) == 0 || f[0] != "SC":
		return x.m.cmeError(50)
	case len(f) > 1 && f[1] == "1":
		x.sayf("^SPIC: %d", x.m.sim.pukLeft)
	default:
		x.sayf("^SPIC: %d", x.m.sim.pinLeft)
	}
	return resultOK
}
