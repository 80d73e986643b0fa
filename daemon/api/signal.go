package api

import "time"

// Signal is how a modem stood with the network from a moment on.
type Signal struct {
	At           time.Time `json:"at"`
	DBm          *int      `json:"dbm,omitempty" doc:"none: not known"`
	Registration string    `json:"registration" doc:"home, roaming, searching, denied, ...; offline: the modem was away"`
	Operator     string    `json:"operator,omitempty"`
	Bearer       string    `json:"bearer,omitempty" doc:"2G (GSM), 3G (UMTS), 4G (LTE), ..."`
}

// SignalHistory is the answer of GET /v1/modems/{name}/signal.
type SignalHistory struct {
	Modem string   `json:"modem"`
	Rows  []Signal `json:"rows" nullable:"false" doc:"oldest first; each holds until the next, or for 7 hours"`
}

// SignalHolds is for how long a row says how it is, if no other follows.
const SignalHolds = 7 * time.Hour
