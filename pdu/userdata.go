package pdu

import (
	"errors"
	"fmt"
	"iter"
	"log/slog"
)

// Identifiers of the information elements read here (TS 23.040 9.2.3.24). They are hexadecimal in the standard.
const (
	ieConcat8  = 0x00
	ieSpecial  = 0x01 // message waiting
	iePorts8   = 0x04
	iePorts16  = 0x05
	ieConcat16 = 0x08
	ieShift    = 0x24 // national language single shift
	ieLocking  = 0x25 // national language locking shift
)

// UserData is the TP-UD of one part: header and payload, still in the units they have on the air.
type UserData struct {
	DCS DCS
	// Header is the user data header without its length octet: information elements, each identifier, length, data. It is
	// kept octet for octet, so that elements unknown here survive; Concat, Ports and Languages read it.
	Header []byte
	// Payload is one septet an element for GSM7, octets otherwise. It shares memory with the other parts Segment made.
	Payload []byte
}

// Concat says which part of a concatenated message this is (TS 23.040 9.2.3.24.1 and .8).
type Concat struct {
	Ref        uint16
	Total, Seq byte // Seq counts from 1
	Wide       bool // the reference has 16 bits
}

// Ports are application ports (TS 23.040 9.2.3.24.3 and .4). The zero value is "none".
type Ports struct {
	Dst, Src uint16
	Narrow   bool // 8-bit ports
}

// Waiting is a message waiting indication (TS 23.040 9.2.3.24.2, TS 23.038 clause 4).
type Waiting struct {
	Kind   byte // 0 voice, 1 fax, 2 e-mail, 3 other
	Active bool
	Store  bool // the text is to be kept
	Count  int  // messages waiting, -1 if only "some" is known
}

// Elements yields the well-formed information elements in order. The data is not a copy.
func (u *UserData) Elements() iter.Seq2[byte, []byte] {
	return func(yield func(byte, []byte) bool) {
		h := u.Header
		for len(h) >= 2 && len(h) >= 2+int(h[1]) {
			n := 2 + int(h[1])
			if !yield(h[0], h[2:n]) {
				return
			}
			h = h[n:]
		}
	}
}

// wellFormed reports whether Elements reaches the end of the header.
func (u *UserData) wellFormed() bool {
	n := 0
	for _, data := range u.Elements() {
		n += 2 + len(data)
	}
	return n == len(u.Header)
}

// concat finds the last concatenation element and where its data starts (9.2.3.24: of duplicates the last counts).
// impossible reports one that is to be ignored (9.2.3.24.1).
func (u *UserData) concat() (c Concat, at int, impossible bool) {
	off := 0
	at = -1
	for id, d := range u.Elements() {
		off += 2
		var found Concat
		switch {
		case id == ieConcat8 && len(d) == 3:
			found = Concat{Ref: uint16(d[0]), Total: d[1], Seq: d[2]}
		case id == ieConcat16 && len(d) == 4:
			found = Concat{Ref: uint16(d[0])<<8 | uint16(d[1]), Total: d[2], Seq: d[3], Wide: true}
		}
		if id == ieConcat8 || id == ieConcat16 {
			if found.Total == 0 || found.Seq == 0 || found.Seq > found.Total {
				impossible = true
			} else {
				c, at = found, off
			}
		}
		off += len(d)
	}
	return c, at, impossible
}

// Concat returns the part's place in a concatenated message, false if it stands alone.
func (u *UserData) Concat() (Concat, bool) {
	c, at, _ := u.concat()
	return c, at >= 0
}

var (
	errNoConcat  = errors.New("it is not part of a concatenated message")
	errReference = errors.New("an 8-bit concatenation reference is at most 255")
)

// SetConcatRef gives a part of a concatenated message its reference, 8 or 16 bits wide. Nothing else changes, so the payload
// must have room for one octet more when an 8-bit reference becomes a 16-bit one: segment with Options.Ref16 if it may.
// The header is replaced, not written into: parts that share memory do not see it.
func (u *UserData) SetConcatRef(ref uint16, wide bool) error {
	c, at, _ := u.concat()
	switch {
	case at < 0:
		return errNoConcat
	case !wide && ref > 0xFF:
		return errReference
	}
	end := at + 3
	if c.Wide {
		end++
	}
	h := make([]byte, 0, len(u.Header)+1)
	h = append(h, u.Header[:at-2]...)
	h = appendConcat(h, Concat{Ref: ref, Total: c.Total, Seq: c.Seq, Wide: wide})
	h = append(h, u.Header[end:]...)
	changed := UserData{DCS: u.DCS, Header: h, Payload: u.Payload}
	if n := changed.octets(); n > maxUserData {
		return fmt.Errorf("the part has no room for a 16-bit reference (%d octets of %d)", n, maxUserData)
	}
	u.Header = h
	return nil
}

func appendConcat(dst []byte, c Concat) []byte {
	if c.Wide {
		return append(dst, ieConcat16, 4, byte(c.Ref>>8), byte(c.Ref), c.Total, c.Seq)
	}
	return append(dst, ieConcat8, 3, byte(c.Ref), c.Total, c.Seq)
}

