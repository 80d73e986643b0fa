package pdu

import (
	"slices"
	"time"
)

// DecodeMT reads a TPDU from the network: *Deliver, *StatusReport or *SubmitReport. Every error is a *DecodeError and comes
// with a nil TPDU. b is not kept.
func DecodeMT(b []byte) (TPDU, error) {
	r := &reader{b: b}
	fo := r.first()
	var t TPDU
	switch fo & mtiMask {
	case mtiSubmit:
		t = decodeSubmitReport(r, fo)
	case mtiStatus:
		t = decodeStatusReport(r, fo)
	case mtiReserved:
		// TS 23.040 9.2.3.1: a reserved type is treated as an SMS-DELIVER.
		r.flag("TP-MTI", 0, problemReserved)
		fallthrough
	default:
		t = decodeDeliver(r, fo)
	}
	if r.err != nil {
		return nil, r.err
	}
	return t, nil
}

// DecodeMO reads a TPDU towards the network: *Submit, *Command or *DeliverReport. Errors are as of DecodeMT.
func DecodeMO(b []byte) (TPDU, error) {
	r := &reader{b: b}
	fo := r.first()
	var t TPDU
	switch fo & mtiMask {
	case mtiSubmit:
		t = decodeSubmit(r, fo)
	case mtiStatus:
		t = decodeCommand(r, fo)
	case mtiReserved:
		r.fail("TP-MTI", 0, errReserved)
	default:
		t = decodeDeliverReport(r, fo)
	}
	if r.err != nil {
		return nil, r.err
	}
	return t, nil
}

// reader walks over the octets of a TPDU. After the first error it returns zeros.
type reader struct {
	b     []byte
	off   int
	flags []Flag
	err   error
}

func (r *reader) fail(field string, at int, err error) {
	if r.err == nil {
		r.err = &DecodeError{Field: field, Offset: at, Err: err}
	}
}

func (r *reader) flag(field string, at int, problem string) {
	if r.err == nil {
		r.flags = append(r.flags, Flag{Field: field, Offset: at, Problem: problem})
	}
}

func (r *reader) left() int { return len(r.b) - r.off }

func (r *reader) first() byte {
	if len(r.b) == 0 {
		r.fail("TP-MTI", 0, errEmpty)
	}
	return r.octet("TP-MTI")
}

func (r *reader) octet(field string) byte {
	if b := r.take(field, 1); b != nil {
		return b[0]
	}
	return 0
}

// take returns the next n octets, nil (and an error kept) if there are fewer.
func (r *reader) take(field string, n int) []byte {
	if r.err != nil {
		return nil
	}
	if r.left() < n {
		r.fail(field, r.off, errTruncated)
		return nil
	}
	b := r.b[r.off : r.off+n : r.off+n]
	r.off += n
	return b
}

// reserved flags bits of the first octet that the type leaves undefined.
func (r *reader) reserved(fo, known byte) {
	if fo&^(known|mtiMask) != 0 {
		r.flag("TP-MTI", 0, problemReservedBits)
	}
}

func (r *reader) timestamp(field string) time.Time {
	at := r.off
	b := r.take(field, timestampLen)
	if b == nil {
		return time.Time{}
	}
	t, problem := parseTimestamp(b)
	if problem != "" {
		r.flag(field, at, problem)
	}
	return t
}

func (r *reader) dcs() DCS {
	at := r.off
	d := DCS(r.octet("TP-DCS"))
	r.checkDCS(d, at)
	return d
}

func (r *reader) checkDCS(d DCS, at int) {
	if problem := d.reserved(); problem != "" {
		r.flag("TP-DCS", at, problem)
	}
	if d.Compressed() {
		r.flag("TP-DCS", at, problemCompressed)
	}
}

// end flags what is left over.
func (r *reader) end() []Flag {
	if r.err == nil && r.left() > 0 {
		r.flag("TPDU", r.off, problemTrailing)
	}
	return r.flags
}

func decodeDeliver(r *reader, fo byte) *Deliver {
	r.reserved(fo, bitMMS|bitLP|bitSRI|bitUDHI|bitRP)
	d := &Deliver{More: fo&bitMMS == 0, Loop: fo&bitLP != 0, SRI: fo&bitSRI != 0, RP: fo&bitRP != 0}
	d.OA = r.address("TP-OA")
	d.PID = PID(r.octet("TP-PID"))
	dcs := r.dcs()
	d.SCTS = r.timestamp("TP-SCTS")
	d.UD = r.userData(dcs, fo&bitUDHI != 0, maxUserData)
	d.Flags = r.end()
	return d
}

