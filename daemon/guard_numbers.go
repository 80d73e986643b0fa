package daemon

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"simpost/daemon/api"
	"simpost/pdu"
)

// numberRules says which numbers may be sent to. Its methods are pure; a nil one
// refuses nothing.
type numberRules struct {
	home      []string // calling codes; none: every country is home
	countries []string // of the configuration: +46, or *
	allow     []string // of the configuration: 12345, +8816*
}

const (
	// shortNumber is the least number of digits of an ordinary number: below are
	// short codes, many of which cost extra.
	shortNumber = 7
	// longNational is the most digits of a number in national form that does not
	// begin with a trunk 0 (China, Brazil). A longer one is international and lacks
	// its plus, which some networks do not mind.
	longNational = 11
	// maxLifts bounds the numbers that a hint names: the countries are few.
	maxLifts = 20
)

// barred is why a number may not be sent to.
type barred struct {
	code api.Code
	why  string
	lift string // the entry of `countries` or `allow` that lifts it
}

// check is nil for a number that may be sent to.
func (r *numberRules) check(a pdu.Address) *barred {
	if r == nil {
		return nil
	}
	typed, digits := a.String(), r.internationalDigits(a)
	forms := r.forms(a, digits)
	if r.allowed(append(forms, typed)) {
		return nil
	}
	if short(a, digits) {
		return &barred{api.CodeGuardShortCode, fmt.Sprintf("short codes (fewer than %d digits) often cost extra", shortNumber), typed}
	}
	for _, f := range forms {
		if p := premiumRange(f[1:]); p != "" {
			return &barred{api.CodeGuardPremium, "numbers that begin with +" + p + " cost extra", typed}
		}
	}
	if code := callingCode(digits); digits != "" && !r.near(digits, code) {
		return &barred{api.CodeGuardCountry, fmt.Sprintf("the SIM card is from +%s, and +%s is another country", strings.Join(r.home, ", +"), code), "+" + code}
	}
	return nil
}

// internationalDigits is a number with its calling code; "" if it is in national form.
func (r *numberRules) internationalDigits(a pdu.Address) string {
	switch {
	case a.TON == pdu.TONInternational:
		return a.Digits
	case service(a):
		return ""
	}
	for _, code := range r.home {
		rest, ok := strings.CutPrefix(a.Digits, cmp.Or(exits[plan(code)], "00"))
		if ok && len(rest) > shortNumber {
			return rest
		}
	}
	if len(a.Digits) > longNational && a.Digits[0] != '0' {
		return a.Digits
	}
	return ""
}

// service tells a number with * or #, which is nobody's telephone.
func service(a pdu.Address) bool { return strings.ContainsAny(a.Digits, "*#") }

// forms are the international forms that a number may have, each with its plus.
func (r *numberRules) forms(a pdu.Address, digits string) []string {
	if digits != "" {
		return []string{"+" + digits}
	}
	var forms []string
	for _, code := range r.home {
		for _, f := range abroad(code, a.Digits) {
			forms = append(forms, "+"+f)
		}
	}
	return forms
}

// accounts are what a number is called in budgets, so that its national and its
// international spelling share one: its digits from abroad, without a trunk prefix.
// A number in national form has one for each country that the cards are from. None:
// only its own digits.
func (r *numberRules) accounts(a pdu.Address) []string {
	if r == nil || service(a) {
		return nil
	}
	if digits := r.internationalDigits(a); digits != "" {
		code := plan(callingCode(digits))
		return []string{account(code, digits[len(code):])}
	}
	var keys []string
	for _, code := range r.home {
		if key := account(plan(code), a.Digits); !slices.Contains(keys, key) {
			keys = append(keys, key)
		}
	}
	return keys
}

func account(code, national string) string {
	return code + strings.TrimPrefix(national, cmp.Or(trunks[code], "0"))
}

// short tells a short code, also one behind the calling code of a country whose
// numbers are all longer: those are the ones with codes of one or two digits.
func short(a pdu.Address, digits string) bool {
	if digits == "" {
		return len(a.Digits) < shortNumber || service(a)
	}
	code := callingCode(digits)
	return len(digits) < shortNumber || len(code) <= 2 && len(digits)-len(code) < shortNumber
}

// incomplete tells an international number that is a calling code, or part of
// one, and nothing more. No entry of `allow` makes that a number.
func incomplete(a pdu.Address) bool {
	return a.TON == pdu.TONInternational && callingCode(a.Digits) == a.Digits
}

// allowed says whether the configuration names one of the spellings.
func (r *numberRules) allowed(spellings []string) bool {
	return slices.ContainsFunc(r.allow, func(entry string) bool {
		prefix, open := strings.CutSuffix(entry, "*")
		return slices.ContainsFunc(spellings, func(s string) bool {
			return s == entry || open && strings.HasPrefix(s, prefix)
		})
	})
}

// near says whether a number is at home, or in a country that the configuration
// names. +1 does not name the islands that share it, nor +7 Kazakhstan.
func (r *numberRules) near(digits, code string) bool {
	if len(r.home) == 0 || slices.Contains(r.home, code) {
		return true
	}
	return slices.ContainsFunc(r.countries, func(entry string) bool {
		listed := strings.TrimPrefix(entry, "+")
		return entry == "*" || len(listed) >= len(code) && strings.HasPrefix(digits, listed)
	})
}

// hint is the lines of the configuration that would have let them all through,
// with what stands there already.
func (r *numberRules) hint(all []*barred) string {
	countries, allow := slices.Clone(r.countries), slices.Clone(r.allow)
	for _, b := range all {
		list := &allow
		if b.code == api.CodeGuardCountry {
			list = &countries
		}
		if !slices.Contains(*list, b.lift) {
			*list = append(*list, b.lift)
		}
	}
	var lines []string
	if len(countries) > len(r.countries) {
		lines = append(lines, configLine("countries", countries))
	}
	if len(allow) > len(r.allow) {
		named := min(len(allow), maxLifts+len(r.allow))
		line := configLine("allow", allow[:named])
		if more := len(allow) - named; more > 0 {
			line += fmt.Sprintf(" with %d more, each refused above", more)
		}
		lines = append(lines, line)
	}
	return liftBy(lines...)
}

// configLine writes a list as the configuration has it.
func configLine(key string, entries []string) string {
	var quoted []string
	for _, e := range entries {
		quoted = append(quoted, strconv.Quote(e))
	}
	return key + " = [" + strings.Join(quoted, ", ") + "]"
}
