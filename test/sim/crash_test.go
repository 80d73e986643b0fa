package sim

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"simpost/daemon/api"
	"simpost/modem/emulator"
)

// Crashes of the daemon, at every boundary that its lines and its clients show,
// and at random.

// boundaries are the moments just before which the daemon dies.
var boundaries = map[string]func() func(moment) bool{
	"open":           always(wrote("open")),
	"at":             always(wrote("AT\r")),
	"cnmi":           always(wrote("AT+CNMI")),
	"list":           always(wrote("AT+CMGL")),
	"listed":         always(read("+CMGL:")),
	"cmgs":           always(wrote("AT+CMGS=")),
	"prompt":         always(read("> ")),
	"pdu":            always(wrote("\x1a")),
	"half-pdu":       always(wrote("\x1a")), // all of it but the ^Z has left
	"submitted":      after(wrote("\x1a"), func(m moment) bool { return !m.api }),
	"reference":      always(read("+CMGS:")),
	"hint":           always(read("+CMTI")),
	"delete":         always(wrote("AT+CMGD=")),
	"deleted":        after(wrote("AT+CMGD="), read("OK")),
	"request":        always(func(m moment) bool { return m.api && !m.write && bytes.HasPrefix(m.bytes, []byte("POST")) }),
	"accepted":       always(func(m moment) bool { return m.api && m.write && bytes.Contains(m.bytes, []byte(" 202 ")) }),
	"esc":            always(wrote("\x1b")),
	"counts":         always(wrote("AT+CPMS?")),
	"identification": always(wrote("AT+CIMI")),
}

func always(is func(moment) bool) func() func(moment) bool {
	return func() func(moment) bool { return is }
}

// after is then, once first has been.
func after(first, then func(moment) bool) func() func(moment) bool {
	return func() func(moment) bool {
		been := false
		return func(m moment) bool {
			if been && then(m) {
				been = false
				return true
			}
			been = been || first(m)
			return false
		}
	}
}

func wrote(mark string) func(moment) bool {
	return func(m moment) bool { return m.write && !m.api && bytes.Contains(m.bytes, []byte(mark)) }
}

func read(mark string) func(moment) bool {
	return func(m moment) bool { return !m.write && !m.api && bytes.Contains(m.bytes, []byte(mark)) }
}

func boundaryNames() []string {
	return slices.Sorted(maps.Keys(boundaries))
}

// pair is one modem with three people around it.
func pair(w *world) []*emulator.Phone {
	var phones []*emulator.Phone
	for i := range 3 {
		behaviour := []emulator.Behaviour{emulator.Answer, emulator.Silent, emulator.Slow}[(i+int(w.seed))%3]
		phones = append(phones, w.net.NewPhone(emulator.PhoneConfig{Number: fmt.Sprintf("+4791000%03d", i), Behaviour: behaviour}))
	}
	return phones
}

// work gives the daemon one of everything.
func (w *world) work(phones []*emulator.Phone) {
	for i, p := range phones {
		w.ask(p.Number(), 1+(i+w.rng.IntN(3))%3, nil)
	}
	w.tell(phones[w.rng.IntN(len(phones))], "+4790000001", 1+w.rng.IntN(2))
}

func oneModem(seed uint64) []emulator.Config {
	return []emulator.Config{{Name: "a", Number: "+4790000001", Latency: time.Duration(50+seed*97%2000) * time.Millisecond,
		EFSMSS: []string{"after-ack", "before-radio", "never"}[seed%3]}}
}

// crashes kills the daemon three times at a boundary, each time after a random
// number of such moments, while it has work of every kind.
func crashes(t *testing.T, found *tally, seed uint64, boundary string) {
	inWorld(t, found, seed, setup{network: emulator.NetworkConfig{Latency: 300 * time.Millisecond}, modems: oneModem(seed)}, func(w *world) {
		phones := pair(w)
		w.start()
		for range 3 {
			at, skip := boundaries[boundary](), w.rng.IntN(4)
			w.life.half = boundary == "half-pdu"
			w.crashAt(func(m moment) bool {
				if !at(m) {
					return false
				}
				skip--
				return skip < 0
			})
			w.work(phones)
			w.revive(w.died(2 * time.Minute))
		}
		w.verdict(12*time.Hour, nil)
	})
}

// revive starts the next daemon and takes down how long it needs.
func (w *world) revive(dead bool) {
	w.t.Helper()
	if !dead {
		return
	}
	began := time.Now()
	w.start()
	w.up("a")
	w.found.recovered = append(w.found.recovered, time.Since(began))
}

