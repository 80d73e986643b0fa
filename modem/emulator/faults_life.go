package emulator

import (
	"strings"
	"time"
)

// Family 10: what happens to a modem.

// heard is what gets through of what the host wrote: nothing to a modem that boots or sleeps.
func (m *Modem) heard(b []byte) []byte {
	now := time.Now()
	idle := now.Sub(m.lastHeard)
	m.lastHeard = now
	if now.Before(m.hearsAt) {
		return nil
	}
	if f := m.faults["life.sleep"]; f != nil && idle >= f.delay(5*time.Second) && m.hit("life.sleep") != nil {
		return nil
	}
	return b
}

// wake is what may happen at a command before it is run. False: it is not run, nor answered.
func (m *Modem) wake(line string) bool {
	for _, name := range []string{"life.deaf", "life.deaf-power"} {
		if m.deaf == "" && m.hit(name) != nil {
			m.deaf = name
		}
	}
	reset := strings.Contains(strings.ToUpper(line), "+CFUN=1,1")
	switch {
	case m.deaf == "life.deaf" && reset:
		m.deaf = ""
	case m.deaf != "":
		return false
	}
	if strings.HasSuffix(strings.ToUpper(line), "+CPMS?") && m.faults["urc.flood"] != nil {
		m.floodStops++
	}
	m.networkFaults()
	if m.hit("life.sim-swapped") != nil {
		m.insert(&SIM{})
	}
	if m.hit("life.silent-reboot") != nil {
		m.reboot()
		return false
	}
	if f := m.hit("life.unplug"); f != nil {
		m.unplug()
		m.n.after(f.delay(10*time.Second), m.replug)
		return false
	}
	return true
}

// networkFaults changes the registration, for as long as the delay says, or until the faults are cleared.
func (m *Modem) networkFaults() {
	for _, n := range []struct {
		name  string
		state int
	}{{"life.denied", 3}, {"life.roaming", 5}, {"life.network-lost", 2}} {
		f := m.hit(n.name)
		if f == nil {
			continue
		}
		if m.regWas == nil {
			before := m.reg
			m.regWas = &before
		}
		m.setRegistration(n.state)
		if f.Delay > 0 {
			m.n.after(f.Delay, m.networkBack)
		}
	}
}

// networkBack is the registration as it was before the faults.
func (m *Modem) networkBack() {
	if m.regWas != nil {
		m.setRegistration(*m.regWas)
		m.regWas = nil
	}
}

// faultOn is what a fault does the moment it is switched on.
func (m *Modem) faultOn(name string) {
	switch name {
	case "urc.flood":
		m.floodStops = 0
		m.n.after(0, m.flood)
	case "storage.preloaded":
		m.preload()
	case "life.sim-busy":
		if f := m.hit(name); f != nil {
			m.cardBusy(f.delay(simBusy))
		}
	}
}

// preload puts messages where they would be if they had come while the host was away.
func (m *Modem) preload() {
	for i, mem := range []string{"SM", "SM", "ME"} {
		parts, err := delivers("+4791009999", "Before you came "+string(rune('1'+i)), 1, false, m.n.now())
		if err != nil {
			panic("emulator: " + err.Error())
		}
		m.keep(mem, &slot{stat: i % 2, sc: scField(m.n.cfg.SMSC), tpdu: parts[0]})
	}
	m.n.signal()
}
