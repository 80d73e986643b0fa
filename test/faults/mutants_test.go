package main

import "testing"

// A line that was rewritten leaves its mutant without a place. To find that here
// takes no time; the hunt comes to it after a quarter of an hour.
func TestEveryMutantHasItsLine(t *testing.T) {
	t.Chdir("../..")
	for _, m := range mutants {
		if _, err := m.overlay(t.TempDir()); err != nil {
			t.Errorf("mutant %s: %v", m.name, err)
		}
	}
}
