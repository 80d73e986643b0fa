package daemon

import (
	"cmp"
	"strings"
)

// premium are the ranges, in international form, in which a message may cost a
// multiple of an ordinary one: those that belong to no country (E.164 Annex A:
// premium rate, shared cost, personal numbers, satellites and international
// networks), and of each country the ones that are widely known. No list is
// complete: the day's budget bounds what gets through.
var premium = strings.Fields(`
	808 870 878 881 882 883 888 979

	1900
	2786 2790
	3090
	31676 31900 31906 31909
	3270 3290
	3381 3382 3389
	34803 34806 34807 34901 34902 34905 34907
	351601 351607 351608 351646 351648 351707 351708 35176 351808 351809
	352900 352901 352905
	35490
	355900
	35650 35651 35652
	35790
	358600 358700
	35990
	3640 3690 3691
	37090
	37181 37190
	372900
	37390
	375902
	380900
	38190
	38294 38295
	38560 38561 38564 38565 38569
	38689 38690
	38790
	3895
	39144 39166 39178 39199 3984 39892 39893 39894 39895 39899
	4090
	41840 41842 41844 41848 41900 41901 41906
	42081 42083 42084 42090
	421900 42197 42198
	43810 43820 43821 43900 43901 43930 43931 43939
	4470 4484 4487 449
	4590
	46900 46939 46944
	47820 47829
	48700 48701 48703 48704 48708 48709 48801 48804
	49118 49137 49180 49190 49900
	51805
	52900
	54600 54609
	55300 55500 55900
	56600 56700
	58900
	601600
	6119
	62809
	64900
	651900
	661900
	7803 7809
	81570 81990
	8260
	852900
	88620
	90888 90898 90900
	911860
	97219
`)

// premiumRange is the range that an international number is in, "" if none.
func premiumRange(digits string) string {
	for _, p := range premium {
		if strings.HasPrefix(digits, p) {
			return p
		}
	}
	return ""
}

// trunks are the digits before a number in national form, where they are not 0
// (ITU Operational Bulletin, "Dialling procedures").
var trunks = map[string]string{"1": "1", "7": "8", "36": "06", "375": "8", "993": "8"}

// exits are the digits before an international number, where they are not 00 and
// do not begin with it (the same bulletin).
var exits = map[string]string{"1": "011", "7": "810", "53": "119", "81": "010", "375": "810", "992": "810", "993": "810"}

// plan is the calling code whose dialling procedures a country has: those that
// share one share them too.
func plan(code string) string {
	if code[0] == '1' || code[0] == '7' {
		return code[:1]
	}
	return code
}

// abroad is a number in national form as one would write it from abroad, with
// and without what looks like a trunk prefix: who types it may leave that out.
func abroad(code, national string) []string {
	code = plan(code)
	forms := []string{code + national}
	if rest, ok := strings.CutPrefix(national, cmp.Or(trunks[code], "0")); ok {
		forms = append(forms, code+rest)
	}
	return forms
}
