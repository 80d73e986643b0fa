package pdu

import (
	"encoding/hex"
	"fmt"
	"log/slog"
	"strings"
)

const (
	// maxHex bounds what ParseFrame reads: a SIM record padded with FF has 350 digits.
	maxHex = 1024
	// maxSMSC is the longest service centre field: type and 10 octets of digits (TS 24.011 8.2.5.1).
	maxSMSC = 11
)

// Frame is what a modem in PDU mode reads and writes: the service centre's address and a TPDU (TS 27.005 3.1 <pdu>).
type Frame struct {
	SMSC  Address // zero: the one set in the modem (outgoing) or none named (incoming)
	TPDU  []byte  // for DecodeMT or DecodeMO
	Flags []Flag  // what ParseFrame had to be lenient about; the TPDU has its own
}

// LogValue tells the size only.
func (f Frame) LogValue() slog.Value { return slog.StringValue(fmt.Sprintf("frame(%d)", len(f.TPDU))) }

// Hex returns the frame as upper case hexadecimal digits, and the <length> for AT+CMGS: octets without the service centre.
func (f Frame) Hex() (s string, n int, err error) {
	b, err := appendSMSC(make([]byte, 0, 1+maxSMSC+len(f.TPDU)), f.SMSC)
	if err != nil {
		return "", 0, fmt.Errorf("encode SMSC: %w", err)
	}
	if len(f.TPDU) == 0 || len(f.TPDU) > maxTPDU {
		return "", 0, fmt.Errorf("encode frame: a TPDU has 1 to %d octets, not %d", maxTPDU, len(f.TPDU))
	}
	b = append(b, f.TPDU...)
	return strings.ToUpper(hex.EncodeToString(b)), len(f.TPDU), nil
}

// appendSMSC writes the service centre field, whose length counts octets with the type (TS 24.011 8.2.5.1).
func appendSMSC(dst []byte, a Address) ([]byte, error) {
	if a.IsZero() {
		return append(dst, 0), nil
	}
	if a.TON == TONAlphanumeric || a.TON > 7 || a.NPI > 15 || a.Digits == "" || len(a.Digits) > maxDigits || !decimal(a.Digits) {
		return dst, fmt.Errorf("a service centre has 1 to %d digits", maxDigits)
	}
	return appendDigits(append(dst, byte(1+(len(a.Digits)+1)/2), a.toa()), a.Digits)
}

// ParseFrame reads what a modem printed. n is the <length> it announced, -1 if it is not known. It refuses only what leaves no
// octet for a TPDU; case, blanks, quotes, a wrong length, padding, a missing service centre field and rubbish at the end
// are accepted, and flagged where something was dropped. Every error is a *DecodeError.
func ParseFrame(hexs string, n int) (Frame, error) {
	r := &reader{b: make([]byte, 0, min(len(hexs), maxHex)/2)}
	r.hex(strings.Trim(hexs, " \t\r\n\"'"))
	if len(r.b) == 0 {
		return Frame{}, &DecodeError{Field: "hex", Err: errEmpty}
	}
	var f Frame
	if r.hasSMSC(n) {
		f.SMSC = r.smsc()
	} else {
		r.flag("SMSC", 0, problemNoSMSC)
	}
	if r.err == nil && r.left() == 0 {
		r.fail("TPDU", r.off, errTruncated)
	}
	if r.err != nil {
		return Frame{}, r.err
	}
	f.TPDU = r.cut(n)
	f.Flags = r.flags
	return f, nil
}

// hex reads digits up to the first thing that is none.
func (r *reader) hex(s string) {
	if len(s) > maxHex {
		r.flag("hex", maxHex/2, problemTrailing)
		s = s[:maxHex]
	}
	for i := 0; i < len(s); i += 2 {
		hi, ok := unhex(s[i])
		var lo byte
		if ok && i+1 < len(s) {
			lo, ok = unhex(s[i+1])
		} else if ok {
			r.flag("hex", i/2, problemHalf)
			return
		}
		if !ok {
			r.flag("hex", i/2, problemHex)
			return
		}
		r.b = append(r.b, hi<<4|lo)
	}
}

func unhex(c byte) (byte, bool) {
	switch {
	case c >= '0' && c <= '9':
		return c - '0', true
	case c|0x20 >= 'a' && c|0x20 <= 'f':
		return c | 0x20 - 'a' + 10, true
	}
	return 0, false
}

// hasSMSC decides whether the frame starts with a service centre field. The announced length settles it, unless it counts
// every octet: then there is no such field, or the modem counted it in. What length does not settle, the TPDU does: only
// if it is faultless one way, and not the other, that way is taken.
func (r *reader) hasSMSC(n int) bool {
	rest := 1 + int(r.b[0])
	switch {
	case rest > maxSMSC+1 || rest > len(r.b):
		return false
	case n == len(r.b):
		return oddities(r.b[rest:]) == 0 && oddities(r.b) > 0
	case n >= 0:
		return true
	}
	return oddities(r.b[rest:]) == 0 || oddities(r.b) > 0
}

// oddities counts what is wrong with a message of unknown direction, for better or worse. The reports inside a transfer have
// so little form that nearly everything reads as one; no modem hands them out.
func oddities(tpdu []byte) int {
	const unreadable = 1000
	least := unreadable
	for _, decode := range [...]func([]byte) (TPDU, error){DecodeMT, DecodeMO} {
		switch t, _ := decode(tpdu); t.(type) {
		case nil, *DeliverReport, *SubmitReport:
		default:
			least = min(least, len(Flags(t)))
		}
	}
	return least
}

func (r *reader) smsc() Address {
	n := int(r.octet("SMSC"))
	if n == 0 {
		return Address{}
	}
	toa := r.octet("SMSC")
	b := r.take("SMSC", n-1)
	if r.err != nil {
		return Address{}
	}
	semi := 2 * len(b)
	if semi > 0 && b[len(b)-1]>>4 == 0x0F {
		semi--
	}
	digits, odd := decodeDigits(b, semi)
	if odd || toa&0x80 == 0 || !decimal(digits) {
		r.flag("SMSC", 0, problemAddress)
	}
	return Address{TON: toa >> 4 & 7, NPI: toa & 0x0F, Digits: digits}
}

// cut returns the TPDU of n octets, or all that is left.
func (r *reader) cut(n int) []byte {
	b := r.b[r.off:]
	if n > 0 && n < len(b) {
		r.flag("TPDU", r.off+n, problemTrailing)
		return b[:n:n]
	}
	if n > len(b) || n == 0 {
		r.flag("TPDU", r.off, problemLength)
	}
	return b
}
