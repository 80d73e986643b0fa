package store

import "strings"

// tailDigits is how much of two spellings of a number must agree: a report may
// have the national form of what was sent in the international one.
const tailDigits = 7

// numberKey is what two spellings of the same number have in common without
// knowing the country: digits without + or 00. A name is itself in lower case.
func numberKey(number string) string {
	number = strings.ToLower(strings.TrimSpace(number))
	digits := strings.Map(func(r rune) rune {
		switch {
		case r >= '0' && r <= '9' || r == '*' || r == '#':
			return r
		case strings.ContainsRune("+ -()./", r):
			return -1
		}
		return 'x'
	}, number)
	if digits == "" || strings.ContainsRune(digits, 'x') {
		return number // a name
	}
	return strings.TrimPrefix(digits, "00")
}

// tail is the end of a number key that reports are looked up by. Keys of less
// than seven digits, and names, are their own tail.
func tail(key string) string {
	if len(key) <= tailDigits || strings.Trim(key, "0123456789") != "" {
		return key
	}
	return key[len(key)-tailDigits:]
}
