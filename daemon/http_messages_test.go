package daemon

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"simpost/daemon/api"
)

func TestSendAnswersInTheFormOfTo(t *testing.T) {
	a := newTestAPI(t)
	r := a.ask("POST", "/v1/messages", `{"to":"+47 900 00 001","text":"hei"}`)
	var one api.Message
	if err := json.Unmarshal(r.body, &one); err != nil || r.status != http.StatusAccepted {
		t.Fatalf("%d %s: %v", r.status, r.body, err)
	}
	if one.ID == "" || one.To != "+4790000001" || *one.Text != "hei" || one.State != api.Queued || one.Encoding != "gsm7" ||
		one.Priority != api.Normal || one.OnUnknown != api.OnUnknownResend || len(one.Parts) != 1 || one.Parts[0].Report != api.ReportNotAsked {
		t.Errorf("got %s", r.body)
	}
	r = a.ask("POST", "/v1/messages", `{"to":["004790000002"],"text":"hei","report":true}`)
	var list []api.Message
	if err := json.Unmarshal(r.body, &list); err != nil || len(list) != 1 {
		t.Fatalf("%d %s: %v", r.status, r.body, err)
	}
	if list[0].To != "+4790000002" || list[0].Parts[0].Report != api.ReportWaiting {
		t.Errorf("got %s", r.body)
	}
	if a.woken.Load() != 2 {
		t.Errorf("the daemon was woken %d times, want 2", a.woken.Load())
	}
}

func TestSendKeepsWhatWasAsked(t *testing.T) {
	a := newTestAPI(t)
	r := a.ask("POST", "/v1/messages", `{"to":"1890","text":"`+strings.Repeat("a", 200)+`","flash":true,"priority":"alert",
		"on_unknown":"fail","modem":"alarm","not_before":"2999-01-01T00:00:00+01:00","expires":"2999-01-02T00:00:00Z","validity":"2d"}`)
	var m api.Message
	if err := json.Unmarshal(r.body, &m); err != nil || r.status != http.StatusAccepted {
		t.Fatalf("%d %s: %v", r.status, r.body, err)
	}
	if m.State != api.Scheduled || m.Class == nil || *m.Class != 0 || m.Priority != api.Alert || m.OnUnknown != api.OnUnknownFail ||
		m.Modem != "alarm" || len(m.Parts) != 2 || m.NotBefore == nil || m.Expires == nil {
		t.Errorf("got %s", r.body)
	}
	got, err := a.client.Get(t.Context(), m.ID)
	if err != nil || got.ID != m.ID || got.To != "1890" {
		t.Errorf("Get: %+v, %v", got, err)
	}
}

func TestSendData(t *testing.T) {
	a := newTestAPI(t)
	r := a.ask("POST", "/v1/messages", `{"to":"+4790000001","data":"AQID/w==","port":2948}`)
	var m api.Message
	if err := json.Unmarshal(r.body, &m); err != nil || r.status != http.StatusAccepted {
		t.Fatalf("%d %s: %v", r.status, r.body, err)
	}
	if !bytes.Equal(m.Data, []byte{1, 2, 3, 255}) || m.Port == nil || *m.Port != 2948 || m.Encoding != "8bit" || m.Text != nil {
		t.Errorf("got %s", r.body)
	}
}

