package pdu

// Alphabet is how a user data payload is to be read.
type Alphabet byte

// The alphabets of TS 23.038 clause 4. Auto is the zero value and only means something in Options.
const (
	Auto   Alphabet = iota
	GSM7            // septets: default alphabet, extension and national language tables
	Binary          // octets that are not text, and compressed text
	UCS2            // UTF-16, big endian
)

// String is the name the API uses: auto, gsm7, 8bit, ucs2.
func (a Alphabet) String() string {
	switch a {
	case GSM7:
		return "gsm7"
	case Binary:
		return "8bit"
	case UCS2:
		return "ucs2"
	}
	return "auto"
}

// Class is a message class (TS 23.038 clause 4), and its zero value is "no class": Class0 is not 0.
type Class byte

// The message classes. Class0 is shown at once and not stored (flash), Class1 is stored in the phone, Class2 on the SIM,
// Class3 goes to an attached terminal.
const (
	NoClass Class = iota
	Class0
	Class1
	Class2
	Class3
)

// Number returns 0 to 3, or false for NoClass.
func (c Class) Number() (n int, ok bool) { return int(c) - 1, c != NoClass }

// DCS is a TP-Data-Coding-Scheme octet (TS 23.038 clause 4).
type DCS byte

// general reports whether d is in the general or the automatic deletion group (00xx, 01xx), which share their coding.
func (d DCS) general() bool { return d&0x80 == 0 }

// Alphabet never fails: reserved codings are the default alphabet (TS 23.038 clause 4), compressed text is Binary.
func (d DCS) Alphabet() Alphabet {
	switch {
	case d.Compressed():
		return Binary
	case d.general() && d&0x0C == 0x04, d&0xF4 == 0xF4:
		return Binary
	case d.general() && d&0x0C == 0x08, d&0xF0 == 0xE0:
		return UCS2
	}
	return GSM7
}

// Compressed reports text compressed by TS 23.042, which nobody sends and this package does not read.
func (d DCS) Compressed() bool { return d.general() && d&0x20 != 0 }

// Class returns the message class, NoClass if the octet carries none.
func (d DCS) Class() Class {
	if d.general() && d&0x10 != 0 || d&0xF0 == 0xF0 {
		return Class0 + Class(d&3)
	}
	return NoClass
}

// reserved names what TS 23.038 clause 4 leaves undefined in d, "" if nothing.
func (d DCS) reserved() string {
	switch {
	case d.general() && d&0x0C == 0x0C, d&0xC0 == 0x80:
		return problemReserved
	case d.general() && d&0x13 != 0 && d&0x10 == 0, d&0xF8 == 0xF8, d >= 0xC0 && d < 0xF0 && d&0x04 != 0:
		return problemReservedBits
	}
	return ""
}

// waiting decodes the message waiting groups 1100, 1101 and 1110.
func (d DCS) waiting() (w Waiting, ok bool) {
	if d < 0xC0 || d >= 0xF0 {
		return Waiting{}, false
	}
	return Waiting{Kind: byte(d & 3), Active: d&0x08 != 0, Store: d&0xF0 != 0xC0, Count: -1}, true
}

// newDCS is the general group coding of an alphabet and a class.
func newDCS(a Alphabet, c Class) DCS {
	var d DCS
	switch a {
	case Binary:
		d = 0x04
	case UCS2:
		d = 0x08
	}
	if n, ok := c.Number(); ok {
		d |= 0x10 | DCS(n)
	}
	return d
}

// PID is a TP-Protocol-Identifier octet (TS 23.040 9.2.3.9). 0 is an ordinary message.
type PID byte

// Replace returns the replacement type 1 to 7 (a phone replaces an earlier message of the same type, sender and centre), 0
// for none.
func (p PID) Replace() int {
	if p > 0x40 && p <= 0x47 {
		return int(p - 0x40)
	}
	return 0
}

// Silent reports a short message type 0: the phone acknowledges it and shows nothing.
func (p PID) Silent() bool { return p == 0x40 }