// crashRandom kills the daemon ten times, each after a random number of moments.
func crashRandom(t *testing.T, found *tally, seed uint64, _ string) {
	inWorld(t, found, seed, setup{network: emulator.NetworkConfig{Latency: 300 * time.Millisecond}, modems: oneModem(seed)}, func(w *world) {
		phones := pair(w)
		w.start()
		for range 10 {
			left := 1 + w.rng.IntN(200)
			w.crashAt(func(moment) bool { left--; return left < 0 })
			w.work(phones)
			if w.died(5 * time.Minute) {
				w.start()
			}
		}
		w.up("a")
		w.verdict(24*time.Hour, nil)
	})
}

// f12 lets the modem die at a step in a way.
func f12(t *testing.T, found *tally, seed uint64, where string) {
	s, how := parseDeath(where)
	modems := oneModem(seed)
	modems[0].Latency = 400 * time.Millisecond
	inWorld(t, found, seed, setup{network: emulator.NetworkConfig{Latency: 2 * time.Second}, modems: modems}, func(w *world) {
		phones := pair(w)
		w.start()
		w.up("a")
		line := w.lines["a"]
		line.arm(s, how)
		w.ask(phones[0].Number(), 1+int(seed%2), nil)
		if seed%2 == 0 || s == stepMidURC || s == stepInCMGL || s == stepInCMGD {
			w.tell(phones[1], "+4790000001", 1)
		}
		if s == stepIdle {
			time.Sleep(time.Duration(5+w.rng.IntN(20)) * time.Second)
			w.dieIdle("a")
		}
		select {
		case <-line.done:
		case <-time.After(10 * time.Minute):
			w.fatalf("the modem never came to the step %s", s)
		}
		w.ask(phones[1].Number(), 1, nil)
		<-line.mended
		w.own.step()
		w.found.recovered = append(w.found.recovered, w.within(time.Hour, "it works again", func() bool { return w.ready("a") }))
		w.ask(phones[2].Number(), 1, nil)
		w.verdict(12*time.Hour, nil)
		if s == stepAfterZ && (how.late == 0 || how.late > w.cfg.Send.AnswerTimeout) {
			w.unknownFirst()
		}
		if s == stepAfterZ && (how.name == "error" || how.name == "ok-no-mr") && seed%3 != 1 {
			w.reportBelieved(phones[0].Number())
		}
	})
}

// reportBelieved: what the network had when the modem gave a false answer is not sent again,
// for its report comes within the quarantine, unless the person is Silent (see pair).
func (w *world) reportBelieved(to string) {
	w.t.Helper()
	for part, n := range copiesPerPart(w) {
		if strings.HasPrefix(part, to) && n > 1 {
			w.found.wrong++
			w.errorf("%s was sent %d times although its report came", clip(part), n)
		}
	}
}

// dieIdle lets the modem die while nothing is asked of it.
func (w *world) dieIdle(name string) {
	l := w.lines[name]
	l.disarm()
	word := l.die()
	w.life.mu.Lock()
	ports := w.life.ports
	w.life.mu.Unlock()
	if word != "" {
		ports[len(ports)-1].say([]byte(word))
	}
}

// unknownFirst: what nobody can know ends as unknown before anything else is made
// of it.
func (w *world) unknownFirst() {
	w.t.Helper()
	var seen []string
	err := w.ourClient().Events(context.Background(), 0, false, func(e api.Event) error {
		if strings.HasPrefix(string(e.Type), "part.") && e.Type != api.EventPartReceived {
			seen = append(seen, string(e.Type))
		}
		return nil
	})
	if err != nil {
		w.fatalf("%v", err)
	}
	if len(seen) < 2 || seen[0] != string(api.EventSubmitting) || seen[1] != string(api.EventPartUnknown) {
		w.found.wrong++
		w.errorf("the first attempt went %v, want part.submitting and then part.unknown", seen)
	}
}

func deaths() []string {
	var all []string
	for _, s := range steps {
		for _, how := range ways {
			all = append(all, string(s)+"/"+how.name)
		}
	}
	return all
}

func parseDeath(where string) (step, way) {
	s, name, _ := strings.Cut(where, "/")
	for _, how := range ways {
		if how.name == name {
			return step(s), how
		}
	}
	panic("no such death: " + where)
}
