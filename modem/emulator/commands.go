package emulator

import (
	"fmt"
	"slices"
	"sort"
	"strings"
)

// command is a row of the modem's vocabulary. A nil func is a form the modem does not know.
type command struct {
	run, read, set func(*exec) final
	test           string // what =? lists
	testFunc       func(*exec) final
	sim            bool   // needs a card that is ready
	vendor         bool   // only where the profile names it
	sms            bool   // its errors are +CMS ERROR
	untold         string // the fault under which it is not known
}

// vocabulary is what every profile knows, less what it refuses.
var vocabulary = merge(basicCommands, generalCommands, simCommands, networkCommands, storageCommands, sendCommands)

// merge is the union of the tables, one a subject.
func merge(tables ...map[string]command) map[string]command {
	all := map[string]command{}
	for _, t := range tables {
		for name, c := range t {
			if _, twice := all[name]; twice {
				panic("emulator: command " + name + " stands in two tables")
			}
			all[name] = c
		}
	}
	return all
}

// gate keeps commands that need the card away from one that is busy, locked or missing.
func (m *Modem) gate(c command, name string) final {
	if f := m.hit("life.cme-515"); f != nil {
		return m.cmeError(515)
	}
	if !c.sim && !slices.Contains(m.prof.NeedsSIM, name) {
		return resultOK
	}
	cme, cms := 0, 0
	switch {
	case m.waiting():
		return m.cmeError(515)
	case m.sim == nil:
		cme, cms = 10, 310
	case !m.cardReady():
		cme, cms = 14, 314
	case m.sim.state() == "SIM PIN":
		cme, cms = 11, 311
	case m.sim.state() == "SIM PUK":
		cme, cms = 12, 316
	default:
		return resultOK
	}
	if c.sms {
		return m.cmsError(cms)
	}
	return m.cmeError(cme)
}

// cmeError is the error as CMEE wants it (TS 27.007 9.1).
func (m *Modem) cmeError(code int) final {
	switch m.set.cmee {
	case 0:
		return resultError
	case 2:
		if text, ok := cmeTexts[code]; ok {
			return final{"+CME ERROR: " + text, resultError.code}
		}
	}
	return final{fmt.Sprintf("+CME ERROR: %d", code), resultError.code}
}

// cmsError is a message service error; most modems give the number whatever CMEE says.
func (m *Modem) cmsError(code int) final {
	if text, ok := cmsTexts[code]; ok && m.set.cmee == 2 && m.prof.CMSVerbose {
		return final{"+CMS ERROR: " + text, resultError.code}
	}
	return final{fmt.Sprintf("+CMS ERROR: %d", code), resultError.code}
}

// cmeTexts is TS 27.007 9.2, what the emulator uses of it.
var cmeTexts = map[int]string{
	3: "operation not allowed", 4: "operation not supported", 10: "SIM not inserted", 11: "SIM PIN required", 12: "SIM PUK required",
	13: "SIM failure", 14: "SIM busy", 16: "incorrect password", 17: "SIM PIN2 required", 20: "memory full", 21: "invalid index",
	22: "not found", 30: "no network service", 50: "Incorrect parameters", 100: "unknown",
}

// cmsTexts is TS 27.005 3.2.5 likewise.
var cmsTexts = map[int]string{
	300: "ME failure", 301: "SMS service of ME reserved", 302: "operation not allowed", 303: "operation not supported",
	304: "invalid PDU mode parameter", 305: "invalid text mode parameter", 310: "SIM not inserted", 311: "SIM PIN required",
	313: "SIM failure", 314: "SIM busy", 316: "SIM PUK required", 320: "memory failure", 321: "invalid memory index", 322: "memory full",
	330: "SMSC address unknown", 331: "no network service", 332: "network timeout", 340: "no +CNMA acknowledgement expected", 500: "unknown error",
}

// number reads a lone numeric argument among those allowed.
func (x *exec) number(allowed ...int) (int, bool) {
	v, ok := numbers(x.args, -1)
	if !ok || !slices.Contains(allowed, v[0]) {
		return 0, false
	}
	return v[0], true
}

// remember is a setting that changes nothing here.
func remember(test string) command {
	return command{
		test: test,
		set: func(x *exec) final {
			x.m.set.other[x.name] = x.args
			return resultOK
		},
		read: func(x *exec) final {
			v, ok := x.m.set.other[x.name]
			if !ok {
				v = "0"
			}
			x.say(x.name + ": " + v)
			return resultOK
		},
	}
}

// flag is a number kept in the settings.
func flag(test string, allowed []int, at func(*settings) *int) command {
	return command{
		test: test,
		set: func(x *exec) final {
			v, ok := x.number(allowed...)
			if !ok {
				return x.m.cmeError(50)
			}
			*at(&x.m.set) = v
			return resultOK
		},
		read: func(x *exec) final {
			x.sayf("%s: %d", x.name, *at(&x.m.set))
			return resultOK
		},
	}
}

// fixed answers one line of information.
func fixed(text func(m *Modem) string) command {
	return command{run: func(x *exec) final {
		x.say(text(x.m))
		return resultOK
	}, testFunc: func(*exec) final { return resultOK }}
}

// vendor makes a command one that only the profiles have which name it.
func vendor(c command) command {
	c.vendor = true
	return c
}

// quiet is a command that does nothing and says OK.
func quiet() command {
	return command{run: func(*exec) final { return resultOK }, testFunc: func(*exec) final { return resultOK }}
}

// list writes numbers as =? does: (0,1,2).
func list(v []int) string {
	var s []string
	for _, n := range v {
		s = append(s, fmt.Sprint(n))
	}
	return "(" + strings.Join(s, ",") + ")"
}

// quoted writes names as =? does: ("SM","ME").
func quoted(v []string) string {
	if len(v) == 0 {
		return "()"
	}
	return `("` + strings.Join(v, `","`) + `")`
}

// clac lists the vocabulary.
func clac(x *exec) final {
	var names []string
	for name, c := range x.m.vocabulary {
		if x.m.prof.knows(c, name, name) {
			names = append(names, name)
		}
	}
	sort.Strings(names)
	for _, name := range names {
		x.say(name)
	}
	return resultOK
}
