package daemon

import (
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"simpost/daemon/api"
	"simpost/modem/emulator"
)

// recoveries are the events about a modem's recovery.
func (w *world) recoveries(name string) (steps []string) {
	w.t.Helper()
	events, err := w.daemon.store.Events(0, 1000)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, e := range events {
		if e.Type == api.EventRecovery && e.Modem == name {
			steps = append(steps, e.Detail)
		}
	}
	return steps
}

// allSteps is what the events say of a modem that nothing helps.
var allSteps = []string{"reinit, try 1 of 2", "reinit, try 2 of 2", "reset, try 1 of 1", "reopen, try 1 of 3", "reopen, try 2 of 3", "reopen, try 3 of 3"}

// One answer that does not come costs one command: no session ends for it.
func TestLadderResync(t *testing.T) {
	inWorld(t, emulator.NetworkConfig{}, []emulator.Config{{Name: "a", Number: "+4790000001"}}, func(w *world) {
		phone := w.net.NewPhone(emulator.PhoneConfig{})
		w.start()
		w.condition("a", api.CondReady)
		if err := w.modems["a"].Fault("send.swallowed", emulator.FaultConfig{Times: 1}); err != nil {
			t.Fatal(err)
		}
		w.becomes(w.send(text(phone.Number(), "hello")), api.Delivered, time.Hour)
		m := w.modem("a")
		if m.Recoveries[api.StepResync] != 1 || len(m.Recoveries) != 1 || m.Recovery != nil || len(w.recoveries("a")) != 0 {
			t.Errorf("recoveries %v, recovery %+v, events %q", m.Recoveries, m.Recovery, w.recoveries("a"))
		}
	})
}

// Each of the other steps helps a modem that it is made for, and no heavier one is
// taken; what helped is counted, and the mail goes on.
func TestLadderSteps(t *testing.T) {
	for _, c := range []struct {
		name   string
		helped func(opened int, closed time.Duration) bool // nil: AT+CFUN=1,1 helps
		events []string
	}{
		{"reinit", func(opened int, _ time.Duration) bool { return opened > 2 }, allSteps[:2]},
		{"reset", nil, allSteps[:3]},
		{"reopen", func(_ int, closed time.Duration) bool { return closed >= 25*time.Second }, allSteps[:5]},
	} {
		t.Run(c.name, func(t *testing.T) {
			inWorld(t, emulator.NetworkConfig{}, []emulator.Config{{Name: "a", Number: "+4790000001"}}, func(w *world) {
				phone, m := w.net.NewPhone(emulator.PhoneConfig{}), w.modems["a"]
				port := &hangs{helped: c.helped}
				w.ports = map[string]func() (io.ReadWriteCloser, error){"a": func() (io.ReadWriteCloser, error) { return port.open(m) }}
				w.start()
				w.condition("a", api.CondReady)
				if c.helped == nil {
					fault(w, m, "life.deaf", 0)
				} else {
					port.hang(m)
				}
				w.becomes(w.send(text(phone.Number(), "hello")), api.Delivered, time.Hour)
				if got := w.recoveries("a"); !slices.Equal(got, c.events) {
					t.Errorf("events %q, want %q", got, c.events)
				}
				if got := w.modem("a"); got.Recovery != nil || got.Recoveries[api.RecoveryStep(c.name)] == 0 {
					t.Errorf("recovery %+v, recoveries %v", got.Recovery, got.Recoveries)
				}
			})
		})
	}
}

// hangs is a modem's port that swallows everything, from hang on and after each
// opening, until helped says that the modem has come to itself: by how often it was
// opened since, and for how long it had been closed then.
type hangs struct {
	helped func(opened int, closed time.Duration) bool

	mu     sync.Mutex
	hung   bool
	opened int
	since  time.Time
}

func (h *hangs) open(m *emulator.Modem) (io.ReadWriteCloser, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.hung {
		h.opened++
		h.hung = !h.helped(h.opened, time.Since(h.since))
	}
	if h.hung {
		return deafPort{&silentPort{done: make(chan struct{})}, h.closed}, nil
	}
	rwc, err := m.Open()
	return unpluggable{rwc}, err
}

func (h *hangs) closed() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.since = time.Now()
}

// hang begins it. What ends the session is that the modem is pulled for an instant.
func (h *hangs) hang(m *emulator.Modem) {
	h.mu.Lock()
	h.hung, h.since = true, time.Now()
	h.mu.Unlock()
	m.Unplug()
	m.Plug()
}

