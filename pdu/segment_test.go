package pdu

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

// texts returns the text of each part alone.
func texts(t *testing.T, text string, o Options) []string {
	t.Helper()
	parts, err := Segment(text, o)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for i := range parts {
		out = append(out, parts[i].Text())
	}
	return out
}

func TestSegmentLimits(t *testing.T) {
	turkish, _ := ParseLanguage("turkish")
	hindi, _ := ParseLanguage("Hindi")
	ports := Ports{Dst: 2948, Src: 9200}
	for _, v := range []struct {
		name     string
		unit     string // repeated
		units    int    // of each
		o        Options
		one      int // units in a single part
		many     int // in each of several
		alphabet Alphabet
	}{
		{"default", "a", 1, Options{}, 160, 153, GSM7},
		{"default, 16-bit reference", "a", 1, Options{Ref16: true, Ref: 300}, 160, 152, GSM7},
		{"extension", "€", 2, Options{}, 160, 152, GSM7},
		{"ports", "a", 1, Options{Ports: ports}, 152, 146, GSM7},
		{"narrow ports", "a", 1, Options{Ports: Ports{Dst: 240, Narrow: true}}, 154, 148, GSM7},
		{"one national table, single shift", "ç", 2, Options{Language: spanish}, 154, 148, GSM7},
		{"one national table, locking", "ı", 1, Options{Language: turkish}, 155, 149, GSM7},
		{"both national tables", "क॥", 3, Options{Language: hindi}, 152, 146, GSM7},
		{"UCS-2", "я", 1, Options{}, 70, 67, UCS2},
		{"UCS-2, 16-bit reference", "я", 1, Options{Ref16: true}, 70, 66, UCS2},
		{"UCS-2 by name", "a", 1, Options{Alphabet: UCS2}, 70, 67, UCS2},
		{"surrogates", "😀", 2, Options{}, 70, 66, UCS2},
		{"class", "a", 1, Options{Class: Class0}, 160, 153, GSM7},
	} {
		t.Run(v.name, func(t *testing.T) {
			full := strings.Repeat(v.unit, v.one/v.units)
			for text, want := range map[string]int{"": 1, v.unit: 1, full: 1, full + v.unit: 2,
				strings.Repeat(v.unit, 3*(v.many/v.units)): 3, strings.Repeat(v.unit, 3*v.many/v.units+1): 4} {
				parts, err := Segment(text, v.o)
				if err != nil {
					t.Fatal(err)
				}
				pre, err := Plan(text, v.o)
				if err != nil || pre.Parts != len(parts) || len(parts) != want {
					t.Errorf("%d units: %d parts, planned %+v %v, want %d", pre.Units, len(parts), pre, err, want)
				}
				if text != "" && pre.Alphabet != v.alphabet {
					t.Errorf("alphabet %v", pre.Alphabet)
				}
				checkParts(t, parts, v.o, text)
			}
		})
	}
}

func TestSegmentPreview(t *testing.T) {
	for _, v := range []struct {
		text string
		o    Options
		want Preview
	}{
		{"hello", Options{}, Preview{Alphabet: GSM7, Parts: 1, Units: 5, PerPart: 160, Left: 155, Text: "hello"}},
		{strings.Repeat("a", 161), Options{}, Preview{Alphabet: GSM7, Parts: 2, Units: 161, PerPart: 153, Left: 145,
			Text: strings.Repeat("a", 161)}},
		{"“hi”", Options{Transliterate: true}, Preview{Alphabet: GSM7, Parts: 1, Units: 4, PerPart: 160, Left: 156, Text: `"hi"`,
			Changes: []Change{{0, "“", `"`}, {5, "”", `"`}}}},
		{"“hi” 😀", Options{Transliterate: true}, Preview{Alphabet: UCS2, Parts: 1, Units: 7, PerPart: 70, Left: 63, Text: "“hi” 😀"}},
	} {
		got, err := Plan(v.text, v.o)
		if err != nil || got.Alphabet != v.want.Alphabet || got.Parts != v.want.Parts || got.Units != v.want.Units ||
			got.PerPart != v.want.PerPart || got.Left != v.want.Left || got.Text != v.want.Text ||
			!slices.Equal(got.Changes, v.want.Changes) {
			t.Errorf("%q:\n  %+v, %v, want\n  %+v", v.text, got, err, v.want)
		}
	}
}

