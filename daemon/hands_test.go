package daemon

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"simpost/configs"
	"simpost/daemon/api"
	"simpost/hw"
	"simpost/modem/emulator"
)

// outside is a modem on USB with all hands, of which one helps.
type outside struct {
	helps hw.Hand // "" for none
	check func()  // at each use; nil: nothing

	mu   sync.Mutex
	used []string // "hand at time since the start"
	at   map[hw.Hand][]time.Time
}

// inReach has the modem a plugged in at 1-1, with all hands.
func (o *outside) inReach(w *world) {
	o.at = map[hw.Hand][]time.Time{}
	w.cfg.Modems[0].Hands, w.cfg.Modems[0].PowerKey, w.cfg.Modems[0].PowerPulse = "usb-reset usb-power power-key", "gpiochip0/4", "ec25"
	w.tweak = func(d *Daemon) {
		d.Hands.Root = plugged(w.t)
		d.Restart = func(hand hw.Hand, modem string) error {
			o.mu.Lock()
			defer o.mu.Unlock()
			o.used, o.at[hand] = append(o.used, string(hand)), append(o.at[hand], time.Now())
			if o.check != nil {
				o.check()
			}
			if hand == o.helps {
				w.modems[modem].PowerOff()
				w.modems[modem].PowerOn()
			}
			return nil
		}
	}
}

func (o *outside) list() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.used)
}

func (o *outside) times(hand hw.Hand) []time.Time {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.at[hand])
}

