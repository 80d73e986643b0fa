package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"simpost/daemon/api"
)

// A waiter follows messages through the daemon's events until all are settled.
type waiter struct {
	app   *app
	c     *api.Client
	goal  api.State
	after int64
}

func (a *app) newWaiter(ctx context.Context, c *api.Client, goal string) (*waiter, error) {
	st, err := c.Status(ctx)
	if err != nil {
		return nil, err
	}
	return &waiter{app: a, c: c, goal: api.State(goal), after: st.LastEvent}, nil
}

// errDone ends a stream of events from inside.
var errDone = errors.New("done")

// reviveDelay is how long to leave a daemon that went away before asking it again.
const reviveDelay = 250 * time.Millisecond

// untilDone calls look, and again after every event that follows the one numbered
// after, until it answers errDone. A daemon that goes away is waited for; then look
// is called without an event.
func untilDone(ctx context.Context, c *api.Client, after int64, look func(*api.Event) error) error {
	for {
		err := look(nil)
		if err == nil {
			err = c.Events(ctx, after, true, func(e api.Event) error { return look(&e) })
		}
		switch {
		case errors.Is(err, errDone):
			return nil
		case !gone(err):
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(reviveDelay):
		}
	}
}

// gone tells a daemon that stopped, and may come back, from one that refused.
func gone(err error) bool {
	var refused *api.Error
	return errors.As(err, &refused) &&
		(refused.Code == api.CodeDaemonNotRunning || refused.Code == api.CodeUnavailable)
}

// wait ends when every message is where it was to go, or can't get there, or when
// ctx ends. Whatever goes wrong, the daemon has the messages: failing here says
// nothing about them.
func (w *waiter) wait(ctx context.Context, messages []api.Message) error {
	open := map[string]api.State{}
	for _, m := range messages {
		open[m.ID] = m.State
	}
	err := untilDone(ctx, w.c, w.after, func(e *api.Event) error { return w.look(ctx, e, open) })
	if err != nil && ctx.Err() == nil {
		fmt.Fprintf(w.app.err, "simpost: the waiting ended: %s\n", clean(err.Error()))
	}
	return w.result(context.WithoutCancel(ctx), messages)
}

// look asks for the message that the event is about, or for all that are open.
func (w *waiter) look(ctx context.Context, e *api.Event, open map[string]api.State) error {
	for id := range open {
		if e != nil && e.Message != id {
			continue
		}
		if err := w.lookAt(ctx, id, open); err != nil {
			return err
		}
	}
	if len(open) == 0 {
		return errDone
	}
	return nil
}

func (w *waiter) lookAt(ctx context.Context, id string, open map[string]api.State) error {
	m, err := w.c.Get(ctx, id)
	if err != nil {
		return err
	}
	if was := open[id]; was != m.State {
		open[id] = m.State
		fmt.Fprintf(w.app.err, "simpost: message %s %s%s\n", id, m.State, because(m))
	}
	if settled(m, w.goal) {
		delete(open, id)
	}
	return nil
}

// settled says whether waiting longer for goal could change anything. A first
// unknown under the resend policy will be decided by the daemon.
func settled(m api.Message, goal api.State) bool {
	switch m.State {
	case api.Failed, api.Expired, api.Cancelled, api.Held, api.Delivered:
		return true
	case api.Sent:
		return goal == api.Sent || !reportOpen(m)
	case api.Unknown:
		return m.OnUnknown != api.OnUnknownResend || m.PossibleDuplicate
	}
	return false
}

// reportOpen says whether a delivery report may still come.
func reportOpen(m api.Message) bool {
	for _, p := range m.Parts {
		if p.Report == api.ReportWaiting || p.Report == api.ReportPending {
			return true
		}
	}
	return false
}

// because is why a message is in its state, if the daemon says.
func because(m api.Message) string {
	switch {
	case m.Error != nil:
		return ": " + clean(m.Error.Message)
	case m.Reason != nil:
		return ": " + clean(m.Reason.Message)
	}
	return ""
}

// result prints how the messages ended and makes the exit status of it.
func (w *waiter) result(ctx context.Context, messages []api.Message) error {
	ctx, cancel := context.WithTimeout(ctx, resultLimit)
	defer cancel()
	worst := exitOK
	var waiting []api.Message
	for i := range messages {
		s := exitUnknown // what the daemon can't be asked now, it may have sent meanwhile
		if m, err := w.c.Get(ctx, messages[i].ID); err == nil {
			messages[i] = m
			s = outcome(m, w.goal)
		}
		if s == exitUnknown || worst == exitOK {
			worst = s
		}
		if unsent(messages[i]) {
			waiting = append(waiting, messages[i])
		}
	}
	if err := w.print(messages); err != nil {
		return err
	}
	switch {
	case worst == exitUnknown:
		return hinted(&exitError{status: exitUnknown, err: errors.New("the outcome is not known yet: do not send it again")},
			"%s tells what becomes of it", w.app.commandLine("show", messages[0].ID))
	case len(waiting) > 0:
		return hinted(&exitError{status: exitFailed, code: codeNotSentYet, err: errors.New(notSentYet(waiting))},
			"%s takes it back", w.app.commandLine("cancel", waiting[0].ID))
	}
	return &exitError{status: worst}
}

// notSentYet is the sentence about messages that certainly have not left.
func notSentYet(waiting []api.Message) string {
	m := waiting[0]
	why := because(m)
	if m.State == api.Scheduled && m.NotBefore != nil {
		why = ": it is for " + m.NotBefore.Local().Format("2006-01-02 15:04:05")
	}
	if more := len(waiting) - 1; more > 0 {
		return fmt.Sprintf("message %s and %d more are not sent yet%s; they stay with the daemon, which sends them when it can", m.ID, more, why)
	}
	return fmt.Sprintf("message %s is not sent yet%s; it stays with the daemon, which sends it when it can", m.ID, why)
}

// unsent says that no octet of m can have reached the network. A message that is
// queued to be repeated is another matter.
func unsent(m api.Message) bool {
	if m.State != api.Queued && m.State != api.Scheduled || m.PossibleDuplicate {
		return false
	}
	return !slices.ContainsFunc(m.Attempts, func(t api.Attempt) bool { return t.State != api.Failed })
}

// resultLimit bounds the last look at the messages, after the waiting.
const resultLimit = 5 * time.Second

func (w *waiter) print(messages []api.Message) error {
	if w.app.json {
		return w.app.printMessages(messages)
	}
	for _, m := range messages {
		if _, err := fmt.Fprintf(w.app.out, "message %s %s%s%s\n", m.ID, m.State, duplicateNote(m), because(m)); err != nil {
			return err
		}
	}
	return nil
}

func duplicateNote(m api.Message) string {
	if m.PossibleDuplicate {
		return " (possible duplicate)"
	}
	return ""
}

// outcome is the exit status that a message's state stands for.
func outcome(m api.Message, goal api.State) int {
	switch m.State {
	case api.Delivered:
		return exitOK
	case api.Sent:
		if goal == api.Sent {
			return exitOK
		}
	case api.Failed, api.Expired, api.Cancelled:
		return exitFailed
	}
	if unsent(m) {
		return exitFailed
	}
	return exitUnknown
}
