package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"simpost/daemon/api"
)

// app is what every verb shares: the three streams and the global flags.
type app struct {
	in       io.Reader
	out, err io.Writer

	config string
	socket string
	json   bool
}

// run is the program: its arguments and streams in, its exit status out.
func run(args []string, in io.Reader, out, errOut io.Writer) int {
	a := &app{in: in, out: out, err: errOut}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// After the first signal the next one kills: a daemon that hangs on the way
	// down can be ended by hand.
	context.AfterFunc(ctx, stop)
	defer stop()
	root := a.root()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	complain(errOut, err, a.json)
	return status(err)
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "simpost",
		Short: "a post office for SMS: modems with SIM cards behind one queue",
		Long: `simpost sends and receives SMS by GSM modems, and loses none of them.

"simpost serve" is the daemon. "simpost demo" shows it working, without a modem.`,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.ArbitraryArgs,
		RunE:          a.group,
	}
	root.SetIn(a.in)
	root.SetOut(a.out)
	root.SetErr(a.err)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error {
		if errors.Is(err, pflag.ErrHelp) {
			return err
		}
		return usagef("%w", err)
	})
	flags := root.PersistentFlags()
	flags.StringVar(&a.config, "config", "", "configuration `file` (default /etc/simpost/simpost.toml)")
	flags.StringVar(&a.socket, "socket", os.Getenv("SIMPOST_SOCKET"), "the daemon's `socket` (or $SIMPOST_SOCKET)")
	flags.BoolVar(&a.json, "json", false, "print the API's JSON")
	root.AddCommand(
		a.send(), a.inbox(), a.messages(), a.show(), a.cancel(), a.resolve(),
		a.modems(), a.events(), a.segment(), a.backup(),
		a.version(),
	)
	return root
}

// group is what a command that only holds others does: it says so.
func (a *app) group(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		cmd.SetOut(a.err)
		_ = cmd.Help()
		return &exitError{status: exitUsage}
	}
	hint := cmd.CommandPath() + " --help lists the commands"
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		hint = "did you mean " + cmd.CommandPath() + " " + near[0] + "?"
	}
	return hinted(usagef("%s: there is no command %q", cmd.CommandPath(), args[0]), "%s", hint)
}

// exactly is an Args check that says what is wanted.
func exactly(n int, want string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) == n {
			return nil
		}
		return hinted(usagef("%s takes %s", cmd.CommandPath(), want), "%s", cmd.UseLine())
	}
}

// completions offers the words that a flag takes to the shell.
func completions(cmd *cobra.Command, flag string, words ...string) {
	err := cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp))
	if err != nil {
		panic("simpost: " + err.Error()) // a flag that the command does not have
	}
}

// client is the daemon at --socket, or where --config puts it.
func (a *app) client() (*api.Client, error) {
	return &api.Client{Socket: a.socket}, nil
}

// printJSON prints v as the API would.
func (a *app) printJSON(v any) error {
	enc := json.NewEncoder(a.out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}
