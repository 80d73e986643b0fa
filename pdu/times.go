package pdu

import (
	"errors"
	"fmt"
	"time"
)

// Time stamps carry two digits of the year: 70 to 99 are taken as 1970 to 1999, as other decoders do.
const (
	firstYear = 1970
	lastYear  = 2069
)

const (
	timestampLen = 7
	quarter      = 15 * 60 // seconds: the unit of a time zone
	maxQuarters  = 79
)

// unswap reads two decimal digits in swapped semi-octets (TS 23.040 9.1.2.3).
func unswap(b byte) (n int, ok bool) {
	lo, hi := b&0x0F, b>>4
	return int(lo)*10 + int(hi), lo <= 9 && hi <= 9
}

func swap(n int) byte { return byte(n%10)<<4 | byte(n/10) }

// parseTimestamp reads TS 23.040 9.2.3.11; problem is "" or why the result is not what the octets say. The zero time means
// that there is no date in it.
func parseTimestamp(b []byte) (t time.Time, problem string) {
	var f [6]int
	for i := range f {
		n, ok := unswap(b[i])
		if !ok {
			return time.Time{}, problemDate
		}
		f[i] = n
	}
	year := 2000 + f[0]
	if year > lastYear {
		year -= 100
	}
	loc, ok := parseZone(b[6])
	if !ok {
		loc, problem = time.UTC, problemZone
	}
	t = time.Date(year, time.Month(f[1]), f[2], f[3], f[4], f[5], 0, loc)
	if int(t.Month()) != f[1] || t.Day() != f[2] || t.Hour() != f[3] || t.Minute() != f[4] || t.Second() != f[5] {
		return time.Time{}, problemDate
	}
	return t, problem
}

// parseZone reads quarters of an hour with the sign in bit 3.
func parseZone(b byte) (*time.Location, bool) {
	n, ok := unswap(b &^ 0x08)
	if !ok || n > maxQuarters {
		return nil, false
	}
	if b&0x08 != 0 {
		n = -n
	}
	if n == 0 {
		return time.UTC, true
	}
	return time.FixedZone("", n*quarter), true
}

var (
	errNoTime = errors.New("a time stamp is missing")
	errYear   = fmt.Errorf("the year is not in %d to %d", firstYear, lastYear)
	errZone   = errors.New("the time zone is not a number of quarters of an hour below 20 hours")
)

func appendTimestamp(dst []byte, t time.Time) ([]byte, error) {
	if t.IsZero() {
		return dst, errNoTime
	}
	if t.Year() < firstYear || t.Year() > lastYear {
		return dst, errYear
	}
	_, off := t.Zone()
	sign := byte(0)
	if off < 0 {
		off, sign = -off, 0x08
	}
	if off%quarter != 0 || off/quarter > maxQuarters {
		return dst, errZone
	}
	return append(dst, swap(t.Year()%100), swap(int(t.Month())), swap(t.Day()), swap(t.Hour()), swap(t.Minute()),
		swap(t.Second()), swap(off/quarter)|sign), nil
}

// ValidityFormat is TP-VPF (TS 23.040 9.2.3.3).
type ValidityFormat byte

// The values of TP-VPF.
const (
	ValidityNone ValidityFormat = iota
	ValidityEnhanced
	ValidityRelative
	ValidityAbsolute
)

// Validity is TP-VP, how long the service centre keeps trying. The zero value leaves that to the centre.
type Validity struct {
	Format   ValidityFormat
	Duration time.Duration // for Relative and Enhanced; 0 if an Enhanced one names none
	Time     time.Time     // for Absolute
	// Indicator is the first octet of the enhanced format (TS 23.040 9.2.3.12.3): bits 0 to 2 say how the period is coded,
	// bit 6 asks for a single delivery attempt.
	Indicator byte
}

// The codings in the Indicator of an enhanced validity.
const (
	enhancedNone = iota
	enhancedRelative
	enhancedSeconds
	enhancedClock
)

