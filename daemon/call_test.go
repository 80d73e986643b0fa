package daemon

import (
	"testing"
	"time"

	"simpost/daemon/api"
	"simpost/modem/emulator"
)

// inCalls is a world whose one modem is ready.
func inCalls(t *testing.T, hangUp bool, body func(w *world)) {
	t.Helper()
	inWorld(t, emulator.NetworkConfig{}, twoModems()[:1], func(w *world) {
		w.cfg.Modems[0].HangUp = hangUp
		w.start()
		w.condition("a", api.CondReady)
		body(w)
	})
}

const caller = "+4791000001"

// nth waits for the nth event of a type and returns it.
func (w *world) nth(kind api.EventType, n int) api.Event {
	w.t.Helper()
	return w.nthWithin(kind, n, time.Minute)
}

func (w *world) nthWithin(kind api.EventType, n int, limit time.Duration) api.Event {
	w.t.Helper()
	w.within(limit, string(kind)+" has come", func() bool { return len(w.events(kind)) >= n })
	all := w.events(kind)
	if len(all) != n {
		w.t.Errorf("%d events %s, want %d: %+v", len(all), kind, n, all)
	}
	return all[n-1]
}

// However often it rings, a call is one event, and its end another.
func TestCallIsOneEvent(t *testing.T) {
	inCalls(t, false, func(w *world) {
		c := w.net.Call(caller, "+4790000001")
		if e := w.nth(api.EventCall, 1); e.Number != caller || e.Modem != "a" || e.Detail == "" {
			t.Errorf("got %+v", e)
		}
		time.Sleep(18 * time.Second)
		if c.Over() {
			t.Error("it was hung up")
		}
		c.End()
		if e := w.nth(api.EventCallEnded, 1); e.Number != caller || e.Detail != "it rang for 15s" {
			t.Errorf("got %+v", e)
		}
		w.net.Call(caller, "+4790000001").End()
		w.nth(api.EventCall, 2)
		w.nth(api.EventCallEnded, 2)
	})
}

// A modem that does not tell the end, and a caller without a number.
func TestCallWithoutEndOrNumber(t *testing.T) {
	inCalls(t, false, func(w *world) {
		c := w.net.Call("", "+4790000001")
		if e := w.nth(api.EventCall, 1); e.Number != "" || e.Detail != "a call rings, its number is withheld" {
			t.Errorf("got %+v", e)
		}
		c.Vanish()
		w.nth(api.EventCallEnded, 1)
	})
}

// Hanging up is for those who use missed calls as signals.
func TestCallIsHungUp(t *testing.T) {
	inCalls(t, true, func(w *world) {
		c := w.net.Call(caller, "+4790000001")
		w.nth(api.EventCall, 1)
		w.within(time.Minute, "it is hung up", c.Over)
		w.nth(api.EventCallEnded, 1)
	})
}

// A modem that is unplugged while it rings leaves no call without an end, and
// messages go on while it rings.
func TestCallAndTheRest(t *testing.T) {
	inCalls(t, false, func(w *world) {
		w.net.Call(caller, "+4790000001")
		w.nth(api.EventCall, 1)
		w.becomes(w.send(text("+4791000002", "meanwhile")), api.Delivered, 20*time.Second)
		w.modems["a"].Unplug()
		w.nth(api.EventCallEnded, 1)
	})
}

// A stray NO CARRIER is the end of nothing.
func TestNoCarrierIsNoCall(t *testing.T) {
	inCalls(t, false, func(w *world) {
		if err := w.modems["a"].Fault("final.no-carrier", emulator.FaultConfig{}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Minute)
		if got := append(w.events(api.EventCall), w.events(api.EventCallEnded)...); len(got) != 0 {
			t.Errorf("got %+v", got)
		}
	})
}
