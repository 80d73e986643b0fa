// Package peers_test runs other people's SMS programs against `simpost emulate`,
// and `simpost serve` in their place: gammu, gammu-smsd, smstools and Kannel were
// written against real modems, so what works with them is not just what we
// believe a modem to be. What a peer needs and the emulator lacks is the
// emulator's fault.
//
// Judge is the network's own record: what it truly accepted, once each. What a
// reader would get wrong: a peer that is not installed is skipped here, with the
// reason, but fails where SIMPOST_REQUIRE_PEERS=1 is set, as .ci/run does.
//
// Everything stays on this machine: pseudo-terminals, temporary folders, loopback.
package peers_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const (
	required = "SIMPOST_REQUIRE_PEERS" // the variable under which a missing peer fails
	built    = "SIMPOST_PEERS_BUILT"   // that says that PATH begins with a simpost of this source
)

func TestMain(m *testing.M) { os.Exit(testMain(m)) }

// testMain puts a simpost built from this source first in PATH, and after it
// where Debian keeps daemons, which is not in everyone's PATH.
func testMain(m *testing.M) int {
	if os.Getenv(built) != "1" {
		dir, err := os.MkdirTemp("", "simpost-peers")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		build := exec.Command("go", "build", "-buildvcs=false", "-o", dir, "simpost/cmd/simpost")
		build.Stdout, build.Stderr = os.Stderr, os.Stderr
		if err := build.Run(); err != nil {
			fmt.Fprintln(os.Stderr, "build simpost:", err)
			return 1
		}
		os.Setenv("PATH", strings.Join([]string{dir, os.Getenv("PATH"), "/usr/sbin"}, string(os.PathListSeparator)))
	}
	// What the caller has set for a simpost of his own is not meant for these.
	for _, variable := range os.Environ() {
		if name, _, _ := strings.Cut(variable, "="); strings.HasPrefix(name, "SIMPOST_") && name != required {
			os.Unsetenv(name)
		}
	}
	// Peers sleep most of the time, so as many run at once as there are, not as there are processors.
	flag.Parse()
	if err := flag.Set("test.parallel", "32"); err != nil {
		panic("peers_test: " + err.Error())
	}
	return m.Run()
}

// need skips the test where a program of Debian's package is missing, or fails
// it where peers are required.
func need(t *testing.T, debian string, programs ...string) {
	t.Helper()
	for _, program := range programs {
		if _, err := exec.LookPath(program); err != nil {
			missing(t, program, debian)
		}
	}
}

func missing(t *testing.T, what, debian string) {
	t.Helper()
	lacking(t, fmt.Sprintf("%s is not installed: it is in Debian's package %s, and .ci/run installs all peers, with their daemons kept from starting",
		what, debian))
}

// lacking skips the test for a reason, or fails it where peers are required.
func lacking(t *testing.T, reason string) {
	t.Helper()
	if os.Getenv(required) == "1" {
		t.Fatal(reason)
	}
	t.Skip(reason)
}

// profiles are the kinds of modem that every peer must get on with.
func profiles() []string { return []string{"generic", "sim800", "huawei", "quectel-ec25"} }

// echo is the number of a phone that sends back whatever it gets.
const echo = "+4790000100"

// network is a `simpost emulate`.
type network struct {
	*process
	modems []modem
}

// modem is one on its pseudo-terminal.
type modem struct{ name, link, number string }

// accepted is a line of the network's record.
type accepted struct {
	Modem, From, To, Text string
	Ref, Part, Total      int
}

// latency is that of a quick network: a report may not overtake the answer to the message it is about.
const latency = "300ms"

// emulate starts a network of modems on pseudo-terminals, and a phone that echoes.
func emulate(t *testing.T, count int, profile string) *network {
	t.Helper()
	return emulateOn(t, count, profile, "--link", filepath.Join(t.TempDir(), "modem%d"))
}

// emulateOn does so on what kind of port is wanted; the last part of its name is modem%d.
func emulateOn(t *testing.T, count int, profile, port, names string) *network {
	t.Helper()
	n := &network{process: start(t, "simpost", "emulate", "--modems", fmt.Sprint(count), "--profile", profile,
		port, names, "--latency", latency, "--phones", echo+":reply", "--record", "-", "--trace")}
	// Standard output is the record; the links are told with the trace.
	n.wait(t, n.err, "names its modems", func(said []string) bool {
		n.modems = nil
		for _, line := range said {
			if f := strings.Fields(line); len(f) == 3 && strings.HasPrefix(f[0], filepath.Dir(names)) {
				n.modems = append(n.modems, modem{filepath.Base(f[0]), f[0], f[1]})
			}
		}
		return len(n.modems) == count
	})
	return n
}

// accepted is the record of one modem so far.
func (n *network) accepted(t *testing.T, m modem) []accepted {
	t.Helper()
	var all []accepted
	for _, line := range n.out.all() {
		var a accepted
		if err := json.Unmarshal([]byte(line), &a); err != nil {
			t.Fatalf("the record has %q: %v", line, err)
		}
		if a.Modem == m.name {
			all = append(all, a)
		}
	}
	return all
}

// sentOnce checks that what the network accepted from m is exactly this text to
// a number, in parts that a phone would join.
func (n *network) sentOnce(t *testing.T, m modem, to, text string, parts int) {
	t.Helper()
	var got []accepted
	n.wait(t, n.out, fmt.Sprintf("has accepted %d parts from %s", parts, m.name), func(said []string) bool {
		got = n.accepted(t, m)
		return len(got) >= parts
	})
	joined := ""
	for i, a := range got {
		joined += a.Text
		if a.From != m.number || a.To != to || parts > 1 && (a.Ref != got[0].Ref || a.Part != i+1 || a.Total != parts) {
			t.Errorf("part %d went out as %+v", i+1, a)
		}
	}
	if len(got) != parts || joined != text {
		t.Errorf("the network accepted %d parts saying %q, want %d saying %q", len(got), joined, parts, text)
	}
}

// commands is how many command lines the modem was given so far, payloads not counted.
func (n *network) commands(m modem) int {
	count := 0
	for _, line := range n.err.all() {
		if strings.HasPrefix(line, m.name+` > "AT`) {
			count++
		}
	}
	return count
}

// write makes a file of a folder and returns its name.
func write(t *testing.T, dir, name, text string) string {
	t.Helper()
	file := filepath.Join(dir, name)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// long is a message of several parts with characters beyond GSM 7-bit, and one beyond 16 bits.
func long() string { return strings.Repeat("Grüße aus Москва, 日本語 ", 5) + "🚀" }
