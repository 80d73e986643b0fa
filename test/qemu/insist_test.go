package qemu_test

import "testing"

// watched notes what would end its test.
type watched struct {
	*testing.T
	fatal bool
}

func (w *watched) Fatal(...any) { w.fatal = true }

func TestInsist(t *testing.T) {
	for _, c := range []struct {
		name    string
		crashes int
		fatal   bool
		tries   int
	}{
		{"QEMU works", 0, false, 1},
		{"it crashes once", 1, false, 2},
		{"it crashes each time", mostCrashes, true, mostCrashes},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, tries := &watched{T: t}, 0
			insist(w, func(t *testing.T) {
				if tries++; tries <= c.crashes {
					t.Skip("as if QEMU had crashed")
				}
			})
			if w.fatal != c.fatal || tries != c.tries {
				t.Errorf("failed %v after %d tries, want %v after %d", w.fatal, tries, c.fatal, c.tries)
			}
		})
	}
}
