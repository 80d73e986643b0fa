package daemon

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"sync/atomic"
	"testing"
	"time"

	"simpost/daemon/api"
	"simpost/modem/emulator"
)

// Mistakes that were made once.

// Messages that nothing announces are found by the next poll, also when the
// count is what it was before the last one was taken out.
func TestUnannouncedMessagesAreFoundByThePoll(t *testing.T) {
	inWorld(t, emulator.NetworkConfig{}, one(), func(w *world) {
		w.start()
		w.condition("a", api.CondReady)
		fault(w, w.modems["a"], "storage.cmti-none", 0)
		p := w.net.NewPhone(emulator.PhoneConfig{})
		for i := range 4 {
			p.Send("+4790000001", fmt.Sprint("unannounced ", i))
			w.within(2*w.cfg.Receive.Poll, "it is there", func() bool { return len(w.inbox()) == i+1 })
		}
	})
}

// A flood of messages does not hold an alert back.
func TestFloodLetsAlertsOut(t *testing.T) {
	modems := one()
	modems[0].LineSpeed = 9600
	inWorld(t, emulator.NetworkConfig{}, modems, func(w *world) {
		w.start()
		w.condition("a", api.CondReady)
		p := w.net.NewPhone(emulator.PhoneConfig{})
		ctx, stop := context.WithCancel(context.Background())
		done := make(chan struct{})
		defer func() { stop(); <-done }()
		go func() {
			defer close(done)
			for i := 0; ctx.Err() == nil; i++ {
				p.Send("+4790000001", fmt.Sprint("flood ", i))
				time.Sleep(250 * time.Millisecond)
			}
		}()
		time.Sleep(time.Minute)
		req := text("+4791000099", "fire")
		req.Priority = api.Alert
		w.becomes(w.send(req), api.Delivered, time.Minute)
	})
}

// A wrong time in the future is not believed because of a stamp in the past.
func TestOldStampIsNoWitness(t *testing.T) {
	ahead := time.Date(2036, 1, 1, 0, 0, 0, 0, time.UTC)
	no := func() bool { return false }
	c := newClock(func() time.Time { return ahead }, no, no)
	c.start(time.Time{})
	for _, ago := range []time.Duration{tenYears, 24 * time.Hour, time.Hour} {
		if c.atLeast(ahead.Add(-ago)); c.trusted() {
			t.Errorf("a stamp of %v ago made the clock trusted", ago)
		}
	}
	if c.atLeast(ahead.Add(-time.Minute)); !c.trusted() {
		t.Error("a stamp of a minute ago did not make the clock trusted")
	}
}

// What is left of a message whose SIM has gone for good can be given up.
func TestRestOfAMessageCanBeGivenUp(t *testing.T) {
	inWorld(t, emulator.NetworkConfig{}, one(), func(w *world) {
		w.start()
		w.condition("a", api.CondReady)
		id := w.send(text("+4791000001", longText))
		w.within(time.Minute, "a part is out", func() bool { return len(w.net.Record()) > 0 })
		w.modems["a"].SetRegistration(3)
		w.within(20*time.Minute, "it says why it waits", func() bool {
			m := w.get(id)
			return m.State == api.Sending && m.Reason != nil && m.Reason.Code == string(api.CondDenied)
		})
		if m, err := w.client.Resolve(context.Background(), id, api.ResolveFail); err != nil || m.State != api.Failed {
			t.Errorf("given up: %s, %v", m.State, err)
		}
	})
}

// A modem that is tried for hours to no avail writes nothing about it.
func TestHopelessModemWritesNothing(t *testing.T) {
	inWorld(t, emulator.NetworkConfig{}, []emulator.Config{{Name: "a", PIN: "1234"}}, func(w *world) {
		w.start()
		w.saw("a", api.CondPINRequired)
		time.Sleep(time.Minute)
		before := w.daemon.store.LastEvent()
		time.Sleep(6 * time.Hour)
		if after := w.daemon.store.LastEvent(); after != before {
			t.Errorf("%d events in six hours, want none", after-before)
		}
	})
}

