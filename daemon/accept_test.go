package daemon

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"simpost/daemon/api"
	"simpost/pdu"
)

var testNow = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// submit decodes a part of a message the way the network would.
func submit(t *testing.T, b []byte) *pdu.Submit {
	t.Helper()
	decoded, err := pdu.DecodeMO(b)
	if err != nil {
		t.Fatal(err)
	}
	s, ok := decoded.(*pdu.Submit)
	if !ok || len(s.Flags) > 0 {
		t.Fatalf("got %T with flags %v", decoded, s.Flags)
	}
	return s
}

func TestComposeWritesTheTPDU(t *testing.T) {
	text := strings.Repeat("a", 200)
	yes := true
	msgs, refusal := compose(api.SendRequest{
		To: api.Recipients{"+47 (900) 00-001", "1890"}, Text: &text, Flash: true, Report: &yes, Validity: "2d",
	}, sendDefaults{OnUnknown: api.OnUnknownHold}, nil, testNow)
	if refusal != nil || len(msgs) != 2 {
		t.Fatalf("%d messages, %v", len(msgs), refusal)
	}
	for i, number := range []string{"+4790000001", "1890"} {
		m := msgs[i]
		if m.To != number || m.OnUnknown != api.OnUnknownHold || m.Priority != api.Normal || !m.Report || m.Validity != 48*time.Hour ||
			*m.Class != 0 || m.Encoding != "gsm7" || len(m.Parts) != 2 {
			t.Errorf("%s: got %+v", number, m)
		}
		for k, b := range m.Parts {
			s := submit(t, b)
			c, ok := s.UD.Concat()
			if s.MR != 0 || !s.SRR || s.RD || s.DA.String() != number || s.VP.Duration != 48*time.Hour || s.UD.DCS.Class() != pdu.Class0 ||
				!ok || c.Ref != 0 || c.Wide || int(c.Seq) != k+1 || c.Total != 2 {
				t.Errorf("%s part %d: got %+v", number, k+1, s)
			}
		}
	}
	if &msgs[0].Parts[0][0] == &msgs[1].Parts[0][0] {
		t.Error("two messages share their octets")
	}
}

func TestComposeTakesTheDefaults(t *testing.T) {
	text, no := "hei", false
	d := sendDefaults{Validity: 24 * time.Hour, Report: true, OnUnknown: api.OnUnknownFail}
	msgs, refusal := compose(api.SendRequest{To: api.Recipients{"1890"}, Text: &text}, d, nil, testNow)
	if refusal != nil {
		t.Fatal(refusal)
	}
	if s := submit(t, msgs[0].Parts[0]); !s.SRR || s.VP.Duration != 24*time.Hour || s.UD.DCS.Class() != pdu.NoClass {
		t.Errorf("got %+v", s)
	}
	msgs, _ = compose(api.SendRequest{To: api.Recipients{"1890"}, Text: &text, Report: &no}, d, nil, testNow)
	if s := submit(t, msgs[0].Parts[0]); s.SRR {
		t.Error("a report was asked for against the request")
	}
	msgs, _ = compose(api.SendRequest{To: api.Recipients{"1890"}, Text: &text}, sendDefaults{}, nil, testNow)
	if s := submit(t, msgs[0].Parts[0]); s.VP.Format != pdu.ValidityNone {
		t.Errorf("a validity nobody asked for: %+v", s.VP)
	}
}

func TestComposeData(t *testing.T) {
	port := 2948
	data := bytes.Repeat([]byte{0, 0xFF}, 100)
	msgs, refusal := compose(api.SendRequest{To: api.Recipients{"1890"}, Data: data, Port: &port}, sendDefaults{}, nil, testNow)
	if refusal != nil || len(msgs[0].Parts) != 2 {
		t.Fatalf("%+v, %v", msgs, refusal)
	}
	var joined []byte
	for _, b := range msgs[0].Parts {
		s := submit(t, b)
		if p, ok := s.UD.Ports(); !ok || p.Dst != 2948 {
			t.Errorf("ports %+v", p)
		}
		joined = append(joined, s.UD.Data()...)
	}
	if !bytes.Equal(joined, data) {
		t.Error("the parts do not add up to the data")
	}
}

// What is kept, and shown, is what the recipient reads.
func TestComposeKeepsTheTransliteratedText(t *testing.T) {
	text := "a\u2013b" // an en dash
	plain, changes := pdu.Transliterate(text)
	if len(changes) == 0 {
		t.Fatal("the codec has nothing for an en dash")
	}
	msgs, refusal := compose(api.SendRequest{To: api.Recipients{"1890"}, Text: &text, Transliterate: true}, sendDefaults{}, nil, testNow)
	if refusal != nil || *msgs[0].Text != plain || msgs[0].Encoding != "gsm7" {
		t.Fatalf("got %+v, %v", msgs, refusal)
	}
	if text != "a\u2013b" {
		t.Error("the request was changed")
	}
}

