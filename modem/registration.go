package modem

import (
	"strconv"
	"strings"
)

// registration is one +CREG, +CGREG, +CEREG or +C5GREG line (TS 27.007 7.2, 10.1.20, 10.1.22, 10.1.47).
type registration struct {
	stat   int // 0..11
	area   int // LAC or TAC
	cell   int
	access int // AcT, -1 not told
}

// statusNames are the stat values in order (TS 27.007 7.2).
var statusNames = []string{"idle", "home", "searching", "denied", "unknown", "roaming", "home_sms_only", "roaming_sms_only",
	"emergency_only", "home_csfb_not_preferred", "roaming_csfb_not_preferred", "attached_rlos"}

// accessNames are the AcT values in order (TS 27.007 7.3).
var accessNames = []string{"gsm", "gsm-compact", "umts", "edge", "hsdpa", "hsupa", "hspa", "lte", "ec-gsm", "nb-iot",
	"lte-5gc", "5gnr", "ng-ran", "en-dc"}

func nameOf(names []string, i int) string {
	if i < 0 || i >= len(names) {
		return "unknown"
	}
	return names[i]
}

// sendable says whether a message may be submitted in this state: 6 and 7 are "SMS only" (HOUSE: 1, 5, 6, 7).
func sendable(stat int) bool { return stat == 1 || stat == 5 || stat == 6 || stat == 7 }

// parseRegistration reads the part after "NAME:". The answer to a query has <n> before <stat>, the URC has not, and
// some modems send the query's shape as a URC: there the second field decides, an area code has four digits.
func parseRegistration(v string, query bool) (r registration, ok bool) {
	raw := split(v)
	f := fields(v)
	if len(f) >= 2 && (query || len(f[1]) > 0 && len(f[1]) <= 2 && !strings.HasPrefix(raw[1], `"`)) {
		f = f[1:]
	}
	r = registration{access: -1}
	if r.stat, ok = number(f, 0); !ok || r.stat < 0 || r.stat >= len(statusNames) {
		return registration{access: -1}, false
	}
	f = f[1:]
	// Novatel puts the routing area between area and cell: tac, rac, ci, AcT.
	if len(f) >= 4 && len(f[1]) <= 2 && len(f[2]) > 2 {
		f = append([]string{f[0]}, f[2:]...)
	}
	r.area, r.cell = hexField(f, 0), hexField(f, 1)
	if n, ok := number(f, 2); ok && n >= 0 && n < len(accessNames) {
		r.access = n
	}
	return r, true
}

func hexField(f []string, i int) int {
	if i >= len(f) {
		return 0
	}
	n, err := strconv.ParseUint(f[i], 16, 36)
	if err != nil {
		return 0
	}
	return int(n)
}

// parseOperator reads COPS?: mode, format, "name", AcT. The name is UCS-2 in hex where CSCS says so.
func parseOperator(v string) (name string, access int) {
	f := fields(v)
	access = -1
	if len(f) >= 3 {
		name = f[2]
		if t, ok := ucs2Hex(name); ok {
			name = t
		}
	}
	if n, ok := number(f, 3); ok && n >= 0 && n < len(accessNames) {
		access = n
	}
	return name, access
}
