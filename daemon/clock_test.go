package daemon

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"simpost/daemon/api"
	"simpost/modem/emulator"
)

// skewed is a system clock that can be set wrong.
type skewed struct {
	by     atomic.Int64 // a time.Duration
	synced atomic.Bool
}

func (k *skewed) wall() time.Time { return time.Now().Add(time.Duration(k.by.Load())) }

func (k *skewed) use(d *Daemon) { d.Wall, d.Synced = k.wall, k.synced.Load }

const tenYears = 10 * 365 * 24 * time.Hour

func TestClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(26 * 365 * 24 * time.Hour)
		true0, k := time.Now(), &skewed{}
		c := newClock(k.wall, k.synced.Load, func() bool { return false })
		near := func(want time.Time, trusted bool) {
			t.Helper()
			if d := c.now().Sub(want); d > time.Second || d < -time.Second || c.trusted() != trusted {
				t.Errorf("the clock says %v, trusted %v; want %v, %v", c.now(), c.trusted(), want, trusted)
			}
		}
		k.by.Store(int64(-tenYears))
		c.start(true0) // a machine without a clock goes on where the record ends
		near(true0, false)
		k.by.Store(int64(tenYears))
		near(true0, false)
		c.step()
		c.atLeast(true0.Add(time.Hour)) // a message from the network
		if now, by, trusted := c.step(); !now.Equal(true0.Add(time.Hour)) || by != (skew{time.Hour, time.Hour}) || !trusted {
			t.Errorf("it was set by %v to %v, trusted %v; want an hour, and trusted", by, now, trusted)
		}
		near(true0.Add(time.Hour), true)
		c.atLeast(true0.Add(48 * time.Hour)) // is listened to once
		near(true0.Add(time.Hour), true)
		k.by.Store(0)
		k.synced.Store(true)
		near(true0, true)
		k.synced.Store(false)
		k.by.Store(int64(-tenYears)) // set by hand
		time.Sleep(time.Minute)
		near(true0.Add(time.Minute), true)
	})
}

// What a network says that is far off is believed when it has been said twice: one
// digit that the line spoils is another year.
func TestFarTimeIsSaidTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(26 * 365 * 24 * time.Hour)
		start := func(record time.Time) *clock {
			k := &skewed{}
			c := newClock(k.wall, k.synced.Load, func() bool { return false })
			k.by.Store(int64(-tenYears)) // nobody has set it
			c.start(record)
			return c
		}
		for name, say := range map[string]func(*clock, time.Time){"told": (*clock).told, "stamp": (*clock).atLeast} {
			now := time.Now()
			c := start(now)
			say(c, now.Add(tenYears))
			if c.trusted() || c.now().After(now.Add(time.Minute)) {
				t.Errorf("%s: one word was enough for ten years: %v", name, c.now())
			}
			say(c, now.Add(time.Minute))
			if d := c.now().Sub(now); !c.trusted() || d != time.Minute {
				t.Errorf("%s: the right time is not believed: %v off", name, d)
			}
			c = start(now)
			say(c, now.Add(tenYears))
			time.Sleep(time.Minute)
			say(c, now.Add(tenYears+time.Minute))
			if d := c.now().Sub(now); !c.trusted() || d != tenYears+time.Minute {
				t.Errorf("%s: what is said twice is not believed: %v", name, d)
			}
		}
		now := time.Now()
		c := start(now.Add(tenYears)) // the record was written by a clock that was ahead
		c.told(now)
		if c.trusted() {
			t.Error("one word took it back behind the record")
		}
		c.told(now)
		if d := c.now().Sub(now); !c.trusted() || d != 0 {
			t.Errorf("the network's time is not taken, %v off", d)
		}
	})
}

// A machine that slept wakes up behind: what was written before keeps its time, and
// what is planned is not due all at once.
func TestClockAfterSleep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(26 * 365 * 24 * time.Hour)
		k := &skewed{}
		k.synced.Store(true)
		c := newClock(k.wall, k.synced.Load, func() bool { return true })
		c.start(time.Time{})
		k.by.Store(int64(8 * time.Hour))
		if _, by, _ := c.step(); by != (skew{planned: 8 * time.Hour}) {
			t.Errorf("it was set by %v, want what is planned by 8 h and nothing that is written", by)
		}
		k.by.Store(0)
		if _, by, _ := c.step(); by != (skew{-8 * time.Hour, -8 * time.Hour}) {
			t.Errorf("it was set back by %v, want 8 h for both", by)
		}
	})
}

// A clock that was ahead and is put right, also while the daemon is down, leaves nobody
// waiting: neither a repeat, nor a message just accepted, nor the end of a quarantine.
func TestClockPutBack(t *testing.T) {
	for name, ahead := range map[string]time.Duration{"2 h": 2 * time.Hour, "20 h": 20 * time.Hour, "10 years": tenYears} {
		for _, restart := range []bool{false, true} {
			t.Run(name+map[bool]string{true: ", while it is down"}[restart], func(t *testing.T) {
				inWorld(t, emulator.NetworkConfig{NoTime: true}, one(), func(w *world) {
					k := &skewed{}
					k.by.Store(int64(ahead))
					w.tweak = k.use
					w.start()
					w.condition("a", api.CondReady)
					tomorrow := time.Now().Add(ahead + 24*time.Hour)
					later := text("+4791000009", "tomorrow")
					later.NotBefore = &tomorrow
					scheduled := w.send(later)
					fault(w, w.modems["a"], "send.swallowed", 0)
					unknown := w.send(text("+4791000001", "the answer is lost"))
					w.becomes(unknown, api.Unknown, 5*time.Minute)
					if err := w.modems["a"].Fault("send.cms-42", emulator.FaultConfig{Times: 1}); err != nil {
						t.Fatal(err)
					}
					again := w.send(text("+4791000002", "refused once"))
					w.within(time.Minute, "it is refused once", func() bool { return w.get(again).Reason != nil })
					w.modems["a"].Unplug()
					fresh := w.send(text("+4791000003", "just accepted"))
					if restart {
						w.halt()
					}
					k.by.Store(0)
					k.synced.Store(true)
					if restart {
						w.start()
					}
					w.modems["a"].Plug()
					for _, id := range []string{again, fresh, unknown} {
						w.becomes(id, api.Delivered, 10*time.Minute)
					}
					if s := w.get(scheduled).State; s != api.Scheduled {
						t.Errorf("what was to be sent in a day is %s", s)
					}
				})
			})
		}
	}
}

