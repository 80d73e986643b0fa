package pdu

import (
	"errors"
	"fmt"
	"time"
)

// TPDU is one of *Submit, *Deliver, *StatusReport, *Command, *DeliverReport, *SubmitReport.
type TPDU interface {
	// append writes the TPDU after dst.
	append(dst []byte) ([]byte, error)
}

// Fields carry the standard's names where they have one (TS 23.040 9.2.2). Flags is filled by decoding and ignored by
// encoding.

// Submit is an SMS-SUBMIT: a message on its way to the service centre (9.2.2.2).
type Submit struct {
	RD    bool // TP-RD: the centre is to refuse it if it still holds one with the same MR and DA
	RP    bool // TP-RP: reply path
	SRR   bool // TP-SRR: a status report is wanted
	MR    byte // TP-MR; most modems put their own here
	DA    Address
	PID   PID
	VP    Validity
	UD    UserData
	Flags []Flag
}

// Deliver is an SMS-DELIVER: a message from the service centre (9.2.2.1).
type Deliver struct {
	More  bool // the centre holds more messages (TP-MMS is 0)
	Loop  bool // TP-LP: forwarded or spawned; must not be answered automatically
	RP    bool // TP-RP: reply path
	SRI   bool // TP-SRI: the sender gets a status report
	OA    Address
	PID   PID
	SCTS  time.Time // zero if the octets are no date, and flagged
	UD    UserData
	Flags []Flag
}

// StatusReport is an SMS-STATUS-REPORT: what became of a message or command (9.2.2.3).
type StatusReport struct {
	More  bool // as in Deliver
	Loop  bool // as in Deliver
	SRQ   bool // TP-SRQ: it answers an SMS-COMMAND, not a SUBMIT
	MR    byte
	RA    Address
	SCTS  time.Time // when the centre took the message; zero if the octets are no date, and flagged
	DT    time.Time // when ST came about; zero as SCTS
	ST    Status
	PI    byte // TP-PI: which of PID (1), UD.DCS (2) and UD (4) are there
	PID   PID
	UD    UserData
	Flags []Flag
}

// Command is an SMS-COMMAND: an enquiry or a deletion (9.2.2.4).
type Command struct {
	SRR   bool
	UDHI  bool // CD starts with a header
	MR    byte
	PID   PID
	CT    byte // TP-CT: 0 enquiry, 1 cancel the report, 2 delete, 3 ask for a report
	MN    byte // TP-MN: the MR of the message it is about
	DA    Address
	CD    []byte
	Flags []Flag
}

// DeliverReport is an SMS-DELIVER-REPORT: the phone's answer to a Deliver (9.2.2.1a).
type DeliverReport struct {
	Error bool // it answers with an RP-ERROR, and FCS says why
	FCS   byte
	PI    byte // as in StatusReport
	PID   PID
	UD    UserData
	Flags []Flag
}

// SubmitReport is an SMS-SUBMIT-REPORT: the centre's answer to a Submit (9.2.2.2a).
type SubmitReport struct {
	Error bool // as in DeliverReport
	FCS   byte
	PI    byte // as in StatusReport
	SCTS  time.Time
	PID   PID
	UD    UserData
	Flags []Flag
}

// Flags returns what decoding had to be lenient about, whatever the type.
func Flags(t TPDU) []Flag {
	switch t := t.(type) {
	case *Submit:
		return t.Flags
	case *Deliver:
		return t.Flags
	case *StatusReport:
		return t.Flags
	case *Command:
		return t.Flags
	case *DeliverReport:
		return t.Flags
	case *SubmitReport:
		return t.Flags
	}
	return nil
}

// TP-MTI (9.2.3.1).
const (
	mtiDeliver  = 0 // towards the network: DELIVER-REPORT
	mtiSubmit   = 1 // from the network: SUBMIT-REPORT
	mtiStatus   = 2 // towards the network: COMMAND
	mtiReserved = 3
	mtiMask     = 3
)

// The other bits of the first octet. Bits 2 to 5 depend on the type.
const (
	bitMMS  = 0x04 // DELIVER, STATUS-REPORT
	bitRD   = 0x04 // SUBMIT
	bitLP   = 0x08 // DELIVER, STATUS-REPORT
	bitSRI  = 0x20 // DELIVER
	bitSRR  = 0x20 // SUBMIT, COMMAND
	bitSRQ  = 0x20 // STATUS-REPORT
	bitUDHI = 0x40
	bitRP   = 0x80 // DELIVER, SUBMIT

	vpfShift = 3 // SUBMIT: TP-VPF
	vpfMask  = 3 << vpfShift
)

// TP-PI (9.2.3.27).
const (
	piPID       = 0x01
	piDCS       = 0x02
	piUDL       = 0x04
	piKnown     = piPID | piDCS | piUDL
	piExtension = 0x80
)

// Room for user data in octets, by type (9.2.2). The reports to a failed transfer have one less, for TP-FCS.
const (
	maxStatusUD        = 131
	maxDeliverReportUD = 159
	maxSubmitReportUD  = 152
	maxCommandData     = 157
)

// maxTPDU is the longest TPDU that Encode writes; more would not fit in an RP-DATA.
const maxTPDU = 176

