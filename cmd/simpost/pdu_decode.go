package main

import (
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"simpost/pdu"
)

// A TPDU does not say which way it goes, nor whether the service centre's number
// stands before it. What the command line leaves open is decided by reading the
// PDU in every way and taking the one that makes most sense of it.

func (a *app) pduDecode() *cobra.Command {
	var direction string
	var bare bool
	cmd := &cobra.Command{
		Use:   "decode [HEX]",
		Short: "read a PDU",
		Long: `Read a PDU in hexadecimal, as an argument or on standard input, the way a modem
prints it: with the service centre's number before it, or without.`,
		Example: `  simpost pdu decode 07911326040000F0040B911346610089F60000208062917314480CC8F71D14969741F977FD07`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if direction != "" && direction != "mt" && direction != "mo" {
				return usagef("--direction is mt (from the network) or mo (to it), not %q", direction)
			}
			digits, err := a.hexInput(args)
			if err != nil {
				return err
			}
			r, err := readPDU(digits, direction, bare)
			if err != nil {
				return noPDU(digits, err)
			}
			d := describe(r)
			if a.json {
				return a.printJSON(d)
			}
			return a.printPDU(d)
		},
	}
	cmd.Flags().StringVar(&direction, "direction", "", "`mt|mo`: from the network or to it; default the one that fits")
	cmd.Flags().BoolVar(&bare, "no-smsc", false, "there is no service centre's number before it")
	completions(cmd, "direction", "mt", "mo")
	return cmd
}

// hexInput is the argument or standard input without blanks and a leading 0x.
func (a *app) hexInput(args []string) (string, error) {
	s := strings.Join(args, "")
	if s == "" || s == "-" {
		raw, err := readLimited(a.in, "standard input")
		if err != nil {
			return "", err
		}
		s = string(raw)
	}
	s = strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return -1
		}
		return r
	}, s)
	if strings.HasPrefix(s, "0x") || strings.HasPrefix(s, "0X") {
		s = s[2:]
	}
	return s, nil
}

// noPDU is why digits could not be read: what is wrong with the digits themselves
// says more than where reading them stopped.
func noPDU(digits string, err error) error {
	stranger := strings.IndexFunc(digits, func(r rune) bool { return !unicode.Is(unicode.ASCII_Hex_Digit, r) })
	switch {
	case digits == "":
		return errors.New("this is no PDU: there is nothing to read; a PDU is written in hexadecimal digits")
	case stranger >= 0:
		r, _ := utf8.DecodeRuneInString(digits[stranger:])
		return fmt.Errorf("this is no PDU: character %d, %q, is no hexadecimal digit", utf8.RuneCountInString(digits[:stranger])+1, r)
	case len(digits)%2 == 1:
		return fmt.Errorf("this is no PDU: %s, and an octet has two", plural(len(digits), "hexadecimal digit"))
	}
	return fmt.Errorf("this is no PDU: %w", err)
}

// reading is one way to read a PDU.
type reading struct {
	smsc  pdu.Address
	tpdu  pdu.TPDU
	flags []pdu.Flag
}

// readPDU takes the reading with the fewest oddities; of equals the first, and a
// PDU from the network with its service centre is tried first.
func readPDU(digits, direction string, bare bool) (reading, error) {
	var best reading
	var first error
	least := -1
	for _, framed := range []bool{true, false} {
		if bare && framed {
			continue
		}
		for _, way := range []string{"mt", "mo"} {
			if direction != "" && direction != way {
				continue
			}
			r, err := readOneWay(digits, way, framed)
			if err != nil {
				if first == nil {
					first = err
				}
				continue
			}
			if farFetched(r, direction != "") {
				continue
			}
			if n := oddity(r); least < 0 || n < least {
				best, least = r, n
			}
		}
	}
	if least < 0 {
		return reading{}, first
	}
	return best, nil
}

func readOneWay(digits, way string, framed bool) (reading, error) {
	length := -1
	if !framed {
		digits, length = "00"+digits, len(digits)/2 // an empty service centre field
	}
	frame, err := pdu.ParseFrame(digits, length)
	if err != nil {
		return reading{}, err
	}
	decode := pdu.DecodeMT
	if way == "mo" {
		decode = pdu.DecodeMO
	}
	t, err := decode(frame.TPDU)
	if err != nil {
		return reading{}, err
	}
	return reading{smsc: frame.SMSC, tpdu: t, flags: append(frame.Flags, pdu.Flags(t)...)}, nil
}

