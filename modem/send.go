package modem

import (
	"context"
	"errors"
	"fmt"
	"sync"
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
	defer func() { m.sent = time.Now() }()
	if ready == nil {
		ready = func() error { return nil }
	}
	if m.viaStore {
		return m.sendStored(ctx, payload, n, ready)
	}
	ready = sync.OnceValue(ready) // a refusal may come before its end, or before it was called
	cmd, p := fmt.Sprintf("+CMGS=%d", n), atcmd.Prompt{Payload: payload, Ready: ready, Answer: m.cfg.Limits.Answer}
	r, err := m.prompt(ctx, cmd, p)
	if refusesUnseen(err) && isCMS(err, 304) { // the line may have spoilt the length
		r, err = m.prompt(ctx, cmd, p)
	}
	m.viaStore = refusesUnseen(err) && (isCMS(err, 302, 303) || isCME(err, 3, 4)) // it does not send what is not stored
	if m.viaStore {
		return m.sendStored(ctx, payload, n, ready)
	}
	return sent(r, err)
}

// prompt runs a command with a payload, on a modem that is awake and has not lost its settings.
func (m *Modem) prompt(ctx context.Context, cmd string, p atcmd.Prompt) (atcmd.Response, error) {
	m.stir(ctx)
	p.Wait, p.NoEcho = m.cfg.Limits.Prompt, m.quiet
	ctx, done := m.news.untilRestart(ctx)
	defer done()
	r, err := m.conn.ExecPrompt(ctx, cmd, p)
	m.used = time.Now()
	switch failed, _ := errors.AsType[*atcmd.ExecError](err); {
	case errors.Is(err, atcmd.ErrEcho):
		m.news.rebooted()
	case errors.Is(err, context.Canceled) && errors.Is(context.Cause(ctx), errRestarted):
		failed.Err = errRestarted
	}
	return r, err
}

// sent reads the answer to a message: its reference, or a *SendError.
func sent(r atcmd.Response, err error) (mr byte, _ error) {
	if mr, ok := parseMR(r.Lines); ok && err == nil {
		return mr, nil
	}
	if err == nil {
		return 0, &SendError{Outcome: Unknown, Code: -1, MR: -1, Err: errNoReference}
	}
	failed := asExec(err)
	if mr, ok := parseMR(failed.Lines); ok && failed.Submitted && !refused(err) {
		return mr, nil // the reference came, the OK behind it did not: the network has it
	}
	return 0, sendError(failed)
}

func asExec(err error) *atcmd.ExecError {
	failed, ok := errors.AsType[*atcmd.ExecError](err)
	if !ok {
		panic("modem: atcmd returned an error that is no ExecError")
	}
	return failed
}

// refusesUnseen says that the modem refused the command before it was given the payload.
func refusesUnseen(err error) bool {
	failed, ok := errors.AsType[*atcmd.ExecError](err)
	return ok && !failed.Submitted
}

// sendStored writes the message into the modem's memory (AT+CMGW), sends it from there (AT+CMSS), and takes it out again.
// Until AT+CMSS is written nothing is sent. What becomes of it is not known: then it stays, marked as unsent or sent.
func (m *Modem) sendStored(ctx context.Context, payload string, n int, ready func() error) (mr byte, err error) {
	r, err := m.prompt(ctx, fmt.Sprintf("+CMGW=%d", n), atcmd.Prompt{Payload: payload, Answer: m.cfg.Limits.Delete})
	v, ok := value(r.Lines, "+CMGW")
	index, isNumber := number(fields(v), 0)
	switch {
	case err != nil:
		m.viaStore = false // AT+CMGS may have been refused for once only
		return 0, notSent(asExec(err))
	case !ok || !isNumber:
		return 0, &SendError{Outcome: NotSent, Class: Temporary, Code: -1, MR: -1, Err: errors.New("AT+CMGW does not say where the message is")}
	}
	if err := ready(); err != nil {
		m.unstore(ctx, index)
		return 0, &SendError{Outcome: NotSent, Class: Temporary, Code: -1, MR: -1, Err: err}
	}
	r, err = m.once(ctx, m.cfg.Limits.Answer, atcmd.Command{Line: fmt.Sprintf("+CMSS=%d", index)})
	if err != nil {
		failed := *asExec(err)
		failed.Submitted = failed.Sent // the command line is what sends
		err = &failed
	}
	mr, err = sent(r, err)
	if e, ok := errors.AsType[*SendError](err); !ok || e.Outcome != Unknown {
		m.unstore(ctx, index)
	}
	return mr, err
}

// unstore deletes what AT+CMGW wrote, which is in mem2.
func (m *Modem) unstore(ctx context.Context, index int) {
	mem := m.mems[1]
	if mem == "" {
		mem = m.mems[0]
	}
	m.Delete(ctx, mem, index) // what stays is a draft, and no message is lost by it
}

func notSent(e *atcmd.ExecError) *SendError {
	return &SendError{Outcome: NotSent, Class: notSentClass(e), Code: codeOf(e), MR: -1, Seq: e.Seq, Err: e}
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
	if !e.Submitted {
		return notSent(e)
	}
	s := &SendError{Outcome: Unknown, Code: codeOf(e), MR: -1, Seq: e.Seq, Err: e}
	if mr, ok := parseMR(e.Lines); ok {
		s.MR = int(mr)
	}
	if s.MR < 0 && !atcmd.Ambiguous(e) {
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
