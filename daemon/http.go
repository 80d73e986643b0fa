package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"path"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"simpost/daemon/api"
	"simpost/daemon/store"
)

// The local API: HTTP and JSON on a unix socket. This file is its front door and
// its limits; the other http_*.go hold one subject's handlers each. The OpenAPI
// document is made from the handlers' types, so it cannot say anything else
// than they do.

// Limits of the API. A client that hangs runs into one of them.
const (
	maxBody       = 64 << 10
	maxHeader     = 16 << 10
	headerLimit   = 5 * time.Second  // for a request line and its header to arrive
	bodyLimit     = 5 * time.Second  // for a body to arrive
	writeLimit    = 30 * time.Second // for an answer, or one piece of a stream, to leave
	idleLimit     = 2 * time.Minute
	maxConns      = 256             // more push out those that wait the longest
	shutdownLimit = 2 * time.Second // for requests at work when the daemon stops
)

// apiDeps is what the API needs of the daemon. All fields are required but
// Shut, Trouble, Identify and Now.
type apiDeps struct {
	Store      *store.Store
	Shut       *api.Error // why there is no Store, see shut.go; nil: there is one
	Log        *slog.Logger
	Modems     func() []api.Modem
	ModemNames func() []string // of the configuration, and found
	Wake       func()          // there is new work
	Defaults   sendDefaults
	Version    string
	Started    time.Time
	Database   string             // path; a backup is made beside it
	Trouble    func() *api.Reason // what is wrong with the daemon itself
	Damaged    func(id string)    // told of each message shown that is damaged; nil is allowed
	DiskFull   func()             // told when the disk had no room for a message; nil is allowed
	Guard      *guard             // nil: no limits
	Door       door
	Desks      *desks
	USSD       func(modem string) []string // the codes that the role send may dial
	Console    bool
	Identify   func(net.Conn) peer // nil asks the kernel
	Now        func() time.Time    // nil is time.Now
	Trusted    func() bool         // whether Now can be believed; nil: always
}

// server answers the API.
type server struct {
	apiDeps
	mux     *http.ServeMux
	conns   *connTable
	spec    func() []byte // OpenAPI as JSON, made when it is first asked for
	specY   func() []byte // and as YAML
	streams chan struct{}
	backups chan struct{}
	slows   slows
}

// newAPI makes the API. Its handlers start no goroutines.
func newAPI(deps apiDeps) *server {
	tameHuma()
	if deps.Identify == nil {
		deps.Identify = peerOf
	}
	if deps.Now == nil {
		deps.Now = time.Now
	}
	if deps.Trouble == nil {
		deps.Trouble = func() *api.Reason { return nil }
	}
	s := &server{
		apiDeps: deps, mux: http.NewServeMux(), conns: newConnTable(maxConns),
		streams: make(chan struct{}, maxStreams), backups: make(chan struct{}, 1),
	}
	s.routes()
	return s
}

// formatJSON writes like encoding/json, and refuses what that silently replaces.
var formatJSON = huma.Format{Marshal: huma.DefaultJSONFormat.Marshal, Unmarshal: unmarshalJSON}

// routes registers every operation and makes the document out of them.
func (s *server) routes() {
	h := humago.New(s.mux, huma.Config{
		OpenAPI: &huma.OpenAPI{
			Info: &huma.Info{
				Title: "simpost", Version: s.Version,
				Description: "The local API of simpost, an SMS post office. Every error is a problem (RFC 9457) with a stable code.",
			},
			Servers: []*huma.Server{{URL: "http://localhost", Description: "over the unix socket"}},
		},
		// The library looks application/problem+json up as json.
		Formats:                      map[string]huma.Format{"application/json": formatJSON, "json": formatJSON},
		DefaultFormat:                "application/json",
		RejectUnknownQueryParameters: true,
	})
	s.messageRoutes(h)
	s.eventRoutes(h)
	s.statusRoutes(h)
	s.consoleRoutes(h)
	s.ussdRoutes(h)
	s.simRoutes(h)
	s.broadcastRoutes(h)
	s.signalRoutes(h)

	s.spec = document(func() ([]byte, error) { return json.Marshal(h.OpenAPI()) })
	s.specY = document(h.OpenAPI().YAML)
	s.mux.HandleFunc("GET /openapi.json", s.serveSpec)
	s.mux.HandleFunc("GET /openapi.yaml", s.serveSpec)
}

func document(write func() ([]byte, error)) func() []byte {
	return sync.OnceValue(func() []byte {
		b, err := write()
		if err != nil {
			panic("daemon: the OpenAPI document: " + err.Error())
		}
		return b
	})
}

func (s *server) serveSpec(w http.ResponseWriter, r *http.Request) {
	if strings.HasSuffix(r.URL.Path, ".yaml") {
		w.Header().Set("Content-Type", "application/openapi+yaml")
		w.Write(s.specY())
		return
	}
	w.Header().Set("Content-Type", "application/openapi+json")
	w.Write(s.spec())
}

func unmarshalJSON(b []byte, v any) error {
	if !utf8.Valid(b) {
		return errors.New("the body is not UTF-8")
	}
	return json.Unmarshal(b, v)
}

