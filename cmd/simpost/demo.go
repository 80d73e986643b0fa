package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"simpost/daemon/api"
	"simpost/modem/emulator"
)

// The demo is two processes: this one holds the emulated modems, their network
// and the story, and the daemon is a child of it, so that the daemon can be killed
// with -9 while the network, the judge of what was truly sent, lives on.

// demoText does not fit one SMS, and holds what is easily torn apart: emoji of
// several code points, and characters that GSM 7-bit lacks.
const demoText = "Good morning from the boat house 🌅 The ice is gone, the jetty stands, and the first char are biting 🎣. " +
	"Bring coffee ☕, the long ladder and the whole family 👨‍👩‍👧‍👦! The kids found a hedgehog 🦔 under the sauna; " +
	"it is called Børge now. Key under the third stone 🗝️ — see you at eight."

// The numbers on the emulated network.
const (
	demoNorth = "+4790000001"
	demoSouth = "+4790000002"
	demoPhone = "+4790000003" // answers every message
)

// demoReady bounds the start of the daemon and its modems.
const demoReady = 60 * time.Second

// demoReports bounds the wait for reports: one that comes while the daemon is dead is lost.
const demoReports = 20 * time.Second

type demoFlags struct {
	dir       string
	killAfter string
	once      bool
	latency   time.Duration
	profile   string
}

func (a *app) demo() *cobra.Command {
	var f demoFlags
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "show the daemon at work on two emulated modems",
		Long: `Run the real daemon on two emulated modems, each on a pseudo-terminal, joined by an
emulated network. A long message goes from one to the other, its delivery reports
come back, and every step is printed as it happens. It stays up until Ctrl-C.`,
		Example: `  simpost demo
  simpost demo --kill-after part=2 --once`,
		Args: exactly(0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error { return a.runDemo(cmd.Context(), f) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.dir, "dir", "", "keep the database in `folder` (default one that is removed at the end)")
	flags.StringVar(&f.killAfter, "kill-after", "", "kill the daemon with -9 once the network has `part=N`, and start it again")
	flags.BoolVar(&f.once, "once", false, "end when the message has arrived")
	flags.DurationVar(&f.latency, "latency", 300*time.Millisecond, "how long the network takes to answer a sent part")
	flags.StringVar(&f.profile, "profile", "generic", "emulate this `kind` of modem (simpost emulate --list-profiles)")
	return cmd
}

// demo is the world of one run.
type demo struct {
	app   *app
	flags demoFlags
	kill  int // after this part; 0 never
	dir   string
	net   *emulator.Network
	api   *api.Client
	child *daemonProcess
	tasks *errgroup.Group // all goroutines of the demo
	after int64           // the daemon's last event before the story

	mu    sync.Mutex // one line at a time
	start time.Time
}

func (a *app) runDemo(ctx context.Context, f demoFlags) error {
	ctx, stop := untilSignal(ctx)
	defer stop()
	kill, err := parseKillAfter(f.killAfter)
	if err != nil {
		return err
	}
	if err := knownProfiles(f.profile); err != nil {
		return err
	}
	dir, done, err := demoDir(f.dir)
	if err != nil {
		return err
	}
	defer done()
	d := &demo{
		app: a, flags: f, kill: kill, dir: dir, start: time.Now(),
		net: emulator.NewNetwork(emulator.NetworkConfig{Latency: f.latency}),
		api: &api.Client{Socket: filepath.Join(dir, "simpost.sock")},
	}
	defer d.net.Close()
	if err := d.writeConfig(); err != nil {
		return err
	}
	return d.run(ctx)
}

func parseKillAfter(s string) (int, error) {
	if s == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(strings.TrimPrefix(s, "part="))
	if err != nil || n < 1 {
		return 0, usagef("--kill-after is part=1, part=2 ..., not %q", s)
	}
	return n, nil
}

// longestSocket is how long the path of a socket may be (unix(7), sun_path).
const longestSocket = 107

// demoDir is the folder of the demo, locked, and what ends its use. Only its owner
// may look into it.
func demoDir(named string) (dir string, done func(), err error) {
	remove := func() {}
	if named == "" {
		if dir, err = os.MkdirTemp("", "simpost-demo-"); err != nil {
			return "", nil, err
		}
		remove = func() { _ = os.RemoveAll(dir) }
	} else {
		if dir, err = filepath.Abs(named); err != nil {
			return "", nil, err
		}
		if err = os.MkdirAll(dir, 0o700); err != nil {
			return "", nil, err
		}
	}
	unlock, err := lockDir(dir)
	if err != nil {
		remove()
		return "", nil, err
	}
	return dir, func() { remove(); unlock() }, nil
}

// lockDir keeps a second demo from taking over the links of the first.
func lockDir(dir string) (unlock func(), err error) {
	if n := len(filepath.Join(dir, notifySocket)); n > longestSocket {
		return nil, hinted(fmt.Errorf("%s is too long a name for a folder of sockets", dir), "name a shorter one with --dir")
	}
	f, err := os.OpenFile(filepath.Join(dir, "demo.lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		return nil, hinted(fmt.Errorf("another demo runs in %s", dir), "stop it, or name another folder with --dir")
	}
	return func() { _ = f.Close() }, nil
}

func (d *demo) path(name string) string { return filepath.Join(d.dir, name) }

func (d *demo) writeConfig() error {
	text := fmt.Sprintf(`# written by "simpost demo"
database = %q

[api]
socket = %q

[send]
quarantine = "5s"

[[modem]]
name = "north"
device = %q

[[modem]]
name = "south"
device = %q
`, d.path("simpost.db"), d.path("simpost.sock"), d.path("north"), d.path("south"))
	return os.WriteFile(d.path("simpost.toml"), []byte(text), 0o600)
}

// run starts the world, tells the story in it, and stops the world.
func (d *demo) run(ctx context.Context) error {
	north := d.net.NewModem(emulator.Config{Name: "north", Number: demoNorth, Profile: d.flags.profile, Latency: d.flags.latency})
	south := d.net.NewModem(emulator.Config{Name: "south", Number: demoSouth, Profile: d.flags.profile, Latency: d.flags.latency})
	d.net.NewPhone(emulator.PhoneConfig{Number: demoPhone, Reply: func(j emulator.Joined) string {
		return fmt.Sprintf("Thank you. I read %q.", short(j.Text, 40))
	}})
	d.child = &daemonProcess{config: d.path("simpost.toml"), log: d.path("simpost.log"), say: d.say}

	world, stop := context.WithCancel(context.WithoutCancel(ctx))
	d.tasks, world = errgroup.WithContext(world)
	for _, m := range []*emulator.Modem{north, south} {
		d.tasks.Go(func() error { return m.ServePTY(world, d.path(m.Name())) })
	}
	happenings := d.net.Watch(world) // from here on, before anything happens
	d.tasks.Go(func() error { d.watchNetwork(happenings); return nil })
	d.tasks.Go(func() error { return d.child.run(world) })

	story, cancel := context.WithCancelCause(ctx)
	context.AfterFunc(world, func() { cancel(context.Cause(world)) })
	err := d.tell(story, world)
	stop()
	if werr := d.tasks.Wait(); werr != nil {
		return werr
	}
	return err
}

// tell is the story: ready, send, arrived, the network's record, and then what
// people do themselves until Ctrl-C.
func (d *demo) tell(ctx, world context.Context) error {
	d.say("demo", "two emulated modems on one emulated network, and one real daemon")
	d.say("demo", "north has %s and is %s", demoNorth, d.path("north"))
	d.say("demo", "south has %s and is %s", demoSouth, d.path("south"))
	if err := d.becomeReady(ctx, world); err != nil {
		return d.ended(ctx, err)
	}
	m, err := d.sendOne(ctx)
	if err != nil {
		return d.ended(ctx, err)
	}
	if err := d.untilSettled(ctx, m.ID); err != nil {
		return d.ended(ctx, err)
	}
	if d.flags.once {
		return d.ended(ctx, nil)
	}
	where := ""
	if strings.HasPrefix(program(), ".") {
		where = ", in this folder"
	}
	d.say("demo", "it stays up until Ctrl-C. Try this in another terminal%s:", where)
	fmt.Fprintf(d.app.out, "\n    %s --socket %s send --to %s \"hello\"\n\n", program(), d.api.Socket, demoPhone)
	<-ctx.Done()
	return d.ended(ctx, nil)
}

// ended prints the network's record, however the story ended.
func (d *demo) ended(ctx context.Context, err error) error {
	if err != nil && ctx.Err() == nil {
		return err
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), resultLimit)
	defer cancel()
	return d.verdict(last)
}

// becomeReady waits for the daemon, follows its events, and waits for its modems.
func (d *demo) becomeReady(ctx, world context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, demoReady, errors.New("the modems were not ready in time"))
	defer cancel()
	if err := d.child.ready(ctx); err != nil {
		return err
	}
	st, err := d.api.Status(ctx)
	if err != nil {
		return err
	}
	d.after = st.LastEvent
	d.tasks.Go(func() error { d.watchDaemon(world); return nil })
	return d.until(ctx, func(context.Context) (bool, error) {
		list, err := d.api.Modems(ctx)
		for _, m := range list {
			if !m.CanSend {
				return false, err
			}
		}
		return len(list) > 0, err
	})
}

