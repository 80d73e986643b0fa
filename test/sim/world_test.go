// Package sim is the one simulator: the real daemon with its real database, on
// emulated modems and their network, in a synctest bubble. A seed decides what
// goes wrong, when, how long everything takes, where the daemon dies and what its
// clients do; the network's record judges. `make faults` runs its campaigns.
//
// What a reader would get wrong: a crash here is not a shutdown. At the instant
// of the crash nothing leaves or reaches the daemon any more, the database's
// files are copied as they are, which is what kill -9 leaves, and the next daemon
// runs on the copy. The old one may then do what it likes: its port, its clients
// and its files are nobody's.
package sim

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"simpost/configs"
	"simpost/daemon"
	"simpost/daemon/api"
	"simpost/hw"
	"simpost/modem/emulator"
)

// world is one trial: a network, its modems, and the daemon's lives.
type world struct {
	t      *testing.T
	seed   uint64
	rng    *rand.Rand // of the trial's own goroutine only
	net    *emulator.Network
	modems map[string]*emulator.Modem
	lines  map[string]*line  // between modem and daemon, by device
	device map[string]string // which modem is behind a device; guarded by mu
	cfg    configs.Config
	client *api.Client
	life   *life
	lives  []*life
	log    *logbook
	book   book
	found  *tally
	wall   func() time.Time // the system's clock, and whether a time server keeps it
	synced func() bool
	own    *pace // of the trial's own goroutine
	trace  *trace

	mu     sync.Mutex
	opened map[string]int // how often each device was
	dialed int            // connections of clients
}

// setup is what a campaign may choose before the bubble's clock runs.
type setup struct {
	network emulator.NetworkConfig
	modems  []emulator.Config
	config  func(*configs.Config, string) // the second is a folder of its own
}

// inWorld runs body as one trial, and puts what it found into found. Not even a
// failed trial leaves goroutines behind.
func inWorld(t *testing.T, found *tally, seed uint64, s setup, body func(*world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(26 * 365 * 24 * time.Hour) // bubbles start in 2000: no clock is right then
		w := &world{
			t: t, seed: seed, rng: rand.New(rand.NewPCG(seed, 1)), net: emulator.NewNetwork(s.network),
			modems: map[string]*emulator.Modem{}, lines: map[string]*line{}, device: map[string]string{},
			cfg: configs.Default(), log: &logbook{}, found: found, book: book{maimed: map[string]bool{}},
			trace: &trace{sum: fnv.New64a()}, opened: map[string]int{},
		}
		w.own = w.pace("trial", 0)
		w.cfg.Guard.Off = true // it is not what is tried here
		w.cfg.Database, w.cfg.Mark = filepath.Join(t.TempDir(), "simpost.db"), filepath.Join(t.TempDir(), "last")
		for i, mc := range s.modems {
			mc.Seed = seed + uint64(i)
			mc.Trace = w.trace.line
			w.modems[mc.Name] = w.net.NewModem(mc)
			w.lines[mc.Name] = newLine(seed+uint64(i), w.modems[mc.Name])
			w.device[mc.Name] = mc.Name
			w.cfg.Modems = append(w.cfg.Modems, configs.Modem{Name: mc.Name, Device: mc.Name})
		}
		if s.config != nil {
			s.config(&w.cfg, filepath.Dir(w.cfg.Database))
		}
		w.client = &api.Client{Dial: w.dial}
		defer w.over()
		body(w)
	})
}

// errorf notes that something is wrong; fatalf ends the trial as well. In a
// campaign that is known not to hold they are counted, and fail nothing.
func (w *world) errorf(format string, args ...any) {
	w.t.Helper()
	w.found.failed = true
	if w.found.known {
		w.t.Logf(format, args...)
	} else {
		w.t.Errorf(format, args...)
	}
}

func (w *world) fatalf(format string, args ...any) {
	w.t.Helper()
	w.errorf(format, args...)
	if w.found.known {
		w.t.SkipNow()
	}
	w.t.FailNow()
}

