package pdu

import (
	"errors"
	"fmt"
	"strings"
)

// DecodeError says at which field and octet the reading of a TPDU or frame had to stop.
type DecodeError struct {
	Field  string // the standards' name: "TP-OA", "TP-SCTS", "SMSC", "hex"
	Offset int    // octets from the start of the TPDU (of the frame for "SMSC" and "hex")
	Err    error
}

func (e *DecodeError) Error() string {
	return fmt.Sprintf("decode %s at octet %d: %v", e.Field, e.Offset, e.Err)
}

// Unwrap returns the reason.
func (e *DecodeError) Unwrap() error { return e.Err }

var (
	errTruncated = errors.New("the message ends before it")
	errEmpty     = errors.New("there is nothing to read")
	errReserved  = errors.New("the message type is reserved")
)

// A Flag is one place where a decoder had to be lenient. Problem is one of a closed list of phrases (problem* below).
type Flag struct {
	Field   string // the standards' name, as in DecodeError
	Offset  int    // octets from the start of the TPDU or frame
	Problem string
}

// String is the form shown to people: "TP-SCTS: not a date".
func (f Flag) String() string { return f.Field + ": " + f.Problem }

// Every phrase a Flag can carry.
const (
	problemTruncated    = "truncated"
	problemTrailing     = "trailing octets ignored"
	problemReserved     = "reserved value"
	problemReservedBits = "reserved bits set"
	problemDate         = "not a date"
	problemZone         = "not a time zone, taken as UTC"
	problemAddress      = "odd address"
	problemLongAddress  = "longer than 20 digits"
	problemExtraOctet   = "extra octet before it skipped"
	problemNested       = "an address inside the address taken"
	problemLong         = "longer than the type allows"
	problemHeader       = "malformed user data header"
	problemConcat       = "impossible part number ignored"
	problemLanguage     = "unknown national language, default alphabet used"
	problemOdd          = "odd number of octets"
	problemHalf         = "half an octet at the end ignored"
	problemSurrogate    = "lone surrogate"
	problemCompressed   = "compressed text can not be read"
	problemMissing      = "announced but missing"
	problemLength       = "does not match the announced length"
	problemNoSMSC       = "no service centre field"
	problemHex          = "not hexadecimal from here on"
	problemPadding      = "padding ignored"
)

// TooLongError is returned by Segment and SegmentData when the text needs more parts than a concatenated message can have.
type TooLongError struct {
	Parts int // needed
	Max   int // allowed (255, TS 23.040 9.2.3.24.1)
}

func (e *TooLongError) Error() string {
	return fmt.Sprintf("the message needs %d parts, and %d is the most that can be joined again", e.Parts, e.Max)
}

// UnencodableError is returned by Segment when the alphabet that was asked for lacks characters of the text.
type UnencodableError struct {
	Alphabet Alphabet
	Runes    []rune // the first few, each once, in order of appearance
}

func (e *UnencodableError) Error() string {
	var names []string
	for _, r := range e.Runes {
		names = append(names, fmt.Sprintf("%q (U+%04X)", r, r))
	}
	return fmt.Sprintf("the %s alphabet has no %s", e.Alphabet, strings.Join(names, ", "))
}
