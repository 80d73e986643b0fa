package main

import (
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"simpost/daemon/api"
)

// backWithin is how soon after a modem's return it must work again.
const backWithin = 5 * time.Second

// A modem is pulled and comes back, on another terminal each time, while there is
// work: it works again within seconds, and nothing is lost.
func TestUnpluggedAndBack(t *testing.T) {
	t.Parallel()
	rounds := 5
	switch os.Getenv("SIMPOST_FAULTS") {
	case "full":
		rounds = 100
	case "ci":
		rounds = 20
	}
	v := newVictim(t)
	v.serves()
	v.ready = nil
	began := time.Now()
	v.condition(0, api.CondReady)
	for round := range rounds {
		v.work(round)
		last := v.lastEvent()
		v.modem.Unplug()
		last = v.condition(last, api.CondUnplugged)
		pulled := time.Now()
		v.modem.Plug()
		v.condition(last, api.CondReady)
		back := time.Since(pulled)
		if v.ready = append(v.ready, back); back > backWithin {
			t.Errorf("round %d: it worked again after %v, want %v", round, back, backWithin)
		}
	}
	v.settled()
	v.flagged = v.judge()
	v.row("unplugged", "the modem is pulled and comes back on another pseudo-terminal", rounds, time.Since(began))
}

// errSeen ends a stream of events that has shown what was waited for.
var errSeen = errors.New("seen")

func (v *victim) lastEvent() int64 {
	v.t.Helper()
	status, err := v.client.Status(v.ctx)
	if err != nil {
		v.t.Fatal(err)
	}
	return status.LastEvent
}

// condition waits for the modem's next event that says code, and returns its number.
func (v *victim) condition(after int64, code api.ConditionCode) int64 {
	v.t.Helper()
	var seq int64
	err := v.client.Events(v.ctx, after, true, func(e api.Event) error {
		if e.Type == api.EventModem && e.State == string(code) {
			seq = e.Seq
			return errSeen
		}
		return nil
	})
	if !errors.Is(err, errSeen) {
		v.t.Fatal(fmt.Errorf("the modem did not become %s: %w\n%s", code, err, v.log))
	}
	return seq
}
