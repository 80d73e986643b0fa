package daemon

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"simpost/daemon/api"
	"simpost/daemon/store"
	"simpost/modem"
	"simpost/pdu"
)

// submitGrace is how long an exchange past its ^Z may go on while the daemon
// shuts down; the unit's TimeoutStopSec is longer.
const submitGrace = 60 * time.Second

// answerLast is how long after its ^Z the answer to a message may still come. One that
// comes later than the daemon waits would be taken for the next message's.
const answerLast = 5*time.Minute + 30*time.Second

// answerOwed is how long it may come after the daemon has given it up: a shorter limit
// says that the modem is a faster one.
func answerOwed(limit time.Duration) time.Duration { return min(answerLast-limit, limit) }

// intent commits that a part is about to leave (invariant I1). modem.Send runs
// commit while it waits for the prompt, on a goroutine of its own; close fixes
// the outcome, so that a commit can't come after Send has returned.
type intent struct {
	mu      sync.Mutex
	closed  bool
	attempt int64
	submit  func() (int64, error)
}

var (
	errClosedIntent = errors.New("the exchange has ended")
	errDamaged      = errors.New("what is stored of it has changed on the disk, so it was not sent")
)

func (i *intent) commit() error {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.closed {
		return errClosedIntent
	}
	attempt, err := i.submit()
	if err == nil {
		i.attempt = attempt
	}
	return err
}

// committed is the attempt on disk, 0 if there is none yet.
func (i *intent) committed() int64 {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.attempt
}

func (i *intent) close() int64 {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.closed = true
	return i.attempt
}

// send sends one part, records what became of it and gives it back to the queue.
// Its error ends the session.
func (s *session) send(ctx context.Context, job store.Job) error {
	accepted, err := s.try(ctx, job)
	s.d.queue.release(s.lane, job, accepted)
	return err
}

// try says whether the network took the part.
func (s *session) try(ctx context.Context, job store.Job) (accepted bool, err error) {
	if err := s.sameCard(ctx, cardTrust); err != nil {
		return false, err
	}
	ref := job.Ref
	if ref < 0 {
		ref = job.NextRef
	}
	if job.Damaged {
		s.d.damaged(fmt.Sprint(job.Message))
		return false, s.unsendable(job, api.FlagDamaged, errDamaged)
	}
	frame, mark, err := s.outgoingFrame(job, ref)
	if err != nil {
		return false, s.unsendable(job, "not-sendable", err)
	}
	in := &intent{submit: func() (int64, error) {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		anyTime := !s.d.clock.trusted()
		return s.d.store.Submitting(s.d.now(), store.Submit{Part: job.Part, SIM: s.sim.ID, Modem: s.cfg.Name, Ref: ref,
			Reason: retryReason(job), AnyTime: anyTime, SMSS: s.proofs.last, MR: mark})
	}}
	exchange, done := sendContext(ctx, in)
	mr, err := s.m.Send(exchange, frame, in.commit)
	done()
	attempt := in.close()
	if attempt != 0 {
		s.pace.note(time.Now())
	}
	if err == nil {
		return true, s.sent(attempt, mr)
	}
	return false, s.notSent(ctx, job, attempt, asSendError(err))
}

// sendContext ends when ctx does, but leaves an exchange whose intent is
// committed submitGrace more: its answer is worth more than a fast shutdown.
func sendContext(ctx context.Context, in *intent) (context.Context, func()) {
	exchange, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		if in.committed() == 0 {
			cancel()
			return
		}
		t := time.NewTimer(submitGrace)
		defer t.Stop()
		select {
		case <-t.C:
			cancel()
		case <-exchange.Done():
		}
	})
	return exchange, func() { stop(); cancel() }
}

// outgoingFrame is the frame of job: the stored TPDU under the message's
// concatenation reference. mr is the reference written into it, where that counts.
func (s *session) outgoingFrame(job store.Job, ref int) (f pdu.Frame, mr *byte, err error) {
	t, err := pdu.DecodeMO(job.TPDU)
	if err != nil {
		return f, nil, fmt.Errorf("read the stored part: %w", err)
	}
	submit, ok := t.(*pdu.Submit)
	if !ok {
		return f, nil, fmt.Errorf("the stored part is a %T", t)
	}
	if job.Total > 1 {
		if err := submit.UD.SetConcatRef(uint16(ref), false); err != nil {
			return f, nil, fmt.Errorf("number the part: %w", err)
		}
	}
	mr = s.proofs.mark(submit, job)
	f.TPDU, err = pdu.Encode(submit)
	return f, mr, err
}

func retryReason(job store.Job) string {
	switch {
	case job.Resend:
		return "the attempt before it may have been sent"
	case job.Tries > 0:
		return "the attempt before it was refused for a while"
	}
	return ""
}

// sent records a reference from the network.
func (s *session) sent(attempt int64, mr byte) error {
	s.refused, s.lteRow = nil, 0
	s.d.board.withdraw(s.cfg.Name, api.FindLTE)
	s.d.board.withdraw(s.cfg.Name, api.CondRefused)
	s.proofs.sent(mr)
	s.duties.did(dutySend)
	s.d.board.update(s.cfg.Name, func(m *api.Modem) { m.SentParts++ })
	return s.storeResult(s.d.store.Settle(s.d.now(), store.Settle{Attempt: attempt, State: api.Submitted, MR: int(mr)}))
}

