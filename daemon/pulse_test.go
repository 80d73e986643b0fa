package daemon

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"simpost/configs"
	"simpost/daemon/api"
	"simpost/modem"
	"simpost/modem/emulator"
)

func TestPulse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p pulse
		p.expect("a", time.Minute)
		p.expect("b", time.Hour)
		time.Sleep(2 * time.Minute)
		if late := p.late(time.Now()); len(late) != 0 {
			t.Errorf("in time, but late: %q", late)
		}
		time.Sleep(time.Second)
		if late := p.late(time.Now()); !slices.Equal(late, []string{"a"}) {
			t.Errorf("late: %q", late)
		}
		p.expect("a", 0)
		p.ended("b")
		if late := p.late(time.Now().Add(30 * time.Second)); len(late) != 0 {
			t.Errorf("late: %q", late)
		}
	})
}

// Idle, at work, without its device and with a modem that hangs: the daemon is
// alive at every moment of a day, and nothing of it is expected after its end.
func TestAliveThroughADay(t *testing.T) {
	inWorld(t, emulator.NetworkConfig{}, twoModems(), func(w *world) {
		w.cfg.Modems = append(w.cfg.Modems, configs.Modem{Name: "c", Device: "c"})
		w.ports = map[string]func() (io.ReadWriteCloser, error){"c": func() (io.ReadWriteCloser, error) { return nil, io.ErrClosedPipe }}
		w.start()
		w.condition("a", api.CondReady)
		if err := w.modems["b"].Fault("life.deaf-power", emulator.FaultConfig{}); err != nil {
			t.Fatal(err)
		}
		for hour := range 24 {
			w.send(text("+4790000002", "hour"))
			for range 60 {
				time.Sleep(time.Minute)
				if !w.daemon.Alive() {
					t.Fatalf("in hour %d: %q", hour, w.daemon.pulse.late(time.Now()))
				}
			}
		}
		w.halt()
		if n := len(w.daemon.pulse.by); n != 0 {
			t.Errorf("%d loops are expected after the end", n)
		}
	})
}

// A loop that is held for ever is noticed, while all others go on.
func TestAStuckLoopIsNotAlive(t *testing.T) {
	inWorld(t, emulator.NetworkConfig{}, twoModems(), func(w *world) {
		w.start()
		w.condition("a", api.CondReady)
		stop := make(chan struct{})
		defer close(stop)
		go w.daemon.desks.request(context.Background(), "a", func(context.Context, *modem.Modem) error { <-stop; return nil })
		synctest.Wait()
		began := time.Now()
		w.within(2*time.Hour, "the stuck loop is noticed", func() bool { return !w.daemon.Alive() })
		bound := w.cfg.Send.AnswerTimeout + workLimit + 2*pulseLeeway + w.cfg.Receive.Poll
		if d := time.Since(began); d > bound {
			t.Errorf("noticed after %s, want at most %s", d, bound)
		}
		if late := strings.Join(w.daemon.pulse.late(time.Now()), ", "); late != "modem a" {
			t.Errorf("late: %s", late)
		}
	})
}

// An API that takes connections and answers none is noticed; one that was ended in
// order is not missed.
func TestAStuckFrontIsNotAlive(t *testing.T) {
	inWorld(t, emulator.NetworkConfig{}, one(), func(w *world) {
		stop := make(chan struct{})
		var stuck, crowded atomic.Bool
		w.tweak = func(d *Daemon) {
			d.Dial = func(ctx context.Context) (net.Conn, error) {
				if stuck.Load() {
					<-stop // as an accept loop that never comes back
				}
				if crowded.Load() { // as an API whose every place is at work
					c, there := net.Pipe()
					go func() { _, _ = http.ReadRequest(bufio.NewReader(there)); there.Close() }()
					return c, nil
				}
				return w.pipe.dial(ctx)
			}
		}
		w.start()
		w.condition("a", api.CondReady)
		if !w.daemon.Alive() {
			t.Error("it answers, and is not alive")
		}
		crowded.Store(true)
		if !w.daemon.Alive() {
			t.Error("it is busy, and not alive")
		}
		crowded.Store(false)
		stuck.Store(true)
		time.AfterFunc(time.Hour, func() { close(stop) })
		began := time.Now()
		if w.daemon.Alive() {
			t.Error("nobody is answered, and it is alive")
		}
		if d := time.Since(began); d > frontLimit {
			t.Errorf("it took %s to tell", d)
		}
		w.halt()
		if !w.daemon.Alive() {
			t.Error("it was ended in order, and is missed")
		}
		time.Sleep(2 * time.Hour)
	})
}
