package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"simpost/hw"
)

// runRestart restarts a modem from outside, by the first hand that works.
func (a *app) runRestart(ctx context.Context, name string) error {
	ctx, stop := untilSignal(ctx)
	defer stop()
	device, err := a.deviceOf(name)
	if err != nil {
		return err
	}
	h := hw.Hands{Root: a.sysroot}
	usb := h.USBOf(device)
	if usb == "" {
		return hinted(fmt.Errorf("%s is not there, or not on USB", device), "unplug the modem and plug it in again; one on a serial line is restarted by its PWRKEY (power_key) or its supply")
	}
	var all []error
	for _, hand := range []struct {
		says string
		do   func() error
	}{
		{"resetting it", func() error { return h.Reset(usb) }},
		{"taking its drivers from it and giving them back", func() error { return h.Rebind(ctx, usb) }},
		{"switching its port off and on", func() error { return h.CyclePort(ctx, usb) }},
	} {
		fmt.Fprintf(a.err, "simpost: %s at %s: %s\n", device, usb, hand.says)
		err := hand.do()
		if err == nil {
			_, err = fmt.Fprintln(a.out, "Restarted. It is back within a minute; simpost modems shows how it is.")
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		fmt.Fprintf(a.err, "simpost: %v\n", err)
		all = append(all, err)
	}
	return notRestarted(device, all)
}

func notRestarted(device string, all []error) error {
	err := fmt.Errorf("%s could not be restarted", device)
	for _, e := range all {
		var hand *hw.HandError
		if errors.As(e, &hand) && hand.Remedy != "" {
			return hinted(err, "%s", hand.Remedy)
		}
	}
	return hinted(err, "unplug the modem and plug it in again")
}

// deviceOf is the device of a modem of the configuration, or a device as it is.
func (a *app) deviceOf(name string) (string, error) {
	if strings.HasPrefix(name, "/") {
		return name, nil
	}
	cfg, err := a.loadConfig()
	if err != nil {
		return "", err
	}
	var names []string
	for _, m := range cfg.Modems {
		if m.Name == name {
			return m.Device, nil
		}
		names = append(names, m.Name)
	}
	return "", usagef("there is no modem %q; there is %s, or name a device such as /dev/ttyUSB2", name, strings.Join(names, ", "))
}
