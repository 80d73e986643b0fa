package daemon

import (
	"errors"
	"time"

	"simpost/configs"
	"simpost/daemon/api"
	"simpost/daemon/store"
	"simpost/modem"
)

// This file decides what follows an error: send again, when, give up, or let a
// person decide; and how long to leave a modem alone. Its functions are pure.
//
// The rule behind them: a repeat needs proof that the first try was not sent
// (NotSent, Rejected), or a declared policy and a mark (possible_duplicate).

const (
	localRetry    = 5 * time.Second  // the modem could not take it: nothing was sent
	cmsBadPDU     = 304              // TS 27.005 3.2.5: what the modem got is no PDU
	badPDUTries   = 3                // for it may be the line that lost an octet of it
	operatorPause = 10 * time.Minute // something that only a person mends
	lteRow        = 2                // messages that fail on LTE before the network's SMS there is suspected
	refusedRow    = 3                // numbers refused in a row before the account is suspected
	reopenFirst   = 2 * time.Second
	reopenLongest = time.Minute
)

// verdict is what follows an attempt.
type verdict struct {
	settle  store.Settle
	notSent bool          // ^Z provably never left: the attempt does not count
	pause   time.Duration // leave the modem's queue alone for this long
	reason  api.Reason
}

// afterSend decides from how a Send failed. tries counts the attempts before
// this one whose ^Z left.
func afterSend(cfg configs.Send, err *modem.SendError, tries int, now time.Time) verdict {
	reason := sendReason(err)
	v := verdict{reason: reason, settle: store.Settle{MR: -1, Error: &reason}}
	switch err.Outcome {
	case modem.Unknown:
		v.settle.State = api.Unknown
		v.settle.MR = err.MR
	case modem.NotSent:
		v.notSent = true
		v.settle.State = api.Queued
		v.settle.RetryAt = now.Add(localRetry)
		if err.Class == modem.Permanent {
			v.notSent, v.settle.State = false, api.Failed
		}
	case modem.Rejected:
		v.settle.State = api.Queued
		v.settle.RetryAt = now.Add(backoff(cfg, tries+1))
		if err.Class == modem.Permanent && !(err.Code == cmsBadPDU && tries+1 < badPDUTries) || tries+1 >= cfg.Tries {
			v.settle.State = api.Failed
		}
	}
	if err.Class == modem.Operator && v.settle.State == api.Queued {
		v.pause = operatorPause
		v.settle.RetryAt = now.Add(operatorPause)
	}
	return v
}

// sendReason puts a failed Send into a stable code and a sentence.
func sendReason(err *modem.SendError) api.Reason {
	why := error(err)
	for inner := errors.Unwrap(why); inner != nil; inner = errors.Unwrap(why) {
		why = inner
	}
	switch err.Outcome {
	case modem.NotSent:
		return api.Reason{Code: "not-sent", Message: "the modem did not take it: " + why.Error()}
	case modem.Rejected:
		return api.Reason{Code: "rejected", Message: "the network refused it: " + why.Error()}
	}
	return api.Reason{Code: "outcome-unknown", Message: "the modem has it, and nobody can say whether it was sent: " + why.Error()}
}

// backoff is the wait after refusal n, from 1.
func backoff(cfg configs.Send, n int) time.Duration {
	d := cfg.RetryFirst
	for ; n > 1 && d < cfg.RetryLongest; n-- {
		d *= 2
	}
	return min(d, cfg.RetryLongest)
}

// decide applies a message's on_unknown policy to a part whose quarantine has
// ended. A part that was unknown twice is never repeated by itself, nor is one that
// nobody could join any more.
func decide(u store.UnknownPart) store.Decision {
	switch {
	case u.OnUnknown == api.OnUnknownFail:
		return store.Decision{State: api.Failed, Reason: api.Reason{Code: "outcome-unknown",
			Message: "nobody can say whether it was sent, and it must not be sent twice (on_unknown = fail)"}}
	case u.Doomed:
		return store.Decision{State: api.Unknown, Reason: api.Reason{Code: "part-failed",
			Message: "nobody can say whether it was sent; it is not sent again, because another part of the message failed"}}
	case u.OnUnknown == api.OnUnknownHold:
		return store.Decision{State: api.Held, Reason: api.Reason{Code: "outcome-unknown",
			Message: "nobody can say whether it was sent: a person decides (on_unknown = hold)"}}
	case u.Unknowns > 1:
		return store.Decision{State: api.Unknown, Reason: api.Reason{Code: "outcome-unknown",
			Message: "nobody can say whether the second copy was sent either: it is not sent a third time"}}
	}
	return store.Decision{State: api.Queued, Reason: api.Reason{Code: "outcome-unknown",
		Message: "sent again because the first copy may not have left (on_unknown = resend)"}}
}

// reopenDelay is how long a modem is left alone after its session ended, n
// times in a row without work done in between.
func reopenDelay(code api.ConditionCode, n int) time.Duration {
	switch code {
	case api.CondPINRefused, api.CondPINGuard, api.CondPUKRequired, api.CondPINRequired, api.CondNoSMS:
		return reopenLongest // only a person changes this
	case api.CondUnplugged, api.CondRebooted, api.CondOtherCard:
		return time.Second
	}
	d := reopenFirst
	for ; n > 1 && d < reopenLongest; n-- {
		d *= 2
	}
	return min(d, reopenLongest)
}

// A memory is nearly full from the first share of its slots on, until it is down to
// the second: one that goes up and down between them says so once.
const (
	fillingPercent = 80
	roomPercent    = 60
)

// nearlyFull says whether a memory is, given whether it was.
func nearlyFull(was bool, used, total int) bool {
	if was {
		return used*100 > total*roomPercent
	}
	return total > 0 && used*100 >= total*fillingPercent
}

// lteCodes are how a message fails on a network that has no SMS over LTE for this
// SIM or this modem: not a word (-1), 302, 350 and 500 were seen (MODEMS 2.4, 2.5).
var lteCodes = map[int]bool{-1: true, 302: true, 350: true, 500: true}

// failsOnLTE says that a message failed as it does there.
func failsOnLTE(access string, err *modem.SendError) bool {
	switch access {
	case "lte", "nb-iot", "lte-5gc", "5gnr", "ng-ran", "en-dc":
		return err.Outcome != modem.NotSent && lteCodes[err.Code]
	}
	return false
}

// refusedAgain says that every number that was refused in a row was so more than once.
func refusedAgain(row map[string]int) bool {
	for _, times := range row {
		if times < 2 {
			return false
		}
	}
	return true
}

// registrationCondition names a registration state (TS 27.007 7.2).
func registrationCondition(st modem.Status) api.ConditionCode {
	switch {
	case st.CanSend && st.Roaming:
		return api.CondRoaming
	case st.CanSend:
		return api.CondReady
	}
	switch st.Registration {
	case 0:
		return api.CondNotSearching
	case 2:
		return api.CondSearching
	case 3:
		return api.CondDenied
	case 8:
		return api.CondEmergency
	}
	return api.CondNoNetwork
}

// asSendError is err as *modem.SendError; anything else means that Send could
// not say, which is Unknown.
func asSendError(err error) *modem.SendError {
	var send *modem.SendError
	if errors.As(err, &send) {
		return send
	}
	return &modem.SendError{Outcome: modem.Unknown, Code: -1, MR: -1, Err: err}
}
