package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"simpost/configs"
	"simpost/daemon"
	"simpost/daemon/api"
	"simpost/hw"
)

// doctorFlags are what doctor can be asked for besides a look.
type doctorFlags struct {
	transcript bool
	baud       int
	report     string
	restart    string
	by         string
}

func (a *app) doctor() *cobra.Command {
	var f doctorFlags
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "what is attached, what is wrong with it, and what to do",
		Long: `Show the modems that are attached, which of their ports takes AT commands and
why, and everything that keeps a configured modem from its work, with what to do.
The daemon is asked if it runs; without it the ports are opened and asked. Nothing
is sent or deleted, and no PIN is entered. As root (sudo) it can name the programs
of other users that hold a port. The exit status is 0 if nothing is wrong, else 1.

--report FILE writes all that to a file for whoever helps you: numbers, serial
numbers and names of the SIM card are masked, and texts are never in it.

--restart MODEM restarts a modem from outside, by the gentlest way that can be used:
a USB reset, its drivers, the power of its port; --by says which, for one that did
not help. This may need root. MODEM is a name, a device, or the place on USB. A
message that is on its way has an unknown outcome then.

--transcript DEVICE FILE records how a modem answers what simpost asks at the start
(- is standard output), to teach simpost about it, masked likewise; look the file
over before you give it away. Stop the daemon first.`,
		Example: `  sudo simpost doctor
  simpost doctor --report simpost-report.json
  sudo simpost doctor --restart office
  sudo simpost doctor --restart usb:1-1.2 --by usb-power
  simpost doctor --transcript /dev/ttyUSB2 my-stick.json`,
		Args: func(cmd *cobra.Command, args []string) error {
			if f.transcript {
				return exactly(2, "--transcript with a device and a file")(cmd, args)
			}
			return exactly(0, "no arguments but with --transcript")(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case f.transcript:
				return a.runTranscript(cmd.Context(), hw.Port{Path: args[0], Baud: f.baud}, args[1])
			case f.restart != "":
				if err := oneOf("by", f.by, handNames()...); err != nil {
					return err
				}
				return a.runRestart(cmd.Context(), f.restart, f.by)
			case f.by != "":
				return usagef("--by takes --restart and a modem")
			}
			return a.runDoctor(cmd.Context(), f.report)
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&f.transcript, "transcript", false, "record a transcript")
	flags.IntVar(&f.baud, "baud", 0, "of a transcript: line speed in `bits` per second (default 115200; USB modems ignore it)")
	flags.StringVar(&f.report, "report", "", "write everything, masked, to a new `file`")
	flags.StringVar(&f.restart, "restart", "", "restart the `modem`, by its name, its device or its place, such as usb:1-1.2")
	flags.StringVar(&f.by, "by", "", "of a restart: the `hand` to use, "+strings.Join(handNames(), ", "))
	completions(cmd, "by", handNames()...)
	flags.StringVar(&a.sysroot, "root", "", "where sys and dev are")
	_ = flags.MarkHidden("root") // it is there: for tests
	cmd.MarkFlagsMutuallyExclusive("transcript", "report", "restart")
	return cmd
}

// examination is what the doctor found, and its JSON.
type examination struct {
	Daemon   string          `json:"daemon"` // running, not-running, or no-permission
	Attached []attached      `json:"attached"`
	Modems   []api.Modem     `json:"modems"`
	Machine  []api.Diagnosis `json:"machine"`
}

// attached is a USB device that is a modem, or has a port behind which one may be.
type attached struct {
	Place  string `json:"place"`
	ID     string `json:"id"`
	Name   string `json:"name"`
	Serial string `json:"serial,omitempty"`
	Modem  bool   `json:"modem"`
	Port   string `json:"port,omitempty"`
	Sure   bool   `json:"sure"` // nothing needs to be tried
	Why    string `json:"why"`
	Others []port `json:"other_ports,omitempty"`
}

type port struct {
	Path string `json:"path"`
	Role string `json:"role,omitempty"`
}

// What doctor calls the daemon's state.
const (
	daemonRuns    = "running"
	daemonNot     = "not-running"
	daemonRefuses = "no-permission"
)