// deafPort is a silent port that tells when it is closed.
type deafPort struct {
	*silentPort
	closed func()
}

func (p deafPort) Close() error {
	p.closed()
	return p.silentPort.Close()
}

// A modem that nothing helps is tried for ever and says so, but writes no more once
// every step has failed, and is told to restart a few times a day only. When a
// person has helped it, it works.
func TestLadderToTheEnd(t *testing.T) {
	inWorld(t, emulator.NetworkConfig{}, []emulator.Config{{Name: "a", Number: "+4790000001"}}, func(w *world) {
		w.start()
		w.condition("a", api.CondReady)
		fault(w, w.modems["a"], "life.deaf-power", 0)
		w.within(2*time.Hour, "every step has failed", func() bool {
			r := w.modem("a").Recovery
			return r != nil && r.Rounds == 1
		})
		last := w.daemon.store.LastEvent()
		time.Sleep(24 * time.Hour)
		if got := w.recoveries("a"); !slices.Equal(got, allSteps) || w.daemon.store.LastEvent() != last {
			t.Errorf("events %q, and %d more in a day", got, w.daemon.store.LastEvent()-last)
		}
		m := w.modem("a")
		if m.Recovery == nil || m.Recovery.Rounds < 100 || m.Recoveries[api.StepReopen] < 300 {
			t.Errorf("after a day: %+v, %v", m.Recovery, m.Recoveries)
		}
		if n := m.Recoveries[api.StepReset]; n < 12 || n > 24 || len(m.Diagnosis) != 2 || m.Diagnosis[1].Code != api.FindUsedUp {
			t.Errorf("after a day it was told to restart %d times: %+v", n, m.Diagnosis)
		}
		w.modems["a"].PowerOff()
		w.modems["a"].PowerOn()
		w.well("a")
		if m := w.modem("a"); m.Recovery != nil {
			t.Errorf("it works, and shows %+v", m.Recovery)
		}
	})
}

// A modem that hangs slows no other: what the other sends leaves at the same
// moments as if it were alone.
func TestAHungModemSlowsNoOther(t *testing.T) {
	left := func(hang bool) (after []time.Duration) {
		inWorld(t, emulator.NetworkConfig{Latency: 300 * time.Millisecond}, twoModems(), func(w *world) {
			w.start()
			w.condition("a", api.CondReady)
			w.condition("b", api.CondReady)
			if hang {
				fault(w, w.modems["a"], "life.deaf-power", 0)
				req := text("+4791000001", "for the one that hangs")
				req.Modem = "a"
				w.send(req)
			}
			time.Sleep(10 * time.Second)
			begin := time.Now()
			for i := range 30 {
				req := text(fmt.Sprintf("+47910000%02d", i), "hello")
				req.Modem = "b"
				w.send(req)
			}
			w.within(time.Minute, "b has sent all", func() bool { return w.net.Count() == 30 })
			for _, s := range w.net.Record() {
				after = append(after, s.At.Sub(begin))
			}
		})
		return after
	}
	alone, beside := left(false), left(true)
	if !slices.Equal(alone, beside) {
		t.Errorf("alone its messages left after %v, beside a modem that hangs after %v", alone, beside)
	}
}

// The manual's table is the program's.
func TestTheManualHasTheLadder(t *testing.T) {
	manual, err := os.ReadFile("../docs/modems.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := regexp.MustCompile("(?m)^\\| `([a-z-]+)` \\| [^|]*\\| ([0-9]+) \\| ([^|]*) \\|$").FindAllStringSubmatch(string(manual), -1)
	if len(rows) == 0 || rows[0][1] != string(api.StepResync) || len(rows) != len(rungs)+1 {
		t.Fatalf("the table has the rows %q", rows)
	}
	for i, r := range rungs {
		var graces []string
		for _, g := range r.grace {
			graces = append(graces, fmt.Sprintf("%.0f", g.Seconds()))
		}
		often := ""
		if r.limit != (stepLimit{}) {
			often = fmt.Sprintf("; at most %d in an hour, %d in a day", r.limit.hour, r.limit.day)
		}
		want := []string{string(r.step), strconv.Itoa(len(r.grace)), strings.Join(graces, ", ") + " s" + often}
		if got := rows[i+1][1:]; !slices.Equal(got, want) {
			t.Errorf("the manual says %q, the program %q", got, want)
		}
	}
}