// oddity counts what had to be forgiven, and how rarely a person meets the type.
func oddity(r reading) int {
	n := 0
	for _, f := range r.flags {
		if !growing(f) {
			n += 2
		}
	}
	if isReport(r.tpdu) || isCommand(r.tpdu) {
		n += 3
	}
	return n
}

// growing is true of a flag for a value that the standard may have meanwhile.
func growing(f pdu.Flag) bool { return f.Field == "TP-FCS" }

// farFetched is true of a report in another form than the standard's: a few octets
// of anything can be read as one, and modems keep them to themselves. If the
// direction was asked for, only an odd service centre before it counts.
func farFetched(r reading, asked bool) bool {
	return isReport(r.tpdu) && slices.ContainsFunc(r.flags, func(f pdu.Flag) bool {
		return f.Field == "SMSC" || !asked && !growing(f)
	})
}

func isReport(t pdu.TPDU) bool {
	switch t.(type) {
	case *pdu.DeliverReport, *pdu.SubmitReport:
		return true
	}
	return false
}

func isCommand(t pdu.TPDU) bool {
	_, ok := t.(*pdu.Command)
	return ok
}

// decoded is what `pdu decode --json` prints; what a PDU lacks is left out.
type decoded struct {
	Type       string       `json:"type"`
	SMSC       string       `json:"smsc,omitempty"`
	From       string       `json:"from,omitempty"`
	To         string       `json:"to,omitempty"`
	Text       *string      `json:"text,omitempty"`
	Data       *[]byte      `json:"data,omitempty"`
	Timestamp  string       `json:"timestamp,omitempty"`
	Encoding   string       `json:"encoding,omitempty"`
	Class      *int         `json:"class,omitempty"`
	Concat     *concatJSON  `json:"concat,omitempty"`
	Ports      *portsJSON   `json:"ports,omitempty"`
	UDH        []headerJSON `json:"udh,omitempty"`
	PID        *int         `json:"pid,omitempty"`
	DCS        *int         `json:"dcs,omitempty"`
	MR         *int         `json:"mr,omitempty"`
	Status     *int         `json:"status,omitempty"`
	StatusText string       `json:"status_text,omitempty"`
	FCS        *int         `json:"fcs,omitempty"` // TP-FCS of a report that refuses
	Command    *int         `json:"command,omitempty"`
	About      *int         `json:"message_number,omitempty"` // TP-MN, the mr that a command is about
	Discharge  string       `json:"discharge,omitempty"`
	Validity   *float64     `json:"validity_minutes,omitempty"`
	ValidUntil string       `json:"valid_until,omitempty"`
	Flags      []string     `json:"flags,omitempty"`
}

type concatJSON struct {
	Ref   int `json:"ref"`
	Total int `json:"total"`
	Seq   int `json:"seq"`
}

type portsJSON struct {
	Dst int `json:"dst"`
	Src int `json:"src"`
}

type headerJSON struct {
	IEI  int    `json:"iei"`
	Data string `json:"data"` // hexadecimal
}

// TP-PI bits (TS 23.040 9.2.3.27): which optional fields a report has.
const (
	hasPID = 1 << iota
	hasDCS
	hasUD
)

func describe(r reading) decoded {
	d := decoded{SMSC: r.smsc.String()}
	for _, f := range r.flags {
		d.Flags = append(d.Flags, f.String())
	}
	switch t := r.tpdu.(type) {
	case *pdu.Deliver:
		d.Type, d.From, d.Timestamp = "deliver", t.OA.String(), stamp(t.SCTS)
		d.message(t.PID, t.UD)
	case *pdu.Submit:
		d.Type, d.To, d.MR = "submit", t.DA.String(), count(t.MR)
		d.validity(t.VP)
		d.message(t.PID, t.UD)
	case *pdu.StatusReport:
		d.Type, d.To, d.MR = "status-report", t.RA.String(), count(t.MR)
		d.Timestamp, d.Discharge = stamp(t.SCTS), stamp(t.DT)
		d.Status, d.StatusText = count(t.ST), t.ST.String()
		d.optional(t.PI, t.PID, t.UD)
	case *pdu.Command:
		d.Type, d.To, d.MR, d.PID = "command", t.DA.String(), count(t.MR), count(t.PID)
		d.Command, d.About, d.Data = count(t.CT), count(t.MN), octets(t.CD)
	case *pdu.DeliverReport:
		d.Type = "deliver-report"
		d.refusal(t.Error, t.FCS)
		d.optional(t.PI, t.PID, t.UD)
	case *pdu.SubmitReport:
		d.Type, d.Timestamp = "submit-report", stamp(t.SCTS)
		d.refusal(t.Error, t.FCS)
		d.optional(t.PI, t.PID, t.UD)
	}
	return d
}