// An empty memory that could not be listed once is listed again soon: the condition
// does not stay until the hour is over.
func TestOnceUnreadable(t *testing.T) {
	inWorld(t, emulator.NetworkConfig{}, one(), func(w *world) {
		hint, choice := new(atomic.Bool), new(atomic.Bool)
		w.ports = map[string]func() (io.ReadWriteCloser, error){"a": func() (io.ReadWriteCloser, error) {
			rwc, err := w.modems["a"].Open()
			return garbled{rwc, hint, choice}, err
		}}
		w.start()
		w.condition("a", api.CondReady)
		choice.Store(true)
		hint.Store(true)
		w.saw("a", api.CondUnreadable)
		w.within(time.Minute, "it is ready again", func() bool { return w.modem("a").Condition.Code == api.CondReady })
	})
}

// garbled announces a message that is not there, and refuses once to choose a memory.
type garbled struct {
	io.ReadWriteCloser
	hint, choice *atomic.Bool
}

func (g garbled) Read(p []byte) (int, error) {
	const hint = "\r\n+CMTI: \"SM\",1\r\n"
	n, err := g.ReadWriteCloser.Read(p[:len(p)-len(hint)])
	if g.hint.Swap(false) {
		n = copy(p, hint+string(p[:n]))
	}
	return n, err
}

func (g garbled) Write(p []byte) (int, error) {
	if set := []byte(`AT+CPMS="`); bytes.HasPrefix(p, set) && g.choice.Swap(false) {
		p = bytes.Replace(p, set, []byte(`AT+CMGR="`), 1)
	}
	return g.ReadWriteCloser.Write(p)
}

// A modem that speaks of its registration all the time is not asked about it all the
// time, and what it says last counts.
func TestRestlessNetwork(t *testing.T) {
	var asked atomic.Int32
	modems := one()
	modems[0].Trace = func(_ string, heard bool, line string) {
		if heard && line == "AT+CREG?" {
			asked.Add(1)
		}
	}
	inWorld(t, emulator.NetworkConfig{}, modems, func(w *world) {
		w.start()
		w.condition("a", api.CondReady)
		asked.Store(0)
		for i := range 1000 {
			w.modems["a"].SetRegistration(1 + i%2)
			time.Sleep(10 * time.Millisecond)
		}
		if n := asked.Load(); n > 12 {
			t.Errorf("asked %d times in 10 s", n)
		}
		w.modems["a"].SetRegistration(1)
		w.becomes(w.send(text("+4791000099", "calm")), api.Delivered, time.Minute)
	})
}

// chatty says a line after each of its answers.
type chatty struct {
	io.ReadWriteCloser
	line string
	rest []byte
}

func (c *chatty) Read(p []byte) (int, error) {
	if len(c.rest) > 0 {
		n := copy(p, c.rest)
		c.rest = c.rest[n:]
		return n, nil
	}
	n, err := c.ReadWriteCloser.Read(p)
	if bytes.HasSuffix(p[:n], []byte("OK\r\n")) {
		c.rest = []byte("\r\n" + c.line + "\r\n")
	}
	return n, err
}

// A modem that speaks of its card or its network after each answer is not asked about
// them without end.
func TestChattyCardAndNetwork(t *testing.T) {
	for _, line := range []string{"^SIMST: 1", "+CREG: 1", `+CEREG: 1,"00A1","0B2C0101",7`} {
		t.Run(line, func(t *testing.T) {
			var asked atomic.Int32
			modems := one()
			modems[0].Trace = func(_ string, heard bool, line string) {
				if heard {
					asked.Add(1)
				}
			}
			inWorld(t, emulator.NetworkConfig{}, modems, func(w *world) {
				w.ports = map[string]func() (io.ReadWriteCloser, error){"a": func() (io.ReadWriteCloser, error) {
					rwc, err := w.modems["a"].Open()
					return &chatty{ReadWriteCloser: unpluggable{rwc}, line: line}, err
				}}
				w.start()
				w.condition("a", api.CondReady)
				w.becomes(w.send(text("+4791000099", "calm")), api.Delivered, time.Minute)
				time.Sleep(time.Minute)
				asked.Store(0)
				time.Sleep(time.Hour)
				if n := asked.Load(); n > 3600 {
					t.Errorf("%d commands in an idle hour", n)
				}
				w.becomes(w.send(text("+4791000099", "calm")), api.Delivered, time.Minute)
			})
		})
	}
}
