package daemon

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"simpost/daemon/api"
)

// open starts a stream and returns its lines.
func (a *testAPI) open(ctx context.Context, path string, header ...string) (*bufio.Reader, func()) {
	a.t.Helper()
	req, err := http.NewRequestWithContext(ctx, "GET", "http://localhost"+path, nil)
	if err != nil {
		a.t.Fatal(err)
	}
	for _, h := range header {
		name, value, _ := strings.Cut(h, ": ")
		req.Header.Set(name, value)
	}
	res, err := a.http.Do(req)
	if err != nil {
		a.t.Fatal(err)
	}
	if res.StatusCode != http.StatusOK {
		a.t.Fatalf("%s: %s", path, res.Status)
	}
	return bufio.NewReader(res.Body), func() { res.Body.Close() }
}

func line(t *testing.T, r *bufio.Reader) string {
	t.Helper()
	s, err := r.ReadString('\n')
	if err != nil {
		t.Fatalf("the stream ended: %v", err)
	}
	return strings.TrimSuffix(s, "\n")
}

func TestEventsAsServerSentEvents(t *testing.T) {
	a := newTestAPI(t)
	a.send("1890", "before")
	r, stop := a.open(t.Context(), "/v1/events")
	defer stop()
	read := func(seq, id string) {
		t.Helper()
		if got := line(t, r); got != "id: "+seq {
			t.Errorf("got %q, want id %s", got, seq)
		}
		if got := line(t, r); got != "event: message.accepted" {
			t.Errorf("got %q", got)
		}
		data, ok := strings.CutPrefix(line(t, r), "data: ")
		var e api.Event
		if err := json.Unmarshal([]byte(data), &e); !ok || err != nil || e.Message != id || e.Type != api.EventAccepted {
			t.Errorf("got %q: %v", data, err)
		}
		if got := line(t, r); got != "" {
			t.Errorf("got %q, want a blank line", got)
		}
	}
	read("1", "1")
	a.send("1890", "while following")
	read("2", "2")
}

func TestEventsFromWhereOneLeftOff(t *testing.T) {
	a := newTestAPI(t)
	for range 3 {
		a.send("1890", "x")
	}
	for name, c := range map[string]struct {
		path   string
		header []string
		want   []int64
	}{
		"after":                        {"/v1/events?after=1&follow=false", nil, []int64{2, 3}},
		"from the first":               {"/v1/events?follow=false", nil, []int64{1, 2, 3}},
		"Last-Event-ID":                {"/v1/events?follow=false", []string{"Last-Event-ID: 2"}, []int64{3}},
		"Last-Event-ID is the later":   {"/v1/events?after=0&follow=false", []string{"Last-Event-ID: 2"}, []int64{3}},
		"nothing new":                  {"/v1/events?after=3&follow=false", nil, nil},
		"a number that is not there":   {"/v1/events?after=99&follow=false", nil, nil},
		"JSON lines after the first":   {"/v1/events?after=1&follow=false", []string{"Accept: application/x-ndjson"}, []int64{2, 3}},
		"JSON lines by another name":   {"/v1/events?after=2&follow=false", []string{"Accept: application/jsonl"}, []int64{3}},
		"events before JSON":           {"/v1/events?after=2&follow=false", []string{"Accept: text/event-stream, application/json"}, []int64{3}},
		"JSON lines among other types": {"/v1/events?after=2&follow=false", []string{"Accept: application/x-ndjson, */*;q=0.1"}, []int64{3}},
	} {
		t.Run(name, func(t *testing.T) {
			r := a.ask("GET", c.path, "", c.header...)
			var got []int64
			media := r.header.Get("Content-Type")
			err := eachEvent(r.body, media, func(b []byte) error {
				var e api.Event
				err := json.Unmarshal(b, &e)
				got = append(got, e.Seq)
				return err
			})
			if err != nil || !slices.Equal(got, c.want) {
				t.Errorf("got %v (%s), want %v: %v", got, media, c.want, err)
			}
			if want := map[bool]string{true: mediaNDJSON, false: mediaSSE}[strings.Contains(name, "JSON lines")]; media != want {
				t.Errorf("it came as %s, want %s", media, want)
			}
		})
	}
	for _, path := range []string{"/v1/events?after=-1", "/v1/events?after=x", "/v1/events?follow=maybe"} {
		if r := a.ask("GET", path, ""); r.status != http.StatusUnprocessableEntity {
			t.Errorf("%s: got %d %s", path, r.status, r.body)
		}
	}
	r := a.ask("GET", "/v1/events", "", "Last-Event-ID: yesterday")
	if p := r.problem(t); p.Code != api.CodeInvalid {
		t.Errorf("got %s", r.body)
	}
}

