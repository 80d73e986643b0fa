package daemon

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"mime"
	"net"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"simpost/daemon/api"
	"simpost/daemon/store"
)

// testAPI is the real API on the real store behind an in-memory listener. Every
// response that leaves it, whoever asked, is held against the OpenAPI document it
// serves.
type testAPI struct {
	*server
	t      testing.TB
	ln     *pipeListener
	client *api.Client
	http   *http.Client
	log    *lockedBuffer
	woken  atomic.Int32

	mu      sync.Mutex
	modemed []api.Modem
	trouble *api.Reason
	who     peer
}

const testUID = 1000

// newTestAPI starts one; change may adjust what it depends on.
func newTestAPI(t testing.TB, change ...func(*apiDeps)) *testAPI {
	t.Helper()
	st, err := store.Open(filepath.Join(t.TempDir(), "simpost.db"))
	if err != nil {
		t.Fatal(err)
	}
	a := &testAPI{t: t, ln: newPipeListener(), log: new(lockedBuffer),
		who: peer{UID: testUID, GID: testUID, Known: true},
		modemed: []api.Modem{{Name: "office", Device: "/dev/ttyUSB2", Memories: []api.Memory{}, Diagnosis: []api.Diagnosis{},
			Condition: api.Condition{Code: "no-device", Sentence: "it is not plugged in", Since: time.Now()}}},
	}
	deps := apiDeps{
		Store: st, Log: slog.New(slog.NewTextHandler(a.log, nil)),
		Modems: a.modemList, ModemNames: func() []string { return []string{"office", "alarm"} },
		USSD:     func(string) []string { return nil },
		Wake:     func() { a.woken.Add(1) },
		Defaults: sendDefaults{Validity: 24 * time.Hour, OnUnknown: api.OnUnknownResend},
		Version:  "test", Started: time.Now(), Database: filepath.Join(t.TempDir(), "simpost.db"),
		Trouble: a.troubleNow, Door: testDoor(testUID, testUID), Desks: new(desks),
		Identify: func(net.Conn) peer { a.mu.Lock(); defer a.mu.Unlock(); return a.who },
	}
	for _, c := range change {
		c(&deps)
	}
	a.server = newAPI(deps)
	a.client = &api.Client{Dial: a.ln.dial}
	a.http = &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return a.ln.dial(ctx) },
	}}
	a.start(st)
	return a
}

func (a *testAPI) start(st *store.Store) {
	ctx, cancel := context.WithCancel(context.Background())
	hs := a.server.http(ctx)
	hs.Handler = newSpecCheck(a.t, a.server)
	served := make(chan error, 1)
	go func() { served <- serveUntil(ctx, hs, a.ln) }()
	a.t.Cleanup(func() {
		cancel()
		a.http.CloseIdleConnections()
		a.client.Close()
		if err := <-served; err != nil {
			a.t.Errorf("serve: %v", err)
		}
		if err := st.Close(); err != nil {
			a.t.Errorf("close the store: %v", err)
		}
	})
}

func (a *testAPI) modemList() []api.Modem {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]api.Modem{}, a.modemed...)
}

func (a *testAPI) troubleNow() *api.Reason {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.trouble
}

func (a *testAPI) set(f func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	f()
}

// reply is an answer read whole.
type reply struct {
	status int
	header http.Header
	body   []byte
}

func (r reply) problem(t *testing.T) problem {
	t.Helper()
	var p problem
	if err := json.Unmarshal(r.body, &p); err != nil {
		t.Fatalf("not a problem: %v: %s", err, r.body)
	}
	if p.Status != r.status || p.Detail == "" || p.Code == "" || p.Title == "" || r.header.Get("Content-Type") != problemType {
		t.Errorf("an incomplete problem: %d %s %s", r.status, r.header.Get("Content-Type"), r.body)
	}
	return p
}

