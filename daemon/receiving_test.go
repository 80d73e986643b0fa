package daemon

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
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
