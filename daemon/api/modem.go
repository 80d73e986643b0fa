package api

import "time"

// Modem is one configured or found modem and how it is.
type Modem struct {
	Name       string      `json:"name"`
	Device     string      `json:"device" doc:"as in the configuration: auto, a path, usb:, imei: or iccid:"`
	Port       string      `json:"port,omitempty" doc:"the terminal it is at now"`
	Place      string      `json:"place,omitempty" doc:"where on USB it is plugged in, or was last, such as 1-1.2"`
	Profile    string      `json:"profile,omitempty"`
	Condition  Condition   `json:"condition"`
	Diagnosis  []Diagnosis `json:"diagnosis" nullable:"false" doc:"what is wrong and what to do, the gravest first; empty if nothing is"`
	CanSend    bool        `json:"can_send"`
	LastAnswer *time.Time  `json:"last_answer,omitempty" doc:"the last real round trip"`

	IMEI         string `json:"imei,omitempty"`
	IMSI         string `json:"imsi,omitempty"`
	ICCID        string `json:"iccid,omitempty"`
	Number       string `json:"number,omitempty"`
	Manufacturer string `json:"manufacturer,omitempty"`
	Model        string `json:"model,omitempty"`
	Revision     string `json:"revision,omitempty"`
	SMSC         string `json:"smsc,omitempty"`

	Registration   string   `json:"registration,omitempty" doc:"home, roaming, searching, denied, ..."`
	Operator       string   `json:"operator,omitempty"`
	OperatorChoice string   `json:"operator_choice,omitempty" enum:"automatic,manual"`
	Signal         *int     `json:"signal,omitempty" doc:"dBm"`
	Bearer         string   `json:"bearer,omitempty" doc:"2G (GSM), 3G (UMTS), 4G (LTE), ..."`
	Home           []string `json:"home,omitempty" doc:"calling codes of the SIM's country"`
	Indications    string   `json:"indications,omitempty" doc:"the CNMI setting that took, or poll"`
	Memories       []Memory `json:"memories" nullable:"false"`

	Balance *Balance `json:"balance,omitempty" doc:"of the SIM card, where the configuration says how to see it"`

	Recovery   *Recovery            `json:"recovery,omitempty" doc:"what is being done about a modem that does not answer"`
	Recoveries map[RecoveryStep]int `json:"recoveries,omitempty" doc:"steps taken since the daemon started"`

	Waiting     int     `json:"waiting" doc:"queued parts that only this modem may send"`
	SentParts   int64   `json:"sent_parts" doc:"since the daemon started"`
	ReceivedPDU int64   `json:"received_pdus" doc:"since the daemon started"`
	LastError   *Reason `json:"last_error,omitempty"`
	Warning     *Reason `json:"warning,omitempty" doc:"what the guard can't do with this SIM"`
}

// Balance is what the operator said last of the SIM card's credit.
type Balance struct {
	Text   string    `json:"text" doc:"what the operator said"`
	Amount *float64  `json:"amount,omitempty" doc:"the number in it, in whatever the operator counts; none if the pattern found none"`
	Low    bool      `json:"low" doc:"below the configured limit"`
	At     time.Time `json:"at"`
}

// Memory is a message store of a modem.
type Memory struct {
	Name  string `json:"name"`
	Used  int    `json:"used"`
	Total int    `json:"total"`
}

// Modems is the answer of GET /v1/modems.
type Modems struct {
	Modems []Modem `json:"modems" nullable:"false"`
}

// Status is the answer of GET /v1/status.
type Status struct {
	Version   string         `json:"version"`
	StartedAt time.Time      `json:"started_at"`
	Ready     bool           `json:"ready" doc:"a modem can send"`
	Condition *Reason        `json:"condition,omitempty" doc:"what is wrong with the daemon itself, such as a full disk"`
	Database  string         `json:"database"`
	Messages  map[string]int `json:"messages" doc:"open messages by state"`
	LastEvent int64          `json:"last_event"`
	Guard     Guard          `json:"guard"`
	Modems    []Modem        `json:"modems" nullable:"false"`
}

// Guard is what limits sending, and what of it is used up.
type Guard struct {
	Off         bool       `json:"off" doc:"nothing is limited"`
	Home        []string   `json:"home" nullable:"false" doc:"calling codes of the SIMs' countries; empty: not known, so every country is home"`
	PartsToday  int        `json:"parts_today" doc:"accepted on this day"`
	PartsPerDay int        `json:"parts_per_day" doc:"the limit; 0 if there is none"`
	DayEnds     *time.Time `json:"day_ends,omitempty"`
	Warning     *Reason    `json:"warning,omitempty"`
}

// ATRequest is the body of POST /v1/modems/{name}/at.
type ATRequest struct {
	Command string `json:"command" doc:"one AT command, such as AT+CSQ" maxLength:"130"`
}

// ATAnswer is what the modem said to a command.
type ATAnswer struct {
	Lines  []string `json:"lines" nullable:"false" doc:"without the final result"`
	Result string   `json:"result" doc:"the final result: OK, or the modem's error"`
}
