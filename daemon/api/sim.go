package api

// SIM is the answer of GET /v1/modems/{name}/sim: what the card and its modem say
// when they are asked.
type SIM struct {
	Modem    string   `json:"modem"`
	State    string   `json:"state" doc:"READY, SIM PIN, SIM PUK, ...; empty if the modem would not say"`
	PINAsked *bool    `json:"pin_asked,omitempty" doc:"the card asks for its PIN when it is switched on"`
	PINTries *int     `json:"pin_tries,omitempty" doc:"how often the PIN may still be wrong"`
	PUKTries *int     `json:"puk_tries,omitempty"`
	ICCID    string   `json:"iccid,omitempty"`
	IMSI     string   `json:"imsi,omitempty"`
	Number   string   `json:"number,omitempty" doc:"where it is written on the card"`
	SMSC     string   `json:"smsc,omitempty"`
	Operator string   `json:"operator,omitempty"`
	Choice   string   `json:"operator_choice,omitempty" enum:"automatic,manual"`
	Network  string   `json:"registration,omitempty" doc:"home, roaming, searching, denied, ..."`
	Memories []Memory `json:"memories" nullable:"false" doc:"for messages: SM is the card's, ME the modem's, SR for reports"`
	Books    []Memory `json:"phonebooks" nullable:"false"`
}

// OperatorChoice is who chose the operator, in a word.
func OperatorChoice(manual bool) string {
	if manual {
		return "manual"
	}
	return "automatic"
}

// SMSCRequest is the body of PUT /v1/modems/{name}/smsc.
type SMSCRequest struct {
	SMSC string `json:"smsc" pattern:"^\\+?[0-9]{1,20}$" doc:"the service centre's number, with + if it is international"`
}

// Operator is a network that a modem sees.
type Operator struct {
	Code   string `json:"code" doc:"country and network code"`
	Name   string `json:"name,omitempty"`
	State  string `json:"state" enum:"available,current,forbidden,unknown"`
	Access string `json:"access" doc:"gsm, umts, lte, ..., unknown"`
}

// Operators is the answer of POST /v1/modems/{name}/operators and of PUT
// /v1/modems/{name}/operator. Both take up to six minutes: ask again while State is
// SlowWorking, and the same work goes on.
type Operators struct {
	State     SlowState  `json:"state"`
	Operators []Operator `json:"operators" nullable:"false"`
}

// SlowState says whether what takes long is done.
type SlowState string

// The states of what takes long.
const (
	SlowWorking SlowState = "working"
	SlowDone    SlowState = "done"
)

// OperatorRequest is the body of PUT /v1/modems/{name}/operator.
type OperatorRequest struct {
	Operator string `json:"operator" pattern:"^(auto|[0-9]{5,6})$" doc:"country and network code, or auto"`
}

// Contact is an entry of a phonebook.
type Contact struct {
	Book   string `json:"book" doc:"SM is the card's, ME the modem's"`
	Index  int    `json:"index"`
	Name   string `json:"name"`
	Number string `json:"number"`
}

// Phonebook is the answer of GET /v1/modems/{name}/phonebook.
type Phonebook struct {
	Contacts []Contact `json:"contacts" nullable:"false"`
}