// notSent records a failed Send and says whether the session can go on.
func (s *session) notSent(ctx context.Context, job store.Job, attempt int64, send *modem.SendError) error {
	now := s.d.now()
	v := afterSend(s.d.cfg.Send, send, job.Tries, now)
	s.log.Warn("part not sent", "message", job.Message, "part", job.Seq, "outcome", v.reason.Code, "error", send)
	if err := s.record(ctx, now, job, attempt, send, v); err != nil {
		return err
	}
	silent := modem.Unanswered(send.Err)
	if send.Unanswered() {
		s.owes(time.Now().Add(answerOwed(s.d.cfg.Send.AnswerTimeout)))
	}
	if err := s.m.Err(); err != nil {
		return hungAt(dutySend, silent, err)
	}
	if ctx.Err() != nil {
		return nil
	}
	s.suspect(job, send, v)
	s.suspectLTE(send)
	if err := s.resume(ctx, send); err != nil {
		return hungAt(dutySend, silent, err)
	}
	if silent {
		return s.duties.silent(dutySend, send)
	}
	if send.Outcome != modem.NotSent {
		s.duties.did(dutySend)
	}
	return nil
}

// record writes the verdict on an attempt, or on a part without one.
func (s *session) record(ctx context.Context, now time.Time, job store.Job, attempt int64, send *modem.SendError, v verdict) error {
	var refusal *api.Error
	switch {
	case errors.As(send.Err, &refusal) && attempt == 0:
		return s.refusedIntent(job, refusal)
	case attempt == 0 && ctx.Err() != nil:
		return nil // shutting down: it stays queued, as it was
	case attempt == 0 && v.settle.State == api.Failed:
		return s.unsendable(job, "not-sendable", send)
	case attempt == 0:
		return s.storeResult(s.d.store.Pause(now, job.Part, v.settle.RetryAt, v.reason))
	case v.notSent:
		return s.storeResult(s.d.store.NotSent(now, attempt, v.settle.RetryAt, v.reason))
	}
	if s.proofs.refusedAsDuplicate(job, send) {
		v.settle = store.Settle{State: api.Submitted, MR: job.LastMR, Evidence: "the service centre refused the second copy: it holds the first"}
	}
	if v.settle.State == api.Unknown {
		s.open[send.Seq] = attempt
	}
	v.settle.Attempt = attempt
	return s.storeResult(s.d.store.Settle(now, v.settle))
}

// refusedIntent handles a store that did not commit the intent: nothing was
// sent. A part that is still queued although it may not be sent is left alone for
// a while, so that it does not keep the others waiting.
func (s *session) refusedIntent(job store.Job, refusal *api.Error) error {
	if refusal.Code != api.CodeConflict {
		return s.storeResult(refusal)
	}
	now := s.d.now()
	reason := api.Reason{Code: string(refusal.Code), Message: refusal.Message}
	return s.storeResult(s.d.store.Pause(now, job.Part, now.Add(s.d.cfg.Send.RetryFirst), reason))
}

// unsendable gives up on a part that can't be put on the wire.
func (s *session) unsendable(job store.Job, code string, cause error) error {
	s.log.Error("part cannot be sent", "message", job.Message, "part", job.Seq, "error", cause)
	return s.storeResult(s.d.store.GiveUp(s.d.now(), job.Part, api.Reason{Code: code, Message: cause.Error()}))
}

// suspect pauses a modem whose network refuses everybody, or that says that a
// person is needed. Where too few numbers were tried to blame the account, it may be
// they: that is a finding only, and nobody else has to wait.
func (s *session) suspect(job store.Job, send *modem.SendError, v verdict) {
	if v.pause > 0 {
		s.pause(api.CondMayNotSend, v.pause)
		return
	}
	if !send.Account() {
		return
	}
	if s.refused == nil {
		s.refused = map[string]int{}
	}
	s.refused[job.To]++
	switch {
	case len(s.refused) >= refusedRow:
		s.refused = nil
		s.d.board.withdraw(s.cfg.Name, api.CondRefused)
		s.pause(api.CondRefused, operatorPause)
	case refusedAgain(s.refused):
		s.d.board.find(s.cfg.Name, api.CondRefused, fmt.Sprintf("numbers tried: %d, each refused twice or more, the last with code %d", len(s.refused), send.Code))
	}
}

// suspectLTE notes a network that takes no messages on LTE.
func (s *session) suspectLTE(send *modem.SendError) {
	if !failsOnLTE(s.status.Access, send) {
		return
	}
	if s.lteRow++; s.lteRow >= lteRow {
		s.d.board.find(s.cfg.Name, api.FindLTE, fmt.Sprintf("%d messages in a row failed on %s, the last with %v", s.lteRow, s.status.Access, send.Err))
	}
}

// owes has the session send nothing until an answer that did not come can't come any more.
func (s *session) owes(until time.Time) {
	s.owed = until
	if d := time.Until(until); d > 0 {
		s.pause(api.CondAnswerOwed, d)
	}
}

// resume proves that the modem still talks, and then starts the quarantine of
// what may have been sent.
func (s *session) resume(ctx context.Context, send *modem.SendError) error {
	switch {
	case send.Outcome == modem.Rejected && send.Class == modem.Operator: // something about the card
		return s.sameCard(ctx, 0)
	case send.Outcome == modem.Rejected:
		return nil // it just answered
	}
	if err := s.m.Ping(ctx); err != nil {
		return fmt.Errorf("after a send that failed: %w", err)
	}
	if err := s.sameCard(ctx, 0); err != nil {
		return err
	}
	if err := s.proveUnstarted(ctx); err != nil || send.Outcome != modem.Unknown {
		return err
	}
	return s.storeResult(s.d.store.Quarantine(s.d.now(), s.sim.ID, s.d.now().Add(s.d.quarantine())))
}
