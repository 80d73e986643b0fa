package main

import (
	"fmt"
	"io"
	"strings"
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

// columnGap separates the columns of a table.
const columnGap = "  "

// table prints rows under a heading.
func table(w io.Writer, heading string, rows [][]string) error {
	all := append([][]string{strings.Fields(heading)}, rows...)
	widths := columnWidths(all)
	for _, row := range all {
		var b strings.Builder
		for i, cell := range row {
			b.WriteString(cell)
			b.WriteString(strings.Repeat(" ", widths[i]-uniseg.StringWidth(cell)) + columnGap)
		}
		if _, err := fmt.Fprintln(w, strings.TrimRight(b.String(), " ")); err != nil {
			return err
		}
	}
	return nil
}

func columnWidths(rows [][]string) []int {
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], uniseg.StringWidth(cell))
		}
	}
	return widths
}

// fit cuts the last column where the line ends. It returns rows.
func fit(heading string, rows [][]string) [][]string {
	widths := columnWidths(append([][]string{strings.Fields(heading)}, rows...))
	room, last := lineWidth, len(widths)-1
	for _, width := range widths[:last] {
		room -= width + len(columnGap)
	}
	for _, row := range rows {
		row[last] = short(row[last], max(room, shortestCell))
	}
	return rows
}

// shortestCell is what fit leaves of a text however wide the other columns are.
const shortestCell = 20

// fields prints name and value pairs, one a line; empty values are left out.
func fields(w io.Writer, pairs ...string) error {
	width := 0
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			width = max(width, len(pairs[i]))
		}
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] == "" {
			continue
		}
		if _, err := fmt.Fprintf(w, "%-*s%s%s\n", width, pairs[i], columnGap, pairs[i+1]); err != nil {
			return err
		}
	}
	return nil
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
