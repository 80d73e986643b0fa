package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"simpost/daemon/api"
)

// The exit statuses.
const (
	exitOK      = 0
	exitFailed  = 1 // refused or failed, or not done when the waiting ended
	exitUsage   = 2 // the command line is wrong
	exitUnknown = 3 // it may have happened: do not repeat it blindly
)

// exitError ends the program with a status of its own. A nil err says nothing
// more: what there is to say has been printed.
type exitError struct {
	status int
	code   api.Code // "" for the one that goes with the status
	err    error
	hint   string
}

func (e *exitError) Error() string {
	if e.err == nil {
		return ""
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

// usagef says what is wrong with the command line.
func usagef(format string, args ...any) error {
	return &exitError{status: exitUsage, err: fmt.Errorf(format, args...)}
}

// hinted adds the remedy to err.
func hinted(err error, format string, args ...any) error {
	e := &exitError{status: status(err), err: err, hint: fmt.Sprintf(format, args...)}
	var inner *exitError
	if errors.As(err, &inner) {
		e.code = inner.code
	}
	return e
}

// status is the exit status of err.
func status(err error) int {
	var exit *exitError
	var refused *api.Error
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &exit):
		return exit.status
	case errors.As(err, &refused) && refused.Code == api.CodeOutcomeUnknown:
		return exitUnknown
	}
	return exitFailed
}

// complain prints err for people, or for programs as the API's problem.
func complain(w io.Writer, err error, asJSON bool) {
	if err == nil || err.Error() == "" || errors.Is(err, context.Canceled) {
		return
	}
	problem := problemOf(err)
	if asJSON {
		if problem.Code == "" {
			problem.Code = ownCode(err)
		}
		_ = json.NewEncoder(w).Encode(problem)
		return
	}
	for line := range strings.Lines(problem.Message + codeOf(problem)) {
		fmt.Fprintf(w, "simpost: %s\n", clean(strings.TrimRight(line, "\r\n")))
	}
	for _, f := range problem.Errors {
		if len(problem.Errors) == 1 && strings.Contains(problem.Message, f.Message) {
			break // the sentence has said it
		}
		fmt.Fprintf(w, "simpost:   %s: %s%s\n", f.Field, clean(f.Message), valueOf(f))
	}
	if problem.Hint != "" {
		fmt.Fprintf(w, "simpost: hint: %s\n", clean(problem.Hint))
	}
}

// The codes of what no daemon has refused.
const (
	codeUsage  api.Code = "usage"
	codeFailed api.Code = "failed"
	// The waiting ended while the message was certainly not sent: it still will be.
	codeNotSentYet api.Code = "not-sent-yet"
)

func ownCode(err error) api.Code {
	var exit *exitError
	if errors.As(err, &exit) && exit.code != "" {
		return exit.code
	}
	switch status(err) {
	case exitUsage:
		return codeUsage
	case exitUnknown:
		return api.CodeOutcomeUnknown
	}
	return codeFailed
}

// problemOf finds what the daemon said in err, under what the verb added to it.
func problemOf(err error) api.Error {
	var problem api.Error
	var refused *api.Error
	if errors.As(err, &refused) {
		problem = *refused
	}
	problem.Message = err.Error()
	var exit *exitError
	if errors.As(err, &exit) && exit.hint != "" {
		problem.Hint = exit.hint
	}
	return problem
}

func codeOf(p api.Error) string {
	if p.Code == "" {
		return ""
	}
	return " [" + string(p.Code) + "]"
}

// valueOf shows the refused value unless the sentence already does.
func valueOf(f api.FieldError) string {
	if f.Value == "" || strings.Contains(f.Message, f.Value) {
		return ""
	}
	return fmt.Sprintf(" (%q)", f.Value)
}
