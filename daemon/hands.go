package daemon

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"simpost/configs"
	"simpost/daemon/api"
	"simpost/hw"
)

// The last rungs of the ladder are hands: they restart a modem from outside. They
// are used between two sessions only, so no exchange is open: what was past its ^Z
// had its time, and is unknown. How often is limited, over good times and bad: a
// modem that hangs every ten minutes is a matter for a person, and one that shares
// its hub with others must not take them down all day.

// handLimit is how often a step may be taken.
type handLimit struct{ hour, day int }

// comeBack is how long a modem may be away from the bus after a hand was used,
// before that counts as a failure.
const comeBack = time.Minute

// hands are what a modem can be restarted by, and when it was. The zero value can
// do nothing.
type hands struct {
	able   []string // of the configuration
	place  string   // where it was last seen on USB; "" for a modem that is elsewhere
	uses   map[api.RecoveryStep][]time.Time
	last   time.Time // of the last use; zero once the ladder has begun anew
	due    bool      // the step taken last is a hand's, and it is not done yet
	usedUp bool      // a step was left out because of its limit
}

// may says whether a step can be taken now.
func (h *hands) may(r rung, now time.Time) bool {
	if r.limit == (handLimit{}) {
		return true
	}
	if !slices.Contains(h.able, string(r.step)) || r.step != api.StepPowerKey && h.place == "" {
		return false
	}
	hour, day := 0, 0
	for _, at := range h.uses[r.step] {
		if ago := now.Sub(at); ago < 24*time.Hour {
			day++
			if ago < time.Hour {
				hour++
			}
		}
	}
	ok := hour < r.limit.hour && day < r.limit.day
	h.usedUp = h.usedUp || !ok
	return ok
}

// lost says that a modem has not come back from the hand that was used last.
func (h *hands) lost(code api.ConditionCode, now time.Time) bool {
	gone := code == api.CondNoDevice || code == api.CondUnplugged
	return gone && !h.last.IsZero() && now.Sub(h.last) > comeBack
}

// used notes a use, and forgets those that no limit asks about any more.
func (h *hands) used(step api.RecoveryStep, now time.Time) {
	if h.uses == nil {
		h.uses = map[api.RecoveryStep][]time.Time{}
	}
	recent := slices.DeleteFunc(h.uses[step], func(at time.Time) bool { return now.Sub(at) >= 24*time.Hour })
	h.uses[step], h.last, h.due = append(recent, now), now, false
}

// seen notes where an open modem is plugged in.
func (h *hands) seen(place string) {
	if place != "" {
		h.place = place
	}
}

// placeOf is where a device is plugged in, "" if it is not on USB.
func (d *Daemon) placeOf(device tenure) string {
	if device.seat != nil {
		return device.seat.dev.Place
	}
	return d.Hands.USBOf(device.port.Path)
}

// handTime is the longest that a hand takes: a power key with its pauses.
const handTime = time.Minute

// useHand takes the step that is due, if it is a hand's.
func (d *Daemon) useHand(ctx context.Context, mc configs.Modem, row *ladder) {
	if !row.hands.due {
		return
	}
	step := rungs[row.rung].step
	row.hands.used(step, time.Now())
	d.expectModem(mc, handTime)
	err := d.restart(ctx, mc, hw.Hand(step), row.hands.place)
	if ctx.Err() != nil {
		return
	}
	detail := string(step) + ": done"
	if err != nil {
		detail = handTrouble(err)
		d.board.find(mc.Name, api.FindHand, detail)
	} else {
		d.board.withdraw(mc.Name, api.FindHand)
	}
	d.log.Warn("restarted a modem from outside", "modem", mc.Name, "step", step, "place", row.hands.place, "error", err)
	d.record(api.Event{Type: api.EventRecovery, Modem: mc.Name, State: string(step), Detail: detail})
}

// handTrouble is why a hand did not work, with what would help.
func handTrouble(err error) string {
	var hand *hw.HandError
	if errors.As(err, &hand) && hand.Remedy != "" {
		return fmt.Sprintf("%v: %s", err, hand.Remedy)
	}
	return err.Error()
}

// restart is done by d.Restart in tests.
func (d *Daemon) restart(ctx context.Context, mc configs.Modem, hand hw.Hand, place string) error {
	if d.Restart != nil {
		return d.Restart(hand, mc.Name)
	}
	switch hand {
	case hw.USBReset:
		return d.Hands.Reset(place)
	case hw.USBPower:
		return d.Hands.CyclePort(ctx, place)
	}
	key, err := hw.ParseKey(mc.PowerKey, mc.PowerPulse)
	if err != nil {
		return err
	}
	return d.Hands.Press(ctx, key)
}
