package pdu

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestTransliterate(t *testing.T) {
	for _, v := range []struct{ in, want string }{
		{"", ""},
		{"plain {€} ÆØÅ äöüß ñ Ç àèéìòù ΔΦΓΛΩΠΨΣΘΞ", "plain {€} ÆØÅ äöüß ñ Ç àèéìòù ΔΦΓΛΩΠΨΣΘΞ"}, // never touched
		{"“It’s” – «fine»…", `"It's" - "fine"...`},
		{"1\u00a0000\u202f€\t\u200b!", "1 000 € !"},
		{"Žluťoučký kůň", "Zlutoucky kun"},
		{"Łódź, żółć", "Lodz, zolc"},
		{"Şişli, ığdır, İzmir, ça", "Sisli, igdir, Izmir, ca"},
		{"Đặng Hữu Phước", "Dang Huu Phuoc"},
		{"e\u0301 a\u0308 c\u030c", "é ä c"}, // composed where the alphabet has it
		{"œuvre ﬁne ½ №5 m² Ａ", "oeuvre fine 1/2 No5 m2 A"},
		{"Привет, Щука! Объезд", "Privet, Shchuka! Obezd"},
		{"ШУМ Шум Я", "SHUM Shum Ya"},
		{"и\u0306 й е\u0308", "y y yo"},
		{"Київ, їжак, ґанок", "Kiyiv, yizhak, ganok"},
		{"Љубав, ђак, ћуп", "Ljubav, djak, cup"},
		{"καλημέρα Ελλάδα", "KAΛHMEPA EΛΛAΔA"},
		{"a → b ≥ c ± 2 °C ©", "a -> b >= c +/- 2 oC (c)"},
		{"日本 😀 ❤️ 1️⃣", "日本 😀 ❤️ 1️⃣"}, // nothing like it in the alphabet
		{"日本’s", "日本's"},
	} {
		got, changes := Transliterate(v.in)
		if got != v.want {
			t.Errorf("%q: %q, want %q", v.in, got, v.want)
		}
		if applied := apply(v.in, changes); applied != got {
			t.Errorf("%q: the changes make %q, the text is %q", v.in, applied, got)
		}
	}
}

// apply makes the reported changes.
func apply(text string, changes []Change) string {
	var out strings.Builder
	at := 0
	for _, c := range changes {
		out.WriteString(text[at:c.Offset])
		out.WriteString(c.To)
		at = c.Offset + len(c.From)
	}
	return out.String() + text[at:]
}

// FuzzTransliterate: what the alphabet has stays; the changes are the whole difference; doing it twice changes nothing more.
func FuzzTransliterate(f *testing.F) {
	for _, s := range []string{"“a”", "Привет", "e\u0301", "\u0301a", "👨‍👩‍👧", "ﷺ㎏①"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if !utf8.ValidString(s) {
			return
		}
		got, changes := Transliterate(s)
		if apply(s, changes) != got || !utf8.ValidString(got) {
			t.Fatalf("%q, %q, %+v", s, got, changes)
		}
		for _, c := range changes {
			if _, ok := plainCoding.units(c.From); ok {
				t.Fatalf("%+v touches what the alphabet has", c)
			}
			if _, ok := plainCoding.units(c.To); !ok {
				t.Fatalf("%+v is not in the alphabet", c)
			}
		}
		if again, more := Transliterate(got); again != got && len(changes) > 0 {
			t.Fatalf("%q, then %q, %+v", got, again, more)
		}
	})
}

// TestLikenesses: the tables hold nothing the alphabet has, and lead into it.
func TestLikenesses(t *testing.T) {
	for _, table := range []map[rune]string{likenesses, cyrillic} {
		for r, to := range table {
			if plainCoding.cost(r) != 0 {
				t.Errorf("%q is in the alphabet", r)
			}
			if _, ok := plainCoding.units(to); !ok {
				t.Errorf("%q becomes %q, which is not in the alphabet", r, to)
			}
		}
	}
}

