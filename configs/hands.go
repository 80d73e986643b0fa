package configs

import (
	"regexp"
	"strings"
)

// The hands that a configuration can name: what may be done from outside to a
// modem that hears nothing.
const (
	HandReset = "usb-reset"
	HandPower = "usb-power"
	HandKey   = "power-key"
	HandNone  = "none"
)

// Pulses are the values of power_pulse.
var Pulses = []string{"sim800", "sim7600", "ec25"}

var keyPattern = regexp.MustCompile(`^(/dev/)?gpiochip[0-9]{1,4}/[0-9]{1,4}(/low)?$`)

// HandList are the hands that may be used: those that Hands
// names, or, if it names none, the reset, and the key where one is wired.
func (m Modem) HandList() []string {
	switch {
	case m.Hands == HandNone:
		return nil
	case m.Hands != "":
		return strings.Fields(m.Hands)
	case m.PowerKey != "":
		return []string{HandReset, HandKey}
	}
	return []string{HandReset}
}

func (k *checks) hands(at func(string) string, m Modem) {
	named := map[string]bool{}
	for _, h := range strings.Fields(m.Hands) {
		k.that(at("hands"), h == HandReset || h == HandPower || h == HandKey || h == HandNone && m.Hands == HandNone,
			"%q: write some of %s, %s and %s with spaces between them, or %s alone", h, HandReset, HandPower, HandKey, HandNone)
		k.that(at("hands"), !named[h], "%q stands there twice", h)
		named[h] = true
	}
	k.that(at("hands"), !named[HandKey] || m.PowerKey != "", "%s needs power_key, the line that it is wired to", HandKey)
	k.that(at("power_key"), m.PowerKey == "" || keyPattern.MatchString(m.PowerKey), "%q: write the chip and the line, such as \"gpiochip0/4\"", m.PowerKey)
	if m.PowerKey != "" {
		k.oneOf(at("power_pulse"), m.PowerPulse, Pulses...)
	}
}
