package daemon

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"simpost/daemon/api"
	"simpost/pdu"
)

func TestNumberRules(t *testing.T) {
	norway := numberRules{home: []string{"47"}}
	nordic := numberRules{home: []string{"47"}, countries: []string{"+46", "+1"}, allow: []string{"1890", "+8816*", "+4670000*", "82912345"}}
	usa := numberRules{home: strings.Fields(unitedStates)}
	germany := numberRules{home: []string{"49"}}
	hungary := numberRules{home: []string{"36"}}
	nowhere := numberRules{}
	anywhere := numberRules{home: []string{"47"}, countries: []string{"*"}}
	for _, c := range []struct {
		rules  numberRules
		number string
		code   api.Code // "" it may be sent to
		lift   string
	}{
		{norway, "+47 900 00 001", "", ""},
		{norway, "0047 900 00 001", "", ""},
		{norway, "90000001", "", ""},
		{norway, "4790000001", "", ""},
		{norway, "0401234567890", "", ""}, // in national form, however long
		{norway, "+46700000001", api.CodeGuardCountry, "+46"},
		{norway, "0046700000001", api.CodeGuardCountry, "+46"},
		{norway, "467000000011", api.CodeGuardCountry, "+46"}, // nobody's national number
		{norway, "+18765550100", api.CodeGuardCountry, "+1876"},
		{norway, "+99912345678", api.CodeGuardCountry, "+999"},

		{norway, "1890", api.CodeGuardShortCode, "1890"},
		{norway, "123456", api.CodeGuardShortCode, "123456"},
		{norway, "1234567", "", ""},
		{norway, "+47 1890", api.CodeGuardShortCode, "+471890"},
		{norway, "+47 26112", api.CodeGuardShortCode, "+4726112"},
		{norway, "*100#", api.CodeGuardShortCode, "*100#"},
		{norway, "*31#90000001", api.CodeGuardShortCode, "*31#90000001"},
		{numberRules{home: []string{"298"}}, "+298211234", "", ""}, // the Faroes have six digits

		{norway, "+47 829 12 345", api.CodeGuardPremium, "+4782912345"},
		{norway, "82912345", api.CodeGuardPremium, "82912345"},
		{norway, "+881612345678", api.CodeGuardPremium, "+881612345678"},
		{norway, "+979123456789", api.CodeGuardPremium, "+979123456789"},
		{germany, "0900 1234567", api.CodeGuardPremium, "09001234567"},
		{germany, "0151 23456789", "", ""},
		{hungary, "06 90 123456", api.CodeGuardPremium, "0690123456"},
		{usa, "1-900-555-0100", api.CodeGuardPremium, "19005550100"},
		{usa, "900 555 0100", api.CodeGuardPremium, "9005550100"},
		{usa, "(212) 555-0100", "", ""},
		{usa, "+1 787 555 0100", "", ""},
		{usa, "+1 876 555 0100", api.CodeGuardCountry, "+1876"},
		{usa, "011 46 70 000 00 01", api.CodeGuardCountry, "+46"},
		{usa, "011 881 612345678", api.CodeGuardPremium, "011881612345678"},
		{numberRules{home: []string{"76", "77"}}, "8 10 46 70 000 00 01", api.CodeGuardCountry, "+46"},
		{numberRules{home: []string{"76", "77"}}, "8 701 234 56 78", "", ""},

		{nordic, "+46700000001", "", ""},
		{nordic, "+12125550100", "", ""},
		{nordic, "+18765550100", api.CodeGuardCountry, "+1876"}, // +1 does not name the islands
		{nordic, "+45 20 00 00 01", api.CodeGuardCountry, "+45"},
		{nordic, "1890", "", ""},
		{nordic, "18901", api.CodeGuardShortCode, "18901"},
		{nordic, "+881612345678", "", ""},
		{nordic, "+881712345678", api.CodeGuardPremium, "+881712345678"},
		{nordic, "82912345", "", ""},
		{nordic, "+469001234567", api.CodeGuardPremium, "+469001234567"},

		{anywhere, "+18765550100", "", ""},
		{anywhere, "+881612345678", api.CodeGuardPremium, "+881612345678"},
		{anywhere, "1890", api.CodeGuardShortCode, "1890"},

		{nowhere, "+46700000001", "", ""},
		{nowhere, "90000001", "", ""},
		{nowhere, "1890", api.CodeGuardShortCode, "1890"},
		{nowhere, "+4782912345", api.CodeGuardPremium, "+4782912345"},
		{nowhere, "881612345678", api.CodeGuardPremium, "881612345678"},
	} {
		a, err := pdu.ParseAddress(c.number)
		if err != nil {
			t.Fatal(err)
		}
		var got barred
		if b := c.rules.check(a); b != nil {
			got = *b
		}
		if got.code != c.code || got.lift != c.lift {
			t.Errorf("home %v, countries %v, allow %v: %s is %q, lifted by %q; want %q, %q",
				c.rules.home, c.rules.countries, c.rules.allow, c.number, got.code, got.lift, c.code, c.lift)
		}
	}
}

