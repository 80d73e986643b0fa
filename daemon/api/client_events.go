package api

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"
)

// quietLimit is how long a stream of events may be silent before its connection
// counts as dead: three heartbeats of the daemon.
const quietLimit = 45 * time.Second

// Events calls fn for every event after the one numbered after (0 is the first
// of all), in order, each once. With follow it goes on for ever, over restarts
// of the daemon, until ctx ends or fn returns an error, which is then returned
// as it is; without, it ends at the last event there is.
func (c *Client) Events(ctx context.Context, after int64, follow bool, fn func(Event) error) error {
	s := stream{client: c, after: after, follow: follow, fn: fn}
	for {
		err := s.once(ctx)
		switch {
		case s.stopped != nil:
			return s.stopped
		case ctx.Err() != nil:
			return ctx.Err()
		case err == nil && !follow:
			return nil
		case !follow, !s.connected, err != nil && !streamMayPass(err):
			return err
		}
		if !sleep(ctx, time.Second) {
			return ctx.Err()
		}
	}
}

// streamMayPass tells a broken stream from a refused one.
func streamMayPass(err error) bool {
	var e *Error
	return !errors.As(err, &e) || mayPass(err)
}

// stream is one subscription over its connections.
type stream struct {
	client    *Client
	after     int64
	follow    bool
	fn        func(Event) error
	connected bool  // it has worked once, so it is worth trying again
	stopped   error // what fn returned
}

func (s *stream) once(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	watch := time.AfterFunc(quietLimit, cancel)
	defer watch.Stop()
	res, err := s.client.do(ctx, question{
		method: http.MethodGet,
		path:   "/v1/events?after=" + strconv.FormatInt(s.after, 10) + "&follow=" + strconv.FormatBool(s.follow),
		header: http.Header{"Accept": {"application/x-ndjson"}},
	})
	if err != nil && ctx.Err() != nil {
		return Errorf(CodeUnavailable, "the daemon did not answer for %s", quietLimit)
	}
	if err != nil {
		return err
	}
	defer res.Body.Close()
	s.connected = true
	return s.read(json.NewDecoder(&watchedReader{r: res.Body, watch: watch}))
}

func (s *stream) read(lines *json.Decoder) error {
	for {
		var e Event
		switch err := lines.Decode(&e); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return Errorf(CodeUnavailable, "the stream of events broke: %v", err)
		}
		if e.Seq <= s.after {
			continue
		}
		if s.stopped = s.fn(e); s.stopped != nil {
			return s.stopped
		}
		s.after = e.Seq
	}
}

// watchedReader puts off the watch with every octet; the daemon's heartbeat is a
// blank line, which JSON does not see.
type watchedReader struct {
	r     io.Reader
	watch *time.Timer
}

func (w *watchedReader) Read(p []byte) (int, error) {
	n, err := w.r.Read(p)
	w.watch.Reset(quietLimit)
	return n, err
}
