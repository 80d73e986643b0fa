package main

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"
)

// row is one line of the table. Beside is a peer or a limit, measured in the same
// run unless it says otherwise.
type row struct {
	what, measured, beside, aim string
	met                         verdict
}

// verdict is empty for a row without an aim.
type verdict string

const (
	met    verdict = "met"
	missed verdict = "MISSED"
)

func judge(ok bool) verdict {
	if ok {
		return met
	}
	return missed
}

type table struct{ rows []row }

func (t *table) add(r row) { t.rows = append(t.rows, r) }

func (t *table) print(w io.Writer) {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(tw, "what\tmeasured\tbeside\taim\t\n")
	for _, r := range t.rows {
		fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%s\n", r.what, r.measured, r.beside, r.aim, r.met)
	}
	tw.Flush()
}

// short is d with three digits or so.
func short(d time.Duration) string {
	for _, unit := range []time.Duration{time.Second, time.Millisecond, time.Microsecond} {
		if d >= unit {
			return d.Round(unit / 100).String()
		}
	}
	return d.String()
}

// signed is short for a difference.
func signed(d time.Duration) string {
	if d < 0 {
		return "-" + short(-d)
	}
	return "+" + short(d)
}

func bytesOf(n int64) string {
	switch {
	case n >= 1<<20:
		return fmt.Sprintf("%.1f MB", float64(n)/(1<<20))
	case n >= 1<<10:
		return fmt.Sprintf("%.1f kB", float64(n)/(1<<10))
	}
	return fmt.Sprintf("%d B", n)
}

func perSecond(n int, d time.Duration) float64 { return float64(n) / d.Seconds() }

// each is d divided by n.
func each(d time.Duration, n int) time.Duration { return d / time.Duration(max(n, 1)) }
