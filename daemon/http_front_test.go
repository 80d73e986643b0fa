package daemon

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"simpost/daemon/api"
)

func TestFrontDoor(t *testing.T) {
	a := newTestAPI(t)
	big := `{"to":"+4790000001","text":"` + strings.Repeat("x", maxBody) + `"}`
	edge := fmt.Sprintf(`{"to":"+4790000001","text":"%s"}`, strings.Repeat("x", 30000))
	edge += strings.Repeat(" ", maxBody-len(edge))
	good := `{"to":"+4790000001","text":"hei"}`
	for _, c := range []struct {
		name, method, path, body string
		header                   []string
		status                   int
		code                     api.Code
	}{
		{"empty path", "GET", "/", "", nil, 404, api.CodeNotFound},
		{"unknown path", "GET", "/v1/nothing", "", nil, 404, api.CodeNotFound},
		{"two slashes", "GET", "//v1/status", "", nil, 404, api.CodeNotFound},
		{"trailing slash", "GET", "/v1/status/", "", nil, 404, api.CodeNotFound},
		{"dots", "GET", "/v1/x/../status", "", nil, 404, api.CodeNotFound},
		{"unknown method", "PUT", "/v1/messages", good, nil, 405, api.CodeMethodNotAllowed},
		{"unknown method of an item", "POST", "/v1/messages/1", good, nil, 405, api.CodeMethodNotAllowed},
		{"Host localhost", "GET", "/healthz", "", []string{"Host: localhost"}, 200, ""},
		{"Host simpost", "GET", "/healthz", "", []string{"Host: simpost"}, 200, ""},
		{"foreign Host", "GET", "/healthz", "", []string{"Host: evil.example"}, 403, api.CodeBadHost},
		{"Host with a port", "GET", "/healthz", "", []string{"Host: localhost:80"}, 403, api.CodeBadHost},
		{"Origin", "POST", "/v1/messages", good, []string{"Origin: http://localhost"}, 403, api.CodeBadHost},
		{"Origin null", "POST", "/v1/messages", good, []string{"Origin: null"}, 403, api.CodeBadHost},
		{"Referer", "GET", "/v1/status", "", []string{"Referer: http://localhost/"}, 403, api.CodeBadHost},
		{"form", "POST", "/v1/messages", "to=1&text=x", []string{"Content-Type: application/x-www-form-urlencoded"}, 415, api.CodeMediaType},
		{"plain text", "POST", "/v1/messages", good, []string{"Content-Type: text/plain"}, 415, api.CodeMediaType},
		{"no type", "POST", "/v1/messages", good, []string{"Content-Type: "}, 415, api.CodeMediaType},
		{"JSON with charset", "POST", "/v1/messages", good, []string{"Content-Type: application/json; charset=utf-8"}, 202, ""},
		{"too large", "POST", "/v1/messages", big, nil, 413, api.CodeBodyTooLarge},
		{"exactly large enough", "POST", "/v1/messages", edge, nil, 202, ""},
		{"one octet more", "POST", "/v1/messages", edge + " ", nil, 413, api.CodeBodyTooLarge},
		{"no body", "POST", "/v1/messages", "", nil, 400, api.CodeBadJSON},
		{"not JSON", "POST", "/v1/messages", "{", nil, 400, api.CodeBadJSON},
		{"two values", "POST", "/v1/messages", good + good, nil, 400, api.CodeBadJSON},
		{"not UTF-8", "POST", "/v1/messages", "{\"to\":\"1890\",\"text\":\"\xff\"}", nil, 400, api.CodeBadJSON},
		{"a list", "POST", "/v1/messages", "[]", nil, 422, api.CodeInvalid},
		{"unknown query", "GET", "/v1/messages?limt=2", "", nil, 422, api.CodeInvalid},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := a.ask(c.method, c.path, c.body, c.header...)
			if r.status != c.status {
				t.Fatalf("got %d, want %d: %s", r.status, c.status, r.body)
			}
			if c.code == "" {
				return
			}
			p := r.problem(t)
			if p.Code != c.code {
				t.Errorf("got code %q, want %q: %s", p.Code, c.code, r.body)
			}
			if p.Code == api.CodeBodyTooLarge && p.Detail != "the body is larger than 64 KiB" {
				t.Errorf("it says %q", p.Detail)
			}
		})
	}
}

