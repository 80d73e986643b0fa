package pdu

import (
	"encoding/hex"
	"strings"
	"testing"
)

func TestParseAddress(t *testing.T) {
	for _, v := range []struct{ in, want string }{
		{"+4790000001", "+4790000001"},
		{" +47 900 00 001 ", "+4790000001"},
		{"0047 90-00-00-01", "+4790000001"},
		{"(+47) 900.00.001", "+4790000001"},
		{"+47\u00a0900\u202f00\u2011001", "+4790000001"},
		{"\u202a+4790000001\u202c", "+4790000001"},
		{"030/123 456", "030123456"},
		{"90000001", "90000001"},
		{"1890", "1890"},
		{"*100#", "*100#"},
		{"#31#90000001", "#31#90000001"},
		{"000", "000"},
		{"0011", "0011"},
		{"12345678901234567890", "12345678901234567890"},
		{"0012345678901234567890", "+12345678901234567890"},
	} {
		a, err := ParseAddress(v.in)
		if err != nil || a.String() != v.want || a.NPI != npiISDN {
			t.Errorf("%q: %v, %v, want %s", v.in, a, err, v.want)
			continue
		}
		if international := strings.HasPrefix(v.want, "+"); (a.TON == TONInternational) != international {
			t.Errorf("%q: type of number %d", v.in, a.TON)
		}
	}
}

func TestParseAddressRefuses(t *testing.T) {
	for in, reason := range map[string]string{
		"":                             "no digits",
		"+":                            "no digits",
		"call me":                      "'c' does not belong",
		"90000001\r":                   `'\r' does not belong`,
		"90000001\n":                   "does not belong",
		"9000\x1a":                     "does not belong",
		"9000\x1b":                     "does not belong",
		"9000\x00":                     "does not belong",
		"9000\t1":                      "does not belong",
		`9000"`:                        "does not belong",
		"9000;1":                       "does not belong",
		"9000,1":                       "does not belong",
		"+47+900":                      "plus",
		"47+900":                       "plus",
		"+47*900":                      "digits only",
		"+0479000":                     "country code",
		"000479000":                    "country code",
		"+44 (0)20 7946 0000":          "(0)",
		"123456789012345678901":        "more than 20",
		"+123456789012345678901":       "more than 20",
		"00123456789012345678901":      "more than 20",
		"0012345678901234567890123456": "more than 20",
		"\xff9000":                     "does not belong",
		"４７９０":                         "does not belong",
		strings.Repeat("9", 1<<20):     "more than 20",
	} {
		a, err := ParseAddress(in)
		if err == nil || !a.IsZero() || !strings.Contains(err.Error(), reason) {
			t.Errorf("%.40q: %v, %v, want %s", in, a, err, reason)
		} else if len(err.Error()) > 200 || strings.ContainsAny(err.Error(), "\r\n\x1a\x1b\x00") {
			t.Errorf("%.40q: the error is not fit for people: %q", in, err)
		}
	}
}

// FuzzParseAddress: whatever is accepted is plain digits, stays what it is, and fits a PDU.
func FuzzParseAddress(f *testing.F) {
	for _, s := range []string{"+47 900", "0047", "*100#", "\x1a", "(0)", "12345678901234567890123"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, err := ParseAddress(s)
		if err != nil {
			return
		}
		if strings.Trim(a.Digits, "0123456789*#") != "" || len(a.Digits) == 0 || len(a.Digits) > maxDigits {
			t.Fatalf("%q became %q", s, a.Digits)
		}
		if again, err := ParseAddress(a.String()); err != nil || again != a {
			if a.TON == TONInternational || !strings.HasPrefix(a.Digits, "00") {
				t.Fatalf("%v became %v, %v", a, again, err)
			}
		}
		b, err := appendAddress(nil, a)
		if err != nil {
			t.Fatal(err)
		}
		r := &reader{b: b}
		if got := r.address("TP-DA"); got != a || r.err != nil || len(r.flags) > 0 || r.left() > 0 {
			t.Fatalf("%v was read as %v, %v, %v", a, got, r.err, r.flags)
		}
	})
}

// TestNames: alphanumeric addresses as networks send them.
func TestNames(t *testing.T) {
	for _, v := range []struct{ hex, want string }{
		{"0DD04F78D92D9C0E01", "OpenBSC"},       // 13 semi-octets
		{"0ED04F78D92D9C0E01", "OpenBSC"},       // 14: the eighth septet is fill
		{"0ED04F78D92D9C0E1B", "OpenBSC"},       // the fill is a CR
		{"14D04F78D92D9C0E01000000", "OpenBSC"}, // the field is filled with zeros
		{"07D061F11800", "abc@"},                // one '@' that is counted is meant
		{"06D061F118", "abc"},
		{"0ED04669D0397C26A7", "FRANCOIS"},
		{"14D0E10D6FE3DBA036A94D19", "a[]{}€"}, // extension table
		{"00D0", ""},
	} {
		b, err := hex.DecodeString(v.hex)
		if err != nil {
			t.Fatal(err)
		}
		r := &reader{b: b}
		a := r.address("TP-OA")
		if r.err != nil || len(r.flags) > 0 || a.String() != v.want {
			t.Errorf("%s: %q, %v, %v, want %q", v.hex, a, r.err, r.flags, v.want)
		}
		if back, err := appendAddress(nil, a); err != nil || back[1] != 0xD0 {
			t.Errorf("%s: written as %X, %v", v.hex, back, err)
		}
	}
}

func TestAddressStrict(t *testing.T) {
	for name, a := range map[string]Address{
		"too long":           {Digits: "123456789012345678901"},
		"not a digit":        {Digits: "12x"},
		"star after a plus":  {TON: TONInternational, Digits: "47*"},
		"name too long":      {TON: TONAlphanumeric, Digits: "TwelveLetter"},
		"name not in GSM":    {TON: TONAlphanumeric, Digits: "Имя"},
		"name read as fill":  {TON: TONAlphanumeric, Digits: "1234567@"},
		"type out of range":  {TON: 8, Digits: "1"},
		"plan out of range":  {NPI: 16, Digits: "1"},
		"name of extensions": {TON: TONAlphanumeric, Digits: "{{{{{{"},
	} {
		if b, err := appendAddress(nil, a); err == nil {
			t.Errorf("%s: written as %X", name, b)
		}
	}
}
