package pdu

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/warthog618/sms"
	"github.com/warthog618/sms/encoding/tpdu"
)

// A disagreement is one way in which warthog618/sms reads or writes a PDU otherwise than we do, with the clause that decides
// and a witness. The table is closed: what none of its rows explains fails, and so does a row its witness does not need.
type disagreement struct {
	field   string // what differs: "refused" (by upstream alone), "accepted by upstream alone", or a field's name
	clause  string
	witness string // "mt" or "mo", and octets
	here    func(c *contest) bool
}

// contest is one PDU read by both.
type contest struct {
	raw    []byte
	ours   TPDU
	err    error
	theirs *tpdu.TPDU
	terr   error
}

func (c *contest) flagged(problem string) bool {
	for _, f := range Flags(c.ours) {
		if f.Problem == problem {
			return true
		}
	}
	return false
}

func (c *contest) header(ids ...byte) bool {
	for id := range userDataOf(c.ours).Elements() {
		if bytes.IndexByte(ids, id) >= 0 {
			return true
		}
	}
	return false
}

func (c *contest) says(s string) bool { return c.terr != nil && strings.Contains(c.terr.Error(), s) }

var disagreements = []disagreement{
	{"refused", "HOUSE 4, lenient in: whatever is flagged here may be refused there", "mt 0404913619000051507132200523",
		func(c *contest) bool { return len(Flags(c.ours)) > 0 }},
	{"refused", "TS 23.040 9.1.2.5: a name is coded in the GSM alphabet; upstream knows no extension table in it",
		"mt 0006D09B32190000515071322005230 0", func(c *contest) bool { return c.says("invalid septet") }},
	{"refused", "TS 23.038 6.1.2.1.1: bits after the last septet carry no meaning; upstream wants them zero",
		"mt 040491361900005150713220052307C8303A8C0EA3FF", func(c *contest) bool { return c.says("overlength") }},
	{"accepted by upstream alone", "TS 23.040 9.2.3.27: TP-PI's bit 7 says that another octet of it follows; upstream reads that one as the next field",
		"mt 9595959595959595000ABF00", func(c *contest) bool { return c.theirs.PI&piExtension != 0 }},
	{"refused", "TS 23.040 9.2.3.22: a report in an RP-ACK has no TP-FCS; upstream always reads one", "mo 000259",
		func(c *contest) bool { return isReport(c.ours) }},
	{"address", "TS 23.040 9.1.2.5: '@' and CR that fill a name up to whole octets are not part of it",
		"mt 040ED04F78D92D9C0E0100005150713220052300", func(c *contest) bool { return addressOf(c.ours).TON == TONAlphanumeric }},
	{"address", "see nested: the address that a ZTE stick put within the address is the recipient",
		"mt 061C0F910B487228297020F5317062419272803170624192138000", func(c *contest) bool { return c.flagged(problemNested) }},
	{"address", "TS 23.040 9.1.2.3: a fill between digits is no digit, and the length does not count it",
		"mo 41300930303030304F30300030", func(c *contest) bool { return c.flagged(problemAddress) }},
	{"address", "MODEMS 2.2, a stick's octet before TP-RA: skipped where the report makes sense only without it; upstream reads it as the length",
		"mt 42300400B1303030303030303030303030303030FF", func(c *contest) bool { return c.flagged(problemExtraOctet) }},
	{"status", "MODEMS 2.2, a stick's octet before TP-RA: skipped where the report makes sense only without it; upstream reads it as the length",
		"mt 42300400B1303030303030303030303030303030FF", func(c *contest) bool { return c.flagged(problemExtraOctet) }},
	{"time", "TS 23.040 9.2.3.11: month 13 is no date; upstream counts on into the next year",
		"mt 040491361900005131713220052300", func(c *contest) bool { return c.flagged(problemDate) }},
	{"validity", "TS 23.040 9.2.3.12.2: month 13 is no date here either",
		"mo 19000491361900005131713220052300", func(c *contest) bool { return c.flagged(problemDate) }},
	{"text", "TS 23.040 9.2.3.24: identifiers 24 and 25 are hexadecimal; upstream looks for decimal ones",
		"mt 44049136190000515071322005230703240101 D81C01", func(c *contest) bool { return c.header(24, 25, ieShift, ieLocking) }},
	{"text", "TS 23.038 6.2.1.1: 0x0D of the extension table is a control character, read as the main table's CR; upstream has LF",
		"mt 0404913619000051507132200523029B06",
		func(c *contest) bool { return bytes.Contains(userDataOf(c.ours).Payload, []byte{escape, '\r'}) }},
	{"text", "TS 23.040 9.2.3.16: compressed text is counted in octets, and not readable without TS 23.042",
		"mt 040491361900205150713220052302C834", func(c *contest) bool { return userDataOf(c.ours).DCS.Compressed() }},
	{"text", "a lone surrogate is shown as U+FFFD and flagged; upstream stops there",
		"mt 040491361900085150713220052302D83D", func(c *contest) bool { return c.flagged(problemSurrogate) }},
	{"text", "TS 23.040 9.2.3.22: without TP-FCS everything behind it is somewhere else", "mo 00043030",
		func(c *contest) bool { return isReport(c.ours) }},
	{"concat", "TS 23.040 9.2.3.24.1: part 0, and part 3 of 2, make the element void",
		"mt 440491361900045150713220052308050003010203 4142", func(c *contest) bool { return c.flagged(problemConcat) }},
	{"concat", "TS 23.040 9.2.3.24: of several such elements the last counts; upstream prefers the 8-bit one",
		"mt 44049136190004515071322005230D0B0003010201080400020202 41",
		func(c *contest) bool { return c.header(ieConcat8) && c.header(ieConcat16) }},
	{"concat", "TS 23.040 9.2.3.24: an element ends within the header; upstream reads on into the text",
		"mt 4404913619000451507132200523080300030502014142", func(c *contest) bool { return c.flagged(problemHeader) }},
	{"concat", "TS 23.040 9.2.3.22: without TP-FCS everything behind it is somewhere else", "mo 400406050003010201",
		func(c *contest) bool { return isReport(c.ours) }},
}

