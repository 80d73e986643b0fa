package emulator

import (
	"fmt"
	"strings"
	"time"

	"github.com/warthog618/sms"
	"github.com/warthog618/sms/encoding/tpdu"
)

// Text mode, as much of it as other people's software asks for before it settles on PDU mode: one part, GSM alphabet or UCS-2.

// sendText is +CMGS="number".
func sendText(x *exec) final {
	f, end, ok := x.askText(fields(x.args))
	if !ok {
		return end
	}
	return x.transmit(f, nil)
}

// askText prompts for a text to a number and makes a SUBMIT of it with the parameters of +CSMP.
func (x *exec) askText(args []string) (frame, final, bool) {
	m := x.m
	if len(args) == 0 {
		return frame{}, m.cmsError(305), false
	}
	text, end, ok := x.prompt()
	if !ok {
		return frame{}, end, false
	}
	p, ok := numbers(m.set.csmp, 17, 167, 0, 0)
	if !ok {
		return frame{}, m.cmsError(305), false
	}
	t := tpdu.TPDU{FirstOctet: tpdu.FirstOctet(p[0]), DA: address(m.fromCharset(args[0])), PID: byte(p[2]), DCS: tpdu.DCS(p[3])}
	t.FirstOctet &^= tpdu.FoVPFMask
	parts, err := sms.Encode([]byte(m.fromCharset(strings.ReplaceAll(text, "\r", "\n"))), sms.WithTemplate(t), sms.AsSubmit)
	if err != nil || len(parts) != 1 {
		return frame{}, m.cmsError(305), false
	}
	b, err := parts[0].MarshalBinary()
	if err != nil {
		return frame{}, m.cmsError(305), false
	}
	return frame{[]byte{0}, b}, resultOK, true
}

// textLines is a +CMT or +CDS in text mode.
func (m *Modem) textLines(it *item) []string {
	s := &slot{tpdu: it.tpdu}
	t, err := storedTPDU(s)
	switch {
	case err != nil:
		return []string{`+CMT: "",,""`, fmt.Sprintf("%X", it.tpdu)}
	case it.report:
		return []string{"+CDS: " + textReport(t)}
	}
	return []string{fmt.Sprintf(`+CMT: "%s",,"%s"`, m.inCharset(t.OA.Number()), textTime(t.SCTS.Time)), m.textBody(s)}
}

// textReport is a status report as text mode has it.
func textReport(t *tpdu.TPDU) string {
	return fmt.Sprintf(`%d,%d,"%s",145,"%s","%s",%d`, t.FirstOctet, t.MR, t.RA.Number(), textTime(t.SCTS.Time), textTime(t.DT.Time), t.ST)
}

// showText is a stored message in text mode; a status report has no text.
func (m *Modem) showText(x *exec, name string, s *slot, stat int) {
	x.say(name + m.textHead(s, stat))
	if stat > recRead || !isReport(s.tpdu) {
		x.say(m.textBody(s))
	}
}

// textHead is stat, address and time of a stored message as text mode has them.
func (m *Modem) textHead(s *slot, stat int) string {
	t, err := storedTPDU(s)
	if err != nil {
		return fmt.Sprintf(`"%s","",,""`, textStats[stat])
	}
	number, at := t.OA.Number(), t.SCTS.Time
	switch t.SmsType() {
	case tpdu.SmsSubmit:
		return fmt.Sprintf(`"%s","%s",,`, textStats[stat], m.inCharset(t.DA.Number()))
	case tpdu.SmsStatusReport:
		return fmt.Sprintf(`"%s",`, textStats[stat]) + textReport(t)
	}
	return fmt.Sprintf(`"%s","%s",,"%s"`, textStats[stat], m.inCharset(number), textTime(at))
}

func textTime(t time.Time) string {
	_, offset := t.Zone()
	return t.Format("06/01/02,15:04:05") + fmt.Sprintf("%+03d", offset/900)
}

// textBody is the text; what the character set can't show comes in hexadecimal.
func (m *Modem) textBody(s *slot) string {
	t, err := storedTPDU(s)
	if err != nil {
		return fmt.Sprintf("%X", s.tpdu)
	}
	if a, _ := t.Alphabet(); a != tpdu.Alpha7Bit && m.set.charset != "UCS2" {
		return strings.ToUpper(fmt.Sprintf("%x", []byte(t.UD)))
	}
	return m.inCharset(textOf(t))
}

func storedTPDU(s *slot) (*tpdu.TPDU, error) {
	if s.stat == stoUnsent || s.stat == stoSent {
		return sms.Unmarshal(s.tpdu, sms.AsMO)
	}
	t, err := sms.Unmarshal(s.tpdu, sms.AsMT)
	if err != nil {
		return nil, fmt.Errorf("show a stored message of %d octets: %w", len(s.tpdu), err)
	}
	return t, nil
}
