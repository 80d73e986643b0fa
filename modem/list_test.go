package modem

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
)

// shelf is the storage side of a script: memories with slots from base on, and a CMGL that may lie.
type shelf struct {
	mem      string
	slots    map[string]map[int]string
	lie      string // answer to CMGL=4 instead of the truth; "hang" for silence
	empty    string // answer to CMGR of an empty slot
	without  int    // index that CMGL leaves out
	selected int    // CPMS= commands
	reads    int    // CMGR commands
	deleted  []string
}

const testPDU = "0004058101F60000627011022084000541E190580000"

func (h *shelf) on(cmd string) (string, bool) {
	name, arg, _ := strings.Cut(cmd, "=")
	switch name {
	case "+CPMS?":
		return fmt.Sprintf(`+CPMS: "%s",%d,30,"%s",%d,30,"SM",%d,30|OK`, h.mem, len(h.slots[h.mem]), h.mem, len(h.slots[h.mem]), len(h.slots["SM"])), true
	case "+CPMS":
		if arg == "?" {
			return `+CPMS: ("SM","ME"),("SM"),("SM")|OK`, true
		}
		h.selected++
		h.mem = words(arg)[0]
		return fmt.Sprintf("+CPMS: %d,30,%d,30,0,30|OK", len(h.slots[h.mem]), len(h.slots[h.mem])), true
	case "+CMGL":
		if h.lie == "hang" {
			return "", true
		}
		if h.lie != "" {
			return h.lie, true
		}
		var b strings.Builder
		for i := range 31 {
			if p, ok := h.slots[h.mem][i]; ok && i != h.without {
				fmt.Fprintf(&b, "+CMGL: %d,1,,21|%s|", i, p)
			}
		}
		return b.String() + "OK", true
	case "+CMGR":
		h.reads++
		var i int
		fmt.Sscan(arg, &i)
		if p, ok := h.slots[h.mem][i]; ok {
			return "+CMGR: 1,,21|" + p + "|OK", true
		}
		return h.empty, true
	case "+CMGD":
		var i int
		if _, err := fmt.Sscan(arg, &i); err != nil || strings.Contains(arg, ",") {
			return "ERROR", true
		}
		h.deleted = append(h.deleted, h.mem+" "+arg)
		delete(h.slots[h.mem], i)
		return "OK", true
	}
	return "", false
}

func newShelf() *shelf {
	return &shelf{mem: "SM", without: -1, empty: "+CMS ERROR: 321", slots: map[string]map[int]string{
		"SM": {1: testPDU, 4: testPDU + "01"}, "ME": {0: testPDU + "02", 30: testPDU + "03"},
	}}
}

// TestListWhereCMGLLies: whatever CMGL does, all four messages are found, and a scan is made only where it is needed.
func TestListWhereCMGLLies(t *testing.T) {
	for name, c := range map[string]struct {
		lie     string
		without int
		reads   bool
		empty   string // how an empty slot is told
	}{
		"the truth":        {"", -1, false, "ERROR"},
		"bare OK":          {"OK", -1, true, "+CMS ERROR: 321"},
		"CMS 303":          {"+CMS ERROR: 303", -1, true, "OK"},
		"ERROR":            {"ERROR", -1, true, "+CMS ERROR: 321"},
		"ERROR everywhere": {"ERROR", -1, true, "ERROR"},
		"hangs":            {"hang", -1, true, "+CMS ERROR: 302"},
		"one is missing":   {"", 4, true, "ERROR"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, h := newScript(t), newShelf()
				s.on = h.on
				m := s.mustOpen(Config{})
				h.lie, h.without, h.reads, h.empty = c.lie, c.without, 0, c.empty
				for range 3 {
					got, err := m.List(t.Context())
					if err != nil || len(got) != 4 {
						t.Fatalf("%d messages, %v: %+v", len(got), err, got)
					}
					for _, g := range got {
						if h.slots[g.Memory][g.Index] != g.PDU {
							t.Errorf("slot %d of %s: %s", g.Index, g.Memory, g.PDU)
						}
					}
				}
				if n := s.count("+CMGL=4"); (c.lie == "hang" || strings.Contains(c.lie, "ERR")) && n != 2 {
					t.Errorf("CMGL was asked %d times in two memories although it was refused", n)
				}
				if c.reads != (h.reads > 0) {
					t.Errorf("%d slots were read one by one", h.reads)
				}
			})
		})
	}
}

