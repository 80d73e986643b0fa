package sim

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"simpost/daemon/api"
	"simpost/modem/emulator"
)

// What lasts: bad lines, late answers, ports that come and go, weeks.

// storm lets the seed decide everything: which faults of the catalogue, when and
// for how long, on which of two modems, when the daemon dies, who asks for what.
func storm(t *testing.T, found *tally, seed uint64, _ string) {
	modems := append(oneModem(seed), emulator.Config{Name: "b", Number: "+4790000002", Latency: 700 * time.Millisecond})
	inWorld(t, found, seed, setup{network: emulator.NetworkConfig{Latency: 200 * time.Millisecond}, modems: modems}, func(w *world) {
		phones := pair(w)
		w.start()
		w.up("a")
		for range 8 {
			w.stormRound(phones, []string{"a", "b"}[w.rng.IntN(2)], stormy[w.rng.IntN(len(stormy))])
		}
		w.verdict(48*time.Hour, nil)
	})
}

// stormy are the faults that end without a person and leave the network's word good.
var stormy = func() []string {
	var names []string
	for _, f := range emulator.Faults() {
		if f.Name != calm {
			names = append(names, f.Name)
		}
	}
	return names
}()

// ambiguous are the refusals after which the network may have the message. The
// others are the network's own word (RP causes, TS 24.011): whoever doubts them as
// well can't send anything again.
var ambiguous = map[string]bool{"send.cms-500": true, "send.cms-512": true, "send.cms-513": true, "send.cms-514": true, "send.cms-515": true,
	"send.cms-332": true}

// stormRound has one fault on one of the modems, work, and often a crash.
func (w *world) stormRound(phones []*emulator.Phone, name, f string) {
	w.t.Helper()
	c := emulator.FaultConfig{After: w.rng.IntN(3), Probability: 0.3 + 0.7*w.rng.Float64(), Accept: ambiguous[f] && w.rng.IntN(2) == 0}
	if wholly[f] {
		w.within(12*time.Hour, "what people wrote has come", w.arrived)
		c.After, c.Probability = 0, 1
	}
	if err := w.modems[name].Fault(f, c); err != nil {
		w.fatalf("%v", err)
	}
	w.book.under(f)
	if w.rng.IntN(2) == 0 {
		left := 1 + w.rng.IntN(300)
		w.crashAt(func(moment) bool { left--; return left < 0 })
	}
	w.work(phones)
	if w.died(time.Duration(1+w.rng.IntN(20)) * time.Minute) {
		w.start()
	}
	if wholly[f] {
		w.within(12*time.Hour, "what people wrote has come", w.arrived)
	}
	w.modems[name].ClearFaults()
	w.book.under("")
}

// calm is left out of storms: until a person puts the first card back, what is bound
// to it waits. Swapped cards are tried in ports, and in daemon.
const calm = "life.sim-swapped"

// wholly are faults that change each part of a message by itself: all of it must come
// under them, or none, for people's phones never write half a message in one way. A
// message of type 0 that the modem does not keep is thrown away by it, as TS 23.040
// 9.2.3.9 demands.
var wholly = map[string]bool{"incoming.part-missing": true, "incoming.alphanumeric": true, "incoming.ref-reused": true, "incoming.type-0": true}

// meanwhile is late where the modem answers commands while it owes the answer to a
// message, so that others are sent behind it; refusals come late too.
func meanwhile(t *testing.T, found *tally, seed uint64) {
	inWorld(t, found, seed, setup{modems: oneModem(seed)}, func(w *world) {
		phones := pair(w)
		w.start()
		w.up("a")
		delays := []time.Duration{30 * time.Second, time.Minute, 119 * time.Second, 170 * time.Second, 190 * time.Second, 5 * time.Minute}
		for range 6 {
			for _, f := range []string{"send.answer-late", "send.cms-350-late"} {
				if w.rng.IntN(3) > 0 {
					if err := w.modems["a"].Fault(f, emulator.FaultConfig{Delay: delays[w.rng.IntN(len(delays))], Times: 1}); err != nil {
						t.Fatal(err)
					}
				}
			}
			w.work(phones)
			time.Sleep(time.Duration(w.rng.IntN(10)) * time.Minute)
		}
		w.modems["a"].ClearFaults()
		w.verdict(12*time.Hour, nil)
	})
}

// late makes six answers late in a row, at different steps.
func late(t *testing.T, found *tally, seed uint64, how string) {
	if how == "meanwhile" {
		meanwhile(t, found, seed)
		return
	}
	_, by := parseDeath("idle/" + how)
	inWorld(t, found, seed, setup{modems: oneModem(seed)}, func(w *world) {
		phones := pair(w)
		w.start()
		w.up("a")
		line := w.lines["a"]
		for range 6 {
			s := steps[1+w.rng.IntN(len(steps)-1)]
			line.arm(s, by)
			w.work(phones)
			select {
			case <-line.done:
				<-line.mended
				w.own.step()
			case <-time.After(10 * time.Minute):
				line.disarm()
			}
		}
		w.verdict(12*time.Hour, nil)
	})
}

