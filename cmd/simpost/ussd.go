package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"simpost/daemon/api"
)

func (a *app) ussd() *cobra.Command {
	var r api.USSDRequest
	cmd := &cobra.Command{
		Use:   "ussd MODEM [CODE [REPLY]...]",
		Short: "dial a USSD code such as *100#, and answer its menus",
		Long: `Dial a USSD code on a modem and print what the network says. Words after the
code are the replies to its menus, in order.

A menu that still waits stays open for two minutes: --reply answers it, --cancel
ends it. Exit status 1: the network has no answer to the code.

The role send dials the codes that the configuration lists below [guard]; the role
admin dials any, but none that uses up the tries of a PIN.`,
		Example: "  simpost ussd office '*100#'\n  simpost ussd office '*100#' 2 1\n  simpost ussd office --reply 2",
		Args:    between(1, 1+maxReplies, "a modem, a code and the replies to its menus"),
		RunE: func(cmd *cobra.Command, args []string) error {
			steps, err := ussdSteps(r, args[1:])
			if err != nil {
				return err
			}
			c, err := a.client()
			if err != nil {
				return err
			}
			return a.dial(cmd.Context(), c, args[0], steps)
		},
	}
	cmd.Flags().StringVar(&r.Reply, "reply", "", "answer the menu that is open with this `text`")
	cmd.Flags().BoolVar(&r.Cancel, "cancel", false, "end the menu that is open")
	cmd.Flags().BoolVar(&r.Service, "service", false, "the code may change a service, such as call forwarding (role admin)")
	return cmd
}

// maxReplies is deeper than any menu.
const maxReplies = 20

// ussdSteps are the requests that a command line asks for.
func ussdSteps(r api.USSDRequest, words []string) ([]api.USSDRequest, error) {
	flags := r.Reply != "" || r.Cancel
	switch {
	case flags && len(words) > 0:
		return nil, usagef("--reply and --cancel are for a menu that is open: they take no code")
	case r.Reply != "" && r.Cancel:
		return nil, usagef("--reply or --cancel, not both")
	case flags:
		return []api.USSDRequest{r}, nil
	case len(words) == 0:
		return nil, hinted(usagef("ussd takes a modem, and a code, --reply or --cancel"), "simpost ussd --help shows more")
	}
	r.Code = words[0]
	steps := []api.USSDRequest{r}
	for _, word := range words[1:] {
		steps = append(steps, api.USSDRequest{Reply: word})
	}
	return steps, nil
}

// dial runs the steps as long as the network asks for more, and prints what it
// says to the last.
func (a *app) dial(ctx context.Context, c *api.Client, modem string, steps []api.USSDRequest) error {
	for i, step := range steps {
		got, err := c.USSD(ctx, modem, step)
		if err != nil {
			return err
		}
		last := i == len(steps)-1
		if !last && got.State == api.USSDReply {
			continue
		}
		if err := a.printUSSD(modem, got); err != nil {
			return err
		}
		if !last {
			return fmt.Errorf("%s, before the reply %q", got.Sentence, steps[i+1].Reply)
		}
		if got.Text == "" && !step.Cancel {
			return errors.New(got.Sentence)
		}
	}
	return nil
}

func (a *app) printUSSD(modem string, got api.USSDAnswer) error {
	if a.json {
		return a.printJSON(got)
	}
	if got.Text != "" {
		if _, err := fmt.Fprintln(a.out, indented(got.Text, "")); err != nil {
			return err
		}
	}
	if got.State == api.USSDReply {
		fmt.Fprintf(a.err, "simpost: the network waits for a reply: %s\n", a.commandLine("ussd", clean(modem), "--reply", "..."))
	}
	return nil
}
