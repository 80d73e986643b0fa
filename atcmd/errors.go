package atcmd

import (
	"errors"
	"fmt"
)

// What ends an exchange besides the modem's own answer and ctx. ErrClosed, ErrWriteLimit and ErrNoResync also end the
// connection.
var (
	ErrClosed     = errors.New("connection closed")
	ErrWriteLimit = errors.New("port took no bytes within the write limit")
	ErrNoResync   = errors.New("modem did not answer after a command was given up")
	ErrNoPrompt   = errors.New("modem did not ask for the payload in time")
	ErrNoAnswer   = errors.New("modem did not answer in time after the payload")
	ErrEcho       = errors.New("the modem echoes again: it was reset and has lost its settings")
	ErrBadCommand = errors.New("command is not printable ASCII, payload is not hex, or either is too long")

	errStuck      = errors.New("port held a goroutine past the close limit")
	errAnswerSize = errors.New("answer is too long")
	errGone       = errors.New("exchange was given up")
)

// ExecError says how far an exchange came before Err ended it.
type ExecError struct {
	Seq       uint64   // matches URC.Seq of evidence that comes late; 0 if nothing was written
	Verb      string   // the command without its arguments
	Sent      bool     // the command line was handed to the port
	Submitted bool     // ^Z was handed to the port: the message may be out
	Lines     []string // of the answer that came before the error
	Err       error    // CMEError, CMSError, FinalError, ctx.Err(), Prompt.Ready's error, Conn.Err() or one of the sentinels
}

func (e *ExecError) Error() string {
	how := ""
	switch {
	case e.Submitted:
		how = " after the payload"
	case !e.Sent:
		how = " before it was written"
	}
	return fmt.Sprintf("AT%s%s: %v", e.Verb, how, e.Err)
}

func (e *ExecError) Unwrap() error { return e.Err }

// FinalError is a final result that means failure without a code, as the modem wrote it.
type FinalError string

func (e FinalError) Error() string { return string(e) }
