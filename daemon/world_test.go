package daemon

import (
	"cmp"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"simpost/configs"
	"simpost/daemon/api"
	"simpost/hw"
	"simpost/modem/emulator"
)

// world is a network, its modems, and a daemon that works with them, in one
// synctest bubble: the real daemon and the real SQLite, the hours of an
// emulated network in milliseconds.
type world struct {
	t      *testing.T
	net    *emulator.Network
	modems map[string]*emulator.Modem
	cfg    configs.Config
	ports  map[string]func() (io.ReadWriteCloser, error) // instead of a modem's
	tweak  func(*Daemon)

	client *api.Client
	daemon *Daemon
	stop   context.CancelFunc
	done   chan error
	pipe   *pipeListener
}

// inWorld runs body in a bubble with the named modems; the daemon is not started yet.
func inWorld(t *testing.T, nc emulator.NetworkConfig, modems []emulator.Config, body func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(26 * 365 * 24 * time.Hour) // bubbles start in 2000: no clock is right then
		w := &world{t: t, net: emulator.NewNetwork(nc), modems: map[string]*emulator.Modem{}, cfg: configs.Default()}
		w.cfg.Database = filepath.Join(t.TempDir(), "simpost.db")
		w.cfg.Guard.Off = true // the guard has worlds of its own
		for _, mc := range modems {
			w.modems[mc.Name] = w.net.NewModem(mc)
			w.cfg.Modems = append(w.cfg.Modems, configs.Modem{Name: mc.Name, Device: mc.Name})
		}
		defer w.net.Close()
		defer w.halt()
		body(w)
	})
}

// inWeeks skips a test of weeks of the bubble's time under the race detector, which
// takes minutes for them. make test runs it without as well.
func inWeeks(t *testing.T) {
	t.Helper()
	if raced {
		t.Skip("weeks of emulated time: run without the race detector")
	}
}

// start runs the daemon.
func (w *world) start() {
	w.t.Helper()
	w.pipe = newPipeListener()
	w.daemon = New(w.cfg, "test", slog.New(slog.NewTextHandler(testWriter{w.t}, nil)))
	w.daemon.Open = func(p hw.Port) (io.ReadWriteCloser, error) {
		if open := w.ports[p.Path]; open != nil {
			return open()
		}
		rwc, err := w.modems[p.Path].OpenAt(cmp.Or(p.Baud, hw.DefaultBaud))
		if errors.Is(err, emulator.ErrUnplugged) {
			return nil, &hw.OpenError{Path: p.Path, Condition: hw.NoDevice, Err: err}
		}
		return unpluggable{rwc}, err
	}
	w.daemon.Listen = func() (net.Listener, error) { return w.pipe, nil }
	w.daemon.Dial = w.pipe.dial
	w.daemon.Synced = func() bool { return true }
	w.daemon.Hands.Root = w.t.TempDir() // an empty machine
	if w.tweak != nil {
		w.tweak(w.daemon)
	}
	w.client = &api.Client{Dial: w.pipe.dial}
	ctx, cancel := context.WithCancel(context.Background())
	w.stop, w.done = cancel, make(chan error, 1)
	go func() { w.done <- w.daemon.Run(ctx) }()
}

// halt stops the daemon and fails the test if that ends in an error.
func (w *world) halt() {
	if w.stop == nil {
		return
	}
	w.stop()
	if err := <-w.done; err != nil {
		w.t.Errorf("the daemon ended with: %v", err)
	}
	w.stop = nil
}

// within waits, up to limit of the bubble's time, until ok.
func (w *world) within(limit time.Duration, what string, ok func() bool) {
	w.t.Helper()
	w.watches(limit, max(limit/400, 100*time.Millisecond), what, ok)
}

// watches is within that looks at each step.
func (w *world) watches(limit, step time.Duration, what string, ok func() bool) {
	w.t.Helper()
	for end := time.Now().Add(limit); time.Now().Before(end); time.Sleep(step) {
		synctest.Wait()
		if ok() {
			return
		}
	}
	w.t.Fatalf("not within %v: %s\n%s", limit, what, w.account())
}

// account is what to look at when a test fails.
func (w *world) account() string {
	s := ""
	for name, m := range w.modems {
		s += "modem " + name + ":\n"
		for _, l := range m.Transcript() {
			s += "  " + l + "\n"
		}
	}
	page, err := w.client.List(context.Background(), api.ListQuery{})
	if err != nil {
		return s + err.Error()
	}
	for _, m := range page.Messages {
		s += m.ID + " " + string(m.Direction) + " " + string(m.State) + "\n"
	}
	return s
}

// condition waits until a modem is in the condition.
func (w *world) condition(name string, code api.ConditionCode) {
	w.t.Helper()
	w.within(10*time.Minute, name+" becomes "+string(code), func() bool {
		m, err := w.client.Modem(context.Background(), name)
		return err == nil && m.Condition.Code == code
	})
}

// saw waits until a modem has been in the condition, however shortly.
func (w *world) saw(name string, code api.ConditionCode) {
	w.t.Helper()
	w.within(10*time.Minute, name+" has been "+string(code), func() bool {
		events, err := w.daemon.store.Events(0, 10_000)
		return err == nil && slices.ContainsFunc(events, func(e api.Event) bool {
			return e.Type == api.EventModem && e.Modem == name && e.State == string(code)
		})
	})
}

// send accepts one message and returns its id.
func (w *world) send(req api.SendRequest) string {
	w.t.Helper()
	msgs, _, err := w.client.Send(context.Background(), req, "")
	if err != nil {
		w.t.Fatalf("send: %v", err)
	}
	return msgs[0].ID
}

func (w *world) get(id string) api.Message {
	w.t.Helper()
	m, err := w.client.Get(context.Background(), id)
	if err != nil {
		w.t.Fatalf("get %s: %v", id, err)
	}
	return m
}

// becomes waits until a message is in a state.
func (w *world) becomes(id string, state api.State, limit time.Duration) api.Message {
	w.t.Helper()
	w.within(limit, "message "+id+" becomes "+string(state), func() bool { return w.get(id).State == state })
	return w.get(id)
}

// inbox lists what has come in, newest first.
func (w *world) inbox() []api.Message {
	w.t.Helper()
	page, err := w.client.List(context.Background(), api.ListQuery{Direction: api.In})
	if err != nil {
		w.t.Fatalf("list: %v", err)
	}
	return page.Messages
}

func text(to, body string) api.SendRequest {
	return api.SendRequest{To: api.Recipients{to}, Text: &body}
}

// unpluggable says of an emulated port what hw says of a real one.
type unpluggable struct{ io.ReadWriteCloser }

func (u unpluggable) Read(p []byte) (int, error) {
	n, err := u.ReadWriteCloser.Read(p)
	return n, gone(err)
}

func (u unpluggable) Write(p []byte) (int, error) {
	n, err := u.ReadWriteCloser.Write(p)
	return n, gone(err)
}

func gone(err error) error {
	if errors.Is(err, emulator.ErrUnplugged) {
		return hw.ErrGone
	}
	return err
}

// testWriter sends the daemon's log to the test's.
type testWriter struct{ t *testing.T }

func (w testWriter) Write(p []byte) (int, error) {
	w.t.Log(string(p[:len(p)-1]))
	return len(p), nil
}

// two modems on one network: the smallest world in which a message arrives.
func twoModems() []emulator.Config {
	return []emulator.Config{{Name: "a", Number: "+4790000001"}, {Name: "b", Number: "+4790000002"}}
}
