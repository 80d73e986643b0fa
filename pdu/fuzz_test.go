package pdu

import (
	"bytes"
	"encoding/hex"
	"errors"
	"reflect"
	"runtime"
	"testing"
	"unicode/utf8"
)

// maxDecodeMemory is what reading one PDU may allocate, whatever it is.
const maxDecodeMemory = 64 << 10

// seedPDUs are the octets of every vector; an empty set fails in the loader.
func seedPDUs(t testing.TB) (all [][]byte) {
	for file := range vectorFiles {
		for _, v := range loadVectors(t, file) {
			for _, h := range v.Hex {
				b, _ := hex.DecodeString(h)
				all = append(all, b)
				if v.HasSMSC && len(b) > 0 && int(b[0]) < len(b) {
					all = append(all, b[1+int(b[0]):])
				}
			}
		}
	}
	return all
}

func FuzzDecode(f *testing.F) {
	for _, b := range seedPDUs(f) {
		f.Add(b, true)
		f.Add(b, false)
	}
	f.Fuzz(func(t *testing.T, b []byte, mt bool) {
		decode := DecodeMO
		if mt {
			decode = DecodeMT
		}
		checkMemory(t, func() { _, _ = decode(b) })
		tpdu, err := decode(b)
		var de *DecodeError
		if err != nil {
			if tpdu != nil || !errors.As(err, &de) || de.Offset > len(b) {
				t.Fatalf("%v, %v", tpdu, err)
			}
			return
		}
		checkText(t, userDataOf(tpdu))
		checkFixPoint(t, tpdu)
	})
}

// FuzzFrame also covers what comes before and after a TPDU.
func FuzzFrame(f *testing.F) {
	for _, b := range seedPDUs(f) {
		f.Add(hex.EncodeToString(b), -1)
		f.Add(hex.EncodeToString(b), len(b)-8)
	}
	f.Fuzz(func(t *testing.T, s string, n int) {
		checkMemory(t, func() { _, _ = ParseFrame(s, n) })
		frame, err := ParseFrame(s, n)
		if err != nil {
			if frame.TPDU != nil || !frame.SMSC.IsZero() {
				t.Fatalf("%v beside %v", frame, err)
			}
			return
		}
		if len(frame.TPDU) == 0 {
			t.Fatal("no error and no TPDU")
		}
		again, length, err := frame.Hex()
		if err != nil {
			return // longer than may be sent, or with an impossible service centre
		}
		back, err := ParseFrame(again, length)
		if err != nil || len(back.Flags) > 0 || !bytes.Equal(back.TPDU, frame.TPDU) || back.SMSC != frame.SMSC {
			t.Fatalf("%+v, %v, want %+v", back, err, frame)
		}
	})
}

// FuzzBroadcast: no panic, no memory, an error or a page.
func FuzzBroadcast(f *testing.F) {
	for _, b := range seedPDUs(f) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		checkMemory(t, func() { _, _ = DecodeCellBroadcast(b) })
		if c, err := DecodeCellBroadcast(b); (c == nil) == (err == nil) {
			t.Fatalf("%v, %v", c, err)
		}
	})
}

// checkMemory measures again before it complains: other goroutines of the fuzzer allocate too.
func checkMemory(t *testing.T, f func()) {
	t.Helper()
	least := uint64(1 << 62)
	for range 5 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		f()
		runtime.ReadMemStats(&after)
		if least = min(least, after.TotalAlloc-before.TotalAlloc); least <= maxDecodeMemory {
			return
		}
	}
	t.Fatalf("decoding allocates %d octets", least)
}

func checkText(t *testing.T, u *UserData) {
	t.Helper()
	joined, data, err := Join([]UserData{*u})
	if err != nil || !utf8.ValidString(joined) || joined != u.Text() || !bytes.Equal(data, u.Data()) {
		t.Fatalf("%q, %x, %v, alone %q", joined, data, err, u.Text())
	}
	if locking, shift := u.tables(); locking >= languages || shift >= languages {
		t.Fatal("unknown tables")
	}
}

// checkFixPoint: what was read without a flag is written so that it reads the same; what was read with one is refused, or
// settles.
func checkFixPoint(t *testing.T, tpdu TPDU) {
	t.Helper()
	first, err := Encode(tpdu)
	if err != nil {
		if len(Flags(tpdu)) == 0 {
			t.Fatalf("read without a flag, but %v: %+v", err, tpdu)
		}
		return
	}
	again, err := decodeLike(tpdu, first)
	if err != nil {
		t.Fatalf("%X: %v", first, err)
	}
	if len(Flags(tpdu)) == 0 && !reflect.DeepEqual(again, tpdu) {
		t.Fatalf("%X reads as\n%+v, want\n%+v", first, again, tpdu)
	}
	second, err := Encode(again)
	if err != nil || !bytes.Equal(first, second) {
		t.Fatalf("%X, then %X, %v", first, second, err)
	}
}

func FuzzRoundTrip(f *testing.F) {
	for i, s := range []string{"", "hello", "@", "{}[]~|^\\€", "Grüße 😁", "नमस्ते", "e\u0301\u0302", "👨‍👩‍👧‍👦🇳🇴🏽", "a\r\nb", "\x1b\x00"} {
		f.Add(s, byte(i), uint16(i), byte(1), i%2 == 0)
	}
	f.Fuzz(func(t *testing.T, text string, language byte, ref uint16, repeat byte, wide bool) {
		for range repeat % 8 {
			text += text
		}
		if len(text) > 1<<14 || !utf8.ValidString(text) {
			t.Skip("not a text to send")
		}
		o := Options{Language: Language(language % languages), Ref: ref, Ref16: wide, Class: Class(language % 5)}
		if !wide {
			o.Ref &= 0xFF
		}
		if language&0x80 != 0 {
			o.Ports = Ports{Dst: ref, Src: 1}
		}
		parts, err := Segment(text, o)
		var long *TooLongError
		if errors.As(err, &long) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		checkParts(t, parts, o, text)
	})
}

// checkParts sends the parts as the daemon does (encoded early, the reference set late), in the wrong order, and joins them.
func checkParts(t *testing.T, parts []UserData, o Options, text string) {
	t.Helper()
	arrived := make([]UserData, len(parts))
	for i := range parts {
		stored, err := Encode(&Submit{DA: benchNumber, UD: parts[i]})
		if err != nil {
			t.Fatal(err)
		}
		late, err := DecodeMO(stored)
		if err != nil {
			t.Fatal(err)
		}
		s := late.(*Submit)
		s.MR, s.RD = 77, true
		if len(parts) > 1 {
			if err := s.UD.SetConcatRef(o.Ref^1, o.Ref16); err != nil {
				t.Fatal(err)
			}
		}
		sent, err := Encode(s)
		if err != nil {
			t.Fatal(err)
		}
		if len(sent) != len(stored) {
			t.Fatalf("setting the reference changed the length: %X, %X", stored, sent)
		}
		got, err := DecodeMO(sent)
		if err != nil || len(Flags(got)) > 0 {
			t.Fatal(err, Flags(got))
		}
		arrived[len(parts)-1-i] = got.(*Submit).UD
		if c, multi := got.(*Submit).UD.Concat(); multi && (int(c.Seq) != i+1 || int(c.Total) != len(parts) || c.Ref != o.Ref^1) {
			t.Fatalf("part %d of %d says %+v", i+1, len(parts), c)
		}
	}
	if joined, _, err := Join(arrived); err != nil || joined != text {
		t.Fatalf("joined %q, %v, want %q", joined, err, text)
	}
}
