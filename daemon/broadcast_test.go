package daemon

import (
	"context"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
	"time"

	"simpost/daemon/api"
	"simpost/modem/emulator"
)

// inBroadcasts is a world whose one modem listens to alerts and channel 50.
func inBroadcasts(t *testing.T, profile string, body func(w *world)) {
	t.Helper()
	inWorld(t, emulator.NetworkConfig{}, []emulator.Config{{Name: "a", Number: "+4790000001", Profile: profile}}, func(w *world) {
		w.cfg.Modems[0].Broadcasts = "alerts 50"
		w.start()
		w.condition("a", api.CondReady)
		time.Sleep(time.Minute)
		body(w)
	})
}

func (w *world) broadcasts() []api.Broadcast {
	w.t.Helper()
	all, err := w.client.Broadcasts(context.Background(), 0)
	if err != nil {
		w.t.Fatal(err)
	}
	return all
}

// A warning in pages is one event with its whole text, however often it is
// repeated; on a modem that hands pages out, and on one that only stores them.
func TestBroadcast(t *testing.T) {
	for _, profile := range []string{"generic", "wavecom"} {
		t.Run(profile, func(t *testing.T) {
			inBroadcasts(t, profile, func(w *world) {
				long := "Flood in the valley. " + strings.Repeat("Go to higher ground. ", 10) + "END"
				for range 20 {
					w.net.Broadcast(emulator.Broadcast{Channel: 4371, Serial: 0x4560, Text: long})
					time.Sleep(30 * time.Second)
				}
				e := w.nth(api.EventBroadcast, 1)
				if e.Text != long || e.State != "4371" || e.Detail != "extreme and immediate threat" || e.Modem != "a" {
					t.Errorf("got %+v", e)
				}
				b := w.broadcasts()
				if len(b) != 1 || b[0].Text != long || b[0].Pages != 3 || b[0].Missing != 0 || b[0].Channel != 4371 || b[0].Serial != 0x4560 || b[0].Alert == "" {
					t.Errorf("got %+v", b)
				}
				if left := w.modems["a"].Stored("BM"); len(left) != 0 {
					t.Errorf("%d pages stay in the modem", len(left))
				}
			})
		})
	}
}

// Another serial number is another broadcast, and so is the same one after a day.
func TestBroadcastAgain(t *testing.T) {
	inBroadcasts(t, "generic", func(w *world) {
		for i, b := range []emulator.Broadcast{
			{Channel: 50, Serial: 0x0010, Text: "one"}, {Channel: 50, Serial: 0x0011, Text: "one, updated"},
			{Channel: 4370, Serial: 0x0010, Text: "Опасность"},
		} {
			w.net.Broadcast(b)
			if e := w.nth(api.EventBroadcast, i+1); e.Text != b.Text {
				t.Errorf("got %+v", e)
			}
		}
		time.Sleep(26 * time.Hour)
		w.net.Broadcast(emulator.Broadcast{Channel: 50, Serial: 0x0010, Text: "one"})
		w.nth(api.EventBroadcast, 4)
		w.net.Broadcast(emulator.Broadcast{Channel: 51, Serial: 1, Text: "not wanted"})
		time.Sleep(time.Minute)
		w.nth(api.EventBroadcast, 4)
	})
}

// Part of a warning is told after a minute, and all of it when the rest comes.
func TestBroadcastInPart(t *testing.T) {
	inBroadcasts(t, "generic", func(w *world) {
		b := emulator.Broadcast{Channel: 4370, Serial: 7, Text: strings.Repeat("Leave now. ", 12), Pages: []int{2}}
		w.net.Broadcast(b)
		if e := w.nthWithin(api.EventBroadcast, 1, 10*time.Minute); e.Detail != "alert of the highest level, 1 of 2 pages missing" || e.Text == "" {
			t.Errorf("got %+v", e)
		}
		w.halt() // pages wait through restarts
		w.start()
		w.condition("a", api.CondReady)
		time.Sleep(time.Minute)
		b.Pages = []int{2, 1}
		w.net.Broadcast(b)
		if e := w.nth(api.EventBroadcast, 2); e.Text != b.Text || e.Detail != "alert of the highest level" {
			t.Errorf("got %+v", e)
		}
	})
}

// A modem that does no broadcasts says so once, and works.
func TestNoBroadcasts(t *testing.T) {
	inBroadcasts(t, "huawei", func(w *world) {
		m, err := w.client.Modem(context.Background(), "a")
		if err != nil || m.LastError == nil || m.LastError.Code != "broadcasts" || !m.CanSend {
			t.Errorf("got %+v, %v", m, err)
		}
		w.becomes(w.send(text("+4791000001", "still at work")), api.Delivered, time.Minute)
	})
}

// A sender gone wild fills neither the disk nor the log.
func TestBroadcastFlood(t *testing.T) {
	inBroadcasts(t, "generic", func(w *world) {
		for i := range 300 {
			w.net.Broadcast(emulator.Broadcast{Channel: 50, Serial: uint16(i) << 4, Text: fmt.Sprint("spam ", i)})
			time.Sleep(time.Second)
		}
		w.within(time.Minute, "what was heard is kept", func() bool { return len(w.events(api.EventBroadcast)) == broadcastsPerHour })
		m, err := w.client.Modem(context.Background(), "a")
		if err != nil || m.LastError == nil || m.LastError.Code != "broadcast-flood" {
			t.Errorf("got %+v, %v", m.LastError, err)
		}
	})
}

// What can't be read is let go.
func TestBroadcastThatCantBeRead(t *testing.T) {
	inBroadcasts(t, "generic", func(w *world) {
		if err := w.daemon.desks.inSession(context.Background(), "a", func(_ context.Context, s *session) error {
			return s.broadcast(hex.EncodeToString([]byte{1, 2, 3}))
		}); err != nil {
			t.Fatal(err)
		}
		if all := w.broadcasts(); len(all) != 0 {
			t.Errorf("got %+v", all)
		}
	})
}
