package daemon

import (
	"context"
	"testing"
	"time"

	"simpost/daemon/api"
	"simpost/modem/emulator"
)

func TestHistoryIsSparse(t *testing.T) {
	dbm := func(n int) *int { return &n }
	home := api.Signal{DBm: dbm(-71), Registration: "home", Operator: "Emulated", Bearer: "4G (LTE)"}
	weak, away := home, home
	weak.DBm = dbm(-90)
	away.Registration, away.DBm = "searching", nil
	slightly := home
	slightly.DBm = dbm(-74)
	now := time.Now()
	for _, c := range []struct {
		row   api.Signal
		after time.Duration
		want  bool
	}{
		{home, 5 * time.Hour, false}, {home, historyBeat, true}, {slightly, 5 * time.Hour, false},
		{weak, historyPace, false}, {weak, historyFading, true}, {away, historyPace - 1, false}, {away, historyPace, true},
	} {
		h := history{last: home, at: now}
		if got := h.wants(c.row, now.Add(c.after)); got != c.want {
			t.Errorf("%+v after %v: %v", c.row, c.after, got)
		}
	}
	if !(&history{}).wants(home, now) {
		t.Error("the first is not wanted")
	}
}

func (w *world) signal() []api.Signal {
	w.t.Helper()
	h, err := w.client.Signal(context.Background(), "a", 0)
	if err != nil {
		w.t.Fatal(err)
	}
	return h.Rows
}

// A quiet day is four rows and the first, a restart within hours adds none, and a
// network that comes and goes all the time is written at the bounded pace.
func TestHistory(t *testing.T) {
	inWorld(t, emulator.NetworkConfig{}, one(), func(w *world) {
		w.start()
		w.condition("a", api.CondReady)
		time.Sleep(24 * time.Hour)
		quiet := len(w.signal())
		if quiet < 4 || quiet > 6 {
			t.Errorf("a quiet day is %d rows: %+v", quiet, w.signal())
		}
		if r := w.signal()[quiet-1]; r.Registration != "home" || r.Operator != "Emulated" || r.Bearer != "4G (LTE)" || r.DBm == nil || *r.DBm != -71 {
			t.Errorf("got %+v", r)
		}
		for i := range 120 {
			w.modems["a"].SetRegistration(1 + i%2) // home, searching
			time.Sleep(30 * time.Second)
		}
		if busy := len(w.signal()) - quiet; busy < 2 || busy > 13 {
			t.Errorf("an hour of changes is %d rows", busy)
		}
		w.modems["a"].SetRegistration(1)
		time.Sleep(10 * time.Minute)
		w.modems["a"].Unplug()
		w.condition("a", api.CondUnplugged)
		if rows := w.signal(); rows[len(rows)-1].Registration != offline {
			t.Errorf("the end is %+v", rows[len(rows)-1])
		}
	})
}

// What is too old goes, without a housekeeper.
func TestHistoryIsForgotten(t *testing.T) {
	inWeeks(t)
	inWorld(t, emulator.NetworkConfig{}, one(), func(w *world) {
		w.slowly()
		w.cfg.Retention.Signal = 10 * 24 * time.Hour
		w.start()
		w.condition("a", api.CondReady)
		time.Sleep(30 * 24 * time.Hour)
		rows, err := w.daemon.store.Signals("a", time.Time{})
		if err != nil || len(rows) == 0 || len(rows) > 45 || time.Since(rows[0].At) > 11*24*time.Hour {
			t.Errorf("%d rows from %v on, %v", len(rows), rows[0].At, err)
		}
	})
}

// A machine without a clock takes the time of the network, in both directions, but
// not that of a modem that was never told.
func TestNetworkTime(t *testing.T) {
	for name, c := range map[string]struct {
		by   time.Duration
		net  emulator.NetworkConfig
		told bool
	}{
		"behind":     {-tenYears, emulator.NetworkConfig{}, true},
		"ahead":      {tenYears, emulator.NetworkConfig{}, true},
		"zone":       {-tenYears, emulator.NetworkConfig{Zone: time.FixedZone("", 5*3600+45*60)}, true},
		"never told": {-tenYears, emulator.NetworkConfig{NoTime: true}, false},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, c.net, one(), func(w *world) {
				k := &skewed{}
				k.by.Store(int64(c.by))
				w.tweak = k.use
				w.start()
				w.condition("a", api.CondReady)
				time.Sleep(time.Minute)
				if got := w.daemon.clock.trusted(); got != c.told {
					t.Fatalf("trusted is %v", got)
				}
				if off := time.Until(w.daemon.now()); c.told && (off > 2*time.Second || off < -2*time.Second) {
					t.Errorf("the clock is off by %v", off)
				}
			})
		})
	}
}

func TestToldTime(t *testing.T) {
	now := time.Now()
	k := &skewed{}
	c := newClock(k.wall, k.synced.Load, func() bool { return false })
	c.start(now.Add(time.Hour)) // the record ends in an hour
	for _, t0 := range []time.Time{{}, clockFloor.Add(-time.Hour), now} {
		if c.told(t0); c.trusted() {
			t.Errorf("%v was believed", t0)
		}
	}
	if c.told(now.Add(2 * time.Hour)); !c.trusted() {
		t.Error("a good time was not believed")
	}
	c.told(now.Add(100 * time.Hour))
	if off := c.now().Sub(now.Add(2 * time.Hour)); off > time.Minute || off < -time.Minute {
		t.Errorf("a trusted clock listened: %v", off)
	}
}
