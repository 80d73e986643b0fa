// Package daemon is the work: it keeps every configured modem at it, sends what
// is queued, keeps what comes in, and answers on the local socket. cmd/simpost
// runs it; tests run it whole, on emulated modems.
//
// A reader might look for the recovery code in a session: there is none. A
// session assumes that its modem works and returns when it does not; the
// supervisor above it opens the modem again. What must survive is in the store
// before it matters (HOUSE: the six invariants), so a crash is only a restart.
package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"simpost/configs"
	"simpost/daemon/api"
	"simpost/daemon/store"
	"simpost/hw"
)

// Daemon owns the modems of a configuration. Set its fields before Run.
type Daemon struct {
	// Open opens a modem's port; nil is hw.Open. For tests.
	Open func(hw.Port) (io.ReadWriteCloser, error)
	// Listen makes the API's listener; nil is the unix socket of the
	// configuration. For tests.
	Listen func() (net.Listener, error)
	// Dial reaches what Listen makes, for Alive; nil is the unix socket, and
	// nobody where Listen is set. For tests.
	Dial func(context.Context) (net.Conn, error)
	// Devices tells what is attached; the zero value is hw.System, and with Open
	// set nothing. For tests.
	Devices hw.Source
	// Wall is the system's clock and Synced says whether a time server keeps it;
	// nil asks the system. For tests.
	Wall   func() time.Time
	Synced func() bool
	// Hands are the machine's; their Root is for tests.
	Hands hw.Hands
	// Restart uses a hand on a modem; nil is that of Hands. For tests.
	Restart func(hand hw.Hand, modem string) error
	// Serving is called once the API answers; nil is allowed.
	Serving func()

	cfg     configs.Config
	log     *slog.Logger
	version string
	started time.Time
	served  sync.Once

	answering atomic.Pointer[server] // the API that is open

	clock  *clock
	store  *store.Store
	queue  *queue
	board  *board
	desks  desks
	guard  *guard
	roster *roster
	pulse  pulse
	gate   sync.Mutex                 // full changes together with the queue
	full   atomic.Bool                // the disk
	damage atomic.Pointer[api.Reason] // a value in the database is not what was written
	poke   chan struct{}              // wakes the housekeeper; capacity 1
	moves  moves                      // used by the housekeeper

	damagedSaid told
	rooms       rooms
}

// New makes a daemon. It touches nothing before Run.
func New(cfg configs.Config, version string, log *slog.Logger) *Daemon {
	return &Daemon{cfg: cfg, log: log, version: version, guard: newGuard(cfg.Guard), poke: make(chan struct{}, 1)}
}

// Run works until ctx ends, which is success, or until the database or the
// socket fails. Requests get 2 s to finish, an exchange past its ^Z gets 60 s,
// the database is closed last.
//
// A database file that is damaged does not end it, whenever that is found: see
// corrupt.go. Neither does a disk that is full: see shut.go.
func (d *Daemon) Run(ctx context.Context) error {
	st, err := d.takeUpDatabase(ctx)
	if st == nil {
		return err
	}
	defer st.Close()
	return d.work(ctx)
}

// equip makes what works on st. Only a damaged file is no error.
func (d *Daemon) equip(st *store.Store) (err error) {
	st.Retention = store.Retention(d.cfg.Retention)
	if err := unlessCorrupt(d.startClock(st)); err != nil {
		return err
	}
	d.store, d.queue = st, newQueue(st, d.guard)
	if d.roster, err = d.newRoster(); unlessCorrupt(err) != nil {
		return err
	}
	d.board = newBoard(d.roster.all(), d.started)
	return unlessCorrupt(d.takeUp(st))
}

// takeUp finds out what the daemon before left.
func (d *Daemon) takeUp(st *store.Store) error {
	mark := d.cfg.MarkPath()
	if mark == "" {
		d.log.Warn("no mark is kept: a database that is restored from a copy will send again what the copy holds as queued, unless `simpost backup` made it")
	}
	found, err := st.StartMarked(d.started, mark)
	if err != nil {
		return fmt.Errorf("take up the work of before: %w", err)
	}
	if found.Restored {
		d.log.Error("the database says that it is a copy, or is older than its mark: it was restored from a copy, and what the copy has open is held; see `simpost messages --state held`", "messages", found.Held)
	}
	if found.Unknown > 0 {
		d.log.Warn("parts were on their way when simpost stopped: their outcome is unknown", "parts", found.Unknown)
	}
	return d.remember()
}