// Each region's example numbers: what is ordinary is let through, and what costs
// extra is not, but for what no prefix tells.
func TestExampleNumbers(t *testing.T) {
	table, err := os.ReadFile("testdata/example_numbers.txt")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{}
	for line := range strings.Lines(string(table)) {
		f := strings.Fields(line)
		if f[0] == "#" {
			continue
		}
		a, err := pdu.ParseAddress(f[2])
		if err != nil {
			t.Fatal(err)
		}
		b := (&numberRules{}).check(a)
		extra := b != nil && b.code == api.CodeGuardPremium
		if want := f[1] == "premium" || f[1] == "shared"; extra != want {
			t.Errorf("%s %s number %s: refused is %v", f[0], f[1], f[2], extra)
		}
		seen[f[1]]++
	}
	if seen["mobile"] < 200 || seen["premium"] < 80 || seen["shared"] < 50 || seen["missed"] > 10 {
		t.Errorf("numbers: %v", seen)
	}
}

// All spellings of one number are one account.
func TestAccounts(t *testing.T) {
	for _, c := range []struct{ home, spellings, want string }{
		{"47", "+4790000001 004790000001 90000001", "4790000001"},
		{"49", "+4915123456789 004915123456789 015123456789 15123456789", "4915123456789"},
		{"39", "+390612345678 0612345678", "39612345678"},
		{"36", "+36201234567 06201234567", "36201234567"},
		{unitedStates, "+12125550100 12125550100 2125550100", "12125550100"},
		{"", "+4790000001", "4790000001"},
		{"", "90000001", ""},
		{"47", "*100#", ""},
		{"46 47", "90000001", "4690000001 4790000001"},
	} {
		r := &numberRules{home: strings.Fields(c.home)}
		for _, s := range strings.Fields(c.spellings) {
			a, err := pdu.ParseAddress(s)
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(r.accounts(a), " "); got != c.want {
				t.Errorf("at home in %s: %s is %q, want %q", c.home, s, got, c.want)
			}
		}
	}
}

// What a refusal says lifts it does, whatever the number: the entry alone is
// enough, or the next refusal names the next one.
func TestLiftsLift(t *testing.T) {
	for _, number := range []string{"+46700000001", "1890", "*100#", "82912345", "+881612345678", "+469001234567", "467000000011", "+471890", "+18765550100"} {
		a, err := pdu.ParseAddress(number)
		if err != nil {
			t.Fatal(err)
		}
		rules := numberRules{home: []string{"47"}}
		b := rules.check(a)
		if b == nil {
			t.Errorf("%s is not refused", number)
			continue
		}
		if b.code == api.CodeGuardCountry {
			rules.countries = append(rules.countries, b.lift)
		} else {
			rules.allow = append(rules.allow, b.lift)
		}
		if b := rules.check(a); b != nil {
			t.Errorf("%s is still refused: %s", number, b.why)
		}
	}
}

