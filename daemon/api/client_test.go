package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// fakeDaemon answers a Client over in-memory connections; down refuses them.
type fakeDaemon struct {
	http.Server
	conns chan net.Conn
	down  atomic.Bool
	dials atomic.Int32
}

// within runs body in a bubble with a client of a daemon that answers by serve.
func within(t *testing.T, serve http.HandlerFunc, body func(t *testing.T, d *fakeDaemon, c *Client)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		d := &fakeDaemon{conns: make(chan net.Conn)}
		d.Handler = serve
		served := make(chan error)
		go func() { served <- d.Serve(d) }()
		c := &Client{Dial: d.dial}
		body(t, d, c)
		c.Close()
		d.Server.Close()
		<-served
	})
}

func (d *fakeDaemon) dial(ctx context.Context) (net.Conn, error) {
	d.dials.Add(1)
	if d.down.Load() {
		return nil, &net.OpError{Op: "dial", Net: "unix", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
	}
	here, there := net.Pipe()
	d.conns <- there
	return here, nil
}

func (d *fakeDaemon) Accept() (net.Conn, error) {
	c, ok := <-d.conns
	if !ok {
		return nil, net.ErrClosed
	}
	return c, nil
}

func (d *fakeDaemon) Close() error   { close(d.conns); return nil }
func (d *fakeDaemon) Addr() net.Addr { return &net.UnixAddr{Name: "fake", Net: "unix"} }

// hangUp ends the connection without an answer, as a crash does.
func hangUp(w http.ResponseWriter) {
	c, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(err)
	}
	c.Close()
}

func answer(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	io.WriteString(w, body)
}

func hei() SendRequest {
	text := "hei"
	return SendRequest{To: Recipients{"1890"}, Text: &text}
}

func wantCode(t *testing.T, err error, want Code) *Error {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) || e.Code != want {
		t.Fatalf("got %v, want code %s", err, want)
	}
	return e
}

// The daemon commits, and dies before it answers; it is back after a while. The
// message is accepted once.
func TestSendAsksAgainWithTheSameKey(t *testing.T) {
	var keys, bodies []string
	var daemon *fakeDaemon
	serve := func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		keys, bodies = append(keys, r.Header.Get("Idempotency-Key")), append(bodies, string(body))
		if len(keys) == 1 {
			daemon.down.Store(true)
			time.AfterFunc(3*time.Second, func() { daemon.down.Store(false) })
			hangUp(w)
			return
		}
		w.Header().Set("Idempotency-Replayed", "true")
		answer(w, http.StatusAccepted, `[{"id":"7","parts":[]}]`)
	}
	within(t, serve, func(t *testing.T, d *fakeDaemon, c *Client) {
		daemon = d
		m, replayed, err := c.Send(t.Context(), hei(), "")
		if err != nil || !replayed || len(m) != 1 || m[0].ID != "7" {
			t.Fatalf("got %v, %v, %v", m, replayed, err)
		}
		if len(keys) != 2 || keys[0] == "" || keys[0] != keys[1] || bodies[0] != bodies[1] {
			t.Errorf("keys %q, bodies %q", keys, bodies)
		}
		if bodies[0] != `{"to":["1890"],"text":"hei"}` {
			t.Errorf("body %s", bodies[0])
		}
	})
}

func TestSendGivesUpAndSaysThatNobodyKnows(t *testing.T) {
	n := 0
	within(t, func(w http.ResponseWriter, _ *http.Request) { n++; hangUp(w) }, func(t *testing.T, d *fakeDaemon, c *Client) {
		start := time.Now()
		_, _, err := c.Send(t.Context(), hei(), "order 17")
		e := wantCode(t, err, CodeOutcomeUnknown)
		if !strings.Contains(e.Hint, "order 17") {
			t.Errorf("the hint does not name the key: %q", e.Hint)
		}
		if d := time.Since(start); n != sendTries || d < 10*time.Second || d > 20*time.Second {
			t.Errorf("%d tries in %s", n, d)
		}
	})
}

