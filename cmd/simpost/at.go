package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

func (a *app) at() *cobra.Command {
	return &cobra.Command{
		Use:   "at MODEM COMMAND",
		Short: "type one AT command to a modem at work",
		Long: `Type one AT command to a modem at work, and print its answer.

It takes the role admin, and console = true below [api] in the configuration. What
could send, delete, restart the modem or use up the tries of a PIN is refused. After
a command that sets something simpost sets the modem up anew.`,
		Example: "  simpost at office AT+CSQ\n  simpost at office 'AT+CPIN?'",
		Args:    exactly(2, "a modem and one command"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			answer, err := c.AT(cmd.Context(), args[0], args[1])
			if err != nil {
				return err
			}
			if a.json {
				return a.printJSON(answer)
			}
			for _, line := range append(answer.Lines, answer.Result) {
				if _, err := fmt.Fprintln(a.out, clean(line)); err != nil {
					return err
				}
			}
			return nil
		},
	}
}
