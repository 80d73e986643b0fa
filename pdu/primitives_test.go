package pdu

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"testing"
	"time"
)

// primitives-warthog618.json holds groups of rows, each with its own shape.
func loadGroups(t *testing.T) map[string]json.RawMessage {
	t.Helper()
	b, err := os.ReadFile("testdata/primitives-warthog618.json")
	if err != nil {
		t.Fatal(err)
	}
	var f struct {
		Repo   string                     `json:"source_repo"`
		Commit string                     `json:"commit"`
		Groups map[string]json.RawMessage `json:"groups"`
	}
	strict(t, b, &f)
	return f.Groups
}

func strict(t *testing.T, b []byte, v any) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		t.Fatal(err)
	}
}

// octets is a hex string, or {"hex": .., "nil": ..}.
type octets []byte

func (o *octets) UnmarshalJSON(b []byte) (err error) {
	var s string
	if json.Unmarshal(b, &s) != nil {
		var v struct{ Hex string }
		if err := json.Unmarshal(b, &v); err != nil {
			return err
		}
		s = v.Hex
	}
	*o, err = hex.DecodeString(s)
	return err
}

// primitives runs every group; a group without a runner fails.
var primitives = map[string]func(*testing.T, json.RawMessage) int{
	"TestUnpack7Bit": runUnpack, "TestPack7BitUSSD": runPackUSSD, "TestUnpack7BitUSSD": runUnpackUSSD,
	"gsm7_decode": runGSM7, "address_decode": runAddresses, "TestDCSAlphabet": runDCSAlphabet, "TestDCSClass": runDCSClass,
	"TestDCSCompressed": runDCSCompressed, "scts_decode": runTimestamps, "udh_decode": runHeaders, "vp_decode": runValidities,
	"ucs2_decode": runUCS2, "reassembly_sequence": runReassembly,
}

func TestPrimitives(t *testing.T) {
	groups := loadGroups(t)
	for name := range primitives {
		if groups[name] == nil {
			t.Errorf("there is no group %s", name)
		}
	}
	for name, rows := range groups {
		t.Run(name, func(t *testing.T) {
			run := primitives[name]
			if run == nil {
				t.Fatal("no test runs this group")
			}
			if run(t, rows) == 0 {
				t.Fatal("the group is empty")
			}
		})
	}
}

type packing struct {
	Name    string `json:"name"`
	Pad     int    `json:"pad_bits"`
	Packed  octets `json:"packed"`
	Septets octets `json:"septets"`
}

func runUnpack(t *testing.T, raw json.RawMessage) int {
	var rows []packing
	strict(t, raw, &rows)
	for _, r := range rows {
		got := appendUnpacked(nil, r.Packed, r.Pad, len(r.Septets))
		if !bytes.Equal(got, r.Septets) {
			t.Errorf("%s: unpacked %x, want %x", r.Name, got, r.Septets)
		}
		if back := appendPacked(nil, got, r.Pad); len(got) > 0 && !bytes.Equal(back, r.Packed) {
			t.Errorf("%s: packed %x, want %x", r.Name, back, r.Packed)
		}
	}
	return len(rows)
}

func runPackUSSD(t *testing.T, raw json.RawMessage) int {
	var rows []packing
	strict(t, raw, &rows)
	for _, r := range rows {
		if r.Pad != 0 {
			continue // a USSD string has no header to be aligned after
		}
		if got := packUSSD(r.Septets); !bytes.Equal(got, r.Packed) {
			t.Errorf("%s: packed %x to %x, want %x", r.Name, []byte(r.Septets), got, r.Packed)
		}
	}
	return len(rows)
}

func runUnpackUSSD(t *testing.T, raw json.RawMessage) int {
	var rows []packing
	strict(t, raw, &rows)
	for _, r := range rows {
		if r.Pad != 0 {
			continue
		}
		if got := unpackUSSD(r.Packed); !bytes.Equal(got, r.Septets) {
			t.Errorf("%s: unpacked %x to %x, want %x", r.Name, []byte(r.Packed), got, r.Septets)
		}
	}
	return len(rows)
}

// Upstream's test swaps in alphabets of its own for these rows.
var ownAlphabets = map[string]bool{"MESSAGE": true, "MES|SAGE": true, "MES  SAGE": true, "MESSAGE ": true, "MES SAGE": true,
	"Q": true, "EXT": true, "": true}