func TestSendGivesUpWithItsContext(t *testing.T) {
	within(t, func(w http.ResponseWriter, _ *http.Request) { hangUp(w) }, func(t *testing.T, d *fakeDaemon, c *Client) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, _, err := c.Send(ctx, hei(), "k")
		wantCode(t, err, CodeOutcomeUnknown)
	})
}

func TestSendGivesUpWhileItDials(t *testing.T) {
	within(t, func(w http.ResponseWriter, _ *http.Request) { hangUp(w) }, func(t *testing.T, d *fakeDaemon, c *Client) {
		c.Dial = func(ctx context.Context) (net.Conn, error) {
			if d.dials.Load() > 0 {
				<-ctx.Done()
				return nil, ctx.Err()
			}
			return d.dial(ctx)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, _, err := c.Send(ctx, hei(), "k")
		wantCode(t, err, CodeOutcomeUnknown)
	})
}

// A daemon that hangs is left after the answer's limit, and asked again.
func TestSendDoesNotWaitForEver(t *testing.T) {
	n := 0
	serve := func(w http.ResponseWriter, r *http.Request) {
		if n++; n == 1 {
			io.Copy(io.Discard, r.Body) // or the server does not notice that the client leaves
			<-r.Context().Done()
			return
		}
		answer(w, http.StatusAccepted, `[]`)
	}
	within(t, serve, func(t *testing.T, d *fakeDaemon, c *Client) {
		start := time.Now()
		if _, _, err := c.Send(t.Context(), hei(), ""); err != nil {
			t.Error(err)
		}
		if d := time.Since(start); d != answerLimit+firstWait {
			t.Errorf("took %s", d)
		}
	})
}

func TestSendAfterALostAnswer(t *testing.T) {
	for name, c := range map[string]struct {
		answers []string // "" hangs up
		want    Code     // "" is success
		tries   int
	}{
		"shutting down, then back":     {[]string{"", problemJSON(503, CodeUnavailable), `[]`}, "", 3},
		"the disk is full for a while": {[]string{"", problemJSON(507, CodeDiskFull), `[]`}, "", 3},
		"a definite answer":            {[]string{"", problemJSON(409, CodeKeyReused)}, CodeKeyReused, 2},
		"a number is bad for ever":     {[]string{"", problemJSON(422, CodeBadNumber)}, CodeBadNumber, 2},
		"too late to be asked again":   {[]string{"", problemJSON(422, CodeInvalid)}, CodeOutcomeUnknown, 2},
		"a failed commit":              {[]string{problemJSON(500, CodeStorage), `[]`}, "", 2},
		"a full disk at once":          {[]string{problemJSON(507, CodeDiskFull)}, CodeDiskFull, 1},
		"shutting down at once":        {[]string{problemJSON(503, CodeUnavailable)}, CodeUnavailable, 1},
		"refused at once":              {[]string{problemJSON(422, CodeBadNumber)}, CodeBadNumber, 1},
		"half an answer":               {[]string{`[{"id"`, `[]`}, "", 2},
	} {
		t.Run(name, func(t *testing.T) {
			n := 0
			serve := func(w http.ResponseWriter, _ *http.Request) {
				body := c.answers[min(n, len(c.answers)-1)]
				n++
				var p struct{ Status int }
				switch {
				case body == "":
					hangUp(w)
				case json.Unmarshal([]byte(body), &p) == nil && p.Status != 0:
					answer(w, p.Status, body)
				default:
					answer(w, http.StatusAccepted, body)
				}
			}
			within(t, serve, func(t *testing.T, d *fakeDaemon, cl *Client) {
				_, _, err := cl.Send(t.Context(), hei(), "k")
				if c.want != "" {
					wantCode(t, err, c.want)
				} else if err != nil {
					t.Error(err)
				}
				if n != c.tries {
					t.Errorf("%d tries, want %d", n, c.tries)
				}
			})
		})
	}
}

func problemJSON(status int, code Code) string {
	return fmt.Sprintf(`{"status":%d,"code":%q,"detail":"no"}`, status, code)
}

func TestNoDaemonIsSaidAtOnce(t *testing.T) {
	within(t, nil, func(t *testing.T, d *fakeDaemon, c *Client) {
		d.down.Store(true)
		start := time.Now()
		_, _, err := c.Send(t.Context(), hei(), "")
		if e := wantCode(t, err, CodeDaemonNotRunning); e.Hint == "" {
			t.Error("without a hint")
		}
		_, err = c.Status(t.Context())
		wantCode(t, err, CodeDaemonNotRunning)
		err = c.Events(t.Context(), 0, true, func(Event) error { return nil })
		wantCode(t, err, CodeDaemonNotRunning)
		if time.Since(start) != 0 || d.dials.Load() != 3 {
			t.Errorf("%d dials in %s", d.dials.Load(), time.Since(start))
		}
	})
}

func TestUnreachableSockets(t *testing.T) {
	missing := Client{Socket: filepath.Join(t.TempDir(), "none")}
	_, err := missing.Status(t.Context())
	if e := wantCode(t, err, CodeDaemonNotRunning); !strings.Contains(e.Message, missing.Socket) {
		t.Errorf("got %q", e.Message)
	}
	closed := Client{Dial: func(context.Context) (net.Conn, error) {
		return nil, &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.EACCES)}
	}}
	_, err = closed.Status(t.Context())
	if e := wantCode(t, err, CodeNoPermission); e.Hint == "" {
		t.Errorf("without a hint: %+v", e)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := missing.Status(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestPermissionHintNamesTheGroup(t *testing.T) {
	dir := t.TempDir()
	const gid = 54321 // nobody's
	if err := os.Chown(dir, -1, gid); err != nil {
		if os.Getgid() == 0 {
			t.Fatal(err)
		}
		if hint := permissionHint(filepath.Join(dir, "s")); !strings.Contains(hint, groupName(uint32(os.Getgid()))) {
			t.Errorf("got %q", hint)
		}
		return
	}
	if hint := permissionHint(filepath.Join(dir, "s")); !strings.Contains(hint, "usermod -aG 54321") {
		t.Errorf("got %q", hint)
	}
}

func TestRefusalsKeepEverything(t *testing.T) {
	serve := func(w http.ResponseWriter, _ *http.Request) {
		answer(w, 422, `{"status":422,"code":"bad-number","detail":"two are wrong","hint":"look","errors":[{"location":"to[2]","code":"bad-number","message":"no digits","value":"x"}]}`)
	}
	within(t, serve, func(t *testing.T, d *fakeDaemon, c *Client) {
		_, _, err := c.Send(t.Context(), hei(), "")
		e := wantCode(t, err, CodeBadNumber)
		if e.Error() != "two are wrong" || e.Hint != "look" || len(e.Errors) != 1 || e.Errors[0] != (FieldError{"to[2]", CodeBadNumber, "no digits", "x"}) {
			t.Errorf("got %+v", e)
		}
	})
}

func TestAnswersOfSomethingElse(t *testing.T) {
	within(t, func(w http.ResponseWriter, _ *http.Request) { answer(w, 502, "<html>") }, func(t *testing.T, d *fakeDaemon, c *Client) {
		_, err := c.Status(t.Context())
		wantCode(t, err, CodeInternal)
	})
	within(t, func(w http.ResponseWriter, _ *http.Request) { answer(w, 200, "<html>") }, func(t *testing.T, d *fakeDaemon, c *Client) {
		_, err := c.Status(t.Context())
		wantCode(t, err, CodeUnavailable)
	})
}

func TestPathsAreEscaped(t *testing.T) {
	var got []string
	serve := func(w http.ResponseWriter, r *http.Request) {
		got = append(got, r.Method+" "+r.RequestURI)
		answer(w, 200, `{}`)
	}
	within(t, serve, func(t *testing.T, d *fakeDaemon, c *Client) {
		ctx := t.Context()
		_, err1 := c.Get(ctx, "../status")
		_, err2 := c.Modem(ctx, "a/b?c")
		_, err3 := c.Resolve(ctx, "7", ResolveSent)
		_, err4 := c.List(ctx, ListQuery{Number: "+47&x=1", Limit: 5, After: "9"})
		if err := errors.Join(err1, err2, err3, err4); err != nil {
			t.Fatal(err)
		}
		want := []string{"GET /v1/messages/..%2Fstatus", "GET /v1/modems/a%2Fb%3Fc", "POST /v1/messages/7/resolve",
			"GET /v1/messages?after=9&limit=5&number=%2B47%26x%3D1"}
		if !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

// A stream that breaks, repeats itself and goes quiet gives every event once.
func TestEventsComeBack(t *testing.T) {
	var asked []string
	serve := func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.RawQuery)
		switch len(asked) {
		case 1:
			io.WriteString(w, "{\"seq\":4}\n\n{\"seq\":5}\n{\"se") // torn in the middle of a line
			http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		case 2:
			answer(w, 503, problemJSON(503, CodeUnavailable))
		case 3:
			io.WriteString(w, "{\"seq\":5}\n{\"seq\":6}\n")
			http.NewResponseController(w).Flush()
			<-r.Context().Done() // not even a heartbeat
		default:
			io.WriteString(w, "{\"seq\":7}\n")
		}
	}
	within(t, serve, func(t *testing.T, d *fakeDaemon, c *Client) {
		var got []int64
		stop := errors.New("enough")
		start := time.Now()
		err := c.Events(t.Context(), 3, true, func(e Event) error {
			got = append(got, e.Seq)
			if e.Seq == 7 {
				return stop
			}
			return nil
		})
		if err != stop || !slices.Equal(got, []int64{4, 5, 6, 7}) {
			t.Errorf("got %v, %v", got, err)
		}
		want := []string{"after=3&follow=true", "after=5&follow=true", "after=5&follow=true", "after=6&follow=true"}
		if !slices.Equal(asked, want) {
			t.Errorf("asked %q, want %q", asked, want)
		}
		if d := time.Since(start); d > quietLimit+5*time.Second {
			t.Errorf("took %s", d)
		}
	})
}

func TestEventsEnd(t *testing.T) {
	serve := func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("follow") == "true" {
			http.NewResponseController(w).Flush()
			<-r.Context().Done()
			return
		}
		io.WriteString(w, "{\"seq\":1}\n")
	}
	within(t, serve, func(t *testing.T, d *fakeDaemon, c *Client) {
		n := 0
		if err := c.Events(t.Context(), 0, false, func(Event) error { n++; return nil }); err != nil || n != 1 {
			t.Errorf("%d events, %v", n, err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		if err := c.Events(ctx, 0, true, func(Event) error { return nil }); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
	})
	hang := func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	within(t, hang, func(t *testing.T, d *fakeDaemon, c *Client) {
		start := time.Now()
		err := c.Events(t.Context(), 0, true, func(Event) error { return nil })
		wantCode(t, err, CodeUnavailable)
		if d := time.Since(start); d != quietLimit {
			t.Errorf("waited %s for a daemon that hangs", d)
		}
	})
	refuse := func(w http.ResponseWriter, _ *http.Request) { answer(w, 403, problemJSON(403, CodeForbidden)) }
	within(t, refuse, func(t *testing.T, d *fakeDaemon, c *Client) {
		err := c.Events(t.Context(), 0, true, func(Event) error { return nil })
		wantCode(t, err, CodeForbidden)
	})
}

// A backup that stops half way is not taken for a whole one.
func TestBackupThatBreaks(t *testing.T) {
	serve := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "1000")
		io.WriteString(w, "SQLite format 3")
		panic(http.ErrAbortHandler)
	}
	within(t, serve, func(t *testing.T, d *fakeDaemon, c *Client) {
		if err := c.Backup(t.Context(), io.Discard); err == nil {
			t.Error("taken for a whole one")
		}
	})
}

func TestRecipientsTakeBothForms(t *testing.T) {
	for body, want := range map[string]Recipients{
		`"+4790000001"`: {"+4790000001"}, ` "1"`: {"1"}, `["1","2"]`: {"1", "2"}, `[]`: {},
	} {
		var r Recipients
		if err := json.Unmarshal([]byte(body), &r); err != nil || !slices.Equal(r, want) {
			t.Errorf("%s: got %q, %v", body, r, err)
		}
	}
	for _, body := range []string{`1`, `{}`, `[1]`, `true`} {
		var r Recipients
		if err := json.Unmarshal([]byte(body), &r); err == nil {
			t.Errorf("%s: got %q", body, r)
		}
	}
}
