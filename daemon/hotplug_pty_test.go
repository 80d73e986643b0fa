package daemon

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"simpost/configs"
	"simpost/daemon/api"
	"simpost/hw"
	"simpost/modem/emulator"
)

// bench is the daemon on real terminals: pseudo ones, whose names go round, opened
// and locked by hw. Nothing of it runs in a bubble.
type bench struct {
	t      *testing.T
	net    *emulator.Network
	modems map[string]*emulator.Modem
	dir    string // of the links to the terminals
	client *api.Client

	mu      sync.Mutex
	changed func()
	plugs   map[string]int    // how often
	at      map[string]string // terminals of what is plugged in
	pull    map[string]func() // unplugs it; no trace of its terminal is left then
}

const benchLimit = 2 * time.Minute // for a machine that has much else to do

func onBench(t *testing.T, configured []configs.Modem, body func(ctx context.Context, b *bench)) {
	ctx, cancel := context.WithTimeout(t.Context(), benchLimit)
	defer cancel()
	b := &bench{t: t, net: emulator.NewNetwork(emulator.NetworkConfig{}), modems: map[string]*emulator.Modem{}, dir: t.TempDir(),
		plugs: map[string]int{}, at: map[string]string{}, pull: map[string]func(){}}
	defer b.net.Close()
	for _, mc := range imeis() {
		b.modems[mc.Name] = b.net.NewModem(mc)
		b.modems[mc.Name].Unplug()
	}
	cfg := configs.Default()
	cfg.Database, cfg.Guard.Off, cfg.Modems = filepath.Join(t.TempDir(), "simpost.db"), true, configured
	d := New(cfg, "test", slog.New(slog.NewTextHandler(testWriter{t}, nil)))
	pipe := newPipeListener()
	d.Listen = func() (net.Listener, error) { return pipe, nil }
	d.Devices = hw.Source{Attached: b.attached, Watch: b.watch}
	b.client = &api.Client{Dial: pipe.dial}
	running, end := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- d.Run(running) }()
	body(ctx, b)
	end()
	if err := <-done; err != nil {
		t.Error(err)
	}
	for name := range b.pull {
		b.unplug(name)
	}
}

func (b *bench) watch(ctx context.Context, changed func()) error {
	b.mu.Lock()
	b.changed = changed
	b.mu.Unlock()
	<-ctx.Done()
	return nil
}

// attached shows each modem as a stick of its own.
func (b *bench) attached() ([]hw.Device, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var all []hw.Device
	for name, pts := range b.at {
		all = append(all, hw.Device{Place: "1-1." + name, Vendor: "2c7c", Product: "0125", Node: fmt.Sprint(name, b.plugs[name]),
			TTYs: []hw.TTY{{Path: pts, Interface: 2, Role: "AT"}}})
	}
	return all, nil
}

// plug plugs a modem in, and returns the name of its terminal.
func (b *bench) plug(ctx context.Context, name string) string {
	b.t.Helper()
	m, link := b.modems[name], filepath.Join(b.dir, name)
	serving, stop := context.WithCancelCause(ctx)
	done := make(chan error, 1)
	m.Plug()
	go func() {
		err := m.ServePTY(serving, link)
		stop(err)
		done <- err
	}()
	if err := hw.Wait(serving, link); err != nil {
		b.t.Fatal(err, context.Cause(serving))
	}
	pts, err := os.Readlink(link)
	if err != nil {
		b.t.Fatal(err)
	}
	b.mu.Lock()
	b.plugs[name]++
	b.at[name] = pts
	b.mu.Unlock()
	b.pull[name] = func() {
		m.Unplug()
		stop(nil)
		if err := <-done; err != nil {
			b.t.Error(err)
		}
	}
	b.tell()
	return pts
}

// unplug takes it off the list first: the number of its terminal may be another
// program's at once.
func (b *bench) unplug(name string) {
	b.mu.Lock()
	delete(b.at, name)
	b.mu.Unlock()
	b.tell()
	b.pull[name]()
	delete(b.pull, name)
}

func (b *bench) tell() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.changed != nil {
		b.changed()
	}
}

// ready waits for events until the modem is at work on the terminal.
func (b *bench) ready(ctx context.Context, name, imei, pts string) {
	b.t.Helper()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	at := func() bool {
		m, err := b.client.Modem(ctx, name)
		return err == nil && m.Condition.Code == api.CondReady && m.Port == pts && m.IMEI == imei
	}
	found := false
	err := b.client.Events(ctx, 0, true, func(e api.Event) error {
		if found = found || e.Type == api.EventModem && e.State == string(api.CondReady) && at(); found {
			cancel()
		}
		return nil
	})
	if !found {
		m, _ := b.client.Modem(context.Background(), name)
		b.t.Fatalf("%s is not at work on %s with %s: %v, %+v", name, pts, imei, err, m)
	}
}

// On real terminals: sticks come back under other names, and under each other's.
func TestReplugOnPseudoTerminals(t *testing.T) {
	onBench(t, auto("office"), func(ctx context.Context, b *bench) {
		at := map[string]string{"a": b.plug(ctx, "a")}
		b.ready(ctx, "office", "353915030000013", at["a"])
		at["b"] = b.plug(ctx, "b")
		b.ready(ctx, "office-2", "353915030000021", at["b"])
		names := map[string]string{"a": "office", "b": "office-2"}
		for round, order := range [][]string{{"b", "a"}, {"a", "b"}, {"b", "a"}} {
			before := map[string]string{"a": at["a"], "b": at["b"]}
			b.unplug("a")
			b.unplug("b")
			for _, name := range order {
				at[name] = b.plug(ctx, name)
			}
			t.Logf("round %d: a from %s to %s, b from %s to %s", round, before["a"], at["a"], before["b"], at["b"])
			b.ready(ctx, "office", "353915030000013", at["a"])
			b.ready(ctx, "office-2", "353915030000021", at["b"])
			for name, modem := range names {
				msgs, _, err := b.client.Send(ctx, api.SendRequest{To: api.Recipients{"+4791000001"}, Text: new("hello"), Modem: modem}, "")
				if err != nil {
					t.Fatal(err)
				}
				b.sent(ctx, msgs[0].ID, name)
			}
		}
	})
}

// sent waits until a message has left, and looks whose card it left by.
func (b *bench) sent(ctx context.Context, id, name string) {
	b.t.Helper()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	left := false
	err := b.client.Events(ctx, 0, true, func(e api.Event) error {
		if left = left || e.Message == id && e.Type == api.EventSubmitted; left {
			cancel()
		}
		return nil
	})
	if !left {
		b.t.Fatalf("message %s has not left: %v", id, err)
	}
	record := b.net.Record()
	if from := record[len(record)-1].From; from != b.modems[name].Number() {
		b.t.Errorf("message %s left by %s, want that of %s", id, from, name)
	}
}
