package daemon

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"simpost/daemon/api"
	"simpost/daemon/store"
)

func (s *server) messageRoutes(h huma.API) {
	message := h.OpenAPI().Components.Schemas.Schema(messageType, true, "")
	huma.Register(h, huma.Operation{
		OperationID: "send", Method: http.MethodPost, Path: "/v1/messages", DefaultStatus: http.StatusAccepted,
		Summary:      "Send a text or data to one number or to many",
		Description:  "All or none. 202 means: on disk. A single number answers its message, a list answers a list.",
		MaxBodyBytes: maxBody + 1, BodyReadTimeout: bodyLimit, // the library refuses at its limit, not above it
		Responses: map[string]*huma.Response{"202": {
			Description: "Accepted and on disk",
			Content: map[string]*huma.MediaType{"application/json": {Schema: &huma.Schema{
				OneOf: []*huma.Schema{message, {Type: huma.TypeArray, Items: message}},
			}}},
		}},
	}, s.send)
	huma.Register(h, huma.Operation{
		OperationID: "list", Method: http.MethodGet, Path: "/v1/messages",
		Summary: "List messages, newest first",
	}, s.list)
	huma.Register(h, huma.Operation{
		OperationID: "get", Method: http.MethodGet, Path: "/v1/messages/{id}",
		Summary: "One message with its parts, attempts and reports",
	}, s.get)
	huma.Register(h, huma.Operation{
		OperationID: "cancel", Method: http.MethodDelete, Path: "/v1/messages/{id}", DefaultStatus: http.StatusOK,
		Summary: "Take back a message that was not sent yet; 409 when it is too late",
	}, s.cancel)
	huma.Register(h, huma.Operation{
		OperationID: "resolve", Method: http.MethodPost, Path: "/v1/messages/{id}/resolve", DefaultStatus: http.StatusOK,
		Summary:      "Decide what becomes of a held or unknown message",
		MaxBodyBytes: maxBody + 1, BodyReadTimeout: bodyLimit,
	}, s.resolve)
	huma.Register(h, huma.Operation{
		OperationID: "segment", Method: http.MethodPost, Path: "/v1/segment", DefaultStatus: http.StatusOK,
		Summary:      "Preview: alphabet, parts, what transliteration would change",
		MaxBodyBytes: maxBody + 1, BodyReadTimeout: bodyLimit,
	}, s.segment)
}

// answer is the body of an operation that has one.
type answer[T any] struct{ Body T }

type sendInput struct {
	Key  string `header:"Idempotency-Key" maxLength:"255" pattern:"^[ -~]+$" patternDescription:"printable ASCII" doc:"makes repeating harmless for 7 days: the same key and request answer the same messages"`
	Body sendRequest
}

type sendOutput struct {
	Replayed string `header:"Idempotency-Replayed" enum:"true" doc:"the key was known: nothing new was accepted"`
	Body     any
}

// sendRequest is api.SendRequest that remembers in which form the recipients came.
type sendRequest struct {
	To recipients `json:"to" doc:"a number, or up to 1,000: +47 900 00 001, 0047..., a national number or a short code"`
	api.SendRequest
}

// recipients is api.Recipients that remembers its form.
type recipients struct {
	numbers []string
	single  bool
	wrong   []api.FieldError // entries that are not strings
}

// Schema is what the document shows. The library would check it too, but could
// only say that none of both forms matched; UnmarshalJSON names the entry.
func (recipients) Schema(huma.Registry) *huma.Schema {
	number := map[string]any{"type": "string"}
	return &huma.Schema{Extensions: map[string]any{"oneOf": []any{
		number, map[string]any{"type": "array", "items": number},
	}}}
}

func (r *recipients) UnmarshalJSON(b []byte) error {
	var list []json.RawMessage
	r.single = !bytes.HasPrefix(b, []byte{'['})
	if r.single {
		list = append(list, b)
	} else if err := json.Unmarshal(b, &list); err != nil {
		return err
	}
	for i, entry := range list {
		var number string
		if err := json.Unmarshal(entry, &number); err != nil || bytes.Equal(entry, []byte("null")) {
			r.wrong = append(r.wrong, api.FieldError{
				Field: r.location(i), Code: api.CodeBadNumber,
				Message: "a number is written in quotes", Value: clipEcho(string(entry)),
			})
		}
		r.numbers = append(r.numbers, number)
	}
	return nil
}