// TestUnreadable: a memory of which nothing can be read is an error, after a number of tries that is bounded.
func TestUnreadable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, h := newScript(t), newShelf()
		s.on = func(cmd string) (string, bool) {
			if strings.HasPrefix(cmd, "+CMGR=") {
				h.reads++
				return "ERROR", true
			}
			a, ok := h.on(cmd)
			return strings.NewReplacer(",30", ",300").Replace(a), ok
		}
		m := s.mustOpen(Config{})
		h.lie = "ERROR"
		if got, err := m.List(t.Context()); err == nil || len(got) > 0 {
			t.Errorf("%d messages, %v", len(got), err)
		}
		if h.reads > 2*blindSlots {
			t.Errorf("%d slots were tried in two memories", h.reads)
		}
	})
}

// TestPhantoms: a modem that counts a message it does not have is scanned once, not at every sweep.
func TestPhantoms(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, h := newScript(t), newShelf()
		s.on = func(cmd string) (string, bool) {
			a, ok := h.on(cmd)
			return strings.NewReplacer("+CPMS: 2,30", "+CPMS: 3,30", `",2,30`, `",3,30`).Replace(a), ok
		}
		m := s.mustOpen(Config{})
		for i := range 3 {
			if got, err := m.List(t.Context()); err != nil || len(got) != 4 {
				t.Fatalf("%d messages, %v", len(got), err)
			}
			if i == 0 {
				h.reads = 0
			}
		}
		if h.reads != 0 {
			t.Errorf("%d slots read after the first sweep", h.reads)
		}
	})
}

func TestReadAndDeleteOneSlot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, h := newScript(t), newShelf()
		s.on = h.on
		m := s.mustOpen(Config{})
		h.selected = 0
		ctx := t.Context()
		if got, err := m.Read(ctx, "SM", 4); err != nil || got.PDU != testPDU+"01" || got.Memory != "SM" || got.Index != 4 {
			t.Errorf("read: %+v, %v", got, err)
		}
		if _, err := m.Read(ctx, "SM", 5); !errors.Is(err, ErrEmpty) {
			t.Errorf("read an empty slot: %v", err)
		}
		if err := m.Delete(ctx, "SM", 4); err != nil {
			t.Error(err)
		}
		if err := m.Delete(ctx, "SM", 4); err != nil {
			t.Errorf("delete it again: %v", err)
		}
		if h.selected != 0 {
			t.Errorf("%d CPMS for the memory in force", h.selected)
		}
		if err := m.Delete(ctx, "ME", 0); err != nil || h.selected != 1 {
			t.Errorf("delete elsewhere: %v, %d CPMS", err, h.selected)
		}
		if err := m.Delete(ctx, "ME", -1); err == nil {
			t.Error("slot -1 was deleted")
		}
		if err := m.Delete(ctx, `ME","SM`, 1); err == nil {
			t.Error("a name with quotes was taken")
		}
		if want := []string{"SM 4", "SM 4", "ME 0"}; strings.Join(h.deleted, ",") != strings.Join(want, ",") {
			t.Errorf("deleted %q, want %q", h.deleted, want)
		}
	})
}

func TestDeleteThatFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript(t)
		m := s.mustOpen(Config{})
		s.set("+CMGD=1", "+CMS ERROR: 321")
		s.set("+CMGD=2", "+CMS ERROR: 320")
		if err := m.Delete(t.Context(), "SM", 1); err != nil {
			t.Errorf("an empty slot: %v", err)
		}
		if err := m.Delete(t.Context(), "SM", 2); err == nil {
			t.Error("a memory failure is no success")
		}
	})
}

func TestCountsIsOneCommand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript(t)
		s.on = remembering()
		s.answers["+CPMS=?"] = `+CPMS: ("ME","SM","SR"),("ME","SM"),("ME","SM")|OK`
		m := s.mustOpen(Config{})
		before := len(s.log())
		counts, err := m.Counts(t.Context())
		if err != nil || len(counts) != 2 || counts[0].Memory != "SM" || counts[1].Memory != "ME" || counts[0].Total != 30 {
			t.Errorf("%+v, %v", counts, err)
		}
		if n := len(s.log()) - before; n != 1 {
			t.Errorf("%d commands", n)
		}
	})
}