func TestMethodNotAllowedNamesTheMethods(t *testing.T) {
	r := newTestAPI(t).ask("PATCH", "/v1/messages/7", "")
	if allow := r.header.Get("Allow"); !strings.Contains(allow, "GET") || !strings.Contains(allow, "DELETE") {
		t.Errorf("Allow: %q", allow)
	}
}

func TestStrangersAreRefused(t *testing.T) {
	for name, p := range map[string]peer{
		"nobody":        {},
		"another group": {UID: 2000, GID: 2000, Groups: []uint32{4, 20}, Known: true},
		// A peer the kernel did not name is nobody, whatever else is filled in.
		"root, says who?": {UID: 0, GID: testUID},
	} {
		t.Run(name, func(t *testing.T) {
			a := newTestAPI(t)
			a.who = p
			r := a.ask("GET", "/healthz", "")
			if pr := r.problem(t); r.status != http.StatusForbidden || pr.Code != api.CodeForbidden || !strings.Contains(pr.Hint, "usermod -aG") {
				t.Errorf("got %d %s", r.status, r.body)
			}
		})
	}
}

func TestThoseWhoMayComeIn(t *testing.T) {
	for name, p := range map[string]peer{
		"root":                {UID: 0, Known: true},
		"the daemon's user":   {UID: testUID, GID: 5, Known: true},
		"primary group":       {UID: 2000, GID: testUID, Known: true},
		"supplementary group": {UID: 2000, GID: 2000, Groups: []uint32{4, testUID}, Known: true},
	} {
		t.Run(name, func(t *testing.T) {
			a := newTestAPI(t)
			a.who = p
			if r := a.ask("GET", "/healthz", ""); r.status != http.StatusOK {
				t.Errorf("got %d %s", r.status, r.body)
			}
		})
	}
}

func TestTheDocumentIsServed(t *testing.T) {
	a := newTestAPI(t)
	r := a.ask("GET", "/openapi.json", "")
	var doc struct {
		OpenAPI string                               `json:"openapi"`
		Paths   map[string]map[string]map[string]any `json:"paths"`
	}
	if err := json.Unmarshal(r.body, &doc); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(doc.OpenAPI, "3.1.") || r.header.Get("Content-Type") != "application/openapi+json" {
		t.Errorf("openapi %q, %s", doc.OpenAPI, r.header.Get("Content-Type"))
	}
	want := []string{"POST /v1/messages", "GET /v1/messages", "GET /v1/messages/{id}", "DELETE /v1/messages/{id}",
		"POST /v1/messages/{id}/resolve", "POST /v1/segment", "GET /v1/modems", "GET /v1/modems/{name}",
		"GET /v1/events", "GET /v1/status", "GET /healthz", "GET /readyz", "POST /v1/backup",
		"POST /v1/modems/{name}/at", "POST /v1/modems/{name}/ussd", "GET /v1/modems/{name}/sim", "GET /v1/modems/{name}/phonebook",
		"PUT /v1/modems/{name}/smsc", "POST /v1/modems/{name}/operators", "PUT /v1/modems/{name}/operator", "GET /v1/broadcasts", "GET /v1/modems/{name}/signal"}
	n := 0
	for _, methods := range doc.Paths {
		n += len(methods)
	}
	if n != len(want) {
		t.Errorf("%d operations, want %d", n, len(want))
	}
	for _, w := range want {
		method, path, _ := strings.Cut(w, " ")
		if doc.Paths[path][strings.ToLower(method)] == nil {
			t.Errorf("the document lacks %s", w)
		}
	}
	check := newSpecCheck(t, a.server)
	for name := range check.doc["components"].(map[string]any)["schemas"].(map[string]any) {
		if _, err := check.compiler.Compile(specURL + "#/components/schemas/" + name); err != nil {
			t.Errorf("%s is no JSON schema: %v", name, err)
		}
	}
	if y := a.ask("GET", "/openapi.yaml", ""); !strings.Contains(string(y.body), "openapi: 3.1.") {
		t.Errorf("not the document as YAML: %.80s", y.body)
	}
}

