package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"github.com/rivo/uniseg"
)

// lineWidth is what fits a terminal that nobody has widened.
const lineWidth = 80

// clean takes out what a stranger's text could do to a terminal: control
// characters (an escape sequence can rewrite the screen) and the marks that turn
// the direction of writing (they can make a number read backwards). Line breaks
// and tabs become spaces.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t' || r == '\r' || r == '\u2028' || r == '\u2029':
			return ' '
		case unicode.IsControl(r), unicode.Is(unicode.Bidi_Control, r):
			return -1
		}
		return r
	}, s)
}

// indented is clean for a text that may have several lines.
func indented(s, indent string) string {
	s = strings.ReplaceAll(s, "\r\n", "\n")
	lines := strings.Split(strings.ReplaceAll(s, "\r", "\n"), "\n")
	for i, line := range lines {
		lines[i] = indent + clean(line)
	}
	return strings.Join(lines, "\n")
}

// short cuts s to width columns, between characters as people see them.
func short(s string, width int) string {
	s = clean(s)
	if uniseg.StringWidth(s) <= width {
		return s
	}
	used, end := 0, 0
	for g := uniseg.NewGraphemes(s); g.Next(); {
		if used+g.Width() > width-1 {
			break
		}
		used += g.Width()
		_, end = g.Positions()
	}
	return s[:end] + "…"
}

// table prints rows under a heading, columns two spaces apart.
func table(w io.Writer, heading string, rows [][]string) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, strings.ReplaceAll(heading, " ", "\t"))
	for _, row := range rows {
		fmt.Fprintln(tw, strings.Join(row, "\t"))
	}
	return tw.Flush()
}

// fields prints name and value pairs, one a line; empty values are left out.
func fields(w io.Writer, pairs ...string) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			fmt.Fprintf(tw, "%s\t%s\n", pairs[i], pairs[i+1])
		}
	}
	return tw.Flush()
}

// when is a time as people here read it: short today, with its date otherwise.
func when(t, now time.Time) string {
	t = t.Local()
	if y, d := now.Local().Year(), now.Local().YearDay(); t.Year() == y && t.YearDay() == d {
		return t.Format("15:04:05")
	}
	return t.Format("2006-01-02 15:04")
}

// plural is "1 part", "2 parts".
func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
