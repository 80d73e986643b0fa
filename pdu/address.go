package pdu

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Types of number (TS 23.040 9.1.2.5) that are more than a number to hand on. 0 is unknown, as people dial it; 2 national, 3
// network specific, 4 subscriber, 6 abbreviated, 7 reserved.
const (
	TONInternational = 1
	TONAlphanumeric  = 5
)

// npiISDN is the telephone numbering plan, E.164.
const npiISDN = 1

const (
	maxDigits = 20 // TS 23.040 9.1.2.5: 10 octets of semi-octets
	digitSet  = "0123456789*#abc"
)

// Address is a phone number, a short code or an alphanumeric sender. The zero value is "none".
type Address struct {
	TON    byte   // type of number, 0 to 7
	NPI    byte   // numbering plan, 0 to 15; 1 is the telephone network
	Digits string // 0-9 * # a b c, without a plus; the text of an alphanumeric address
}

// IsZero reports an absent address.
func (a Address) IsZero() bool { return a == Address{} }

// String is the form for people and for the API: +4790000001, 1890, Telenor.
func (a Address) String() string {
	if a.TON == TONInternational && a.Digits != "" {
		return "+" + a.Digits
	}
	return a.Digits
}

// LogValue hides all but the last two digits: numbers do not belong in logs.
func (a Address) LogValue() slog.Value {
	tail := a.Digits
	if len(tail) > 2 {
		tail = "…" + tail[len(tail)-2:]
	}
	if a.TON == TONAlphanumeric {
		tail = "(name)"
	}
	return slog.StringValue(tail)
}

var (
	errNoDigits = errors.New("it has no digits")
	errCountry  = errors.New("no country code starts with 0")
	errTrunk    = errors.New("leave out the (0): it is not dialled after a country code")
	errPlus     = errors.New("a plus can only come first")
	errStar     = errors.New("an international number has digits only")
)

// minInternational00 is the least number of digits with which a leading 00 is taken as the international prefix: shorter ones
// (000, 0011) are somebody's short codes.
const minInternational00 = 8

// ParseAddress reads a recipient as people type it. Spaces, dashes, dots, round brackets, slashes and the invisible direction
// marks that address books add are dropped; a leading plus, or 00 in front of at least six more digits, makes it international;
// everything else goes out as typed, * and # included. The result holds 1 to 20 characters out of 0-9, * and #, so
// nothing else can reach a modem.
func ParseAddress(s string) (Address, error) {
	var buf [maxDigits + 3]byte // 00, the digits, and one that shows there were too many
	digits, plus, err := cleanDigits(buf[:0], s)
	if err != nil {
		return Address{}, fmt.Errorf("number %q: %w", clip(s), err)
	}
	a := Address{NPI: npiISDN}
	if !plus && len(digits) >= minInternational00 && digits[0] == '0' && digits[1] == '0' {
		digits, plus = digits[2:], true
	}
	if plus {
		a.TON = TONInternational
	}
	a.Digits = string(digits)
	if err := a.checkTyped(s); err != nil {
		return Address{}, fmt.Errorf("number %q: %w", clip(s), err)
	}
	return a, nil
}

func (a Address) checkTyped(s string) error {
	switch {
	case len(a.Digits) == 0:
		return errNoDigits
	case len(a.Digits) > maxDigits:
		return fmt.Errorf("it has more than %d digits", maxDigits)
	case a.TON != TONInternational:
		return nil
	case strings.ContainsAny(a.Digits, "*#"):
		return errStar
	case a.Digits[0] == '0':
		return errCountry
	case strings.Contains(s, "(0)"):
		return errTrunk
	}
	return nil
}

// cleanDigits appends the dialled characters of s, at most one more than can be right.
func cleanDigits(dst []byte, s string) (digits []byte, plus bool, err error) {
	for _, r := range s {
		switch {
		case r >= '0' && r <= '9' || r == '*' || r == '#':
			if len(dst) < cap(dst) {
				dst = append(dst, byte(r))
			}
		case r == '+':
			if plus || len(dst) > 0 {
				return nil, false, errPlus
			}
			plus = true
		case !isSeparator(r):
			return nil, false, fmt.Errorf("%q does not belong in a phone number", r)
		}
	}
	return dst, plus, nil
}

// isSeparator reports what people and address books put between digits. Control characters are not among it.
func isSeparator(r rune) bool {
	return strings.ContainsRune(" -.()/", r) || unicode.Is(unicode.Zs, r) || r >= 0x2010 && r <= 0x2015 || r == 0x2212 ||
		r >= 0x200B && r <= 0x200F || r >= 0x202A && r <= 0x202E || r >= 0x2066 && r <= 0x2069
}

// clip keeps an error message short whatever was typed.
func clip(s string) string {
	const most = 40
	if len(s) <= most {
		return s
	}
	s = s[:most]
	for !utf8.ValidString(s) && len(s) > most-utf8.UTFMax {
		s = s[:len(s)-1]
	}
	return s + "…"
}

// toa is the type-of-address octet.
func (a Address) toa() byte { return 0x80 | a.TON&7<<4 | a.NPI&0x0F }

