package main

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"simpost/daemon/api"
)

func (a *app) events() *cobra.Command {
	var after int64
	var follow bool
	cmd := &cobra.Command{
		Use:   "events",
		Short: "print what happened, one event a line",
		Long: `Print the daemon's events, one a line; with --json one JSON object a line.

With --follow it goes on until Ctrl-C, through restarts of the daemon: the number
at the beginning of a line continues, so that none is missed.`,
		Args: exactly(0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			ctx, stop := untilSignal(cmd.Context())
			defer stop()
			err = c.Events(ctx, after, follow, a.printEvent)
			if follow && ctx.Err() != nil {
				return nil // Ctrl-C is how it ends
			}
			return err
		},
	}
	cmd.Flags().Int64Var(&after, "after", 0, "only events after this `number`")
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "go on with what happens next")
	return cmd
}

func (a *app) printEvent(e api.Event) error {
	if a.json {
		enc := json.NewEncoder(a.out)
		enc.SetEscapeHTML(false)
		return enc.Encode(e)
	}
	_, err := fmt.Fprintf(a.out, "%d %s %s\n", e.Seq, e.At.Local().Format("2006-01-02 15:04:05"), eventLine(e))
	return err
}

// eventLine is an event in words, without its number and time.
func eventLine(e api.Event) string {
	words := []string{string(e.Type)}
	if e.Message != "" {
		words = append(words, "message "+e.Message)
	}
	if e.Part != 0 {
		words = append(words, fmt.Sprintf("part %d", e.Part))
	}
	if e.Modem != "" {
		words = append(words, "modem "+clean(e.Modem))
	}
	if e.Number != "" {
		words = append(words, "from "+clean(e.Number))
	}
	if e.Detail != "" {
		words = append(words, "("+clean(e.Detail)+")")
	}
	if e.Text != "" {
		words = append(words, clean(e.Text))
	}
	return strings.Join(words, " ")
}