// A fault is logged once, with its text, and the client reads only that there was one.
func TestFaultsDoNotLeak(t *testing.T) {
	a := newTestAPI(t)
	const secret = "ttyUSB2 exploded"
	for _, err := range []error{errors.New(secret), api.Errorf(api.CodeStorage, secret), api.Errorf(api.CodeInternal, secret)} {
		p := a.fail(t.Context(), err).(*problem)
		b, _ := json.Marshal(p)
		if strings.Contains(string(b), "exploded") || p.Status != http.StatusInternalServerError || p.Hint == "" {
			t.Errorf("%T answers %s", err, b)
		}
	}
	if n := strings.Count(a.log.String(), secret); n != 3 {
		t.Errorf("logged %d times, want 3:\n%s", n, a.log)
	}
}

var statuses = map[api.Code]int{
	api.CodeBadJSON: 400, api.CodeForbidden: 403, api.CodeBadHost: 403, api.CodeNotFound: 404,
	api.CodeMethodNotAllowed: 405, api.CodeTimeout: 408, api.CodeConflict: 409, api.CodeTooLate: 409,
	api.CodeKeyReused: 409, api.CodeBodyTooLarge: 413, api.CodeMediaType: 415, api.CodeInvalid: 422,
	api.CodeBadNumber: 422, api.CodeEmptyText: 422, api.CodeTooLong: 422, api.CodeNotEncodable: 422,
	api.CodeTooMany: 422, api.CodeUnknownModem: 422, api.CodeGuardCountry: 422, api.CodeGuardShortCode: 422,
	api.CodeGuardPremium: 422, api.CodeGuardRecipientHour: 429, api.CodeGuardDay: 429, api.CodeStorage: 500, api.CodeDatabaseCorrupt: 500, api.CodeInternal: 500,
	api.CodeNotReady: 503, api.CodeUnavailable: 503, api.CodeDiskFull: 507,
}

func TestEveryCodeHasItsStatus(t *testing.T) {
	for code, want := range statuses {
		if got := statusOf(code); got != want {
			t.Errorf("%s: got %d, want %d", code, got, want)
		}
	}
}

// The manual's table of codes and of fields is the program's.
func TestTheManualIsRight(t *testing.T) {
	b, err := os.ReadFile("../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[api.Code]bool{}
	row := regexp.MustCompile(`(?m)^\| ([0-9, ]+) \| (.*?) \|`)
	for _, m := range row.FindAllStringSubmatch(string(b), -1) {
		for quoted := range strings.SplitSeq(m[2], ", ") {
			code := api.Code(strings.Trim(quoted, "`"))
			seen[code] = true
			if status := strconv.Itoa(statusOf(code)); !strings.Contains(m[1], status) {
				t.Errorf("%s is %s, not %s", code, status, m[1])
			}
		}
	}
	for code := range statuses {
		if !seen[code] {
			t.Errorf("the manual lacks the code %s", code)
		}
	}
	request := newTestAPI(t).ask("GET", "/openapi.json", "")
	var doc struct {
		Components struct {
			Schemas map[string]struct {
				Properties map[string]any `json:"properties"`
			} `json:"schemas"`
		} `json:"components"`
	}
	if err := json.Unmarshal(request.body, &doc); err != nil {
		t.Fatal(err)
	}
	fields := doc.Components.Schemas["SendRequest"].Properties
	if len(fields) < 15 {
		t.Errorf("only %d fields in the document", len(fields))
	}
	for name := range fields {
		if !strings.Contains(string(b), "`"+name+"`") {
			t.Errorf("the manual lacks the field %s", name)
		}
	}
}