func TestHint(t *testing.T) {
	rules := numberRules{home: []string{"47"}, countries: []string{"+45"}, allow: []string{"1890"}}
	got := rules.hint([]*barred{
		{code: api.CodeGuardCountry, lift: "+46"}, {code: api.CodeGuardShortCode, lift: "2097"}, {code: api.CodeGuardCountry, lift: "+46"},
	})
	if want := liftBy(`countries = ["+45", "+46"]`, `allow = ["1890", "2097"]`); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	var many []*barred
	for _, r := range strings.Repeat("x", 1000) {
		many = append(many, &barred{code: api.CodeGuardShortCode, lift: string(r) + string(rune('a'+len(many)))})
	}
	if n := strings.Count(rules.hint(many), `", "`); n != maxLifts {
		t.Errorf("the hint names %d numbers, want %d at most", n+1, maxLifts+1)
	}
	if !strings.HasSuffix(rules.hint(many), `"] with 980 more, each refused above`) {
		t.Errorf("the hint does not say that there are more: %s", rules.hint(many))
	}
	var world []*barred
	for code := range knownCodes {
		world = append(world, &barred{code: api.CodeGuardCountry, lift: "+" + code})
	}
	if n := strings.Count(rules.hint(world), `"+`); n != len(knownCodes) {
		t.Errorf("the hint names %d countries of %d", n, len(knownCodes))
	}
}

func TestHomeOf(t *testing.T) {
	for imsi, want := range map[string]string{
		"242010000000001": "47", "240070000000001": "46", "310260000000001": unitedStates, "302720000000001": "1",
		"250010000000001": "7", "401010000000001": "76 77", "425010000000001": "972 970",
		"901310000000001": "", "001010000000001": "", "999010000000001": "", "": "", "24": "",
	} {
		if got := strings.Join(homeOf(imsi), " "); got != want {
			t.Errorf("%s: got %q, want %q", imsi, got, want)
		}
	}
}

func TestCallingCode(t *testing.T) {
	for digits, want := range map[string]string{
		"4790000001": "47", "12125550100": "1", "18765550100": "1876", "79161234567": "7", "77012345678": "77",
		"35840123456": "358", "99912345678": "999", "3": "3",
	} {
		if got := callingCode(digits); got != want {
			t.Errorf("%s: got %s, want %s", digits, got, want)
		}
	}
}

// The tables are data: that they are well formed is all a test can say.
func TestGuardTables(t *testing.T) {
	for mcc, codes := range homes {
		if !regexp.MustCompile(`^[2-7][0-9]{2}$`).MatchString(mcc) || !regexp.MustCompile(`^[1-9][0-9]{0,3}( [1-9][0-9]{0,3})*$`).MatchString(codes) {
			t.Errorf("%q: %q", mcc, codes)
		}
	}
	if len(homes) < 230 {
		t.Errorf("%d mobile country codes, want all 230 and more", len(homes))
	}
	longest := 0
	for p := range premium {
		longest = max(longest, len(p))
		if !regexp.MustCompile(`^[1-9][0-9]{2,6}$`).MatchString(p) {
			t.Errorf("range %q", p)
		}
		for n := 1; n < len(p); n++ {
			if premium[p[:n]] {
				t.Errorf("range %s is within %s", p, p[:n])
			}
		}
	}
	if longest != longestRange || len(premium) < 400 {
		t.Errorf("%d ranges, the longest with %d digits", len(premium), longest)
	}
	for _, prefixes := range []map[string]string{trunks, exits} {
		for code := range prefixes {
			if !knownCodes[code] {
				t.Errorf("a prefix of %s, which is no country", code)
			}
		}
	}
}