func (a *app) runDoctor(ctx context.Context, report string) error {
	ctx, stop := untilSignal(ctx)
	defer stop()
	x, cfg, err := a.examine(ctx)
	if err != nil {
		return err
	}
	daemon.NameHolders(x.Modems, a.server())
	if report != "" {
		if err := a.writeReport(ctx, report, x, cfg); err != nil {
			return err
		}
	}
	if a.json {
		err = a.printJSON(x)
	} else {
		err = a.printExamination(x)
	}
	if err == nil && !x.well() {
		err = &exitError{status: exitFailed}
	}
	return err
}

func (a *app) examiner() *daemon.Examiner { return &daemon.Examiner{Hands: hw.Hands{Root: a.sysroot}} }

// examine asks the daemon, or looks itself where none runs.
func (a *app) examine(ctx context.Context) (examination, configs.Config, error) {
	x := examination{Daemon: daemonRuns, Attached: attachedModems(a.sysroot), Modems: []api.Modem{}, Machine: []api.Diagnosis{}}
	cfg, cfgErr := a.loadConfig()
	c, err := a.client()
	if err != nil {
		return x, cfg, err
	}
	x.Modems, err = c.Modems(ctx)
	var refused *api.Error
	switch {
	case err == nil:
		x.separate()
		return x, cfg, nil
	case ctx.Err() != nil || !errors.As(err, &refused):
		return x, cfg, err
	case refused.Code == api.CodeNoPermission:
		x.Daemon, x.Modems = daemonRefuses, []api.Modem{}
		x.Machine = append(a.examiner().Machine(), api.Diagnosis{Code: api.CondNoPermission, Sentence: "the daemon runs, and does not let you ask it", Remedy: refused.Hint})
		return x, cfg, nil
	case refused.Code != api.CodeDaemonNotRunning:
		return x, cfg, err
	}
	x.Daemon = daemonNot
	if cfgErr != nil && a.config != "" {
		return x, cfg, cfgErr
	}
	x.look(ctx, a, cfg, cfgErr)
	return x, cfg, nil
}

// asking says which modem is examined next.
func (a *app) asking(m configs.Modem) {
	fmt.Fprintf(a.err, "simpost: asking %s on %s\n", m.Name, m.Device)
}

// look examines the configured modems, or, where there is no configuration, the
// attached ones whose AT port is sure.
func (x *examination) look(ctx context.Context, a *app, cfg configs.Config, cfgErr error) {
	e := a.examiner()
	if cfgErr == nil {
		x.Modems = e.Modems(ctx, cfg.Modems, a.asking)
	} else {
		x.Modems = e.Attached(ctx, a.asking)
	}
	x.separate()
	if len(x.Modems) == 0 {
		x.Machine = e.Machine()
	}
}

// server is the daemon's process, 0 if none runs.
func (a *app) server() int {
	at, err := a.client()
	if err != nil {
		return 0
	}
	return daemon.Server(cmp.Or(at.Socket, api.DefaultSocket))
}

// separate takes what is wrong with the machine from the modems, which all have it.
func (x *examination) separate() {
	seen := map[api.Diagnosis]bool{}
	for i, m := range x.Modems {
		own := []api.Diagnosis{}
		for _, d := range m.Diagnosis {
			if !d.OfMachine() {
				own = append(own, d)
			} else if !seen[d] {
				seen[d] = true
				x.Machine = append(x.Machine, d)
			}
		}
		x.Modems[i].Diagnosis = own
	}
}

// well says that there is a modem, and that nothing is wrong.
func (x examination) well() bool {
	wrong := len(x.Machine)
	for _, m := range x.Modems {
		wrong += len(m.Diagnosis)
	}
	return wrong == 0 && len(x.Modems) > 0
}

