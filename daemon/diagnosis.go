package daemon

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"simpost/configs"
	"simpost/daemon/api"
	"simpost/hw"
)

// A diagnosis is all that is wrong with a modem, the gravest first: the condition
// it is in, what its session noticed beside that, what hangs on the USB and can't
// be used as it is, and what ails the machine. It is made when somebody asks, out
// of facts; it changes nothing. `simpost doctor` shows it, and GET /v1/modems.

// facts are what a diagnosis is made of.
type facts struct {
	modem    api.Modem
	cause    error       // of its condition, nil while it works
	found    findings    // by its session
	attached []hw.Device // by USB
	supply   hw.Supply   // of the machine
	trusted  bool        // the clock
}

// findings are what a session noticed, with a word on each.
type findings map[api.ConditionCode]string

// weakSignal in dBm is below the first bar.
const weakSignal = -105

// healthy are the conditions that nothing needs to be done about.
var healthy = map[api.ConditionCode]bool{api.CondReady: true, api.CondRoaming: true, api.CondStarting: true, api.CondStopping: true}

// modems lists all modems with their diagnoses.
func (d *Daemon) modems() []api.Modem {
	all := d.board.facts()
	modems := d.board.list()
	supply, _ := d.Hands.ReadSupply()
	var attached []hw.Device
	if slices.ContainsFunc(all, func(f facts) bool { return absent[f.modem.Condition.Code] }) {
		attached = d.roster.attached()
	}
	for i := range all {
		all[i].supply, all[i].trusted, all[i].attached = supply, d.clock.trusted(), attached
		modems[i].Diagnosis = diagnose(all[i])
	}
	return modems
}

// diagnose is a pure function.
func diagnose(f facts) []api.Diagnosis {
	all := []api.Diagnosis{}
	if !healthy[f.modem.Condition.Code] {
		all = append(all, ofCondition(f))
	}
	for _, code := range slices.Sorted(maps.Keys(f.found)) {
		if code == api.FindFilling && f.modem.Condition.Code == api.CondMemoryFull {
			continue // that says more
		}
		all = append(all, finding(code, f.found[code]))
	}
	if absent[f.modem.Condition.Code] {
		all = append(all, ofUSB(f)...)
	}
	if f.modem.Signal != nil && *f.modem.Signal < weakSignal {
		all = append(all, finding(api.FindWeak, fmt.Sprintf("%d dBm", *f.modem.Signal)))
	}
	return append(all, ofMachine(f)...)
}

// finding puts a code into words.
func finding(code api.ConditionCode, detail string) api.Diagnosis {
	w, ok := findingWords[code]
	if !ok {
		w, ok = conditionWords[code]
	}
	if !ok {
		panic("daemon: finding without words: " + string(code))
	}
	return api.Diagnosis{Code: code, Sentence: w.sentence, Remedy: w.remedy, Detail: detail}
}

// ofCondition is the condition itself, with what is known of its cause.
func ofCondition(f facts) api.Diagnosis {
	c := f.modem.Condition
	d := api.Diagnosis{Code: c.Code, Sentence: c.Sentence, Remedy: c.Remedy}
	var open *hw.OpenError
	if !errors.As(f.cause, &open) {
		return d
	}
	if open.Condition == hw.PortBusy && open.PID != 0 {
		return ofHolder(open)
	}
	d.Detail = open.Error()
	return d
}

// ofHolder names the program that has a port open.
func ofHolder(open *hw.OpenError) api.Diagnosis {
	d := finding(api.CondPortBusy, open.Error())
	d.Remedy = cmp.Or(open.Remedy, d.Remedy)
	if open.Holder == hw.ModemManager {
		d = finding(api.FindModemManager, open.Error())
	}
	who := fmt.Sprintf("%s (pid %d)", cmp.Or(open.Holder, "a program"), open.PID)
	d.Sentence = strings.Replace(d.Sentence, "another program", who, 1)
	return d
}

// contested are the conditions behind which another program may be: it has the port
// to itself, or takes the answers away.
var contested = map[api.ConditionCode]bool{api.CondPortBusy: true, api.CondSilent: true, api.CondNotModem: true, api.CondStuck: true}

// NameHolders adds to the diagnoses of modems who else has their ports open, where
// that may be what is wrong. It is for root: the daemon sees its own processes only.
// The programs in may, such as the daemon, are none of those.
func NameHolders(modems []api.Modem, may ...int) {
	for i, m := range modems {
		at := slices.IndexFunc(m.Diagnosis, func(d api.Diagnosis) bool { return contested[d.Code] })
		if at < 0 {
			continue
		}
		open := hw.Holder(portOf(m), may...)
		if open == nil {
			continue
		}
		if m.Diagnosis[at].Code == api.CondPortBusy {
			modems[i].Diagnosis[at] = ofHolder(open)
		} else {
			modems[i].Diagnosis = slices.Insert(slices.Clone(m.Diagnosis), at, ofHolder(open))
		}
	}
}

// portOf is the terminal of a modem, "" where it has none.
func portOf(m api.Modem) string {
	if how, path := (configs.Modem{Device: m.Device}).FoundBy(); how == configs.ByPath {
		return cmp.Or(m.Port, path)
	}
	return m.Port
}

// absent are the conditions of a modem that may be one of those that offer no port.
var absent = map[api.ConditionCode]bool{api.CondNoDevice: true, api.CondUnplugged: true, api.CondNotTTY: true,
	api.CondPortError: true, api.CondSilent: true}

// ofUSB names the modems that offer no port.
func ofUSB(f facts) []api.Diagnosis {
	var all []api.Diagnosis
	for _, d := range f.attached {
		if code, ok := muteCodes[d.Mute()]; ok {
			all = append(all, finding(code, deviceName(d)))
		}
	}
	return all
}

var muteCodes = map[hw.Condition]api.ConditionCode{
	hw.CDROMMode: api.FindCDROM, hw.NetworkCard: api.FindNetworkCard, hw.NoDriver: api.FindNoDriver,
}

// deviceName is what a person knows a USB device by.
func deviceName(d hw.Device) string {
	name := strings.TrimSpace(d.Maker + " " + d.Model)
	return strings.TrimSpace(fmt.Sprintf("%s (%s:%s) at %s", name, d.Vendor, d.Product, d.Place))
}

func ofMachine(f facts) []api.Diagnosis {
	var all []api.Diagnosis
	switch {
	case f.supply.Low:
		all = append(all, finding(api.FindUnderVoltage, ""))
	case f.supply.Was:
		all = append(all, finding(api.FindWasLow, ""))
	}
	if !f.trusted {
		all = append(all, finding(api.FindClock, ""))
	}
	return all
}
