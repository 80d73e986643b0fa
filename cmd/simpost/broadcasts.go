package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"simpost/daemon/api"
)

func (a *app) broadcasts() *cobra.Command {
	limit := 20
	cmd := &cobra.Command{
		Use:   "broadcasts",
		Short: "show cell broadcasts, such as governments' warnings",
		Args:  exactly(0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			list, err := c.Broadcasts(cmd.Context(), limit)
			if err != nil {
				return err
			}
			return a.printBroadcasts(list)
		},
	}
	cmd.Flags().IntVarP(&limit, "limit", "n", limit, "the newest `number` of them")
	return cmd
}

func (a *app) printBroadcasts(list []api.Broadcast) error {
	if a.json {
		return a.printJSON(api.Broadcasts{Broadcasts: list})
	}
	if len(list) == 0 {
		fmt.Fprintln(a.err, `simpost: no broadcasts; broadcasts = "alerts" below [[modem]] in the configuration asks for them`)
	}
	for _, b := range list {
		what := []string{when(b.At, time.Now()), fmt.Sprintf("channel %d", b.Channel), clean(b.Alert), clean(b.Language)}
		if b.Missing > 0 {
			what = append(what, fmt.Sprintf("%d of %s missing", b.Missing, plural(b.Pages, "page")))
		}
		if _, err := fmt.Fprintf(a.out, "%s\n%s\n", strings.Join(strings.Fields(strings.Join(what, " ")), " "), indented(b.Text, "  ")); err != nil {
			return err
		}
	}
	return nil
}
