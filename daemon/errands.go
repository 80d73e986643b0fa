package daemon

import (
	"context"
	"time"
)

// Errands are what a session does besides the mail, and only when there is no
// mail to do: each has a time at which it is due, and the session sleeps no
// longer than to the next.

// nextErrand is when the next is due, zero if none is.
func (s *session) nextErrand() time.Time {
	return s.menu.until
}

// errand does what is due.
func (s *session) errand(ctx context.Context, now time.Time) error {
	if due(s.menu.until, now) {
		return s.endMenu(ctx)
	}
	return nil
}

// due says whether a time that may not be set has come.
func due(at, now time.Time) bool { return !at.IsZero() && !at.After(now) }
