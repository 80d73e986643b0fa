package daemon

import (
	"context"
	"fmt"
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