// message fills what every PDU with a text has.
func (d *decoded) message(pid pdu.PID, ud pdu.UserData) {
	d.PID = count(pid)
	d.dcs(ud)
	d.userData(ud)
}

// optional fills what a report has only if its TP-PI says so.
func (d *decoded) optional(pi byte, pid pdu.PID, ud pdu.UserData) {
	if pi&hasPID != 0 {
		d.PID = count(pid)
	}
	if pi&hasDCS != 0 {
		d.dcs(ud)
	}
	if pi&hasUD != 0 {
		d.userData(ud)
	}
}

func (d *decoded) dcs(ud pdu.UserData) {
	d.DCS = count(ud.DCS)
	d.Encoding = ud.DCS.Alphabet().String()
	if n, ok := ud.DCS.Class().Number(); ok {
		d.Class = &n
	}
}

func (d *decoded) userData(ud pdu.UserData) {
	if ud.DCS.Alphabet() == pdu.Binary {
		d.Data = octets(ud.Data())
	} else {
		text := ud.Text()
		d.Text = &text
	}
	if c, ok := ud.Concat(); ok {
		d.Concat = &concatJSON{Ref: int(c.Ref), Total: int(c.Total), Seq: int(c.Seq)}
	}
	if p, ok := ud.Ports(); ok {
		d.Ports = &portsJSON{Dst: int(p.Dst), Src: int(p.Src)}
	}
	for iei, data := range ud.Elements() {
		d.UDH = append(d.UDH, headerJSON{IEI: int(iei), Data: hex.EncodeToString(data)})
	}
}

// refusal fills why a report is one of failure.
func (d *decoded) refusal(failed bool, fcs byte) {
	if failed {
		d.FCS = count(fcs)
	}
}

// validity fills the period, or its end.
func (d *decoded) validity(v pdu.Validity) {
	switch {
	case v.Format == pdu.ValidityAbsolute:
		d.ValidUntil = stamp(v.Time)
	case v.Format == pdu.ValidityRelative, v.Format == pdu.ValidityEnhanced && v.Duration > 0:
		minutes := v.Duration.Minutes()
		d.Validity = &minutes
	}
}

// octets is there even if it is empty, as a text is.
func octets(b []byte) *[]byte {
	b = append([]byte{}, b...)
	return &b
}

// stamp is RFC 3339 in the PDU's own zone.
func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Format("2006-01-02T15:04:05-07:00")
}

func count[T ~byte](b T) *int {
	n := int(b)
	return &n
}

func (a *app) printPDU(d decoded) error {
	text := ""
	if d.Text != nil {
		text = strconv.Quote(*d.Text)
	}
	concat, ports, validity, data := "", "", d.ValidUntil, ""
	if d.Data != nil {
		data = strings.ToUpper(hex.EncodeToString(*d.Data))
	}
	if c := d.Concat; c != nil {
		concat = fmt.Sprintf("part %d of %d, reference %d", c.Seq, c.Total, c.Ref)
	}
	if p := d.Ports; p != nil {
		ports = fmt.Sprintf("to %d, from %d", p.Dst, p.Src)
	}
	if d.Validity != nil {
		validity = (time.Duration(*d.Validity * float64(time.Minute))).String()
	}
	status := ""
	if d.Status != nil {
		status = fmt.Sprintf("%d (%s)", *d.Status, d.StatusText)
	}
	var header []string
	for _, h := range d.UDH {
		header = append(header, fmt.Sprintf("%02X:%s", h.IEI, strings.ToUpper(h.Data)))
	}
	return fields(a.out,
		"type", d.Type, "smsc", clean(d.SMSC), "from", clean(d.From), "to", clean(d.To),
		"timestamp", d.Timestamp, "discharge", d.Discharge, "status", status,
		"text", text, "data", data,
		"encoding", d.Encoding+className(d.Class), "concat", concat, "ports", ports,
		"udh", strings.Join(header, " "), "pid", number(d.PID), "dcs", number(d.DCS), "mr", number(d.MR),
		"fcs", number(d.FCS), "command", number(d.Command), "about", number(d.About),
		"validity", validity, "lenient", strings.Join(d.Flags, "; "))
}
