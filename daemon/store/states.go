package store

import (
	"fmt"
	"strings"

	"simpost/daemon/api"
)

// This file is the only place that says how a part's state may change, and how a
// message's state follows from its parts. save (parts.go) is the only UPDATE of
// part.state; its WHERE holds the states that the table allows.

// step is something that happens to a part.
type step int

const (
	stepSubmit         step = iota // an attempt is committed: its ^Z may leave
	stepAccepted                   // +CMGS: the network took it
	stepRejected                   // refused for good
	stepRejectUnknown              // the same, of a second attempt: the first may be out
	stepRetry                      // refused for a while, or ^Z never left
	stepLost                       // nobody can say
	stepPause                      // it waits for something else
	stepGiveUp                     // it can't be sent, and never was
	stepProofSent                  // evidence: an attempt that was unknown was accepted
	stepProofRefused               // evidence: it was refused for good
	stepProofRetry                 // evidence: it was refused for a while
	stepDelivered                  // report: the recipient has it
	stepUndelivered                // report: the centre gave up
	stepDecideResend               // policy after the quarantine
	stepDecideHold                 //
	stepDecideFail                 //
	stepDecideStay                 //
	stepResolveResend              // a person
	stepResolveFail                //
	stepResolveSent                //
	stepSibling                    // another part failed: the recipient could never join this one
	stepSiblingUnknown             // the same, of a part that waits for its second attempt
	stepExpire                     // `expires` has passed
	stepExpireUnknown              // the same, of a part that waits for its second attempt
	stepCancel                     // a person, before anything was sent
	stepRestored                   // the database is a copy: it may have been sent since
	steps
)

type transition struct {
	name string
	from []api.State
	to   api.State
}

var transitions = [steps]transition{
	stepSubmit:         {"submit", []api.State{api.Queued}, api.Submitting},
	stepAccepted:       {"accepted", []api.State{api.Submitting}, api.Submitted},
	stepRejected:       {"rejected", []api.State{api.Submitting}, api.Failed},
	stepRejectUnknown:  {"rejected, may be sent", []api.State{api.Submitting}, api.Unknown},
	stepRetry:          {"retry", []api.State{api.Submitting}, api.Queued},
	stepLost:           {"lost", []api.State{api.Submitting}, api.Unknown},
	stepPause:          {"pause", []api.State{api.Queued}, api.Queued},
	stepGiveUp:         {"give up", []api.State{api.Queued}, api.Failed},
	stepProofSent:      {"proof: sent", []api.State{api.Unknown, api.Queued, api.Held, api.Failed}, api.Submitted},
	stepProofRefused:   {"proof: refused", []api.State{api.Unknown, api.Held}, api.Failed},
	stepProofRetry:     {"proof: refused for a while", []api.State{api.Unknown, api.Held}, api.Queued},
	stepDelivered:      {"delivered", []api.State{api.Submitted, api.Unknown, api.Queued, api.Held, api.Failed}, api.Delivered},
	stepUndelivered:    {"not delivered", []api.State{api.Submitted, api.Unknown, api.Queued, api.Held}, api.Failed},
	stepDecideResend:   {"policy: resend", []api.State{api.Unknown}, api.Queued},
	stepDecideHold:     {"policy: hold", []api.State{api.Unknown}, api.Held},
	stepDecideFail:     {"policy: fail", []api.State{api.Unknown}, api.Failed},
	stepDecideStay:     {"policy: unknown for good", []api.State{api.Unknown}, api.Unknown},
	stepResolveResend:  {"resolve: resend", []api.State{api.Unknown, api.Held}, api.Queued},
	stepResolveFail:    {"resolve: fail", []api.State{api.Unknown, api.Held}, api.Failed},
	stepResolveSent:    {"resolve: sent", []api.State{api.Unknown, api.Held}, api.Submitted},
	stepSibling:        {"another part failed", []api.State{api.Queued}, api.Failed},
	stepSiblingUnknown: {"another part failed, may be sent", []api.State{api.Queued}, api.Unknown},
	stepExpire:         {"expire", []api.State{api.Queued}, api.Expired},
	stepExpireUnknown:  {"expire, may be sent", []api.State{api.Queued}, api.Unknown},
	stepCancel:         {"cancel", []api.State{api.Queued}, api.Cancelled},
	stepRestored:       {"restored", []api.State{api.Queued, api.Unknown}, api.Held},
}

// next is the state after st, or false where st does not happen to a part in from.
func (st step) next(from api.State) (api.State, bool) {
	for _, f := range transitions[st].from {
		if f == from {
			return transitions[st].to, true
		}
	}
	return from, false
}

// saves is the UPDATE of each step.
var saves = func() (sql [steps]string) {
	for st, tr := range transitions {
		from := make([]string, len(tr.from))
		for i, f := range tr.from {
			from[i] = "'" + string(f) + "'"
		}
		sql[st] = fmt.Sprintf(`UPDATE part SET state = '%s', lane = ?, due_at = ?, mr = ?, modem = ?, tries = ?, resend = ?,
			decide_at = ?, decided = ?, report = ?, report_by = ?, code = ?, reason = ? WHERE id = ? AND state IN (%s)`,
			tr.to, strings.Join(from, ", "))
	}
	return sql
}()

// openStates are the states in which a message still wants something.
var openStates = []api.State{api.Scheduled, api.Queued, api.Sending, api.Unknown, api.Held}

// derive is the state of an outgoing message: the first that applies (HOUSE
// section 8). scheduled says that its not_before lies ahead.
func derive(parts []api.State, scheduled bool) api.State {
	n := map[api.State]int{}
	for _, p := range parts {
		n[p]++
	}
	for _, s := range []api.State{api.Unknown, api.Held, api.Failed, api.Expired, api.Cancelled} {
		if n[s] > 0 {
			return s
		}
	}
	out := n[api.Submitted] + n[api.Delivered]
	switch {
	case n[api.Submitting] > 0 || out > 0 && n[api.Queued] > 0:
		return api.Sending
	case n[api.Queued] > 0 && scheduled:
		return api.Scheduled
	case n[api.Queued] > 0:
		return api.Queued
	case n[api.Delivered] == len(parts):
		return api.Delivered
	}
	return api.Sent
}

// messageEvents are appended when a message's state becomes these.
var messageEvents = map[api.State]api.EventType{
	api.Sent: api.EventSent, api.Delivered: api.EventDelivered, api.Failed: api.EventFailed, api.Unknown: api.EventUnknown,
	api.Held: api.EventHeld, api.Expired: api.EventExpired, api.Cancelled: api.EventCancelled,
}