func runGSM7(t *testing.T, raw json.RawMessage) int {
	var rows []struct {
		Name    string  `json:"name"`
		Septets octets  `json:"septets"`
		UTF8    string  `json:"utf8"`
		Error   *string `json:"error"`
	}
	strict(t, raw, &rows)
	run := 0
	for _, r := range rows {
		if ownAlphabets[r.UTF8] && r.Name != "empty" {
			continue
		}
		run++
		if got := gsm7Text(r.Septets, 0, 0); got != r.UTF8 {
			t.Errorf("%s: %q, want %q", r.Name, got, r.UTF8)
		}
	}
	return run
}

// addressDifferences are refused upstream.
var addressDifferences = map[string]string{
	"overlong number":   "the digit where the fill belongs is dropped and flagged",
	"short number pad":  "the fill where a digit belongs is dropped and flagged",
	"invalid alpha bar": "septet 0x1B 0x40 is a '|' of the extension table, which senders do use in names",
}

func runAddresses(t *testing.T, raw json.RawMessage) int {
	var rows []struct {
		Err  *string `json:"err"`
		In   octets  `json:"in"`
		N    int     `json:"n"`
		Name string  `json:"name"`
		Out  struct {
			Addr string
			TOA  int
		} `json:"out"`
	}
	strict(t, raw, &rows)
	for _, row := range rows {
		r := &reader{b: row.In}
		a := r.address("TP-OA")
		if row.Err != nil {
			_, known := addressDifferences[row.Name]
			if refused := r.err != nil; refused == known {
				t.Errorf("%s: read as %v, %v, upstream says %s", row.Name, a, r.err, *row.Err)
			}
			continue
		}
		if r.err != nil || a.Digits != row.Out.Addr || a.toa()&0x7F != byte(row.Out.TOA)&0x7F || r.off != row.N {
			t.Errorf("%s: %+v, %v, %d octets, want %+v", row.Name, a, r.err, r.off, row.Out)
		}
	}
	return len(rows)
}

type dcsRow struct {
	Err *string `json:"err"`
	In  int     `json:"in"`
	Out any     `json:"out"`
}

func runDCSAlphabet(t *testing.T, raw json.RawMessage) int {
	var rows []dcsRow
	strict(t, raw, &rows)
	for _, r := range rows {
		d := DCS(r.In)
		want := [...]Alphabet{GSM7, Binary, UCS2}[int(r.Out.(float64))]
		if d.Compressed() {
			want = Binary // upstream reads compressed octets as text
		}
		if got := d.Alphabet(); got != want {
			t.Errorf("%#02x: %v, want %v", r.In, got, want)
		}
		if r.Err != nil && d.reserved() != problemReserved {
			t.Errorf("%#02x is not known as reserved", r.In)
		}
	}
	return len(rows)
}

func runDCSClass(t *testing.T, raw json.RawMessage) int {
	var rows []dcsRow
	strict(t, raw, &rows)
	for _, r := range rows {
		want := int(r.Out.(float64))
		n, ok := DCS(r.In).Class().Number()
		if ok != (want < 4) || ok && n != want {
			t.Errorf("%#02x: class %d, %v, want %d", r.In, n, ok, want)
		}
	}
	return len(rows)
}

func runDCSCompressed(t *testing.T, raw json.RawMessage) int {
	var rows []dcsRow
	strict(t, raw, &rows)
	for _, r := range rows {
		if got := DCS(r.In).Compressed(); got != r.Out.(bool) {
			t.Errorf("%#02x: compressed %v", r.In, got)
		}
	}
	return len(rows)
}

func runTimestamps(t *testing.T, raw json.RawMessage) int {
	var rows []struct {
		Err  *string   `json:"err"`
		In   octets    `json:"in"`
		Name string    `json:"name"`
		Out  time.Time `json:"out"`
	}
	strict(t, raw, &rows)
	for _, row := range rows {
		r := &reader{b: row.In}
		got := r.timestamp("TP-SCTS")
		if row.Err != nil {
			if r.err == nil && len(r.flags) == 0 {
				t.Errorf("%s: read as %v without a word, upstream says %s", row.Name, got, *row.Err)
			}
			continue
		}
		if !got.Equal(row.Out) || got.Format(time.RFC3339) != row.Out.Format(time.RFC3339) {
			t.Errorf("%s: %v, want %v", row.Name, got, row.Out)
		}
	}
	return len(rows)
}

