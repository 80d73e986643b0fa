package api

import "time"

// Direction says which way a message went.
type Direction string

// The two directions.
const (
	Out Direction = "out"
	In  Direction = "in"
)

// State is where a message or a part stands.
type State string

// States of outgoing messages, and Received for incoming ones.
// Submitting and Submitted are states of parts only; at a message they show as
// Sending and Sent.
const (
	Scheduled  State = "scheduled"  // not_before lies ahead
	Queued     State = "queued"     // proof of not sent; with PossibleDuplicate, of the second copy only
	Sending    State = "sending"    // some parts are out, some are not
	Sent       State = "sent"       // the network took every part
	Delivered  State = "delivered"  // every part was reported delivered
	Failed     State = "failed"     // refused for good, or given up
	Unknown    State = "unknown"    // the modem may have sent it: nobody can say
	Held       State = "held"       // a person decides
	Expired    State = "expired"    // not sent before `expires`
	Cancelled  State = "cancelled"  // by a person, before it was sent
	Received   State = "received"   // incoming
	Submitting State = "submitting" // part: its ^Z may have left
	Submitted  State = "submitted"  // part: the network answered with a reference
)

// Priority orders the queue: alert before normal before bulk.
type Priority string

// The priorities.
const (
	Alert  Priority = "alert"
	Normal Priority = "normal"
	Bulk   Priority = "bulk"
)

// OnUnknown is what to do when nobody can say whether a part was sent.
type OnUnknown string

// The policies. Resend repeats once and says so (possible_duplicate), Hold waits
// for a person, Fail gives up (one-time codes).
const (
	OnUnknownResend OnUnknown = "resend"
	OnUnknownHold   OnUnknown = "hold"
	OnUnknownFail   OnUnknown = "fail"
)

// ReportState is what the delivery reports say of a part.
type ReportState string

// The report states.
const (
	ReportNotAsked  ReportState = "not-asked"
	ReportWaiting   ReportState = "waiting"   // asked for, none came yet
	ReportPending   ReportState = "pending"   // the centre is still trying
	ReportDelivered ReportState = "delivered" // the recipient has it
	ReportFailed    ReportState = "failed"    // the centre gave up
	ReportNone      ReportState = "none"      // asked for; none came by validity + 24 h
)

// Message is one message, outgoing or incoming, with its parts.
type Message struct {
	ID        string    `json:"id" doc:"decimal number, never reused by this database"`
	Direction Direction `json:"direction" enum:"out,in"`
	State     State     `json:"state" enum:"scheduled,queued,sending,sent,delivered,failed,unknown,held,expired,cancelled,received"`
	Reason    *Reason   `json:"reason,omitempty" doc:"why a queued message waits"`
	To        string    `json:"to,omitempty" doc:"recipient of an outgoing message"`
	From      string    `json:"from,omitempty" doc:"sender of an incoming message"`
	Text      *string   `json:"text,omitempty"`
	Data      []byte    `json:"data,omitempty" doc:"binary body, base64"`
	Port      *int      `json:"port,omitempty" doc:"destination port of a binary message" minimum:"0" maximum:"65535"`
	Encoding  string    `json:"encoding" enum:"gsm7,ucs2,8bit,unreadable"`
	Class     *int      `json:"class,omitempty" doc:"message class 0 (flash) to 3" minimum:"0" maximum:"3"`

	Priority  Priority   `json:"priority,omitempty" enum:"alert,normal,bulk"`
	OnUnknown OnUnknown  `json:"on_unknown,omitempty" enum:"resend,hold,fail"`
	Modem     string     `json:"modem,omitempty" doc:"the modem it was sent or received by, or must be sent by"`
	CreatedAt time.Time  `json:"created_at"`
	NotBefore *time.Time `json:"not_before,omitempty"`
	Expires   *time.Time `json:"expires,omitempty"`
	SentAt    *time.Time `json:"sent_at,omitempty" doc:"incoming: the service centre's time stamp; outgoing: when the last part was taken"`

	Parts             []Part   `json:"parts" nullable:"false"`
	PossibleDuplicate bool     `json:"possible_duplicate" doc:"a part was repeated though its first copy may have been sent"`
	RepeatOf          string   `json:"repeat_of,omitempty" doc:"id of the earlier message with the same octets"`
	Incomplete        bool     `json:"incomplete" doc:"parts of an incoming message are missing"`
	Flags             []string `json:"flags,omitempty" doc:"what had to be read leniently"`
	Error             *Reason  `json:"error,omitempty"`

	Attempts []Attempt `json:"attempts,omitempty" doc:"only when one message is asked for"`
	Reports  []Report  `json:"reports,omitempty" doc:"only when one message is asked for"`
}

// FlagDamaged in Message.Flags: what is stored of it is not what was written. A
// part like that is never sent.
const FlagDamaged = "damaged"

// Reason is a stable code for programs and a sentence for people.
type Reason struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

// Part is one SMS of a message.
type Part struct {
	Seq      int         `json:"seq" doc:"from 1"`
	State    State       `json:"state" enum:"queued,submitting,submitted,delivered,failed,unknown,held,expired,cancelled,received"`
	MR       *int        `json:"mr" doc:"message reference the network side knows it by" minimum:"0" maximum:"255"`
	Modem    string      `json:"modem"`
	Attempts int         `json:"attempts" doc:"how often its ^Z may have left"`
	Report   ReportState `json:"report" enum:"not-asked,waiting,pending,delivered,failed,none"`
}