// It would hold its place, and its connection, for ever.
func TestHeadOfEventsEnds(t *testing.T) {
	a := newTestAPI(t)
	for range 2 * maxStreams {
		if r := a.ask("HEAD", "/v1/events", ""); r.status != http.StatusOK || len(r.body) != 0 {
			t.Fatalf("got %d %s", r.status, r.body)
		}
	}
}

// More events than one batch, through the client, each once and in order.
func TestClientFollowsEvents(t *testing.T) {
	a := newTestAPI(t)
	const n = 2*eventBatch + 10
	to := make(api.Recipients, n/2)
	for i := range to {
		to[i] = "1890"
	}
	text := "x"
	send := func() {
		if _, _, err := a.client.Send(t.Context(), api.SendRequest{To: to, Text: &text}, ""); err != nil {
			t.Error(err)
		}
	}
	send()
	done, sent := errors.New("enough"), make(chan struct{})
	want := int64(1)
	err := a.client.Events(t.Context(), 0, true, func(e api.Event) error {
		if e.Seq != want {
			t.Errorf("got event %d, want %d", e.Seq, want)
		}
		if want++; want == n/4 {
			go func() { defer close(sent); send() }()
		}
		if e.Seq == n {
			return done
		}
		return nil
	})
	if err != done || want != n+1 {
		t.Errorf("ended at %d with %v", want, err)
	}
	<-sent
	count := 0
	if err := a.client.Events(t.Context(), n/2, false, func(api.Event) error { count++; return nil }); err != nil || count != n/2 {
		t.Errorf("without follow: %d events, %v", count, err)
	}
}

func TestStreamsAreLimited(t *testing.T) {
	a := newTestAPI(t)
	for range maxStreams {
		_, stop := a.open(t.Context(), "/v1/events")
		defer stop()
	}
	r := a.ask("GET", "/v1/events", "")
	if p := r.problem(t); r.status != http.StatusServiceUnavailable || p.Code != api.CodeUnavailable {
		t.Errorf("got %d %s", r.status, r.body)
	}
}

// In a stream where nothing happens a blank line comes every 15 s, and the
// stream outlives every time limit of the server.
func TestHeartbeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newTestAPI(t)
		for _, c := range []struct{ accept, beat string }{{mediaNDJSON, ""}, {mediaSSE, ":"}} {
			r, stop := a.open(t.Context(), "/v1/events", "Accept: "+c.accept)
			start := time.Now()
			for range 20 {
				if got := line(t, r); got != c.beat {
					t.Errorf("got %q, want %q", got, c.beat)
				}
				if c.beat != "" {
					line(t, r) // a comment ends with a blank line
				}
			}
			if d := time.Since(start); d != 20*heartbeat {
				t.Errorf("20 beats took %s", d)
			}
			stop()
		}
	})
}

// A reader that stands still is let go; others never notice it.
func TestSlowReaderCostsNobodyAnything(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newTestAPI(t)
		c, err := a.ln.dial(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(c, "GET /v1/events HTTP/1.1\r\nHost: simpost\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait() // it is being served, and reads nothing
		start := time.Now()
		a.send("1890", "x")
		if d := time.Since(start); d != 0 {
			t.Errorf("another client waited %s", d)
		}
		<-time.After(writeLimit + time.Second)
		synctest.Wait()
		if n := len(a.streams); n != 0 {
			t.Errorf("%d streams are still held after %s", n, writeLimit)
		}
		c.Close()
	})
}

// Streams end at once when the daemon stops; a request that hangs is given up
// after shutdownLimit.
func TestServeEndsWithTheDaemon(t *testing.T) {
	for name, c := range map[string]struct {
		start string
		limit time.Duration
	}{
		"a stream":    {"GET /v1/events HTTP/1.1\r\nHost: simpost\r\n\r\n", shutdownLimit - 1},
		"half a body": {"POST /v1/segment HTTP/1.1\r\nHost: simpost\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{", shutdownLimit},
		"an idler":    {"GET /healthz HTTP/1.1\r\nHost: simpost\r\n\r\n", shutdownLimit - 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				a := newTestAPI(t)
				ln := newPipeListener()
				served := make(chan error, 1)
				go func() { served <- a.serve(ctx, ln) }()
				conn, err := ln.dial(ctx)
				if err != nil {
					t.Fatal(err)
				}
				go io.Copy(io.Discard, conn)
				if _, err := io.WriteString(conn, c.start); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				start := time.Now()
				cancel()
				if err := <-served; err != nil {
					t.Error(err)
				}
				if d := time.Since(start); d > c.limit {
					t.Errorf("the API took %s to stop", d)
				}
				conn.Close()
			})
		})
	}
}
