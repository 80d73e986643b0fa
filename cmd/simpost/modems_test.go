package main

import (
	"bytes"
	"strings"
	"testing"

	"simpost/daemon/api"
)

// What is wrong with the daemon itself comes first, and a modem's warning is said
// though it sends.
func TestModemsSayWhatIsWrong(t *testing.T) {
	office := api.Modem{Name: "office", Device: "/dev/ttyUSB2", CanSend: true, Home: []string{"+47"}, Condition: api.Condition{Code: api.CondReady, Sentence: "it sends"},
		Warning:  &api.Reason{Code: "home-unknown", Message: "no SIM card tells its country"},
		Recovery: &api.Recovery{Step: api.StepReset, Try: 1, Of: 1}, Recoveries: map[api.RecoveryStep]int{api.StepReset: 2, api.StepReinit: 4}}
	st := api.Status{Modems: []api.Modem{office}, Condition: &api.Reason{Code: "database-corrupt", Message: "the file is damaged"}}
	var out bytes.Buffer
	a := &app{out: &out}
	if err := a.printModems(st); err != nil {
		t.Fatal(err)
	}
	if s := out.String(); !strings.HasPrefix(s, "the daemon: the file is damaged\n") || !strings.HasSuffix(s, "\noffice: warning: no SIM card tells its country\n") {
		t.Errorf("the list says\n%s", s)
	}
	out.Reset()
	if err := a.printModem(office); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"home", "+47", "warning", "no SIM card tells its country", "reset, try 1 of 1 now, reinit 4 since start, reset 2 since start"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in\n%s", want, out.String())
		}
	}
}
