package daemon

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"time"

	"simpost/configs"
	"simpost/daemon/api"
	"simpost/hw"
	"simpost/modem"
)

// Examiner looks at modems itself, for when no daemon does: it opens each port,
// asks what a session would ask, and closes it. It sends nothing, deletes nothing
// and enters no PIN. The zero value is ready.
type Examiner struct {
	Open  func(hw.Port) (io.ReadWriteCloser, error) // nil is hw.Open
	Hands hw.Hands                                  // their Root is for tests
}

// examineLimits keep a person from waiting long for a port that says nothing.
var examineLimits = modem.Limits{Command: 5 * time.Second, Boot: 20 * time.Second}

// examineLimit is for one modem in all.
const examineLimit = time.Minute

// Modems examines the modems of a configuration, one after the other, and says
// what is wrong with each; before tells which one is next. Those that are not
// named by a path or a place are looked for among what else is attached.
func (e *Examiner) Modems(ctx context.Context, modems []configs.Modem, before func(configs.Modem)) []api.Modem {
	named, others, ports := e.resolve(modems)
	all := e.each(ctx, named, before)
	if len(others) == 0 {
		return all // what is left is nobody's, and not ours to open
	}
	return append(all, e.match(others, e.each(ctx, ports, before))...)
}

// Attached examines what is attached and surely a modem, for when there is no
// configuration; each is called by its place.
func (e *Examiner) Attached(ctx context.Context, before func(configs.Modem)) []api.Modem {
	_, _, ports := e.resolve(nil)
	return e.each(ctx, ports, before)
}

// Place is where on USB the modem of this name is plugged in, "" where that can't be
// told. A modem that its device does not name is looked for as Modems does. It is
// known if the configuration has it, or its automatic modem may be called so.
func (e *Examiner) Place(ctx context.Context, modems []configs.Modem, name string, before func(configs.Modem)) (place string, known bool) {
	for _, mc := range modems {
		how, _ := mc.FoundBy()
		if mc.Name == name && (how == configs.ByPath || how == configs.ByPlace) {
			return e.PlaceOf(mc.Device), true
		}
		known = known || mc.Name == name || how == configs.Auto && configs.IsAutoName(mc.Name, name)
	}
	if !known {
		return "", false
	}
	for _, m := range e.Modems(ctx, modems, before) {
		if m.Name == name {
			return e.PlaceOf(m.Device), true
		}
	}
	return "", true
}

// PlaceOf is the place on USB that a modem's device names, "" if it names none.
func (e *Examiner) PlaceOf(device string) string {
	switch how, value := (configs.Modem{Device: device}).FoundBy(); how {
	case configs.ByPath:
		return e.Hands.USBOf(value)
	case configs.ByPlace:
		return value
	}
	return ""
}

// resolve parts the modems into those whose device is known now, those that only
// an answer can tell, and the ports that are left for these.
func (e *Examiner) resolve(modems []configs.Modem) (named, others, ports []configs.Modem) {
	taken := map[string]bool{}
	for _, mc := range modems {
		switch how, value := mc.FoundBy(); how {
		case configs.ByPath:
			taken[e.Hands.USBOf(value)] = true
			named = append(named, mc)
		case configs.ByPlace:
			taken[value] = true
			named = append(named, mc)
		default:
			others = append(others, mc)
		}
	}
	at := map[string]string{}
	for _, d := range attachedTo(&e.Hands) {
		choice := d.Choose()
		at[d.Place] = choice.TTY.Path
		if choice.Sure && d.IsModem() && !taken[d.Place] {
			ports = append(ports, configs.Modem{Name: d.Place, Device: choice.TTY.Path})
		}
	}
	for i, mc := range named {
		if how, place := mc.FoundBy(); how == configs.ByPlace && at[place] != "" {
			named[i].Device = at[place]
		}
	}
	return named, others, ports
}

// match gives the modems that answered the names that mean them: first by what they
// say of themselves, then those that said nothing may be the ones that are missing,
// and the automatic modem is all the rest.
func (e *Examiner) match(modems []configs.Modem, seen []api.Modem) []api.Modem {
	free := make([]int, len(seen)) // indices
	for i := range seen {
		free[i] = i
	}
	take := func(mc configs.Modem, is func(api.Modem) bool) bool {
		i := slices.IndexFunc(free, func(i int) bool { return is(seen[i]) })
		if i >= 0 {
			seen[free[i]].Name = mc.Name
			free = slices.Delete(free, i, i+1)
		}
		return i >= 0
	}
	slices.SortStableFunc(modems, func(a, b configs.Modem) int { return isAuto(a) - isAuto(b) })
	var missing []configs.Modem
	for _, mc := range modems {
		auto := isAuto(mc) == 1
		found := take(mc, func(m api.Modem) bool { return mc.Device == "imei:"+m.IMEI || mc.Device == "iccid:"+m.ICCID }) ||
			take(mc, func(m api.Modem) bool { return auto || m.IMEI == "" })
		if !found {
			missing = append(missing, mc)
		}
		for n := 2; auto && take(configs.Modem{Name: fmt.Sprintf("%s-%d", mc.Name, n)}, func(api.Modem) bool { return true }); n++ {
		}
	}
	return append(seen, e.each(context.Background(), missing, func(configs.Modem) {})...)
}