// attachedModems is what hangs on the USB; nothing where that can't be read.
func attachedModems(root string) []attached {
	devices, _ := hw.Attached(filepath.Join(cmp.Or(root, "/"), hw.DefaultSysfs))
	all := []attached{}
	for _, d := range devices {
		choice := d.Choose()
		one := attached{Place: d.Place, ID: d.Vendor + ":" + d.Product, Name: strings.TrimSpace(d.Maker + " " + d.Model),
			Serial: d.Serial, Modem: d.IsModem(), Port: choice.TTY.Path, Sure: choice.Sure, Why: choice.Why}
		for _, t := range d.TTYs {
			if t.Path != one.Port {
				one.Others = append(one.Others, port{t.Path, t.Role})
			}
		}
		all = append(all, one)
	}
	return all
}

func (a *app) printExamination(x examination) error {
	fmt.Fprintf(a.out, "The daemon %s.\n\n", map[string]string{daemonRuns: "runs and was asked",
		daemonNot: "does not run: this is a look without it", daemonRefuses: "runs, but you may not ask it"}[x.Daemon])
	fmt.Fprintln(a.out, "Attached by USB:")
	for _, d := range x.Attached {
		a.printAttached(d)
	}
	if len(x.Attached) == 0 {
		fmt.Fprintln(a.out, "  no modem, and no serial adapter")
	}
	if len(x.Modems) > 0 {
		fmt.Fprintln(a.out, "\nModems:")
	}
	for _, m := range x.Modems {
		fmt.Fprintf(a.out, "  %s on %s: %s\n", clean(m.Name), clean(m.Device), conditionLine(m))
		a.printDiagnoses(m.Diagnosis, "    ")
	}
	if len(x.Machine) > 0 {
		fmt.Fprintln(a.out, "\nThis machine:")
		a.printDiagnoses(x.Machine, "  ")
	}
	_, err := fmt.Fprintf(a.out, "\n%s\n", x.sum())
	return err
}

// conditionLine is how a modem is, with what it is if that is known.
func conditionLine(m api.Modem) string {
	who := clean(strings.TrimSpace(m.Manufacturer + " " + m.Model))
	network := clean(strings.TrimSpace(m.Operator + " " + decibels(m.Signal)))
	all := []string{string(m.Condition.Code)}
	for _, s := range []string{who, network} {
		if s != "" {
			all = append(all, s)
		}
	}
	return strings.Join(all, ", ")
}

func (a *app) printAttached(d attached) {
	fmt.Fprintf(a.out, "  %s  %s (%s)\n", clean(d.Place), cmp.Or(clean(d.Name), "unnamed"), clean(d.ID))
	if d.Port == "" {
		fmt.Fprintf(a.out, "      no AT port: %s\n", clean(d.Why))
		return
	}
	likely := map[bool]string{false: "likely "}[d.Sure]
	fmt.Fprintf(a.out, "      %sAT port %s: %s\n", likely, clean(d.Port), clean(d.Why))
	var others []string
	for _, p := range d.Others {
		others = append(others, clean(strings.TrimSpace(p.Path+" "+p.Role)))
	}
	if len(others) > 0 {
		fmt.Fprintf(a.out, "      other ports: %s\n", strings.Join(others, ", "))
	}
}

// printDiagnoses says what is wrong, and below it what to do.
func (a *app) printDiagnoses(all []api.Diagnosis, indent string) {
	for _, d := range all {
		line := d.Sentence
		if d.Detail != "" {
			line += " (" + d.Detail + ")"
		}
		fmt.Fprintf(a.out, "%s! %s [%s]\n", indent, clean(line), d.Code)
		if d.Remedy != "" {
			fmt.Fprintf(a.out, "%s  what to do: %s\n", indent, clean(d.Remedy))
		}
	}
}

func (x examination) sum() string {
	wrong := len(x.Machine)
	for _, m := range x.Modems {
		wrong += len(m.Diagnosis)
	}
	var all []string
	if len(x.Modems) == 0 && x.Daemon != daemonRefuses {
		all = append(all, "No modem was found or configured: plug one in, and run this again.")
	}
	if wrong > 0 {
		all = append(all, plural(wrong, "thing")+" to look at; docs/troubleshooting.md says more.")
	}
	return cmp.Or(strings.Join(all, "\n"), "Nothing is wrong.")
}
