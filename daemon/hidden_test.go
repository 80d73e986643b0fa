package daemon

import (
	"testing"
	"time"

	"simpost/daemon/api"
	"simpost/modem/emulator"
)

// A modem keeps reports and shows none, until there is no room for more: its messages come and go as ever, and it is not
// said to be full.
func TestReportsThatAreNotShown(t *testing.T) {
	inWorld(t, emulator.NetworkConfig{}, []emulator.Config{{Name: "a", Number: "+4790000001", Profile: "cinterion", Slots: map[string]int{"SR": 3}}}, func(w *world) {
		phone := w.net.NewPhone(emulator.PhoneConfig{})
		w.start()
		w.condition("a", api.CondReady)
		for range 5 {
			w.becomes(w.send(text(phone.Number(), "hello")), api.Sent, 5*time.Minute)
		}
		time.Sleep(3 * time.Hour)
		phone.Send("+4790000001", "and back")
		w.within(5*time.Minute, "it is received", func() bool { return len(w.inbox()) == 1 })
		events, err := w.daemon.store.Events(0, 1000)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range events {
			if e.Type == api.EventModem && e.State == string(api.CondMemoryFull) {
				t.Errorf("at %v it was said to be full", e.At)
			}
		}
	})
}