// MarshalJSON is the canonical form, which tells the two forms apart.
func (r recipients) MarshalJSON() ([]byte, error) {
	if r.single && len(r.numbers) == 1 {
		return json.Marshal(r.numbers[0])
	}
	return json.Marshal(r.numbers)
}

func (r recipients) location(i int) string {
	if r.single {
		return "to"
	}
	return fmt.Sprintf("to[%d]", i)
}

func (s *server) send(ctx context.Context, in *sendInput) (*sendOutput, error) {
	req := &in.Body
	if len(req.To.wrong) > 0 {
		return nil, problemOf(fieldErrors(req.To.wrong))
	}
	got, err := s.accept(s.Now(), peerFrom(ctx), in)
	if err != nil {
		return nil, s.fail(ctx, err)
	}
	s.shown(ctx, got.Messages)
	out := &sendOutput{Body: got.Messages}
	if got.Replayed {
		out.Replayed = "true"
	} else {
		s.Wake()
	}
	if req.To.single {
		out.Body = got.Messages[0]
	}
	return out, nil
}

// accept asks for a replay first: what was accepted under a key is answered
// again, though `expires` has passed since, or the modem has another name.
func (s *server) accept(now time.Time, p peer, in *sendInput) (store.Accepted, error) {
	key, unkeyed := keyOf(p, in) // a time that JSON can't tell has no canonical form, and is refused below
	if key != nil {
		if got, known, err := s.Store.Replay(now, *key); err != nil || known {
			return got, err
		}
	}
	req := &in.Body
	req.SendRequest.To = req.To.numbers
	defaults := s.Defaults
	defaults.Rules = s.Guard.rules(req.Modem)
	past := now
	if s.Trusted != nil && !s.Trusted() {
		past = clockFloor // a clock that may be years ahead calls nothing later than this late
	}
	messages, refusal := compose(req.SendRequest, defaults, s.ModemNames(), past)
	if refusal != nil {
		return store.Accepted{}, req.To.relocate(refusal)
	}
	if unkeyed != nil {
		return store.Accepted{}, unkeyed
	}
	got, err := s.Store.EnqueueWithin(now.Local(), key, messages, s.Guard.budget())
	if isDiskFull(err) && s.DiskFull != nil {
		s.DiskFull()
	}
	if got.Alarm {
		s.Log.Warn("most of the parts that may be accepted today are used up", "parts_per_day", s.Guard.cfg.PartsPerDay)
	}
	if over := s.Guard.over(err); over != nil {
		return got, req.To.relocate(over)
	}
	return got, err
}

// relocate names the one number "to" where it was not a list.
func (r recipients) relocate(e *api.Error) *api.Error {
	if r.single && len(e.Errors) > 0 {
		for i := range e.Errors {
			if e.Errors[i].Field == "to[0]" {
				e.Errors[i].Field = "to"
			}
		}
		e.Message = summary(e.Errors)
	}
	return e
}

// keyOf is the idempotency key of a request, nil if it has none: it is the
// caller's own, and bound to the request in its canonical form, so that neither
// spacing nor the order of keys matters.
func keyOf(p peer, in *sendInput) (*store.Key, error) {
	if in.Key == "" {
		return nil, nil
	}
	body := in.Body
	if body.NotBefore != nil {
		t := body.NotBefore.UTC()
		body.NotBefore = &t
	}
	if body.Expires != nil {
		t := body.Expires.UTC()
		body.Expires = &t
	}
	canonical, err := json.Marshal(body)
	if err != nil {
		return nil, fmt.Errorf("canonical form of a request: %w", err)
	}
	return &store.Key{Caller: "uid:" + strconv.FormatUint(uint64(p.UID), 10), Key: in.Key, Hash: sha256.Sum256(canonical)}, nil
}

type listInput struct {
	Direction api.Direction `query:"direction" enum:"out,in"`
	State     api.State     `query:"state" enum:"scheduled,queued,sending,sent,delivered,failed,unknown,held,expired,cancelled,received"`
	Number    string        `query:"number" doc:"recipient or sender, in any spelling with the same digits"`
	Modem     string        `query:"modem"`
	After     string        `query:"after" pattern:"^[0-9]{1,18}$" doc:"the next of the page before"`
	Limit     int           `query:"limit" minimum:"1" maximum:"200" default:"50"`
}