func TestResetBeforeTheFirstPoll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, h := newScript(t), newShelf()
		s.on = h.on
		m := s.mustOpen(Config{})
		h.mem = "ME"
		if _, err := m.Counts(t.Context()); err != nil || !m.Take().Rebooted {
			t.Errorf("the reset is not seen: %v", err)
		}
	})
}

// TestMemoriesThatChangeByThemselves: the poll finds the modem with its memories of the factory: it was reset.
func TestMemoriesThatChangeByThemselves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, h := newScript(t), newShelf()
		s.on = h.on
		m := s.mustOpen(Config{})
		ctx := t.Context()
		for range 2 { // what List and Read choose is no reset
			if _, err := m.List(ctx); err != nil {
				t.Fatal(err)
			}
			if _, err := m.Counts(ctx); err != nil || m.Take().Rebooted {
				t.Fatalf("a reset is seen that was none: %v", err)
			}
		}
		if h.mem == "SM" {
			h.mem = "ME"
		} else {
			h.mem = "SM"
		}
		if _, err := m.Counts(ctx); err != nil || !m.Take().Rebooted {
			t.Errorf("the reset is not seen: %v", err)
		}
		<-m.Wake()
	})
}

// TestListWithoutCounts: neither CMGL nor the counts are answered; the first slots are read one by one.
func TestListWithoutCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, h := newScript(t), newShelf()
		mute := false
		s.on = func(cmd string) (string, bool) {
			if mute && strings.HasPrefix(cmd, "+CPMS") {
				a, _ := h.on(cmd)
				return a[strings.LastIndex(a, "|")+1:], true // the final result alone
			}
			if mute && cmd == "+CMGL=4" {
				return "+CMS ERROR: 303", true
			}
			return h.on(cmd)
		}
		m := s.mustOpen(Config{})
		s.mu.Lock()
		mute = true
		s.mu.Unlock()
		got, _ := m.sweep(t.Context(), "SM", nil)
		if len(got) != 2 || h.reads > blindSlots+1 {
			t.Errorf("%d messages after %d reads", len(got), h.reads)
		}
	})
}

// TestListWhileStarting: a modem that is busy is asked again later; it is not one whose CMGL lies.
func TestListWhileStarting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, h := newScript(t), newShelf()
		s.on = h.on
		m := s.mustOpen(Config{})
		h.lie = "+CMS ERROR: 314"
		if got, err := m.List(t.Context()); err == nil || len(got) != 0 || h.reads != 0 {
			t.Errorf("busy: %d messages, %v, %d reads", len(got), err, h.reads)
		}
		h.lie = ""
		if got, err := m.List(t.Context()); err != nil || len(got) != 4 || h.reads != 0 {
			t.Errorf("afterwards: %d messages, %v, %d reads", len(got), err, h.reads)
		}
	})
}

// TestMemoryThatIsNotThere: it is offered and can't be selected. The others are listed, and no later list asks for it; one
// that could be selected before and can't be now is an error.
func TestMemoryThatIsNotThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript(t)
		s.on = remembering(`+CPMS="SR","SM","SM"`, `+CPMS="SR","ME","SM"`)
		s.answers["+CPMS=?"], s.answers["+CMGL=4"] = `+CPMS: ("SM","ME","SR"),("SM","ME"),("SM")|OK`, "OK"
		m := s.mustOpen(Config{})
		for range 2 {
			if _, err := m.List(t.Context()); err != nil {
				t.Error(err)
			}
		}
		asked := s.count(`+CPMS="SR","SM","SM"`) + s.count(`+CPMS="SR","ME","SM"`)
		if got := m.Settings().Memories; !slices.Equal(got, []string{"SM", "ME"}) || asked != 2 { // the second time in case a bad line had spoilt the first
			t.Errorf("memories %q, asked %d times: %q", got, asked, s.log())
		}
		s.mu.Lock()
		s.on = remembering(`+CPMS="ME","SM","SM"`)
		s.mu.Unlock()
		if _, err := m.List(t.Context()); err == nil {
			t.Error("a memory that was there went without a word")
		}
	})
}
