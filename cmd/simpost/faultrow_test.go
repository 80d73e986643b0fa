package main

import (
	"encoding/json"
	"os"
	"testing"
	"time"

	"simpost/daemon/api"
)

// writeFaultRow appends a line to the table of `make faults` (test/sim, Row).
func writeFaultRow(t *testing.T, name, fault string, trials, lost, doubled, wrong int, wall time.Duration, more ...map[string]any) {
	t.Helper()
	row := map[string]any{"name": name, "fault": fault, "trials": trials, "lost": lost, "doubled": doubled, "wrong": wrong, "wall_s": wall.Seconds()}
	if t.Failed() {
		row["failed"] = 1
	}
	for _, m := range more {
		for k, v := range m {
			row[k] = v
		}
	}
	line, err := json.Marshal(row)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s", line)
	path := os.Getenv("SIMPOST_FAULTS_OUT")
	if path == "" {
		return
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Write(append(line, '\n')); err != nil {
		t.Fatal(err)
	}
}

func textTo(to, body string) api.SendRequest {
	return api.SendRequest{To: api.Recipients{to}, Text: &body}
}
