package daemon

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"simpost/daemon/api"
	"simpost/modem/emulator"
)

// A card that is swapped while the modem says nothing of it: what had begun on the
// old one never leaves on the new one, and goes on when the old one is back.
func TestSwappedCard(t *testing.T) {
	inWorld(t, emulator.NetworkConfig{}, []emulator.Config{{Name: "a", Number: "+4790000001"}}, func(w *world) {
		m := w.modems["a"]
		phone := w.net.NewPhone(emulator.PhoneConfig{})
		w.cfg.Send.RetryFirst = time.Hour
		w.start()
		w.condition("a", api.CondReady)
		if err := m.Fault("send.cms-42", emulator.FaultConfig{Times: 1}); err != nil {
			t.Fatal(err)
		}
		begun := w.send(text(phone.Number(), strings.Repeat("a message in two parts ", 12)))
		w.within(10*time.Second, "a part waits for its second try", func() bool { return len(w.get(begun).Attempts) == 2 })
		time.Sleep(2 * cardTrust) // for the hands of a person
		old := m.RemoveSIM()
		m.InsertSIM(&emulator.SIM{Number: "+4790000002"})
		after := len(w.net.Record())
		fresh := w.send(text(phone.Number(), "on the new card"))
		w.saw("a", api.CondOtherCard)
		w.becomes(fresh, api.Delivered, time.Minute)
		time.Sleep(12 * time.Hour)
		for _, s := range w.net.Record()[after:] {
			if s.From != "+4790000002" || s.Text != "on the new card" {
				t.Errorf("%q left from %s", s.Text, s.From)
			}
		}
		if got := w.get(begun); got.State != api.Sending {
			t.Errorf("what had begun on the old card is %s", got.State)
		}
		m.InsertSIM(old)
		w.becomes(begun, api.Delivered, 2*time.Hour)
		for _, s := range w.net.Record()[after+1:] {
			if s.From != "+4790000001" {
				t.Errorf("%q left from %s", s.Text, s.From)
			}
		}
	})
}

// A card that is swapped under an idle modem is noticed within the hour, for one
// command; and what comes in is the new card's.
func TestSwappedCardUnderAnIdleModem(t *testing.T) {
	inWorld(t, emulator.NetworkConfig{}, []emulator.Config{{Name: "a", Number: "+4790000001"}}, func(w *world) {
		m := w.modems["a"]
		w.start()
		w.condition("a", api.CondReady)
		time.Sleep(10 * time.Minute)
		idle := func() int {
			before := m.Commands()
			time.Sleep(24 * time.Hour)
			return m.Commands() - before
		}
		polls := int(24 * time.Hour / w.cfg.Receive.Poll)
		if n := idle(); n > polls*11/10 {
			t.Errorf("%d commands in a day of %d polls", n, polls)
		}
		m.InsertSIM(&emulator.SIM{Number: "+4790000002", IMSI: "242010000000077"})
		time.Sleep(w.cfg.Receive.Sweep + time.Minute)
		if got, err := w.client.Modem(context.Background(), "a"); err != nil || got.IMSI != "242010000000077" || got.Condition.Code != api.CondReady {
			t.Errorf("after an hour the card is %s, %s, %v", got.IMSI, got.Condition.Code, err)
		}
	})
}

// A memory that fills up is said once, and once when it has room again.
func TestMemoryAlarm(t *testing.T) {
	inWorld(t, emulator.NetworkConfig{}, []emulator.Config{{Name: "a", Number: "+4790000001"}}, func(w *world) {
		m := w.modems["a"]
		w.start()
		w.condition("a", api.CondReady)
		if err := m.Fault("storage.delete-fails", emulator.FaultConfig{Times: 1e6}); err != nil {
			t.Fatal(err)
		}
		p := w.net.NewPhone(emulator.PhoneConfig{})
		filling := func() []string {
			got, err := w.client.Modem(context.Background(), "a")
			if err != nil {
				t.Fatal(err)
			}
			var details []string
			for _, d := range got.Diagnosis {
				if d.Code == api.FindFilling {
					details = append(details, d.Detail)
				}
			}
			return details
		}
		told := func() []string {
			events, err := w.daemon.store.Events(0, 1000)
			if err != nil {
				t.Fatal(err)
			}
			var all []string
			for _, e := range events {
				if e.Type == api.EventMemory {
					all = append(all, e.State+" "+e.Detail)
				}
			}
			return all
		}
		fill := func(n int) {
			for len(m.Stored("SM")) < n {
				p.Send(m.Number(), fmt.Sprint("message ", len(m.Stored("SM"))))
				time.Sleep(time.Second)
			}
			time.Sleep(time.Minute)
		}
		fill(23) // of 30
		if got := append(filling(), told()...); len(got) != 0 {
			t.Errorf("below the alarm: %q", got)
		}
		fill(24)
		want := []string{"memory-filling SM 24 of 30"}
		if got := told(); !slices.Equal(got, want) || !slices.Equal(filling(), []string{"SM 24 of 30"}) {
			t.Errorf("at the alarm: %q, %q", got, filling())
		}
		fill(27)
		if got := told(); !slices.Equal(got, want) {
			t.Errorf("beyond the alarm: %q", got)
		}
		m.ClearFaults()
		w.within(2*w.cfg.Receive.Sweep, "it has room again", func() bool { return len(told()) > 1 })
		if got := told(); !slices.Equal(got, append(want, " SM 0 of 30")) || len(filling()) != 0 {
			t.Errorf("with room again: %q, %q", got, filling())
		}
		if got := len(w.inbox()); got != 27 {
			t.Errorf("%d messages came in, want 27", got)
		}
	})
}

func TestNearlyFull(t *testing.T) {
	for _, c := range []struct {
		was         bool
		used, total int
		want        bool
	}{
		{false, 0, 0, false}, {false, 7, 10, false}, {false, 8, 10, true}, {false, 10, 10, true},
		{true, 7, 10, true}, {true, 6, 10, false}, {true, 0, 0, false},
	} {
		if got := nearlyFull(c.was, c.used, c.total); got != c.want {
			t.Errorf("nearlyFull(%v, %d, %d) is %v", c.was, c.used, c.total, got)
		}
	}
}
