package pdu

import (
	"strings"
	"testing"

	"github.com/warthog618/sms"
	"github.com/warthog618/sms/encoding/tpdu"
)

// The benchmarks do the same work with both codecs: text to the octets of its parts, octets of its parts to text.

var benchTexts = []struct{ name, text string }{
	{"short", "Alarm: cold store 2 is at +4.1 degrees. Door open since 04:12."},
	{"long", strings.Repeat("Alarm: cold store 2 is at +4.1 degrees {door open}. ", 9)},
	{"emoji", strings.Repeat("Kjølerom 2: dør åpen 🚪 siden 04:12 ❄️. ", 6)},
}

var benchNumber = Address{TON: TONInternational, NPI: npiISDN, Digits: "4790000001"}

func encodeOurs(text string) ([][]byte, error) {
	parts, err := Segment(text, Options{Ref: 1})
	if err != nil {
		return nil, err
	}
	out := make([][]byte, len(parts))
	for i := range parts {
		if out[i], err = Encode(&Submit{DA: benchNumber, UD: parts[i]}); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func encodeWarthog(text string) ([][]byte, error) {
	parts, err := sms.Encode([]byte(text), sms.To("4790000001"))
	if err != nil {
		return nil, err
	}
	out := make([][]byte, len(parts))
	for i := range parts {
		if out[i], err = parts[i].MarshalBinary(); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func decodeOurs(pdus [][]byte) (string, error) {
	parts := make([]UserData, len(pdus))
	for i, b := range pdus {
		t, err := DecodeMO(b)
		if err != nil {
			return "", err
		}
		parts[i] = t.(*Submit).UD
	}
	text, _, err := Join(parts)
	return text, err
}

func decodeWarthog(pdus [][]byte) (string, error) {
	parts := make([]*tpdu.TPDU, len(pdus))
	for i, b := range pdus {
		t, err := sms.Unmarshal(b, sms.AsMO)
		if err != nil {
			return "", err
		}
		parts[i] = t
	}
	text, err := sms.Decode(parts)
	return string(text), err
}

func BenchmarkEncode(b *testing.B) {
	for _, v := range benchTexts {
		for _, codec := range []struct {
			name   string
			encode func(string) ([][]byte, error)
		}{{"simpost", encodeOurs}, {"warthog618", encodeWarthog}} {
			b.Run(codec.name+"/"+v.name, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if _, err := codec.encode(v.text); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

func BenchmarkDecode(b *testing.B) {
	for _, v := range benchTexts {
		pdus, err := encodeOurs(v.text)
		if err != nil {
			b.Fatal(err)
		}
		for _, codec := range []struct {
			name   string
			decode func([][]byte) (string, error)
		}{{"simpost", decodeOurs}, {"warthog618", decodeWarthog}} {
			b.Run(codec.name+"/"+v.name, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if text, err := codec.decode(pdus); err != nil || text != v.text {
						b.Fatalf("%q, %v", text, err)
					}
				}
			})
		}
	}
}
