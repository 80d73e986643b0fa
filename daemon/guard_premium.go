package daemon

import (
	"cmp"
	"strings"
)

// premium are the ranges, in international form, in which a message may cost a
// multiple of an ordinary one: those that belong to no country (E.164 Annex A:
// premium rate, shared cost, personal numbers, satellites and international
// networks), and of each country those for premium rate, shared cost and personal
// numbers in which no ordinary number lies, by the metadata of libphonenumber
// (2025), and a few more that are widely known. Each entry is a calling code, and
// behind it what its ranges begin with; none is the whole code. docs/guard.md says
// what is not in it. No list is complete: the day's budget bounds what gets through.
var premium = ranges(`
	1 24697 34597 900, 20 900, 212 89, 213 8011 8021 8031 8041 8051 8061 8081 8091, 216 8110 8210 88,
	221 810 812 814 816 818 884 886 888 889, 227 09, 230 30, 231 3320 3323 3324, 236 8776, 240 90, 242 800 801 802,
	248 85, 250 900, 254 900, 255 840 860 861 90, 256 901 902 903,
	262 810 811 819 820 821 825 826 884 890 891 892 893 897 898 899, 264 8701, 267 90, 268 900, 269 8, 27 86 90 91 92,
	297 900,
	298 9011 9015 9016 9017 9021 9022 9025 9026 9027 9031 9035 9036 9037 9041 9045 9046 9047 9051 9055 9056 9057 909,
	30 70 801 806 812 825 850 875 90, 31 676 900 906 909, 32 70 7879 90, 33 81 82 83 840 842 844 85 86 88 89,
	34 70 803 806 807 901 902 905 907, 351 601 607 608 646 648 707 708 76 808 809 884, 352 801 900 901 905, 353 700,
	354 90, 355 700 808 900, 356 50 51 52, 357 700 801 802 803 804 805 806 807 808 809 90, 358 600 700, 359 700 90,
	36 40 90 91, 370 700 705 808 90 910, 371 81 90, 372 40 700 701 702 900, 373 808 90,
	374 801 802 803 804 900 901 906, 375 810 902, 376 10 11 12 13 14 15 16 17 19 9, 378 71 77 78, 380 900, 381 78 90,
	382 94 95, 383 900, 385 60 61 64 65 69 74 75, 386 89 90, 387 81 82 90 92 94 96,
	389 5 801 802 803 804 805 806 807 808 809 81 82 83 84 85 86 87 88 89,
	39 0878 144 163 164 166 178 199 84 892 893 894 895 899, 40 801 90, 41 840 842 844 848 878 900 901 906,
	420 700 701 81 83 84 90 976, 421 85 86 87 88 89 900 97 98, 423 9002 9012 9013 9066,
	43 810 820 821 828 862 863 864 865 866 868 892 893 894 895 896 898 900 901 930 931 939, 44 70 84 87 9, 45 90,
	46 649 75 77 900 939 944 991 992 993 994 995 999, 47 810 820 829 880, 48 700 701 703 704 706 707 708 709 801 804,
	49 118 137 138 180 190 700 900, 502 19, 503 900, 506 900 905 909, 507 822 855 860 877 878 886 900 981,
	508 81 82 89, 51 801 802 804 805, 52 300 500 900, 53 807, 54 600 604 605 607 609, 55 300 303 400 4020 4864 500 900,
	56 600 700, 57 1900 1901 1947 1948 901, 58 900 901, 592 9008, 596 81 82 89, 597 90, 598 90, 599 600 601 602,
	60 1600, 61 13 19, 62 804 809, 64 11 13 14 15 17 18 19 5000 5008 5030 5066 5077 70 90, 65 1900, 66 1900, 670 70 90,
	687 36, 7 803 808 809, 808, 81 570 990, 82 50 60, 84 1900,
	852 81 820 821 822 823 826 8270 8271 8272 8273 8274 830 8320 8329 833 834 8370 900, 86 160 168, 870, 878, 881, 882,
	883, 886 20 99, 888, 90 5922 5924 888 898 900, 91 1860 1861, 92 122 900, 960 900, 962 70 85 9, 966 920 925,
	968 900, 970 1700, 971 7000 7005 9000 9002, 972 1200 1212 1700 19, 973 84 87 9, 979, 994 9002
`)

// longestRange is the most digits of an entry in premium.
const longestRange = 7

func ranges(table string) map[string]bool {
	all := map[string]bool{}
	for _, country := range strings.Split(table, ",") {
		digits := strings.Fields(country)
		for _, rest := range digits[1:] {
			all[digits[0]+rest] = true
		}
		if len(digits) == 1 {
			all[digits[0]] = true
		}
	}
	return all
}

// premiumRange is the range that an international number is in, "" if none.
func premiumRange(digits string) string {
	for n := 1; n <= min(longestRange, len(digits)); n++ {
		if premium[digits[:n]] {
			return digits[:n]
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