// over ends all lives and the network.
func (w *world) over() {
	w.found.trace = w.trace.String()
	w.found.commands += w.trace.count()
	if w.t.Failed() {
		w.t.Logf("replay: GOMAXPROCS=1 SIMPOST_SEED=%d go test -run '%s' ./test/sim\nthis way: %s\n%s\n%s\n%s",
			w.seed, strings.TrimRight(w.t.Name(), "0123456789"), w.trace, w.wire(), w.log, w.unsettled())
	}
	w.client.Close()
	for _, l := range w.lives {
		l.stop()
	}
	for _, l := range w.lives {
		if err := <-l.done; err != nil && !l.crashed {
			w.t.Errorf("the daemon ended with: %v", err)
		}
		l.release()
	}
	w.net.Close()
}

// wire is the end of what was said on every modem's line.
func (w *world) wire() string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(w.modems)) {
		fmt.Fprintf(&b, "modem %s:\n  %s\n", name, strings.Join(w.modems[name].Transcript(), "\n  "))
	}
	return b.String()
}

// life is one process of the daemon.
type life struct {
	w       *world
	d       *daemon.Daemon
	db      string
	mark    string
	stop    context.CancelFunc
	done    chan error
	conns   chan net.Conn
	crashed bool

	mu     sync.Mutex
	frozen bool
	half   bool              // dies in the middle of it
	when   func(moment) bool // dies at this moment; nil: at none
	dying  chan struct{}     // closed when it does
	dead   chan struct{}     // closed when its end has been taken down
	ports  []*port

	closing sync.Once
	shut    chan struct{} // closed when it stops listening
}

// start runs a daemon.
func (w *world) start() {
	w.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	l := &life{w: w, db: w.cfg.Database, mark: w.cfg.Mark, stop: cancel, done: make(chan error, 1), conns: make(chan net.Conn),
		dying: make(chan struct{}), dead: make(chan struct{}), shut: make(chan struct{})}
	l.d = daemon.New(w.cfg, "sim", slog.New(slog.NewTextHandler(w.log, nil)))
	l.d.Open, l.d.Wall, l.d.Synced = l.open, w.wall, w.synced
	l.d.Listen = func() (net.Listener, error) { return listener{l}, nil }
	w.mu.Lock()
	w.life, w.lives = l, append(w.lives, l)
	w.mu.Unlock()
	go func() { l.done <- l.d.Run(ctx) }()
}

// halt stops the daemon in an orderly way.
func (w *world) halt() {
	w.t.Helper()
	l := w.life
	l.stop()
	if err := <-l.done; err != nil {
		w.t.Errorf("the daemon ended with: %v", err)
	}
	l.done <- nil
	l.release()
}

// crash kills the daemon now; the next one starts on what is on disk.
func (w *world) crash() {
	w.t.Helper()
	l := w.life
	l.freeze()
	synctest.Wait() // what is in SQLite's hands comes to its end, and can tell nobody
	w.cfg.Database, w.cfg.Mark = w.taken(l), w.copied(l.mark)
	w.found.crashes++
	l.crashed = true
	l.release()
	l.stop()
	w.client.Close()
}

// taken is a copy of a daemon's database as it is on disk now.
func (w *world) taken(l *life) string {
	w.t.Helper()
	db := w.copied(l.db)
	if _, err := os.Stat(l.db + "-wal"); err == nil {
		wal := w.copied(l.db + "-wal")
		if err := os.Rename(wal, db+"-wal"); err != nil {
			w.t.Fatal(err)
		}
	}
	return db
}

// copied is a copy of a file in a folder of its own, if there is such a file.
func (w *world) copied(path string) string {
	w.t.Helper()
	to := filepath.Join(w.t.TempDir(), filepath.Base(path))
	b, err := os.ReadFile(path)
	if err == nil {
		err = os.WriteFile(to, b, 0o600)
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		w.t.Fatalf("take the daemon's files: %v", err)
	}
	return to
}

// crashAt lets the daemon die at a moment of its own doing.
func (w *world) crashAt(when func(moment) bool) {
	w.life.mu.Lock()
	defer w.life.mu.Unlock()
	w.life.when = when
}

// died waits up to limit for a death by crashAt, and says whether it came.
func (w *world) died(limit time.Duration) bool {
	select {
	case <-w.life.dying:
		w.crash()
		return true
	case <-time.After(limit):
		w.crashAt(nil)
		return false
	}
}

func (l *life) freeze() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.freezeLocked()
}

func (l *life) freezeLocked() {
	if !l.frozen {
		l.frozen = true
		close(l.dying)
	}
}

