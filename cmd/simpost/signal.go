package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"simpost/daemon/api"
)

func (a *app) signal() *cobra.Command {
	days := 7
	cmd := &cobra.Command{
		Use:   "signal MODEM",
		Short: "show how a modem stood with the network over the last days",
		Long: `Show how a modem stood with the network: a line a day and a column an hour, from
the weakest signal (` + string(signalBars[0]) + `) to the strongest (` + string(signalBars[len(signalBars)-1]) + `). An x is a modem without a network, a
dash one that was away, and a dot is where nobody knows. Below it, what else changed.`,
		Args: exactly(1, "a modem"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			h, err := c.Signal(cmd.Context(), args[0], days)
			if err != nil {
				return err
			}
			if a.json {
				return a.printJSON(h)
			}
			return a.printSignal(h, days, time.Now())
		},
	}
	cmd.Flags().IntVar(&days, "days", days, "how many `days`, 1 to 366")
	return cmd
}

// signalBars are the strengths, from -113 dBm up in steps of 8 dB (TS 27.007 8.5).
var signalBars = []rune("▁▂▃▄▅▆▇█")

const (
	weakest    = -113
	barStep    = 8
	maxChanges = 10 // of the network that are listed
)

func (a *app) printSignal(h api.SignalHistory, days int, now time.Time) error {
	if len(h.Rows) == 0 {
		fmt.Fprintln(a.err, "simpost: nothing is known of these days")
		return nil
	}
	fmt.Fprintf(a.out, "%-11s %s\n", clean(h.Modem), "0     6     12    18")
	y, m, d := now.Date()
	for back := min(days, 366) - 1; back >= 0; back-- {
		day := time.Date(y, m, d-back, 0, 0, 0, 0, now.Location())
		if _, err := fmt.Fprintf(a.out, "%-11s %s\n", day.Format("Mon 02 Jan"), dayOfSignal(h.Rows, day, now)); err != nil {
			return err
		}
	}
	return a.printNetworks(h.Rows)
}

// dayOfSignal is a column an hour: how it was at the hour's end, or is now.
func dayOfSignal(rows []api.Signal, day, now time.Time) string {
	var b strings.Builder
	for hour := range 24 {
		from := time.Date(day.Year(), day.Month(), day.Day(), hour, 0, 0, 0, day.Location())
		if from.After(now) {
			break
		}
		b.WriteRune(signalAt(rows, minTime(from.Add(time.Hour), now)))
	}
	return b.String()
}

func minTime(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// signalAt is the row that holds at a time, as a character.
func signalAt(rows []api.Signal, at time.Time) rune {
	var row *api.Signal
	for i := range rows {
		if rows[i].At.After(at) {
			break
		}
		row = &rows[i]
	}
	switch {
	case row == nil:
		return '.'
	case row.Registration == "offline":
		return '-'
	case at.Sub(row.At) > api.SignalHolds:
		return '.'
	case !strings.HasPrefix(row.Registration, "home") && !strings.HasPrefix(row.Registration, "roaming"):
		return 'x'
	case row.DBm == nil:
		return '.'
	}
	bar := (*row.DBm - weakest) / barStep
	return signalBars[max(0, min(bar, len(signalBars)-1))]
}

// printNetworks lists the last changes of anything but strength.
func (a *app) printNetworks(rows []api.Signal) error {
	var lines []string
	last := ""
	for _, r := range rows {
		words := clean(strings.Join(strings.Fields(r.Registration+" "+r.Operator+" "+r.Bearer), " "))
		if words != last {
			lines = append(lines, r.At.Local().Format("2006-01-02 15:04")+"  "+words+"  "+decibels(r.DBm))
		}
		last = words
	}
	for _, line := range lines[max(0, len(lines)-maxChanges):] {
		if _, err := fmt.Fprintln(a.out, strings.TrimRight(line, " ")); err != nil {
			return err
		}
	}
	return nil
}
