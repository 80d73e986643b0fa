package daemon

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"simpost/daemon/api"
	"simpost/modem/emulator"
)

// A modem that shows another message under the number of this one must not make
// the daemon delete what it has not kept; and what is kept once stays one message.
func TestSlotIsCheckedBeforeDelete(t *testing.T) {
	inWorld(t, emulator.NetworkConfig{}, one(), func(w *world) {
		w.start()
		w.condition("a", api.CondReady)
		fault(w, w.modems["a"], "read.wrong-slot", 0)
		p := w.net.NewPhone(emulator.PhoneConfig{})
		w.modems["a"].SetRegistration(2) // both arrive at once, when it is back
		p.Send("+4790000001", "one")
		p.Send("+4790000001", "two")
		w.modems["a"].SetRegistration(1)
		w.within(time.Minute, "both are kept", func() bool { return len(w.inbox()) == 2 })
		time.Sleep(10 * time.Minute)
		if n := len(w.modems["a"].Stored("SM")); n != 2 {
			t.Errorf("%d messages are in the modem, want 2: it shows the wrong ones", n)
		}
		w.modems["a"].ClearFaults()
		w.within(2*time.Hour, "the modem is emptied", func() bool { return len(w.modems["a"].Stored("SM")) == 0 })
		if in := w.inbox(); len(in) != 2 {
			t.Errorf("the inbox has %d messages, want 2", len(in))
		}
	})
}

// A SIM with ten places takes three hundred messages, long ones among them.
func TestSmallSIM(t *testing.T) {
	modems := one()
	modems[0].Slots = map[string]int{"SM": 10}
	inWorld(t, emulator.NetworkConfig{Retry: 20 * time.Second}, modems, func(w *world) {
		w.start()
		w.condition("a", api.CondReady)
		want := map[string]bool{}
		for p := range 10 {
			phone := w.net.NewPhone(emulator.PhoneConfig{})
			for i := range 30 {
				body := fmt.Sprintf("%d from %d", i, p)
				if i%10 == 0 {
					body += strings.Repeat(" and so on", 30)
				}
				want[body] = true
				phone.Send("+4790000001", body)
			}
		}
		got := map[string]int{}
		w.within(6*time.Hour, "all have come in", func() bool {
			clear(got)
			for after := ""; ; {
				page, err := w.client.List(context.Background(), api.ListQuery{Direction: api.In, Limit: 200, After: after})
				if err != nil {
					t.Fatal(err)
				}
				for _, m := range page.Messages {
					if !m.Incomplete && m.Text != nil {
						got[*m.Text]++
					}
				}
				if page.Next == nil {
					return len(got) == len(want)
				}
				after = *page.Next
			}
		})
		for body, n := range got {
			if n != 1 || !want[body] {
				t.Errorf("%q came in %d times", clip(body), n)
			}
		}
	})
}

// shown is the line of a modem without a store that can be read: it hands messages
// over, and damage is what becomes of their PDUs.
type shown struct {
	io.ReadWriteCloser
	damage func(pdu []byte) []byte
}

func (s shown) Write(p []byte) (int, error) {
	return s.ReadWriteCloser.Write(bytes.Replace(p, []byte("+CPMS"), []byte("+XPMS"), 1))
}

func (s shown) Read(p []byte) (int, error) {
	n, err := s.ReadWriteCloser.Read(p)
	head, pdu, found := bytes.Cut(p[:n], []byte("\r\n06")) // the service centre's field
	if found && bytes.Contains(head, []byte("+CMT:")) {
		n = len(head) + len("\r\n06") + copy(p[len(head)+len("\r\n06"):], s.damage(pdu))
	}
	return n, err
}

// What was handed over damaged is kept, and refused, so that it comes again; from a
// modem that always announces other lengths it is taken.
func TestDamagedWhenHandedOver(t *testing.T) {
	cut := func(pdu []byte) []byte {
		end := bytes.Index(pdu, []byte("\r\n"))
		return append(bytes.Clone(pdu[:end-2]), pdu[end:]...)
	}
	for name, c := range map[string]struct {
		damaged func(n int) bool // of what is shown, from 0
		rows    int
		whole   int
	}{
		"never":  {func(int) bool { return false }, 2, 2},
		"once":   {func(n int) bool { return n == 1 }, 3, 2},
		"always": {func(int) bool { return true }, 3, 0},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, emulator.NetworkConfig{Retry: 20 * time.Second}, one(), func(w *world) {
				n := -1
				w.ports = map[string]func() (io.ReadWriteCloser, error){"a": func() (io.ReadWriteCloser, error) {
					rwc, err := w.modems["a"].Open()
					return shown{rwc, func(pdu []byte) []byte {
						if n++; c.damaged(n) {
							return cut(pdu)
						}
						return pdu
					}}, err
				}}
				w.start()
				w.condition("a", api.CondReady)
				p := w.net.NewPhone(emulator.PhoneConfig{})
				for _, s := range []string{"the first" + strings.Repeat(" and longest", 15) + " of them", "the second of them"} {
					p.Send("+4790000001", s)
					time.Sleep(10 * time.Minute)
				}
				in := w.inbox()
				whole := 0
				for _, m := range in {
					if m.Text != nil && strings.HasPrefix(*m.Text, "the ") && strings.HasSuffix(*m.Text, "of them") {
						whole++
					}
				}
				if len(in) != c.rows || whole != c.whole {
					t.Errorf("%d came in, %d of them whole; want %d and %d: %+v", len(in), whole, c.rows, c.whole, in)
				}
			})
		})
	}
}

// rewritten is a line whose host's commands are changed on their way.
type rewritten struct {
	io.ReadWriteCloser
	change func(string) string
}

