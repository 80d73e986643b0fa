package modem

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Memories and indications. Policy: messages are stored and then read, because a message that is only shown (+CMT) is
// lost with the next crash; reports may come directly. The poll is one CPMS?, so mem2, which nothing else here uses, is
// pointed at the other physical memory: one answer then counts both.

// MemoryCount is what a memory says of itself.
type MemoryCount struct {
	Memory      string
	Used, Total int
}

// physical are memories that hold messages themselves; MT, SM_P and the like are views of them, BM holds broadcasts.
var physical = []string{"SM", "ME", "SR", "TA"}

// storage chooses where messages arrive and finds out which memories can be swept.
func (m *Modem) storage(ctx context.Context) error {
	v, err := m.query(ctx, "+CPMS=?", "+CPMS")
	if err != nil && !refused(err) {
		v, _ = m.query(ctx, "+CPMS=?", "+CPMS") // a memory that is not known of is not read
	}
	offered := groups(v)
	named := append(slices.Concat(offered[:]...), m.mems[:]...)
	chosen := m.chooseReceive(ctx, offered, sweepable(named))
	m.set.Receive = m.mems[2]
	// What is in force can be read, whatever was offered: else a modem that arrives there is deaf.
	m.set.Memories = inFront(sweepable(append(named, m.mems[:]...)), m.mems[0])
	if !chosen { // nothing it says of its memories was true: try each
		m.set.Memories = m.selectable(ctx, m.set.Memories)
		m.counts(ctx)
	}
	return nil
}

// selectable are those of mems that can be made the memory in force; the first of them is, in the end.
func (m *Modem) selectable(ctx context.Context, mems []string) []string {
	var out []string
	for _, mem := range mems {
		if _, _, err := m.selectMemory(ctx, mem); err == nil {
			out = append(out, mem)
		}
	}
	if len(out) > 0 {
		m.selectMemory(ctx, out[0])
	}
	return out
}

// counts reads CPMS? and remembers what is in force.
func (m *Modem) counts(ctx context.Context) ([]MemoryCount, [3]string) {
	v, err := m.query(ctx, "+CPMS?", "+CPMS")
	if err != nil {
		return nil, [3]string{}
	}
	return m.remember(v)
}

// remember notes what CPMS? says is in force.
func (m *Modem) remember(v string) ([]MemoryCount, [3]string) {
	counts, mems := parseCounts(v)
	m.mems, m.told, m.counting = mems, true, true
	return counts, mems
}

// sweepable are the physical ones of the memories that are offered, for whatever, or in force: List leaves out what can't
// be selected after all. A modem that has none keeps the first that it names.
func sweepable(all []string) []string {
	var out []string
	for _, mem := range all {
		if slices.Contains(physical, mem) && !slices.Contains(out, mem) {
			out = append(out, mem)
		}
	}
	if len(out) == 0 {
		for _, mem := range all {
			if memoryName(mem) {
				return []string{mem}
			}
		}
	}
	return out
}

// memoryName keeps what a modem calls a memory fit to stand between quotes on the wire.
func memoryName(s string) bool {
	return s != "" && len(s) <= 8 && !strings.ContainsFunc(s, func(r rune) bool {
		return r != '_' && (r < '0' || r > '9') && (r < 'A' || r > 'Z')
	})
}

// inFront is list with first, if it is in it, at its head.
func inFront(list []string, first string) []string {
	i := slices.Index(list, first)
	if i <= 0 {
		return list
	}
	return append([]string{first}, slices.Delete(slices.Clone(list), i, i+1)...)
}

// chooseReceive walks the dialect's memories and the arities of CPMS (3, 2, 1: MODEMS 1.4 step 7) until one is in force
// on a re-read (true), or was taken by a modem that has none. Where none is, the modem's own choice stays.
func (m *Modem) chooseReceive(ctx context.Context, offered [3][]string, sweep []string) bool {
	for _, r := range m.dialect.memory {
		if hint := offered[2]; len(hint) > 0 && !slices.Contains(hint, r) {
			continue
		}
		for _, set := range m.cpmsForms(r, other(sweep, r, offered[1])) {
			if m.gone(ctx) != nil {
				return false
			}
			if _, err := m.ask(ctx, cpms(set)); err != nil {
				continue
			}
			_, now := m.counts(ctx)
			if !m.counting { // it never tells what is in force: what it took is
				copy(now[:], set)
				m.mems = now
			}
			if now[0] == r && (len(set) < 3 || now[2] == r) {
				m.arity = len(set)
				return true
			}
		}
	}
	m.counts(ctx)
	m.arity = 3
	if memoryName(m.mems[0]) {
		m.arity = m.acceptedArity(ctx)
		m.counts(ctx)
	}
	return false
}

// acceptedArity finds out with which form the memory in force can be named again.
func (m *Modem) acceptedArity(ctx context.Context) int {
	for _, set := range m.cpmsForms(m.mems[0], "") {
		if _, err := m.ask(ctx, cpms(set)); err == nil {
			return len(set)
		}
	}
	return 1
}