// ask puts a raw request. Header lines are "Name: value".
func (a *testAPI) ask(method, path, body string, header ...string) reply {
	a.t.Helper()
	req, err := http.NewRequestWithContext(a.t.Context(), method, "http://localhost"+path, strings.NewReader(body))
	if err != nil {
		a.t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for _, h := range header {
		name, value, _ := strings.Cut(h, ": ")
		if name == "Host" {
			req.Host = value
			continue
		}
		req.Header.Set(name, value)
	}
	res, err := a.http.Do(req)
	if err != nil {
		a.t.Fatalf("%s %s: %v", method, path, err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		a.t.Fatalf("%s %s: %v", method, path, err)
	}
	return reply{res.StatusCode, res.Header, b}
}

// send accepts one plain message and returns it.
func (a *testAPI) send(to, text string) api.Message {
	a.t.Helper()
	m, _, err := a.client.Send(a.t.Context(), api.SendRequest{To: api.Recipients{to}, Text: &text}, "")
	if err != nil {
		a.t.Fatalf("send: %v", err)
	}
	return m[0]
}

// specCheck is a handler around the API that validates every response.
type specCheck struct {
	t        testing.TB
	next     *server
	compiler *jsonschema.Compiler
	doc      map[string]any
	mu       sync.Mutex
	schemas  map[string]*jsonschema.Schema
}

const specURL = "mem://simpost/openapi.json"

func newSpecCheck(t testing.TB, s *server) *specCheck {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(s.spec()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	c.AssertFormat()
	if err := c.AddResource(specURL, doc); err != nil {
		t.Fatal(err)
	}
	return &specCheck{t: t, next: s, compiler: c, doc: doc.(map[string]any), schemas: map[string]*jsonschema.Schema{}}
}

func (c *specCheck) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	rec := &recorder{ResponseWriter: w}
	c.next.ServeHTTP(rec, r)
	if err := c.check(r, rec); err != nil {
		c.t.Errorf("%s %s answered %d %s against the document: %v\n%.1000s", r.Method, r.URL, rec.status, rec.Header().Get("Content-Type"), err, rec.body.Bytes())
	}
}

// check finds the schema of a response and holds the response against it.
func (c *specCheck) check(r *http.Request, rec *recorder) error {
	if r.Method == http.MethodHead || strings.HasPrefix(r.URL.Path, "/openapi.") && rec.status == http.StatusOK {
		return nil // no body; or the document itself
	}
	media, _, err := mime.ParseMediaType(rec.Header().Get("Content-Type"))
	if err != nil {
		return err
	}
	schema, err := c.schema(r, rec.status, media)
	if err != nil {
		return err
	}
	switch media {
	case mediaSQLite:
		return nil
	case mediaNDJSON, mediaSSE:
		return eachEvent(rec.body.Bytes(), media, func(line []byte) error { return validate(schema, line) })
	}
	return validate(schema, rec.body.Bytes())
}

func validate(schema *jsonschema.Schema, b []byte) error {
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
	if err != nil {
		return err
	}
	return schema.Validate(v)
}

// eachEvent calls f with the JSON of every event of a stream.
func eachEvent(b []byte, media string, f func([]byte) error) error {
	prefix := ""
	if media == mediaSSE {
		prefix = "data: "
	}
	for line := range bytes.Lines(b) {
		line = bytes.TrimSpace(line)
		rest, ok := bytes.CutPrefix(line, []byte(prefix))
		if !ok || len(rest) == 0 {
			continue
		}
		if err := f(rest); err != nil {
			return err
		}
	}
	return nil
}

func (c *specCheck) schema(r *http.Request, status int, media string) (*jsonschema.Schema, error) {
	pointer := "/components/schemas/Problem" // a path or method the document does not have
	if _, path, ok := strings.Cut(r.Pattern, " "); ok {
		response, err := c.response(path, strings.ToLower(r.Method), strconv.Itoa(status))
		if err != nil {
			return nil, err
		}
		pointer = response + "/content/" + escape(media) + "/schema"
	} else if status < 400 || media != problemType {
		return nil, errors.New("not in the document, and not a problem")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if s := c.schemas[pointer]; s != nil {
		return s, nil
	}
	s, err := c.compiler.Compile(specURL + "#" + pointer)
	c.schemas[pointer] = s
	return s, err
}

// response is the pointer to the response of a status, or to the default one.
func (c *specCheck) response(path, method, status string) (string, error) {
	responses := c.doc
	for _, key := range []string{"paths", path, method, "responses"} {
		next, ok := responses[key].(map[string]any)
		if !ok {
			return "", errors.New("the document has no " + key)
		}
		responses = next
	}
	if _, ok := responses[status]; !ok {
		status = "default"
	}
	return "/paths/" + escape(path) + "/" + method + "/responses/" + status, nil
}

func escape(key string) string {
	key = strings.NewReplacer("~", "~0", "/", "~1").Replace(key)
	return strings.NewReplacer("{", "%7B", "}", "%7D").Replace(key)
}

type recorder struct {
	http.ResponseWriter
	status int
	body   bytes.Buffer
}

func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

func (r *recorder) WriteHeader(status int) {
	if r.status != 0 {
		return // the library's note to itself that the client has left
	}
	r.status = status
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) Write(b []byte) (int, error) {
	if r.status == 0 {
		r.WriteHeader(http.StatusOK)
	}
	r.body.Write(b)
	return r.ResponseWriter.Write(b)
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func asAPIError(t *testing.T, err error) *api.Error {
	t.Helper()
	var e *api.Error
	if !errors.As(err, &e) {
		t.Fatalf("got %v, want an *api.Error", err)
	}
	return e
}
