package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"simpost/configs"
)

func (a *app) configCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "config",
		Short: "check or print the configuration",
		Args:  cobra.ArbitraryArgs,
		RunE:  a.group,
	}
	check := &cobra.Command{
		Use:   "check [FILE]",
		Short: "say what is wrong with the configuration",
		Args:  between(0, 1, "the name of one file, or nothing"),
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 1 {
				a.config = args[0]
			}
			cfg, err := a.loadConfig()
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(a.out, "%s: good, %s\n", a.configPath(), plural(len(cfg.Modems), "modem"))
			return err
		},
	}
	var reference bool
	print := &cobra.Command{
		Use:   "print",
		Short: "print the configuration as it is understood, or the reference",
		Args:  exactly(0, "no arguments"),
		RunE: func(*cobra.Command, []string) error {
			if reference {
				_, err := fmt.Fprint(a.out, configs.Reference)
				return err
			}
			cfg, err := a.loadConfig()
			if err != nil {
				return err
			}
			return configs.Print(a.out, cfg)
		},
	}
	print.Flags().BoolVar(&reference, "reference", false, "print every setting with its default and what it means")
	cmd.AddCommand(check, print)
	return cmd
}
