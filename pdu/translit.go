package pdu

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Change is one replacement made by Transliterate.
type Change struct {
	Offset   int    // octets from the start of the original text
	From, To string // To is "" for what has no sound and no shape, such as a soft hyphen
}

// Transliterate replaces what the GSM 7-bit alphabet lacks by what reads the same in it, and reports every replacement in
// order. Characters the alphabet has are never touched, and neither are those without a likeness in it (emoji, Chinese): the
// result may still not fit it. Greek becomes capitals, as the alphabet has them; Cyrillic is written in Latin letters.
func Transliterate(text string) (string, []Change) {
	if _, ok := plainCoding.units(text); ok {
		return text, nil
	}
	var out strings.Builder
	var changes []Change
	for at := 0; at < len(text); {
		cluster := markedRune(text[at:])
		to, ok := likeness(cluster, loud(text, at, len(cluster)))
		if ok && to != cluster {
			changes = append(changes, Change{Offset: at, From: cluster, To: to})
			out.WriteString(to)
		} else {
			out.WriteString(cluster)
		}
		at += len(cluster)
	}
	return out.String(), changes
}

// markedRune returns the first rune with the combining marks that follow it.
func markedRune(s string) string {
	_, n := utf8.DecodeRuneInString(s)
	for n < len(s) {
		r, size := utf8.DecodeRuneInString(s[n:])
		if !unicode.Is(unicode.Mn, r) || isJoiner(r) {
			break
		}
		n += size
	}
	return s[:n]
}

// isJoiner reports what changes an emoji and must stay with it.
func isJoiner(r rune) bool { return r >= 0xFE00 && r <= 0xFE0F || r == 0x20E3 }

// loud reports a letter among capitals, whose several Latin letters are capitals too (ШУМ is SHUM, Шум is Shum).
func loud(text string, at, n int) bool {
	next, _ := utf8.DecodeRuneInString(text[at+n:])
	if unicode.IsLetter(next) {
		return unicode.IsUpper(next)
	}
	last, _ := utf8.DecodeLastRuneInString(text[:at])
	return unicode.IsUpper(last)
}

// likeness spells one marked rune in the default alphabet; false if that can not be done.
func likeness(cluster string, loud bool) (string, bool) {
	var out strings.Builder
	for _, r := range norm.NFC.String(cluster) {
		s, ok := runeLikeness(r, loud)
		if !ok {
			return "", false
		}
		out.WriteString(s)
	}
	return out.String(), true
}

func runeLikeness(r rune, loud bool) (string, bool) {
	if s, ok := direct(r, loud); ok {
		return s, true
	}
	var out strings.Builder
	for _, part := range norm.NFKD.String(string(r)) {
		s, ok := direct(part, loud)
		switch {
		case ok:
			out.WriteString(s)
		case !unicode.Is(unicode.Mn, part) || isJoiner(part):
			return "", false
		}
	}
	return out.String(), true
}

// direct looks a rune up in the alphabet and the tables.
func direct(r rune, loud bool) (string, bool) {
	if plainCoding.cost(r) != 0 {
		return string(r), true
	}
	if s, ok := likenesses[r]; ok {
		return s, true
	}
	lower := unicode.ToLower(r)
	s, ok := cyrillic[lower]
	switch {
	case !ok || lower == r:
		return s, ok
	case loud:
		return strings.ToUpper(s), true
	case s == "":
		return "", true
	}
	return strings.ToUpper(s[:1]) + s[1:], true
}
