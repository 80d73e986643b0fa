package hw

import (
	"cmp"
	_ "embed"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Which terminal of a stick takes AT commands is decided here and nowhere else,
// from the surest to the least sure: the table of models, the rules of makers,
// what the interface says of itself, what is left over. A port known to be for
// diagnostics, positions, sound or something unknown is never chosen, and never
// offered for a try: some sticks crash when they get AT there.

//go:embed ports.txt
var portTable string

// What a terminal is for. The table's words are the keys of tableRoles.
const (
	roleAT       = "AT"
	roleSecondAT = "second AT"
	roleDialUp   = "dial-up"
	roleGPS      = "GPS"
	roleDiag     = "diagnostics"
	roleAudio    = "audio"
	roleOther    = "other"
)

var tableRoles = map[string]string{"at": roleAT, "at2": roleSecondAT, "ppp": roleDialUp,
	"gps": roleGPS, "diag": roleDiag, "audio": roleAudio, "other": roleOther}

// model is a row of the table.
type model struct {
	none  bool           // it looks like a modem, and is none
	roles map[int]string // by interface
}

var models = sync.OnceValue(func() map[string]model { return parseModels(portTable) })

// parseModels reads the table, which is ours: a bad line, or a port with two roles, is a bug.
func parseModels(table string) map[string]model {
	all := map[string]model{}
	for line := range strings.Lines(table) {
		words := strings.Fields(line)
		if len(words) == 0 || words[0] == "#" {
			continue
		}
		m := model{roles: map[int]string{}}
		for _, word := range words[1:] {
			name, list, _ := strings.Cut(word, "=")
			if m.none = name == "none"; m.none {
				break
			}
			for n := range strings.SplitSeq(list, ",") {
				number, err := strconv.ParseUint(n, 16, 8)
				if err != nil || tableRoles[name] == "" || m.roles[int(number)] != "" {
					panic("hw: ports.txt: " + line)
				}
				m.roles[int(number)] = tableRoles[name]
			}
		}
		all[words[0]] = m
	}
	return all
}

// makers are those who make modems and hardly anything else that has a terminal.
// ModemManager's rules are per maker as well.
var makers = map[string]string{"12d1": "Huawei", "3566": "Brovi", "19d2": "ZTE", "2c7c": "Quectel", "1e0e": "SIMCom",
	"1199": "Sierra Wireless", "1bc7": "Telit", "1e2d": "Cinterion", "0681": "Cinterion", "1bbb": "Alcatel", "1546": "u-blox",
	"2cb7": "Fibocom", "1c9e": "Longcheer", "0af0": "Option", "1410": "Novatel", "0bdb": "Ericsson", "2020": "BroadMobi",
	"33f8": "Rolling", "3731": "Netprisma", "305a": "Gosuncn", "0b3c": "Olivetti"}

// modemDrivers are the kernel's drivers that serve modems only.
var modemDrivers = []string{"option", "sierra", "qcserial", "hso", "ipw"}

// huaweiRoles are Huawei's protocol numbers of vendor-specific interfaces, where
// the subclass is 1 to 3 (oFono plugins/udevng.c; ModemManager agrees on 1 and 2).
// The numbers from 10 hex are those of the LTE sticks, as `lsusb -v` shows E3372.
var huaweiRoles = map[int]string{
	0x01: roleDialUp, 0x31: roleDialUp, 0x10: roleDialUp,
	0x02: roleAT, 0x32: roleAT, 0x12: roleAT,
	0x03: roleDiag, 0x33: roleDiag, 0x13: roleDiag,
	0x05: roleGPS, 0x14: roleGPS,
}

func (d Device) fromModemMaker() bool { return makers[d.Vendor] != "" && !d.model().none }

func (d Device) id() string { return d.Vendor + ":" + d.Product }

func (d Device) model() model { return models()[d.id()] }

// IsModem says that the device is a modem by its ids or by the kernel's driver,
// and not only something that may have one behind it.
func (d Device) IsModem() bool {
	m, listed := models()[d.id()]
	switch {
	case m.none:
		return false
	case listed, makers[d.Vendor] != "":
		return true
	}
	return slices.ContainsFunc(d.TTYs, func(t TTY) bool { return slices.Contains(modemDrivers, t.Driver) })
}

// assignRoles names what is known of each terminal.
func (d *Device) assignRoles() {
	m := d.model()
	for i := range d.TTYs {
		t := &d.TTYs[i]
		t.Role = m.roles[t.Interface]
		if t.Role == "" && d.Vendor == "12d1" {
			t.Role = huaweiRole(t.Class)
		}
	}
	if d.Vendor == "12d1" {
		d.assignBareHuawei()
	}
}

func huaweiRole(class [3]int) string {
	switch {
	case class[0] != classVendor:
		return ""
	case class[1] >= 1 && class[1] <= 3, class[1] == 6 && class[2] == 0x14: // 06/14: MU906e's GPS
		return huaweiRoles[class[2]]
	}
	return ""
}

// assignBareHuawei is for the old sticks that say 255/255/255 of every interface:
// 0 is the dial-up port, the highest of 1 to 4 the AT port (oFono plugins/udevng.c).
func (d *Device) assignBareHuawei() {
	last := -1
	for i := range d.TTYs {
		t := &d.TTYs[i]
		switch {
		case t.Role != "" || !d.bareHuawei(*t):
		case t.Interface == 0:
			t.Role = roleDialUp
		case t.Interface <= 4:
			t.Role, last = roleOther, i
		}
	}
	if last >= 0 {
		d.TTYs[last].Role = roleAT
	}
}

// bareHuawei reports whether only what else the stick has tells what a port of it is for.
func (d Device) bareHuawei(t TTY) bool {
	return d.Vendor == "12d1" && t.Class == [3]int{classVendor, 0xff, 0xff} && d.model().roles[t.Interface] == ""
}

// saysAT reports whether an interface says that it takes AT commands: CDC ACM
// with a protocol from V.250 to CDMA (USB CDC 1.2, table 17; PSTN 1.2).
func (t TTY) saysAT() bool {
	return t.Class[0] == classComm && t.Class[1] == 2 && t.Class[2] >= 1 && t.Class[2] <= 6
}

// Choice is what Choose makes of a device.
type Choice struct {
	TTY   TTY    // the AT port, or the likeliest; its Path is empty if there is none
	Sure  bool   // table or rules decided: nothing needs to be tried
	Early bool   // a port that is still to come may be the better one
	Try   []TTY  // unless Sure: what may be tried for an answer to AT, the likeliest first
	Later []TTY  // what is left for when those stay silent, for diagnostics more likely than for AT
	Why   string // the reason in words, for people
}

// Choose says which terminal of the device takes AT commands, and why.
func (d Device) Choose() Choice {
	if d.model().none {
		return Choice{Why: fmt.Sprintf("%s is listed as a positioning receiver or another device without AT", d.id())}
	}
	if len(d.TTYs) == 0 {
		return Choice{Why: d.whyNoTTY()}
	}
	for _, role := range []string{roleAT, roleSecondAT} {
		if i := slices.IndexFunc(d.TTYs, func(t TTY) bool { return t.Role == role }); i >= 0 {
			return Choice{TTY: d.TTYs[i], Sure: true, Early: role != roleAT || d.bareHuawei(d.TTYs[i]), Why: d.whyRole(d.TTYs[i])}
		}
	}
	left := slices.DeleteFunc(slices.Clone(d.TTYs), func(t TTY) bool { return t.Role != "" })
	if len(left) == 0 {
		return d.lastResort()
	}
	slices.SortStableFunc(left, func(a, b TTY) int { return cmp.Compare(b.likely(), a.likely()) })
	return d.fromLeft(left)
}

// likely ranks the ports that no rule knows: what says that it takes AT, then
// what has an endpoint for interrupts, as modems have for their ring signal.
func (t TTY) likely() int {
	switch {
	case t.saysAT():
		return 2
	case t.Endpoints >= 3:
		return 1
	}
	return 0
}

// lastResort is for a device of which every port is known and none is for AT:
// the one for dial-up takes AT too, as long as nobody dials.
func (d Device) lastResort() Choice {
	i := slices.IndexFunc(d.TTYs, func(t TTY) bool { return t.Role == roleDialUp })
	if i < 0 {
		return Choice{Why: "all its ports are known, and none is for AT"}
	}
	return Choice{TTY: d.TTYs[i], Sure: true, Early: true, Why: fmt.Sprintf("interface %02x is for dial-up, and no other port takes AT", d.TTYs[i].Interface)}
}

// fromLeft chooses among the ports that nothing is known of.
func (d Device) fromLeft(left []TTY) Choice {
	first := left[0]
	if d.IsModem() {
		return d.fromModem(left)
	}
	if first.saysAT() {
		return Choice{TTY: first, Try: left, Why: fmt.Sprintf("interface %02x says that it takes AT commands, as much else does: it has to answer first", first.Interface)}
	}
	return Choice{TTY: first, Try: left, Why: fmt.Sprintf("a USB-serial adapter (%s): whatever hangs on it has to answer to AT first", first.Driver)}
}

// fromModem is fromLeft for a modem. A port without an endpoint for interrupts is
// for diagnostics more likely than for AT, but some makers' AT ports have none either.
func (d Device) fromModem(left []TTY) Choice {
	first := left[0]
	switch {
	case first.saysAT():
		return Choice{TTY: first, Sure: true, Early: true, Why: fmt.Sprintf("interface %02x says that it takes AT commands (CDC ACM, protocol %d)", first.Interface, first.Class[2])}
	case len(left) == 1:
		return Choice{TTY: first, Sure: true, Early: true, Why: fmt.Sprintf("interface %02x is the only port of the modem that can be for AT", first.Interface)}
	}
	c := Choice{TTY: first, Early: true, Try: left, Why: fmt.Sprintf("%s is in no table: one of its %d ports has to answer to AT", d.id(), len(left))}
	if i := slices.IndexFunc(left, func(t TTY) bool { return t.likely() == 0 }); i > 0 {
		c.Try, c.Later = left[:i], left[i:]
	}
	return c
}

func (d Device) whyRole(t TTY) string {
	if d.model().roles[t.Interface] != "" {
		return fmt.Sprintf("interface %02x is the %s port of %s, by the table of models", t.Interface, t.Role, d.id())
	}
	return fmt.Sprintf("interface %02x is the %s port, by Huawei's class %d/%d/%d", t.Interface, t.Role, t.Class[0], t.Class[1], t.Class[2])
}

// whyNoTTY is for a maker's device without a terminal.
func (d Device) whyNoTTY() string {
	switch d.Mute() {
	case NetworkCard:
		return "it is a network card only (HiLink and the like): it has no AT port"
	case CDROMMode:
		return "it shows itself as a CD-ROM: install usb-modeswitch, and plug it in again"
	case NoDriver:
		return "no driver has made a port of it: the kernel module option may be missing"
	}
	return "it has no port, and nothing on it looks like one"
}
