package daemon

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"simpost/daemon/api"
)

// A subscriber reads the store's log of events at its own pace: nothing is kept
// for it in memory, so a slow one costs nobody anything, and one that does not
// read at all is let go after writeLimit. It comes back with the number of the
// last event it saw and misses nothing.

const (
	maxStreams = 64               // subscribers at once
	eventBatch = 100              // events read from the log at a time
	heartbeat  = 15 * time.Second // of a stream in which nothing happens

	mediaSSE    = "text/event-stream"
	mediaNDJSON = "application/x-ndjson"
)

type eventsInput struct {
	After  int64  `query:"after" minimum:"0" doc:"number of the last event already seen; 0 is from the first"`
	Follow bool   `query:"follow" default:"true" doc:"wait for more at the end of the log"`
	LastID string `header:"Last-Event-ID" doc:"as after; what a browser's EventSource sends when it comes back"`
	Accept string `header:"Accept" hidden:"true"` // a document says it by the answer's media types
}

// streamOutput writes its answer itself.
type streamOutput struct {
	Body func(huma.Context)
}

func (s *server) eventRoutes(h huma.API) {
	event := h.OpenAPI().Components.Schemas.Schema(eventType, true, "")
	huma.Register(h, huma.Operation{
		OperationID: "events", Method: http.MethodGet, Path: "/v1/events",
		Summary:     "Follow what happens",
		Description: "Server-sent events whose data is an Event and whose id is its number, or JSON lines. JSON lines are sent when Accept names a JSON type (application/x-ndjson, application/jsonl, application/json) and not text/event-stream. Comments (blank lines) every 15 s show that the line is alive.",
		Responses: map[string]*huma.Response{"200": {
			Description: "Events, in order, without gaps; each line or data field is one of the schema",
			Content:     map[string]*huma.MediaType{mediaSSE: {Schema: event}, mediaNDJSON: {Schema: event}},
		}},
	}, s.events)
}

func (s *server) events(ctx context.Context, in *eventsInput) (*streamOutput, error) {
	after := in.After
	if in.LastID != "" {
		last, err := strconv.ParseInt(in.LastID, 10, 64)
		if err != nil || last < 0 {
			return nil, problemOf(api.Errorf(api.CodeInvalid, "Last-Event-ID is the number of an event, not %q", clipEcho(in.LastID)))
		}
		after = last
	}
	select {
	case s.streams <- struct{}{}:
	default:
		return nil, problemOf(api.Errorf(api.CodeUnavailable, "%d programs follow the events already", maxStreams))
	}
	return &streamOutput{Body: func(hc huma.Context) {
		defer func() { <-s.streams }()
		r, w := humago.Unwrap(hc)
		st := stream{w: w, rc: http.NewResponseController(w), lines: wantsLines(in.Accept)}
		follow := in.Follow && r.Method != http.MethodHead // whose answer is complete with its header
		st.veiled = s.Door.roles(peerFrom(ctx))&roleReadContent == 0
		if err := s.follow(r.Context(), &st, after, follow); err != nil && r.Context().Err() == nil {
			s.Log.Debug("api: a stream of events ended", "error", err)
		}
	}}, nil
}

// wantsLines reads Accept: JSON lines go by several names, none of them registered.
func wantsLines(accept string) bool {
	return strings.Contains(accept, "json") && !strings.Contains(accept, mediaSSE)
}

// follow writes the log from after on, until its end or for ever.
func (s *server) follow(ctx context.Context, st *stream, after int64, forEver bool) error {
	if err := st.open(); err != nil {
		return err
	}
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	for {
		changed := s.Store.Changed() // before reading, or a change in between is missed
		n, err := s.copyEvents(st, &after)
		switch {
		case err != nil:
			return err
		case n == eventBatch && ctx.Err() == nil:
			continue
		case !forEver:
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-changed:
		case <-beat.C:
			if err := st.beat(); err != nil {
				return err
			}
		}
	}
}

// copyEvents writes one batch and moves after behind it.
func (s *server) copyEvents(st *stream, after *int64) (int, error) {
	events, err := s.Store.Events(*after, eventBatch)
	if err != nil {
		return 0, fmt.Errorf("read the events: %w", err)
	}
	if len(events) == 0 {
		return 0, nil
	}
	for _, e := range events {
		if err := st.add(e); err != nil {
			return 0, err
		}
		*after = e.Seq
	}
	return len(events), st.flush()
}

// stream writes events in one of the two forms.
type stream struct {
	w      http.ResponseWriter
	rc     *http.ResponseController
	lines  bool
	veiled bool // the reader may not see numbers and texts
	buf    bytes.Buffer
}

func (st *stream) open() error {
	media := mediaSSE
	if st.lines {
		media = mediaNDJSON
	}
	st.w.Header().Set("Content-Type", media)
	st.w.WriteHeader(http.StatusOK)
	return st.flush()
}

func (st *stream) add(e api.Event) error {
	if st.veiled {
		veilEvent(&e)
	}
	b, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("encode event %d: %w", e.Seq, err)
	}
	if st.lines {
		st.buf.Write(b)
		st.buf.WriteByte('\n')
		return nil
	}
	fmt.Fprintf(&st.buf, "id: %d\nevent: %s\ndata: %s\n\n", e.Seq, e.Type, b)
	return nil
}

func (st *stream) beat() error {
	if st.lines {
		st.buf.WriteByte('\n')
	} else {
		st.buf.WriteString(":\n\n")
	}
	return st.flush()
}

// flush sends what was added. The limit is set anew each time: it is on the
// reader's standing still, not on the stream's length.
func (st *stream) flush() error {
	if err := st.rc.SetWriteDeadline(time.Now().Add(writeLimit)); err != nil {
		return err
	}
	if _, err := st.buf.WriteTo(st.w); err != nil {
		return err
	}
	return st.rc.Flush()
}