// Attempt is one try to send a part. Attempts are appended, never edited into
// another one; an unknown attempt stays open to evidence for ever.
type Attempt struct {
	ID        string     `json:"id"`
	Part      int        `json:"part" doc:"seq of its part"`
	State     State      `json:"state" enum:"submitting,submitted,failed,unknown"`
	MR        *int       `json:"mr,omitempty"`
	Modem     string     `json:"modem"`
	IMSI      string     `json:"imsi"`
	StartedAt time.Time  `json:"started_at"`
	SettledAt *time.Time `json:"settled_at,omitempty"`
	Reason    string     `json:"reason,omitempty" doc:"why this attempt followed the one before"`
	Evidence  string     `json:"evidence,omitempty" doc:"what settled it, if it was not the modem's answer"`
	Error     *Reason    `json:"error,omitempty"`
}

// Report is one delivery report as it came.
type Report struct {
	Part       int       `json:"part,omitempty" doc:"seq of the part it was matched to, 0 if none"`
	MR         int       `json:"mr"`
	Number     string    `json:"number"`
	Status     int       `json:"status" doc:"TP-ST (TS 23.040 9.2.3.15)"`
	StatusText string    `json:"status_text"`
	Final      bool      `json:"final"`
	SentAt     time.Time `json:"sent_at" doc:"TP-SCTS"`
	Discharge  time.Time `json:"discharge" doc:"TP-DT"`
	ReceivedAt time.Time `json:"received_at"`
}

// Messages is a page of a list.
type Messages struct {
	Messages []Message `json:"messages" nullable:"false"`
	Next     *string   `json:"next" doc:"cursor of the next page, null at the end"`
}

// Recipients is one number or a list of them; JSON takes both forms.
type Recipients []string

// SendRequest is the body of POST /v1/messages.
type SendRequest struct {
	To            Recipients `json:"to" doc:"a number or up to 1,000: +47 900 00 001, 0047..., a national number or a short code"`
	Text          *string    `json:"text,omitempty" doc:"the text; or data"`
	Data          []byte     `json:"data,omitempty" doc:"binary body, base64; a port may go with it"`
	Port          *int       `json:"port,omitempty" doc:"destination port of data" minimum:"1" maximum:"65535"`
	Encoding      string     `json:"encoding,omitempty" enum:"auto,gsm7,ucs2" default:"auto"`
	Language      string     `json:"language,omitempty" doc:"national language table to use, by name: turkish, spanish, ..."`
	Transliterate bool       `json:"transliterate,omitempty" doc:"replace what GSM 7-bit lacks by what looks like it"`
	Flash         bool       `json:"flash,omitempty"`
	Validity      string     `json:"validity,omitempty" doc:"how long the network tries: 5m to 63 weeks (24h, 7d, 2w)"`
	Report        *bool      `json:"report,omitempty" doc:"ask for delivery reports"`
	Priority      Priority   `json:"priority,omitempty" enum:"alert,normal,bulk" default:"normal"`
	OnUnknown     OnUnknown  `json:"on_unknown,omitempty" enum:"resend,hold,fail"`
	NotBefore     *time.Time `json:"not_before,omitempty"`
	Expires       *time.Time `json:"expires,omitempty"`
	Modem         string     `json:"modem,omitempty"`
}

// Action is what a person decides of a held or unknown message.
type Action string

// The actions of POST /v1/messages/{id}/resolve.
const (
	ResolveResend Action = "resend" // send the open parts again, flagged
	ResolveFail   Action = "fail"   // they were not sent, give up
	ResolveSent   Action = "sent"   // they were sent
)

// ResolveRequest is the body of POST /v1/messages/{id}/resolve.
type ResolveRequest struct {
	Action Action `json:"action" enum:"resend,fail,sent"`
}

// SegmentRequest is the body of POST /v1/segment.
type SegmentRequest struct {
	Text          string `json:"text"`
	Encoding      string `json:"encoding,omitempty" enum:"auto,gsm7,ucs2" default:"auto"`
	Language      string `json:"language,omitempty"`
	Transliterate bool   `json:"transliterate,omitempty"`
}

// Segments is how a text would be sent.
type Segments struct {
	Encoding string    `json:"encoding" enum:"gsm7,ucs2"`
	Parts    []Segment `json:"parts" nullable:"false"`
	Changed  []Change  `json:"changed" nullable:"false" doc:"what transliteration replaced"`
	Missing  []string  `json:"missing" nullable:"false" doc:"characters that GSM 7-bit lacks: the reason for ucs2"`
}

// Segment is one part of a text.
type Segment struct {
	Seq  int    `json:"seq"`
	Text string `json:"text"`
	Used int    `json:"used" doc:"septets (gsm7) or 16-bit units (ucs2)"`
	Left int    `json:"left"`
}

// Change is one replacement of transliteration.
type Change struct {
	From  string `json:"from"`
	To    string `json:"to"`
	Count int    `json:"count"`
}