// startClock finds out what time it is, as far as the record and the system tell.
// The clock goes even if the record is damaged.
func (d *Daemon) startClock(st *store.Store) error {
	last, err := st.LastTime()
	if unlessCorrupt(err) != nil {
		return fmt.Errorf("read the last time on record: %w", err)
	}
	d.clock = systemClock()
	if d.Wall != nil {
		d.clock.wall = d.Wall
	}
	if d.Synced != nil {
		d.clock.synced, d.clock.kept = d.Synced, func() bool { return false }
	}
	d.clock.start(last)
	d.started = d.now()
	if err := clockJudge(); err != nil && d.Synced == nil {
		d.log.Warn("the kernel does not tell whether the clock is right: a time server is not believed, only a battery clock or the network", "error", err)
	}
	if !d.clock.trusted() {
		d.log.Warn("the clock is not trusted: nothing expires until a time server or the network has told the time")
	}
	return err
}

// now is the daemon's own time: see clock.go.
func (d *Daemon) now() time.Time { return d.clock.now() }

// work runs every long-lived goroutine of the daemon; the first error ends all.
func (d *Daemon) work(ctx context.Context) error {
	ln, web, err := d.front()
	if err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	modems, leave := context.WithCancelCause(ctx)
	defer leave(nil)
	if isCorrupt(d.store.Err()) { // no modem is touched at all
		leave(d.store.Err())
	}
	task := func(name string, run func(context.Context) error) {
		g.Go(func() error {
			if err := run(ctx); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			return nil
		})
	}
	task("api", func(ctx context.Context) error { return d.serve(ctx, web, ln) })
	task("housekeeper", d.housekeeper)
	task("database", func(ctx context.Context) error { return d.watchStore(ctx, leave) })
	task("check", d.checkDatabase)
	attend := func(mc configs.Modem) {
		task("modem "+mc.Name, func(context.Context) error { return d.supervise(modems, mc) })
	}
	d.roster.start = func(mc configs.Modem) {
		d.board.add(mc, d.now())
		attend(mc)
	}
	d.roster.rescan()
	for _, mc := range d.roster.all() {
		attend(mc)
	}
	task("devices", func(context.Context) error { return d.roster.run(modems) })
	task("device events", d.roster.watch)
	d.serves()
	done := make(chan error, 1)
	go func() { done <- g.Wait() }()
	return finish(done, d.store)
}

// serves tells once that the API answers.
func (d *Daemon) serves() {
	if d.Serving != nil {
		d.served.Do(d.Serving)
	}
}

// watchStore ends the daemon when the database is broken: after a failed fsync
// nothing that it says can be trusted. If it is damaged, only the work ends.
func (d *Daemon) watchStore(ctx context.Context, leave context.CancelCauseFunc) error {
	select {
	case <-ctx.Done():
		return nil
	case <-d.store.Broken():
	}
	err := d.store.Err()
	if !isCorrupt(err) {
		return err
	}
	d.log.Error(corruptSentence(), "error", err)
	leave(err)
	return nil
}

func (d *Daemon) open(p hw.Port) (io.ReadWriteCloser, error) {
	if d.Open != nil {
		return d.Open(p)
	}
	return hw.Open(p)
}

func (d *Daemon) quarantine() time.Duration { return d.cfg.Send.Quarantine }

// setCondition shows a modem's condition, and records a change as an event. A
// modem that is tried again and again to no avail writes nothing.
func (d *Daemon) setCondition(name string, code api.ConditionCode, cause error) {
	now := d.now()
	c, news := d.board.become(name, code, remedyOf(cause), now)
	if cause != nil {
		d.board.fault(name, api.Reason{Code: string(code), Message: cause.Error()})
	}
	if code != api.CondStarting {
		d.board.because(name, cause)
	}
	if !news {
		return
	}
	d.log.Info(c.Sentence, "modem", name, "condition", code)
	d.record(api.Event{Type: api.EventModem, Modem: name, State: string(code), Detail: c.Sentence})
}

// record appends an event about a modem or the daemon. One that there is no room
// for, or no database, is in the log at least.
func (d *Daemon) record(e api.Event) {
	err := d.store.Note(d.now(), e)
	if err != nil && !isDiskFull(err) && !isCorrupt(err) {
		d.log.Error("an event is not recorded", "type", e.Type, "modem", e.Modem, "error", err)
	}
}

// remedyOf is what hw knows better than the general remedy; "" if nothing.
func remedyOf(cause error) string {
	var open *hw.OpenError
	if errors.As(cause, &open) {
		return open.Remedy
	}
	return ""
}

func isDiskFull(err error) bool { return hasCode(err, api.CodeDiskFull) }

// isConflict says that the store found something in another state than expected.
func isConflict(err error) bool { return hasCode(err, api.CodeConflict) }

func hasCode(err error, code api.Code) bool {
	var refusal *api.Error
	return errors.As(err, &refusal) && refusal.Code == code
}
