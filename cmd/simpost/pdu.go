package main

import "github.com/spf13/cobra"

func (a *app) pdu() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "pdu",
		Short: "read and write the PDUs that modems exchange",
		Args:  cobra.ArbitraryArgs,
		RunE:  a.group,
	}
	cmd.AddCommand(a.pduDecode(), a.pduEncode())
	return cmd
}
