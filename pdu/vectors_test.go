package pdu

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// A vector is one PDU from another project's tests. Every key is checked: an unknown one fails the loader.
type vector struct {
	Repo        string   `json:"source_repo"`
	Commit      string   `json:"commit"`
	Path        string   `json:"path"`
	Name        string   `json:"name"`
	Direction   string   `json:"direction"`
	Kind        string   `json:"kind"` // libosmocore
	Hex         hexes    `json:"hex"`
	HasSMSC     bool     `json:"has_smsc_prefix"`
	Expected    expected `json:"expected"`
	Origin      string   `json:"expected_origin"`
	Note        string   `json:"note"`
	Resolution  string   `json:"resolution"`
	differences []string
}

type expected struct {
	Reject     bool    `json:"reject"`
	SMSC       *string `json:"smsc"`
	From       *string `json:"from"`
	To         *string `json:"to"`
	Text       *string `json:"text"`
	Data       *string `json:"data"`
	Timestamp  *string `json:"timestamp"`
	Discharge  *string `json:"discharge"`
	Multipart  *bool   `json:"multipart"`
	PID        *int    `json:"pid"`
	DCS        any     `json:"dcs"` // a number, or one a part
	UDL        *int    `json:"udl"`
	MR         *int    `json:"mr"`
	Status     *int    `json:"status"`
	Class      *int    `json:"class"`
	SRR        *bool   `json:"srr"`
	VPF        *string `json:"vpf"`
	VPRaw      *int    `json:"vp_raw"`
	VPMinutes  *int    `json:"vp_minutes"`
	VPAbsolute *string `json:"vp_absolute"`
	TPDULen    *int    `json:"tpdu_len"`
	Alphabet   *string `json:"alphabet"`
	Concat     *struct {
		Ref   int `json:"ref"`
		Total int `json:"total"`
		Seq   int `json:"seq"`
	} `json:"concat"`
	Ports *struct {
		Dst *int `json:"dst"`
		Src *int `json:"src"`
	} `json:"ports"`
	// cell broadcast
	MessageCode *int    `json:"message_code"`
	CodeLow8    *int    `json:"message_code_low8"`
	Update      *int    `json:"update"`
	Channel     *int    `json:"channel"`
	Page        *int    `json:"page"`
	Pages       *int    `json:"pages"`
	Lang        *string `json:"lang"`
	// segmentation
	Parts *int     `json:"parts"`
	UD    []string `json:"ud"`
	UDH   [][]struct {
		IEI  int    `json:"iei"`
		Data string `json:"data"`
	} `json:"udh"`
	// libosmocore addresses
	TON   *string `json:"ton"`
	NPI   *string `json:"npi"`
	Value *string `json:"value"`
}

// hexes is null, a string or a list of strings.
type hexes []string

func (h *hexes) UnmarshalJSON(b []byte) error {
	var one *string
	if json.Unmarshal(b, &one) == nil {
		if one != nil {
			*h = hexes{*one}
		}
		return nil
	}
	return json.Unmarshal(b, (*[]string)(h))
}

// vectorFiles and how many vectors each must hold: a file that shrinks is a file whose tests no longer run.
var vectorFiles = map[string]int{"modemmanager": 34, "ofono": 26, "libosmocore": 10, "python-messaging": 33, "xlab-at": 9,
	"cuttlefish": 3, "warthog618-sms": 86, "python-gsmmodem": 6, "android": 28}