// refused asks for something wrong and wants the code, each named location, and nothing kept.
func TestSendRefuses(t *testing.T) {
	a := newTestAPI(t)
	many := `"` + strings.Join(slices.Repeat([]string{"1890"}, maxRecipients+1), `","`) + `"`
	long := strings.Repeat("x", 255*153+1)
	for _, c := range []struct {
		name, body string
		code       api.Code
		locations  []string
	}{
		{"no to", `{"text":"x"}`, api.CodeInvalid, []string{"body"}},
		{"to is null", `{"to":null,"text":"x"}`, api.CodeBadNumber, []string{"to"}},
		{"to is a number", `{"to":4790000001,"text":"x"}`, api.CodeBadNumber, []string{"to"}},
		{"to is an object", `{"to":{"number":"1"},"text":"x"}`, api.CodeBadNumber, []string{"to"}},
		{"empty list", `{"to":[],"text":"x"}`, api.CodeBadNumber, []string{"to"}},
		{"one bad number", `{"to":"banana","text":"x"}`, api.CodeBadNumber, []string{"to"}},
		{"every bad number", `{"to":["+4790000001","banana","","+47 90"],"text":"x"}`, api.CodeBadNumber, []string{"to[1]", "to[2]"}},
		{"country codes only", `{"to":["+47","+4790000001","+1","+ 999"],"text":"x"}`, api.CodeBadNumber, []string{"to[0]", "to[2]", "to[3]"}},
		{"entries that are no strings", `{"to":["+4790000001",1,null],"text":"x"}`, api.CodeBadNumber, []string{"to[1]", "to[2]"}},
		{"too many", `{"to":[` + many + `],"text":"x"}`, api.CodeTooMany, []string{"to"}},
		{"no text", `{"to":"1890"}`, api.CodeEmptyText, []string{"text"}},
		{"empty text", `{"to":"1890","text":""}`, api.CodeEmptyText, []string{"text"}},
		{"empty data", `{"to":"1890","data":""}`, api.CodeInvalid, []string{"data"}},
		{"text and data", `{"to":"1890","text":"x","data":"AQ=="}`, api.CodeInvalid, []string{"data"}},
		{"data that is not base64", `{"to":"1890","data":"%%"}`, api.CodeInvalid, []string{"data"}},
		{"port with text", `{"to":"1890","text":"x","port":5}`, api.CodeInvalid, []string{"port"}},
		{"port 0", `{"to":"1890","data":"AQ==","port":0}`, api.CodeInvalid, []string{"port"}},
		{"port too high", `{"to":"1890","data":"AQ==","port":65536}`, api.CodeInvalid, []string{"port"}},
		{"alphabet of data", `{"to":"1890","data":"AQ==","encoding":"ucs2"}`, api.CodeInvalid, []string{"data"}},
		{"too long", `{"to":"1890","text":"` + long + `"}`, api.CodeTooLong, []string{"text"}},
		{"not in GSM 7-bit", `{"to":"1890","text":"ok 😀","encoding":"gsm7"}`, api.CodeNotEncodable, []string{"text"}},
		{"bad encoding", `{"to":"1890","text":"x","encoding":"utf8"}`, api.CodeInvalid, []string{"encoding"}},
		{"bad language", `{"to":"1890","text":"x","language":"klingon"}`, api.CodeInvalid, []string{"language"}},
		{"bad priority", `{"to":"1890","text":"x","priority":"now"}`, api.CodeInvalid, []string{"priority"}},
		{"bad on_unknown", `{"to":"1890","text":"x","on_unknown":"retry"}`, api.CodeInvalid, []string{"on_unknown"}},
		{"bad validity", `{"to":"1890","text":"x","validity":"soon"}`, api.CodeInvalid, []string{"validity"}},
		{"validity too short", `{"to":"1890","text":"x","validity":"4m"}`, api.CodeInvalid, []string{"validity"}},
		{"past", `{"to":"1890","text":"x","expires":"2001-01-01T00:00:00Z"}`, api.CodeInvalid, []string{"expires"}},
		{"expires first", `{"to":"1890","text":"x","not_before":"2999-01-02T00:00:00Z","expires":"2999-01-01T00:00:00Z"}`, api.CodeInvalid, []string{"expires"}},
		{"a year of five digits", `{"to":"1890","text":"x","expires":"9999-12-31T23:59:59-01:00"}`, api.CodeInvalid, []string{"expires"}},
		{"a year before zero", `{"to":"1890","text":"x","not_before":"0000-01-01T00:00:00+01:00"}`, api.CodeInvalid, []string{"not_before"}},
		{"no date", `{"to":"1890","text":"x","expires":"tomorrow"}`, api.CodeInvalid, []string{"expires"}},
		{"unknown modem", `{"to":"1890","text":"x","modem":"attic"}`, api.CodeUnknownModem, []string{"modem"}},
		{"unknown field", `{"to":"1890","text":"x","colour":"red"}`, api.CodeInvalid, []string{"colour"}},
		{"field in another case", `{"to":"1890","Text":"x"}`, api.CodeInvalid, []string{"Text"}},
		{"text is a number", `{"to":"1890","text":5}`, api.CodeInvalid, []string{"text"}},
		{"several at once", `{"to":["x","y"],"text":"","modem":"attic","validity":"1s"}`, api.CodeBadNumber, []string{"to[0]", "to[1]", "validity", "modem", "text"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := a.ask("POST", "/v1/messages", c.body)
			p := r.problem(t)
			if r.status != http.StatusUnprocessableEntity || p.Code != c.code {
				t.Errorf("got %d %q, want 422 %q: %s", r.status, p.Code, c.code, r.body)
			}
			var at []string
			for _, e := range p.Errors {
				at = append(at, e.Field)
				if e.Code == "" || e.Message == "" {
					t.Errorf("an error without code or message: %+v", e)
				}
			}
			if !slices.Equal(at, c.locations) {
				t.Errorf("named %q, want %q: %s", at, c.locations, r.body)
			}
		})
	}
	page, err := a.client.List(t.Context(), api.ListQuery{})
	if err != nil || len(page.Messages) != 0 || a.woken.Load() != 0 {
		t.Errorf("something was kept of what was refused: %d messages, woken %d times, %v", len(page.Messages), a.woken.Load(), err)
	}
}

