package main

import (
	"context"
	"errors"
	"fmt"
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

// errAllSettled ends the event stream from inside.
var errAllSettled = errors.New("all settled")

// wait ends when every message is where it was to go, or can't get there.
func (w *waiter) wait(ctx context.Context, messages []api.Message) error {
	open := map[string]api.State{}
	for _, m := range messages {
		open[m.ID] = m.State
	}
	err := w.follow(ctx, open)
	if err != nil && !errors.Is(err, errAllSettled) && ctx.Err() == nil {
		return fmt.Errorf("wait: %w", err)
	}
	return w.result(context.WithoutCancel(ctx), messages)
}

// follow reads events until open is empty.
func (w *waiter) follow(ctx context.Context, open map[string]api.State) error {
	if err := w.look(ctx, open); err != nil || len(open) == 0 {
		return err
	}
	return w.c.Events(ctx, w.after, true, func(e api.Event) error {
		if _, ours := open[e.Message]; !ours {
			return nil
		}
		if err := w.lookAt(ctx, e.Message, open); err != nil {
			return err
		}
		if len(open) == 0 {
			return errAllSettled
		}
		return nil
	})
}

func (w *waiter) look(ctx context.Context, open map[string]api.State) error {
	for id := range open {
		if err := w.lookAt(ctx, id, open); err != nil {
			return err
		}
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
	for i := range messages {
		if m, err := w.c.Get(ctx, messages[i].ID); err == nil {
			messages[i] = m
		}
		if s := outcome(messages[i], w.goal); s == exitUnknown || worst == exitOK {
			worst = s
		}
	}
	if err := w.print(messages); err != nil {
		return err
	}
	if worst == exitUnknown {
		return hinted(&exitError{status: exitUnknown, err: errors.New("the outcome is not known yet: do not send it again")},
			"%s tells what becomes of it", w.app.commandLine("show", messages[0].ID))
	}
	return &exitError{status: worst}
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
	return exitUnknown
}
