package daemon

import (
	"errors"
	"fmt"
	"time"
)

// A modem may answer AT and be dead all the same on the side of SMS: it is silent after
// every ^Z, or when it is to list its messages. Only a restart mends that. So silence
// to these two is counted, and what a session proves is that which it has seen
// answered: that AT is answered says nothing of a list that hangs.

// duty is something that a modem is for.
type duty string

const (
	dutySend duty = "send a message"
	dutyList duty = "list its messages"
)

const (
	// vainTries is how often in a row a duty is tried in vain before the modem is
	// restarted, where it answers else,
	vainTries = 3
	// and vainMore, when all that could be done was done and did not help: what it
	// still does is worth more than to restart it for ever.
	vainMore = 30
)

// muteError ends a session whose modem is silent to a duty.
type muteError struct {
	duty duty
	err  error
}

func (e *muteError) Error() string { return fmt.Sprintf("the modem was to %s: %v", e.duty, e.err) }
func (e *muteError) Unwrap() error { return e.err }

// hungAt is err, after silence to a duty the end of a modem that hung at it.
func hungAt(what duty, silent bool, err error) error {
	if !silent {
		return err
	}
	return &muteError{what, err}
}

// duties are what a session has learnt of them.
type duties struct {
	ailing duty         // that ended an earlier session, and was not seen to work since; "" if none
	tried  bool         // to the end of the ladder, for that
	vain   map[duty]int // silences in a row
	proven time.Time    // the modem did what it was asked for, the ailing duty if there is one
}

// did notes that a duty was answered, however.
func (d *duties) did(what duty) {
	delete(d.vain, what)
	if d.ailing == what {
		d.ailing = ""
	}
	d.works()
}

// works notes an answer to anything.
func (d *duties) works() {
	if d.ailing == "" {
		d.proven = time.Now()
	}
}

// silent notes that a duty was not answered, and says when that is too much.
func (d *duties) silent(what duty, err error) error {
	if d.vain == nil {
		d.vain = map[duty]int{}
	}
	d.vain[what]++
	limit := vainTries
	switch {
	case d.ailing == what && d.tried:
		limit = vainMore
	case d.ailing == what:
		limit = 1
	}
	if d.vain[what] < limit {
		return nil
	}
	return &muteError{what, err}
}

// ails is the duty that err says ended a session, "" if none did.
func ails(err error) duty {
	if m, ok := errors.AsType[*muteError](err); ok {
		return m.duty
	}
	return ""
}
