package daemon

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"

	"github.com/danielgtaylor/huma/v2"

	"simpost/daemon/api"
)

// Errors on the wire. What the daemon refuses is an *api.Error and goes out as
// it is; anything else is a fault of simpost: it is logged here, once, and the
// client reads only that it happened.

// statusOf is the HTTP status of a code.
func statusOf(c api.Code) int {
	switch c {
	case api.CodeBadJSON:
		return http.StatusBadRequest
	case api.CodeForbidden, api.CodeBadHost, api.CodeNoPermission:
		return http.StatusForbidden
	case api.CodeNotFound:
		return http.StatusNotFound
	case api.CodeMethodNotAllowed:
		return http.StatusMethodNotAllowed
	case api.CodeTimeout:
		return http.StatusRequestTimeout
	case api.CodeConflict, api.CodeTooLate, api.CodeKeyReused:
		return http.StatusConflict
	case api.CodeBodyTooLarge:
		return http.StatusRequestEntityTooLarge
	case api.CodeMediaType:
		return http.StatusUnsupportedMediaType
	case api.CodeInvalid, api.CodeBadNumber, api.CodeEmptyText, api.CodeTooLong, api.CodeNotEncodable,
		api.CodeTooMany, api.CodeUnknownModem, api.CodeGuardCountry, api.CodeGuardShortCode, api.CodeGuardPremium:
		return http.StatusUnprocessableEntity
	case api.CodeGuardRecipientHour, api.CodeGuardDay:
		return http.StatusTooManyRequests
	case api.CodeNotReady, api.CodeUnavailable, api.CodeDatabaseBusy:
		return http.StatusServiceUnavailable
	case api.CodeDiskFull:
		return http.StatusInsufficientStorage
	}
	return http.StatusInternalServerError
}

// problem is api.Error as RFC 9457 wants it on the wire.
type problem struct {
	Type   string           `json:"type" doc:"always about:blank: the code says what it is"`
	Title  string           `json:"title" doc:"the HTTP status in words"`
	Status int              `json:"status" doc:"the HTTP status"`
	Code   api.Code         `json:"code" doc:"stable name of the error"`
	Detail string           `json:"detail" doc:"a sentence for people"`
	Hint   string           `json:"hint,omitempty" doc:"what to do about it"`
	Errors []api.FieldError `json:"errors,omitempty" nullable:"false" doc:"every bad entry of the request"`
}

// problemType is the media type of RFC 9457.
const problemType = "application/problem+json"

func (p *problem) Error() string             { return p.Detail }
func (p *problem) GetStatus() int            { return p.Status }
func (p *problem) ContentType(string) string { return problemType }

func problemOf(e *api.Error) *problem {
	status := statusOf(e.Code)
	return &problem{
		Type: "about:blank", Title: http.StatusText(status), Status: status,
		Code: e.Code, Detail: e.Message, Hint: e.Hint, Errors: e.Errors,
	}
}

// fail makes of any error what a handler returns.
func (s *server) fail(ctx context.Context, err error) error {
	var e *api.Error
	switch {
	case errors.As(err, &e) && e.Code == api.CodeStorage:
		s.Log.Error("api: the database failed", "error", err)
		return problemOf(&api.Error{Code: e.Code, Message: "the database failed", Hint: cmp.Or(e.Hint, logHint)})
	case errors.As(err, &e) && e.Code != api.CodeInternal:
		return problemOf(e)
	case ctx.Err() != nil:
		return problemOf(api.Errorf(api.CodeUnavailable, "the request was given up"))
	}
	s.Log.Error("api: internal error", "error", err)
	return problemOf(internal())
}

func internal() *api.Error {
	e := api.Errorf(api.CodeInternal, "a fault of simpost, not of the request")
	e.Hint = logHint
	return e
}

const logHint = "the daemon's log has the details (journalctl -u simpost)"

// refuse writes e where no huma handler is in charge.
func refuse(w http.ResponseWriter, e *api.Error) {
	p := problemOf(e)
	w.Header().Set("Content-Type", problemType)
	w.WriteHeader(p.Status)
	json.NewEncoder(w).Encode(p) // the status is out; a client that left needs no answer
}

// tameHuma gives the library's own errors our shape, and makes it take field
// names as they are written. It knows no other way than its package variables.
var tameHuma = sync.OnceFunc(func() {
	huma.NewError = humaProblem
	huma.ValidateStrictCasing = true
})

// humaProblem is a failed validation, an unreadable body, or a fault.
func humaProblem(status int, message string, errs ...error) huma.StatusError {
	e := &api.Error{Code: humaCode(status), Message: message}
	if e.Code == api.CodeInternal {
		return problemOf(internal())
	}
	if e.Code == api.CodeBodyTooLarge {
		return problemOf(api.Errorf(e.Code, "the body is larger than %d KiB", maxBody>>10))
	}
	for _, err := range errs {
		if err != nil {
			e.Errors = append(e.Errors, fieldError(e.Code, err))
		}
	}
	if len(e.Errors) > 0 {
		e.Message = summary(e.Errors)
	}
	return problemOf(e)
}

func humaCode(status int) api.Code {
	switch status {
	case http.StatusBadRequest:
		return api.CodeBadJSON
	case http.StatusRequestTimeout:
		return api.CodeTimeout
	case http.StatusRequestEntityTooLarge:
		return api.CodeBodyTooLarge
	case http.StatusUnsupportedMediaType:
		return api.CodeMediaType
	case http.StatusUnprocessableEntity:
		return api.CodeInvalid
	}
	return api.CodeInternal
}

// maxEcho is how much of a bad value an answer repeats.
const maxEcho = 64

func fieldError(code api.Code, err error) api.FieldError {
	detailer, ok := err.(huma.ErrorDetailer)
	if !ok {
		return api.FieldError{Code: code, Message: err.Error()}
	}
	d := detailer.ErrorDetail()
	f := api.FieldError{Field: strings.TrimPrefix(d.Location, "body."), Code: code, Message: d.Message}
	switch v := d.Value.(type) {
	case nil, map[string]any, []any:
	default:
		if f.Field != "body" { // the whole body is no help
			f.Value = clipEcho(fmt.Sprint(v))
		}
	}
	return f
}

func clipEcho(s string) string {
	if len(s) <= maxEcho {
		return s
	}
	return strings.ToValidUTF8(s[:maxEcho], "") + "…"
}

// summary is the sentence over a list of bad entries: the first, and how many more.
func summary(errs []api.FieldError) string {
	first := errs[0].Message
	if errs[0].Field != "" {
		first = errs[0].Field + ": " + first
	}
	if len(errs) == 1 {
		return first
	}
	return fmt.Sprintf("%s (and %d more)", first, len(errs)-1)
}
