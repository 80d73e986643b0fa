package emulator

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// basicCommands are V.250's own.
var basicCommands = map[string]command{
	"E":  onOff(func(s *settings, on bool) { s.echo = on }),
	"V":  onOff(func(s *settings, on bool) { s.verbose = on }),
	"Q":  onOff(func(s *settings, on bool) { s.quiet = on }),
	"Z":  {run: factory},
	"&F": {run: factory},
	"&D": {run: dtr},
	"I":  {run: identify},
	"X":  quiet(), "&C": quiet(), "&S": quiet(), "&K": quiet(), "&W": quiet(), "&V": quiet(), "L": quiet(), "M": quiet(),
	"T": quiet(), "P": quiet(), "H": {run: hangUp}, `\Q`: quiet(), `\V`: quiet(),
	"D":  {run: func(*exec) final { return noCarrier }}, // there is nobody to call
	"A":  {run: func(*exec) final { return noCarrier }},
	"O":  {run: func(*exec) final { return noCarrier }},
	"S0": register(), "S2": register(), "S3": register(), "S4": register(), "S5": register(), "S6": register(), "S7": register(),
	"S8": register(), "S9": register(), "S10": register(), "S11": register(), "S12": register(),
}

// generalCommands are about the modem itself (TS 27.007 5 and 8).
var generalCommands = map[string]command{
	"+CGMI": fixed(func(m *Modem) string { return m.prof.Manufacturer }),
	"+GMI":  fixed(func(m *Modem) string { return m.prof.Manufacturer }),
	"+CGMM": fixed(func(m *Modem) string { return m.prof.Model }),
	"+GMM":  fixed(func(m *Modem) string { return m.prof.Model }),
	"+CGMR": fixed(func(m *Modem) string { return m.prof.Revision }),
	"+GMR":  fixed(func(m *Modem) string { return m.prof.Revision }),
	"+CGSN": fixed(func(m *Modem) string { return m.cfg.IMEI }),
	"+GSN":  fixed(func(m *Modem) string { return m.cfg.IMEI }),
	"+GCAP": fixed(func(*Modem) string { return "+GCAP: +CGSM,+DS,+ES" }),
	"+CLAC": {run: clac},
	"+CMEE": flag("(0,1,2)", []int{0, 1, 2}, func(s *settings) *int { return &s.cmee }),
	"+CFUN": {test: "(0,1,4),(0,1)", read: readCFUN, set: setCFUN},
	"+CSCS": {test: `("IRA","GSM","UCS2")`, read: readCSCS, set: setCSCS},
	"+CCLK": {test: "", read: readCCLK, set: func(*exec) final { return resultOK }},
	"+CBC":  fixed(func(*Modem) string { return "+CBC: 0,85,4000" }),
	"+CPAS": fixed(func(*Modem) string { return "+CPAS: 0" }),
	"+CLIP": {test: "(0,1)", set: setCLIP, read: func(x *exec) final { x.sayf("+CLIP: %d,1", x.m.set.clip); return resultOK }},
	"+CRC":  remember("(0,1)"), "+CMER": remember("(0-3),(0),(0),(0,1),(0,1)"), "+CSSN": remember("(0,1),(0,1)"),
	"+CCWA": remember("(0,1)"), "+CTZR": remember("(0,1)"), "+CTZU": remember("(0,1)"),
	"+IFC": remember("(0-2),(0-2)"), "+IPR": remember("(0,9600,19200,38400,57600,115200)"), "+ICF": remember("(1-6),(0-3)"),
	"+CGDCONT": remember(`(1-16),"IP",,,(0),(0)`), "+CGATT": remember("(0,1)"), "+CNMP": vendor(remember("(2,13,14,38)")),
	"+CLCC": quiet(), "+CHUP": {run: hangUp}, "+CVHU": remember("(0,1)"), "+WS46": remember("(12,22,25,28,29)"),
	"^CURC": {test: "(0,1)", set: setCURC, vendor: true}, "^U2DIAG": vendor(remember("(0-255)")), "^USSDMODE": vendor(remember("(0,1)")),
	"^BOOT":    {set: func(*exec) final { return resultOK }, vendor: true},
	"^PORTSEL": vendor(remember("(0,1)")), "+ZOPRT": vendor(remember("(5,6)")), "+ZCDRUN": vendor(remember("(8,9)")), "#QSS": vendor(remember("(0-2)")),
	"#REBOOT": {run: resetAfterOK, vendor: true}, "+CRESET": {run: resetAfterOK, vendor: true}, "^RESET": {run: resetAfterOK, vendor: true},
	"+QPOWD": {run: powerDown, set: powerDown, vendor: true},
	"+CIND":  {test: `("battchg",(0-5)),("signal",(0-5)),("service",(0,1)),("message",(0,1)),("call",(0,1)),("roam",(0,1)),("smsfull",(0,1))`, read: readCIND},
}

