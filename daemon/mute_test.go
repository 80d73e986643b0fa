package daemon

import (
	"bytes"
	"io"
	"sync/atomic"
	"testing"
	"time"

	"simpost/daemon/api"
	"simpost/modem/emulator"
)

// wedge is what a modem does not do until it is restarted: it hangs at a command until
// its port is closed, or leaves that command unanswered and goes on.
type wedge struct {
	at    []string
	hangs bool

	on, deaf atomic.Bool
	resets   atomic.Int32
}

type wedged struct {
	io.ReadWriteCloser
	w *wedge
}

func (p wedged) Write(b []byte) (int, error) {
	if bytes.Contains(b, []byte("CFUN=1,1")) {
		p.w.resets.Add(1)
	}
	hit := false
	for _, at := range p.w.at {
		hit = hit || bytes.Contains(b, []byte(at))
	}
	if hit && p.w.hangs {
		p.w.deaf.Store(true)
	}
	if p.w.on.Load() && p.w.resets.Load() == 0 && (hit || p.w.deaf.Load()) {
		return len(b), nil
	}
	return p.ReadWriteCloser.Write(b)
}

func (p wedged) Close() error {
	p.w.deaf.Store(false)
	return p.ReadWriteCloser.Close()
}

// A modem that answers AT whenever it is asked, and never a list, a prompt or a
// message, is restarted within the hour, and works.
func TestMuteModemIsRestarted(t *testing.T) {
	for name, wd := range map[string]*wedge{
		"hangs at its list":      {at: []string{"+CMGL"}, hangs: true},
		"hangs at a message":     {at: []string{"+CMGS"}, hangs: true},
		"hangs after a message":  {at: []string{"\x1a"}, hangs: true},
		"lists nothing":          {at: []string{"+CMGL", "+CMGR"}},
		"does not ask for a PDU": {at: []string{"+CMGS"}},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, emulator.NetworkConfig{}, one(), func(w *world) {
				w.ports = map[string]func() (io.ReadWriteCloser, error){"a": func() (io.ReadWriteCloser, error) {
					rwc, err := w.modems["a"].Open()
					return unpluggable{wedged{rwc, wd}}, err
				}}
				phone := w.net.NewPhone(emulator.PhoneConfig{})
				w.start()
				w.condition("a", api.CondReady)
				time.Sleep(5 * time.Minute)
				wd.on.Store(true)
				phone.Send("+4790000001", "in")
				var last string
				for range 3 { // the first may be unknown for good by then
					last = w.send(text(phone.Number(), "out"))
				}
				w.within(90*time.Minute, "it was restarted, and works", func() bool {
					return wd.resets.Load() > 0 && w.get(last).State == api.Delivered && len(w.inbox()) == 1
				})
				time.Sleep(time.Hour)
				if m := w.modem("a"); wd.resets.Load() != 1 || m.Condition.Code != api.CondReady {
					t.Errorf("it was restarted %d times, and is %s", wd.resets.Load(), m.Condition.Code)
				}
			})
		})
	}
}

// A modem that takes messages and says nothing of any loses few of them to that: it is
// restarted, and then left to what it still does.
func TestMuteForEver(t *testing.T) {
	inWorld(t, emulator.NetworkConfig{}, one(), func(w *world) {
		phone := w.net.NewPhone(emulator.PhoneConfig{})
		w.start()
		w.condition("a", api.CondReady)
		if err := w.modems["a"].Fault("send.swallowed", emulator.FaultConfig{Times: 1e6}); err != nil {
			t.Fatal(err)
		}
		for range 10 {
			w.send(text(phone.Number(), "out"))
		}
		w.within(2*time.Hour, "it was restarted", func() bool { return w.modem("a").Recoveries[api.StepReset] > 0 })
		time.Sleep(24 * time.Hour)
		phone.Send("+4790000001", "in")
		w.within(10*time.Minute, "it still receives", func() bool { return len(w.inbox()) == 1 })
		if n := w.modem("a").Recoveries[api.StepReset]; n > 12 {
			t.Errorf("it was told to restart %d times in a day", n)
		}
	})
}