func isAuto(mc configs.Modem) int {
	if how, _ := mc.FoundBy(); how == configs.Auto {
		return 1
	}
	return 0
}

// each examines modems one after the other.
func (e *Examiner) each(ctx context.Context, modems []configs.Modem, before func(configs.Modem)) []api.Modem {
	b := newBoard(modems, time.Now())
	for _, mc := range modems {
		before(mc)
		if detail := pinFileOpenTo(mc.PINFile); detail != "" {
			b.find(mc.Name, api.FindPINFile, detail)
		}
		one, cancel := context.WithTimeout(ctx, examineLimit)
		code, err := e.examine(one, b, mc)
		cancel()
		remedy := remedyOf(err)
		if code == api.CondPINRequired && mc.PINFile != "" {
			remedy = "nothing: the daemon enters the PIN of pin_file; a mere look enters none"
		}
		b.become(mc.Name, code, remedy, time.Now())
		b.because(mc.Name, err)
		if err != nil {
			b.fault(mc.Name, api.Reason{Code: string(code), Message: err.Error()})
		}
	}
	return e.diagnosed(b)
}

// examine opens a modem and returns the condition that it would be in.
func (e *Examiner) examine(ctx context.Context, b *board, mc configs.Modem) (api.ConditionCode, error) {
	if how, _ := mc.FoundBy(); how != configs.ByPath {
		err := absentError("nothing that is attached says that it is this modem")
		return conditionOf(err), err
	}
	open := e.Open
	if open == nil {
		open = hw.Open
	}
	port, err := open(hw.Port{Path: mc.Device, Baud: mc.Baud, RTSCTS: mc.RTSCTS})
	if err != nil {
		return conditionOf(err), err
	}
	m, err := modem.Open(ctx, port, modem.Config{Name: mc.Name, Profile: mc.Profile, Limits: examineLimits})
	if err != nil {
		return conditionOf(err), err
	}
	defer m.Close()
	b.identify(mc.Name, m.Identity(), m.Settings())
	st, err := m.Status(ctx)
	if err != nil {
		return conditionOf(err), err
	}
	b.status(mc.Name, time.Now(), st)
	counts, err := m.Counts(ctx)
	if err != nil {
		return conditionOf(err), err
	}
	b.answered(mc.Name, time.Now(), counts)
	var nearly []string
	for _, c := range counts {
		if nearlyFull(false, c.Used, c.Total) {
			nearly = append(nearly, fmt.Sprintf("%s %d of %d", c.Memory, c.Used, c.Total))
		}
	}
	b.fills(mc.Name, nearly)
	return seenCondition(st, m.Settings().NoSMSC(), counts), nil
}

// seenCondition is what a first look says: the session has its own reasons besides.
func seenCondition(st modem.Status, noSMSC bool, counts []modem.MemoryCount) api.ConditionCode {
	for _, c := range counts {
		if c.Total > 0 && c.Used >= c.Total {
			return api.CondMemoryFull
		}
	}
	if st.CanSend && noSMSC {
		return api.CondNoSMSC
	}
	return registrationCondition(st)
}

func (e *Examiner) diagnosed(b *board) []api.Modem {
	modems, machine := b.list(), e.machine()
	for i, f := range b.facts() {
		f.supply, f.attached, f.trusted = machine.supply, machine.attached, machine.trusted
		modems[i].Diagnosis = diagnose(f)
	}
	return modems
}

// machine are the facts that no modem is needed for.
func (e *Examiner) machine() facts {
	clock := systemClock()
	clock.kept = func() bool { return hasRTC(e.Hands.Root) }
	clock.start(time.Time{})
	f := facts{attached: attachedTo(&e.Hands), trusted: clock.trusted()}
	f.supply, _ = e.Hands.ReadSupply()
	return f
}

// Machine says what is wrong with the machine alone, and what hangs on it that is
// a modem and can't be used.
func (e *Examiner) Machine() []api.Diagnosis {
	f := e.machine()
	return append(ofUSB(f), ofMachine(f)...)
}

// attachedTo is what hangs on the USB; nothing where that can't be read.
func attachedTo(h *hw.Hands) []hw.Device {
	all, _ := hw.Attached(filepath.Join(cmp.Or(h.Root, "/"), "sys"))
	return all
}
