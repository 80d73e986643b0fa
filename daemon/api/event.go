package api

import "time"

// Event is one line of the daemon's log of facts, numbered without gaps as
// committed; only the restoring of a copy jumps ahead. Every subscriber reads the same log;
// who lacks the role read-content gets no Text of USSD and no whole Number.
type Event struct {
	Seq     int64     `json:"seq"`
	At      time.Time `json:"at"`
	Type    EventType `json:"type"`
	Message string    `json:"message,omitempty" doc:"id of the message it is about"`
	Part    int       `json:"part,omitempty" doc:"seq of the part it is about"`
	Modem   string    `json:"modem,omitempty"`
	State   string    `json:"state,omitempty" doc:"the message's state after it"`
	Detail  string    `json:"detail,omitempty" doc:"a sentence without numbers or text"`
	Number  string    `json:"number,omitempty" doc:"of a caller"`
	Text    string    `json:"text,omitempty" doc:"of USSD that nobody asked for, or of a broadcast; never of a message"`
}

// EventType names what happened.
type EventType string

// The event types.
const (
	EventAccepted      EventType = "message.accepted"
	EventSubmitting    EventType = "part.submitting"
	EventSubmitted     EventType = "part.submitted"
	EventPartFailed    EventType = "part.failed"
	EventPartRetry     EventType = "part.retry"
	EventPartUnknown   EventType = "part.unknown"
	EventPartResend    EventType = "part.resend" // possible_duplicate
	EventPartReport    EventType = "part.report"
	EventSent          EventType = "message.sent"
	EventDelivered     EventType = "message.delivered"
	EventFailed        EventType = "message.failed"
	EventUnknown       EventType = "message.unknown"
	EventHeld          EventType = "message.held"
	EventExpired       EventType = "message.expired"
	EventCancelled     EventType = "message.cancelled"
	EventResolved      EventType = "message.resolved"
	EventPartReceived  EventType = "part.received"
	EventReceived      EventType = "message.received"
	EventRepeat        EventType = "message.repeat"
	EventIncomplete    EventType = "message.incomplete"
	EventReport        EventType = "report.unmatched"
	EventModem         EventType = "modem.condition"
	EventRecovery      EventType = "modem.recovery" // state is the step taken
	EventMemory        EventType = "modem.memory"   // memory-filling, or with no state: it has room again
	EventDaemonStarted EventType = "daemon.started"
	EventRestored      EventType = "daemon.restored" // the database is a copy: numbers jump, and what was open is held
	EventGap           EventType = "events.gap"      // the events up to this one's number are not kept any more
	EventCall          EventType = "call"            // a call rings; Number is who calls
	EventCallEnded     EventType = "call.ended"      // it rings no more
	EventBalanceLow    EventType = "balance.low"     // the SIM card's credit has come below the limit
	EventBroadcast     EventType = "broadcast"       // a cell broadcast; State is its channel
	EventUSSD          EventType = "ussd"            // the network said something that nobody waited for
	EventDamaged       EventType = "message.damaged" // what is stored of it has changed on the disk
	EventGuardAlarm    EventType = "guard.alarm"     // most of a day's budget is used up; once a day
)
