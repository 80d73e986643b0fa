package emulator

import (
	"fmt"
	"slices"
	"time"
)

// networkCommands are about registration and signal (TS 27.007 7 and 8.5), and supplementary services.
var networkCommands = map[string]command{
	"+CREG": regCommand(), "+CGREG": regCommand(), "+CEREG": regCommand(),
	"+COPS": {testFunc: testCOPS, read: readCOPS, set: setCOPS},
	"+CSQ":  {run: runCSQ, test: "(0-31,99),(0-7,99)"},
	"+CESQ": {run: runCESQ, test: "(0-63,99),(0-7,99),(0-96,255),(0-34,255),(0-34,255),(0-97,255)"},
	"+CUSD": {test: "(0-2)", set: setCUSD, read: func(x *exec) final { x.say("+CUSD: 1"); return resultOK }, sim: true},
}

// cell is where the modem says it is.
const cell = `"00C3","0001E240"`

func regCommand() command {
	return command{
		test: "(0-2)",
		set: func(x *exec) final {
			v, ok := x.number(0, 1, 2)
			if !ok {
				return x.m.cmeError(50)
			}
			x.m.set.creg[x.name] = v
			return resultOK
		},
		read: func(x *exec) final {
			mode := x.m.set.creg[x.name]
			x.sayf("%s: %d,%s", x.name, mode, x.m.regState(x.name, mode))
			return resultOK
		},
	}
}

// regState is the part of the answer that the URC carries too. Only CS registration is "SMS only" (6, 7).
func (m *Modem) regState(name string, mode int) string {
	state := m.registration()
	if mode == 2 && (state == 1 || state == 5 || state == 6 || state == 7) {
		act := 2
		if name == "+CEREG" {
			act = 7
		}
		return fmt.Sprintf("%d,%s,%d", state, cell, act)
	}
	return fmt.Sprint(state)
}

// regURCs tells of a change of registration where that was asked for.
func (m *Modem) regURCs() {
	if !m.powered {
		return
	}
	m.n.event(Event{Kind: Lifecycle, Modem: m.cfg.Name, Detail: fmt.Sprintf("registration %d", m.registration())})
	for _, name := range []string{"+CREG", "+CGREG", "+CEREG"} {
		if mode := m.set.creg[name]; mode > 0 {
			m.urc(name + ": " + m.regState(name, mode))
		}
	}
}

// scanTime is the longest that a search for networks takes.
const scanTime = 2 * time.Second

func testCOPS(x *exec) final {
	scan := min(x.m.cfg.Latency, scanTime)
	if f := x.m.hit("life.slow-look"); f != nil {
		scan = f.delay(150 * time.Second)
	}
	if !x.sleep(scan) {
		return silence
	}
	home := x.m.n.home()
	stat := 1
	if x.m.reachable() {
		stat = 2
	}
	x.sayf(`+COPS: (%d,"%s","%s","%s",7),(3,"%s","%s","%s",2),,(0,1,2,3,4),(0,1,2)`, stat,
		x.m.inCharset(x.m.n.cfg.Operator), x.m.inCharset(x.m.n.cfg.Operator), home,
		x.m.inCharset(stranger), x.m.inCharset(stranger), x.m.n.elsewhere())
	return resultOK
}

// stranger is the other network there is; it takes no card of this one.
const stranger = "Stranger (Emulated)"

// home and elsewhere are the codes of the two networks.
func (n *Network) home() string      { return n.cfg.MCC + n.cfg.MNC }
func (n *Network) elsewhere() string { return n.cfg.MCC + "99" }

func readCOPS(x *exec) final {
	mode := 0
	if x.m.bound != "" {
		mode = 1
	}
	if !x.m.reachable() {
		x.sayf("+COPS: %d", mode)
		return resultOK
	}
	name := x.m.inCharset(x.m.n.cfg.Operator)
	if x.m.set.copsFormat == 2 {
		name = x.m.n.home()
	}
	x.sayf(`+COPS: %d,%d,"%s",7`, mode, x.m.set.copsFormat, name)
	return resultOK
}

// setCOPS takes mode[,format[,operator]]; mode 3 only sets the format.
func setCOPS(x *exec) final {
	m, f := x.m, fields(x.args)
	v, ok := numbers(join(f, 2), -1, m.set.copsFormat)
	if !ok || !slices.Contains([]int{0, 1, 2, 3, 4}, v[0]) || v[1] < 0 || v[1] > 2 {
		return m.cmeError(50)
	}
	m.set.copsFormat = v[1]
	switch {
	case v[0] == 0:
		m.bind("")
	case v[0] == 1 && len(f) < 3:
		return m.cmeError(50)
	case v[0] == 1:
		m.bind(m.fromCharset(f[2]))
	}
	if (v[0] == 0 || v[0] == 1) && !m.reachable() && m.sim != nil {
		return m.cmeError(30)
	}
	return resultOK
}

// bind chooses a network by name or code, "" by itself. The modem remembers it without power.
func (m *Modem) bind(network string) {
	before := m.registration()
	m.bound = network
	if m.registration() != before {
		m.registered()
	}
}

// denied says that the network that was chosen does not take the card.
func (m *Modem) denied() bool {
	return m.bound != "" && m.bound != m.n.home() && m.bound != m.n.cfg.Operator
}

func runCSQ(x *exec) final {
	rssi := 99
	if x.m.registration() != 0 {
		rssi = 21
	}
	x.sayf("+CSQ: %d,99", rssi)
	return resultOK
}

func runCESQ(x *exec) final {
	x.say("+CESQ: 99,99,255,255,20,50")
	return resultOK
}
