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
// had its time, and is unknown. Their limits are the narrowest: a modem that shares
// its hub with others must not take them down all day.

// comeBack is how long a modem may be away from the bus after a hand was used,
// before that counts as a failure.
const comeBack = time.Minute

// hands are what a modem can be restarted by, and when it was. The zero value can
// do nothing.
type hands struct {
	able  []string  // of the configuration
	place string    // where it was last seen on USB; "" for a modem that is elsewhere
	last  time.Time // of the last use; zero once the ladder has begun anew
	due   bool      // the step taken last is a hand's, and it is not done yet
}

// can says whether there is a hand for the step.
func (h *hands) can(step api.RecoveryStep) bool {
	return slices.Contains(h.able, string(step)) && (step == api.StepPowerKey || h.place != "")
}

// lost says that a modem has not come back from the hand that was used last.
func (h *hands) lost(code api.ConditionCode, now time.Time) bool {
	gone := code == api.CondNoDevice || code == api.CondUnplugged
	return gone && !h.last.IsZero() && now.Sub(h.last) > comeBack
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
	row.take(time.Now())
	row.hands.last, row.hands.due = time.Now(), false
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