// appendAddress writes an address field of TS 23.040 9.1.2.5: length in semi-octets, type, digits.
func appendAddress(dst []byte, a Address) ([]byte, error) {
	if a.TON > 7 || a.NPI > 15 {
		return dst, errors.New("the type of number is out of range")
	}
	if a.TON == TONAlphanumeric {
		return appendName(dst, a)
	}
	if len(a.Digits) > maxDigits {
		return dst, fmt.Errorf("more than %d digits", maxDigits)
	}
	if a.TON == TONInternational && !decimal(a.Digits) {
		return dst, errStar
	}
	return appendDigits(append(dst, byte(len(a.Digits)), a.toa()), a.Digits)
}

func appendDigits(dst []byte, digits string) ([]byte, error) {
	for i := range len(digits) {
		d := strings.IndexByte(digitSet, digits[i])
		if d < 0 {
			return dst, fmt.Errorf("%q is not a digit", digits[i])
		}
		if i%2 == 0 {
			dst = append(dst, 0xF0|byte(d))
		} else {
			dst[len(dst)-1] = byte(d)<<4 | dst[len(dst)-1]&0x0F
		}
	}
	return dst, nil
}

// appendName writes an alphanumeric address. Its length counts only the semi-octets that carry a character (9.1.2.5).
func appendName(dst []byte, a Address) ([]byte, error) {
	var buf [2 * maxDigits]byte
	septets, ok := plainCoding.appendSeptets(buf[:0], a.Digits)
	if n := len(septets); !ok || n*7 > maxDigits*4 {
		return dst, errors.New("a name has at most 11 characters of the GSM alphabet")
	}
	if len(trimName(septets)) != len(septets) {
		return dst, errors.New("a name can not end like this: it would be read as padding")
	}
	dst = append(dst, byte((len(septets)*7+3)/4), a.toa())
	return appendPacked(dst, septets, 0), nil
}

// trimName drops what senders use to fill an alphanumeric address up to whole octets: a septet 0 ('@') or a CR that completes
// the eighth septet, and any longer run of zeros. A single '@' elsewhere is part of the name.
func trimName(septets []byte) []byte {
	n := len(septets)
	for n > 0 && septets[n-1] == 0 {
		n--
	}
	zeros := len(septets) - n
	if zeros == 1 && len(septets)%8 != 0 {
		return septets
	}
	if zeros == 0 && n > 0 && n%8 == 0 && septets[n-1] == '\r' {
		return septets[:n-1]
	}
	return septets[:n]
}

// address reads an address field. An unreadable length is an error; everything else is kept and flagged.
func (r *reader) address(field string) Address {
	at := r.off
	n := int(r.octet(field))
	toa := r.octet(field)
	b := r.take(field, (n+1)/2)
	if r.err != nil {
		return Address{}
	}
	a := Address{TON: toa >> 4 & 7, NPI: toa & 0x0F}
	if n > maxDigits {
		r.flag(field, at, problemLongAddress)
	}
	if toa&0x80 == 0 {
		r.flag(field, at+1, problemAddress)
	}
	if a.TON == TONAlphanumeric {
		a.Digits = decodeName(b, n)
		var buf [maxUDL]byte
		if _, err := appendName(buf[:0], a); err != nil && n <= maxDigits {
			r.flag(field, at+2, problemAddress)
		}
		return a
	}
	if nested(a.TON, b, n) {
		r.flag(field, at+2, problemNested)
		b, n = b[2:], n-4
	}
	var odd bool
	a.Digits, odd = decodeDigits(b, n)
	if odd = odd || a.TON == TONInternational && !decimal(a.Digits); odd && toa&0x80 != 0 {
		r.flag(field, at+2, problemAddress)
	}
	return a
}

// nested reports an address that starts with its own length and type once more, as some ZTE sticks write TP-RA. An inner
// length of 10 to 15 can not be mistaken: as semi-octets it would be a letter in a telephone number.
func nested(ton byte, b []byte, n int) bool {
	if ton != TONInternational || len(b) < 2 || int(b[0]) != n-4 || b[0] < 0x0A || b[0] > 0x0F {
		return false
	}
	digits, odd := decodeDigits(b[2:], n-4)
	return !odd && decimal(digits)
}

// decimal reports digits without * # a b c. International numbers have no others.
func decimal(digits string) bool { return strings.Trim(digits, digitSet[:10]) == "" }

func decodeName(b []byte, semiOctets int) string {
	var buf [maxUDL]byte
	septets := appendUnpacked(buf[:0], b, 0, semiOctets*4/7)
	return gsm7Text(trimName(septets), 0, 0)
}

// decodeDigits reads n semi-octets, low one first. Fill (F) where a digit should be, and a digit where the fill of an odd number
// should be, are odd.
func decodeDigits(b []byte, n int) (digits string, odd bool) {
	var buf [maxUDL]byte
	dst := buf[:0]
	for i := range 2 * len(b) {
		d := b[i/2] >> (i % 2 * 4) & 0x0F
		switch {
		case i == n:
			odd = odd || d != 0x0F
		case d == 0x0F:
			odd = true
		default:
			dst = append(dst, digitSet[d])
		}
	}
	return string(dst), odd
}