func TestUnknownModemNamesTheModems(t *testing.T) {
	r := newTestAPI(t).ask("POST", "/v1/messages", `{"to":"1890","text":"x","modem":"attic"}`)
	if p := r.problem(t); !strings.Contains(p.Detail, "office, alarm") {
		t.Errorf("got %q", p.Detail)
	}
}

// Nothing typed into a number reaches the wire but digits, * and #.
func TestInjectionInNumbers(t *testing.T) {
	a := newTestAPI(t)
	for _, bad := range []string{"+47900\r\nAT+CMGD=1,4", "1890\x1a", "1890\x1b", `1890"`, "1890\x00", "1890;ATD112;", "1890,145",
		"+47900\u2028AT", "１８９０", "+4790000001\n", "tel:+4790000001", "+47-9000-0001 ext 5", "0x1234"} {
		body, err := json.Marshal(map[string]any{"to": []string{"+4790000001", bad}, "text": "x"})
		if err != nil {
			t.Fatal(err)
		}
		r := a.ask("POST", "/v1/messages", string(body))
		p := r.problem(t)
		if r.status != http.StatusUnprocessableEntity || p.Code != api.CodeBadNumber || len(p.Errors) != 1 || p.Errors[0].Field != "to[1]" {
			t.Errorf("%q: got %d %s", bad, r.status, r.body)
		}
	}
}

func TestIdempotency(t *testing.T) {
	a := newTestAPI(t)
	const key = "Idempotency-Key: order 17"
	first := a.ask("POST", "/v1/messages", `{"to":"+4790000001","text":"hei","not_before":"2998-01-01T01:00:00+01:00","expires":"2999-01-01T01:00:00+01:00"}`, key)
	if first.status != http.StatusAccepted || first.header.Get("Idempotency-Replayed") != "" {
		t.Fatalf("got %d %v", first.status, first.header)
	}
	for name, body := range map[string]string{
		"the same":         `{"to":"+4790000001","text":"hei","not_before":"2998-01-01T01:00:00+01:00","expires":"2999-01-01T01:00:00+01:00"}`,
		"spaced otherwise": "{ \"text\" : \"hei\",\n \"not_before\":\"2998-01-01T00:00:00Z\", \"expires\":\"2999-01-01T00:00:00Z\", \"to\":\"+4790000001\" }",
		"escaped":          `{"to":"\u002b4790000001","text":"h\u0065i","not_before":"2998-01-01T00:00:00Z","expires":"2999-01-01T00:00:00Z"}`,
		"defaults spelled": `{"to":"+4790000001","text":"hei","not_before":"2998-01-01T00:00:00Z","expires":"2999-01-01T00:00:00Z","encoding":"auto","priority":"normal","flash":false}`,
	} {
		r := a.ask("POST", "/v1/messages", body, key)
		if r.status != http.StatusAccepted || r.header.Get("Idempotency-Replayed") != "true" || !bytes.Equal(r.body, first.body) {
			t.Errorf("%s: got %d %q %s, want %s", name, r.status, r.header.Get("Idempotency-Replayed"), r.body, first.body)
		}
	}
	for name, body := range map[string]string{
		"another text":     `{"to":"+4790000001","text":"hallo","not_before":"2998-01-01T00:00:00Z","expires":"2999-01-01T00:00:00Z"}`,
		"a list instead":   `{"to":["+4790000001"],"text":"hei","not_before":"2998-01-01T00:00:00Z","expires":"2999-01-01T00:00:00Z"}`,
		"without an end":   `{"to":"+4790000001","text":"hei"}`,
		"another modem":    `{"to":"+4790000001","text":"hei","not_before":"2998-01-01T00:00:00Z","expires":"2999-01-01T00:00:00Z","modem":"office"}`,
		"reports demanded": `{"to":"+4790000001","text":"hei","not_before":"2998-01-01T00:00:00Z","expires":"2999-01-01T00:00:00Z","report":true}`,
	} {
		r := a.ask("POST", "/v1/messages", body, key)
		if p := r.problem(t); r.status != http.StatusConflict || p.Code != api.CodeKeyReused {
			t.Errorf("%s: got %d %s", name, r.status, r.body)
		}
	}
	a.set(func() { a.who = peer{UID: 0, Known: true} })
	a.http.CloseIdleConnections()
	r := a.ask("POST", "/v1/messages", `{"to":"+4790000001","text":"hallo"}`, key)
	if r.status != http.StatusAccepted || r.header.Get("Idempotency-Replayed") != "" {
		t.Errorf("another caller's key: got %d %s", r.status, r.body)
	}
}