func runHeaders(t *testing.T, raw json.RawMessage) int {
	type data struct {
		Hex octets `json:"hex"`
		Nil bool   `json:"nil"`
	}
	var rows []struct {
		Err  *string `json:"err"`
		In   octets  `json:"in"`
		N    int     `json:"n"`
		Name string  `json:"name"`
		Out  []struct {
			ID   int
			Data data
		} `json:"out"`
	}
	strict(t, raw, &rows)
	for _, row := range rows {
		r := &reader{b: append([]byte{byte(len(row.In))}, row.In...)}
		u := r.userData(0x04, true, maxUserData)
		if row.Err != nil {
			if len(r.flags) == 0 {
				t.Errorf("%s: read without a word, upstream says %s", row.Name, *row.Err)
			}
			continue
		}
		var want []string
		for _, ie := range row.Out {
			want = append(want, fmt.Sprintf("%02x:%x", ie.ID, []byte(ie.Data.Hex)))
		}
		if got := elements(&u); len(r.flags) > 0 || fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: %v %v, want %v", row.Name, got, r.flags, want)
		}
	}
	return len(rows)
}

func runValidities(t *testing.T, raw json.RawMessage) int {
	var rows []struct {
		Err  *string `json:"err"`
		In   octets  `json:"in"`
		Name string  `json:"name"`
		Out  struct {
			Duration time.Duration
			EFI      byte
			Format   byte
			Time     struct{ Time time.Time }
		} `json:"out"`
		ReadCount int `json:"readCount"`
		VPF       int `json:"vpf"`
	}
	strict(t, raw, &rows)
	for _, row := range rows {
		r := &reader{b: row.In}
		v := r.validity(ValidityFormat(row.VPF & 3)) // two bits: the row with 4 can not come from a first octet
		if row.Err != nil {
			if row.VPF < 4 && r.err == nil && len(r.flags) == 0 {
				t.Errorf("%s: read as %+v without a word, upstream says %s", row.Name, v, *row.Err)
			}
			continue
		}
		want := Validity{Format: ValidityFormat(row.Out.Format), Duration: row.Out.Duration, Indicator: row.Out.EFI}
		same := v.Time.Equal(row.Out.Time.Time)
		v.Time = time.Time{}
		if r.err != nil || len(r.flags) > 0 || !same || v != want || r.off != row.ReadCount {
			t.Errorf("%s: %+v %v %v, want %+v", row.Name, v, r.err, r.flags, want)
		}
	}
	return len(rows)
}

func runUCS2(t *testing.T, raw json.RawMessage) int {
	var rows []struct {
		Name  string  `json:"name"`
		Hex   octets  `json:"hex"`
		Text  string  `json:"text"`
		Error *string `json:"error"`
	}
	strict(t, raw, &rows)
	for _, row := range rows {
		u := UserData{DCS: 0x08, Payload: row.Hex}
		r := &reader{}
		r.checkUserData(&u, 0)
		if (row.Error != nil) != (len(r.flags) > 0) {
			t.Errorf("%s: flags %v, upstream says %v", row.Name, r.flags, row.Error)
		}
		if got := u.Text(); row.Error == nil && got != row.Text {
			t.Errorf("%s: %q, want %q", row.Name, got, row.Text)
		}
	}
	return len(rows)
}

// runReassembly collects as the daemon does: by reference and total, complete when every sequence number is there.
func runReassembly(t *testing.T, raw json.RawMessage) int {
	type data struct {
		Hex octets `json:"hex"`
		Nil bool   `json:"nil"`
	}
	var rows []struct {
		Name string `json:"name"`
		OA   struct {
			Addr string
			TOA  int
		} `json:"oa"`
		UDH []struct {
			ID   int
			Data data
		} `json:"udh"`
		OutParts int     `json:"out_parts"`
		Error    *string `json:"error"`
	}
	strict(t, raw, &rows)
	open := map[string]map[byte]bool{}
	for _, row := range rows {
		var u UserData
		for _, ie := range row.UDH {
			u.Header = append(append(u.Header, byte(ie.ID), byte(len(ie.Data.Hex))), ie.Data.Hex...)
		}
		c, ok := u.Concat()
		if row.Error != nil && *row.Error == "reassembly inconsistency" {
			if _, _, impossible := u.concat(); ok || !impossible {
				t.Errorf("%s: taken for part %+v", row.Name, c)
			}
			continue
		}
		complete := 1
		if ok {
			key := fmt.Sprint(row.OA, c.Ref, c.Total, c.Wide)
			if open[key] == nil {
				open[key] = map[byte]bool{}
			}
			open[key][c.Seq] = true
			if complete = len(open[key]); complete < int(c.Total) {
				complete = 0
			}
		}
		if row.Error == nil && complete != row.OutParts {
			t.Errorf("%s: %d parts complete, want %d", row.Name, complete, row.OutParts)
		}
	}
	return len(rows)
}