func (r rewritten) Write(p []byte) (int, error) {
	if s := r.change(string(p)); s != "" {
		if _, err := r.ReadWriteCloser.Write([]byte(s)); err != nil {
			return 0, err
		}
	}
	return len(p), nil
}

// One acknowledgement that the line spoils or loses does not make a modem deaf that
// hands its messages over: it stops showing them then, without a word.
func TestAcknowledgementThatTheLineSpoilt(t *testing.T) {
	for name, becomes := range map[string]string{"spoilt": "AT+CNA\r", "lost": ""} { // one that is refused is said again
		t.Run(name, func(t *testing.T) {
			inWorld(t, emulator.NetworkConfig{Retry: 20 * time.Second}, one(), func(w *world) {
				once := true
				w.ports = map[string]func() (io.ReadWriteCloser, error){"a": func() (io.ReadWriteCloser, error) {
					rwc, err := w.modems["a"].Open()
					line := rewritten{rwc, func(s string) string {
						if !once || !strings.HasPrefix(s, "AT+CNMA") {
							return s
						}
						once = false
						return becomes
					}}
					return shown{line, func(pdu []byte) []byte { return pdu }}, err
				}}
				w.start()
				w.condition("a", api.CondReady)
				p := w.net.NewPhone(emulator.PhoneConfig{})
				for i := range 4 {
					p.Send("+4790000001", fmt.Sprintf("number %d", i))
					time.Sleep(5 * time.Minute)
				}
				seen := map[string]bool{}
				for _, m := range w.inbox() {
					seen[*m.Text] = true
				}
				if again := w.modems["a"].Stored("SM"); name == "spoilt" && len(again) > 0 {
					t.Errorf("the network brought %d messages again, for want of an acknowledgement", len(again))
				}
				if once || len(seen) != 4 {
					t.Errorf("of four messages %d came in, an acknowledgement was spoilt: %v", len(seen), !once)
				}
			})
		})
	}
}

// leaky loses a byte in a thousand of what the modem says.
type leaky struct {
	io.ReadWriteCloser
	rng *rand.Rand
	on  *atomic.Bool
}

func (l leaky) Read(p []byte) (int, error) {
	n, err := l.ReadWriteCloser.Read(p)
	if !l.on.Load() {
		return n, err
	}
	out := p[:0]
	for _, b := range p[:n] {
		if l.rng.Float64() >= 1e-3 {
			out = append(out, b)
		}
	}
	return len(out), err
}

// A full memory is no reason to delete what a bad line has cut short.
func TestFullMemoryOnABadLine(t *testing.T) {
	for seed := range uint64(6) {
		modems := one()
		modems[0].Slots = map[string]int{"SM": 10}
		inWorld(t, emulator.NetworkConfig{Retry: 20 * time.Second}, modems, func(w *world) {
			l := leaky{rng: rand.New(rand.NewPCG(seed, 1)), on: &atomic.Bool{}}
			w.ports = map[string]func() (io.ReadWriteCloser, error){"a": func() (io.ReadWriteCloser, error) {
				rwc, err := w.modems["a"].Open()
				return leaky{rwc, l.rng, l.on}, err
			}}
			w.start()
			w.condition("a", api.CondReady)
			fault(w, w.modems["a"], "storage.cmti-none", 0)
			l.on.Store(true)
			want := map[string]bool{}
			for i := range 10 {
				body := fmt.Sprintf("%d begins %s ends %d", i, strings.Repeat("0123456789", 13), i)
				want[body] = true
				w.net.NewPhone(emulator.PhoneConfig{}).Send("+4790000001", body)
			}
			time.Sleep(30 * time.Minute)
			l.on.Store(false)
			w.within(3*time.Hour, "the modem is emptied", func() bool { return len(w.modems["a"].Stored("SM")) == 0 })
			for _, m := range w.inbox() {
				if m.Text != nil {
					delete(want, *m.Text)
				}
			}
			if len(want) > 0 {
				t.Errorf("seed %d: %d messages came in damaged only, and are deleted from the card", seed, len(want))
			}
		})
	}
}

// A modem that shows every message cut short, the full card too, makes room all the
// same: it would be deaf.
func TestFullMemoryOfCutMessages(t *testing.T) {
	modems := one()
	modems[0].Slots = map[string]int{"SM": 5}
	inWorld(t, emulator.NetworkConfig{Retry: 20 * time.Second}, modems, func(w *world) {
		w.start()
		w.condition("a", api.CondReady)
		fault(w, w.modems["a"], "read.truncated", 0)
		for i := range 20 {
			w.net.NewPhone(emulator.PhoneConfig{}).Send("+4790000001", fmt.Sprintf("number %d of many", i))
		}
		w.within(2*time.Hour, "all are kept as they were shown", func() bool { return len(w.inbox()) == 20 })
	})
}

// A slot that is not shown again before it is deleted stays for some sweeps.
func TestSlotThatCannotBeChecked(t *testing.T) {
	inWorld(t, emulator.NetworkConfig{}, one(), func(w *world) {
		w.start()
		w.condition("a", api.CondReady)
		fault(w, w.modems["a"], "read.cmgr-500", 0)
		p := w.net.NewPhone(emulator.PhoneConfig{})
		p.Send("+4790000001", "one")
		w.within(time.Minute, "it is kept", func() bool { return len(w.inbox()) == 1 })
		time.Sleep(20 * time.Second)
		if n := len(w.modems["a"].Stored("SM")); n != 1 {
			t.Errorf("%d messages are in the modem, want the one that was not seen again", n)
		}
		w.within(5*time.Minute, "it is deleted in the end", func() bool { return len(w.modems["a"].Stored("SM")) == 0 })
	})
}