func isReport(t TPDU) bool {
	switch t.(type) {
	case *DeliverReport, *SubmitReport, *StatusReport:
		return true
	}
	return false
}

func addressOf(t TPDU) Address {
	switch t := t.(type) {
	case *Submit:
		return t.DA
	case *Deliver:
		return t.OA
	case *StatusReport:
		return t.RA
	case *Command:
		return t.DA
	}
	return Address{}
}

// differences lists the fields on which the two disagree.
func (c *contest) differences() (fields []string) {
	differ := func(field string, ours, theirs any) {
		if fmt.Sprint(ours) != fmt.Sprint(theirs) {
			fields = append(fields, field)
		}
	}
	switch p := c.ours.(type) {
	case *Submit:
		differ("reference", p.MR, c.theirs.MR)
		differ("address", p.DA.Digits, c.theirs.DA.Addr)
		differ("pid", byte(p.PID), c.theirs.PID)
		differ("validity", validityKey(p.VP.Format, p.VP.Duration, p.VP.Time),
			validityKey(ValidityFormat(c.theirs.VP.Format), c.theirs.VP.Duration, c.theirs.VP.Time.Time))
	case *Deliver:
		differ("address", p.OA.Digits, c.theirs.OA.Addr)
		differ("pid", byte(p.PID), c.theirs.PID)
		differ("time", p.SCTS.Unix(), c.theirs.SCTS.Unix())
	case *StatusReport:
		differ("address", p.RA.Digits, c.theirs.RA.Addr)
		differ("status", byte(p.ST), c.theirs.ST)
		differ("time", p.SCTS.Unix(), c.theirs.SCTS.Unix())
		differ("time", p.DT.Unix(), c.theirs.DT.Unix())
	case *Command:
		differ("address", p.DA.Digits, c.theirs.DA.Addr)
		differ("command", fmt.Sprint(p.CT, p.MN), fmt.Sprint(c.theirs.CT, c.theirs.MN))
		return fields
	}
	u := userDataOf(c.ours)
	concat, _ := u.Concat()
	total, seq, ref, _ := c.theirs.UDH.ConcatInfo()
	differ("concat", fmt.Sprint(concat.Total, concat.Seq, concat.Ref), fmt.Sprint(total, seq, ref))
	text, err := sms.Decode([]*tpdu.TPDU{c.theirs})
	ours := u.Text() + string(u.Data())
	if err != nil || ours != string(text) {
		fields = append(fields, "text")
	}
	return fields
}

func validityKey(f ValidityFormat, d time.Duration, t time.Time) string {
	if f != ValidityAbsolute {
		return fmt.Sprint(f, d)
	}
	return fmt.Sprint(f, t.Unix())
}

// judge fails on a disagreement that the table does not explain.
func (c *contest) judge(t *testing.T) {
	t.Helper()
	for _, field := range c.fields() {
		if !c.explained(field, -1) {
			t.Errorf("%X: %s differs\n  ours   %+v %v %q\n  theirs %+v %v", c.raw, field, c.ours, c.err,
				userDataOf(c.ours).Text(), c.theirs, c.terr)
		}
	}
}

// fields lists what they disagree on.
func (c *contest) fields() []string {
	switch {
	case c.err != nil && c.terr != nil:
		return nil
	case c.err != nil:
		return []string{"accepted by upstream alone"}
	case c.terr != nil:
		return []string{"refused"}
	}
	return c.differences()
}

