package api

import "time"

// USSDRequest is the body of POST /v1/modems/{name}/ussd: exactly one of Code,
// Reply and Cancel.
type USSDRequest struct {
	Code    string `json:"code,omitempty" maxLength:"182" doc:"dial this, such as *100#"`
	Reply   string `json:"reply,omitempty" maxLength:"182" doc:"answer the session that is open"`
	Cancel  bool   `json:"cancel,omitempty" doc:"end the session that is open"`
	Service bool   `json:"service,omitempty" doc:"the code may change a service of the SIM card, such as call forwarding; takes the role admin"`
}

// USSDAnswer is what the network made of it.
type USSDAnswer struct {
	State    USSDState  `json:"state"`
	Sentence string     `json:"sentence" doc:"the state in words"`
	Text     string     `json:"text" doc:"what the network says, perhaps in several lines"`
	Until    *time.Time `json:"until,omitempty" doc:"when simpost ends the session if nobody replies"`
}

// USSDState is how a USSD session stands. Only USSDReply can be replied to.
type USSDState string

// The states of a session (TS 27.007 7.15).
const (
	USSDDone        USSDState = "done"        // it is over
	USSDReply       USSDState = "reply"       // the network waits for a reply
	USSDEnded       USSDState = "ended"       // the network closed it
	USSDElsewhere   USSDState = "elsewhere"   // another program has the answer
	USSDUnsupported USSDState = "unsupported" // the network does not know the code
	USSDTimeout     USSDState = "timeout"     // the network gave up
)
