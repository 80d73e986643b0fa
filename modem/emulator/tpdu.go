package emulator

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/warthog618/sms"
	"github.com/warthog618/sms/encoding/gsm7/charset"
	"github.com/warthog618/sms/encoding/pdumode"
	"github.com/warthog618/sms/encoding/tpdu"
)

const digits = "0123456789"

// buildTables has the library make all its alphabets now: it makes each one when
// it is first used, and two networks that do so at once would race.
var buildTables = sync.OnceFunc(func() {
	charset.DefaultDecoder()
	charset.DefaultEncoder()
	charset.DefaultExtEncoder()
	for language := charset.Start; language < charset.End; language++ {
		charset.NewDecoder(language)
		charset.NewEncoder(language)
		charset.NewExtEncoder(language)
	}
})

// address writes a number as a TP address: +47... is international, letters are alphanumeric, the rest is of unknown type.
func address(number string) tpdu.Address {
	a := tpdu.NewAddress()
	switch {
	case strings.HasPrefix(number, "+"):
		a.SetNumber(number)
	case strings.Trim(number, digits+"*#") != "":
		a.SetTypeOfNumber(tpdu.TonAlphanumeric)
		a.Addr = number
	default:
		a.SetNumberingPlan(tpdu.NpISDN)
		a.Addr = number
	}
	return a
}

// scField is the service centre address as it stands before a TPDU (TS 24.011 8.2.5.1): its length counts octets.
func scField(number string) []byte {
	if number == "" {
		return []byte{0}
	}
	a := pdumode.SMSCAddress{Address: address(number)}
	b, err := a.MarshalBinary()
	if err != nil {
		return []byte{0}
	}
	return b
}

// canonical is the key of a subscriber: digits only, with the country code where the number lacks it.
func (n *Network) canonical(number string) string {
	d := strings.TrimPrefix(number, "+")
	switch {
	case strings.HasPrefix(number, "+"):
	case strings.HasPrefix(d, "00"):
		d = d[2:]
	case len(d) >= 7 && strings.Trim(d, digits) == "" && !strings.HasPrefix(d, n.cfg.CountryCode):
		d = n.cfg.CountryCode + strings.TrimPrefix(d, "0")
	}
	return d
}

// parseSubmit reads what a modem was asked to send.
func parseSubmit(b []byte) (*tpdu.TPDU, error) {
	t, err := sms.Unmarshal(b, sms.AsMO)
	if err != nil {
		return nil, fmt.Errorf("read the SUBMIT: %w", err)
	}
	if t.SmsType() != tpdu.SmsSubmit && t.SmsType() != tpdu.SmsCommand {
		return nil, fmt.Errorf("read the SUBMIT: it is a %v", t.SmsType())
	}
	return t, nil
}

// nationalIEI is what the identifiers of the national language tables are short of in warthog618/sms v0.3.0, which has them in
// decimal: 24 and 25 where TS 23.040 9.2.3.24.15 means hexadecimal.
const nationalIEI = 0x24 - 24

// textOf is the text of parts in order; 8-bit data comes as it is.
func textOf(parts ...*tpdu.TPDU) string {
	own := make([]*tpdu.TPDU, len(parts))
	for i, p := range parts {
		c := *p
		c.UDH = slices.Clone(p.UDH)
		for j, ie := range c.UDH {
			if ie.ID == 0x24 || ie.ID == 0x25 {
				c.UDH[j].ID -= nationalIEI
			}
		}
		own[i] = &c
	}
	b, err := sms.Decode(own)
	if err != nil {
		return ""
	}
	return string(b)
}

// deliverOf turns an accepted SUBMIT into what its recipient gets (TS 23.040 9.2.2.1): the user data passes untouched.
func deliverOf(s *tpdu.TPDU, from string, at time.Time) ([]byte, error) {
	d := *s
	if err := d.SetSmsType(tpdu.SmsDeliver); err != nil {
		return nil, err
	}
	d.FirstOctet = tpdu.FirstOctet(0x04) | s.FirstOctet&(tpdu.FoUDHI|tpdu.FoRP) // no more messages to send
	if s.FirstOctet&tpdu.FoSRR != 0 {
		d.FirstOctet |= tpdu.FoSRI
	}
	d.OA = address(from)
	d.SCTS = tpdu.Timestamp{Time: at}
	return d.MarshalBinary()
}

// delivers writes a text as one or more DELIVERs. ref is the concatenation reference of a long one, wide makes it one of
// 16 bits.
func delivers(from, text string, ref int, wide bool, at time.Time) ([][]byte, error) {
	ud, udh, alphabet := tpdu.EncodeUserData([]byte(text))
	t := tpdu.TPDU{FirstOctet: 0x04, OA: address(from), SCTS: tpdu.Timestamp{Time: at}, DCS: tpdu.DCS(alphabet << 2)}
	if len(udh) > 0 {
		t.SetUDH(udh)
	}
	options := []tpdu.SegmentationOption{tpdu.WithConcatRef(concatRef(ref))}
	if wide {
		options = append(options, tpdu.With16BitConcatRef)
	}
	parts := t.Segment(ud, options...)
	if len(parts) == 0 { // Segment makes nothing of an empty text
		parts = []tpdu.TPDU{t}
	}
	var out [][]byte
	for i := range parts {
		b, err := parts[i].MarshalBinary()
		if err != nil {
			return nil, fmt.Errorf("encode a message: %w", err)
		}
		out = append(out, b)
	}
	return out, nil
}

// concatRef fixes the reference that warthog618/sms would count by itself.
type concatRef int

// Count is the tpdu.Counter that does not count.
func (r concatRef) Count() int { return int(r) }

// report writes the STATUS-REPORT of a submission (TS 23.040 9.2.2.3).
func report(s *submission, status byte, at time.Time) ([]byte, error) {
	r := tpdu.TPDU{
		Direction:  tpdu.MT,
		FirstOctet: 0x02 | 0x04, // SMS-STATUS-REPORT, no more messages
		MR:         s.MR,
		RA:         s.tpdu.DA,
		SCTS:       tpdu.Timestamp{Time: s.scts},
		DT:         tpdu.Timestamp{Time: at},
		ST:         status,
	}
	b, err := r.MarshalBinary()
	if err != nil {
		return nil, fmt.Errorf("write a status report: %w", err)
	}
	return b, nil
}

// validity is how long the service centre keeps a message.
func validity(t *tpdu.TPDU, now time.Time, standard time.Duration) time.Duration {
	switch t.VP.Format {
	case tpdu.VpfAbsolute:
		return t.VP.Time.Sub(now)
	case tpdu.VpfRelative, tpdu.VpfEnhanced:
		return t.VP.Duration
	}
	return standard
}