// noise is half an hour on a line that loses bytes, or doubles them; not both, for
// then a PDU of the right length may be wrong, which nobody can tell.
func noise(t *testing.T, found *tally, seed uint64, _ string) {
	inWorld(t, found, seed, setup{modems: oneModem(seed)}, func(w *world) {
		phones := pair(w)
		w.start()
		w.up("a")
		if seed%2 == 0 {
			w.lines["a"].noisy(1e-3, 0)
		} else {
			w.lines["a"].noisy(0, 1e-3)
		}
		for range 15 {
			w.work(phones)
			time.Sleep(2 * time.Minute)
		}
		w.lines["a"].spoil(nil)
		w.found.recovered = append(w.found.recovered, w.within(time.Hour, "it works again", func() bool { return w.ready("a") }))
		w.book.under("bytes.lost")
		w.verdict(24*time.Hour, func(a *account) { a.excuse = damaged })
	})
}

// damaged: the modem said several times in a row that what it got is no PDU (304),
// and the message says so. A digit of that code may be lost or doubled as well.
func damaged(m api.Message) bool {
	if m.Error == nil {
		return false
	}
	code := causes.FindStringSubmatch(m.Error.Message)
	return m.Error.Code == "part-failed" || code != nil && slices.Contains([]string{"304", "30", "34", "04", "3304", "3004", "3044"}, code[1])
}

var causes = regexp.MustCompile(`\+CMS ERROR: (\d+)`)

// ports: two modems are pulled at random moments, come back in their own or each
// other's place, and have work all the time.
func ports(t *testing.T, found *tally, seed uint64, _ string) {
	modems := append(oneModem(seed), emulator.Config{Name: "b", Number: "+4790000002", Latency: 700 * time.Millisecond})
	inWorld(t, found, seed, setup{modems: modems}, func(w *world) {
		phones := pair(w)
		w.start()
		w.up("a")
		for round := range 10 {
			name := []string{"a", "b"}[w.rng.IntN(2)]
			for i, p := range phones {
				w.ask(p.Number(), 1+(i+round)%3, func(r *api.SendRequest) { r.Modem = []string{"", "a", "b"}[w.rng.IntN(3)] })
			}
			w.tell(phones[round%3], w.modems[name].Number(), 1)
			time.Sleep(time.Duration(w.rng.IntN(4000)) * time.Millisecond)
			w.pull(name, w.rng.IntN(3))
		}
		w.verdict(12*time.Hour, nil)
	})
}

// pull takes a modem away for a while; it comes back as it was, or in place of the
// other one, which takes its place.
func (w *world) pull(name string, how int) {
	if how == 0 {
		w.modems["a"].Unplug()
		w.own.step()
		w.modems["b"].Unplug()
		a, b := w.device["a"], w.device["b"]
		w.behind("a", b)
		w.behind("b", a)
	} else {
		w.modems[name].Unplug()
	}
	time.Sleep(time.Duration(1+w.rng.IntN(60)) * time.Second)
	for _, m := range []string{"a", "b"} {
		w.own.step()
		w.modems[m].Plug()
	}
	w.found.recovered = append(w.found.recovered, w.within(time.Hour, "both work again", func() bool { return w.ready("a") && w.ready("b") }))
}

// month is thirty days with some work and some trouble in each. At its end as much
// is open as at its beginning: nothing.
func month(t *testing.T, found *tally, seed uint64, _ string) {
	inWorld(t, found, seed, setup{modems: oneModem(seed)}, func(w *world) {
		phones := pair(w)
		w.start()
		w.up("a")
		days := 30
		if testing.Short() || quick() {
			days = 3
		}
		day := func() {
			f := stormy[w.rng.IntN(len(stormy))]
			c := emulator.FaultConfig{Times: 1 + w.rng.IntN(3)}
			if wholly[f] {
				c.Times = 0
			}
			if err := w.modems["a"].Fault(f, c); err != nil {
				w.fatalf("%v", err)
			}
			w.book.under(f)
			w.work(phones)
			time.Sleep(2 * time.Hour)
			w.modems["a"].ClearFaults()
			w.book.under("")
			time.Sleep(22 * time.Hour)
		}
		day()
		w.within(48*time.Hour, "the first day is settled", w.settled)
		first := w.base()
		for range days - 1 {
			day()
		}
		w.verdict(48*time.Hour, nil)
		if last := w.base(); last.goroutines > first.goroutines || last.rows > first.rows || last.files > filesMost {
			w.found.wrong++
			w.errorf("at the end of the first day the daemon had %+v, at the end of the last one %+v", first, last)
		}
	})
}

