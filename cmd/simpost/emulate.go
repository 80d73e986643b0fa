package main

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"simpost/hw"
	"simpost/modem/emulator"
)

// maxEmulated bounds --modems: each is a pseudo-terminal and two goroutines.
const maxEmulated = 64

type emulateFlags struct {
	modems       int
	profiles     []string
	link         string
	unix         string
	faults       []string
	phones       []string
	seed         uint64
	latency      time.Duration
	baud         int
	pin          string
	record       string
	trace        bool
	control      bool
	listFaults   bool
	listProfiles bool
}

// exampleBook is the phonebook of every emulated card.
var exampleBook = []emulator.Contact{{Number: "+4790000100", Name: "Front desk"}, {Number: "110", Name: "Fire; police"}}

func (a *app) emulate() *cobra.Command {
	var f emulateFlags
	cmd := &cobra.Command{
		Use:   "emulate",
		Short: "emulate modems on pseudo-terminals, for any program that drives modems",
		Long: `Emulate modems on pseudo-terminals, joined by a network with a service centre that
delivers between them and to phones. Every modem is a line on standard output: its
link, its number and its profile. It runs until Ctrl-C.

A fault is NAME or NAME:KEY=VALUE,... with the keys after (chances that pass first),
times (how often it acts; 0 is always), probability, delay, accept (the network takes
the message all the same) and modem (only the one of this name).

A phone is NUMBER or NUMBER:BEHAVIOUR[:DELAY]. It takes what it is sent (answer), is
unreachable (until DELAY has passed), rejects it (reject), takes it after DELAY (slow),
takes it but no report comes (silent), or sends it back, after DELAY (reply). Numbers
without a phone take what they are sent.

With --control each line of standard input is a command: "send FROM TO TEXT" is the
phone FROM writing to the modem that has the number TO; "call FROM TO" rings, "ussd TO
TEXT" and "broadcast CHANNEL TEXT" are the network; "unplug MODEM" and "plug MODEM" pull
a modem, with its power, and bring it back.

With --unix NAME the modems are on unix sockets instead, each of which serves one host
after the other. %d is 0, 1, ...; a name that begins with @ is abstract.`,
		Example: `  simpost emulate --modems 2 --profile sim800 --link ./modem%d
  simpost emulate --fault prompt.late:delay=5s,times=1 --record -
  echo "send +4790000100 +4790000001 hello" | simpost emulate --control`,
		Args: exactly(0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error { return a.runEmulate(cmd.Context(), f) },
	}
	flags := cmd.Flags()
	flags.IntVar(&f.modems, "modems", 1, "how `many`")
	flags.StringSliceVar(&f.profiles, "profile", []string{"generic"}, "the `kinds` of modem, in turn")
	flags.StringVar(&f.link, "link", "./modem%d", "`name` of the links to the pseudo-terminals; %d is 0, 1, ...")
	flags.StringVar(&f.unix, "unix", "", "`name` of unix sockets to be on instead of pseudo-terminals; @name is abstract")
	flags.StringArrayVar(&f.faults, "fault", nil, "`fault` to switch on; repeat it for more")
	flags.StringSliceVar(&f.phones, "phones", nil, "`phones` on the network")
	flags.Uint64Var(&f.seed, "seed", 0, "`seed` of everything random")
	flags.DurationVar(&f.latency, "latency", 0, "how long the network takes to answer a sent message")
	flags.IntVar(&f.baud, "baud", 0, "line speed in `bits` per second; 0 is as fast as it goes")
	flags.StringVar(&f.pin, "pin", "", "the SIM cards ask for this `PIN`")
	flags.StringVar(&f.record, "record", "", "write every accepted message as a line of JSON to `file` (- is standard output)")
	flags.BoolVar(&f.control, "control", false, "obey the lines of standard input: "+controlCommands)
	flags.BoolVar(&f.trace, "trace", false, "print what goes over the lines on standard error")
	flags.BoolVar(&f.listFaults, "list-faults", false, "list the faults and end")
	flags.BoolVar(&f.listProfiles, "list-profiles", false, "list the kinds of modem and end")
	completions(cmd, "profile", emulator.Profiles()...)
	return cmd
}

func (a *app) runEmulate(ctx context.Context, f emulateFlags) error {
	ctx, stop := untilSignal(ctx)
	defer stop()
	switch {
	case f.listFaults:
		return a.printFaults()
	case f.listProfiles:
		_, err := fmt.Fprintln(a.out, strings.Join(emulator.Profiles(), "\n"))
		return err
	case f.modems < 1 || f.modems > maxEmulated:
		return usagef("--modems is 1 to %d, not %d", maxEmulated, f.modems)
	case f.unix == "" && f.modems > 1 && !strings.Contains(f.link, "%d"):
		return usagef("--link needs a %%d where the number of the modem goes")
	case f.unix != "" && f.modems > 1 && !strings.Contains(f.unix, "%d"):
		return usagef("--unix needs a %%d where the number of the modem goes")
	}
	if err := knownProfiles(f.profiles...); err != nil {
		return err
	}
	n := emulator.NewNetwork(emulator.NetworkConfig{Latency: f.latency})
	defer n.Close()
	modems, err := a.newModems(n, f)
	if err != nil {
		return err
	}
	for _, p := range f.phones {
		c, err := parsePhone(p)
		if err != nil {
			return err
		}
		if hasNumber(modems, c.Number) {
			return usagef("--phones %s: this is the number of a modem", p)
		}
		n.NewPhone(c)
	}
	return a.serveModems(ctx, n, modems, f)
}

func knownProfiles(names ...string) error {
	for _, name := range names {
		if !slices.Contains(emulator.Profiles(), name) {
			return hinted(usagef("there is no profile %q", name), "simpost emulate --list-profiles shows all")
		}
	}
	return nil
}

func (a *app) printFaults() error {
	if a.json {
		return a.printJSON(emulator.Faults())
	}
	var rows [][]string
	for _, f := range emulator.Faults() {
		rows = append(rows, []string{f.Name, f.Sentence})
	}
	return table(a.out, "FAULT WHAT", rows)
}

// newModems puts the modems on the network and switches their faults on.
func (a *app) newModems(n *emulator.Network, f emulateFlags) ([]*emulator.Modem, error) {
	var modems []*emulator.Modem
	for i := range f.modems {
		c := emulator.Config{Profile: f.profiles[i%len(f.profiles)], PIN: f.pin, Book: exampleBook, LineSpeed: f.baud, Latency: f.latency, Seed: f.seed}
		if f.trace {
			c.Trace = a.traceLine
		}
		modems = append(modems, n.NewModem(c))
	}
	for _, s := range f.faults {
		name, only, c, err := parseFault(s)
		if err != nil {
			return nil, err
		}
		for _, m := range modems {
			if only != "" && only != m.Name() {
				continue
			}
			if err := m.Fault(name, c); err != nil {
				return nil, hinted(usagef("there is no fault %q", name), "simpost emulate --list-faults shows all")
			}
		}
	}
	return modems, nil
}

func (a *app) traceLine(modem string, toModem bool, line string) {
	arrow := "<"
	if toModem {
		arrow = ">"
	}
	fmt.Fprintf(a.err, "%s %s %s\n", modem, arrow, strconv.Quote(line))
}

// parseFault reads NAME:KEY=VALUE,...
func parseFault(s string) (name, modem string, c emulator.FaultConfig, err error) {
	name, args, _ := strings.Cut(s, ":")
	for _, arg := range strings.Split(args, ",") {
		if arg == "" {
			continue
		}
		key, value, _ := strings.Cut(arg, "=")
		var err error
		switch key {
		case "after":
			c.After, err = strconv.Atoi(value)
		case "times":
			c.Times, err = strconv.Atoi(value)
		case "probability":
			c.Probability, err = strconv.ParseFloat(value, 64)
		case "delay":
			c.Delay, err = time.ParseDuration(value)
		case "accept":
			c.Accept, err = value == "" || value == "true", nil
		case "modem":
			modem = value
		default:
			return "", "", c, usagef("--fault %s: no key %q; there are after, times, probability, delay, accept and modem", s, key)
		}
		if err != nil {
			return "", "", c, usagef("--fault %s: %q is no value of %s", s, value, key)
		}
	}
	return name, modem, c, nil
}

// parsePhone reads NUMBER[:BEHAVIOUR[:DELAY]].
func parsePhone(s string) (emulator.PhoneConfig, error) {
	number, rest, _ := strings.Cut(s, ":")
	behaviour, delay, _ := strings.Cut(rest, ":")
	c := emulator.PhoneConfig{Number: number, Behaviour: emulator.Behaviour(behaviour)}
	takesDelay := c.Behaviour == emulator.Slow || c.Behaviour == emulator.Unreachable
	known := []emulator.Behaviour{"", emulator.Answer, emulator.Unreachable, emulator.Reject, emulator.Slow, emulator.Silent}
	switch {
	case behaviour == "reply":
		c.Behaviour, takesDelay = emulator.Answer, true
		c.Reply = func(j emulator.Joined) string { return j.Text }
	case !slices.Contains(known, c.Behaviour):
		return c, usagef("--phones %s: a phone answers, or is unreachable, reject, slow, silent or reply, not %q", s, behaviour)
	}
	if delay == "" {
		return c, nil
	}
	d, err := time.ParseDuration(delay)
	switch {
	case err != nil || d <= 0:
		return c, usagef("--phones %s: %q is no delay; 5s is one", s, delay)
	case !takesDelay:
		return c, usagef("--phones %s: only a phone that is slow, unreachable or replies has a delay", s)
	}
	c.Delay = d
	return c, nil
}

// serveModems runs the modems' ports until ctx ends.
func (a *app) serveModems(ctx context.Context, n *emulator.Network, modems []*emulator.Modem, f emulateFlags) error {
	record, done, err := a.openRecord(f.record)
	if err != nil {
		return err
	}
	defer done()
	g, ctx := errgroup.WithContext(ctx)
	if record != nil {
		events := n.Watch(ctx)
		g.Go(func() error { return writeRecord(n, events, record) })
	}
	links := a.out
	if f.record == "-" {
		links = a.err
	}
	if f.control {
		g.Go(func() error {
			a.control(ctx, a.in, n, modems)
			return nil
		})
	}
	for i, m := range modems {
		port, up := servePort(ctx, g, m, i, f)
		if !up {
			break
		}
		fmt.Fprintf(links, "%s %s %s\n", port, m.Number(), f.profiles[i%len(f.profiles)])
	}
	return g.Wait()
}

// servePort serves the i-th modem in g and returns the name of its port once that
// is there. If none comes, because g has failed or ctx has ended, it is not up.
func servePort(ctx context.Context, g *errgroup.Group, m *emulator.Modem, i int, f emulateFlags) (port string, up bool) {
	number := strconv.Itoa(i)
	if f.unix != "" {
		port = strings.ReplaceAll(f.unix, "%d", number)
		ln, err := listenModem(port)
		if err != nil {
			g.Go(func() error { return err })
			return port, false
		}
		g.Go(func() error { return m.ServeListener(ctx, ln) })
		return port, true
	}
	port = strings.ReplaceAll(f.link, "%d", number)
	g.Go(func() error { return m.ServePTY(ctx, port) })
	if err := hw.Wait(ctx, port); err != nil {
		return port, false
	}
	_, err := os.Readlink(port) // what else is there is in the way
	return port, err == nil
}

func (a *app) openRecord(name string) (io.Writer, func(), error) {
	switch name {
	case "":
		return nil, func() {}, nil
	case "-":
		return a.out, func() {}, nil
	}
	file, err := os.Create(name)
	if err != nil {
		return nil, nil, err
	}
	return file, func() { _ = file.Close() }, nil
}

// acceptedLine is a line of --record.
type acceptedLine struct {
	Seq   int       `json:"seq"`
	At    time.Time `json:"at"`
	Modem string    `json:"modem"`
	IMSI  string    `json:"imsi"`
	From  string    `json:"from"`
	To    string    `json:"to"`
	MR    byte      `json:"mr"`
	Ref   int       `json:"ref"`
	Total int       `json:"total"`
	Part  int       `json:"part"`
	Text  string    `json:"text"`
	TPDU  string    `json:"tpdu"`
}

// writeRecord writes a line for every message that the network accepts.
func writeRecord(n *emulator.Network, events func(func(emulator.Event) bool), w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	written := 0
	for e := range events {
		if e.Kind != emulator.Accepted {
			continue
		}
		all := n.Record()
		for _, s := range all[written:] {
			if err := enc.Encode(acceptedLine{
				Seq: s.Seq, At: s.At, Modem: s.Modem, IMSI: s.IMSI, From: s.From, To: s.To, MR: s.MR,
				Ref: s.ConcatRef, Total: s.Total, Part: s.Part, Text: s.Text, TPDU: hex.EncodeToString(s.TPDU),
			}); err != nil {
				return fmt.Errorf("write the record: %w", err)
			}
		}
		written = len(all)
	}
	return nil
}
