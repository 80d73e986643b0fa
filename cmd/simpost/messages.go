package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"simpost/daemon/api"
)

// pageLimit is the most that the daemon puts on one page.
const pageLimit = 200

func (a *app) messages() *cobra.Command {
	var q api.ListQuery
	var all bool
	cmd := &cobra.Command{
		Use:   "messages",
		Short: "list messages, the newest first",
		Args:  exactly(0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.runList(cmd.Context(), q, all)
		},
	}
	listFlags(cmd, &q, &all)
	cmd.Flags().StringVar((*string)(&q.Direction), "direction", "", "only `out|in`")
	cmd.Flags().StringVar((*string)(&q.State), "state", "", "only messages in this `state`")
	completions(cmd, "direction", "out", "in")
	completions(cmd, "state", "scheduled", "queued", "sending", "sent", "delivered", "failed", "unknown", "held", "expired", "cancelled", "received")
	return cmd
}

func (a *app) inbox() *cobra.Command {
	q := api.ListQuery{Direction: api.In}
	var all bool
	cmd := &cobra.Command{
		Use:   "inbox",
		Short: "list received messages, the newest first",
		Args:  exactly(0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.runList(cmd.Context(), q, all)
		},
	}
	listFlags(cmd, &q, &all)
	return cmd
}

func listFlags(cmd *cobra.Command, q *api.ListQuery, all *bool) {
	flags := cmd.Flags()
	flags.StringVar(&q.Number, "number", "", "only messages to or from this `number`")
	flags.StringVar(&q.Modem, "modem", "", "only messages of the modem of this `name`")
	flags.StringVar(&q.After, "after", "", "go on after this `cursor`")
	flags.IntVar(&q.Limit, "limit", 50, "at most this `many`, up to 200")
	flags.BoolVar(all, "all", false, "all of them")
}

// runList prints one page, or all of them as one list.
func (a *app) runList(ctx context.Context, q api.ListQuery, all bool) error {
	c, err := a.client()
	if err != nil {
		return err
	}
	if all {
		q.Limit = pageLimit
	}
	page, err := c.List(ctx, q)
	if err != nil {
		return err
	}
	for all && page.Next != nil {
		q.After = *page.Next
		next, err := c.List(ctx, q)
		if err != nil {
			return err
		}
		page.Messages, page.Next = append(page.Messages, next.Messages...), next.Next
	}
	if a.json {
		return a.printJSON(page)
	}
	if err := a.messageTable(page.Messages, q.Direction == api.In); err != nil {
		return err
	}
	if page.Next != nil {
		fmt.Fprintf(a.err, "simpost: there are more: --after %s, or --all\n", *page.Next)
	}
	return nil
}

func (a *app) messageTable(messages []api.Message, inbox bool) error {
	if len(messages) == 0 {
		fmt.Fprintln(a.err, "simpost: no messages")
		return nil
	}
	now := time.Now()
	heading := "ID TIME DIR NUMBER STATE PARTS TEXT"
	if inbox {
		heading = "ID TIME FROM TEXT"
	}
	rows := make([][]string, 0, len(messages))
	for _, m := range messages {
		row := []string{m.ID, when(m.CreatedAt, now)}
		if !inbox {
			row = append(row, string(m.Direction))
		}
		row = append(row, short(m.To+m.From, 16))
		if !inbox {
			row = append(row, string(m.State)+marks(m), fmt.Sprint(len(m.Parts)))
		}
		rows = append(rows, append(row, summary(m)))
	}
	return table(a.out, heading, fit(heading, rows))
}

// marks are what must be seen beside a state.
func marks(m api.Message) string {
	s := ""
	if m.PossibleDuplicate {
		s += "*"
	}
	if m.Incomplete {
		s += "…"
	}
	return s
}

// summary is a message's content on one line.
func summary(m api.Message) string {
	var notes []string
	if m.Incomplete {
		notes = append(notes, "[parts missing]")
	}
	if m.RepeatOf != "" {
		notes = append(notes, "[repeat of "+m.RepeatOf+"]")
	}
	switch {
	case m.Text != nil:
		notes = append(notes, *m.Text)
	case len(m.Data) > 0:
		notes = append(notes, fmt.Sprintf("[%s]", plural(len(m.Data), "byte")))
	case m.Encoding == "unreadable":
		notes = append(notes, "[unreadable]")
	}
	return clean(strings.Join(notes, " "))
}