func onOff(put func(*settings, bool)) command {
	return command{run: func(x *exec) final {
		switch x.args {
		case "", "0":
			put(&x.m.set, false)
		case "1":
			put(&x.m.set, true)
		default:
			return resultError
		}
		return resultOK
	}}
}

func register() command {
	return command{
		read: func(x *exec) final {
			x.sayf("%03d", x.m.set.s[x.name])
			return resultOK
		},
		set: func(x *exec) final {
			v, err := strconv.Atoi(x.args)
			if err != nil || v > 255 {
				return resultError
			}
			x.m.set.s[x.name] = v
			return resultOK
		},
	}
}

func factory(x *exec) final {
	x.m.defaults()
	return resultOK
}

func dtr(x *exec) final {
	x.m.set.dtr, _ = strconv.Atoi(x.args)
	return resultOK
}

// revisionLabels stand before the revision in some makes' answer to AT+CGMR; ATI has one of its own.
var revisionLabels = []string{"+CGMR:", "Revision:", "REVISION"}

func identify(x *exec) final {
	revision := x.m.prof.Revision
	for _, label := range revisionLabels {
		revision = strings.TrimSpace(strings.TrimPrefix(revision, label))
	}
	x.say(x.m.prof.Manufacturer)
	x.say(x.m.prof.Model)
	x.say("Revision: " + revision)
	return resultOK
}

func readCFUN(x *exec) final {
	x.sayf("+CFUN: %d", x.m.cfun)
	return resultOK
}

// setCFUN switches the radio; a second 1 resets the modem, after the OK.
func setCFUN(x *exec) final {
	m := x.m
	v, ok := numbers(x.args, -1, 0)
	switch {
	case ok && v[0] >= 0 && (v[1] == 1 || m.prof.ResetCFUN > 0 && v[0] == m.prof.ResetCFUN):
		return resetAfterOK(x)
	case !ok || !slices.Contains([]int{0, 1, 4}, v[0]):
		return m.cmeError(50)
	}
	before := m.registration()
	m.cfun = v[0]
	if m.registration() != before {
		m.n.after(0, m.registered)
	}
	if m.cfun == 1 {
		m.wait()
	}
	return resultOK
}

func readCSCS(x *exec) final {
	x.sayf(`+CSCS: "%s"`, x.m.set.charset)
	return resultOK
}

func setCSCS(x *exec) final {
	f := fields(x.args)
	if len(f) != 1 || !slices.Contains([]string{"IRA", "GSM", "UCS2"}, f[0]) {
		return x.m.cmeError(50)
	}
	x.m.set.charset = f[0]
	return resultOK
}

func readCCLK(x *exec) final {
	now := x.m.n.now()
	if x.m.n.cfg.NoTime {
		now = time.Date(2004, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	_, offset := now.Zone()
	x.say(fmt.Sprintf(`+CCLK: "%s%+03d"`, now.Format("06/01/02,15:04:05"), offset/900))
	return resultOK
}

func setCLIP(x *exec) final {
	v, ok := x.number(0, 1)
	if !ok {
		return x.m.cmeError(50)
	}
	x.m.set.clip = v
	return resultOK
}

// setCURC is Huawei's tap for its chatter.
func setCURC(x *exec) final {
	v, ok := x.number(0, 1, 2)
	if !ok {
		return x.m.unknown()
	}
	x.m.set.chatter = v == 1
	return resultOK
}

func readCIND(x *exec) final {
	service := 0
	if x.m.reachable() {
		service = 1
	}
	x.sayf("+CIND: 5,4,%d,0,0,0,0", service)
	return resultOK
}

func resetAfterOK(x *exec) final {
	x.m.n.after(0, x.m.reboot)
	return resultOK
}

// powerDown is Quectel's; the module stays off until it is powered again.
func powerDown(x *exec) final {
	m := x.m
	m.n.after(0, func() {
		m.urc("POWERED DOWN")
		m.powerOff()
	})
	return resultOK
}
