package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"simpost/configs"
	"simpost/daemon/api"
)

// app is what every verb shares: the three streams and the global flags.
type app struct {
	in       io.Reader
	out, err io.Writer

	config  string
	socket  string
	json    bool
	sysroot string // of sys and dev; "" is /. For tests of doctor
}

// run is the program: its arguments and streams in, its exit status out.
func run(args []string, in io.Reader, out, errOut io.Writer) int {
	a := &app{in: in, out: out, err: errOut}
	root := a.root()
	root.SetArgs(args)
	err := root.ExecuteContext(context.Background())
	complain(errOut, err, a.json)
	return status(err)
}

// untilSignal is for verbs that have something to say or to tidy up when Ctrl-C or
// SIGTERM ends them. After the first signal the next one kills, so that a daemon
// that hangs on the way down can be ended by hand.
func untilSignal(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	return ctx, stop
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
		return flagError(err)
	})
	flags := root.PersistentFlags()
	flags.StringVar(&a.config, "config", "", "configuration `file` (default "+configs.DefaultPath+")")
	flags.StringVar(&a.socket, "socket", "", "the daemon's `socket` (default $SIMPOST_SOCKET, or "+api.DefaultSocket+")")
	flags.BoolVar(&a.json, "json", false, "print the API's JSON")
	root.AddCommand(
		a.serve(), a.demo(), a.send(), a.inbox(), a.messages(), a.show(), a.cancel(), a.resolve(),
		a.modems(), a.signal(), a.sim(), a.broadcasts(), a.ussd(), a.at(), a.events(), a.segment(), a.backup(),
		a.pdu(), a.configCommand(), a.emulate(), a.doctor(), a.version(), a.man(),
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
	cmd.SuggestionsMinimumDistance = 2
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		hint = "did you mean " + cmd.CommandPath() + " " + near[0] + "?"
	}
	return hinted(usagef("there is no command %q", strings.TrimSpace(strings.TrimPrefix(cmd.CommandPath()+" "+args[0], "simpost "))), "%s", hint)
}

// flagError says in words what pflag says of a flag with a bad value.
func flagError(err error) error {
	var bad *pflag.InvalidValueError
	if !errors.As(err, &bad) {
		return usagef("%w", err)
	}
	want := map[string]string{
		"int": "a number", "int64": "a number", "duration": "a duration such as 90s or 5m", "bool": "true or false",
	}[bad.GetFlag().Value.Type()]
	if want == "" {
		return usagef("%w", err)
	}
	return usagef("--%s is %s, not %q", bad.GetFlag().Name, want, bad.GetValue())
}

// exactly is an Args check that says what is wanted.
func exactly(n int, want string) cobra.PositionalArgs { return between(n, n, want) }

func between(low, high int, want string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if low <= len(args) && len(args) <= high {
			return nil
		}
		return hinted(usagef("%s takes %s", verb(cmd), want), "%s --help shows more", cmd.CommandPath())
	}
}

// verb is the name of a command as a person says it.
func verb(cmd *cobra.Command) string {
	return strings.TrimPrefix(cmd.CommandPath(), "simpost ")
}

// completions offers the words that a flag takes to the shell.
func completions(cmd *cobra.Command, flag string, words ...string) {
	err := cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp))
	if err != nil {
		panic("simpost: " + err.Error()) // a flag that the command does not have
	}
}

// oneOf refuses a flag's value, if it has one, that is not among words.
func oneOf(flag, value string, words ...string) error {
	if value == "" || slices.Contains(words, value) {
		return nil
	}
	last := len(words) - 1
	return usagef("--%s is %s or %s, not %q", flag, strings.Join(words[:last], ", "), words[last], value)
}

// client is the daemon at --socket, where --config puts it, at $SIMPOST_SOCKET, or
// in the usual place.
func (a *app) client() (*api.Client, error) {
	switch {
	case a.socket != "":
		return &api.Client{Socket: a.socket}, nil
	case a.config == "":
		return &api.Client{Socket: os.Getenv("SIMPOST_SOCKET")}, nil
	}
	cfg, err := a.loadConfig()
	return &api.Client{Socket: cfg.API.Socket}, err
}

// configPath is the file of --config, or the one in the usual place.
func (a *app) configPath() string {
	if a.config == "" {
		return configs.DefaultPath
	}
	return a.config
}

func (a *app) loadConfig() (configs.Config, error) {
	cfg, err := configs.Load(a.configPath())
	return cfg, configError(err, a.config == "")
}

// configError gives the mistakes of a configuration the form of all refusals.
func configError(err error, usualPlace bool) error {
	if err == nil {
		return nil
	}
	refusal := &api.Error{Code: api.CodeConfig, Message: err.Error(), Hint: "\"simpost config print --reference\" shows every setting"}
	var bad *configs.Error
	switch {
	case errors.Is(err, fs.ErrNotExist) && usualPlace:
		refusal.Hint = "name yours with --config; " + refusal.Hint + ", \"simpost demo\" needs none"
	case errors.As(err, &bad):
		refusal.Message, _, _ = strings.Cut(refusal.Message, "\n")
		for _, p := range bad.Problems {
			field := strings.TrimSuffix(strings.TrimSuffix(p.String(), p.Message), ": ")
			refusal.Errors = append(refusal.Errors, api.FieldError{Field: cmp.Or(field, "the file"), Code: api.CodeConfig, Message: p.Message})
		}
	}
	return refusal
}

// printJSON prints v as the API would.
func (a *app) printJSON(v any) error {
	enc := json.NewEncoder(a.out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// program is how this program was called, for a line to copy.
func program() string {
	if strings.Contains(os.Args[0], "/") {
		return os.Args[0]
	}
	return "simpost"
}

// commandLine is a command that works as printed, with the socket if it is not
// where simpost looks by itself.
func (a *app) commandLine(args ...string) string {
	line := []string{program()}
	if a.socket != "" {
		line = append(line, "--socket", a.socket)
	} else if a.config != "" {
		line = append(line, "--config", a.config)
	}
	return strings.Join(append(line, args...), " ")
}