// Ports returns the application ports, false if there are none.
func (u *UserData) Ports() (p Ports, ok bool) {
	for id, d := range u.Elements() {
		switch {
		case id == iePorts8 && len(d) == 2:
			p, ok = Ports{Dst: uint16(d[0]), Src: uint16(d[1]), Narrow: true}, true
		case id == iePorts16 && len(d) == 4:
			p, ok = Ports{Dst: uint16(d[0])<<8 | uint16(d[1]), Src: uint16(d[2])<<8 | uint16(d[3])}, true
		}
	}
	return p, ok
}

func appendPorts(dst []byte, p Ports) ([]byte, error) {
	switch {
	case p == Ports{}:
		return dst, nil
	case p.Narrow && (p.Dst > 0xFF || p.Src > 0xFF):
		return dst, errors.New("an 8-bit port is at most 255")
	case p.Narrow:
		return append(dst, iePorts8, 2, byte(p.Dst), byte(p.Src)), nil
	}
	return append(dst, iePorts16, 4, byte(p.Dst>>8), byte(p.Dst), byte(p.Src>>8), byte(p.Src)), nil
}

// Languages returns the national languages of the locking and the single shift table, as the header names them: they may be
// beyond the known ones.
func (u *UserData) Languages() (locking, shift Language) {
	for id, d := range u.Elements() {
		switch {
		case id == ieLocking && len(d) == 1:
			locking = Language(d[0])
		case id == ieShift && len(d) == 1:
			shift = Language(d[0])
		}
	}
	return locking, shift
}

// tables are the languages that decide how the payload reads: unknown ones count as the default (TS 23.040 9.2.3.24.15).
func (u *UserData) tables() (locking, shift Language) {
	locking, shift = u.Languages()
	if locking >= languages {
		locking = 0
	}
	if shift >= languages {
		shift = 0
	}
	return locking, shift
}

// Waiting lists the message waiting indications of the DCS and the header.
func (u *UserData) Waiting() []Waiting {
	var all []Waiting
	for id, d := range u.Elements() {
		if id == ieSpecial && len(d) == 2 {
			all = append(all, Waiting{Kind: d[0] & 3, Active: d[1] > 0, Store: d[0]&0x80 != 0, Count: int(d[1])})
		}
	}
	if w, ok := u.DCS.waiting(); ok && len(all) == 0 {
		all = append(all, w)
	}
	return all
}

// Text decodes the payload of this part alone; it is "" for Binary. Characters cut by a part boundary come out as U+FFFD (or a
// space for a cut escape); Join puts them together.
func (u *UserData) Text() string {
	switch u.DCS.Alphabet() {
	case GSM7:
		locking, shift := u.tables()
		return gsm7Text(u.Payload, locking, shift)
	case UCS2:
		return utf16Text(u.Payload)
	}
	return ""
}

// Data is the payload of a Binary part, nil for text. It is not a copy.
func (u *UserData) Data() []byte {
	if u.DCS.Alphabet() == Binary {
		return u.Payload
	}
	return nil
}

// LogValue tells sizes, not contents.
func (u UserData) LogValue() slog.Value {
	return slog.StringValue(fmt.Sprintf("%s(%d)", u.DCS.Alphabet(), len(u.Payload)))
}

// maxUserData is the room for TP-UD in a SUBMIT or DELIVER, in octets (TS 23.040 9.2.3.24).
const maxUserData = 140

// headerOctets counts the length octet too.
func (u *UserData) headerOctets() int {
	if len(u.Header) == 0 {
		return 0
	}
	return 1 + len(u.Header)
}

// headerSeptets is the room a header of n octets takes in septets, fill bits included.
func headerSeptets(n int) int { return (n*8 + 6) / 7 }

// octets is the length of TP-UD.
func (u *UserData) octets() int {
	h := u.headerOctets()
	if u.DCS.Alphabet() == GSM7 {
		return (7*(headerSeptets(h)+len(u.Payload)) + 7) / 8
	}
	return h + len(u.Payload)
}

// room is how many units (septets, octets) of payload fit in size octets of user data beside a header of n octets.
func room(a Alphabet, size, n int) int {
	switch a {
	case GSM7:
		return size*8/7 - headerSeptets(n)
	case UCS2:
		return (size - n) / 2
	}
	return size - n
}

var (
	errHeader  = errors.New("the user data header is malformed")
	errTooLong = errors.New("it is longer than the message type allows")
	errOddUCS2 = errors.New("UCS-2 text has an odd number of octets")
)

// appendUserData writes TP-UDL and TP-UD, most octets of it at most.
func appendUserData(dst []byte, u *UserData, most int) ([]byte, error) {
	alphabet := u.DCS.Alphabet()
	_, _, impossible := u.concat()
	switch {
	case !u.wellFormed() || impossible:
		return dst, errHeader
	case u.octets() > most:
		return dst, errTooLong
	case alphabet == UCS2 && len(u.Payload)%2 != 0:
		return dst, errOddUCS2
	}
	h := u.headerOctets()
	n := h + len(u.Payload)
	if alphabet == GSM7 {
		n = headerSeptets(h) + len(u.Payload)
	}
	dst = append(dst, byte(n))
	if h > 0 {
		dst = append(append(dst, byte(len(u.Header))), u.Header...)
	}
	if alphabet != GSM7 {
		return append(dst, u.Payload...), nil
	}
	return appendPacked(dst, u.Payload, headerSeptets(h)*7-h*8), nil
}
