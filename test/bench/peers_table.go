package main

import (
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"sync"
)

// results collects what the runs measured. Its methods may be called by several goroutines at once.
type results struct {
	mu     sync.Mutex
	values map[string]map[string][]float64 // by row and program
	notes  []string
}

func (r *results) add(row string, p *peer, v float64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.values == nil {
		r.values = map[string]map[string][]float64{}
	}
	if r.values[row] == nil {
		r.values[row] = map[string][]float64{}
	}
	r.values[row][p.String()] = append(r.values[row][p.String()], v)
}

// note is a line below the table.
func (r *results) note(text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.notes = append(r.notes, strings.Join(strings.Fields(text), " "))
}

// metric is one row of the table.
type metric struct {
	key, title string
	more       bool // more is better
	sum        bool // of the runs, not their median
	format     func(float64) string
}

func metrics() []metric {
	number := func(v float64) string { return threeDigits(v) }
	seconds := func(v float64) string { return duration(v) }
	octets := func(v float64) string { return bytesOf(int64(v)) }
	count := func(v float64) string { return fmt.Sprintf("%.0f", v) }
	var all []metric
	for _, l := range lines {
		all = append(all, metric{"rate " + l.name, "messages/s, " + l.name, true, false, number})
	}
	for _, l := range []line{lines[0], lines[3]} {
		all = append(all,
			metric{"cpu " + l.name, "CPU s per 1,000 sent, " + l.name, false, false, number},
			metric{"commands " + l.name, "AT commands per message sent, " + l.name, false, false, number},
			metric{"written " + l.name, "written per message sent, " + l.name, false, false, octets},
			metric{"memory " + l.name, "resident after sending, " + l.name, false, false, octets},
			metric{"first " + l.name, "start to first message, " + l.name, false, false, seconds})
	}
	for _, l := range []line{lines[0], lines[2]} {
		all = append(all,
			metric{"p50 " + l.name, "incoming until visible, p50, " + l.name, false, false, seconds},
			metric{"max " + l.name, "incoming until visible, max, " + l.name, false, false, seconds})
	}
	all = append(all,
		metric{"idle commands", "idle minute: AT commands", false, false, number},
		metric{"idle wakes", "idle minute: wake-ups", false, false, count},
		metric{"idle cpu", "idle minute: CPU", false, false, seconds},
		metric{"idle written", "idle minute: written", false, false, octets},
		metric{"idle memory", "idle: resident", false, false, octets})
	for _, f := range faults {
		all = append(all,
			metric{f.name + " copies", f.name + ": copies too many", false, true, count},
			metric{f.name + " lost", f.name + ": lost", false, true, count},
			metric{f.name + " back", f.name + ": sends again after", false, false, seconds})
	}
	return all
}

// markdown is the section between the marks.
func (r *results) markdown(head string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out strings.Builder
	peers := allPeers()
	fmt.Fprintf(&out, "%s\n\n| |", head)
	for _, p := range peers {
		fmt.Fprintf(&out, " %s |", p)
	}
	fmt.Fprintf(&out, " simpost default beside the best other |\n|---|%s---|\n", strings.Repeat("---|", len(peers)))
	for _, m := range metrics() {
		fmt.Fprintf(&out, "| %s |", m.title)
		for _, p := range peers {
			fmt.Fprintf(&out, " %s |", r.cell(m, p))
		}
		fmt.Fprintf(&out, " %s |\n", r.verdict(m, peers))
	}
	slices.Sort(r.notes)
	for i, n := range r.notes {
		if i == 0 {
			out.WriteString("\n")
		}
		fmt.Fprintf(&out, "- %s\n", n)
	}
	return out.String()
}

// value is the median or sum of the runs.
func (r *results) value(m metric, p *peer) (float64, bool) {
	v := slices.Sorted(slices.Values(r.values[m.key][p.String()]))
	if len(v) == 0 {
		return 0, false
	}
	if !m.sum {
		return v[len(v)/2], true
	}
	sum := 0.0
	for _, x := range v {
		sum += x
	}
	return sum, true
}

func (r *results) cell(m metric, p *peer) string {
	v, ok := r.value(m, p)
	if !ok {
		return "–"
	}
	text := m.format(v)
	if fault, of := strings.CutSuffix(m.key, " copies"); of {
		if flagged, _ := r.value(metric{key: fault + " flagged", sum: true}, p); flagged > 0 {
			text += fmt.Sprintf(" (%.0f flagged)", flagged)
		}
	}
	if n := len(r.values[m.key][p.String()]); m.sum && n > 1 {
		text += fmt.Sprintf(" in %d runs", n)
	}
	return text
}

// noise is how far two runs of one program differ anyway.
const noise = 1.05

// verdict says who is first. It is never silent about a row that simpost loses.
func (r *results) verdict(m metric, peers []*peer) string {
	ours, ok := r.value(m, peers[0])
	if !ok {
		return "not measured"
	}
	worse := func(a, b float64) bool { return a > b != m.more && a != b }
	var best *peer
	var theirs float64
	for _, p := range peers {
		if v, ok := r.value(m, p); ok && p.name != peers[0].name && (best == nil || worse(theirs, v)) {
			best, theirs = p, v
		}
	}
	switch {
	case best == nil:
		return "alone"
	case ours == theirs:
		return "equal"
	case max(ours, theirs) <= min(ours, theirs)*noise:
		return "about equal to " + best.String()
	case worse(ours, theirs):
		return fmt.Sprintf("**lost** to %s%s", best, factor(ours, theirs))
	}
	return "first" + factor(ours, theirs)
}

// factor is how far a and b are apart, where that is a number.
func factor(a, b float64) string {
	f := max(a, b) / min(a, b)
	if math.IsInf(f, 0) || math.IsNaN(f) {
		return ""
	}
	return " ×" + threeDigits(f)
}

// threeDigits is v as people read it.
func threeDigits(v float64) string {
	switch a := math.Abs(v); {
	case a == 0:
		return "0"
	case a >= 100:
		return fmt.Sprintf("%.0f", v)
	case a >= 10:
		return fmt.Sprintf("%.1f", v)
	case a >= 0.1:
		return fmt.Sprintf("%.2f", v)
	}
	return fmt.Sprintf("%.3f", v)
}

// duration is seconds as people read them.
func duration(v float64) string {
	switch {
	case math.IsInf(v, 0):
		return "never"
	case v == 0:
		return "0 s"
	case v < 1:
		return threeDigits(v*1000) + " ms"
	}
	return threeDigits(v) + " s"
}

// The marks around what is written, for people who edit the rest.
const (
	sectionBegin = "<!-- make bench-peers writes from here -->\n"
	sectionEnd   = "<!-- to here -->\n"
)

// writeSection replaces what is between the marks of a file.
func writeSection(file, text string) error {
	raw, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("write the table: %w", err)
	}
	whole, err := replaceSection(string(raw), text)
	if err != nil {
		return fmt.Errorf("write the table into %s: %w", file, err)
	}
	return os.WriteFile(file, []byte(whole), 0o644)
}

func replaceSection(whole, text string) (string, error) {
	before, rest, begins := strings.Cut(whole, sectionBegin)
	_, after, ends := strings.Cut(rest, sectionEnd)
	if !begins || !ends {
		return "", errors.New("the marks of its section are missing")
	}
	return before + sectionBegin + text + sectionEnd + after, nil
}
