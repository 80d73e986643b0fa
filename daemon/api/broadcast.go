package api

import "time"

// Broadcast is what a network said to everybody in a cell.
type Broadcast struct {
	ID       string    `json:"id"`
	At       time.Time `json:"at" doc:"heard first"`
	LastAt   time.Time `json:"last_at" doc:"heard last, to the hour: networks repeat them"`
	Modem    string    `json:"modem" doc:"that heard it first"`
	Channel  int       `json:"channel" doc:"message identifier (TS 23.041)"`
	Serial   int       `json:"serial" doc:"what tells it from others on its channel"`
	Alert    string    `json:"alert,omitempty" doc:"the kind of a government's warning"`
	Language string    `json:"language,omitempty" doc:"ISO 639, where it is told"`
	Text     string    `json:"text" doc:"of the pages that came"`
	Pages    int       `json:"pages"`
	Missing  int       `json:"missing" doc:"pages that did not come yet"`
}

// Broadcasts is the answer of GET /v1/broadcasts.
type Broadcasts struct {
	Broadcasts []Broadcast `json:"broadcasts" nullable:"false"`
}
