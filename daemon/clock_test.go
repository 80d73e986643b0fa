package daemon

import (
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
		if now, by := c.step(); !now.Equal(true0.Add(time.Hour)) || by != time.Hour {
			t.Errorf("it was set by %v to %v; want an hour", by, now)
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