func loadVectors(t testing.TB, file string) []*vector {
	t.Helper()
	b, err := os.ReadFile("testdata/" + file + ".json")
	if err != nil {
		t.Fatal(err)
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	var vs []*vector
	if err := d.Decode(&vs); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	if len(vs) == 0 || len(vs) != vectorFiles[file] {
		t.Fatalf("%s holds %d vectors, want %d", file, len(vs), vectorFiles[file])
	}
	return vs
}

func TestVectors(t *testing.T) {
	seen := map[string]bool{}
	for file := range vectorFiles {
		for _, v := range loadVectors(t, file) {
			id := file + "/" + v.Name
			t.Run(id, func(t *testing.T) {
				v.run(t)
				got := strings.Join(v.differences, "; ")
				want, ok := knownDifferences[id]
				seen[id] = seen[id] || ok
				if got != want.keys {
					t.Errorf("differs in\n  %q, want\n  %q\n%s", got, want.keys, want.reason)
				}
			})
		}
	}
	for id := range knownDifferences {
		if !seen[id] {
			t.Errorf("knownDifferences names %s, which is no vector", id)
		}
	}
}

func (v *vector) differ(key string) { v.differences = append(v.differences, key) }

// check notes a key whose value is not the expected one.
func check[T comparable](v *vector, key string, want *T, got T) {
	if want != nil && *want != got {
		v.differ(fmt.Sprintf("%s is %v", key, got))
	}
}

func (v *vector) run(t *testing.T) {
	switch {
	case v.Kind != "":
		v.runPrimitive(t)
	case v.Direction == "cbs":
		v.runBroadcast(t)
	case v.Hex == nil:
		v.runSegment(t)
	default:
		v.runTPDUs(t)
	}
}

func (v *vector) runTPDUs(t *testing.T) {
	var parts []UserData
	for i, h := range v.Hex {
		f, tpdu, err := v.decode(h)
		if v.Expected.Reject {
			v.rejected(tpdu, err)
			return
		}
		if err != nil {
			t.Fatalf("%s: %v", h, err)
		}
		ud := userDataOf(tpdu)
		parts = append(parts, *ud)
		if i == 0 {
			v.checkFrame(f)
			v.checkTPDU(tpdu)
			v.checkUserData(ud)
		}
		reencode(t, tpdu)
	}
	text, data, err := Join(parts)
	if err != nil {
		t.Fatal(err)
	}
	check(v, "text", v.Expected.Text, text)
	check(v, "data", v.Expected.Data, hex.EncodeToString(data))
}

// decode reads a vector as its direction says.
func (v *vector) decode(h string) (Frame, TPDU, error) {
	f := Frame{}
	if v.HasSMSC {
		var err error
		if f, err = ParseFrame(h, -1); err != nil {
			return f, nil, err
		}
	} else {
		b, err := hex.DecodeString(h)
		if err != nil {
			return f, nil, err
		}
		f.TPDU = b
	}
	decode := DecodeMT
	switch v.Direction {
	case "submit", "command", "deliver_report":
		decode = DecodeMO
	}
	tpdu, err := decode(f.TPDU)
	return f, tpdu, err
}

// rejected: upstream refuses it. We may read it if we say what is wrong with it.
func (v *vector) rejected(tpdu TPDU, err error) {
	if err != nil {
		return
	}
	var flags []string
	for _, f := range Flags(tpdu) {
		flags = append(flags, f.String())
	}
	v.differ("accepted: " + strings.Join(flags, ", "))
}

// reencode: what was read without a flag is written so that it reads the same.
func reencode(t *testing.T, tpdu TPDU) {
	t.Helper()
	if len(Flags(tpdu)) > 0 {
		return
	}
	b, err := Encode(tpdu)
	if err != nil {
		t.Errorf("encode again: %v", err)
		return
	}
	if again, err := decodeLike(tpdu, b); err != nil || !reflect.DeepEqual(again, tpdu) {
		t.Errorf("encoded again:\n  %X\nread again:\n  %+v, %v, want\n  %+v", b, again, err, tpdu)
	}
}

// decodeLike reads b in the direction of t.
func decodeLike(t TPDU, b []byte) (TPDU, error) {
	switch t.(type) {
	case *Deliver, *StatusReport, *SubmitReport:
		return DecodeMT(b)
	}
	return DecodeMO(b)
}

func userDataOf(t TPDU) *UserData {
	switch t := t.(type) {
	case *Submit:
		return &t.UD
	case *Deliver:
		return &t.UD
	case *StatusReport:
		return &t.UD
	case *DeliverReport:
		return &t.UD
	case *SubmitReport:
		return &t.UD
	}
	return &UserData{}
}

func (v *vector) checkFrame(f Frame) {
	check(v, "smsc", v.Expected.SMSC, f.SMSC.String())
	check(v, "tpdu_len", v.Expected.TPDULen, len(f.TPDU))
}

func (v *vector) checkTPDU(tpdu TPDU) {
	e := &v.Expected
	switch p := tpdu.(type) {
	case *Deliver:
		check(v, "from", e.From, p.OA.String())
		check(v, "pid", e.PID, int(p.PID))
		v.checkTime("timestamp", e.Timestamp, p.SCTS)
	case *Submit:
		check(v, "to", e.To, p.DA.String())
		check(v, "pid", e.PID, int(p.PID))
		check(v, "mr", e.MR, int(p.MR))
		check(v, "srr", e.SRR, p.SRR)
		v.checkValidity(p.VP)
	case *StatusReport:
		check(v, "to", e.To, p.RA.String())
		check(v, "mr", e.MR, int(p.MR))
		check(v, "status", e.Status, int(p.ST))
		v.checkTime("timestamp", e.Timestamp, p.SCTS)
		v.checkTime("discharge", e.Discharge, p.DT)
	case *Command:
		check(v, "to", e.To, p.DA.String())
	}
}

func (v *vector) checkTime(key string, want *string, got time.Time) {
	if want == nil {
		return
	}
	layout := time.RFC3339
	if !strings.ContainsAny((*want)[10:], "+-Z") {
		layout = "2006-01-02T15:04:05" // upstream compares wall clocks
	}
	s := got.Format(layout)
	check(v, key, want, strings.TrimSuffix(strings.Replace(s, "Z", "+00:00", 1), ""))
}

func (v *vector) checkValidity(vp Validity) {
	e := &v.Expected
	name := [...]string{"none", "enhanced", "relative", "absolute"}[vp.Format]
	check(v, "vpf", e.VPF, name)
	if vp.Format == ValidityRelative {
		check(v, "vp_raw", e.VPRaw, int(relativeOctet(vp.Duration)))
	}
	check(v, "vp_minutes", e.VPMinutes, int(vp.Duration/time.Minute))
	v.checkTime("vp_absolute", e.VPAbsolute, vp.Time)
}

func (v *vector) checkUserData(u *UserData) {
	e := &v.Expected
	c, multi := u.Concat()
	check(v, "multipart", e.Multipart, multi)
	if e.Concat != nil && (int(c.Ref) != e.Concat.Ref || int(c.Total) != e.Concat.Total || int(c.Seq) != e.Concat.Seq) {
		v.differ(fmt.Sprintf("concat is %v", c))
	}
	if n, ok := e.DCS.(float64); ok && byte(n) != byte(u.DCS) {
		v.differ(fmt.Sprintf("dcs is %d", u.DCS))
	}
	check(v, "alphabet", e.Alphabet, u.DCS.Alphabet().String())
	if n, ok := u.DCS.Class().Number(); e.Class != nil && (!ok || n != *e.Class) {
		v.differ(fmt.Sprintf("class is %d", n))
	}
	udl := u.headerOctets() + len(u.Payload)
	if u.DCS.Alphabet() == GSM7 {
		udl = headerSeptets(u.headerOctets()) + len(u.Payload)
	}
	check(v, "udl", e.UDL, udl)
	if e.Ports != nil {
		p, _ := u.Ports()
		dst, src := int(p.Dst), int(p.Src)
		check(v, "dst", e.Ports.Dst, dst)
		check(v, "src", e.Ports.Src, src)
	}
}

func (v *vector) runBroadcast(t *testing.T) {
	b, err := hex.DecodeString(v.Hex[0])
	if err != nil {
		t.Fatal(err)
	}
	c, err := DecodeCellBroadcast(b)
	if v.Expected.Reject {
		if err == nil {
			v.differ("reject")
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	e := &v.Expected
	check(v, "message_code", e.MessageCode, int(c.Code))
	check(v, "message_code_low8", e.CodeLow8, int(c.Code&0xFF))
	check(v, "update", e.Update, int(c.Update))
	check(v, "channel", e.Channel, int(c.Channel))
	check(v, "page", e.Page, int(c.Page))
	check(v, "pages", e.Pages, int(c.Pages))
	check(v, "lang", e.Lang, c.Language)
	check(v, "text", e.Text, c.Text)
}

// runSegment: these vectors say what comes out of segmentation.
func (v *vector) runSegment(t *testing.T) {
	o := Options{Ref: 1}
	if strings.Contains(v.Name, "urdu") {
		o.Language, _ = ParseLanguage("urdu")
	}
	var parts []UserData
	var err error
	if strings.Contains(v.Name, "8bit") {
		parts, err = SegmentData([]byte(*v.Expected.Text), o)
	} else {
		parts, err = Segment(*v.Expected.Text, o)
	}
	if err != nil {
		t.Fatal(err)
	}
	check(v, "parts", v.Expected.Parts, len(parts))
	dcs, _ := v.Expected.DCS.([]any)
	for i := range min(len(parts), len(v.Expected.UD)) {
		u := &parts[i]
		if n, _ := dcs[i].(float64); byte(n) != byte(u.DCS) {
			v.differ(fmt.Sprintf("dcs %d is %d", i, u.DCS))
		}
		if hex.EncodeToString(u.Payload) != v.Expected.UD[i] {
			v.differ(fmt.Sprintf("ud %d differs", i))
		}
		var want []string
		for _, ie := range v.Expected.UDH[i] {
			want = append(want, fmt.Sprintf("%02x:%s", ie.IEI, ie.Data))
		}
		if got := elements(u); !slices.Equal(got, want) {
			v.differ(fmt.Sprintf("udh %d is %v", i, got))
		}
	}
}

func elements(u *UserData) (all []string) {
	for id, data := range u.Elements() {
		all = append(all, fmt.Sprintf("%02x:%x", id, data))
	}
	return all
}

// runPrimitive: libosmocore tests packing and addresses, not whole PDUs.
func (v *vector) runPrimitive(t *testing.T) {
	b, err := hex.DecodeString(v.Hex[0])
	if err != nil {
		t.Fatal(err)
	}
	if v.Kind == "address" {
		r := &reader{b: b}
		a := r.address("TP-OA")
		if r.err != nil || len(r.flags) > 0 {
			t.Fatal(r.err, r.flags)
		}
		ton := map[byte]string{0: "unknown", 2: "national", TONAlphanumeric: "alphanumeric"}[a.TON]
		npi := map[byte]string{0: "unknown", 1: "isdn"}[a.NPI]
		check(v, "ton", v.Expected.TON, ton)
		check(v, "npi", v.Expected.NPI, npi)
		check(v, "value", v.Expected.Value, a.Digits)
		return
	}
	// Without TP-UDL the number of septets is known from the text alone.
	n, ok := plainCoding.units(*v.Expected.Text)
	if !ok {
		t.Fatal("not in the default alphabet")
	}
	hasHeader := v.Kind == "gsm7-packed-with-udh"
	if hasHeader {
		n += headerSeptets(1 + int(b[0]))
	}
	r := &reader{b: append([]byte{byte(n)}, b...)}
	u := r.userData(0, hasHeader, maxUserData)
	if len(r.flags) > 0 || r.left() > 0 {
		t.Fatal(r.flags, r.left())
	}
	check(v, "text", v.Expected.Text, u.Text())
	v.checkUserData(&u)
}