func (s *server) list(ctx context.Context, in *listInput) (*answer[api.Messages], error) {
	if in.Number != "" { // the answer would tell who is behind a mask
		if e := s.Door.refuses(peerFrom(ctx), roleReadContent); e != nil {
			return nil, problemOf(e)
		}
	}
	page, err := s.Store.List(store.Filter(*in))
	if err != nil {
		return nil, s.fail(ctx, err)
	}
	s.noteDamage(page.Messages)
	s.explain(page.Messages)
	s.shown(ctx, page.Messages)
	return &answer[api.Messages]{page}, nil
}

type idInput struct {
	ID string `path:"id" doc:"of the message"`
}

// number is the id as the store counts, or the error of a message that cannot be.
func (in idInput) number() (int64, error) {
	id, err := strconv.ParseInt(in.ID, 10, 64)
	if err != nil || id <= 0 {
		return 0, noMessage(in.ID)
	}
	return id, nil
}

func noMessage(id string) *api.Error {
	return api.Errorf(api.CodeNotFound, "there is no message %q", clipEcho(id))
}

// onMessage runs one operation on one message.
func (s *server) onMessage(ctx context.Context, in idInput, do func(id int64) (api.Message, error)) (*answer[api.Message], error) {
	id, err := in.number()
	if err != nil {
		return nil, s.fail(ctx, err)
	}
	m, err := do(id)
	if err != nil {
		return nil, s.fail(ctx, err)
	}
	one := []api.Message{m}
	s.noteDamage(one)
	s.explain(one)
	s.shown(ctx, one)
	return &answer[api.Message]{one[0]}, nil
}

// explain says what queued messages wait for, where nothing on record does: no
// modem that may send them can send now.
func (s *server) explain(messages []api.Message) {
	var modems []api.Modem
	for i := range messages {
		m := &messages[i]
		if m.State != api.Queued && m.State != api.Sending || m.Reason != nil {
			continue
		}
		if modems == nil {
			modems = s.Modems()
		}
		m.Reason = waitsFor(m.Modem, modems)
	}
}

// waitsFor is the condition that keeps a message from the modem it names, or
// from any; nil if one can send.
func waitsFor(name string, modems []api.Modem) (why *api.Reason) {
	if name != "" {
		why = &api.Reason{Code: string(api.CodeUnknownModem), Message: "modem " + name + " is not in the configuration any more"}
	}
	for _, m := range modems {
		switch {
		case name != "" && m.Name != name:
		case m.CanSend:
			return nil
		case why == nil || m.Name == name:
			why = &api.Reason{Code: string(m.Condition.Code), Message: "modem " + m.Name + ": " + m.Condition.Sentence}
		}
	}
	return why
}

// shown makes of messages what the peer of a request may see. Every message that
// leaves the API has been through it.
func (s *server) shown(ctx context.Context, messages []api.Message) {
	if s.Door.roles(peerFrom(ctx))&roleReadContent != 0 {
		return
	}
	for i := range messages {
		veil(&messages[i])
	}
}

func (s *server) get(ctx context.Context, in *idInput) (*answer[api.Message], error) {
	return s.onMessage(ctx, *in, s.Store.Get)
}

func (s *server) cancel(ctx context.Context, in *idInput) (*answer[api.Message], error) {
	return s.onMessage(ctx, *in, func(id int64) (api.Message, error) {
		s.audit(ctx, "cancel", "message", id)
		return s.Store.Cancel(s.Now(), id)
	})
}

type resolveInput struct {
	ID   string `path:"id" doc:"of the message"`
	Body api.ResolveRequest
}

func (s *server) resolve(ctx context.Context, in *resolveInput) (*answer[api.Message], error) {
	out, err := s.onMessage(ctx, idInput{in.ID}, func(id int64) (api.Message, error) {
		s.audit(ctx, "resolve", "message", id, "action", in.Body.Action)
		return s.Store.Resolve(s.Now(), id, in.Body.Action)
	})
	if err == nil {
		s.Wake()
	}
	return out, err
}

func (s *server) segment(ctx context.Context, in *answer[api.SegmentRequest]) (*answer[api.Segments], error) {
	segments, refusal := preview(in.Body)
	if refusal != nil {
		return nil, problemOf(refusal)
	}
	return &answer[api.Segments]{segments}, nil
}
