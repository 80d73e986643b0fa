package pdu

import (
	"fmt"
	"strings"
)

// Language is a national language identifier (TS 23.038 6.2.1.2.4), 0 for the default alphabet alone.
type Language byte

// languages counts the identifiers that have tables, 0 included.
const languages = 14

var languageNames = [languages]string{"", "turkish", "spanish", "portuguese", "bengali", "gujarati", "hindi", "kannada",
	"malayalam", "oriya", "punjabi", "tamil", "telugu", "urdu"}

// spanish is the one language without a locking table.
const spanish Language = 2

// String is the name ParseLanguage takes, "" for none.
func (l Language) String() string {
	if l >= languages {
		return fmt.Sprintf("language %d", byte(l))
	}
	return languageNames[l]
}

// ParseLanguage takes a language's English name in any case; "" is none. The error lists the names.
func ParseLanguage(name string) (Language, error) {
	for l, n := range languageNames {
		if strings.EqualFold(n, name) {
			return Language(l), nil
		}
	}
	return 0, fmt.Errorf("language %q has no GSM 7-bit table; there are %s", clip(name), strings.Join(languageNames[1:], ", "))
}