// release lets go of all that the freeze held: it ends with errors.
func (l *life) release() {
	l.freeze()
	l.mu.Lock()
	ports := l.ports
	l.ports = nil
	l.mu.Unlock()
	select {
	case <-l.dead:
	default:
		close(l.dead)
	}
	for _, p := range ports {
		p.Close()
	}
}

var errDead = errors.New("the process is dead")

// moment is something the daemon is about to do or to learn.
type moment struct {
	write bool   // to a modem, or to a client
	api   bool   // a client, not a modem
	bytes []byte // what
	half  func() // lets a part of it happen, for a death in the middle
}

// pass is where the daemon can be killed: just before m. It blocks in a dead one.
func (l *life) pass(m moment) error {
	l.mu.Lock()
	if !l.frozen && l.when != nil && l.when(m) {
		if l.half && m.half != nil {
			m.half()
		}
		l.freezeLocked()
	}
	frozen := l.frozen
	l.mu.Unlock()
	if !frozen {
		return nil
	}
	<-l.dead
	return errDead
}

// open opens the port of a device, whichever modem is behind it now.
func (l *life) open(p hw.Port) (io.ReadWriteCloser, error) {
	l.w.mu.Lock()
	n := l.w.opened[p.Path]
	l.w.opened[p.Path]++
	l.w.mu.Unlock()
	l.w.pace("open "+p.Path, n).step()
	if err := l.pass(moment{write: true, bytes: []byte("open")}); err != nil {
		return nil, err
	}
	l.w.mu.Lock()
	name := l.w.device[p.Path]
	l.w.mu.Unlock()
	if name == "" {
		return nil, &hw.OpenError{Path: p.Path, Condition: hw.NoDevice, Err: emulator.ErrUnplugged}
	}
	rwc, err := l.w.modems[name].Open()
	if errors.Is(err, emulator.ErrUnplugged) {
		return nil, &hw.OpenError{Path: p.Path, Condition: hw.NoDevice, Err: err}
	}
	if err != nil {
		return nil, err
	}
	port := newPort(l, l.w.lines[name], rwc)
	port.reads, port.writes = l.w.pace("reads "+p.Path, n), l.w.pace("writes "+p.Path, n)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.frozen {
		port.Close()
		return nil, errDead
	}
	l.ports = append(l.ports, port)
	return port, nil
}

// behind puts a modem behind a device; "" takes what is there away.
func (w *world) behind(device, modem string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.device[device] = modem
}

// listener is the API's door: a unix listener would stop the bubble's clock.
type listener struct{ l *life }

func (n listener) Accept() (net.Conn, error) {
	select {
	case c := <-n.l.conns:
		return n.l.accept(c), nil
	case <-n.l.shut:
		return nil, net.ErrClosed
	case <-n.l.dead:
		return nil, net.ErrClosed
	}
}

func (n listener) Close() error {
	n.l.closing.Do(func() { close(n.l.shut) })
	return nil
}

func (n listener) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "unix"} }

func (w *world) dial(ctx context.Context) (net.Conn, error) {
	w.mu.Lock()
	l := w.life
	w.mu.Unlock()
	here, there := net.Pipe()
	select {
	case l.conns <- there:
		return here, nil
	case <-l.shut:
		return nil, errDead
	case <-l.dead:
		return nil, errDead
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// apiConn is the daemon's end of a client's connection.
type apiConn struct {
	net.Conn
	l             *life
	reads, writes *pace
}

func (l *life) accept(c net.Conn) apiConn {
	l.w.mu.Lock()
	n := l.w.dialed
	l.w.dialed++
	l.w.mu.Unlock()
	return apiConn{c, l, l.w.pace("requests", n), l.w.pace("answers", n)}
}

func (c apiConn) Write(p []byte) (int, error) {
	c.writes.step()
	if err := c.l.pass(moment{write: true, api: true, bytes: p}); err != nil {
		c.Conn.Close()
		return 0, err
	}
	return c.Conn.Write(p)
}

func (c apiConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if err == nil {
		c.reads.step()
		err = c.l.pass(moment{api: true, bytes: p[:n]})
	}
	if err != nil {
		return 0, err
	}
	return n, nil
}

// logbook keeps the end of what the daemons say, for those who look into a failure.
type logbook struct {
	mu   sync.Mutex
	text bytes.Buffer
}

const logLimit = 256 << 10

func (l *logbook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.text.Len() > logLimit {
		l.text.Next(logLimit / 2)
	}
	return l.text.Write(p)
}

func (l *logbook) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}