// A replay answers what was answered, whatever has become of the message since.
func TestReplayAnswersTheSameBody(t *testing.T) {
	a := newTestAPI(t)
	const body, key = `{"to":["+4790000001","1890"],"text":"hei"}`, "Idempotency-Key: k"
	first := a.ask("POST", "/v1/messages", body, key)
	var list []api.Message
	if err := json.Unmarshal(first.body, &list); err != nil {
		t.Fatal(err)
	}
	if _, err := a.client.Cancel(t.Context(), list[0].ID); err != nil {
		t.Fatal(err)
	}
	if again := a.ask("POST", "/v1/messages", body, key); !bytes.Equal(first.body, again.body) {
		t.Errorf("got\n%s, want\n%s", again.body, first.body)
	}
	if a.woken.Load() != 1 {
		t.Errorf("woken %d times, want 1: a replay is no new work", a.woken.Load())
	}
}

func TestBadKeys(t *testing.T) {
	a := newTestAPI(t)
	for _, key := range []string{strings.Repeat("k", 256), "caf\xc3\xa9"} {
		r := a.ask("POST", "/v1/messages", `{"to":"1890","text":"x"}`, "Idempotency-Key: "+key)
		if p := r.problem(t); r.status != http.StatusUnprocessableEntity || p.Errors[0].Field != "header.Idempotency-Key" {
			t.Errorf("%.20q: got %d %s", key, r.status, r.body)
		}
	}
	if r := a.ask("POST", "/v1/messages", `{"to":"1890","text":"x"}`, "Idempotency-Key: "+strings.Repeat("k", 255)); r.status != http.StatusAccepted {
		t.Errorf("got %d %s", r.status, r.body)
	}
}

