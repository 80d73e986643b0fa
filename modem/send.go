package modem

import (
	"context"
	"errors"
	"fmt"
	"time"

	"simpost/atcmd"
	"simpost/pdu"
)

// Sending. The one rule: what is not known is Unknown. Before ^Z nothing was sent, whatever went wrong. After it only the
// codes that atcmd's tables call unambiguous say that the network does not have the message; all else, silence, a plain
// ERROR and a reference followed by an error included, says nothing.

var errNoReference = errors.New("answered OK without a +CMGS reference: some modems do so for a message they did not send")

// Send submits one TPDU with one AT command and returns its message reference. ready is called while the modem makes up its
// prompt; ^Z leaves only after it returned nil. Every error is a *SendError. A ctx that ends after ^Z makes it Unknown.
func (m *Modem) Send(ctx context.Context, f pdu.Frame, ready func() error) (mr byte, err error) {
	payload, n, err := f.Hex()
	if err != nil {
		return 0, &SendError{Outcome: NotSent, Class: Permanent, Code: -1, MR: -1, Err: err}
	}
	return m.SendHex(ctx, payload, n, ready)
}

// SendHex is Send for a frame already encoded: hex with the SMSC field in front, and the octets of the TPDU alone.
func (m *Modem) SendHex(ctx context.Context, payload string, n int, ready func() error) (mr byte, err error) {
	m.beforeSend(ctx)
	r, err := m.conn.ExecPrompt(ctx, fmt.Sprintf("+CMGS=%d", n), atcmd.Prompt{
		Payload: payload, Ready: ready, Wait: m.cfg.Limits.Prompt, Answer: m.cfg.Limits.Answer,
	})
	m.sent = time.Now()
	if mr, ok := parseMR(r.Lines); ok && err == nil {
		return mr, nil
	}
	if err == nil {
		return 0, &SendError{Outcome: Unknown, Code: -1, MR: -1, Err: errNoReference}
	}
	var failed *atcmd.ExecError
	if !errors.As(err, &failed) {
		panic("modem: atcmd returned an error that is no ExecError")
	}
	if mr, ok := parseMR(failed.Lines); ok && failed.Submitted && !refused(err) {
		return mr, nil // the reference came, the OK behind it did not: the network has it
	}
	return 0, sendError(failed)
}

// linkUp is how long the radio link stays after a message (TS 27.005 3.5.6: 1 to 5 s).
const linkUp = 5 * time.Second

// beforeSend gets the modem ready for a message that follows another. Where the link can be kept that is asked for once:
// a single message has no use for it. Where the modem may still say "please wait", it is asked until it does not.
func (m *Modem) beforeSend(ctx context.Context) {
	if m.sent.IsZero() || time.Since(m.sent) > linkUp {
		return
	}
	if m.dialect.keepsLink && !m.linkKept {
		m.linkKept = true
		m.ask(ctx, "+CMMS=2")
	}
	if m.dialect.waits {
		m.ask(ctx, "+CPMS?")
	}
}

func sendError(e *atcmd.ExecError) *SendError {
	s := &SendError{Outcome: Unknown, Code: codeOf(e), MR: -1, Seq: e.Seq, Err: e}
	if mr, ok := parseMR(e.Lines); ok {
		s.MR = int(mr)
	}
	switch {
	case !e.Submitted:
		s.Outcome, s.Class = NotSent, notSentClass(e)
	case s.MR < 0 && !atcmd.Ambiguous(e):
		s.Outcome, s.Class = Rejected, classes[atcmd.ClassOf(e)]
	}
	return s
}

// notSentClass: without a code nothing is said against the message, only against this moment.
func notSentClass(e *atcmd.ExecError) Class {
	switch {
	case errors.Is(e, atcmd.ErrBadCommand):
		return Permanent
	case codeOf(e) < 0:
		return Temporary
	}
	return classes[atcmd.ClassOf(e)]
}

// classes hands atcmd's judgement on, so that the daemon need not know atcmd.
var classes = map[atcmd.Class]Class{
	atcmd.Unclear: Undecided, atcmd.Temporary: Temporary, atcmd.Permanent: Permanent, atcmd.Operator: Operator,
}
