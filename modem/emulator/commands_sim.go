package emulator

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf16"
)

// Faults that take commands away.
const (
	triesUntold = "life.tries-untold"
	cardUntold  = "life.card-untold"
)

// simCommands are about the card (TS 27.007 5.6, 8.3, 8.18).
var simCommands = map[string]command{
	"+CPIN":  {read: readCPIN, set: setCPIN, testFunc: func(*exec) final { return resultOK }},
	"+CPINR": {run: readCPINR, set: readCPINR, untold: triesUntold},
	"^CPIN":  {read: readHuaweiCPIN, vendor: true, untold: triesUntold},
	"#PCT":   {run: readPCT, read: readPCT, vendor: true, untold: triesUntold},
	"+SPIC":  {run: readSPIC, vendor: true, untold: triesUntold}, "+QPINC": {set: setQPINC, vendor: true, untold: triesUntold},
	"+CPINC": triesLeft(pinPIN2PUK), "+UPINCNT": triesLeft(pinPIN2PUK), "+ZPINPUK": triesLeft(pinPUK), "*EPIN": triesLeft(pinPUK),
	"^SPIC":   {set: setSPIC, vendor: true, untold: triesUntold},
	"+CLCK":   {test: `("SC","FD","PN")`, set: setCLCK},
	"+CPWD":   {test: `("SC",8)`, set: setCPWD},
	"+CIMI":   {run: func(x *exec) final { x.say(x.m.sim.IMSI); return resultOK }, testFunc: func(*exec) final { return resultOK }, sim: true, untold: cardUntold},
	"+CICCID": iccid(), "+CCID": iccid(), "+QCCID": iccid(), "+ICCID": iccid(), "^ICCID": iccid(), "#CCID": iccid(), "^SCID": vendor(iccid()),
	"+CRSM": {set: setCRSM, testFunc: func(*exec) final { return resultOK }, sim: true, untold: cardUntold},
	"+CNUM": {run: runCNUM, testFunc: func(*exec) final { return resultOK }, sim: true},
	"+CPBS": {test: `("SM","ME","ON")`, set: setCPBS, read: readCPBS, sim: true},
	"+CPBR": {testFunc: testCPBR, set: setCPBR, sim: true},
	"+CSIM": {set: func(x *exec) final { return x.m.cmeError(4) }, sim: true},
}

func readCPIN(x *exec) final {
	m := x.m
	switch {
	case m.sim == nil:
		return m.cmeError(10)
	case !m.cardReady():
		return m.cmeError(14)
	}
	x.say("+CPIN: " + m.sim.state())
	if m.prof.CPINNoOK || m.hit("final.cpin-no-ok") != nil {
		x.flush()
		return silence
	}
	return resultOK
}

// setCPIN tries a PIN, or a PUK and a new PIN. A card that needs neither says so.
func setCPIN(x *exec) final {
	m := x.m
	f := fields(x.args)
	switch {
	case m.sim == nil:
		return m.cmeError(10)
	case !m.cardReady():
		return m.cmeError(14)
	case m.sim.state() == "READY":
		return m.cmeError(3)
	case m.sim.state() == "SIM PUK" && len(f) == 2:
		if !m.sim.unblock(f[0], f[1]) {
			return m.cmeError(16)
		}
	case m.sim.state() == "SIM PUK":
		return m.cmeError(12)
	case len(f) == 0 || !m.sim.verify(f[0]):
		if m.sim.state() == "SIM PUK" {
			return m.cmeError(12)
		}
		return m.cmeError(16)
	}
	m.accepted()
	return resultOK
}

func readCPINR(x *exec) final {
	if x.m.sim == nil {
		return x.m.cmeError(10)
	}
	x.sayf("+CPINR: SIM PIN,%d,%d", x.m.sim.pinLeft, pinTries)
	x.sayf("+CPINR: SIM PUK,%d,%d", x.m.sim.pukLeft, pukTries)
	return resultOK
}

// readHuaweiCPIN is ^CPIN: state,times,puk,pin,puk2,pin2.
func readHuaweiCPIN(x *exec) final {
	s := x.m.sim
	if s == nil {
		return x.m.cmeError(10)
	}
	x.sayf("^CPIN: %s,,%d,%d,%d,%d", s.state(), s.pukLeft, s.pinLeft, pukTries, pinTries)
	return resultOK
}

func readPCT(x *exec) final {
	s := x.m.sim
	if s == nil {
		return x.m.cmeError(10)
	}
	left := s.pinLeft
	if s.state() == "SIM PUK" {
		left = s.pukLeft
	}
	x.sayf("#PCT: %d", left)
	return resultOK
}

// readSPIC is SIMCom's: PIN, PUK, PIN2, PUK2.
func readSPIC(x *exec) final {
	if x.m.sim == nil {
		return x.m.cmeError(10)
	}
	x.sayf("+SPIC: %d,%d,%d,%d", x.m.sim.pinLeft, x.m.sim.pukLeft, pinTries, pukTries)
	return resultOK
}

