package daemon

import (
	"strings"
	"testing"
	"time"

	"simpost/daemon/api"
	"simpost/modem/emulator"
)

// A modem on a UART talks at one speed. It is found, whichever it is, and not looked for again.
func TestSpeedIsFound(t *testing.T) {
	for _, baud := range []int{9600, 921600} {
		inWorld(t, emulator.NetworkConfig{}, []emulator.Config{{Name: "a", OnlyAt: baud}}, func(w *world) {
			w.start()
			w.within(3*time.Minute, "the speed is found", func() bool { return w.can("a") })
			w.becomes(w.send(text("+4790000002", "hello")), api.Delivered, 5*time.Minute)
			w.modems["a"].Unplug()
			w.saw("a", api.CondUnplugged)
			w.modems["a"].Plug()
			w.within(30*time.Second, "it is known already", func() bool { return w.can("a") })
		})
	}
}

// Another modem at the same line, of another speed, is found too.
func TestSpeedOfAnotherModem(t *testing.T) {
	inWorld(t, emulator.NetworkConfig{}, []emulator.Config{{Name: "a", OnlyAt: 9600}}, func(w *world) {
		w.start()
		w.within(3*time.Minute, "the speed is found", func() bool { return w.can("a") })
		w.modems["a"].Unplug()
		w.saw("a", api.CondUnplugged)
		w.modems["a"] = w.net.NewModem(emulator.Config{Name: "b", OnlyAt: 57600})
		w.within(30*time.Minute, "the speed of the other one is found", func() bool { return w.can("a") })
	})
}

// What is configured is not guessed at.
func TestConfiguredSpeed(t *testing.T) {
	inWorld(t, emulator.NetworkConfig{}, []emulator.Config{{Name: "a", OnlyAt: 9600}, {Name: "b", OnlyAt: 9600}}, func(w *world) {
		w.cfg.Modems[0].Baud, w.cfg.Modems[1].Baud = 9600, 57600
		w.start()
		w.within(10*time.Second, "the right speed is used at once", func() bool { return w.can("a") })
		w.saw("b", api.CondSilent)
		time.Sleep(10 * time.Minute)
		for _, l := range w.modems["b"].Transcript() {
			if strings.HasPrefix(l, "> ") {
				t.Fatalf("at another speed than the configured one it heard %s", l)
			}
		}
	})
}

// can says whether a modem can send.
func (w *world) can(name string) bool {
	for _, m := range w.daemon.board.list() {
		if m.Name == name {
			return m.CanSend
		}
	}
	return false
}
