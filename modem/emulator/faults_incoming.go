package emulator

import (
	"encoding/hex"
	"slices"
	"time"

	"github.com/warthog618/sms"
	"github.com/warthog618/sms/encoding/gsm7/charset"
	"github.com/warthog618/sms/encoding/tpdu"
)

// Family 9: what the network brings to the modem.

// bendIncoming is what becomes of messages on their way to the modem: reordered, lost, doubled, altered, or in odd company.
func (m *Modem) bendIncoming(items []*item) []*item {
	if len(m.faults) == 0 {
		return items
	}
	for _, it := range items {
		m.alter(it)
	}
	if m.faults["incoming.parts-reversed"] != nil {
		items = m.reverse(items)
	}
	if total, part, long := partOf(items, -1); long && part == total && m.hit("incoming.part-missing") != nil {
		items = items[:len(items)-1]
	}
	if _, part, long := partOf(items, 0); long && part == 1 && m.hit("incoming.part-doubled") != nil {
		again := *items[0]
		items = slices.Insert(items, 0, &again)
	}
	return append(m.oddCompany(), items...)
}

// partOf says which part of a long message items[i] is; -1 is the last.
func partOf(items []*item, i int) (total, part int, long bool) {
	if len(items) == 0 {
		return 0, 0, false
	}
	if i < 0 {
		i = len(items) - 1
	}
	t, err := sms.Unmarshal(items[i].tpdu, sms.AsMT)
	if err != nil {
		return 0, 0, false
	}
	total, part, _, long = t.ConcatInfo()
	return total, part, long
}

// reverse holds the parts of a long message until all are there. Parts that come one by one are of one message.
func (m *Modem) reverse(items []*item) []*item {
	var out []*item
	for _, it := range items {
		total, _, long := partOf([]*item{it}, 0)
		if !long {
			out = append(out, it)
			continue
		}
		if m.parts = append(m.parts, it); len(m.parts) >= total {
			if m.hit("incoming.parts-reversed") != nil {
				slices.Reverse(m.parts)
			}
			out = append(out, m.parts...)
			m.parts = nil
		}
	}
	return out
}

// alter changes single octets of a message, or its sender.
func (m *Modem) alter(it *item) {
	if m.hit("incoming.ref-reused") != nil {
		it.tpdu = withRef(it.tpdu, 1)
	}
	if m.hit("incoming.class-0") != nil {
		m.octet(it, 1, func(dcs byte) byte { return dcs&0xEC | 0x10 })
	}
	if m.faults["incoming.type-0"] != nil {
		m.octet(it, 0, func(byte) byte { return typeZero })
	}
	if m.hit("incoming.mwi") != nil {
		m.octet(it, 1, func(dcs byte) byte {
			if dcs&0x0C == 0x08 {
				return 0xE8 // store, UCS-2, voicemail waiting
			}
			return 0xD8 // store, GSM 7-bit
		})
	}
	if m.hit("incoming.alphanumeric") != nil {
		if t, err := sms.Unmarshal(it.tpdu, sms.AsMT); err == nil {
			t.OA = address("Emulator")
			if b, err := t.MarshalBinary(); err == nil {
				it.tpdu = b
			}
		}
	}
}

// octet changes TP-PID (0) or TP-DCS (1) of a DELIVER.
func (m *Modem) octet(it *item, which int, f func(byte) byte) {
	at := 3 + (int(it.tpdu[1])+1)/2 + which
	it.tpdu = slices.Clone(it.tpdu)
	it.tpdu[at] = f(it.tpdu[at])
}

// withRef sets the concatenation reference of a part (IEI 00 or 08) where it has one.
func withRef(b []byte, ref int) []byte {
	t, err := sms.Unmarshal(b, sms.AsMT)
	if err != nil {
		return b
	}
	for i, ie := range t.UDH {
		data := slices.Clone(ie.Data)
		switch {
		case ie.ID == 0 && len(data) == 3:
			data[0] = byte(ref)
		case ie.ID == 8 && len(data) == 4:
			data[0], data[1] = byte(ref>>8), byte(ref)
		}
		t.UDH[i].Data = data
	}
	if out, err := t.MarshalBinary(); err == nil {
		return out
	}
	return b
}

// withRecipient puts another TP-RA into a STATUS-REPORT.
func withRecipient(b []byte, a tpdu.Address) []byte {
	ra, err := a.MarshalBinary()
	if err != nil {
		return b
	}
	rest := 4 + (int(b[2])+1)/2
	return slices.Concat(b[:2], ra, b[rest:])
}

// oddCompany is what comes before a message.
func (m *Modem) oddCompany() []*item {
	const from = "+4791009998"
	at := m.n.now()
	var out []*item
	add := func(parts ...[]byte) {
		for _, b := range parts {
			out = append(out, &item{tpdu: b})
		}
	}
	if m.hit("incoming.wap-push") != nil {
		add(raw(from, 0x44, 0xF5, at, wapPush))
	}
	if m.hit("incoming.empty") != nil {
		add(raw(from, 0x04, 0x00, at, nil))
	}
	if m.hit("incoming.locking-shift") != nil {
		add(shifted(from, "Ağaç ve ışık", at, sms.WithLockingCharset(charset.Turkish))...)
	}
	if m.hit("incoming.single-shift") != nil {
		add(shifted(from, "Ação e coração", at, sms.WithShiftCharset(charset.Portuguese))...)
	}
	if m.hit("incoming.split-surrogate") != nil {
		add(raw(from, 0x44, 0x08, at, append([]byte{5, 0, 3, 0x5A, 2, 1}, 0x00, 'a', 0xD8, 0x3D)),
			raw(from, 0x44, 0x08, at, append([]byte{5, 0, 3, 0x5A, 2, 2}, 0xDE, 0x00, 0x00, 'b'))) // U+1F600
	}
	return out
}

// wapPush is a service indication to port 2948: header of ports and concatenation left out, WSP push, an empty WBXML body.
var wapPush = mustHex("0605040B8423F0" + "250601AE" + "02056A0045C60C03" + "6578616D706C65" + "0001")

func mustHex(s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic("emulator: " + err.Error())
	}
	return b
}

// raw is a DELIVER whose user data is octets, UDH included. For 7-bit it must be empty.
func raw(from string, first, dcs byte, at time.Time, ud []byte) []byte {
	a := address(from)
	oa, err := a.MarshalBinary()
	if err != nil {
		panic("emulator: " + err.Error())
	}
	ts := tpdu.Timestamp{Time: at}
	scts, err := ts.MarshalBinary()
	if err != nil {
		panic("emulator: " + err.Error())
	}
	return slices.Concat([]byte{first}, oa, []byte{0x00, dcs}, scts, []byte{byte(len(ud))}, ud)
}

// shifted is a DELIVER in a national language table.
func shifted(from, text string, at time.Time, table sms.EncoderOption) [][]byte {
	t := tpdu.TPDU{FirstOctet: 0x04, OA: address(from), SCTS: tpdu.Timestamp{Time: at}}
	parts, err := sms.Encode([]byte(text), sms.WithTemplate(t), sms.AsDeliver, table)
	if err != nil {
		return nil
	}
	var out [][]byte
	for i := range parts {
		for j := range parts[i].UDH {
			parts[i].UDH[j].ID += nationalIEI
		}
		if b, err := parts[i].MarshalBinary(); err == nil {
			out = append(out, b)
		}
	}
	return out
}
