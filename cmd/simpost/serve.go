package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"simpost/daemon"
)

func (a *app) serve() *cobra.Command {
	var debug bool
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "run the daemon",
		Long: `Run the daemon: own the configured modems, send, receive, and answer on the socket.

SIGTERM or Ctrl-C ends it in order, which can take a minute if a modem is in the
middle of sending; a second one ends it at once, which loses nothing either.`,
		Args: exactly(0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.runServe(cmd.Context(), debug)
		},
	}
	cmd.Flags().BoolVar(&debug, "debug", false, "log everything, whatever log.level says")
	return cmd
}

func (a *app) runServe(ctx context.Context, debug bool) error {
	ctx, stop := untilSignal(ctx)
	defer stop()
	cfg, err := a.loadConfig()
	if err != nil {
		return err
	}
	if a.socket != "" {
		cfg.API.Socket = a.socket
	}
	log, err := newLog(a.err, cfg.Log.Level, cfg.Log.Format, debug)
	if err != nil {
		return err
	}
	d := daemon.New(cfg, buildInfo().Version, log)
	d.Serving = func() {
		log.Info("serving", "socket", cfg.API.Socket, "database", cfg.Database, "modems", len(cfg.Modems))
		notify(log, "READY=1")
	}
	context.AfterFunc(ctx, func() { notify(log, "STOPPING=1") })
	if interval := watchdogInterval(); interval > 0 {
		fed, stop := context.WithCancel(context.WithoutCancel(ctx)) // on the way down too
		defer stop()
		go feed(fed, interval, d.Alive, func() { notify(log, "WATCHDOG=1") })
	}
	return d.Run(ctx)
}

// watchdogInterval is how often systemd wants to be told that the daemon is alive,
// 0 for never: twice in the time after which it acts (sd_watchdog_enabled(3)).
func watchdogInterval() time.Duration {
	if pid := os.Getenv("WATCHDOG_PID"); pid != "" && pid != strconv.Itoa(os.Getpid()) {
		return 0
	}
	us, err := strconv.ParseInt(os.Getenv("WATCHDOG_USEC"), 10, 64)
	if err != nil || us <= 0 {
		return 0
	}
	return time.Duration(us) * time.Microsecond / 2
}

// feed calls tell now and at every interval at which the daemon is alive, until
// ctx ends. It is no timer of its own that says so: a daemon with a stuck loop is
// not alive.
func feed(ctx context.Context, interval time.Duration, alive func() bool, tell func()) {
	t := time.NewTicker(interval)
	defer t.Stop()
	for {
		if alive() {
			tell()
		}
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
	}
}

// newLog writes as the configuration says, without times where the journal adds
// them.
func newLog(w io.Writer, threshold, format string, debug bool) (*slog.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(threshold)); err != nil {
		return nil, fmt.Errorf("log.level: %w", err)
	}
	if debug {
		level = slog.LevelDebug
	}
	opts := &slog.HandlerOptions{Level: level}
	if isJournal(w) {
		opts.ReplaceAttr = func(groups []string, attr slog.Attr) slog.Attr {
			if len(groups) == 0 && attr.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return attr
		}
	}
	if format == "json" {
		return slog.New(slog.NewJSONHandler(w, opts)), nil
	}
	return slog.New(slog.NewTextHandler(w, opts)), nil
}

// isJournal compares w with what systemd says it connected: the variable alone is
// inherited by programs whose output goes elsewhere (systemd.exec(5)).
func isJournal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return false
	}
	return os.Getenv("JOURNAL_STREAM") == fmt.Sprintf("%d:%d", st.Dev, st.Ino)
}

// notify tells systemd how the service is, if it asked to be told (sd_notify(3)).
func notify(log *slog.Logger, state string) {
	path := os.Getenv("NOTIFY_SOCKET")
	if path == "" {
		return
	}
	conn, err := net.Dial("unixgram", path)
	if err == nil {
		defer conn.Close()
		_, err = conn.Write([]byte(state))
	}
	if err != nil {
		log.Warn("systemd was not told", "state", state, "error", err)
	}
}