func decodeSubmit(r *reader, fo byte) *Submit {
	s := &Submit{RD: fo&bitRD != 0, SRR: fo&bitSRR != 0, RP: fo&bitRP != 0}
	s.MR = r.octet("TP-MR")
	s.DA = r.address("TP-DA")
	s.PID = PID(r.octet("TP-PID"))
	dcs := r.dcs()
	s.VP = r.validity(ValidityFormat(fo & vpfMask >> vpfShift))
	s.UD = r.userData(dcs, fo&bitUDHI != 0, maxUserData)
	s.Flags = r.end()
	return s
}

func (r *reader) validity(format ValidityFormat) Validity {
	at := r.off
	var v Validity
	var problem string
	switch format {
	case ValidityRelative:
		v = Validity{Format: format, Duration: relativeDuration(r.octet("TP-VP"))}
	case ValidityAbsolute:
		if v = (Validity{Format: format, Time: r.timestamp("TP-VP")}); v.Time.IsZero() {
			v = Validity{}
		}
	case ValidityEnhanced:
		if b := r.take("TP-VP", timestampLen); b != nil {
			v, problem = parseEnhanced(b)
		}
	}
	if problem != "" {
		r.flag("TP-VP", at, problem)
	}
	return v
}

func decodeStatusReport(r *reader, fo byte) *StatusReport {
	r.reserved(fo, bitMMS|bitLP|bitSRQ|bitUDHI)
	s := &StatusReport{More: fo&bitMMS == 0, Loop: fo&bitLP != 0, SRQ: fo&bitSRQ != 0}
	s.MR = r.octet("TP-MR")
	start := *r
	if s.outcome(r); r.err != nil || len(r.flags) > len(start.flags) {
		s.skipExtraOctet(r, start)
	}
	if r.left() > 0 && !r.padding() {
		s.PI, s.PID, s.UD = r.optional(r.indicator(), fo&bitUDHI != 0, maxStatusUD)
	}
	s.Flags = r.end()
	return s
}

// outcome reads the rest of the mandatory fields.
func (s *StatusReport) outcome(r *reader) {
	s.RA = r.address("TP-RA")
	s.SCTS = r.timestamp("TP-SCTS")
	s.DT = r.timestamp("TP-DT")
	s.ST = Status(r.octet("TP-ST"))
}

// skipExtraOctet tries a report that did not read well again without its first octet, which some ZTE sticks put in front of
// TP-RA, and takes that reading if nothing is wrong with it.
func (s *StatusReport) skipExtraOctet(r *reader, start reader) {
	start.flags = slices.Clip(start.flags) // not to write over those of r
	start.flag("TP-RA", start.off, problemExtraOctet)
	start.off++
	known := len(start.flags)
	again := *s
	if again.outcome(&start); start.err == nil && len(start.flags) == known {
		*s, *r = again, start
	}
}

// padding flags and skips a rest of FF octets: modems hand out whole records of the SIM.
func (r *reader) padding() bool {
	for _, x := range r.b[r.off:] {
		if x != 0xFF {
			return false
		}
	}
	r.flag("TPDU", r.off, problemPadding)
	r.off = len(r.b)
	return true
}

// indicator reads TP-PI and skips its extension octets.
func (r *reader) indicator() byte {
	at := r.off
	pi := r.octet("TP-PI")
	if pi&^piKnown != 0 {
		r.flag("TP-PI", at, problemReservedBits)
	}
	for ext := pi; ext&piExtension != 0 && r.left() > 0; {
		ext = r.octet("TP-PI")
	}
	return pi & piKnown
}

// optional reads what TP-PI announced. The mandatory part is complete, so what is missing is only flagged.
func (r *reader) optional(pi byte, hasHeader bool, most int) (_ byte, pid PID, ud UserData) {
	if pi&piPID != 0 && !r.missing("TP-PID", &pi, piPID) {
		pid = PID(r.octet("TP-PID"))
	}
	var dcs DCS
	if pi&piDCS != 0 && !r.missing("TP-DCS", &pi, piDCS) {
		dcs = r.dcs()
	}
	if pi&piUDL != 0 && !r.missing("TP-UDL", &pi, piUDL) {
		return pi, pid, r.userData(dcs, hasHeader, most)
	}
	return pi, pid, UserData{DCS: dcs}
}

func (r *reader) missing(field string, pi *byte, bit byte) bool {
	if r.err != nil || r.left() > 0 {
		return false
	}
	r.flag(field, r.off, problemMissing)
	*pi &^= bit
	return true
}

func decodeCommand(r *reader, fo byte) *Command {
	r.reserved(fo, bitSRR|bitUDHI)
	c := &Command{SRR: fo&bitSRR != 0, UDHI: fo&bitUDHI != 0}
	c.MR = r.octet("TP-MR")
	c.PID = PID(r.octet("TP-PID"))
	c.CT = r.octet("TP-CT")
	c.MN = r.octet("TP-MN")
	c.DA = r.address("TP-DA")
	at := r.off
	n := int(r.octet("TP-CDL"))
	if n > r.left() {
		r.flag("TP-CD", at, problemTruncated)
		n = r.left()
	}
	if n > maxCommandData {
		r.flag("TP-CD", at, problemLong)
	}
	c.CD = append([]byte(nil), r.take("TP-CD", n)...)
	c.Flags = r.end()
	return c
}

