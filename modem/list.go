package modem

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// Stored is one slot of a memory. An entry that can't be decoded is here like any other.
type Stored struct {
	Memory string
	Index  int
	Status byte   // 0 unread, 1 read, 2 unsent, 3 sent (TS 27.005 3.1)
	PDU    string // in hex, with the SMSC field in front
	Length int    // octets of the TPDU as the modem says, -1 if it does not
}

// ErrEmpty is Read's error for a slot that holds nothing.
var ErrEmpty = errors.New("slot is empty")

// Counts is the cheap poll: one AT+CPMS?. It tells of the memories in force, which are all where the modem lets mem2
// differ; the others are seen by List. Memories that changed by themselves are a silent reboot: Taken.Rebooted. A modem
// that never told them counts none.
func (m *Modem) Counts(ctx context.Context) ([]MemoryCount, error) {
	v, err := m.query(ctx, "+CPMS?", "+CPMS")
	if misheard(err) {
		v, err = m.query(ctx, "+CPMS?", "+CPMS")
	}
	switch {
	case !m.counting && untold(err):
		return nil, nil // it never does
	case err != nil:
		return nil, fmt.Errorf("count messages: %w", err)
	}
	before, told := m.mems, m.told
	counts, mems := m.remember(v)
	if told && mems != before {
		m.news.rebooted()
	}
	return counts, nil
}

// List reads what is in the physical memories: all of them, or, with hints, the ones that are named or counted as not
// empty, and all of them again if nothing is there, because modems name the wrong one. An empty hint names none. Its error
// names the memory that could not be read; what was read before is returned with it and is good. Where CMGL lies
// (refused, silent, or fewer entries than CPMS counts) the slots are read one by one.
func (m *Modem) List(ctx context.Context, hints ...string) ([]Stored, error) {
	counts, err := m.Counts(ctx)
	if err != nil && !refused(err) {
		return nil, err
	}
	if len(hints) == 0 || slices.Contains(hints, "") {
		return m.listIn(ctx, m.set.Memories, counts)
	}
	all, err := m.listIn(ctx, m.likely(hints, counts), counts)
	if len(all) == 0 && err == nil {
		return m.listIn(ctx, m.set.Memories, counts)
	}
	return all, err
}

// likely are the memories that are hinted at or not empty.
func (m *Modem) likely(hints []string, counts []MemoryCount) []string {
	return slices.DeleteFunc(slices.Clone(m.set.Memories), func(mem string) bool {
		used, _ := countOf(counts, mem)
		return used == 0 || used < 0 && !slices.Contains(hints, mem)
	})
}

func (m *Modem) listIn(ctx context.Context, mems []string, counts []MemoryCount) ([]Stored, error) {
	var all []Stored
	var errs []error
	for _, mem := range inFront(mems, m.mems[0]) {
		got, err := m.sweep(ctx, mem, counts)
		all = append(all, got...)
		if err != nil {
			errs = append(errs, fmt.Errorf("list memory %s: %w", mem, err))
		}
		if m.gone(ctx) != nil {
			break
		}
	}
	return all, errors.Join(errs...)
}

// sweep reads one memory, by CMGL where that can be trusted.
func (m *Modem) sweep(ctx context.Context, mem string, counts []MemoryCount) ([]Stored, error) {
	used, total, err := m.selectMemory(ctx, mem)
	if refused(err) && !m.swept[mem] {
		used, total, err = m.selectMemory(ctx, mem) // a bad line may have spoilt the question
		if refused(err) && !starting(err) {         // offered, and not there
			m.set.Memories = slices.DeleteFunc(slices.Clone(m.set.Memories), func(name string) bool { return name == mem })
			return nil, nil
		}
	}
	if err != nil {
		return nil, err
	}
	m.swept[mem] = true
	if used < 0 {
		used, total = countOf(counts, mem)
	}
	var got []Stored
	if !m.scan[mem] {
		if got, err = m.byList(ctx, mem); err == nil && used-len(got) <= m.phantom[mem] {
			return got, nil
		}
		if starting(err) || m.gone(ctx) != nil {
			return got, err // it says that it will answer later, or nothing more
		}
		m.scan[mem] = m.scan[mem] || err != nil
	}
	if total < 0 {
		total = blindSlots
	}
	got, err = m.byIndex(ctx, mem, got, used, total)
	if err == nil {
		m.phantom[mem] = max(0, used-len(got))
	}
	return got, err
}

