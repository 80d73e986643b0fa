package pdu

import (
	"errors"
	"slices"
	"unicode/utf8"
)

var errMixed = errors.New("some parts are text and some are octets")

// Join puts the parts of one message together in the order of their sequence numbers, whatever order they come in; doubles
// count once. text is empty for Binary parts, data is nil for text. It does not ask whether the parts are all there or belong
// together: that is known to whoever collected them. What a part boundary cut in two is whole again unless the part between
// is missing. The error says that the parts do not make one message.
func Join(parts []UserData) (text string, data []byte, err error) {
	sorted := inOrder(parts)
	var j joiner
	for i := range sorted {
		u := &sorted[i]
		binary := u.DCS.Alphabet() == Binary
		if i > 0 && binary != j.binary {
			return "", nil, errMixed
		}
		j.binary = binary
		j.add(u)
	}
	j.flush()
	if j.binary {
		return "", j.out, nil
	}
	return string(j.out), nil, nil
}

// inOrder sorts by sequence number; parts without one keep their place among themselves.
func inOrder(parts []UserData) []UserData {
	seq := func(u UserData) int {
		c, _ := u.Concat()
		return int(c.Seq)
	}
	ordered := slices.IsSortedFunc(parts, func(a, b UserData) int { return seq(a) - seq(b) })
	if !ordered {
		parts = slices.Clone(parts)
		slices.SortStableFunc(parts, func(a, b UserData) int { return seq(a) - seq(b) })
	}
	return slices.CompactFunc(slices.Clone(parts), func(a, b UserData) bool { return seq(a) == seq(b) && seq(a) != 0 })
}

// joiner decodes part after part, carrying a cut escape or surrogate over the boundary.
type joiner struct {
	out    []byte
	binary bool
	seq    byte   // of the part before
	cut    bool   // the part before ended in an escape
	half   []byte // the high surrogate that ended the part before
}

func (j *joiner) add(u *UserData) {
	c, _ := u.Concat()
	if c.Seq != j.seq+1 {
		j.flush()
	}
	j.seq = c.Seq
	switch u.DCS.Alphabet() {
	case Binary:
		j.out = append(j.out, u.Payload...)
	case UCS2:
		j.flushEscape()
		j.addUTF16(u.Payload)
	default:
		j.flushHalf()
		locking, shift := u.tables()
		j.out, j.cut = appendText(j.out, u.Payload, locking, shift, j.cut)
	}
}

func (j *joiner) addUTF16(b []byte) {
	b = b[:len(b)&^1]
	if len(j.half) > 0 && len(b) >= 2 {
		first := append(j.half, b[:2]...)
		j.half = nil
		if hasLoneSurrogate(first) {
			j.out, _ = appendUTF16(j.out, first[:2])
		} else {
			j.out, _ = appendUTF16(j.out, first)
			b = b[2:]
		}
	}
	if n := len(b); n >= 2 && b[n-2]&0xFC == 0xD8 {
		b, j.half = b[:n-2], []byte{b[n-2], b[n-1]}
	}
	j.out, _ = appendUTF16(j.out, b)
}

// flush writes what waits for a next part that does not come.
func (j *joiner) flush() {
	j.flushHalf()
	j.flushEscape()
}

func (j *joiner) flushHalf() {
	if len(j.half) > 0 {
		j.out, j.half = utf8.AppendRune(j.out, utf8.RuneError), nil
	}
}

// flushEscape shows an escape that nothing follows as a space (TS 23.038 6.2.1).
func (j *joiner) flushEscape() {
	if j.cut {
		j.out, j.cut = append(j.out, ' '), false
	}
}