func TestComposeLimitsTheParts(t *testing.T) {
	text := strings.Repeat("a", 153*11)
	to := make(api.Recipients, maxRecipients)
	for i := range to {
		to[i] = "1890"
	}
	_, refusal := compose(api.SendRequest{To: to, Text: &text}, sendDefaults{}, nil, testNow)
	if refusal == nil || refusal.Code != api.CodeTooMany {
		t.Errorf("%d recipients of 11 parts: got %v", len(to), refusal)
	}
	text = strings.Repeat("a", 153*10)
	msgs, refusal := compose(api.SendRequest{To: to, Text: &text}, sendDefaults{}, nil, testNow)
	if refusal != nil || len(msgs) != maxRecipients {
		t.Errorf("%d recipients of 10 parts: got %v", len(to), refusal)
	}
}

func TestValidityGrammar(t *testing.T) {
	const hour, day, week = time.Hour, 24 * time.Hour, 7 * 24 * time.Hour
	for s, want := range map[string]time.Duration{
		"5m": 5 * time.Minute, "30m": 30 * time.Minute, "24h": day, "1d": day, "1d12h": 36 * hour, "2w": 2 * week,
		"63w": 63 * week, "0w1d": day, "635040m": 63 * week, "007d": week, "1h30m": 90 * time.Minute,
	} {
		if got, err := parseValidity(s); err != nil || got != want {
			t.Errorf("%q: got %v, %v, want %v", s, got, err, want)
		}
	}
	for s, want := range map[string]error{
		"": errValidity, "h": errValidity, "5": errValidity, "5s": errValidity, "1.5h": errValidity, "-5m": errValidity,
		"+5m": errValidity, "5 m": errValidity, "24H": errValidity, "5mm": errValidity, "m5": errValidity, "24h7": errValidity,
		"4m": errValidityRange, "0w": errValidityRange, "64w": errValidityRange, "63w1m": errValidityRange,
		"9999999m": errValidityRange, "99999999999999999999w": errValidityRange, "999999w": errValidityRange,
	} {
		if got, err := parseValidity(s); err != want {
			t.Errorf("%q: got %v, %v, want %v", s, got, err, want)
		}
	}
}

func TestPreviewCountsChanges(t *testing.T) {
	s, refusal := preview(api.SegmentRequest{Text: "\u2013 and \u2013", Transliterate: true})
	if refusal != nil || s.Encoding != "gsm7" || len(s.Changed) != 1 || s.Changed[0].Count != 2 || s.Changed[0].From != "\u2013" {
		t.Errorf("got %+v, %v", s, refusal)
	}
}

// FuzzSendBody: whatever the body is, the answer is one of ours and fits the
// document, nothing but digits, * and # gets into a number, and what is accepted
// reads back.
func FuzzSendBody(f *testing.F) {
	for _, seed := range []string{
		`{"to":"+4790000001","text":"hei"}`,
		`{"to":["1890","+47 900"],"text":"😀","report":true,"validity":"1d12h"}`,
		`{"to":[1,null,{}],"text":null}`,
		`{"to":"1890","data":"AQID","port":2948,"flash":true}`,
		`{"to":"1890\u001a","text":"\ud800","not_before":"2999-01-01T00:00:00Z"}`,
		`{"to":"1890","text":"x","language":"turkish","transliterate":true,"encoding":"gsm7"}`,
		`{"to":"1890","text":"x","expires":"9999-12-31T23:59:59-01:00"}`,
		`{"to":"1890","text":"x","not_before":"0000-01-01T00:00:00+01:00"}`,
		`[]`, `{`, `null`, `{"to":{"to":{}}}`,
	} {
		f.Add([]byte(seed))
	}
	number := regexp.MustCompile(`^\+?[0-9*#]{1,20}$`)
	a := newTestAPI(f)
	document := newSpecCheck(f, a.server)
	f.Fuzz(func(t *testing.T, body []byte) {
		req := httptest.NewRequest(http.MethodPost, "http://localhost/v1/messages", bytes.NewReader(body))
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Idempotency-Key", fmt.Sprintf("%x", sha256.Sum256(body)))
		req = req.WithContext(context.WithValue(t.Context(), connKey{}, &conn{peer: a.who}))
		w := httptest.NewRecorder()
		rec := &recorder{ResponseWriter: w}
		a.ServeHTTP(rec, req)
		err := document.check(req, rec)
		switch {
		case err != nil:
			t.Fatalf("against the document: %v: %s", err, w.Body)
		case w.Code >= 500, w.Code < 400 && w.Code != http.StatusAccepted:
			t.Fatalf("got %d %s", w.Code, w.Body)
		case w.Code != http.StatusAccepted:
			return
		}
		var list []api.Message
		if err := json.Unmarshal(w.Body.Bytes(), &list); err != nil {
			list = make([]api.Message, 1)
			if err := json.Unmarshal(w.Body.Bytes(), &list[0]); err != nil {
				t.Fatal(err)
			}
		}
		for _, m := range list {
			if !number.MatchString(m.To) {
				t.Errorf("accepted the number %q", m.To)
			}
		}
	})
}
