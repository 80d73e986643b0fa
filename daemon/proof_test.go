package daemon

import (
	"testing"
	"time"

	"simpost/daemon/api"
	"simpost/modem/emulator"
)

// What the SIM remembers is a proof on modems that were tried out, and nothing on
// all others. In each case nobody knows the outcome first.
func TestProofs(t *testing.T) {
	for _, c := range []struct {
		name      string
		efsmss    string
		smss      string
		fault     string
		copies    int
		duplicate bool
	}{
		{"never started, and the SIM proves it", "before-radio", "before-radio", "send.swallowed", 1, false},
		{"never started, and nobody asks the SIM", "before-radio", "", "send.swallowed", 1, true},
		{"started, and the SIM says so", "before-radio", "before-radio", "send.accepted-answer-lost", 2, true},
		{"a SIM written after the answer proves nothing", "after-ack", "", "send.accepted-answer-lost", 2, true},
		{"a SIM that is never written proves nothing", "never", "", "send.accepted-answer-lost", 2, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			modems := one()
			modems[0].EFSMSS = c.efsmss
			inWorld(t, emulator.NetworkConfig{Unknown: emulator.Silent}, modems, func(w *world) {
				w.cfg.Modems[0].SMSS = c.smss
				w.start()
				w.condition("a", api.CondReady)
				first := w.send(text("+4791000009", "the SIM has a reference from this one"))
				w.becomes(first, api.Sent, time.Minute)
				if err := w.modems["a"].Fault(c.fault, emulator.FaultConfig{Times: 1}); err != nil {
					t.Fatal(err)
				}
				id := w.send(text("+4791000001", "hello"))
				m := w.becomes(id, api.Sent, time.Hour)
				if copies := len(w.net.Record()) - 1; copies != c.copies || m.PossibleDuplicate != c.duplicate {
					t.Errorf("the network has %d copies, possible duplicate %v; want %d and %v", copies, m.PossibleDuplicate, c.copies, c.duplicate)
				}
				if !w.wasUnknown(id) {
					t.Error("it never was unknown")
				}
			})
		})
	}
}

func (w *world) wasUnknown(id string) bool {
	events, err := w.daemon.store.Events(0, 10_000)
	for _, e := range events {
		if err == nil && e.Message == id && e.Type == api.EventPartUnknown {
			return true
		}
	}
	return false
}

// On a modem that keeps the host's reference the second copy says that it is one,
// and a centre that still holds the first refuses it.
func TestSecondCopyIsRefused(t *testing.T) {
	modems := one()
	modems[0].KeepMR = true
	inWorld(t, emulator.NetworkConfig{Unknown: emulator.Unreachable}, modems, func(w *world) {
		w.cfg.Modems[0].KeepsMR = true
		w.start()
		w.condition("a", api.CondReady)
		fault(w, w.modems["a"], "send.accepted-answer-lost", 0)
		fault(w, w.modems["a"], "report.none", 0)
		id := w.send(text("+4791000001", "hello"))
		m := w.becomes(id, api.Sent, time.Hour)
		if n := len(w.net.Record()); n != 1 {
			t.Errorf("the network accepted %d copies, want one", n)
		}
		if len(m.Attempts) != 2 || m.Attempts[1].Evidence == "" {
			t.Errorf("attempts %+v, want a second one settled by evidence", m.Attempts)
		}
	})
}
