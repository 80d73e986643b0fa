package pdu

import "strings"

// CellBroadcast is one page of a cell broadcast message (TS 23.041 9.4.1.2). Broadcasts have no sender and no reference:
// pages belong together by Channel, Scope, Code and Update.
type CellBroadcast struct {
	Scope    byte   // geographical scope, 0 to 3
	Code     uint16 // message code, 0 to 1023
	Update   byte   // update number, 0 to 15
	Channel  uint16 // message identifier
	DCS      byte   // TS 23.038 clause 5: not the coding of a DCS
	Page     byte   // from 1
	Pages    byte
	Alphabet Alphabet
	Language string // ISO 639 two letters, "" if none is named
	Text     string // "" for Binary
	Data     []byte // nil for text
	Flags    []Flag
}

const (
	cbsHeader = 6
	cbsPage   = 82 // octets of content (TS 23.041 9.4.1.2.5)
)

// cbsLanguages are groups 0000 and 0010 of TS 23.038 clause 5.
var cbsLanguages = [2][16]string{
	{"de", "en", "it", "fr", "es", "nl", "sv", "da", "pt", "fi", "no", "el", "tr", "hu", "pl"},
	{"cs", "he", "ar", "ru", "is"},
}

// DecodeCellBroadcast reads one page as a modem hands it out with +CBM. Every error is a *DecodeError.
func DecodeCellBroadcast(b []byte) (*CellBroadcast, error) {
	r := &reader{b: b}
	h := r.take("CBS", cbsHeader)
	if r.err != nil {
		return nil, r.err
	}
	c := &CellBroadcast{Scope: h[0] >> 6, Code: uint16(h[0]&0x3F)<<4 | uint16(h[1]>>4), Update: h[1] & 0x0F,
		Channel: uint16(h[2])<<8 | uint16(h[3]), DCS: h[4], Page: h[5] >> 4, Pages: h[5] & 0x0F}
	if c.Page == 0 || c.Pages == 0 || c.Page > c.Pages {
		// TS 23.041 9.4.1.2.4: a reserved value counts as page 1 of 1.
		r.flag("CBS-PP", 5, problemConcat)
		c.Page, c.Pages = 1, 1
	}
	if r.left() > cbsPage {
		r.flag("CBS-CM", cbsHeader, problemLong)
	}
	c.decode(r, r.take("CBS-CM", min(r.left(), maxUDL)))
	c.Flags = r.end()
	return c, nil
}

// decode reads the content according to TS 23.038 clause 5.
func (c *CellBroadcast) decode(r *reader, b []byte) {
	var prefixed bool
	var problem string
	c.Alphabet, c.Language, prefixed, problem = cbsCoding(c.DCS)
	if problem != "" {
		r.flag("CBS-DCS", 4, problem)
	}
	switch c.Alphabet {
	case Binary:
		c.Data = append([]byte(nil), b...)
	case UCS2:
		if prefixed && len(b) >= 2 {
			c.Language, b = gsm7Text(appendUnpacked(nil, b, 0, 2), 0, 0), b[2:]
		}
		if hasLoneSurrogate(b) {
			r.flag("CBS-CM", cbsHeader, problemSurrogate)
		}
		c.Text = trimPage(utf16Text(b))
	default:
		septets := appendUnpacked(nil, b, 0, len(b)*8/7)
		if prefixed && len(septets) >= 3 {
			c.Language, septets = gsm7Text(septets[:2], 0, 0), septets[3:]
		}
		c.Text = trimPage(gsm7Text(septets, 0, 0))
	}
}

// cbsCoding splits a CBS data coding scheme; prefixed says that the content starts with the language.
func cbsCoding(dcs byte) (a Alphabet, language string, prefixed bool, problem string) {
	switch {
	case dcs < 0x10:
		return GSM7, cbsLanguages[0][dcs], false, ""
	case dcs == 0x10:
		return GSM7, "", true, ""
	case dcs == 0x11:
		return UCS2, "", true, ""
	case dcs>>4 == 2:
		return GSM7, cbsLanguages[1][dcs&0x0F], false, ""
	case dcs&0xC0 == 0x40, dcs>>4 == 9, dcs>>4 == 0xF:
		general := DCS(dcs & 0x3F)
		if dcs>>4 == 0xF {
			general = DCS(dcs)
		}
		if general.Compressed() {
			problem = problemCompressed
		}
		return general.Alphabet(), "", false, problem
	}
	return GSM7, "", false, problemReserved
}

// trimPage drops what fills a page up: CR (TS 23.038 clause 6.1.2.2.1), and NUL where senders use that.
func trimPage(s string) string { return strings.TrimRight(s, "\r\x00") }