func countOf(counts []MemoryCount, mem string) (used, total int) {
	for _, c := range counts {
		if c.Memory == mem {
			return c.Used, c.Total
		}
	}
	return -1, -1
}

// byList is CMGL=4. A header whose PDU is missing is read again by its index.
func (m *Modem) byList(ctx context.Context, mem string) ([]Stored, error) {
	limit := m.cfg.Limits.List
	if d := m.dialect.list; d > 0 {
		limit = min(limit, d)
	}
	lines, err := m.exec(ctx, limit, "+CMGL=4")
	if err != nil {
		return nil, err
	}
	var out []Stored
	for _, s := range parseList(mem, lines) {
		if s.PDU == "" {
			again, err := m.readSlot(ctx, mem, s.Index)
			if errors.Is(err, ErrEmpty) {
				continue
			}
			if err != nil {
				return out, err
			}
			s = again
		}
		out = append(out, s)
	}
	return out, nil
}

// byIndex reads the slots that CMGL did not give, from 0 (Huawei's first) to total, until all that CPMS counts are found.
// Some modems refuse to read an empty slot as they refuse everything: that is an error only if messages stay unfound.
func (m *Modem) byIndex(ctx context.Context, mem string, have []Stored, used, total int) ([]Stored, error) {
	seen := map[int]bool{}
	for _, s := range have {
		seen[s.Index] = true
	}
	var no error
	refusals := 0 // in a row
	for i := 0; i <= min(total, maxSlots) && (used < 0 || len(have) < used) && refusals < blindSlots; i++ {
		if seen[i] {
			continue
		}
		s, err := m.readSlot(ctx, mem, i)
		switch {
		case errors.Is(err, ErrEmpty):
			refusals = 0
		case refused(err) && !starting(err):
			no = err
			refusals++
		case err != nil:
			return have, err
		default:
			have = append(have, s)
			refusals = 0
		}
	}
	if len(have) < max(used, 1) {
		return have, no
	}
	return have, nil
}

// A scan ends after maxSlots whatever the modem says it has, and after blindSlots where it does not say, or where as many
// were refused in a row.
const (
	maxSlots   = 1024
	blindSlots = 50
)

// Read gives one slot, to hold it against what was stored before it is deleted. ErrEmpty: nothing is there.
func (m *Modem) Read(ctx context.Context, mem string, index int) (Stored, error) {
	if _, _, err := m.selectMemory(ctx, mem); err != nil {
		return Stored{}, err
	}
	s, err := m.readSlot(ctx, mem, index)
	if err != nil {
		return Stored{}, fmt.Errorf("read slot %d of %s: %w", index, mem, err)
	}
	return s, nil
}

// readSlot is CMGR in the memory in force. An empty slot is told in many ways: OK and nothing, CMS 320, 321, 500, CME 21, 22.
func (m *Modem) readSlot(ctx context.Context, mem string, index int) (Stored, error) {
	lines, err := m.ask(ctx, fmt.Sprintf("+CMGR=%d", index))
	if err != nil {
		if isCMS(err, 320, 321, 500) || isCME(err, 21, 22, 100) {
			return Stored{}, ErrEmpty
		}
		return Stored{}, err
	}
	s, ok := parseRead(lines)
	if !ok {
		return Stored{}, ErrEmpty
	}
	s.Memory, s.Index = mem, index
	return s, nil
}

// Delete empties that one slot. The forms of CMGD that delete more are never used. A slot already empty is no error.
func (m *Modem) Delete(ctx context.Context, mem string, index int) error {
	if index < 0 {
		return fmt.Errorf("delete slot %d of %s: no such slot", index, mem)
	}
	if _, _, err := m.selectMemory(ctx, mem); err != nil {
		return err
	}
	_, err := m.exec(ctx, m.cfg.Limits.Delete, fmt.Sprintf("+CMGD=%d", index))
	if err != nil && !isCMS(err, 321) && !isCME(err, 21, 22) {
		return fmt.Errorf("delete slot %d of %s: %w", index, mem, err)
	}
	return nil
}
