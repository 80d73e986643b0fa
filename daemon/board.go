package daemon

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"simpost/configs"
	"simpost/daemon/api"
	"simpost/modem"
)

// board is what the daemon knows of its modems, for anyone who asks. Sessions
// write to it, the HTTP server reads copies. Safe for concurrent use.
type board struct {
	mu     sync.Mutex
	order  []string
	modems map[string]*api.Modem
	last   map[string]api.Condition // what each came to, before it was tried again
	causes map[string]error         // of that; nil while it works
	found  map[string]findings
}

func newBoard(modems []configs.Modem, now time.Time) *board {
	b := &board{modems: map[string]*api.Modem{}, last: map[string]api.Condition{},
		causes: map[string]error{}, found: map[string]findings{}}
	for _, m := range modems {
		b.add(m, now)
	}
	return b
}

// add puts up one that was found.
func (b *board) add(m configs.Modem, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.order = append(b.order, m.Name)
	b.modems[m.Name] = &api.Modem{Name: m.Name, Device: m.Device, Profile: m.Profile,
		Memories: []api.Memory{}, Diagnosis: []api.Diagnosis{}, Condition: condition(api.CondStarting, now)}
}

// names are those of all modems.
func (b *board) names() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.order)
}

// update changes one modem's entry.
func (b *board) update(name string, change func(*api.Modem)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	change(b.modems[name])
}

// list is a copy of all entries in the order of the configuration, found ones last.
func (b *board) list() []api.Modem {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := make([]api.Modem, 0, len(b.order))
	for _, name := range b.order {
		m := *b.modems[name]
		m.Memories = append([]api.Memory{}, m.Memories...)
		all = append(all, m)
	}
	return all
}

// become sets the condition and says whether that is news: another one than
// before, starts between two failures aside. remedy replaces the general one where
// more is known.
func (b *board) become(name string, code api.ConditionCode, remedy string, now time.Time) (api.Condition, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	m, last := b.modems[name], b.last[name]
	m.CanSend = code == api.CondReady || code == api.CondRoaming || code == api.CondCantReceive
	if code == last.Code {
		m.Condition = last
		return last, false
	}
	m.Condition = condition(code, now)
	m.Condition.Remedy = cmp.Or(remedy, m.Condition.Remedy)
	if code == api.CondStarting {
		return m.Condition, false
	}
	b.last[name] = m.Condition
	return m.Condition, true
}

func (b *board) identify(name string, id modem.Identity, set modem.Settings) {
	b.update(name, func(m *api.Modem) {
		m.IMEI, m.IMSI, m.ICCID, m.Number = id.IMEI, id.IMSI, id.ICCID, id.Number
		m.Manufacturer, m.Model, m.Revision = id.Manufacturer, id.Model, id.Revision
		m.Profile, m.SMSC, m.Indications = set.Profile, set.SMSC, set.CNMI
		m.Recovery = nil
	})
}

func (b *board) answered(name string, now time.Time, counts []modem.MemoryCount) {
	b.update(name, func(m *api.Modem) {
		m.LastAnswer = &now
		m.Memories = m.Memories[:0:0]
		for _, c := range counts {
			m.Memories = append(m.Memories, api.Memory{Name: c.Memory, Used: c.Used, Total: c.Total})
		}
	})
}

func (b *board) status(name string, now time.Time, st modem.Status) {
	b.update(name, func(m *api.Modem) {
		m.LastAnswer = &now
		m.Registration, m.Operator, m.OperatorChoice, m.Signal, m.Bearer = st.State, st.Operator, "", nil, bearer(st.Access)
		if st.Operator != "" {
			m.OperatorChoice = api.OperatorChoice(st.Manual)
		}
		if st.Signal != 0 {
			m.Signal = &st.Signal
		}
	})
}

// offline takes back what a modem said of its network: nobody knows that now.
func (b *board) offline(name string) {
	b.update(name, func(m *api.Modem) {
		m.Registration, m.Operator, m.OperatorChoice, m.Signal, m.Bearer = "", "", "", nil, ""
	})
}

// because keeps why a modem is in its condition, nil for one that works.
func (b *board) because(name string, cause error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.causes[name] = cause
}

// find notes what a session noticed, and says whether it is news; withdraw takes it
// back.
func (b *board) find(name string, code api.ConditionCode, detail string) (news bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.found[name] == nil {
		b.found[name] = findings{}
	}
	was, known := b.found[name][code]
	b.found[name][code] = detail
	return !known || was != detail
}

func (b *board) withdraw(name string, code api.ConditionCode) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.found[name], code)
}

// fills notes which memories of a modem are nearly full.
func (b *board) fills(name string, memories []string) {
	if len(memories) == 0 {
		b.withdraw(name, api.FindFilling)
		return
	}
	b.find(name, api.FindFilling, strings.Join(memories, ", "))
}

// recovers shows the step that is being taken, and counts it.
func (b *board) recovers(name string, r *api.Recovery) (taken int) {
	b.update(name, func(m *api.Modem) { m.Recovery = r })
	return b.count(name, r.Step)
}

// count counts a step since the daemon started.
func (b *board) count(name string, step api.RecoveryStep) (taken int) {
	b.update(name, func(m *api.Modem) {
		counts := maps.Clone(m.Recoveries) // copies of it are with others
		if counts == nil {
			counts = map[api.RecoveryStep]int{}
		}
		counts[step]++
		m.Recoveries, taken = counts, counts[step]
	})
	return taken
}

// facts are copies of what is known of each modem, in the order of the
// configuration. A modem that is tried again is still in the condition it came to.
func (b *board) facts() []facts {
	modems := b.list()
	b.mu.Lock()
	defer b.mu.Unlock()
	all := make([]facts, len(modems))
	for i, m := range modems {
		if last, ok := b.last[m.Name]; ok && m.Condition.Code == api.CondStarting {
			m.Condition = last
		}
		all[i] = facts{modem: m, cause: b.causes[m.Name], found: maps.Clone(b.found[m.Name])}
	}
	return all
}

// at says which terminal the modem is at now, "" where none, and where that is
// plugged in, "" where that is unknown: the place outlives the terminal.
func (b *board) at(name, port, place string) {
	b.update(name, func(m *api.Modem) { m.Port, m.Place = port, cmp.Or(place, m.Place) })
}

func (b *board) fault(name string, r api.Reason) {
	b.update(name, func(m *api.Modem) { m.LastError = &r })
}
