package pdu

import "strings"

// CellBroadcast is one page of a cell broadcast message as GSM sends it (TS 23.041 9.4.1.2), or all of one as UMTS does
// (9.4.2). Broadcasts have no sender and no reference: pages belong together by Channel, Scope, Code and Update.
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
	cbsHeader   = 6
	cbsPage     = 82 // octets of content (TS 23.041 9.4.1.2.5)
	umtsHeader  = 7
	umtsCBS     = 1  // message type (TS 23.041 9.4.2.2.1)
	maxCBSPages = 15 // TS 23.041 9.4.2.2.5
)

// cbsLanguages are groups 0000 and 0010 of TS 23.038 clause 5.
var cbsLanguages = [2][16]string{
	{"de", "en", "it", "fr", "es", "nl", "sv", "da", "pt", "fi", "no", "el", "tr", "hu", "pl"},
	{"cs", "he", "ar", "ru", "is"},
}

// DecodeCellBroadcast reads what a modem hands out with +CBM: a page of up to 88 octets, or the longer form of UMTS. Every
// error is a *DecodeError.
func DecodeCellBroadcast(b []byte) (*CellBroadcast, error) {
	r := &reader{b: b}
	if len(b) > cbsHeader+cbsPage && b[0] == umtsCBS {
		return decodeUMTS(r)
	}
	h := r.take("CBS", cbsHeader)
	if r.err != nil {
		return nil, r.err
	}
	c := cbsHead(h[0:2], h[2:4], h[4])
	c.Page, c.Pages = h[5]>>4, h[5]&0x0F
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

func cbsHead(serial, id []byte, dcs byte) *CellBroadcast {
	return &CellBroadcast{Scope: serial[0] >> 6, Code: uint16(serial[0]&0x3F)<<4 | uint16(serial[1]>>4), Update: serial[1] & 0x0F,
		Channel: uint16(id[0])<<8 | uint16(id[1]), DCS: dcs, Page: 1, Pages: 1}
}

// decodeUMTS reads all pages of a message, each filled up and followed by how much of it counts.
func decodeUMTS(r *reader) (*CellBroadcast, error) {
	h := r.take("CBS", umtsHeader)
	if r.err != nil {
		return nil, r.err
	}
	c := cbsHead(h[3:5], h[1:3], h[5])
	for range min(int(h[6]), maxCBSPages) {
		page := CellBroadcast{DCS: c.DCS}
		content := r.take("CBS-CM", cbsPage)
		length := r.octet("CBS-CM")
		if r.err != nil {
			return nil, r.err
		}
		page.decode(r, content[:min(int(length), cbsPage)])
		c.Alphabet, c.Text, c.Data = page.Alphabet, c.Text+page.Text, append(c.Data, page.Data...)
		if c.Language == "" {
			c.Language = page.Language
		}
	}
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

// Alert names what a government's warning says of itself by its channel (TS 23.041 9.4.1.2.2; in Europe ETSI TS 102 900),
// "" for any other broadcast. The higher channels of each kind are for languages besides the local one.
func (c *CellBroadcast) Alert() string {
	for _, row := range cbsAlerts {
		if row.first <= c.Channel && c.Channel <= row.last {
			return row.name
		}
	}
	return ""
}

var cbsAlerts = []struct {
	first, last uint16
	name        string
}{
	{4352, 4352, "earthquake warning"},
	{4353, 4353, "tsunami warning"},
	{4354, 4354, "earthquake and tsunami warning"},
	{4355, 4355, "test of earthquake and tsunami warnings"},
	{4356, 4359, "other emergency"},
	{4370, 4370, "alert of the highest level"},
	{4371, 4372, "extreme and immediate threat"},
	{4373, 4378, "severe threat"},
	{4379, 4379, "missing child or person"},
	{4380, 4380, "monthly test of alerts"},
	{4381, 4381, "exercise of alerts"},
	{4382, 4382, "alert defined by the operator"},
	{4383, 4383, "alert of the highest level"},
	{4384, 4385, "extreme and immediate threat"},
	{4386, 4391, "severe threat"},
	{4392, 4392, "missing child or person"},
	{4393, 4393, "monthly test of alerts"},
	{4394, 4394, "exercise of alerts"},
	{4395, 4395, "alert defined by the operator"},
	{4396, 4397, "public safety message"},
	{4398, 4399, "local test of alerts"},
}
