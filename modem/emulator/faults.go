package emulator

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// FaultConfig says when a fault acts. The zero value: every time, or once for the faults that end something.
type FaultConfig struct {
	After       int           // let this many chances pass first
	Times       int           // act this often; 0 is the fault's own habit, always or once
	Probability float64       // of each chance after that; 0 is 1
	Delay       time.Duration // how late, how long; 0 is the fault's own
	Accept      bool          // the send faults that answer with an error: the network takes the message all the same
}

// FaultInfo describes a fault for people.
type FaultInfo struct {
	Name     string // family.what
	Family   int    // 1..10
	Sentence string
	times    int // how often it acts unless Times says otherwise; 0 is always
}

// fault is one switched on.
type fault struct {
	FaultConfig
	info  FaultInfo
	seen  int
	acted int
	rng   *rand.Rand
}

// delay is the configured delay, or the fault's own.
func (f *fault) delay(own time.Duration) time.Duration {
	if f.Delay > 0 {
		return f.Delay
	}
	return own
}

// Faults is the catalogue, in order of families.
func Faults() []FaultInfo { return append([]FaultInfo(nil), catalogue...) }

// Fault switches a fault on, from now on, in place of its earlier configuration. It errs on a name that is not in Faults.
func (m *Modem) Fault(name string, c FaultConfig) error {
	for i, info := range catalogue {
		if info.Name == name {
			m.locked(func() {
				m.faults[name] = &fault{FaultConfig: c, info: info, rng: rand.New(rand.NewPCG(m.cfg.Seed, uint64(i)))}
				m.faultOn(name)
			})
			return nil
		}
	}
	return fmt.Errorf("emulated modem %s has no fault %q (simpost emulate --list-faults shows all)", m.cfg.Name, name)
}

// ClearFaults switches all faults off and undoes what still lasts of them, but for a card that was swapped.
func (m *Modem) ClearFaults() {
	m.locked(func() {
		clear(m.faults)
		m.deaf = ""
		m.in.setStuck(false)
		m.networkBack()
	})
}

// hit asks whether a fault acts at this chance; nil is no. The lock is held.
func (m *Modem) hit(name string) *fault {
	f := m.faults[name]
	if f == nil {
		return nil
	}
	f.seen++
	times := f.Times
	if times == 0 {
		times = f.info.times
	}
	switch {
	case f.seen <= f.After, times > 0 && f.acted >= times:
		return nil
	case f.Probability > 0 && f.rng.Float64() >= f.Probability:
		return nil
	}
	f.acted++
	return f
}
