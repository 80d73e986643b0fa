package daemon

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"simpost/daemon/api"
	"simpost/modem/emulator"
)

// The daemon under every fault the emulator has, judged by the network's record:
// nothing that was accepted is lost, nothing is repeated without saying so, and
// all that came in is there once. The fault lasts for a while and then goes, and
// nobody touches the modem.

const (
	faultLasts = 20 * time.Minute
	afterwards = 6 * time.Hour // for quarantines and the longest retries
)

func TestUnderEveryFault(t *testing.T) {
	all := emulator.Faults()
	if len(all) < 60 {
		t.Errorf("the emulator has %d faults, want 60 or more", len(all))
	}
	for _, f := range all {
		t.Run(f.Name, func(t *testing.T) {
			t.Parallel()
			underFault(t, f.Name)
		})
	}
}

func underFault(t *testing.T, fault string) {
	phones := []emulator.PhoneConfig{{Number: "+4791000001"}, {Number: "+4791000002"}, {Number: "+4791000003"}}
	inWorld(t, emulator.NetworkConfig{Latency: 500 * time.Millisecond}, twoModems(), func(w *world) {
		var people []*emulator.Phone
		for _, p := range phones {
			people = append(people, w.net.NewPhone(p))
		}
		if err := w.modems["a"].Fault(fault, emulator.FaultConfig{Delay: lasting[fault]}); err != nil {
			t.Fatal(err)
		}
		w.start()
		j := &judge{w: w}
		for round := range 6 {
			j.send("a", people[round%3].Number(), round)
			j.told(people[(round+1)%3], round)
			time.Sleep(20 * time.Second)
		}
		time.Sleep(faultLasts)
		w.modems["a"].ClearFaults()
		w.within(afterwards, "all is settled under "+fault, func() bool { return j.settled(fault) })
		j.verdict(fault)
	})
}

// judge remembers what was asked for, and holds the network's record and the
// daemon's word against it.
type judge struct {
	w   *world
	ids []string
	in  []string // texts that phones sent
}

// send asks for a message, every third one long; each of its parts is unlike any other.
func (j *judge) send(modem, to string, round int) {
	req := text(to, body("out", round))
	req.Modem = modem
	j.ids = append(j.ids, j.w.send(req))
}

func (j *judge) told(p *emulator.Phone, round int) {
	s := body("in", round)
	j.in = append(j.in, s)
	p.Send("+4790000001", s)
}

func body(kind string, round int) string {
	s := fmt.Sprintf("%s %d.", kind, round)
	if round%3 == 2 {
		for i := range 60 {
			s += fmt.Sprintf(" %s%d-%d", kind, round, i)
		}
	}
	return s
}

func (j *judge) settled(fault string) bool {
	for _, id := range j.ids {
		switch m := j.w.get(id); m.State {
		case api.Scheduled, api.Queued, api.Sending:
			return false
		case api.Unknown:
			if len(m.Attempts) < 2 { // it will be sent again
				return false
			}
		}
	}
	return j.arrived() || lossy[fault]
}

// arrived says whether everything that phones sent is in the inbox, whole.
func (j *judge) arrived() bool {
	got := j.received()
	for _, s := range j.in {
		if got[s] == 0 {
			return false
		}
	}
	return true
}

// received counts the texts of the inbox, leaving out what says it is a repeat.
func (j *judge) received() map[string]int {
	got := map[string]int{}
	for _, m := range j.w.inbox() {
		if m.Text != nil && m.RepeatOf == "" {
			got[*m.Text]++
		}
	}
	return got
}

func (j *judge) verdict(fault string) {
	t := j.w.t
	t.Helper()
	for _, id := range j.ids {
		m := j.w.get(id)
		least, most := j.copies(m)
		switch {
		case least == 0 && m.State != api.Failed && m.State != api.Unknown:
			t.Errorf("under %s message %s is %s, and a part of it never reached the network", fault, id, m.State)
		case least == 0 && m.State == api.Failed && !refuses[fault]:
			t.Errorf("under %s message %s failed: %+v", fault, id, m.Error)
		case most > 2:
			t.Errorf("under %s message %s was sent %d times", fault, id, most)
		case most > 1 && !m.PossibleDuplicate:
			t.Errorf("under %s message %s was sent %d times and does not say so", fault, id, most)
		}
	}
	got := j.received()
	for _, s := range j.in {
		if n := got[s]; n > 1 {
			t.Errorf("under %s %q was received %d times and does not say so", fault, clip(s), n)
		}
	}
	if t.Failed() {
		t.Log(j.w.account())
	}
}

// copies counts how often the network accepted the parts of m.
func (j *judge) copies(m api.Message) (least, most int) {
	counts := make([]int, len(m.Parts))
	for _, s := range j.w.net.Record() {
		if s.To == m.To && strings.Contains(*m.Text, s.Text) && s.Total == len(m.Parts) {
			counts[max(s.Part, 1)-1]++
		}
	}
	least, most = counts[0], counts[0]
	for _, n := range counts {
		least, most = min(least, n), max(most, n)
	}
	return least, most
}

func clip(s string) string { return s[:min(len(s), 20)] }

// refuses lists the faults under which an honest network or modem refuses a
// message for good.
var refuses = map[string]bool{}

// lossy lists the faults under which the network itself does not bring what
// phones sent.
var lossy = map[string]bool{
	"incoming.part-missing": true, // a part is lost on the way
	"life.sim-swapped":      true, // the number is no longer on the network
}

// lasting gives those faults an end that would otherwise need a person.
var lasting = map[string]time.Duration{
	"life.denied": 10 * time.Minute, "life.network-lost": 10 * time.Minute,
}