// Encode writes t, or says which field the standard does not allow. What was decoded with flags may be refused.
func Encode(t TPDU) ([]byte, error) {
	if t == nil {
		return nil, errors.New("encode: there is no TPDU")
	}
	b, err := t.append(make([]byte, 0, maxTPDU))
	if err != nil {
		return nil, fmt.Errorf("encode %w", err)
	}
	return b, nil
}

func flagBit(on bool, bit byte) byte {
	if on {
		return bit
	}
	return 0
}

func udhi(u *UserData) byte { return flagBit(len(u.Header) > 0, bitUDHI) }

func field(name string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", name, err)
}

func (s *Submit) append(b []byte) (_ []byte, err error) {
	if s.VP.Format > ValidityAbsolute {
		return nil, field("TP-VPF", errValidity)
	}
	b = append(b, mtiSubmit|flagBit(s.RD, bitRD)|byte(s.VP.Format)<<vpfShift|flagBit(s.SRR, bitSRR)|udhi(&s.UD)|
		flagBit(s.RP, bitRP), s.MR)
	if b, err = appendAddress(b, s.DA); err != nil {
		return nil, field("TP-DA", err)
	}
	b = append(b, byte(s.PID), byte(s.UD.DCS))
	if b, err = appendValidity(b, s.VP); err != nil {
		return nil, field("TP-VP", err)
	}
	b, err = appendUserData(b, &s.UD, maxUserData)
	return b, field("TP-UD", err)
}

func (d *Deliver) append(b []byte) (_ []byte, err error) {
	b = append(b, mtiDeliver|flagBit(!d.More, bitMMS)|flagBit(d.Loop, bitLP)|flagBit(d.SRI, bitSRI)|udhi(&d.UD)|
		flagBit(d.RP, bitRP))
	if b, err = appendAddress(b, d.OA); err != nil {
		return nil, field("TP-OA", err)
	}
	b = append(b, byte(d.PID), byte(d.UD.DCS))
	if b, err = appendTimestamp(b, d.SCTS); err != nil {
		return nil, field("TP-SCTS", err)
	}
	b, err = appendUserData(b, &d.UD, maxUserData)
	return b, field("TP-UD", err)
}

func (s *StatusReport) append(b []byte) (_ []byte, err error) {
	b = append(b, mtiStatus|flagBit(!s.More, bitMMS)|flagBit(s.Loop, bitLP)|flagBit(s.SRQ, bitSRQ)|udhi(&s.UD), s.MR)
	if b, err = appendAddress(b, s.RA); err != nil {
		return nil, field("TP-RA", err)
	}
	if b, err = appendTimestamp(b, s.SCTS); err != nil {
		return nil, field("TP-SCTS", err)
	}
	if b, err = appendTimestamp(b, s.DT); err != nil {
		return nil, field("TP-DT", err)
	}
	b = append(b, byte(s.ST))
	if s.PI != 0 {
		b = append(b, s.PI)
	}
	return appendOptional(b, s.PI, s.PID, &s.UD, maxStatusUD)
}

func (c *Command) append(b []byte) (_ []byte, err error) {
	b = append(b, mtiStatus|flagBit(c.SRR, bitSRR)|flagBit(c.UDHI, bitUDHI), c.MR, byte(c.PID), c.CT, c.MN)
	if b, err = appendAddress(b, c.DA); err != nil {
		return nil, field("TP-DA", err)
	}
	if len(c.CD) > maxCommandData {
		return nil, field("TP-CD", errTooLong)
	}
	return append(append(b, byte(len(c.CD))), c.CD...), nil
}

func (d *DeliverReport) append(b []byte) ([]byte, error) {
	b, most := appendCause(append(b, mtiDeliver|udhi(&d.UD)), d.Error, d.FCS, maxDeliverReportUD)
	return appendOptional(append(b, d.PI), d.PI, d.PID, &d.UD, most)
}

func (s *SubmitReport) append(b []byte) (_ []byte, err error) {
	b, most := appendCause(append(b, mtiSubmit|udhi(&s.UD)), s.Error, s.FCS, maxSubmitReportUD)
	if b, err = appendTimestamp(append(b, s.PI), s.SCTS); err != nil {
		return nil, field("TP-SCTS", err)
	}
	return appendOptional(b, s.PI, s.PID, &s.UD, most)
}

// appendCause writes TP-FCS, which only a report of failure has, and returns the room left for user data.
func appendCause(b []byte, failed bool, fcs byte, most int) ([]byte, int) {
	if !failed {
		return b, most
	}
	return append(b, fcs), most - 1
}

var (
	errIndicator   = errors.New("reserved bits are set")
	errUnannounced = errors.New("a field that it does not announce is set")
)

// appendOptional writes the fields that TP-PI announces.
func appendOptional(b []byte, pi byte, pid PID, ud *UserData, most int) (_ []byte, err error) {
	if pi&^piKnown != 0 {
		return nil, field("TP-PI", errIndicator)
	}
	if pi&piPID == 0 && pid != 0 || pi&piDCS == 0 && ud.DCS != 0 || pi&piUDL == 0 && len(ud.Header)+len(ud.Payload) > 0 {
		return nil, field("TP-PI", errUnannounced)
	}
	if pi&piPID != 0 {
		b = append(b, byte(pid))
	}
	if pi&piDCS != 0 {
		b = append(b, byte(ud.DCS))
	}
	if pi&piUDL != 0 {
		b, err = appendUserData(b, ud, most)
	}
	return b, field("TP-UD", err)
}
