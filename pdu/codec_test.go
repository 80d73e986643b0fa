package pdu

import (
	"bytes"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

func unhexed(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func flagStrings(fs []Flag) (all []string) {
	for _, f := range fs {
		all = append(all, f.String())
	}
	return all
}

// TestLenient: what is odd is kept and named. Each phrase a flag can carry is provoked here.
func TestLenient(t *testing.T) {
	const head = "04 04913619 00" // DELIVER from +6391, TP-PID 0
	const udhi = "44 04913619 00"
	const scts = "51507132200523"
	seen := map[string]bool{}
	for _, v := range []struct {
		name, hex string
		mo        bool
		flags     []string
		text      string
	}{
		{"fine", head + "00" + scts + "02C834", false, nil, "Hi"},
		{"text cut", head + "00" + scts + "08C8303A", false, []string{"TP-UD: truncated"}, "Hah"},
		{"no text at all", head + "00" + scts, false, []string{"TP-UDL: truncated"}, ""},
		{"more than announced", head + "00" + scts + "02C834FFFF", false, []string{"TPDU: trailing octets ignored"}, "Hi"},
		{"reserved type", "07 04913619 00 00" + scts + "02C834", false, []string{"TP-MTI: reserved value"}, "Hi"},
		{"reserved bit", "14 04913619 00 00" + scts + "02C834", false, []string{"TP-MTI: reserved bits set"}, "Hi"},
		{"reserved coding group", head + "80" + scts + "02C834", false, []string{"TP-DCS: reserved value"}, "Hi"},
		{"reserved alphabet", head + "0C" + scts + "02C834", false, []string{"TP-DCS: reserved value"}, "Hi"},
		{"class bits without a class", head + "02" + scts + "02C834", false, []string{"TP-DCS: reserved bits set"}, "Hi"},
		{"compressed", head + "20" + scts + "02C834", false, []string{"TP-DCS: compressed text can not be read"}, ""},
		{"month 13", head + "00" + "51317132200523" + "02C834", false, []string{"TP-SCTS: not a date"}, "Hi"},
		{"31 February", head + "00" + "51201332200523" + "02C834", false, []string{"TP-SCTS: not a date"}, "Hi"},
		{"hexadecimal date", head + "00" + "A1507132200523" + "02C834", false, []string{"TP-SCTS: not a date"}, "Hi"},
		{"zone FF", head + "00" + "515071322005FF" + "02C834", false, []string{"TP-SCTS: not a time zone, taken as UTC"}, "Hi"},
		{"fill is a digit", "04 03913619 00 00" + scts + "02C834", false, []string{"TP-OA: odd address"}, "Hi"},
		{"no extension bit", "04 04113619 00 00" + scts + "02C834", false, []string{"TP-OA: odd address"}, "Hi"},
		{"22 digits", "04 16913619361936193619361936 00 00" + scts + "02C834", false, []string{"TP-OA: longer than 20 digits"}, "Hi"},
		{"header too long", udhi + "04" + scts + "020941", false, []string{"TP-UDH: malformed user data header"}, ""},
		{"element too long", udhi + "04" + scts + "0403000501", false, []string{"TP-UDH: malformed user data header"}, ""},
		{"part 3 of 2", udhi + "08" + scts + "08 050003010203 0041", false,
			[]string{"TP-UDH: impossible part number ignored"}, "A"},
		{"language 99", udhi + "00" + scts + "07 03240163 40A301", false,
			[]string{"TP-UDH: unknown national language, default alphabet used"}, "hh"},
		{"odd UCS-2", head + "08" + scts + "03004100", false, []string{"TP-UD: odd number of octets"}, "A"},
		{"lone surrogate", head + "08" + scts + "02D83D", false, []string{"TP-UD: lone surrogate"}, "\uFFFD"},
		{"swapped surrogates", head + "08" + scts + "04DE01D83D", false, []string{"TP-UD: lone surrogate"}, "\uFFFD\uFFFD"},
		{"141 octets", head + "04" + scts + "8D" + strings.Repeat("41", 141), false, []string{"TP-UD: longer than the type allows"}, ""},
		{"report: fields missing", "06 42 04913619" + scts + scts + "00 07", false, []string{"TP-PID: announced but missing",
			"TP-DCS: announced but missing", "TP-UDL: announced but missing"}, ""},
		{"report: FF to the end", "06 42 04913619" + scts + scts + "00 FFFFFFFFFF", false, []string{"TPDU: padding ignored"}, ""},
		{"report: extra octet", "06 42 00 04913619" + scts + scts + "00", false, []string{"TP-RA: extra octet before it skipped"}, ""},
		{"report: address in the address", "06 1C 0F910B487228297020F5" + scts + scts + "00", false,
			[]string{"TP-RA: an address inside the address taken"}, ""},
		{"report: extended indicator", "06 42 04913619" + scts + scts + "00 8000", false, []string{"TP-PI: reserved bits set"}, ""},
		{"reserved cause", "01 12 00" + scts, false, []string{"TP-FCS: reserved value"}, ""},
		{"reserved validity", "09 00 04913619 00 00 07000000000000 00", true, []string{"TP-VP: reserved value"}, ""},
		{"command cut", "02 00 00 00 00 04913619 05 01", true, []string{"TP-CD: truncated"}, ""},
	} {
		decode := DecodeMT
		if v.mo {
			decode = DecodeMO
		}
		tpdu, err := decode(unhexed(t, v.hex))
		if err != nil {
			t.Errorf("%s: %v", v.name, err)
			continue
		}
		if got := flagStrings(Flags(tpdu)); !slices.Equal(got, v.flags) {
			t.Errorf("%s: %q, want %q", v.name, got, v.flags)
		}
		if got := userDataOf(tpdu).Text(); got != v.text {
			t.Errorf("%s: %q, want %q", v.name, got, v.text)
		}
		for _, f := range Flags(tpdu) {
			seen[f.Problem] = true
		}
	}
	for _, p := range []string{problemTruncated, problemTrailing, problemReserved, problemReservedBits, problemDate, problemZone,
		problemAddress, problemLongAddress, problemExtraOctet, problemNested, problemLong, problemHeader, problemConcat,
		problemLanguage, problemOdd, problemSurrogate, problemCompressed, problemMissing, problemPadding} {
		if !seen[p] {
			t.Errorf("nothing here shows %q", p)
		}
	}
}

func TestRefused(t *testing.T) {
	for _, v := range []struct {
		hex    string
		field  string
		offset int
		mo     bool
	}{
		{"", "TP-MTI", 0, false},
		{"", "TP-MTI", 0, true},
		{"03", "TP-MTI", 0, true},
		{"04", "TP-OA", 1, false},
		{"04 0B91", "TP-OA", 3, false},
		{"04 04913619", "TP-PID", 5, false},
		{"04 04913619 00", "TP-DCS", 6, false},
		{"04 04913619 00 00 5150", "TP-SCTS", 7, false},
		{"06 01 04913619 51507132200523 51507132200523", "TP-ST", 20, false},
		{"11 00 04913619 00 00", "TP-VP", 8, true},
		{"02 00 00 00 00 04913619", "TP-CDL", 9, true},
	} {
		decode := DecodeMT
		if v.mo {
			decode = DecodeMO
		}
		tpdu, err := decode(unhexed(t, v.hex))
		var de *DecodeError
		if tpdu != nil || !errors.As(err, &de) || de.Field != v.field || de.Offset != v.offset {
			t.Errorf("%s: %v, %v, want %s at %d", v.hex, tpdu, err, v.field, v.offset)
		}
	}
}

// TestStrict: every field of every type has something it refuses to write.
func TestStrict(t *testing.T) {
	long := UserData{DCS: 4, Payload: make([]byte, 160)}
	long141, bad := UserData{DCS: 4, Payload: make([]byte, 141)}, Address{Digits: "x"}
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	odd := now.In(time.FixedZone("", 7*60))
	for _, v := range []struct {
		field string
		t     TPDU
	}{
		{"there is no TPDU", nil},
		{"TP-DA", &Submit{DA: bad}},
		{"TP-VPF", &Submit{VP: Validity{Format: 4}}},
		{"TP-VP:", &Submit{VP: Validity{Format: ValidityRelative, Duration: time.Second}}},
		{"TP-VP:", &Submit{VP: Validity{Format: ValidityAbsolute}}},
		{"TP-VP:", &Submit{VP: Validity{Format: ValidityEnhanced, Indicator: 7}}},
		{"TP-VP:", &Submit{VP: Validity{Format: ValidityEnhanced, Indicator: 2, Duration: 256 * time.Second}}},
		{"TP-VP:", &Submit{VP: Validity{Format: ValidityEnhanced, Indicator: 3, Duration: 100 * time.Hour}}},
		{"TP-VP:", &Submit{VP: Validity{Format: ValidityEnhanced, Indicator: 0x10}}},
		{"TP-UD", &Submit{UD: long141}},
		{"TP-UD", &Submit{UD: UserData{Payload: make([]byte, 161)}}},
		{"TP-UD", &Submit{UD: UserData{DCS: 8, Payload: make([]byte, 3)}}},
		{"TP-UD", &Submit{UD: UserData{Header: []byte{0, 3, 1}}}},
		{"TP-UD", &Submit{UD: UserData{Header: []byte{0, 3, 1, 2, 3}}}},
		{"TP-OA", &Deliver{OA: bad, SCTS: now}},
		{"TP-SCTS", &Deliver{}},
		{"TP-SCTS", &Deliver{SCTS: now.AddDate(100, 0, 0)}},
		{"TP-SCTS", &Deliver{SCTS: odd}},
		{"TP-UD", &Deliver{SCTS: now, UD: long141}},
		{"TP-RA", &StatusReport{RA: bad}},
		{"TP-SCTS", &StatusReport{DT: now}},
		{"TP-DT", &StatusReport{SCTS: now}},
		{"TP-UD", &StatusReport{SCTS: now, DT: now, PI: 6, UD: UserData{DCS: 4, Payload: make([]byte, 132)}}},
		{"TP-PI", &StatusReport{SCTS: now, DT: now, PI: 8}},
		{"TP-PI", &StatusReport{SCTS: now, DT: now, PID: 1}},
		{"TP-PI", &StatusReport{SCTS: now, DT: now, PI: 1, UD: UserData{DCS: 4}}},
		{"TP-PI", &DeliverReport{PI: 3, UD: UserData{Payload: []byte{1}}}},
		{"TP-DA", &Command{DA: bad}},
		{"TP-CD", &Command{CD: make([]byte, 158)}},
		{"TP-UD", &DeliverReport{PI: 6, UD: long}},
		{"TP-SCTS", &SubmitReport{}},
		{"TP-UD", &SubmitReport{SCTS: now, PI: 6, UD: long}},
	} {
		b, err := Encode(v.t)
		if b != nil || err == nil || !strings.Contains(err.Error(), v.field) {
			t.Errorf("%+v: %X, %v, want an error about %s", v.t, b, err, v.field)
		}
	}
}

// TestFields: every field of every type goes out and comes back.
func TestFields(t *testing.T) {
	at := time.Date(2026, 2, 3, 4, 5, 6, 0, time.FixedZone("", -9*quarter))
	a := Address{TON: 2, NPI: 1, Digits: "90000001"}
	u := UserData{DCS: 0x18, Header: []byte{0, 3, 9, 2, 1}, Payload: []byte("\x04\x4f")}
	for _, tpdu := range []TPDU{
		&Submit{RD: true, RP: true, SRR: true, MR: 5, DA: a, PID: 0x41, VP: RelativeValidity(time.Hour), UD: u},
		&Submit{DA: a, VP: Validity{Format: ValidityAbsolute, Time: at}, UD: u},
		&Submit{DA: a, VP: Validity{Format: ValidityEnhanced, Indicator: 0x43, Duration: 99*time.Hour + 59*time.Minute + time.Second}, UD: u},
		&Submit{DA: a, VP: Validity{Format: ValidityEnhanced, Indicator: 1, Duration: 48 * time.Hour}, UD: u},
		&Submit{DA: a, VP: Validity{Format: ValidityEnhanced}, UD: u},
		&Deliver{More: true, Loop: true, RP: true, SRI: true, OA: a, PID: 0x40, SCTS: at, UD: u},
		&StatusReport{More: true, Loop: true, SRQ: true, MR: 8, RA: a, SCTS: at, DT: at.Add(time.Minute), ST: 0x46},
		&StatusReport{MR: 8, RA: a, SCTS: at, DT: at, ST: 1, PI: 7, PID: 2, UD: u},
		&StatusReport{MR: 8, RA: a, SCTS: at, DT: at, PI: 4, UD: UserData{Payload: []byte("ok")}},
		&Command{SRR: true, UDHI: true, MR: 1, PID: 2, CT: 3, MN: 4, DA: a, CD: []byte{1, 2}},
		&DeliverReport{PI: 7, PID: 1, UD: u},
		&DeliverReport{Error: true, FCS: 0xD3, PI: 1, PID: 1},
		&SubmitReport{SCTS: at, PI: 2, UD: UserData{DCS: 4}},
		&SubmitReport{Error: true, FCS: 0xC5, SCTS: at},
	} {
		reencode(t, tpdu)
	}
	if (PID(0x47)).Replace() != 7 || PID(0x48).Replace() != 0 || PID(0x40).Replace() != 0 || !PID(0x40).Silent() || PID(0x41).Silent() {
		t.Error("TP-PID")
	}
}

func TestElementsUnknownSurvive(t *testing.T) {
	// EMS text formatting (0A) between the elements we know.
	b := unhexed(t, "41 00 04913619 00 00 10 0B 0A03010203 0804001E0201 4000")
	tpdu, err := DecodeMO(b)
	if err != nil {
		t.Fatal(err)
	}
	s := tpdu.(*Submit)
	if err := s.UD.SetConcatRef(0x1234, true); err != nil {
		t.Fatal(err)
	}
	want := bytes.Replace(b, []byte{0x00, 0x1E}, []byte{0x12, 0x34}, 1)
	if got, err := Encode(s); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%X, %v, want\n%X", got, err, want)
	}
}

func TestParseFrame(t *testing.T) {
	const tpdu = "04049136190000515071322005 2302C834"
	plain := strings.ReplaceAll(tpdu, " ", "")
	for _, v := range []struct {
		name, in string
		n        int
		smsc     string
		flags    []string
	}{
		{"length known", "07912104442961F4" + plain, 17, "+12404492164", nil},
		{"length unknown", "07912104442961F4" + plain, -1, "+12404492164", nil},
		{"no centre named", "00" + plain, 17, "", nil},
		{"lower case, blanks around", "\t07912104442961f4" + strings.ToLower(plain) + "\r\n", 17, "+12404492164", nil},
		{"quoted", `"00` + plain + `"`, 17, "", nil},
		{"no centre field, length known", plain, 17, "", []string{"SMSC: no service centre field"}},
		{"no centre field, length unknown", plain, -1, "", []string{"SMSC: no service centre field"}},
		{"padded record", "07912104442961F4" + plain + strings.Repeat("FF", 100), 17, "+12404492164", []string{"TPDU: trailing octets ignored"}},
		{"length too high", "07912104442961F4" + plain, 30, "+12404492164", []string{"TPDU: does not match the announced length"}},
		{"length counts the centre", "07912104442961F4" + plain, 25, "+12404492164", []string{"TPDU: does not match the announced length"}},
		{"rubbish behind", "07912104442961F4" + plain + "OK", 17, "+12404492164", []string{"hex: not hexadecimal from here on"}},
		{"half an octet", "07912104442961F4" + plain + "0", -1, "+12404492164", []string{"hex: half an octet at the end ignored"}},
		{"national centre", "05A12143F5FF" + plain, -1, "12345", []string{"SMSC: odd address"}},
	} {
		f, err := ParseFrame(v.in, v.n)
		if err != nil || f.SMSC.String() != v.smsc || !slices.Equal(flagStrings(f.Flags), v.flags) {
			t.Errorf("%s: %v, %q, %v, want %q and %q", v.name, f.SMSC, flagStrings(f.Flags), err, v.smsc, v.flags)
			continue
		}
		if _, err := DecodeMT(f.TPDU); err != nil || !bytes.HasPrefix(f.TPDU, unhexed(t, plain)) {
			t.Errorf("%s: TPDU %X, %v", v.name, f.TPDU, err)
		}
	}
	for _, in := range []string{"", " ", "zz", "0", "00", "07912104442961F4", strings.Repeat("q", 1<<20)} {
		var de *DecodeError
		if f, err := ParseFrame(in, -1); f.TPDU != nil || !errors.As(err, &de) {
			t.Errorf("%.20q: %v, %v", in, f, err)
		}
	}
}

func TestFrameHex(t *testing.T) {
	centre, _ := ParseAddress("+12404492164")
	for _, v := range []struct {
		f    Frame
		want string
		n    int
	}{
		{Frame{TPDU: []byte{0x11, 0xAB}}, "0011AB", 2},
		{Frame{SMSC: centre, TPDU: []byte{1}}, "07912104442961F401", 1},
		{Frame{}, "", 0},
		{Frame{TPDU: make([]byte, maxTPDU+1)}, "", 0},
		{Frame{SMSC: Address{TON: TONAlphanumeric, Digits: "x"}, TPDU: []byte{1}}, "", 0},
		{Frame{SMSC: Address{Digits: "1x"}, TPDU: []byte{1}}, "", 0},
	} {
		s, n, err := v.f.Hex()
		if s != v.want || n != v.n || (err == nil) != (v.want != "") {
			t.Errorf("%+v: %s %d %v, want %s %d", v.f, s, n, err, v.want, v.n)
		}
	}
}

func TestRelativeValidity(t *testing.T) {
	for want := range 256 {
		d := relativeDuration(byte(want))
		if b := relativeOctet(d); b != byte(want) {
			t.Errorf("%v: octet %d, want %d", d, b, want)
		}
	}
	for d, want := range map[time.Duration]time.Duration{-1: 0, 0: 0, 1: 5 * time.Minute, 6 * time.Minute: 10 * time.Minute,
		12*time.Hour + 1: 12*time.Hour + 30*time.Minute, 25 * time.Hour: 48 * time.Hour, 31 * day: 35 * day, 1000 * day: 441 * day} {
		if got := RelativeValidity(d).Duration; got != want {
			t.Errorf("%v: %v, want %v", d, got, want)
		}
	}
}

func TestNoNumber(t *testing.T) {
	if got := (Address{TON: TONInternational}).String(); got != "" {
		t.Errorf("an address without digits is %q", got)
	}
}
