package pdu

import "unicode/utf8"

// Septets of the GSM 7-bit alphabet (TS 23.038 clause 6). Unpacked, each is one octet below 128.

const (
	escape  = 0x1B
	maxUDL  = 255 // TP-UDL is one octet
	noEntry = 0   // in a single shift table: no character here
)

// unassigned in a locking shift table is shown as a space, as a phone does.
const unassigned = 0xFFFF

// appendPacked packs septets into octets, low bits first (TS 23.038 6.1.2.1.1). fill zero bits come first, so that the septets
// start on a septet boundary after a header.
func appendPacked(dst, septets []byte, fill int) []byte {
	var acc uint32
	bits := fill
	for _, s := range septets {
		acc |= uint32(s&0x7F) << bits
		bits += 7
		if bits >= 8 {
			dst = append(dst, byte(acc))
			acc >>= 8
			bits -= 8
		}
	}
	if bits > 0 {
		dst = append(dst, byte(acc))
	}
	return dst
}

// appendUnpacked appends n septets of b from bit skip on. b must hold them.
func appendUnpacked(dst, b []byte, skip, n int) []byte {
	b = b[skip/8:]
	var acc uint32
	bits := 0
	if skip%8 != 0 && len(b) > 0 {
		acc, bits = uint32(b[0])>>(skip%8), 8-skip%8
		b = b[1:]
	}
	for range n {
		if bits < 7 {
			acc |= uint32(b[0]) << bits
			b = b[1:]
			bits += 8
		}
		dst = append(dst, byte(acc&0x7F))
		acc >>= 7
		bits -= 7
	}
	return dst
}

// gsm7Text decodes septets with the tables of the given languages (0 is the default).
func gsm7Text(septets []byte, locking, shift Language) string {
	var buf [3 * maxUDL]byte
	dst, pending := appendText(buf[:0], septets, locking, shift, false)
	if pending {
		dst = append(dst, ' ') // TS 23.038 6.2.1: an escape without its character is a space
	}
	return string(dst)
}

// appendText decodes septets to UTF-8. escaped carries an escape over a part boundary, where some senders cut.
func appendText(dst, septets []byte, locking, shift Language, escaped bool) (_ []byte, pending bool) {
	lock, ext := &lockingTables[locking], &shiftTables[shift]
	for _, s := range septets {
		s &= 0x7F
		c := lock[s]
		switch {
		case escaped && s == escape:
			// TS 23.038 6.2.1.1 note 1: reserved for another extension table, a space until there is one.
			c, escaped = ' ', false
		case escaped:
			// TS 23.038 6.2.1.1: what the extension table lacks is the character of the main or locking table.
			if ext[s] != noEntry {
				c = ext[s]
			}
			escaped = false
		case s == escape:
			escaped = true
			continue
		}
		switch {
		case c < utf8.RuneSelf:
			dst = append(dst, byte(c))
		case c == unassigned:
			dst = append(dst, ' ')
		default:
			dst = utf8.AppendRune(dst, rune(c))
		}
	}
	return dst, escaped
}

// coding is an alphabet with its national tables: what one message is written in.
type coding struct {
	alphabet       Alphabet
	locking, shift Language
}

var (
	plainCoding = coding{alphabet: GSM7}
	wideCoding  = coding{alphabet: UCS2}
)

// In the result of septet bit 7 says that an escape comes first; escape after escape, which is no character, that there is
// none.
const (
	withEscape = 0x80
	noSeptet   = withEscape | escape
)

// septet looks r up in the coding's tables.
func (c coding) septet(r rune) byte {
	if c.locking|c.shift == 0 {
		return plainSeptet(r)
	}
	return nationalSeptet(r, c.locking, c.shift)
}

// plainSeptet is septet for the default alphabet.
func plainSeptet(r rune) byte {
	if uint32(r) < uint32(len(defaultSeptets)) {
		return defaultSeptets[r]
	}
	return defaultHigh(r)
}