func TestStatus(t *testing.T) {
	for _, v := range []struct {
		from, to                    Status
		delivered, temporary, final bool
		text                        string
	}{
		{0x00, 0x00, true, false, true, "delivered"},
		{0x01, 0x01, false, false, true, "can not be confirmed"},
		{0x02, 0x02, false, false, true, "replaced"},
		{0x03, 0x1F, true, false, true, "completed"},
		{0x20, 0x3F, false, true, false, "still trying"},
		{0x40, 0x5F, false, false, true, ""},
		{0x60, 0x7F, false, true, true, "given up"},
		{0x80, 0xFF, false, true, true, "service rejected, given up"},
	} {
		for s := int(v.from); s <= int(v.to); s++ {
			st := Status(s)
			if st.Delivered() != v.delivered || st.Temporary() != v.temporary || st.Final() != v.final ||
				!strings.Contains(st.String(), v.text) {
				t.Errorf("%#02x: delivered %v, temporary %v, final %v, %q", s, st.Delivered(), st.Temporary(), st.Final(), st)
			}
		}
	}
	for s, want := range map[Status]string{0x21: "phone busy, still trying", 0x46: "validity period expired",
		0x62: "no response from the phone, given up", 0x5A: "permanent error (centre's own code 90)",
		0x4A: "permanent error (reserved code 74)", 0x75: "temporary error (centre's own code 117), given up",
		0x43: "not obtainable", 0x12: "completed (centre's own code 18)"} {
		if s.String() != want {
			t.Errorf("%#02x: %q, want %q", byte(s), s, want)
		}
	}
}

func TestUSSD(t *testing.T) {
	for _, text := range []string{"", "*100#", "seven77", "eight888", "seven7\r", "1234567\r", "€{", "balance: 12.50 @"} {
		b, err := PackUSSD(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := UnpackUSSD(b); got != text {
			t.Errorf("%q came back as %q", text, got)
		}
	}
	if b, err := PackUSSD("баланс"); err == nil {
		t.Errorf("packed %X", b)
	}
}

func TestCellBroadcast(t *testing.T) {
	page := func(dcs byte, pp byte, content string) []byte {
		return append([]byte{0xC1, 0x23, 0x00, 0x32, dcs, pp}, content...)
	}
	for _, v := range []struct {
		name  string
		b     []byte
		a     Alphabet
		lang  string
		text  string
		data  string
		flags []string
	}{
		{"language by code", page(0x00, 0x11, "\xC8\x34"), GSM7, "de", "Hi", "", nil},
		{"second list", page(0x23, 0x11, "\xC8\x34"), GSM7, "ru", "Hi", "", nil},
		{"UCS-2 with class", page(0x58, 0x11, "\x04\x4f"), UCS2, "", "я", "", nil},
		{"octets", page(0x44, 0x11, "\x01\x02"), Binary, "", "", "\x01\x02", nil},
		{"octets, coding group F", page(0xF4, 0x11, "\x01\x02"), Binary, "", "", "\x01\x02", nil},
		{"compressed", page(0x60, 0x11, "\x01"), Binary, "", "", "\x01", []string{"CBS-DCS: compressed text can not be read"}},
		{"reserved coding", page(0x30, 0x11, "\xC8\x34"), GSM7, "", "Hi", "", []string{"CBS-DCS: reserved value"}},
		{"page 0", page(0x01, 0x00, "\xC8\x34"), GSM7, "en", "Hi", "", []string{"CBS-PP: impossible part number ignored"}},
		{"lone surrogate", page(0x48, 0x11, "\xD8\x3D"), UCS2, "", "\uFFFD", "", []string{"CBS-CM: lone surrogate"}},
	} {
		c, err := DecodeCellBroadcast(v.b)
		if err != nil {
			t.Fatal(v.name, err)
		}
		if c.Alphabet != v.a || c.Language != v.lang || c.Text != v.text || string(c.Data) != v.data ||
			!slices.Equal(flagStrings(c.Flags), v.flags) || c.Scope != 3 || c.Code != 0x12 || c.Update != 3 || c.Channel != 50 {
			t.Errorf("%s: %+v", v.name, c)
		}
	}
	for channel, want := range map[uint16]string{50: "", 919: "", 4351: "", 4352: "earthquake warning", 4360: "", 4369: "", 4370: "alert of the highest level",
		4378: "severe threat", 4379: "missing child or person", 4383: "alert of the highest level", 4391: "severe threat", 4399: "local test of alerts", 4400: ""} {
		if got := (&CellBroadcast{Channel: channel}).Alert(); got != want {
			t.Errorf("channel %d: %q, want %q", channel, got, want)
		}
	}
	if c, err := DecodeCellBroadcast(append([]byte{1, 0, 50, 0xC0, 0, 0x40, 15}, make([]byte, 100)...)); c != nil || err == nil {
		t.Error("a page of fifteen:", c, err)
	}
	if c, err := DecodeCellBroadcast([]byte{1, 2, 3}); c != nil || err == nil {
		t.Error(c, err)
	}
}