// plugged is a machine whose terminal a belongs to a USB device.
func plugged(t *testing.T) string {
	root := t.TempDir()
	device, tty := filepath.Join(root, "sys/bus/usb/devices/1-1"), filepath.Join(root, "sys/class/tty/a")
	for _, dir := range []string{device, tty, filepath.Join(root, "dev/bus/usb/001")} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range map[string]string{device + "/busnum": "1", device + "/devnum": "2", filepath.Join(root, "dev/bus/usb/001/002"): ""} {
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("../../../bus/usb/devices/1-1", tty+"/device"); err != nil {
		t.Fatal(err)
	}
	return root
}

func TestHandsAreTheLastSteps(t *testing.T) {
	for helps, want := range map[hw.Hand][]string{
		hw.USBReset: {"usb-reset"}, hw.USBPower: {"usb-reset", "usb-power"}, hw.PowerKey: {"usb-reset", "usb-power", "power-key"},
	} {
		t.Run(string(helps), func(t *testing.T) {
			inWorld(t, emulator.NetworkConfig{}, one(), func(w *world) {
				o := &outside{helps: helps}
				o.inReach(w)
				w.start()
				w.condition("a", api.CondReady)
				fault(w, w.modems["a"], "life.deaf-power", 0)
				w.becomes(w.send(text("+4791000001", "hello")), api.Delivered, 2*time.Hour)
				if !slices.Equal(o.list(), want) {
					t.Errorf("used %q, want %q", o.list(), want)
				}
				steps := w.recoveries("a")
				if !slices.Contains(steps, string(helps)+": done") || !slices.Equal(steps[:len(allSteps)], allSteps) {
					t.Errorf("events %q", steps)
				}
				if m := w.modem("a"); m.Recoveries[api.RecoveryStep(helps)] != 1 || len(m.Diagnosis) > 0 {
					t.Errorf("counted %v, diagnosis %v", m.Recoveries, m.Diagnosis)
				}
			})
		})
	}
}

// A modem that nothing helps is restarted a few times an hour and a day, and says
// that this is used up. A person who helps it takes that back.
func TestHandsAreLimited(t *testing.T) {
	inWeeks(t)
	inWorld(t, emulator.NetworkConfig{}, one(), func(w *world) {
		o := &outside{}
		o.inReach(w)
		w.start()
		w.condition("a", api.CondReady)
		fault(w, w.modems["a"], "life.deaf-power", 0)
		w.within(4*time.Hour, "the restarts of an hour are used up", func() bool {
			return slices.ContainsFunc(w.modem("a").Diagnosis, func(d api.Diagnosis) bool { return d.Code == api.FindUsedUp })
		})
		time.Sleep(3 * 24 * time.Hour)
		for _, r := range rungs {
			times := o.times(hw.Hand(r.step))
			if !r.hand {
				continue
			}
			if n := len(times); n < 2*r.limit.day || n > 4*r.limit.day {
				t.Errorf("%s was used %d times in three days", r.step, n)
			}
			for i := range times {
				for span, most := range map[time.Duration]int{time.Hour: r.limit.hour, 24 * time.Hour: r.limit.day} {
					if j := i + most; j < len(times) && times[j].Sub(times[i]) < span {
						t.Errorf("%s was used %d times in %v", r.step, most+1, times[j].Sub(times[i]))
					}
				}
			}
		}
		w.modems["a"].PowerOff()
		w.modems["a"].PowerOn()
		w.well("a")
	})
}

// No modem is restarted while it may still answer a message.
func TestHandsWaitForTheExchange(t *testing.T) {
	inWorld(t, emulator.NetworkConfig{}, one(), func(w *world) {
		var id string
		o := &outside{helps: hw.USBReset}
		o.check = func() {
			if m := w.get(id); m.State == api.Sending {
				t.Errorf("a hand was used while the message was %s", m.State)
			}
		}
		o.inReach(w)
		w.start()
		w.condition("a", api.CondReady)
		if err := w.modems["a"].Fault("send.accepted-answer-lost", emulator.FaultConfig{Times: 1}); err != nil {
			t.Fatal(err)
		}
		sent := time.Now()
		id = w.send(text("+4791000001", "hello"))
		w.within(time.Minute, "the network has it", func() bool { return w.net.Count() == 1 })
		fault(w, w.modems["a"], "life.deaf-power", 0)
		w.within(2*time.Hour, "a hand is used", func() bool { return len(o.list()) > 0 })
		if first := o.times(hw.USBReset)[0].Sub(sent); first < w.cfg.Send.AnswerTimeout {
			t.Errorf("%v after the message was handed over", first)
		}
		w.condition("a", api.CondReady)
	})
}

// What a hand can't do is said, with what would let it.
func TestHandThatCannot(t *testing.T) {
	inWorld(t, emulator.NetworkConfig{}, one(), func(w *world) {
		w.tweak = func(d *Daemon) { d.Hands.Root = plugged(t) } // the node is no USB device
		w.start()
		w.condition("a", api.CondReady)
		fault(w, w.modems["a"], "life.deaf-power", 0)
		d := w.finds("a", api.FindHand)
		if !strings.Contains(d.Detail, "usb-reset by ") || !strings.Contains(d.Detail, "this system has no such request") {
			t.Errorf("it says %q", d.Detail)
		}
		if !slices.ContainsFunc(w.recoveries("a"), func(s string) bool { return strings.Contains(s, "no such request") }) {
			t.Errorf("events %q", w.recoveries("a"))
		}
		w.modems["a"].PowerOff()
		w.modems["a"].PowerOn()
		w.well("a")
	})
}

// A hand that made the modem vanish for good is followed by the next; a modem that
// a person pulled is not.
func TestHandsGoOnWhenTheModemVanishes(t *testing.T) {
	inWorld(t, emulator.NetworkConfig{}, one(), func(w *world) {
		o := &outside{}
		o.inReach(w)
		tweak := w.tweak
		w.tweak = func(d *Daemon) {
			tweak(d)
			do := d.Restart
			d.Restart = func(hand hw.Hand, modem string) error {
				w.modems[modem].Unplug()
				if hand == hw.USBPower {
					w.modems[modem].PowerOff()
					w.modems[modem].PowerOn()
					w.modems[modem].Plug()
				}
				return do(hand, modem)
			}
		}
		w.start()
		w.condition("a", api.CondReady)
		w.modems["a"].Unplug()
		time.Sleep(24 * time.Hour)
		if len(o.list()) > 0 {
			t.Errorf("pulled by a person, and restarted by %q", o.list())
		}
		w.modems["a"].Plug()
		w.condition("a", api.CondReady)
		fault(w, w.modems["a"], "life.deaf-power", 0)
		w.becomes(w.send(text("+4791000001", "hello")), api.Delivered, 2*time.Hour)
		if !slices.Equal(o.list(), []string{"usb-reset", "usb-power"}) {
			t.Errorf("used %q", o.list())
		}
	})
}

func TestNoHands(t *testing.T) {
	inWorld(t, emulator.NetworkConfig{}, one(), func(w *world) {
		o := &outside{}
		o.inReach(w)
		w.cfg.Modems[0].Hands = configs.HandNone
		w.start()
		w.condition("a", api.CondReady)
		fault(w, w.modems["a"], "life.deaf-power", 0)
		time.Sleep(24 * time.Hour)
		if len(o.list()) > 0 {
			t.Errorf("used %q", o.list())
		}
	})
}

// The words of the configuration, of the API and of hw are the same.
func TestHandsHaveOneName(t *testing.T) {
	for step, words := range map[api.RecoveryStep][2]string{
		api.StepUSBReset: {configs.HandReset, string(hw.USBReset)},
		api.StepUSBPower: {configs.HandPower, string(hw.USBPower)},
		api.StepPowerKey: {configs.HandKey, string(hw.PowerKey)},
	} {
		if words != [2]string{string(step), string(step)} {
			t.Errorf("%s is also called %q", step, words)
		}
	}
	if known := slices.Sorted(maps.Keys(hw.Pulses)); fmt.Sprint(known) != fmt.Sprint(slices.Sorted(slices.Values(configs.Pulses))) {
		t.Errorf("the configuration takes the pulses %v, hw has %v", configs.Pulses, known)
	}
}
