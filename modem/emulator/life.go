package emulator

import "time"

// What happens to a modem: power, plug, card, network.

func (m *Modem) plug() {
	m.plugged = true
	m.in = newPipe(m.cfg.LineSpeed)
}

// unplug takes power and port away. The lock is held.
func (m *Modem) unplug() {
	m.powerOff()
	m.plugged = false
	m.in.end(ErrUnplugged)
	if m.port != nil {
		m.port.out.end(ErrUnplugged)
		m.port = nil
	}
	m.n.event(Event{Kind: Lifecycle, Modem: m.cfg.Name, Detail: "unplugged"})
}

// Unplug takes the modem away, power and port: reads and writes on its port end with ErrUnplugged.
func (m *Modem) Unplug() {
	m.locked(func() {
		if m.plugged {
			m.unplug()
		}
	})
}

// Plug brings it back; it boots.
func (m *Modem) Plug() { m.locked(m.replug) }

func (m *Modem) replug() {
	if !m.plugged && !m.n.closed {
		m.plug()
		m.start(true)
	}
}

// PowerOff makes the modem deaf and dumb; its port stays, as that of a module on a UART does.
func (m *Modem) PowerOff() { m.locked(m.powerOff) }

// PowerOn boots a modem that is off.
func (m *Modem) PowerOn() {
	m.locked(func() {
		if m.plugged && !m.powered && !m.n.closed {
			m.start(true)
		}
	})
}

// Reboot is a reset in the middle of whatever it was doing: settings are lost and the boot messages come. The port stays.
func (m *Modem) Reboot() { m.locked(m.reboot) }

func (m *Modem) reboot() {
	if m.plugged && !m.n.closed {
		m.powerOff()
		m.start(true)
	}
}

func (m *Modem) locked(f func()) {
	m.n.mu.Lock()
	defer m.n.mu.Unlock()
	f()
}

func (m *Modem) powerOff() {
	if !m.powered {
		return
	}
	m.powered = false
	m.stop()
	m.owe(nil)
	if m.sim != nil {
		m.sim.reset()
	}
	m.n.event(Event{Kind: Lifecycle, Modem: m.cfg.Name, Detail: "off"})
}

// start powers the modem; cold means with the profile's boot, otherwise as if it had happened long ago.
func (m *Modem) start(cold bool) {
	m.powered, m.deaf, m.ussd, m.cfun = true, "", false, 1
	m.hung, m.waits = false, time.Time{}
	m.set = settings{}
	m.defaults()
	if m.hit("life.text-mode") != nil {
		m.set.cmgf = 1
	}
	if m.sim != nil {
		m.sim.reset()
		m.lastMR = m.sim.lastMR
	}
	m.in.setStuck(false)
	m.in.clear()
	m.run()
	m.boots++
	boot := m.boots
	m.n.event(Event{Kind: Lifecycle, Modem: m.cfg.Name, Detail: "on"})
	m.simAt = time.Now()
	m.chat(boot)
	if !cold {
		return
	}
	busy := time.Duration(m.prof.SIMBusyMS) * time.Millisecond
	if f := m.hit("life.sim-busy"); f != nil {
		busy += f.delay(simBusy)
	}
	m.cardBusy(busy)
	m.hearsAt = time.Now().Add(time.Duration(m.prof.DeafMS) * time.Millisecond)
	for _, b := range m.prof.Boot {
		m.n.after(time.Duration(b.AfterMS)*time.Millisecond, func() {
			if m.powered && m.boots == boot {
				m.urc(b.Line)
			}
		})
	}
}

// simBusy is how long the fault of that name keeps the card busy.
const simBusy = 10 * time.Second

// cardBusy keeps the card from answering for d; the modem registers when it does.
func (m *Modem) cardBusy(d time.Duration) {
	at := time.Now().Add(d)
	m.simAt = at
	m.n.after(d, func() {
		if m.powered && m.simAt == at {
			m.registered()
		}
	})
}

// registered tells host and network that the modem's registration has changed.
func (m *Modem) registered() {
	m.regURCs()
	if m.sim != nil && m.reachable() {
		m.n.alert(m.sim)
	}
}

// chat keeps the profile's chatter going while this boot lasts.
func (m *Modem) chat(boot int) {
	c := m.prof.Chatter
	if c.EveryMS <= 0 || len(c.Lines) == 0 {
		return
	}
	i := 0
	var next func()
	next = func() {
		if !m.powered || m.boots != boot {
			return
		}
		if m.set.chatter {
			m.urc(c.Lines[i%len(c.Lines)])
			i++
		}
		m.n.after(time.Duration(c.EveryMS)*time.Millisecond, next)
	}
	m.n.after(time.Duration(c.EveryMS)*time.Millisecond, next)
}

// InsertSIM puts a card in, in place of the one that was there; the modem sees it at once when it is on, as with a card
// detector.
func (m *Modem) InsertSIM(s *SIM) { m.locked(func() { m.insert(s) }) }

func (m *Modem) insert(s *SIM) {
	m.eject()
	if s.modem != nil {
		s.modem.eject()
	}
	m.sim = s
	s.modem = m
	s.adopt(m.n, m.prof.Capacity["SM"])
	s.reset()
	m.lastMR = s.lastMR
	m.simAt = time.Now()
	m.tellCard()
	if m.reachable() {
		m.n.alert(s)
	}
}

// RemoveSIM takes the card out and returns it, nil when there was none.
func (m *Modem) RemoveSIM() *SIM {
	m.n.mu.Lock()
	defer m.n.mu.Unlock()
	return m.eject()
}

func (m *Modem) eject() *SIM {
	s := m.sim
	if s != nil {
		m.owe(nil)
		s.modem = nil
	}
	m.sim = nil
	if s != nil {
		m.tellCard()
	}
	return s
}

// SetRegistration sets what the network lets the modem be: 0..11 of +CREG (TS 27.007 7.2). 1, 5, 6 and 7 can send SMS.
func (m *Modem) SetRegistration(state int) { m.locked(func() { m.setRegistration(state) }) }

func (m *Modem) setRegistration(state int) {
	before := m.registration()
	m.reg = state
	if m.registration() != before {
		m.registered()
	}
}

// registration is what AT+CREG? says now.
func (m *Modem) registration() int {
	switch {
	case !m.powered || m.cfun != 1 || m.sim == nil || m.sim.state() != "READY":
		return 0
	case !m.cardReady():
		return 2 // searching
	case m.denied():
		return 3
	}
	return m.reg
}

// reachable says that messages can be sent and received.
func (m *Modem) reachable() bool {
	switch m.registration() {
	case 1, 5, 6, 7:
		return true
	}
	return false
}

// cardReady says that the card has woken up since the boot.
func (m *Modem) cardReady() bool { return !time.Now().Before(m.simAt) }