// explained asks all rows but one.
func (c *contest) explained(field string, but int) bool {
	for i, d := range disagreements {
		if i != but && d.field == field && d.here(c) {
			return true
		}
	}
	return false
}

func newContest(b []byte, mt bool) *contest {
	c := &contest{raw: b}
	if mt {
		c.ours, c.err = DecodeMT(b)
		c.theirs, c.terr = sms.Unmarshal(b, sms.AsMT)
	} else {
		c.ours, c.err = DecodeMO(b)
		c.theirs, c.terr = sms.Unmarshal(b, sms.AsMO)
	}
	return c
}

func TestDisagreementsAreNeeded(t *testing.T) {
	for i, d := range disagreements {
		direction, octets, _ := strings.Cut(d.witness, " ")
		b, err := hex.DecodeString(strings.ReplaceAll(octets, " ", ""))
		if err != nil {
			t.Fatal(d.clause, err)
		}
		c := newContest(b, direction == "mt")
		if fields := c.fields(); !slices.Contains(fields, d.field) || !c.explained(d.field, -1) || c.explained(d.field, i) {
			t.Errorf("%s: %s does not show it: they differ in %v\n  ours   %+v %v\n  theirs %+v %v", d.clause, d.witness, fields, c.ours,
				c.err, c.theirs, c.terr)
		}
	}
}

// FuzzWarthog reads every input with both, and writes every text with both.
func FuzzWarthog(f *testing.F) {
	for _, b := range seedPDUs(f) {
		f.Add(b, true)
		f.Add(b, false)
	}
	f.Add([]byte("{€} plain text of one part"), true)
	f.Fuzz(func(t *testing.T, b []byte, mt bool) {
		if len(b) == 0 || b[0]&mtiMask == mtiReserved {
			return // TS 23.040 9.2.3.1: the reserved type is a DELIVER for a phone; upstream refuses it
		}
		newContest(b, mt).judge(t)
		judgeWriting(t, string(b))
	})
}

// judgeWriting compares the octets of a text that both can write in one part. Where parts begin is ours to choose: upstream
// cuts characters apart.
func judgeWriting(t *testing.T, text string) {
	t.Helper()
	if !utf8.ValidString(text) || text == "" || strings.ContainsRune(text, escape) {
		return // TS 23.038 6.2.1: an escape is no character; upstream writes it
	}
	ours, err := encodeOurs(text)
	if err != nil || len(ours) > 1 {
		return
	}
	theirs, err := sms.Encode([]byte(text), sms.To("4790000001"))
	if err != nil || len(theirs) != 1 {
		t.Fatalf("%q: upstream makes %d parts, %v", text, len(theirs), err)
	}
	theirs[0].MR = 0
	if b, err := theirs[0].MarshalBinary(); err != nil || !bytes.Equal(b, ours[0]) {
		t.Fatalf("%q:\n  %X, upstream\n  %X, %v", text, ours[0], b, err)
	}
}

// TestWarthogTables names where the tables of upstream differ from ours, entry by entry, and nothing else may.
func TestWarthogTables(t *testing.T) {
	known := map[string]string{
		"6/0/00": "TS 23.038 A.3.6: U+0901, the Devanagari candrabindu; upstream has the Bengali one",
		"6/0/01": "TS 23.038 A.3.6: U+0902; upstream has the Bengali one",
		"6/0/02": "TS 23.038 A.3.6: U+0903; upstream has the Bengali one",
		"0/3/1F": "TS 23.038 A.2.3: U+00CA; upstream has nothing",
	}
	for l := Language(0); l < languages; l++ {
		for s := range 128 {
			for _, c := range []struct {
				key      string
				septets  []byte
				lock, sh Language
			}{
				{fmt.Sprintf("%d/0/%02X", l, s), []byte{byte(s)}, l, 0},
				{fmt.Sprintf("0/%d/%02X", l, s), []byte{escape, byte(s)}, 0, l},
			} {
				want := warthogText(c.septets, c.lock, c.sh)
				got := gsm7Text(c.septets, c.lock, c.sh)
				_, ok := known[c.key]
				if len(c.septets) == 2 && (s == '\r' || s == escape) {
					continue // TS 23.038 6.2.1.1 and A.2: a control character and another escape, neither a letter
				}
				if (got != want) != ok {
					t.Errorf("%s: %q, upstream %q, known %v", c.key, got, want, ok)
				}
			}
		}
	}
}

// warthogText decodes with upstream's tables, whose header identifiers are decimal.
func warthogText(septets []byte, locking, shift Language) string {
	udh := tpdu.UserDataHeader{{ID: 24, Data: []byte{byte(shift)}}, {ID: 25, Data: []byte{byte(locking)}}}
	b, err := tpdu.DecodeUserData(septets, udh, tpdu.Alpha7Bit, tpdu.WithAllCharsets)
	if err != nil {
		return err.Error()
	}
	return string(b)
}
