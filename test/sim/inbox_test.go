package sim

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"simpost/configs"
	"simpost/daemon/api"
	"simpost/modem/emulator"
)

// What comes in, and cards that want a PIN or come out of a backup.

// small is a card with ten places for what 300 people write at once.
func small(t *testing.T, found *tally, seed uint64, _ string) {
	modems := oneModem(seed)
	modems[0].Slots = map[string]int{"SM": 10, "ME": 0}
	inWorld(t, found, seed, setup{modems: modems}, func(w *world) {
		phones := crowd(w, 30)
		if seed%2 == 0 {
			w.start() // else all of it has come before the daemon does
		}
		for i := range 300 {
			w.tell(phones[i%len(phones)], "+4790000001", 1)
			if w.rng.IntN(20) == 0 {
				time.Sleep(time.Second)
			}
		}
		if seed%2 != 0 {
			w.start()
		}
		w.found.recovered = append(w.found.recovered, w.within(6*time.Hour, "all of it has come", w.arrived))
		w.judge(nil)
	})
}

func crowd(w *world, n int) []*emulator.Phone {
	var phones []*emulator.Phone
	for i := range n {
		phones = append(phones, w.net.NewPhone(emulator.PhoneConfig{Number: fmt.Sprintf("+47910%05d", i)}))
	}
	return phones
}

// flood is thousands of messages in three parts from fifty people, with a tenth of
// them repeated by the network and a part missing in a tenth.
func flood(t *testing.T, found *tally, seed uint64, _ string) {
	sets := map[string]int{"full": 3333, "ci": 400}[os.Getenv("SIMPOST_FAULTS")]
	if sets == 0 {
		sets = 60
	}
	inWorld(t, found, seed, setup{modems: oneModem(seed)}, func(w *world) {
		phones := crowd(w, 50)
		w.start()
		w.up("a")
		for f, p := range map[string]float64{"incoming.redelivered": 0.1, "incoming.part-missing": 0.1} {
			if err := w.modems["a"].Fault(f, emulator.FaultConfig{Times: 1e6, Probability: p}); err != nil {
				w.fatalf("%v", err)
			}
		}
		w.book.maiming = true
		for i := range sets {
			w.tell(phones[w.rng.IntN(len(phones))], "+4790000001", 3)
			if i%100 == 99 {
				time.Sleep(30 * time.Second)
			}
		}
		time.Sleep(3 * time.Hour)
		w.judge(nil)
	})
}

// partial finds out which texts the network brought by half, of those of which it
// may have: the daemon has the half, and says that it is one.
func (w *world) partial(in []api.Message) {
	halves, whole := map[string]bool{}, map[string]bool{}
	for _, m := range in {
		switch {
		case m.Text == nil:
		case m.Incomplete:
			halves[strings.SplitN(*m.Text, " ", 2)[0]] = true
		default:
			whole[*m.Text] = true
		}
	}
	w.book.frail = map[string]bool{}
	for s := range w.book.maimed {
		w.book.frail[s] = !whole[s] && halves[strings.SplitN(s, " ", 2)[0]]
	}
}

// pins: a card with a PIN, a file with a right or a wrong one, and a daemon that
// dies around the moment in which it is entered, again and again.
func pins(t *testing.T, found *tally, seed uint64, which string) {
	modems := oneModem(seed)
	modems[0].PIN, modems[0].ColdStart = "1234", true
	if seed%4 > 1 {
		modems[0].Profile = "telit"
	}
	file := ""
	s := setup{modems: modems, config: func(c *configs.Config, dir string) {
		file = filepath.Join(dir, "pin")
		c.Modems[0].PINFile = file
	}}
	right := which == "right"
	inWorld(t, found, seed, s, func(w *world) {
		if err := os.WriteFile(file, []byte(map[bool]string{true: "1234", false: "4321"}[right]+"\n"), 0o600); err != nil {
			w.fatalf("%v", err)
		}
		if seed%2 != 0 { // then only the daemon's memory keeps a wrong PIN from being tried again
			if err := w.modems["a"].Fault("life.tries-untold", emulator.FaultConfig{}); err != nil {
				w.fatalf("%v", err)
			}
		}
		for range 10 {
			w.start()
			at := []func(moment) bool{wrote("AT+CPIN="), read("OK"), read("+CPIN:"), wrote("AT+CPIN?"), read("+CME ERROR")}[w.rng.IntN(5)]
			skip := w.rng.IntN(12)
			w.crashAt(func(m moment) bool {
				if !at(m) {
					return false
				}
				skip--
				return skip < 0
			})
			if !w.died(5 * time.Minute) {
				w.crash()
			}
			if w.rng.IntN(3) == 0 {
				w.modems["a"].Reboot()
			}
		}
		w.found.messages++
		entered := w.lines["a"].entered()
		wrongs := slices.DeleteFunc(entered, func(s string) bool { return strings.Contains(s, "1234") && !strings.Contains(s, ",") })
		if len(wrongs) > 1 {
			w.found.wrong++
			w.errorf("a card with three tries was given %q", wrongs)
		}
		if right {
			w.works()
		}
	})
}

// works: the card takes its PIN in the end, unless the daemon died while it was
// entered and must not try it again.
func (w *world) works() {
	w.start()
	w.within(2*time.Hour, "the modem is ready, or says why not", func() bool {
		m, err := w.ourClient().Modem(context.Background(), "a")
		return err == nil && (m.CanSend || m.Condition.Code == api.CondPINRefused || m.Condition.Code == api.CondPINGuard)
	})
}

func (l *line) entered() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.pins)
}

// restored: a copy of the database from before comes back. Nothing of it is sent
// by itself, for it may have been sent since.
func restored(t *testing.T, found *tally, seed uint64, _ string) {
	inWorld(t, found, seed, setup{modems: oneModem(seed)}, func(w *world) {
		phones := pair(w)
		w.start()
		w.up("a")
		w.modems["a"].SetRegistration(2)
		w.within(time.Hour, "the network is lost", func() bool { return !w.ready("a") })
		w.work(phones)
		w.book.open.Wait()
		copied := w.taken(w.life)
		w.modems["a"].SetRegistration(1)
		w.up("a")
		w.within(12*time.Hour, "all is settled", w.settled)
		if seed%2 == 0 {
			w.halt()
		} else {
			w.crash()
		}
		before := w.net.Count()
		w.cfg.Database = copied
		w.start()
		w.up("a")
		time.Sleep(6 * time.Hour)
		w.found.messages += len(w.accepted())
		if n := w.net.Count(); n > before {
			w.found.doubled += n - before
			w.errorf("a restored database sent %d parts again by itself", n-before)
		}
	})
}

func (l *line) strays() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.stray
}

func quick() bool {
	s := os.Getenv("SIMPOST_FAULTS")
	return s == "" || s == "quick"
}
