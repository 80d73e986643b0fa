package api

import "fmt"

// Error is what the daemon refuses with: a stable code for programs and a
// sentence for people. On the wire it is an RFC 9457 problem whose extension
// members are code, hint and errors.
type Error struct {
	Code    Code         `json:"code"`
	Message string       `json:"detail"`
	Hint    string       `json:"hint,omitempty"`
	Errors  []FieldError `json:"errors,omitempty"`
}

// FieldError is one bad entry of a request: every one is named.
type FieldError struct {
	Field   string `json:"location" doc:"where in the request, such as to[2]"`
	Code    Code   `json:"code"`
	Message string `json:"message"`
	Value   string `json:"value,omitempty"`
}

// Error is the sentence.
func (e *Error) Error() string { return e.Message }

// Errorf makes an Error of code c.
func Errorf(c Code, format string, args ...any) *Error {
	return &Error{Code: c, Message: fmt.Sprintf(format, args...)}
}

// Code is a stable name of an error.
type Code string

// The codes.
const (
	CodeInvalid          Code = "invalid"        // a field has a bad value
	CodeBadNumber        Code = "bad-number"     // not a telephone number
	CodeEmptyText        Code = "empty-text"     // neither text nor data
	CodeTooLong          Code = "too-long"       // more than 255 parts
	CodeNotEncodable     Code = "not-encodable"  // gsm7 was asked for and cannot carry it
	CodeTooMany          Code = "too-many"       // more than 1,000 recipients
	CodeUnknownModem     Code = "unknown-modem"  // no modem of that name in the configuration
	CodeNotFound         Code = "not-found"      // no such message
	CodeConflict         Code = "conflict"       // not in this state
	CodeTooLate          Code = "too-late"       // sent, or may have been
	CodeKeyReused        Code = "key-reused"     // the idempotency key came with another body
	CodeForbidden        Code = "forbidden"      // the peer has no right to
	CodeBadHost          Code = "bad-host"       // Host, Origin or Referer of a web page
	CodeBodyTooLarge     Code = "body-too-large" // over 64 KiB
	CodeBadJSON          Code = "bad-json"       // not JSON, or not of this shape
	CodeDiskFull         Code = "disk-full"      // nothing is accepted until there is room
	CodeStorage          Code = "storage"        // the database failed
	CodeNotReady         Code = "not-ready"      // no modem can send now
	CodeUnavailable      Code = "unavailable"    // shutting down
	CodeInternal         Code = "internal"       // a fault of simpost; logged
	CodeDaemonNotRunning Code = "daemon-not-running"
	CodeNoPermission     Code = "no-permission"     // the socket may not be opened
	CodeOutcomeUnknown   Code = "outcome-unknown"   // the answer was lost: do not repeat without the same key
	CodeSocketBusy       Code = "socket-busy"       // another daemon has the socket
	CodeDatabaseBusy     Code = "database-busy"     // another daemon has the database
	CodeDatabaseNewer    Code = "database-newer"    // written by a later version
	CodeDatabaseCorrupt  Code = "database-corrupt"  // its file is damaged: nothing is accepted or sent
	CodeDatabaseUnsafe   Code = "database-unsafe"   // synchronous below FULL
	CodeDatabaseNotOurs  Code = "database-not-ours" // some other program's file
	CodeConfig           Code = "config"            // the configuration has a mistake
	CodeMethodNotAllowed Code = "method-not-allowed"
	CodeMediaType        Code = "media-type" // a body that is not application/json
	CodeTimeout          Code = "timeout"    // the body did not come in time

	// Of the guard, each with a hint that holds the line of the configuration that lifts it.
	CodeGuardCountry       Code = "guard-country"        // a number in another country than the SIM card
	CodeGuardShortCode     Code = "guard-short-code"     // a short code, or a number with * or #
	CodeGuardPremium       Code = "guard-premium"        // a number that costs extra
	CodeGuardRecipientHour Code = "guard-recipient-hour" // too many parts to one number within an hour
	CodeGuardDay           Code = "guard-day"            // too many parts on one day
	CodeGuardPace          Code = "guard-pace"           // no refusal: why a queued message waits
)
