package modem

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"simpost/atcmd"
)

// Outcome is what is known of a message after Send failed.
type Outcome int

const (
	Unknown  Outcome = iota // the network may have it: never repeat blindly
	NotSent                 // ^Z was never written
	Rejected                // the modem or the network refused it
)

func (o Outcome) String() string {
	switch o {
	case NotSent:
		return "not sent"
	case Rejected:
		return "rejected"
	}
	return "outcome unknown"
}

// Class says what a repeat would meet. With Outcome Unknown it says nothing.
type Class int

const (
	Undecided Class = iota // the code does not tell, or there is none
	Temporary              // the same again, later
	Permanent              // this message never
	Operator               // no message from this SIM until a person acts
)

func (c Class) String() string {
	return [...]string{"undecided", "temporary", "permanent", "operator"}[c]
}

// SendError is every error of Send.
type SendError struct {
	Outcome Outcome
	Class   Class
	Code    int    // of +CMS ERROR or +CME ERROR, -1 without one
	MR      int    // the reference, where the modem told it before it failed; else -1
	Seq     uint64 // of this exchange: Evidence with the same Seq is about this message
	Err     error
}

func (e *SendError) Error() string {
	return fmt.Sprintf("send a message (%v, %v): %v", e.Outcome, e.Class, e.Err)
}

// Account says that the network may refuse everything that this SIM sends, for want of credit say, and not this message.
func (e *SendError) Account() bool {
	var code atcmd.CMSError
	return e.Outcome == Rejected && errors.As(e.Err, &code) && code.Account()
}

// Duplicate says that the service centre refused a copy because it has the message.
func (e *SendError) Duplicate() bool {
	var code atcmd.CMSError
	return e.Outcome == Rejected && errors.As(e.Err, &code) && code.Duplicate()
}

// Unanswered says that the modem said nothing within the limit. Its answer may yet come, and would then be taken for
// that of the message sent next.
func (e *SendError) Unanswered() bool { return e.Outcome == Unknown && Unanswered(e.Err) }

// Unanswered says that a command was given up because nothing was said to it.
func Unanswered(err error) bool {
	return errors.Is(err, atcmd.ErrNoAnswer) || errors.Is(err, atcmd.ErrNoPrompt) || errors.Is(err, context.DeadlineExceeded) || isSilence(err)
}

func (e *SendError) Unwrap() error { return e.Err }

// StartError is every error of Open. Condition is one of
//
//	silent        nothing answers on this port
//	not-a-modem   something answers or talks that is no AT command port
//	sim-absent, sim-failure, sim-busy   the SIM, after the boot limit
//	pin-required  the SIM wants a PIN and none is configured, or it is not 4 to 8 digits
//	pin-refused   the PIN was wrong, now or earlier; it is not tried again
//	pin-guard     two tries or fewer are left, or the try could not be recorded: a person must enter the PIN
//	puk-required  the SIM is blocked
//	device-locked the modem takes the SIMs of one operator only
//	no-sms        the modem has no PDU mode
//	rebooted      the modem restarted while it was brought up, twice
//	config        Config names a dialect that does not exist, or an SMSC that is no number
//	closed        the port died, or ctx ended
type StartError struct {
	Name      string // of the modem, from Config
	Condition string
	Err       error
}

func (e *StartError) Error() string {
	if e.Name == "" {
		return fmt.Sprintf("start modem: %s: %v", e.Condition, e.Err)
	}
	return fmt.Sprintf("start modem %s: %s: %v", e.Name, e.Condition, e.Err)
}

func (e *StartError) Unwrap() error { return e.Err }

func (m *Modem) startError(condition string, err error) *StartError {
	return &StartError{Name: m.cfg.Name, Condition: condition, Err: err}
}

// codeOf is the number of a +CMS or +CME ERROR, -1 without one.
func codeOf(err error) int {
	var cms atcmd.CMSError
	var cme atcmd.CMEError
	switch {
	case errors.As(err, &cms):
		return int(cms)
	case errors.As(err, &cme):
		return int(cme)
	}
	return -1
}

func isCMS(err error, codes ...int) bool {
	var e atcmd.CMSError
	return errors.As(err, &e) && slices.Contains(codes, int(e))
}

func isCME(err error, codes ...int) bool {
	var e atcmd.CMEError
	return errors.As(err, &e) && slices.Contains(codes, int(e))
}

// refused says that the modem gave a final result: it is there, and in step.
func refused(err error) bool {
	var final atcmd.FinalError
	return codeOf(err) >= 0 || errors.As(err, &final)
}

// untold says that the modem answered, and not what was asked.
func untold(err error) bool { return refused(err) || errors.Is(err, errNoLine) }

// misheard says that no reason was given for that: a line that loses bytes may have spoilt the question or its answer.
func misheard(err error) bool { return untold(err) && codeOf(err) < 0 }

// ignoreRefused passes on only what is not the modem's own no.
func ignoreRefused(err error) error {
	if refused(err) {
		return nil
	}
	return err
}

// isSilence says that the conversation ended because nothing was answered, not because the port broke.
func isSilence(err error) bool {
	return errors.Is(err, atcmd.ErrNoResync) || errors.Is(err, atcmd.ErrWriteLimit)
}
