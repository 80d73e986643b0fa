package atcmd

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"testing"
)

type codeVector struct {
	Code  int    `json:"code"`
	Class string `json:"cls"`
	Text  string `json:"text"`
}

func loadCodes(t *testing.T) (cms, cme []codeVector) {
	t.Helper()
	b, err := os.ReadFile("testdata/codes.json")
	if err != nil {
		t.Fatal(err)
	}
	var v struct {
		RP  []codeVector `json:"rp_cause"`
		FCS []codeVector `json:"tp_fcs"`
		CMS []codeVector `json:"cms"`
		CME []codeVector `json:"cme"`
	}
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatal(err)
	}
	if len(v.RP) == 0 || len(v.FCS) == 0 || len(v.CMS) == 0 || len(v.CME) == 0 {
		t.Fatal("codes.json: empty")
	}
	return slices.Concat(v.RP, v.FCS, v.CMS), v.CME
}

var classNames = map[string]Class{
	"unknown": Unclear, "ignore": Unclear, "temporary": Temporary, "permanent": Permanent, "operator-action": Operator,
}

func TestCodesAreThoseOfTheVectors(t *testing.T) {
	cms, cme := loadCodes(t)
	check := func(kind string, v codeVector, got Class, row code) {
		want, ok := classNames[v.Class]
		if !ok || got != want {
			t.Errorf("%s %d (%s): class %v, want %s", kind, v.Code, v.Text, got, v.Class)
		}
		if row.text == "" {
			t.Errorf("%s %d has no text", kind, v.Code)
		}
	}
	for _, v := range cms {
		check("CMS", v, CMSError(v.Code).Class(), CMSError(v.Code).row())
	}
	for _, v := range cme {
		check("CME", v, CMEError(v.Code).Class(), CMEError(v.Code).row())
	}
}

func TestTablesAreSorted(t *testing.T) {
	for _, table := range [][]code{cmsCodes, cmeCodes} {
		for i := 1; i < len(table); i++ {
			if table[i-1].n >= table[i].n {
				t.Errorf("%d after %d", table[i].n, table[i-1].n)
			}
		}
	}
}

// A refusal by the network is never ambiguous, whether or not the table knows the cause; what may have been an answer
// that got lost always is, but only after ^Z.
func TestAmbiguous(t *testing.T) {
	after := func(err error) error { return &ExecError{Sent: true, Submitted: true, Err: err} }
	for n := 1; n <= 255; n++ {
		eq(t, fmt.Sprint("CMS ", n), Ambiguous(after(CMSError(n))), false)
	}
	ambiguous := []error{CMSError(332), CMSError(350), CMSError(500), FinalError("ERROR"), FinalError("COMMAND NOT SUPPORT"),
		ErrNoAnswer, ErrClosed, io.EOF, finalError("+CMS ERROR: odd text"), CMSError(0), CMEError(31), CMEError(100), CMEError(1000)}
	for n := 512; n < 600; n++ {
		ambiguous = append(ambiguous, CMSError(n))
	}
	for _, err := range ambiguous {
		eq(t, fmt.Sprint(err, " after ^Z"), Ambiguous(after(err)), true)
		eq(t, fmt.Sprint(err, " before ^Z"), Ambiguous(&ExecError{Sent: true, Err: err}), false)
	}
	for _, n := range []int{301, 302, 303, 304, 305, 310, 311, 313, 314, 316, 321, 330, 331, 340} {
		eq(t, fmt.Sprint("CMS ", n), Ambiguous(after(CMSError(n))), false)
	}
	eq(t, "no ExecError", Ambiguous(io.EOF), false)
}

func TestClassOf(t *testing.T) {
	for _, tc := range []struct {
		err  error
		want Class
	}{
		{&ExecError{Err: CMSError(331)}, Temporary},
		{&ExecError{Err: CMEError(16)}, Operator},
		{fmt.Errorf("send: %w", CMSError(1)), Permanent},
		{finalError("+CMS ERROR: SIM busy"), Temporary},
		{finalError("+CMS ERROR: never heard of"), Unclear},
		{FinalError("ERROR"), Unclear},
		{nil, Unclear},
	} {
		eq(t, fmt.Sprint(tc.err), ClassOf(tc.err), tc.want)
	}
	eq(t, "temporary", CMSError(41).Temporary() && CMEError(14).Temporary() && !CMSError(1).Temporary() && !CMEError(10).Temporary(), true)
}

func TestErrorsAreForPeople(t *testing.T) {
	for want, err := range map[string]error{
		"+CMS ERROR: 310 (SIM not inserted)":                                   CMSError(310),
		"+CMS ERROR: 999":                                                      CMSError(999),
		"+CME ERROR: 16 (incorrect password)":                                  CMEError(16),
		`+CME ERROR: 100 (unknown): "raspberry"`:                               finalError("+CME ERROR: raspberry"),
		"AT+CMGS after the payload: ERROR":                                     &ExecError{Verb: "+CMGS", Sent: true, Submitted: true, Err: FinalError("ERROR")},
		"AT+CSQ before it was written: connection closed":                      &ExecError{Verb: "+CSQ", Err: ErrClosed},
		"AT+CPIN: +CME ERROR: 16 (incorrect password)":                         &ExecError{Verb: "+CPIN", Sent: true, Err: CMEError(16)},
		"temporary permanent operator unclear":                                 errors.New(fmt.Sprint(Temporary, " ", Permanent, " ", Operator, " ", Unclear)),
		"+CMS ERROR: 513 (lower layer failure, acknowledgement lost (vendor))": CMSError(513),
	} {
		eq(t, "text", err.Error(), want)
	}
}