// reports: more than 256 messages to three people, whose reports come at once, days
// late, never, or say that it failed; some of them twice.
func reports(t *testing.T, found *tally, seed uint64, _ string) {
	s := setup{modems: oneModem(seed), network: emulator.NetworkConfig{Validity: 7 * 24 * time.Hour}}
	inWorld(t, found, seed, s, func(w *world) {
		phones := []*emulator.Phone{
			w.net.NewPhone(emulator.PhoneConfig{Number: "+4791000001"}),
			w.net.NewPhone(emulator.PhoneConfig{Number: "+4791000002", Behaviour: emulator.Slow, Delay: time.Duration(1+w.rng.IntN(72)) * time.Hour}),
			w.net.NewPhone(emulator.PhoneConfig{Number: "+4791000003", Behaviour: emulator.Reject}),
			w.net.NewPhone(emulator.PhoneConfig{Number: "+4791000004", Behaviour: emulator.Silent}),
		}
		w.start()
		w.up("a")
		for _, f := range []string{"report.twice", "report.before-cmgs", "report.national"} {
			if w.rng.IntN(2) == 0 {
				if err := w.modems["a"].Fault(f, emulator.FaultConfig{Probability: 0.3}); err != nil {
					w.fatalf("%v", err)
				}
			}
		}
		for range 300 {
			w.ask(phones[w.rng.IntN(len(phones))].Number(), 1, func(r *api.SendRequest) { r.Validity = "7d" })
			time.Sleep(time.Duration(w.rng.IntN(300)) * time.Second)
		}
		w.truth()
		w.verdict(12*time.Hour, refusing)
		time.Sleep(80 * time.Hour)
		w.truth()
		w.judge(refusing)
	})
}

// refusing excuses what the person with the number ending in 3 did not take.
func refusing(a *account) {
	a.excuse = func(m api.Message) bool { return strings.HasSuffix(m.To, "3") }
}

// truth: what is said to be delivered was, and to the one who rejects nothing was.
func (w *world) truth() {
	w.t.Helper()
	record := w.net.Record()
	for _, id := range w.accepted() {
		m, err := w.get(id)
		if err != nil {
			w.fatalf("%v", err)
		}
		if m.State != api.Delivered {
			continue
		}
		delivered := slices.ContainsFunc(copiesOf(record, m)[0], func(s emulator.Submission) bool { return s.Delivered })
		if strings.HasSuffix(m.To, "3") || strings.HasSuffix(m.To, "4") || !delivered {
			w.found.wrong++
			w.errorf("message %s to %s has the report of another one", m.ID, m.To)
		}
	}
}

// clocks: the system's clock is wrong at the start, or is set while the daemon is
// at any state of its work; a time server may vouch for it in the end. Nothing is
// sent more than once again, and nothing expires before its time.
func clocks(t *testing.T, found *tally, seed uint64, by string) {
	inWorld(t, found, seed, setup{modems: oneModem(seed)}, func(w *world) {
		off, err := time.ParseDuration(by)
		if err != nil {
			w.fatalf("%v", err)
		}
		phones := pair(w)
		c := &wallClock{}
		w.wall, w.synced = c.now, c.synced
		if seed%2 == 0 {
			c.set(off, false)
		}
		w.start()
		w.up("a")
		for round := range 4 {
			left := 1 + w.rng.IntN(60)
			jumped := false
			w.crashAt(func(moment) bool {
				if left--; left < 0 && !jumped { // a step in the middle of whatever it was doing
					jumped = true
					c.set(off*time.Duration((round+int(seed))%2), seed%3 == 0 && round == 3)
				}
				return left < -40 && w.seed%4 == 0
			})
			expires := time.Now().Add(12 * time.Hour)
			for i, p := range phones {
				w.ask(p.Number(), 1+i%2, func(r *api.SendRequest) { r.Expires = &expires })
			}
			if w.died(10 * time.Minute) {
				w.start()
			}
		}
		w.up("a")
		w.verdict(10*time.Hour, nil)
		w.unexpired()
	})
}

// unexpired: no message came to its end by a clock alone, and no part was sent
// more than once again.
func (w *world) unexpired() {
	w.t.Helper()
	for part, n := range copiesPerPart(w) {
		if n > 2 {
			w.found.wrong++
			w.errorf("a part was sent %d times: %s", n, clip(part))
		}
	}
	for _, id := range w.accepted() {
		if m, err := w.get(id); err != nil || m.State == api.Expired {
			w.found.wrong++
			w.errorf("message %s expired before its time (%v)", id, err)
		}
	}
}

// wallClock is a system's clock as a machine without a battery has it.
type wallClock struct {
	mu      sync.Mutex
	off     time.Duration
	vouched bool
}

func (c *wallClock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.off).Round(0)
}

func (c *wallClock) synced() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.vouched
}

// set makes the clock wrong by off; synced is only said of one that is right.
func (c *wallClock) set(off time.Duration, synced bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.off, c.vouched = off, synced && off == 0
}

func copiesPerPart(w *world) map[string]int {
	n := map[string]int{}
	for _, s := range w.net.Record() {
		n[fmt.Sprint(s.To, s.Text)]++
	}
	return n
}