// setQPINC is Quectel's, of the card's own PIN ("SC").
func setQPINC(x *exec) final {
	f := fields(x.args)
	switch {
	case x.m.sim == nil:
		return x.m.cmeError(10)
	case len(f) != 1 || f[0] != "SC":
		return x.m.cmeError(50)
	}
	x.sayf(`+QPINC: "SC",%d,%d`, x.m.sim.pinLeft, x.m.sim.pukLeft)
	return resultOK
}

// setCLCK asks for, or switches, the card's PIN: +CLCK="SC",mode[,pin].
func setCLCK(x *exec) final {
	f := fields(x.args)
	s := x.m.sim
	switch {
	case len(f) < 2:
		return x.m.cmeError(50)
	case f[0] != "SC":
		if f[1] == "2" {
			x.say("+CLCK: 0")
			return resultOK
		}
		return x.m.cmeError(4)
	case s == nil:
		return x.m.cmeError(10)
	case f[1] == "2":
		on := 0
		if s.lock {
			on = 1
		}
		x.sayf("+CLCK: %d", on)
		return resultOK
	case len(f) < 3 || !s.verify(f[2]):
		return x.m.cmeError(16)
	}
	s.lock = f[1] == "1"
	return resultOK
}

func setCPWD(x *exec) final {
	f := fields(x.args)
	switch {
	case len(f) != 3 || f[0] != "SC":
		return x.m.cmeError(50)
	case x.m.sim == nil:
		return x.m.cmeError(10)
	case !x.m.sim.verify(f[1]):
		return x.m.cmeError(16)
	}
	x.m.sim.pin = f[2]
	return resultOK
}

// iccid answers under the name the profile has for it, and knows no other.
func iccid() command {
	f := func(x *exec) final {
		if x.name != x.m.prof.ICCIDCommand {
			return x.m.unknown()
		}
		x.say(x.m.prof.ICCIDAnswer + x.m.sim.ICCID)
		return resultOK
	}
	return command{run: f, read: f, sim: true, untold: cardUntold}
}

// The files AT+CRSM reads (TS 31.102 4.2.9, TS 102.221 13.2).
const (
	efICCID = 12258 // 2FE2
	efSMSS  = 28483 // 6F43
)

// setCRSM is READ BINARY (176) and UPDATE BINARY (214) of two files.
func setCRSM(x *exec) final {
	v, ok := numbers(strings.SplitN(x.args, `"`, 2)[0], -1, -1, 0, 0, 0, 0)
	if !ok {
		return x.m.cmeError(50)
	}
	var content []byte
	switch v[1] {
	case efICCID:
		content = semiOctets(x.m.sim.ICCID, 10)
	case efSMSS:
		content = []byte{x.m.sim.lastMR, 0xFF}
	default:
		x.say(`+CRSM: 106,130,""`) // file not found
		return resultOK
	}
	switch v[0] {
	case 176:
		n := v[4]
		if n <= 0 || n > len(content) {
			n = len(content)
		}
		x.sayf(`+CRSM: 144,0,"%X"`, content[:n])
	case 214:
		f := fields(x.args)
		if mr, err := strconv.ParseUint(f[len(f)-1][:min(2, len(f[len(f)-1]))], 16, 8); err == nil && v[1] == efSMSS {
			x.m.sim.lastMR = byte(mr)
		}
		x.say("+CRSM: 144,0")
	default:
		return x.m.cmeError(4)
	}
	return resultOK
}

// semiOctets is swapped BCD, filled with F to n octets.
func semiOctets(d string, n int) []byte {
	d += strings.Repeat("F", max(0, 2*n-len(d)))
	out := make([]byte, n)
	for i := range out {
		b, _ := strconv.ParseUint(string([]byte{d[2*i+1], d[2*i]}), 16, 8)
		out[i] = byte(b)
	}
	return out
}

func runCNUM(x *exec) final {
	x.sayf(`+CNUM: "","%s",145`, x.m.inCharset(x.m.sim.Number))
	return resultOK
}

// inCharset writes a string as the chosen CSCS wants it.
func (m *Modem) inCharset(s string) string {
	if m.set.charset != "UCS2" {
		return s
	}
	var b strings.Builder
	for _, u := range utf16.Encode([]rune(s)) {
		fmt.Fprintf(&b, "%04X", u)
	}
	return b.String()
}

// fromCharset reads what the host wrote in it.
func (m *Modem) fromCharset(s string) string {
	if m.set.charset != "UCS2" || len(s)%4 != 0 || s == "" {
		return s
	}
	var u []uint16
	for i := 0; i < len(s); i += 4 {
		v, err := strconv.ParseUint(s[i:i+4], 16, 16)
		if err != nil {
			return s
		}
		u = append(u, uint16(v))
	}
	return string(utf16.Decode(u))
}