// ServeHTTP is the front door: who it is, the address it was called by, what the
// operation takes, then the handler. A fault of a handler ends one request and nothing else.
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	defer s.conns.atWork(r.Context())()
	defer s.recover(w, r)
	w.Header().Set("Cache-Control", "no-store")
	if e := s.turnAway(r); e != nil {
		w.Header().Set("Connection", "close")
		refuse(w, e)
		return
	}
	h, pattern := s.mux.Handler(r)
	if pattern == "" || path.Clean(r.URL.Path) != r.URL.Path { // the mux would redirect the latter
		s.noRoute(w, r, h)
		return
	}
	if e := s.Door.refuses(peerFrom(r.Context()), rightTo(pattern)); e != nil {
		refuse(w, e)
		return
	}
	if s.Shut != nil && !openWithoutDatabase[pattern] {
		refuse(w, s.Shut)
		return
	}
	s.mux.ServeHTTP(w, r)
}

// turnAway says why a request may not come in, nil if it may. A browser always
// names where a request comes from (Origin, or at least Referer) and whom it
// believes to call (Host); no client of a unix socket has a reason to. So no web
// page can drive the daemon through a proxy of the socket.
func (s *server) turnAway(r *http.Request) *api.Error {
	if e := s.Door.refuses(peerFrom(r.Context()), 0); e != nil {
		return e
	}
	switch {
	case !localHost(r.Host):
		return api.Errorf(api.CodeBadHost, "the Host of a request is localhost, simpost or empty, not %q", clipEcho(r.Host))
	case r.Header.Get("Origin") != "" || r.Header.Get("Referer") != "":
		return api.Errorf(api.CodeBadHost, "requests of web pages (Origin, Referer) are refused")
	case r.ContentLength != 0 && !isJSON(r.Header.Get("Content-Type")):
		return api.Errorf(api.CodeMediaType, "a body is sent as Content-Type: application/json")
	}
	return nil
}

func localHost(host string) bool { return host == "" || host == "localhost" || host == "simpost" }

func isJSON(contentType string) bool {
	media, _, _ := strings.Cut(contentType, ";")
	return strings.EqualFold(strings.TrimSpace(media), "application/json")
}

// noRoute puts what the mux says of an unknown path or method into our shape.
func (s *server) noRoute(w http.ResponseWriter, r *http.Request, h http.Handler) {
	answer := statusOnly{header: http.Header{}}
	h.ServeHTTP(&answer, r)
	if answer.status != http.StatusMethodNotAllowed {
		refuse(w, api.Errorf(api.CodeNotFound, "nothing is at %s; /openapi.json lists what is", clipEcho(r.URL.Path)))
		return
	}
	allow := answer.header.Get("Allow")
	w.Header().Set("Allow", allow)
	refuse(w, api.Errorf(api.CodeMethodNotAllowed, "%s takes %s", r.URL.Path, allow))
}

// statusOnly is a ResponseWriter that keeps the status and the header.
type statusOnly struct {
	header http.Header
	status int
}

func (s *statusOnly) Header() http.Header         { return s.header }
func (s *statusOnly) WriteHeader(status int)      { s.status = status }
func (s *statusOnly) Write(b []byte) (int, error) { return len(b), nil }

// recover logs a handler's panic. The library panics with an error when the
// answer cannot be written: then the client has left, which is no news.
func (s *server) recover(w http.ResponseWriter, r *http.Request) {
	switch v := recover().(type) {
	case nil:
	case error:
		var op *net.OpError
		if v != http.ErrAbortHandler && !errors.As(v, &op) && !errors.Is(v, context.Canceled) {
			s.panicked(r, v)
		}
		panic(http.ErrAbortHandler)
	default:
		s.panicked(r, v)
		panic(http.ErrAbortHandler)
	}
}

// panicked tells where it was, and what only where the runtime says it: any other
// value, and the path, may hold what a client sent.
func (s *server) panicked(r *http.Request, v any) {
	what := fmt.Sprintf("%T", v)
	if fault, ok := v.(runtime.Error); ok {
		what = fault.Error()
	}
	s.Log.Error("api: panic", "route", r.Pattern, "panic", what, "stack", string(debug.Stack()))
}

// audit logs what a person did, and who it was.
func (s *server) audit(ctx context.Context, what string, attrs ...any) {
	p := peerFrom(ctx)
	s.Log.Info("api: "+what, append(attrs, "uid", p.UID, "pid", p.PID)...)
}

// serve answers on ln until ctx ends, then gives requests at work shutdownLimit.
// It closes ln.
func (s *server) serve(ctx context.Context, ln net.Listener) error {
	return serveUntil(ctx, s.http(ctx), ln)
}

// http is the server with its limits; ctx is the parent of every request's.
func (s *server) http(ctx context.Context) *http.Server {
	return &http.Server{
		Handler:           s,
		ReadHeaderTimeout: headerLimit,
		WriteTimeout:      writeLimit,
		IdleTimeout:       idleLimit,
		MaxHeaderBytes:    maxHeader,
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ConnContext:       s.conns.open(s.Identify),
		ConnState:         s.conns.note,
		ErrorLog:          slog.NewLogLogger(s.Log.Handler(), slog.LevelDebug),
	}
}

func serveUntil(ctx context.Context, hs *http.Server, ln net.Listener) error {
	done := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(done)
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownLimit)
		defer cancel()
		if hs.Shutdown(last) != nil {
			hs.Close()
		}
	})
	err := hs.Serve(ln)
	if stop() {
		hs.Close()
		return fmt.Errorf("answer requests: %w", err)
	}
	<-done
	return nil
}