func decodeDeliverReport(r *reader, fo byte) *DeliverReport {
	r.reserved(fo, bitUDHI)
	d := &DeliverReport{}
	d.Error, d.FCS = r.cause()
	d.PI, d.PID, d.UD = r.optional(r.indicator(), fo&bitUDHI != 0, maxDeliverReportUD-int(flagBit(d.Error, 1)))
	d.Flags = r.end()
	return d
}

func decodeSubmitReport(r *reader, fo byte) *SubmitReport {
	r.reserved(fo, bitUDHI)
	s := &SubmitReport{}
	s.Error, s.FCS = r.cause()
	pi := r.indicator()
	s.SCTS = r.timestamp("TP-SCTS")
	s.PI, s.PID, s.UD = r.optional(pi, fo&bitUDHI != 0, maxSubmitReportUD-int(flagBit(s.Error, 1)))
	s.Flags = r.end()
	return s
}

// cause reads TP-FCS if there is one. Whether the report travels in an RP-ACK (no TP-FCS) or in an RP-ERROR is not in its
// octets; but causes below 80 are reserved (9.2.3.22), and TP-PI uses its low three bits only.
func (r *reader) cause() (failed bool, fcs byte) {
	if r.err != nil || r.left() == 0 || r.b[r.off]&^piKnown == 0 {
		return false, 0
	}
	at := r.off
	if fcs = r.octet("TP-FCS"); fcs < 0x80 {
		r.flag("TP-FCS", at, problemReserved)
	}
	return true, fcs
}

// userData reads TP-UDL and TP-UD. Too little of it is flagged, not refused: the sender and the time were readable.
func (r *reader) userData(dcs DCS, hasHeader bool, most int) UserData {
	u := UserData{DCS: dcs}
	if r.err != nil {
		return u
	}
	if r.left() == 0 {
		r.flag("TP-UDL", r.off, problemTruncated)
		return u
	}
	at := r.off
	n := int(r.octet("TP-UDL"))
	packed := dcs.Alphabet() == GSM7
	octets := n
	if packed {
		octets = (n*7 + 7) / 8
	}
	if octets > r.left() {
		r.flag("TP-UD", at, problemTruncated)
		octets, n = r.left(), r.left()
		if packed {
			n = octets * 8 / 7
		}
	}
	if octets > most {
		r.flag("TP-UD", at, problemLong)
	}
	body := r.take("TP-UD", octets)
	header := r.header(body, hasHeader, at+1)
	r.split(&u, body, header, n, packed)
	r.checkUserData(&u, at+1)
	return u
}

// header returns the user data header with its length octet, nil if there is none to be read.
func (r *reader) header(body []byte, announced bool, at int) []byte {
	if !announced {
		return nil
	}
	if len(body) == 0 || body[0] == 0 || 1+int(body[0]) > len(body) {
		r.flag("TP-UDH", at, problemHeader)
		if len(body) > 0 && body[0] == 0 {
			return body[:1]
		}
		return nil
	}
	return body[:1+int(body[0])]
}

// split copies header and payload out of body in one allocation. n is TP-UDL.
func (r *reader) split(u *UserData, body, header []byte, n int, packed bool) {
	h := len(header)
	skip := h
	if packed {
		skip = headerSeptets(h)
	}
	payload := max(n-skip, 0)
	buf := make([]byte, 0, h+payload)
	if h > 1 {
		buf = append(buf, header[1:]...)
		u.Header = buf[: h-1 : h-1]
	}
	start := len(buf)
	if packed {
		buf = appendUnpacked(buf, body, skip*7, payload)
	} else {
		buf = append(buf, body[skip:]...)
	}
	u.Payload = buf[start:]
}

func (r *reader) checkUserData(u *UserData, at int) {
	if len(u.Header) > 0 {
		if !u.wellFormed() {
			r.flag("TP-UDH", at, problemHeader)
		}
		if _, _, impossible := u.concat(); impossible {
			r.flag("TP-UDH", at, problemConcat)
		}
		if locking, shift := u.Languages(); locking >= languages || shift >= languages {
			r.flag("TP-UDH", at, problemLanguage)
		}
	}
	if u.DCS.Alphabet() == UCS2 {
		if len(u.Payload)%2 != 0 {
			r.flag("TP-UD", at, problemOdd)
		}
		if hasLoneSurrogate(u.Payload) {
			r.flag("TP-UD", at, problemSurrogate)
		}
	}
}
