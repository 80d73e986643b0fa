package configs

import (
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// The paths of the unit and of the defaults must be the same.
func TestUnitMatchesTheDefaults(t *testing.T) {
	for _, line := range []string{
		"ExecStart=/usr/local/bin/simpost serve --config " + DefaultPath,
		"StateDirectory=simpost simpost-mark", "RuntimeDirectory=simpost", // of Default's database, mark and socket
		"Restart=always", "StartLimitIntervalSec=0", "TimeoutStopSec=90",
		"Type=notify", "WatchdogSec=120",
	} {
		if !strings.Contains("\n"+Unit, "\n"+line+"\n") {
			t.Errorf("the unit lacks %q", line)
		}
	}
	if !strings.HasPrefix(Default().Database, "/var/lib/simpost/") || !strings.HasPrefix(Default().MarkPath(), "/var/lib/simpost-mark/") || !strings.HasPrefix(Default().API.Socket, "/run/simpost/") {
		t.Error("the defaults lie outside the unit's folders")
	}
	for _, name := range regexp.MustCompile(`(?m)^DeviceAllow=char-[^0-9].*`).FindAllString(Unit, -1) {
		if name != "DeviceAllow=char-gpiochip rw" { // that driver is never loaded later
			t.Errorf("%s: a name is looked up when the unit starts, and refuses a driver that is loaded later", name)
		}
	}
}

// adjtimex(2) says whether a time server keeps the clock. @system-service does not
// hold it, and ProtectClock= refuses it even for reading: the daemon would take
// no clock for synchronised. Setting the clock takes a capability.
func TestUnitLetsTheClockBeRead(t *testing.T) {
	const allow, deny = "\nSystemCallFilter=adjtimex clock_adjtime\n", "\nSystemCallFilter=~@privileged"
	if at := strings.Index(Unit, allow); at < 0 || at < strings.Index(Unit, deny) {
		t.Error("the unit does not allow adjtimex after it has refused @privileged")
	}
	if strings.Contains(Unit, "\nProtectClock=yes\n") {
		t.Error("ProtectClock= refuses adjtimex")
	}
	for _, line := range []string{"CapabilityBoundingSet=", "AmbientCapabilities="} {
		if !strings.Contains(Unit, "\n"+line+"\n") {
			t.Errorf("the unit lacks %q: the clock could be set", line)
		}
	}
}

// mostExposed is the highest `systemd-analyze security` may score, of 10.
const mostExposed = 1.5

func TestUnitExposure(t *testing.T) {
	tool, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("systemd-analyze is not installed here")
	}
	out, err := exec.Command(tool, "security", "--offline=true", "--no-pager", "simpost.service").CombinedOutput()
	m := regexp.MustCompile(`Overall exposure level for simpost.service: ([0-9.]+)`).FindSubmatch(out)
	if m == nil {
		t.Skipf("this systemd-analyze knows no --offline: %v\n%s", err, out)
	}
	if score, err := strconv.ParseFloat(string(m[1]), 64); err != nil || score > mostExposed {
		t.Errorf("exposure %s, want at most %v\n%s", m[1], mostExposed, out)
	}
}

func TestUdevRulesAreWholeLines(t *testing.T) {
	assignment := regexp.MustCompile(`^[A-Z]+(\{[A-Za-z_]+\})?(==|!=|=)"[^"]*"$`)
	rules := 0
	for _, line := range strings.Split(UdevRules, "\n") {
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		rules++
		for _, term := range strings.Split(line, ", ") {
			if !assignment.MatchString(term) {
				t.Errorf("%q in %q", term, line)
			}
		}
	}
	if rules == 0 || strings.Count(UdevRules, "ID_MM_PORT_IGNORE") == 0 {
		t.Error("no rules")
	}
}
