package store

import (
	"testing"

	"simpost/daemon/api"
)

// wantNext is the table of states.go read the other way: for each state what each
// step leads to. A step that is not listed must be refused.
var wantNext = map[api.State]map[step]api.State{
	api.Queued: {
		stepSubmit: api.Submitting, stepPause: api.Queued, stepGiveUp: api.Failed,
		stepProofSent: api.Submitted, stepDelivered: api.Delivered, stepUndelivered: api.Failed,
		stepSibling: api.Failed, stepSiblingUnknown: api.Unknown,
		stepExpire: api.Expired, stepExpireUnknown: api.Unknown, stepCancel: api.Cancelled,
		stepRestored: api.Held,
	},
	api.Submitting: {stepAccepted: api.Submitted, stepRejected: api.Failed, stepRejectUnknown: api.Unknown, stepRetry: api.Queued, stepLost: api.Unknown},
	api.Submitted:  {stepDelivered: api.Delivered, stepUndelivered: api.Failed},
	api.Delivered:  {},
	api.Failed:     {stepProofSent: api.Submitted, stepDelivered: api.Delivered},
	api.Unknown: {
		stepProofSent: api.Submitted, stepProofRefused: api.Failed, stepProofRetry: api.Queued,
		stepDelivered: api.Delivered, stepUndelivered: api.Failed,
		stepDecideResend: api.Queued, stepDecideHold: api.Held, stepDecideFail: api.Failed, stepDecideStay: api.Unknown,
		stepResolveResend: api.Queued, stepResolveFail: api.Failed, stepResolveSent: api.Submitted, stepRestored: api.Held,
	},
	api.Held: {
		stepProofSent: api.Submitted, stepProofRefused: api.Failed, stepProofRetry: api.Queued,
		stepDelivered: api.Delivered, stepUndelivered: api.Failed,
		stepResolveResend: api.Queued, stepResolveFail: api.Failed, stepResolveSent: api.Submitted,
	},
	api.Expired:   {},
	api.Cancelled: {},
}

// TestTransitions takes a part in every state through every step, in the table
// and on disk: the UPDATE changes the row where the table says so and nowhere else.
func TestTransitions(t *testing.T) {
	s := open(t)
	ok(t, s.queue(1))
	for from, legal := range wantNext {
		for st := range steps {
			want, allowed := legal[st]
			if to, found := st.next(from); found != allowed || found && to != want {
				t.Errorf("%s, %s: got %s %v, want %s %v", from, transitions[st].name, to, found, want, allowed)
			}
			if !allowed {
				want = from
			}
			if got := s.force(t, from, st); got != want {
				t.Errorf("%s, %s: the row is %s, want %s", from, transitions[st].name, got, want)
			}
		}
	}
}

// queue accepts one message of n parts.
func (s *Store) queue(n int) error {
	_, err := s.Enqueue(t0, nil, []NewMessage{text(n)})
	return err
}

// force puts part 1 into a state, runs the UPDATE of a step past the table's
// check, and returns the state after it.
func (s *Store) force(t *testing.T, from api.State, st step) (got api.State) {
	t.Helper()
	ok(t, s.write(t0, "test", func(tx *tx) error {
		if _, err := tx.exec(`UPDATE part SET state = ? WHERE id = 1`, string(from)); err != nil {
			return err
		}
		_, err := tx.exec(saves[st], "", 0, nil, "", 0, 0, nil, 0, "waiting", nil, "", "", 1)
		if err != nil {
			return err
		}
		return tx.row(`SELECT state FROM part WHERE id = 1`).Scan(&got)
	}))
	return got
}

func TestDerive(t *testing.T) {
	for _, c := range []struct {
		parts     []api.State
		scheduled bool
		want      api.State
	}{
		{[]api.State{api.Queued}, false, api.Queued},
		{[]api.State{api.Queued, api.Queued}, true, api.Scheduled},
		{[]api.State{api.Submitting, api.Queued}, false, api.Sending},
		{[]api.State{api.Submitted, api.Queued}, false, api.Sending},
		{[]api.State{api.Delivered, api.Queued}, false, api.Sending},
		{[]api.State{api.Delivered, api.Submitting}, false, api.Sending},
		{[]api.State{api.Submitted, api.Delivered}, false, api.Sent},
		{[]api.State{api.Delivered, api.Delivered}, false, api.Delivered},
		{[]api.State{api.Failed, api.Unknown, api.Held}, false, api.Unknown},
		{[]api.State{api.Failed, api.Submitting, api.Held}, false, api.Held},
		{[]api.State{api.Failed, api.Submitted, api.Expired}, false, api.Failed},
		{[]api.State{api.Expired, api.Submitted}, false, api.Expired},
		{[]api.State{api.Cancelled, api.Cancelled}, false, api.Cancelled},
	} {
		if got := derive(c.parts, c.scheduled); got != c.want {
			t.Errorf("%v: got %s, want %s", c.parts, got, c.want)
		}
	}
}