// other is the memory that mem2 is to count: a physical one that is not r.
func other(sweep []string, r string, hint []string) string {
	for _, mem := range sweep {
		if mem != r && (len(hint) == 0 || slices.Contains(hint, mem)) {
			return mem
		}
	}
	return ""
}

// cpmsForms are the ways to name r, those left out that the dialect knows to be refused.
func (m *Modem) cpmsForms(r, second string) [][]string {
	forms := [][]string{{r, r, r}, {r, r}, {r}}
	if second != "" {
		forms = append([][]string{{r, second, r}}, forms...)
	}
	return slices.DeleteFunc(forms, func(set []string) bool { return len(set) > m.dialect.arity })
}

func cpms(mems []string) string { return `+CPMS="` + strings.Join(mems, `","`) + `"` }

// selectMemory makes mem the one that CMGL, CMGR and CMGD work on, with a command only where it is not yet.
func (m *Modem) selectMemory(ctx context.Context, mem string) (used, total int, err error) {
	if m.mems[0] == mem {
		return -1, -1, nil
	}
	if !memoryName(mem) {
		return -1, -1, fmt.Errorf("select memory %q: no such name", mem)
	}
	set := []string{mem}
	for _, also := range m.mems[1:max(m.arity, 1)] {
		if also == "" {
			also = mem
		}
		set = append(set, also)
	}
	m.mems[0], m.told = "", false // not known until the modem says so
	v, err := m.query(ctx, cpms(set), "+CPMS")
	if err != nil && !errors.Is(err, errNoLine) {
		return -1, -1, fmt.Errorf("select memory %s: %w", mem, err)
	}
	m.mems[0] = mem
	if used, total, ok := parseSelected(v); ok {
		return used, total, nil
	}
	return -1, -1, nil
}

// directLadder is for a modem whose store can't be read: messages must come as +CMT, and that only with an
// acknowledgement, CSMS=1 (HOUSE 9).
var directLadder = []string{"2,2,0,1,0", "1,2,0,1,0", "2,2,0,0,0"}

// indications walks the dialect's ladder of CNMI; a rung counts when it was taken and reads back the same.
func (m *Modem) indications(ctx context.Context) error {
	m.set.CNMI = "poll"
	if m.dialect.mute {
		m.ask(ctx, "+CNMI=2,0,0,0,0")
		return nil
	}
	if !m.dialect.direct && len(m.set.Memories) > 0 {
		m.setCSMS(ctx, 0)
		m.climb(ctx, append(slices.Clone(m.dialect.cnmi), cnmiEnd...))
	} else if m.setCSMS(ctx, 1); m.set.CSMS != 1 || !m.climb(ctx, directLadder) {
		m.setCSMS(ctx, 0)
	}
	return nil
}

func (m *Modem) climb(ctx context.Context, ladder []string) bool {
	for _, rung := range ladder {
		if m.gone(ctx) == nil && m.setCNMI(ctx, rung) {
			m.set.CNMI = rung
			return true
		}
	}
	return false
}

// setCSMS sets the message service where another is in force.
func (m *Modem) setCSMS(ctx context.Context, service int) {
	if m.readCSMS(ctx) && m.set.CSMS == service {
		return
	}
	m.ask(ctx, fmt.Sprintf("+CSMS=%d", service))
	m.readCSMS(ctx)
}

func (m *Modem) readCSMS(ctx context.Context) bool {
	v, err := m.query(ctx, "+CSMS?", "+CSMS")
	n, ok := number(fields(v), 0)
	if ok = ok && err == nil; ok {
		m.set.CSMS = n
	}
	return ok
}

func (m *Modem) setCNMI(ctx context.Context, rung string) bool {
	if _, err := m.ask(ctx, "+CNMI="+rung); err != nil {
		return false
	}
	v, err := m.query(ctx, "+CNMI?", "+CNMI")
	if err != nil {
		return refused(err) // it can be set but not asked for
	}
	m.asksCNMI = sameCNMI(v, rung)
	return m.asksCNMI
}

// sameCNMI compares mode, mt, bm and ds; bfr says only what happens to what was buffered.
func sameCNMI(got, want string) bool {
	g, w := fields(got), fields(want)
	return len(g) >= 4 && slices.Equal(g[:4], w[:4])
}

// Rearm sets the indications again where the modem has dropped them: after a missed acknowledgement it sets mt and ds to
// 0 without a word (TS 27.005 3.4.1). changed says that it had.
func (m *Modem) Rearm(ctx context.Context) (changed bool, err error) {
	if m.set.CNMI == "poll" {
		return false, nil
	}
	v, err := m.query(ctx, "+CNMI?", "+CNMI")
	if err != nil || sameCNMI(v, m.set.CNMI) {
		return false, ignoreRefused(err)
	}
	if _, err := m.ask(ctx, "+CNMI="+m.set.CNMI); err != nil {
		return true, fmt.Errorf("set the indications again: %w", err)
	}
	return true, nil
}