func (d *demo) sendOne(ctx context.Context) (api.Message, error) {
	text, report := demoText, true
	d.say("demo", "north sends south a long message and asks for reports")
	sent, _, err := d.api.Send(ctx, api.SendRequest{To: api.Recipients{demoSouth}, Text: &text, Report: &report, Modem: "north"}, "")
	if err != nil {
		return api.Message{}, err
	}
	return sent[0], nil
}

// untilSettled waits for the fate of the message, and for it at the other side.
// Reports are waited for demoReports only.
func (d *demo) untilSettled(ctx context.Context, id string) error {
	if err := d.untilGoal(ctx, id, api.Sent); err != nil {
		return err
	}
	reports, cancel := context.WithTimeout(ctx, demoReports)
	defer cancel()
	err := d.untilGoal(reports, id, api.Delivered)
	if reports.Err() == nil || ctx.Err() != nil {
		return err
	}
	d.say("demo", "a report did not come: what a modem hands over while nobody listens is lost")
	return nil
}

func (d *demo) untilGoal(ctx context.Context, id string, goal api.State) error {
	return d.until(ctx, func(ctx context.Context) (bool, error) {
		m, err := d.api.Get(ctx, id)
		if err != nil || !settled(m, goal) {
			return false, err
		}
		if m.State != api.Delivered {
			return true, nil
		}
		in, err := d.api.List(ctx, api.ListQuery{Direction: api.In, Modem: "south"})
		for _, got := range in.Messages {
			if got.Text != nil && *got.Text == *m.Text {
				return true, nil
			}
		}
		return false, err
	})
}

// until asks ok after every event of the daemon, also through its death.
func (d *demo) until(ctx context.Context, ok func(context.Context) (bool, error)) error {
	return untilDone(ctx, d.api, d.after, func(*api.Event) error {
		yes, err := ok(ctx)
		if yes {
			return errDone
		}
		return err
	})
}

// say prints a line of the story.
func (d *demo) say(who, format string, args ...any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	fmt.Fprintf(d.app.out, "%6.2f  %-8s %s\n", time.Since(d.start).Seconds(), who, fmt.Sprintf(format, args...))
}
