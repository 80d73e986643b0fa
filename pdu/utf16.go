package pdu

import (
	"unicode/utf16"
	"unicode/utf8"
)

// utf16Text decodes big endian UTF-16. UCS-2 has no surrogates, but every phone sends them for what lies beyond it. A lone one
// becomes U+FFFD, an odd last octet is dropped.
func utf16Text(b []byte) string {
	var buf [3 * maxUDL]byte
	dst, _ := appendUTF16(buf[:0], b)
	return string(dst)
}

// appendUTF16 also reports whether there was a lone surrogate.
func appendUTF16(dst, b []byte) (_ []byte, lone bool) {
	for len(b) >= 2 {
		r := rune(b[0])<<8 | rune(b[1])
		b = b[2:]
		if utf16.IsSurrogate(r) {
			if len(b) >= 2 {
				if pair := utf16.DecodeRune(r, rune(b[0])<<8|rune(b[1])); pair != utf8.RuneError {
					dst, b = utf8.AppendRune(dst, pair), b[2:]
					continue
				}
			}
			r, lone = utf8.RuneError, true
		}
		dst = utf8.AppendRune(dst, r)
	}
	return dst, lone
}

// hasLoneSurrogate looks without decoding.
func hasLoneSurrogate(b []byte) bool {
	for i := 0; i+1 < len(b); i += 2 {
		switch b[i] & 0xFC {
		case 0xD8:
			if i+3 >= len(b) || b[i+2]&0xFC != 0xDC {
				return true
			}
			i += 2
		case 0xDC:
			return true
		}
	}
	return false
}

// appendUTF16Of encodes text; invalid UTF-8 must have been refused before.
func appendUTF16Of(dst []byte, text string) []byte {
	for _, r := range text {
		if hi, lo := utf16.EncodeRune(r); hi != utf8.RuneError {
			dst = append(dst, byte(hi>>8), byte(hi), byte(lo>>8), byte(lo))
			continue
		}
		dst = append(dst, byte(r>>8), byte(r))
	}
	return dst
}
