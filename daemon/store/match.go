package store

import "time"

// Which attempt a delivery report belongs to. The network names it by TP-MR (8
// bits, and some modems never count it), the recipient, and the time at which
// the centre took it (TP-SCTS). Pure functions: the rows come from reports.go.

const (
	// matchWindow is how far SCTS and submit time may be apart, after the skew.
	matchWindow = 10 * time.Minute
	// matchTie is the resolution of SCTS: closer than this nobody can tell two apart.
	matchTie = time.Second
	// skewAgree is how well two reports must agree to teach a skew.
	skewAgree = time.Minute
)

// candidate is an attempt that a report may be for: same SIM, same number.
type candidate struct {
	attempt int64
	started int64 // UTC milliseconds
	exact   bool  // has the report's MR; otherwise it has none
	unknown bool  // nobody knows whether it was sent; otherwise its answer is still awaited
}

// match returns the attempt a report is for, or 0: a tie, too far off, or nothing
// fits. scts and skew are in milliseconds.
func match(scts, skew int64, candidates []candidate) int64 {
	if a, found := nearest(scts-skew, candidates); found {
		return a
	}
	var only int64
	for _, c := range candidates {
		switch {
		case c.exact:
		case only != 0 || !c.unknown:
			return 0 // it is not the only one open to that number
		case distance(scts-skew, c.started) <= matchWindow.Milliseconds():
			only = c.attempt
		default:
			return 0
		}
	}
	return only
}

// nearest looks at the candidates with the report's own MR. found is true where
// there was one within the window, even if a tie leaves none to take.
func nearest(at int64, candidates []candidate) (attempt int64, found bool) {
	best := int64(-1)
	for _, c := range candidates {
		d := distance(at, c.started)
		switch {
		case !c.exact || d > matchWindow.Milliseconds():
		case best < 0 || d+matchTie.Milliseconds() <= best:
			attempt, best = c.attempt, d
		case d < best+matchTie.Milliseconds():
			attempt, best = 0, min(d, best)
		}
	}
	return attempt, best >= 0
}

func distance(a, b int64) int64 {
	if a < b {
		return b - a
	}
	return a - b
}

// skew is what is known of the service centre's clock, minus ours.
type skew struct {
	known    bool
	value    int64
	hinted   bool
	hint     int64
	hintedBy int64 // attempt
}

// confirm moves the skew a quarter of the way to what a matched report shows.
func (k skew) confirm(shown int64) skew {
	if !k.known {
		return skew{known: true, value: shown}
	}
	return skew{known: true, value: k.value + (shown-k.value)/4}
}

// suspect takes what a report shows that would fit attempt alone, if the skew
// were another one. Two such reports, of two attempts, that agree are believed.
func (k skew) suspect(attempt, shown int64) (next skew, learned bool) {
	if k.hinted && k.hintedBy != attempt && distance(k.hint, shown) <= skewAgree.Milliseconds() {
		return skew{known: true, value: shown}, true
	}
	k.hinted, k.hint, k.hintedBy = true, shown, attempt
	return k, false
}
