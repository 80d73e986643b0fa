package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"simpost/daemon/api"
	"simpost/hw"
)

// restartHands are what a person may use, from the gentlest on. None of them knows
// whether it has helped: a modem that hangs may come back from a reset as it was.
var restartHands = []struct {
	name hw.Hand
	says string
	do   func(ctx context.Context, h *hw.Hands, usb string) error
}{
	{hw.USBReset, "resetting it", func(_ context.Context, h *hw.Hands, usb string) error { return h.Reset(usb) }},
	{hw.USBRebind, "taking its drivers from it and giving them back", func(ctx context.Context, h *hw.Hands, usb string) error { return h.Rebind(ctx, usb) }},
	{hw.USBPower, "switching its port off and on", func(ctx context.Context, h *hw.Hands, usb string) error { return h.CyclePort(ctx, usb) }},
}

func handNames() []string {
	var names []string
	for _, hand := range restartHands {
		names = append(names, string(hand.name))
	}
	return names
}

// runRestart restarts a modem from outside, by this hand or else by the first that
// can be used.
func (a *app) runRestart(ctx context.Context, name, by string) error {
	ctx, stop := untilSignal(ctx)
	defer stop()
	usb, err := a.placeOf(ctx, name)
	if err != nil {
		return err
	}
	if usb == "" {
		return hinted(fmt.Errorf("%s is not there, or not on USB", name), "unplug the modem and plug it in again, or name the place where it was, such as usb:1-1.2; one on a serial line is restarted by its PWRKEY (power_key) or its supply")
	}
	var all []error
	for i, hand := range restartHands {
		if by != "" && by != string(hand.name) {
			continue
		}
		fmt.Fprintf(a.err, "simpost: %s at %s: %s\n", name, usb, hand.says)
		err := hand.do(ctx, &hw.Hands{Root: a.sysroot}, usb)
		if err == nil {
			return a.printRestarted(name, i)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		fmt.Fprintf(a.err, "simpost: %v\n", err)
		all = append(all, err)
	}
	return notRestarted(name, all)
}

// printRestarted says by what, and what is left to do if that did not help.
func (a *app) printRestarted(name string, hand int) error {
	next := "unplug it and plug it in again"
	if hand+1 < len(restartHands) {
		next = "sudo " + a.commandLine("doctor", "--restart", name, "--by", string(restartHands[hand+1].name))
	}
	_, err := fmt.Fprintf(a.out, "Restarted by %s. It is back within a minute; simpost modems shows how it is.\nIf it does not answer then: %s\n", restartHands[hand].name, next)
	return err
}

func notRestarted(name string, all []error) error {
	err := fmt.Errorf("%s could not be restarted", name)
	for _, e := range all {
		var hand *hw.HandError
		if errors.As(e, &hand) && hand.Remedy != "" {
			return hinted(err, "%s", hand.Remedy)
		}
	}
	return hinted(err, "unplug the modem and plug it in again")
}

// placeOf is where on USB a modem is, or was last: by its name, a device such as
// /dev/ttyUSB2, or the place itself; "" where that is not known. The daemon knows
// best, also which modem it gave a name by itself.
func (a *app) placeOf(ctx context.Context, name string) (string, error) {
	e := a.examiner()
	if strings.HasPrefix(name, "/") || strings.HasPrefix(name, "usb:") {
		return e.PlaceOf(name), nil
	}
	c, err := a.client()
	if err != nil {
		return "", err
	}
	m, err := c.Modem(ctx, name)
	var refused *api.Error
	switch {
	case err == nil:
		return cmp.Or(m.Place, e.PlaceOf(m.Device)), nil
	case !errors.As(err, &refused) || refused.Code != api.CodeDaemonNotRunning && refused.Code != api.CodeNoPermission:
		return "", err
	}
	cfg, err := a.loadConfig()
	if err != nil {
		return "", err
	}
	place, known := e.Place(ctx, cfg.Modems, name, a.asking)
	if known {
		return place, nil
	}
	var names []string
	for _, m := range cfg.Modems {
		names = append(names, m.Name)
	}
	return "", usagef("there is no modem %q; there is %s, or name a device such as /dev/ttyUSB2", name, strings.Join(names, ", "))
}
