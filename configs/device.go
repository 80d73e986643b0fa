package configs

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
)

// How a modem of the configuration is found among what is attached.
const (
	ByPath  = "path"  // a tty, or a symlink to one
	ByPlace = "usb"   // the USB port that it is plugged into, such as 1-1.2
	ByIMEI  = "imei"  // the modem's own number
	ByICCID = "iccid" // the number of the SIM card in it
	Auto    = "auto"  // every modem on USB that no other [[modem]] names
)

// FoundBy takes Device apart: one of the constants above, and the path, place or
// number, "" for Auto.
func (m Modem) FoundBy() (how, value string) {
	if m.Device == Auto {
		return Auto, ""
	}
	if how, value, ok := strings.Cut(m.Device, ":"); ok && devicePatterns[how] != nil {
		return how, value
	}
	return ByPath, m.Device
}

var devicePatterns = map[string]*regexp.Regexp{
	ByPlace: regexp.MustCompile(`^[0-9]{1,3}-[0-9]{1,3}(\.[0-9]{1,3}){0,6}$`),
	ByIMEI:  regexp.MustCompile(`^[0-9]{15}$`),
	ByICCID: regexp.MustCompile(`^89[0-9A-Fa-f]{16,20}$`), // E.118; some issuers use letters
}

var deviceExamples = map[string]string{
	ByPlace: `the place that "simpost doctor" shows, such as "usb:1-1.2"`,
	ByIMEI:  `the 15 digits that are printed on the modem`,
	ByICCID: `the 18 to 22 digits that are printed on the SIM card, beginning with 89`,
}

// autoMost is how long the name of an automatic modem may be: the second that is
// found gets "-2" after it.
const autoMost = 29

func (k *checks) device(key string, m Modem) {
	how, value := m.FoundBy()
	switch pattern := devicePatterns[how]; {
	case pattern != nil:
		k.that(key, pattern.MatchString(value), "%q: write %s", m.Device, deviceExamples[how])
	case how == ByPath:
		k.that(key, filepath.IsAbs(value), `%q: write "auto", a path such as "/dev/ttyUSB2", "usb:1-1.2", "imei:" or "iccid:" and the number`, m.Device)
	}
}

// deviceKey is equal for two modems that claim the same.
func deviceKey(m Modem) string {
	how, value := m.FoundBy()
	if how == ByPath && value != "" {
		value = filepath.Clean(value)
	}
	if value == "" && how != Auto {
		return "" // it is told elsewhere
	}
	return how + ":" + value
}

// autoNames keeps the names that found modems will get free of others.
func (k *checks) autoNames(modems []Modem) {
	for i, m := range modems {
		if m.Device != Auto {
			continue
		}
		k.that(fmt.Sprintf("modem[%d].name", i), len(m.Name) <= autoMost, "%q: an automatic modem has at most %d letters, for the next one is called %s-2", m.Name, autoMost, m.Name)
		for j, other := range modems {
			k.that(fmt.Sprintf("modem[%d].name", j), other.Name == m.Name || !IsAutoName(m.Name, other.Name),
				"%q: modem[%d] is automatic, and gives this name to another modem that it finds", other.Name, i)
		}
	}
}

var autoNumber = regexp.MustCompile(`^-([2-9]|[1-9][0-9])$`)

// IsAutoName says whether name is one that the automatic modem base may give:
// base, base-2, base-3 and so on to base-99.
func IsAutoName(base, name string) bool {
	rest, ok := strings.CutPrefix(name, base)
	return ok && (rest == "" || autoNumber.MatchString(rest))
}
