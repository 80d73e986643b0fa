package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"simpost/daemon/api"
)

func (a *app) resolve() *cobra.Command {
	var allHeld bool
	cmd := &cobra.Command{
		Use:   "resolve ID resend|fail|sent",
		Short: "decide a message that is held or unknown",
		Long: `Decide a message of which nobody can say whether it was sent.

  resend  send its open parts again; the recipient may get them twice
  fail    they were not sent: give up
  sent    they were sent

With --all-held it decides every message that is held, as after a database was
restored from a copy.`,
		Args: func(cmd *cobra.Command, args []string) error {
			if allHeld {
				return exactly(1, "what to do with all held messages")(cmd, args)
			}
			return exactly(2, "the id of one message and what to do with it")(cmd, args)
		},
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			if len(args) == 1 || allHeld {
				return []string{"resend", "fail", "sent"}, cobra.ShellCompDirectiveNoFileComp
			}
			return nil, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			action := api.Action(args[len(args)-1])
			if action != api.ResolveResend && action != api.ResolveFail && action != api.ResolveSent {
				return usagef("a message is resolved by resend, fail or sent, not %q", action)
			}
			c, err := a.client()
			if err != nil {
				return err
			}
			if allHeld {
				return a.resolveHeld(cmd.Context(), c, action)
			}
			return a.resolveOne(cmd.Context(), c, args[0], action)
		},
	}
	cmd.Flags().BoolVar(&allHeld, "all-held", false, "decide all messages that are held, instead of one")
	return cmd
}

func (a *app) resolveOne(ctx context.Context, c *api.Client, id string, action api.Action) error {
	m, err := c.Resolve(ctx, id, action)
	if err != nil {
		return err
	}
	if a.json {
		return a.printJSON(m)
	}
	_, err = fmt.Fprintf(a.out, "message %s %s%s\n", m.ID, m.State, duplicateNote(m))
	return err
}

// resolveHeld goes through all pages, the newest first. It ends at the first
// error: what was decided before it was printed, and can be left out the next time.
func (a *app) resolveHeld(ctx context.Context, c *api.Client, action api.Action) error {
	q := api.ListQuery{State: api.Held, Direction: api.Out, Limit: pageLimit}
	for {
		page, err := c.List(ctx, q)
		if err != nil {
			return err
		}
		for _, m := range page.Messages {
			if err := a.resolveOne(ctx, c, m.ID, action); err != nil {
				return err
			}
		}
		if page.Next == nil {
			return nil
		}
		q.After = *page.Next
	}
}