// TestSegmentBoundaries: what stands at the boundary, and where the boundary must be.
func TestSegmentBoundaries(t *testing.T) {
	for _, v := range []struct {
		name, filler, at, rest string
		units                  int // of filler that leave too little room for at
	}{
		{"escape pair", "a", "€", "b", 152},
		{"CR LF", "a", "\r\n", "b", 152},
		{"surrogate pair", "я", "😀", "я", 66},
		{"combining accent", "я", "и\u0306", "я", 66},
		{"two accents", "я", "a\u0301\u0302", "я", 65},
		{"joined family", "я", "👨‍👩‍👧‍👦", "я", 60},
		{"flag", "я", "🇳🇴", "я", 64},
		{"second flag", "я", "🇸🇪", "🇳🇴", 65},
		{"skin tone", "я", "👍🏽", "я", 64},
		{"keycap", "я", "1\uFE0F\u20E3", "я", 65},
		{"Devanagari vowel sign", "я", "कि", "я", 66},
	} {
		text := strings.Repeat(v.filler, v.units) + v.at + strings.Repeat(v.rest, 40)
		got := texts(t, text, Options{})
		if len(got) < 2 || got[0] != strings.Repeat(v.filler, v.units) || !strings.HasPrefix(got[1], v.at) {
			t.Errorf("%s: cut into %q", v.name, got)
		}
		if strings.Join(got, "") != text {
			t.Errorf("%s: lost something: %q", v.name, got)
		}
	}
}

func TestSegmentHardCut(t *testing.T) {
	pile := "a" + strings.Repeat("\u0301", 100) // one character longer than a part
	got := texts(t, pile, Options{})
	if len(got) != 2 || strings.Join(got, "") != pile {
		t.Errorf("cut into %q", got)
	}
	// 255 full parts: keeping characters whole would need more, so they are cut.
	tight := strings.Repeat(strings.Repeat("я", 66)+"и\u0306"+strings.Repeat("я", 66), 127) + strings.Repeat("я", 67)
	parts, err := Segment(tight, Options{})
	if err != nil || len(parts) != maxParts {
		t.Fatal(len(parts), err)
	}
	checkParts(t, parts, Options{}, tight)
}

