package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

func (a *app) cancel() *cobra.Command {
	return &cobra.Command{
		Use:   "cancel ID",
		Short: "take back a message that was not sent yet",
		Args:  exactly(1, "the id of one message"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			m, err := c.Cancel(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if a.json {
				return a.printJSON(m)
			}
			_, err = fmt.Fprintf(a.out, "message %s %s\n", m.ID, m.State)
			return err
		},
	}
}
