package hw

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Supply is how a Raspberry Pi is fed. A modem takes 2 A for the moment it sends,
// and a supply that gives way makes it restart, or hang.
type Supply struct {
	Low bool // under-voltage now
	Was bool // since the machine was started
}

// The firmware's bits, of get_throttled in raspberrypi.com/documentation/computers/os.html.
const (
	lowNow = 1 << 0
	lowWas = 1 << 16
)

// ReadSupply asks the firmware, and the kernel's rpi_volt sensor where the firmware's
// own word is not shown. known is false on a machine that does not measure.
func (h *Hands) ReadSupply() (s Supply, known bool) {
	for _, name := range h.glob("sys/devices/platform/soc*/soc*firmware/get_throttled") {
		text, err := os.ReadFile(name)
		bits, bad := strconv.ParseUint(strings.TrimPrefix(strings.TrimSpace(string(text)), "0x"), 16, 32)
		if err == nil && bad == nil {
			return Supply{Low: bits&lowNow != 0, Was: bits&(lowNow|lowWas) != 0}, true
		}
	}
	for _, name := range h.glob("sys/class/hwmon/hwmon*/name") {
		if word(name) != "rpi_volt" {
			continue
		}
		alarm := word(filepath.Join(filepath.Dir(name), "in0_lcrit_alarm"))
		return Supply{Low: alarm == "1", Was: alarm == "1"}, alarm != ""
	}
	return Supply{}, false
}

func (h *Hands) glob(pattern string) []string {
	names, _ := filepath.Glob(filepath.Join(h.root(), pattern)) // the patterns are right
	return names
}

// word is what a small file says, "" if it says nothing.
func word(name string) string {
	text, err := os.ReadFile(name)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}
