package main

import (
	"bytes"
	"testing"
	"time"

	"simpost/daemon/api"
)

func TestPrintSignal(t *testing.T) {
	at := func(day, hour, minute int) time.Time { return time.Date(2026, 3, day, hour, minute, 0, 0, time.Local) }
	dbm := func(n int) *int { return &n }
	h := api.SignalHistory{Modem: "office", Rows: []api.Signal{
		{At: at(9, 22, 30), DBm: dbm(-113), Registration: "home", Operator: "Emulated", Bearer: "4G (LTE)"},
		{At: at(10, 1, 30), DBm: dbm(-51), Registration: "home", Operator: "Emulated", Bearer: "4G (LTE)"},
		{At: at(10, 3, 30), Registration: "searching"},
		{At: at(10, 5, 30), Registration: "offline"},
		{At: at(10, 9, 30), DBm: dbm(-79), Registration: "roaming", Operator: "Other\x1b[2J", Bearer: "2G (GSM)"},
	}}
	want := `office      0     6     12    18
Mon 09 Mar  ......................▁▁
Tue 10 Mar  ▁██xx----▅▅▅▅▅▅▅....
2026-03-09 22:30  home Emulated 4G (LTE)  -113 dBm
2026-03-10 03:30  searching
2026-03-10 05:30  offline
2026-03-10 09:30  roaming Other[2J 2G (GSM)  -79 dBm
`
	var out bytes.Buffer
	if err := (&app{out: &out}).printSignal(h, 2, at(10, 19, 40)); err != nil || out.String() != want {
		t.Errorf("got %v\n%s\nwant\n%s", err, out.String(), want)
	}
}