func TestSegmentErrors(t *testing.T) {
	var long *TooLongError
	if _, err := Segment(strings.Repeat("a", 255*153+1), Options{}); !errors.As(err, &long) || long.Parts != 256 || long.Max != 255 {
		t.Error(err)
	}
	if parts, err := Segment(strings.Repeat("a", 255*153), Options{}); err != nil || len(parts) != 255 {
		t.Error(len(parts), err)
	}
	if _, err := SegmentData(make([]byte, 255*134+1), Options{}); !errors.As(err, &long) || long.Parts != 256 {
		t.Error(err)
	}
	var lacking *UnencodableError
	_, err := Segment("aяbяж", Options{Alphabet: GSM7})
	if !errors.As(err, &lacking) || !slices.Equal(lacking.Runes, []rune{'я', 'ж'}) || !strings.Contains(err.Error(), "'я' (U+044F)") {
		t.Error(err)
	}
	if _, err = Segment("“я😀", Options{Alphabet: GSM7, Transliterate: true}); !errors.As(err, &lacking) || string(lacking.Runes) != "😀" {
		t.Error(err)
	}
	for name, o := range map[string]Options{"reference": {Ref: 256}, "class": {Class: 9}, "language": {Language: 99},
		"alphabet": {Alphabet: Binary}, "port": {Ports: Ports{Dst: 256, Narrow: true}}} {
		if parts, err := Segment("x", o); err == nil || parts != nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if _, err := Segment("a\xffb", Options{}); !errors.Is(err, errUTF8) {
		t.Error(err)
	}
}

func TestSegmentData(t *testing.T) {
	data := make([]byte, 300)
	for i := range data {
		data[i] = byte(i)
	}
	for _, o := range []Options{{}, {Ports: Ports{Dst: 2948, Src: 9200}, Ref: 7}, {Ref16: true, Ref: 999, Class: Class1}} {
		parts, err := SegmentData(data, o)
		if err != nil || len(parts) != 3 {
			t.Fatal(len(parts), err)
		}
		if p, ok := parts[1].Ports(); ok != (o.Ports != Ports{}) || p != o.Ports {
			t.Errorf("ports %+v", p)
		}
		if parts[0].DCS.Class() != o.Class {
			t.Errorf("class %v", parts[0].DCS.Class())
		}
		_, joined, err := Join([]UserData{parts[2], parts[0], parts[1], parts[0]})
		if err != nil || !slices.Equal(joined, data) {
			t.Errorf("joined %x, %v", joined, err)
		}
	}
	if parts, err := SegmentData(nil, Options{}); err != nil || len(parts) != 1 {
		t.Error(parts, err)
	}
}

// TestLanguages: every table is used, both ways, and only when it is named.
func TestLanguages(t *testing.T) {
	for l := Language(1); l < languages; l++ {
		if again, err := ParseLanguage(strings.ToUpper(l.String())); err != nil || again != l {
			t.Errorf("%v: %v, %v", l, again, err)
		}
		for _, c := range []coding{{GSM7, l, 0}, {GSM7, 0, l}} {
			if c.locking == spanish {
				continue
			}
			var text strings.Builder
			for s := range byte(128) {
				septets := []byte{s}
				if c.shift != 0 {
					septets = []byte{escape, s}
				}
				got := gsm7Text(septets, c.locking, c.shift)
				if s != escape && got != " " {
					text.WriteString(got)
				}
			}
			parts, err := Segment(text.String(), Options{Language: l})
			if err != nil {
				t.Fatal(err)
			}
			checkParts(t, parts, Options{}, text.String())
			if locking, shift := parts[0].Languages(); locking|shift != l {
				t.Errorf("%v: %q sent as %v with %v and %v", l, text.String(), parts[0].DCS.Alphabet(), locking, shift)
			}
			if plain, _ := Segment(text.String(), Options{}); plain[0].DCS.Alphabet() != UCS2 {
				t.Errorf("%v: a national table without being named", l)
			}
		}
	}
	if _, err := ParseLanguage("klingon"); err == nil || !strings.Contains(err.Error(), "urdu") {
		t.Error(err)
	}
}

func TestSetConcatRef(t *testing.T) {
	narrow, _ := Segment(strings.Repeat("a", 200), Options{})
	loose, _ := Segment(strings.Repeat("a", 200), Options{Ref16: true, Ports: Ports{Dst: 5, Src: 6}})
	single, _ := Segment("a", Options{})
	for name, v := range map[string]struct {
		u    UserData
		ref  uint16
		wide bool
		ok   bool
	}{
		"8 bit":                   {narrow[0], 255, false, true},
		"8 bit, too high":         {narrow[0], 256, false, false},
		"16 bit, no room":         {narrow[0], 256, true, false},
		"16 bit, room":            {narrow[1], 256, true, true},
		"16 bit":                  {loose[0], 0xABCD, true, true},
		"16 bit becomes 8":        {loose[0], 7, false, true},
		"not part of a long text": {single[0], 7, false, false},
	} {
		before := slices.Clone(v.u.Header)
		old := v.u.Header
		was, _ := v.u.Concat()
		err := v.u.SetConcatRef(v.ref, v.wide)
		c, _ := v.u.Concat()
		if (err == nil) != v.ok || v.ok && c != (Concat{Ref: v.ref, Total: was.Total, Seq: was.Seq, Wide: v.wide}) {
			t.Errorf("%s: %+v, %v", name, c, err)
		}
		if !slices.Equal(old, before) {
			t.Errorf("%s: wrote into the shared header", name)
		}
		if p, _ := v.u.Ports(); v.u.DCS == loose[0].DCS && strings.HasPrefix(name, "16 bit becomes") && p.Dst != 5 {
			t.Errorf("%s: lost the ports", name)
		}
	}
}

func TestSegmentPlainAllocations(t *testing.T) {
	text := strings.Repeat("plain text ", 14)
	two := text + text
	// One for the payload, one for the list.
	if n := testing.AllocsPerRun(100, func() { _, _ = Segment(text, Options{}) }); n > 2 {
		t.Errorf("a single plain part takes %v allocations", n)
	}
	// And one for the headers.
	if n := testing.AllocsPerRun(100, func() { _, _ = Segment(two, Options{}) }); n > 3 {
		t.Errorf("two plain parts take %v allocations", n)
	}
}
