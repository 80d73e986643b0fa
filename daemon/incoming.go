package daemon

import (
	"encoding/hex"

	"simpost/daemon/api"
	"simpost/daemon/store"
	"simpost/pdu"
)

// incoming reads a PDU as far as it can be read: kept is every octet, whatever
// this makes of them.
func incoming(text string, length int) store.Incoming {
	in := store.Incoming{PDU: octets(text), Kind: "unreadable", Encoding: "unreadable"}
	frame, err := pdu.ParseFrame(text, length)
	if err != nil {
		in.Error = &api.Reason{Code: "unreadable", Message: err.Error()}
		return in
	}
	t, err := pdu.DecodeMT(frame.TPDU)
	if err != nil {
		in.Error = &api.Reason{Code: "unreadable", Message: err.Error()}
		return in
	}
	in.Flags = flags(frame.Flags)
	switch t := t.(type) {
	case *pdu.Deliver:
		fromDeliver(&in, t)
	case *pdu.StatusReport:
		fromReport(&in, t)
	default:
		in.Kind = "other"
	}
	return in
}

// octets is hexadecimal text as octets; what is not hexadecimal is kept as it came.
func octets(text string) []byte {
	if b, err := hex.DecodeString(text); err == nil {
		return b
	}
	return []byte(text)
}

func fromDeliver(in *store.Incoming, d *pdu.Deliver) {
	in.Kind, in.From, in.SentAt = "deliver", d.OA.String(), d.SCTS
	in.Flags = append(in.Flags, flags(d.Flags)...)
	body := bodyOf([]pdu.UserData{d.UD})
	in.Text, in.Data, in.Encoding, in.Port = body.Text, body.Data, body.Encoding, body.Port
	if n, ok := d.UD.DCS.Class().Number(); ok {
		in.Class = &n
	}
	if c, ok := d.UD.Concat(); ok {
		in.Concat = &store.Concat{Ref: int(c.Ref), Wide: c.Wide, Total: int(c.Total), Seq: int(c.Seq)}
	}
}

func fromReport(in *store.Incoming, r *pdu.StatusReport) {
	in.Kind, in.From, in.SentAt, in.Encoding = "report", r.RA.String(), r.SCTS, "8bit"
	in.Flags = append(in.Flags, flags(r.Flags)...)
	in.Report = &store.Report{MR: int(r.MR), Number: r.RA.String(), SentAt: r.SCTS, Discharge: r.DT,
		Status: int(r.ST), StatusText: r.ST.String(), Final: r.ST.Final(), Delivered: r.ST.Delivered()}
}

func flags(all []pdu.Flag) []string {
	var s []string
	for _, f := range all {
		s = append(s, f.String())
	}
	return s
}

// joinParts makes one body of the raw PDUs of a message's parts, in order; a
// part that is missing is nil.
func joinParts(pdus [][]byte) store.Body {
	var parts []pdu.UserData
	for _, raw := range pdus {
		frame, err := pdu.ParseFrame(hex.EncodeToString(raw), -1)
		if err != nil {
			continue
		}
		t, err := pdu.DecodeMT(frame.TPDU)
		if d, ok := t.(*pdu.Deliver); ok && err == nil {
			parts = append(parts, d.UD)
		}
	}
	return bodyOf(parts)
}

// bodyOf reads the joined user data. Parts that do not belong together, in
// spite of their headers, are read one by one.
func bodyOf(parts []pdu.UserData) store.Body {
	if len(parts) == 0 {
		return store.Body{Encoding: "unreadable"}
	}
	body := store.Body{Encoding: parts[0].DCS.Alphabet().String()}
	text, data, err := pdu.Join(parts)
	if err != nil {
		text = ""
		for i := range parts {
			text += parts[i].Text()
		}
		body.Flags = []string{"parts: " + err.Error()}
	}
	if data != nil {
		body.Data = data
	} else {
		body.Text = &text
	}
	if p, ok := parts[0].Ports(); ok {
		port := int(p.Dst)
		body.Port = &port
	}
	return body
}
