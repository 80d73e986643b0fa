package modem

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"simpost/modem/emulator"
)

// TestTheTableOfHabits: what docs/modems.md says that the emulator does, it has; every make that the emulator has and every
// dialect is in it; and every line says how it is known.
func TestTheTableOfHabits(t *testing.T) {
	b, err := os.ReadFile("../docs/modems.md")
	if err != nil {
		t.Fatal(err)
	}
	var faults []string
	for _, f := range emulator.Faults() {
		faults = append(faults, f.Name)
	}
	names := regexp.MustCompile("`([a-z0-9.-]+)`")
	said := map[string]bool{}
	_, table, _ := strings.Cut(string(b), "## What modems do")
	for line := range strings.Lines(table) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		if len(cells) != 3 || strings.Contains(line, "known by") || strings.HasPrefix(line, "|---") {
			continue
		}
		known := strings.TrimSpace(cells[2])
		if !regexp.MustCompile(`^(emulator|recorded|read|a test of )`).MatchString(known) {
			t.Errorf("nobody knows how this is known: %s", line)
		}
		for _, m := range names.FindAllStringSubmatch(known, -1) {
			said[m[1]] = true
			if !slices.Contains(faults, m[1]) && !slices.Contains(emulator.Profiles(), m[1]) {
				t.Errorf("the emulator has no %s: %s", m[1], line)
			}
		}
	}
	for _, p := range emulator.Profiles() {
		if !said[p] && p != "generic" {
			t.Errorf("no habit of %s is in the table", p)
		}
	}
	for _, d := range dialects {
		if !strings.Contains(string(b), "| "+d.name+" |") {
			t.Errorf("the dialect %s is not in the table", d.name)
		}
	}
}