// RelativeValidity is the shortest relative validity of at least d: steps of 5 minutes up to 12 hours, 30 minutes up to a day,
// days up to 30 days, then weeks up to 63, which is also the answer for anything longer. 0 and less is ValidityNone.
func RelativeValidity(d time.Duration) Validity {
	if d <= 0 {
		return Validity{}
	}
	return Validity{Format: ValidityRelative, Duration: relativeDuration(relativeOctet(d))}
}

const day = 24 * time.Hour

// relativeDuration reads TS 23.040 9.2.3.12.1.
func relativeDuration(b byte) time.Duration {
	n := time.Duration(b)
	switch {
	case b <= 143:
		return (n + 1) * 5 * time.Minute
	case b <= 167:
		return 12*time.Hour + (n-143)*30*time.Minute
	case b <= 196:
		return (n - 166) * day
	}
	return (n - 192) * 7 * day
}

// relativeOctet is the smallest octet whose duration is at least d.
func relativeOctet(d time.Duration) byte {
	up := func(unit time.Duration) time.Duration { return (d + unit - 1) / unit }
	switch {
	case d <= 5*time.Minute:
		return 0
	case d <= 12*time.Hour:
		return byte(up(5*time.Minute) - 1)
	case d <= day:
		return byte(up(30*time.Minute) - 24 + 143)
	case d <= 30*day:
		return byte(up(day) + 166)
	case d <= 63*7*day:
		return byte(max(up(7*day), 5) + 192)
	}
	return 255
}

var errValidity = errors.New("the validity period can not be expressed in its format")

func appendValidity(dst []byte, v Validity) ([]byte, error) {
	switch v.Format {
	case ValidityNone:
		return dst, nil
	case ValidityRelative:
		b := relativeOctet(v.Duration)
		if relativeDuration(b) != v.Duration {
			return dst, fmt.Errorf("%w (RelativeValidity rounds it)", errValidity)
		}
		return append(dst, b), nil
	case ValidityAbsolute:
		return appendTimestamp(dst, v.Time)
	case ValidityEnhanced:
		return appendEnhanced(dst, v)
	}
	return dst, errValidity
}

func appendEnhanced(dst []byte, v Validity) ([]byte, error) {
	if v.Indicator&^0x47 != 0 {
		return dst, errValidity
	}
	b := [timestampLen]byte{v.Indicator}
	s := int64(v.Duration / time.Second)
	ok := time.Duration(s)*time.Second == v.Duration && s >= 0
	switch v.Indicator & 7 {
	case enhancedNone:
		ok = s == 0
	case enhancedRelative:
		b[1] = relativeOctet(v.Duration)
		ok = relativeDuration(b[1]) == v.Duration
	case enhancedSeconds:
		b[1] = byte(s)
		ok = ok && s <= 255
	case enhancedClock:
		b[1], b[2], b[3] = swap(int(s/3600%100)), swap(int(s/60%60)), swap(int(s%60))
		ok = ok && s < 100*3600
	default:
		ok = false
	}
	if !ok {
		return dst, errValidity
	}
	return append(dst, b[:]...), nil
}

// parseEnhanced reads TS 23.040 9.2.3.12.3.
func parseEnhanced(b []byte) (v Validity, problem string) {
	v = Validity{Format: ValidityEnhanced, Indicator: b[0] & 0x47}
	used := 1
	switch v.Indicator & 7 {
	case enhancedNone:
	case enhancedRelative:
		v.Duration, used = relativeDuration(b[1]), 2
	case enhancedSeconds:
		v.Duration, used = time.Duration(b[1])*time.Second, 2
	case enhancedClock:
		h, okH := unswap(b[1])
		m, okM := unswap(b[2])
		s, okS := unswap(b[3])
		if !okH || !okM || !okS || m > 59 || s > 59 {
			return Validity{}, problemDate
		}
		v.Duration, used = time.Duration(h)*time.Hour+time.Duration(m)*time.Minute+time.Duration(s)*time.Second, 4
	default:
		return Validity{}, problemReserved
	}
	if b[0] != v.Indicator {
		return v, problemReservedBits
	}
	for _, x := range b[used:] {
		if x != 0 {
			return v, problemReservedBits
		}
	}
	return v, ""
}
