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

// TestNoHabitIsLeftOut: each habit that we were told of has its line in docs/modems.md, supported or not.
func TestNoHabitIsLeftOut(t *testing.T) {
	docs, err := os.ReadFile("../docs/modems.md")
	if err != nil {
		t.Fatal(err)
	}
	list, err := os.ReadFile("testdata/habits.txt")
	if err != nil {
		t.Fatal(err)
	}
	told := 0
	for line := range strings.Lines(string(list)) {
		heading, words, ok := strings.Cut(strings.TrimSpace(line), ": ")
		if !ok || strings.HasPrefix(line, "#") {
			continue
		}
		told++
		_, section, _ := strings.Cut(string(docs), "\n### "+heading+"\n")
		section, _, _ = strings.Cut(section, "\n### ")
		if !slices.ContainsFunc(strings.Split(section, "\n"), func(row string) bool { return hasAll(row, strings.Split(words, ", ")) }) {
			t.Errorf("below %q no line has %s", heading, words)
		}
	}
	if told == 0 {
		t.Error("there is no habit in testdata/habits.txt")
	}
}

func hasAll(row string, words []string) bool {
	return strings.HasPrefix(row, "|") && !slices.ContainsFunc(words, func(word string) bool { return !strings.Contains(row, word) })
}
