package emulator

// The status of a stored message (TS 27.005 3.1, PDU mode).
const (
	recUnread = 0
	recRead   = 1
	stoUnsent = 2
	stoSent   = 3
	statAll   = 4
)

// slot is one stored message.
type slot struct {
	stat int
	sc   []byte // the service centre field
	tpdu []byte
}

// memory is one physical store: SM on the card, ME and SR in the modem.
type memory struct {
	name  string
	slots []*slot
}

func newMemory(name string, capacity int) *memory {
	return &memory{name: name, slots: make([]*slot, capacity)}
}

func (m *memory) used() int {
	n := 0
	for _, s := range m.slots {
		if s != nil {
			n++
		}
	}
	return n
}

// free is the first empty place, -1 when full.
func (m *memory) free() int {
	for i, s := range m.slots {
		if s == nil {
			return i
		}
	}
	return -1
}

// Slot is a stored message as Modem.Stored tells of it.
type Slot struct {
	Index int
	Stat  int // 0 unread, 1 read, 2 unsent, 3 sent
	TPDU  []byte
}

// memories are the physical stores behind a name; MT is a view of SM and ME, one after the other.
func (m *Modem) memories(name string) []*memory {
	if _, shared := m.faults["read.shared-storage"]; shared && name != "" {
		return []*memory{m.me}
	}
	switch name {
	case "SM", "SM_P":
		if m.sim != nil {
			return []*memory{m.sim.mem}
		}
	case "ME":
		return []*memory{m.me}
	case "SR":
		return []*memory{m.sr}
	case "MT":
		return append(m.memories("SM"), m.me)
	case "BM":
		return []*memory{m.bm}
	}
	return nil
}

// at finds the place an index means, nil when there is no such place.
func (m *Modem) at(name string, index int) **slot {
	i := index - m.prof.IndexBase
	for _, mem := range m.memories(name) {
		if i >= 0 && i < len(mem.slots) {
			return &mem.slots[i]
		}
		i -= len(mem.slots)
	}
	return nil
}

// counts are the used and total places behind a name.
func (m *Modem) counts(name string) (used, total int) {
	for _, mem := range m.memories(name) {
		used += mem.used()
		total += len(mem.slots)
	}
	return used, total
}

// keep stores a message in the first free place and returns its index, false when there is none.
func (m *Modem) keep(name string, s *slot) (int, bool) {
	base := m.prof.IndexBase
	for _, mem := range m.memories(name) {
		if i := mem.free(); i >= 0 {
			mem.slots[i] = s
			return base + i, true
		}
		base += len(mem.slots)
	}
	return 0, false
}

// each calls f for every message behind a name, in order of index, until f says stop.
func (m *Modem) each(name string, f func(index int, s **slot) bool) {
	index := m.prof.IndexBase
	for _, mem := range m.memories(name) {
		for i := range mem.slots {
			if mem.slots[i] != nil && !f(index, &mem.slots[i]) {
				return
			}
			index++
		}
	}
}

// freed tells the network that there is room (RP-SMMA).
func (m *Modem) freed() {
	m.n.signal()
	if m.sim != nil && m.reachable() {
		m.n.alert(m.sim)
	}
}

// Stored returns what is in a memory: "SM", "ME", "SR" or "MT".
func (m *Modem) Stored(mem string) []Slot {
	m.n.mu.Lock()
	defer m.n.mu.Unlock()
	var out []Slot
	m.each(mem, func(index int, s **slot) bool {
		out = append(out, Slot{index, (*s).stat, append([]byte(nil), (*s).tpdu...)})
		return true
	})
	return out
}