func TestListPages(t *testing.T) {
	a := newTestAPI(t)
	for i := range 5 {
		a.send(fmt.Sprintf("+479000000%d", i%2), "hei")
	}
	var ids []string
	q := api.ListQuery{Limit: 2}
	for pages := 1; ; pages++ {
		page, err := a.client.List(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range page.Messages {
			ids = append(ids, m.ID)
		}
		if page.Next == nil {
			if pages != 3 {
				t.Errorf("%d pages of 2 for 5 messages", pages)
			}
			break
		}
		q.After = *page.Next
	}
	if want := []string{"5", "4", "3", "2", "1"}; !slices.Equal(ids, want) {
		t.Errorf("got %q, want %q", ids, want)
	}
}

func TestListFilters(t *testing.T) {
	a := newTestAPI(t)
	a.send("+4790000001", "a")
	a.send("1890", "b")
	if _, err := a.client.Cancel(t.Context(), a.send("1890", "c").ID); err != nil {
		t.Fatal(err)
	}
	for query, want := range map[string]int{
		"":                                3,
		"direction=out":                   3,
		"direction=in":                    0,
		"state=cancelled":                 1,
		"state=queued&number=1890":        1,
		"number=%2B4790000001":            1,
		"number=0047%20900-00-001":        1,
		"number=Telenor":                  0,
		"modem=office":                    0,
		"direction=out&state=queued":      2,
		"limit=200":                       3,
		"limit=1":                         1,
		"after=2":                         1,
		"state=cancelled&direction=in":    0,
		"number=1890&after=3&limit=200":   1,
		"number=1890&state=queued&after=": 1,
	} {
		r := a.ask("GET", "/v1/messages?"+query, "")
		var page api.Messages
		if err := json.Unmarshal(r.body, &page); err != nil || r.status != http.StatusOK {
			t.Fatalf("%s: %d %s", query, r.status, r.body)
		}
		if len(page.Messages) != want {
			t.Errorf("%q lists %d, want %d", query, len(page.Messages), want)
		}
	}
	for _, query := range []string{"limit=0", "limit=201", "limit=x", "state=asleep", "direction=up", "after=x", "after=-1"} {
		if r := a.ask("GET", "/v1/messages?"+query, ""); r.status != http.StatusUnprocessableEntity {
			t.Errorf("%q: got %d %s", query, r.status, r.body)
		}
	}
}

func TestGetAndCancelWhatIsNotThere(t *testing.T) {
	a := newTestAPI(t)
	for _, id := range []string{"1", "0", "-1", "x", "99999999999999999999", "1%0d%0a"} {
		for _, method := range []string{"GET", "DELETE"} {
			r := a.ask(method, "/v1/messages/"+id, "")
			if p := r.problem(t); r.status != http.StatusNotFound || p.Code != api.CodeNotFound {
				t.Errorf("%s %s: got %d %s", method, id, r.status, r.body)
			}
		}
		r := a.ask("POST", "/v1/messages/"+id+"/resolve", `{"action":"sent"}`)
		if p := r.problem(t); r.status != http.StatusNotFound || p.Code != api.CodeNotFound {
			t.Errorf("resolve %s: got %d %s", id, r.status, r.body)
		}
	}
}

func TestCancel(t *testing.T) {
	a := newTestAPI(t)
	id := a.send("1890", "x").ID
	m, err := a.client.Cancel(t.Context(), id)
	if err != nil || m.State != api.Cancelled {
		t.Fatalf("got %v, %v", m.State, err)
	}
	r := a.ask("DELETE", "/v1/messages/"+id, "")
	if p := r.problem(t); r.status != http.StatusConflict {
		t.Errorf("a second time: got %d %+v", r.status, p)
	}
}

func TestResolveRefuses(t *testing.T) {
	a := newTestAPI(t)
	id := a.send("1890", "x").ID
	r := a.ask("POST", "/v1/messages/"+id+"/resolve", `{"action":"sent"}`)
	if p := r.problem(t); r.status != http.StatusConflict || p.Code != api.CodeConflict {
		t.Errorf("a queued message: got %d %s", r.status, r.body)
	}
	r = a.ask("POST", "/v1/messages/"+id+"/resolve", `{"action":"shrug"}`)
	if p := r.problem(t); r.status != http.StatusUnprocessableEntity || p.Errors[0].Field != "action" {
		t.Errorf("got %d %s", r.status, r.body)
	}
}

func TestSegment(t *testing.T) {
	a := newTestAPI(t)
	s, err := a.client.Segment(t.Context(), api.SegmentRequest{Text: strings.Repeat("a", 160)})
	if err != nil || s.Encoding != "gsm7" || len(s.Parts) != 1 || s.Parts[0].Used != 160 || s.Parts[0].Left != 0 || len(s.Missing) != 0 {
		t.Errorf("160 letters: %+v, %v", s, err)
	}
	s, err = a.client.Segment(t.Context(), api.SegmentRequest{Text: strings.Repeat("a", 161)})
	if err != nil || len(s.Parts) != 2 || s.Parts[0].Used != 153 || s.Parts[1].Used != 8 || s.Parts[1].Left != 145 || s.Parts[1].Text != "aaaaaaaa" {
		t.Errorf("161 letters: %+v, %v", s, err)
	}
	s, err = a.client.Segment(t.Context(), api.SegmentRequest{Text: "hei 😀"})
	if err != nil || s.Encoding != "ucs2" || s.Parts[0].Used != 6 || s.Parts[0].Left != 64 || !slices.Equal(s.Missing, []string{"😀"}) {
		t.Errorf("an emoji: %+v, %v", s, err)
	}
	_, err = a.client.Segment(t.Context(), api.SegmentRequest{Text: "😀", Encoding: "gsm7"})
	if e := asAPIError(t, err); e.Code != api.CodeNotEncodable || e.Errors[0].Field != "text" {
		t.Errorf("got %+v", e)
	}
	_, err = a.client.Segment(t.Context(), api.SegmentRequest{Text: strings.Repeat("a", 255*153+1)})
	if e := asAPIError(t, err); e.Code != api.CodeTooLong {
		t.Errorf("got %+v", e)
	}
}

// A clock that nobody vouches for may be years ahead: only what lies before this
// program is late by any clock.
func TestLateByAnyClock(t *testing.T) {
	tenAhead := time.Date(2036, 1, 1, 0, 0, 0, 0, time.UTC)
	a := newTestAPI(t, func(d *apiDeps) {
		d.Now = func() time.Time { return tenAhead }
		d.Trusted = func() bool { return false }
	})
	for expires, status := range map[string]int{
		"2020-01-01T00:00:00Z": http.StatusUnprocessableEntity,
		"2025-01-01T00:00:00Z": http.StatusUnprocessableEntity,
		"2026-06-01T00:00:00Z": http.StatusAccepted,
	} {
		r := a.ask("POST", "/v1/messages", `{"to":"1890","text":"x","expires":"`+expires+`"}`)
		if r.status != status {
			t.Errorf("expires %s: %d, want %d: %s", expires, r.status, status, r.body)
		}
	}
}
