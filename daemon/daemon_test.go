package daemon

import (
	"strings"
	"testing"
	"time"

	"simpost/daemon/api"
	"simpost/modem/emulator"
)

var longText = strings.Repeat("A long message goes out in parts. ", 10) + "🙂👩‍👩‍👧 ønsker hilsen"

// The main job: a long message with emoji from one SIM to the other, whole, with
// its delivery reports.
func TestLongMessageArrivesWhole(t *testing.T) {
	inWorld(t, emulator.NetworkConfig{Latency: 200 * time.Millisecond}, twoModems(), func(w *world) {
		w.start()
		w.condition("a", api.CondReady)
		w.condition("b", api.CondReady)
		yes := true
		req := text("+4790000002", longText)
		req.Modem, req.Report = "a", &yes
		id := w.send(req)
		m := w.becomes(id, api.Delivered, time.Minute)
		if len(m.Parts) < 2 {
			t.Fatalf("sent in %d parts, want several", len(m.Parts))
		}
		if got := len(w.net.Record()); got != len(m.Parts) {
			t.Errorf("the network accepted %d SUBMITs, want %d", got, len(m.Parts))
		}
		in := w.inbox()
		if len(in) != 1 || in[0].Text == nil || *in[0].Text != longText {
			t.Fatalf("received %+v, want the text whole", in)
		}
		if in[0].From != "+4790000001" || in[0].Incomplete || in[0].State != api.Received {
			t.Errorf("received from %s, incomplete %v, state %s", in[0].From, in[0].Incomplete, in[0].State)
		}
		for _, mem := range []string{"SM", "ME", "SR"} {
			if left := w.modems["b"].Stored(mem); len(left) != 0 {
				t.Errorf("%d messages are left in %s", len(left), mem)
			}
		}
	})
}
