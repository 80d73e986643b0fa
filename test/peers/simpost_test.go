package peers_test

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestSimpost is a newcomer's first minute with simpost itself: six lines of
// configuration, serve, send, wait for the reports, inbox.
func TestSimpost(t *testing.T) {
	t.Parallel()
	for _, profile := range profiles() {
		t.Run(profile, func(t *testing.T) {
			t.Parallel()
			n := emulate(t, 1, profile)
			o := serve(t, n, "", []kind{{}})
			o.thereAndBack(t, n, n.modems[0], kind{})
			t.Logf("simpost: %d AT commands to start, and for 2 parts out, 2 in, 2 reports", n.commands(n.modems[0]))
		})
	}
}

// kind is what is odd about a make of modem; the zero value is none of it.
type kind struct {
	settings  string // that its user must make
	noReports bool
	noReading bool
}

// One daemon with a modem of every kind there is.
func TestSimpostWithEveryProfile(t *testing.T) {
	t.Parallel()
	odd := map[string]kind{
		"cinterion": {noReports: true}, // SR does not show them
		"mbm":       {settings: "smsc = \"+4790000000\"\n", noReports: true},
		"nokia":     {noReports: true, noReading: true},
	}
	profiles := strings.Fields(run(t, "simpost", "emulate", "--list-profiles"))
	for profile := range odd {
		if !slices.Contains(profiles, profile) {
			t.Errorf("stale exception: there is no %s", profile)
		}
	}
	var kinds []kind
	for _, profile := range profiles {
		kinds = append(kinds, odd[profile])
	}
	n := emulate(t, len(profiles), strings.Join(profiles, ","))
	// All of them write to one number, more than the guard lets pass in an hour.
	o := serve(t, n, "[guard]\noff = true\n", kinds)
	for i, m := range n.modems {
		t.Run(profiles[i], func(t *testing.T) {
			t.Parallel()
			o.thereAndBack(t, n, m, kinds[i])
		})
	}
}

// office is a running `simpost serve`.
type office struct {
	config         string
	daemon, events *process
}

// serve starts the daemon with the modems of a network, by the names that they
// have there, and with the settings given.
func serve(t *testing.T, n *network, settings string, kinds []kind) *office {
	t.Helper()
	dir := t.TempDir()
	config := fmt.Sprintf("database = %q\n[api]\nsocket = %q\n", filepath.Join(dir, "simpost.db"), filepath.Join(dir, "simpost.sock")) + settings
	for i, m := range n.modems {
		config += fmt.Sprintf("[[modem]]\nname = %q\ndevice = %q\n%s", m.name, m.link, kinds[i].settings)
	}
	o := &office{config: write(t, dir, "simpost.toml", config)}
	o.daemon = start(t, "simpost", "--config", o.config, "serve")
	o.daemon.expect(t, o.daemon.err, "msg=serving")
	o.events = start(t, "simpost", "--config", o.config, "--json", "events", "--follow")
	return o
}

// messages are those of one modem that a verb of simpost's lists.
func (o *office) messages(t *testing.T, m modem, verb ...string) []message {
	t.Helper()
	out := run(t, "simpost", append([]string{"--config", o.config, "--json"}, append(verb, "--modem", m.name)...)...)
	var list struct{ Messages []message }
	if err := json.Unmarshal([]byte(out), &list); err != nil {
		t.Fatalf("simpost %s says %q: %v", strings.Join(verb, " "), out, err)
	}
	return list.Messages
}

// message is what matters here of the API's.
type message struct {
	From, Text, State string
	PossibleDuplicate bool `json:"possible_duplicate"`
}

// thereAndBack sends by one modem, waits for the delivery reports, and receives the echo.
func (o *office) thereAndBack(t *testing.T, n *network, m modem, k kind) {
	t.Helper()
	text, state := m.name+": "+long(), "delivered"
	if k.noReports {
		state = "sent"
	}
	run(t, "simpost", "--config", o.config, "send", "--modem", m.name, "--to", echo, "--wait="+state, "--timeout", patience.String(), text)
	n.sentOnce(t, m, echo, text, 2)
	if got := o.messages(t, m, "messages", "--direction", "out"); len(got) != 1 || got[0].State != state || got[0].PossibleDuplicate {
		t.Errorf("simpost says that it sent %+v", got)
	}
	if k.noReading {
		return
	}
	o.events.wait(t, o.events.out, "tells of the echo to "+m.name, func(said []string) bool {
		return slices.ContainsFunc(said, func(line string) bool {
			return strings.Contains(line, `"message.received"`) && strings.Contains(line, `"`+m.name+`"`)
		})
	})
	if got := o.messages(t, m, "inbox"); len(got) != 1 || got[0].From != echo || got[0].Text != text {
		t.Errorf("simpost received %+v, want %q once", got, text)
	}
}
