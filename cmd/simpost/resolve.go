package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"simpost/daemon/api"
)

func (a *app) resolve() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "resolve ID resend|fail|sent",
		Short: "decide a message that is held or unknown",
		Long: `Decide a message of which nobody can say whether it was sent.

  resend  send its open parts again; the recipient may get them twice
  fail    they were not sent: give up
  sent    they were sent`,
		Args: exactly(2, "the id of one message and what to do with it"),
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			if len(args) == 1 {
				return []string{"resend", "fail", "sent"}, cobra.ShellCompDirectiveNoFileComp
			}
			return nil, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			action := api.Action(args[1])
			if action != api.ResolveResend && action != api.ResolveFail && action != api.ResolveSent {
				return usagef("a message is resolved by resend, fail or sent, not %q", args[1])
			}
			c, err := a.client()
			if err != nil {
				return err
			}
			m, err := c.Resolve(cmd.Context(), args[0], action)
			if err != nil {
				return err
			}
			if a.json {
				return a.printJSON(m)
			}
			_, err = fmt.Fprintf(a.out, "message %s %s%s\n", m.ID, m.State, duplicateNote(m))
			return err
		},
	}
	return cmd
}
