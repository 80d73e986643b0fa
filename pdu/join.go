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
	size := 0
	for i := range sorted {
		size += len(sorted[i].Payload)
	}
	j := joiner{out: make([]byte, 0, size+size/4)}
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

// inOrder sorts by sequence number and drops doubles; parts without a number keep their place among themselves.
func inOrder(parts []UserData) []UserData {
	ordered := true
	for i := 1; i < len(parts) && ordered; i++ {
		a, b := parts[i-1].seq(), parts[i].seq()
		ordered = a < b || a == 0 && b == 0
	}
	if ordered {
		return parts
	}
	parts = slices.Clone(parts)
	slices.SortStableFunc(parts, func(a, b UserData) int { return int(a.seq()) - int(b.seq()) })
	return slices.CompactFunc(parts, func(a, b UserData) bool { return a.seq() == b.seq() && a.seq() != 0 })
}

// seq is the sequence number, 0 if there is none.
func (u *UserData) seq() byte {
	c, _ := u.Concat()
	return c.Seq
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
	seq := u.seq()
	if seq != j.seq+1 {
		j.flush()
	}
	j.seq = seq
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