// defaultHigh covers the default alphabet's characters above Latin-1.
func defaultHigh(r rune) byte {
	switch r {
	case 'Δ':
		return 0x10
	case 'Φ':
		return 0x12
	case 'Γ':
		return 0x13
	case 'Λ':
		return 0x14
	case 'Ω':
		return 0x15
	case 'Π':
		return 0x16
	case 'Ψ':
		return 0x17
	case 'Σ':
		return 0x18
	case 'Θ':
		return 0x19
	case 'Ξ':
		return 0x1A
	case '€':
		return withEscape | 0x65
	}
	return noSeptet
}

// nationalSeptet searches: 128 entries are searched faster than a table for every language would be built.
func nationalSeptet(r rune, locking, shift Language) byte {
	if r == escape || r == noEntry || r >= unassigned {
		return noSeptet
	}
	for i, c := range &lockingTables[locking] {
		if rune(c) == r {
			return byte(i)
		}
	}
	for i, c := range &shiftTables[shift] {
		if rune(c) == r {
			return withEscape | byte(i)
		}
	}
	return noSeptet
}

// defaultSeptets is the default alphabet and its extension table by Latin-1 character.
var defaultSeptets = latinSeptets()

func latinSeptets() (t [256]byte) {
	for i := range t {
		t[i] = noSeptet
	}
	for i, c := range shiftTables[0] {
		if c != noEntry && int(c) < len(t) {
			t[c] = withEscape | byte(i)
		}
	}
	for i, c := range lockingTables[0] {
		if i != escape && int(c) < len(t) {
			t[c] = byte(i)
		}
	}
	return t
}

// cost is the number of units (septets, or 16-bit units of UTF-16) that r takes, 0 if the coding lacks it.
func (c coding) cost(r rune) int {
	if c.alphabet == UCS2 {
		if r > 0xFFFF {
			return 2
		}
		return 1
	}
	switch s := c.septet(r); {
	case s == noSeptet:
		return 0
	case s&withEscape != 0:
		return 2
	}
	return 1
}

// units is the length of text in units; false if the coding lacks one of its characters.
func (c coding) units(text string) (n int, ok bool) {
	switch c {
	case plainCoding:
		return plainUnits(text)
	case wideCoding:
		return wideUnits(text), true
	}
	for _, r := range text {
		k := c.cost(r)
		if k == 0 {
			return 0, false
		}
		n += k
	}
	return n, true
}

// plainUnits is units for the default alphabet, which nearly every text is tried with first.
func plainUnits(text string) (n int, ok bool) {
	for _, r := range text {
		s := plainSeptet(r)
		if s == noSeptet {
			return 0, false
		}
		n += 1 + int(s>>7)
	}
	return n, true
}

// wideUnits is units for UTF-16.
func wideUnits(text string) (n int) {
	for _, r := range text {
		n++
		if r > 0xFFFF {
			n++
		}
	}
	return n
}

// step is the size of the first character of text in octets and in units.
func (c coding) step(text string) (size, units int) {
	b := text[0]
	if b >= utf8.RuneSelf {
		r, size := utf8.DecodeRuneInString(text)
		return size, c.cost(r)
	}
	switch c {
	case plainCoding:
		return 1, 1 + int(defaultSeptets[b]>>7)
	case wideCoding:
		return 1, 1
	}
	return 1, c.cost(rune(b))
}

// appendSeptets encodes text; false if the coding lacks one of its characters.
func (c coding) appendSeptets(dst []byte, text string) ([]byte, bool) {
	plain := c == plainCoding
	for _, r := range text {
		var s byte
		if plain {
			s = plainSeptet(r)
		} else {
			s = c.septet(r)
		}
		if s == noSeptet {
			return dst, false
		}
		if s&withEscape != 0 {
			dst = append(dst, escape)
		}
		dst = append(dst, s&0x7F)
	}
	return dst, true
}