// A clock that was behind and is put right cuts no quarantine short, and forgets no
// idempotency key.
func TestClockPutForward(t *testing.T) {
	inWorld(t, emulator.NetworkConfig{NoTime: true}, one(), func(w *world) {
		k := &skewed{}
		k.by.Store(int64(-30 * 24 * time.Hour))
		w.tweak = k.use
		w.start()
		w.condition("a", api.CondReady)
		ctx := context.Background()
		once := text("+4791000002", "once")
		first, _, err := w.client.Send(ctx, once, "a key")
		if err != nil {
			t.Fatal(err)
		}
		w.becomes(first[0].ID, api.Delivered, 5*time.Minute)
		fault(w, w.modems["a"], "send.swallowed", 0)
		id := w.send(text("+4791000001", "the answer is lost"))
		w.becomes(id, api.Unknown, 5*time.Minute)
		began := time.Now()
		k.by.Store(0)
		k.synced.Store(true)
		w.within(10*time.Minute, "it is sent again", func() bool { return len(w.get(id).Attempts) == 2 })
		if d := time.Since(began); d < time.Minute {
			t.Errorf("the quarantine was over after %v", d)
		}
		time.Sleep(3 * time.Hour)
		second, replayed, err := w.client.Send(ctx, once, "a key")
		if err != nil || !replayed || second[0].ID != first[0].ID {
			t.Errorf("hours later the key is another message: %v, replayed %v, %v", second, replayed, err)
		}
	})
}

// A system clock that jumps by ten years while messages wait makes no storm and
// lets nothing expire.
func TestJumpOfTheClock(t *testing.T) {
	for name, jump := range map[string]time.Duration{"forward": tenYears, "back": -tenYears} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, emulator.NetworkConfig{}, one(), func(w *world) {
				k := &skewed{}
				w.tweak = k.use
				w.start()
				w.condition("a", api.CondReady)
				if err := w.modems["a"].Fault("send.cms-42", emulator.FaultConfig{Times: 1}); err != nil {
					t.Fatal(err)
				}
				soon := time.Now().Add(24 * time.Hour)
				req := text("+4791000001", "hello")
				req.Expires = &soon
				id := w.send(req)
				w.within(time.Minute, "it is refused once", func() bool { return w.get(id).Reason != nil })
				k.by.Store(int64(jump))
				m := w.becomes(id, api.Delivered, 5*time.Minute)
				if len(m.Attempts) != 2 || len(w.net.Record()) != 1 {
					t.Errorf("it took %d attempts and arrived %d times, want 2 and once", len(m.Attempts), len(w.net.Record()))
				}
			})
		})
	}
}

// A machine that starts in 1970 works from its record on, and nothing expires
// until the network has told the time.
func TestNoClockAtStart(t *testing.T) {
	inWorld(t, emulator.NetworkConfig{NoTime: true}, twoModems(), func(w *world) {
		w.modems["b"].Unplug()
		w.start()
		w.condition("a", api.CondReady)
		soon := time.Now().Add(time.Hour)
		req := text("+4791000001", "hello")
		req.Expires, req.Modem = &soon, "b"
		id := w.send(req)
		w.halt()

		k := &skewed{}
		k.by.Store(int64(-tenYears * 5))
		w.tweak = k.use
		w.start()
		time.Sleep(3 * time.Hour)
		if m := w.get(id); m.State != api.Queued {
			t.Errorf("after three hours on a clock that nobody trusts it is %s", m.State)
		}
		w.net.NewPhone(emulator.PhoneConfig{}).Send("+4790000001", "the time is in my stamp")
		w.becomes(id, api.Expired, 10*time.Minute)
	})
}

// A first start on a clock that is years behind: when it is put right, what was
// accepted meanwhile is not taken for old, and its text is kept.
func TestTextsSurviveAClockPutRight(t *testing.T) {
	inWorld(t, emulator.NetworkConfig{NoTime: true}, one(), func(w *world) {
		k := &skewed{}
		k.by.Store(int64(-tenYears / 20)) // six months, as the image of a card may be old
		w.tweak = k.use
		w.start()
		w.condition("a", api.CondReady)
		id := w.send(text("+4791000001", "hello"))
		w.becomes(id, api.Sent, time.Minute)
		k.by.Store(0)
		k.synced.Store(true)
		time.Sleep(3 * time.Hour)
		if m := w.get(id); m.Text == nil || time.Since(m.CreatedAt) > 4*time.Hour {
			t.Errorf("after the clock was put right it is from %v, and its text is there: %v", m.CreatedAt, m.Text != nil)
		}
	})
}
