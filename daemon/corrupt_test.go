package daemon

import (
	"bytes"
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"simpost/daemon/api"
	"simpost/modem/emulator"
)

// filePage is the page size of the database.
const filePage = 1024

// ruin overwrites the page of the database that holds mark, or without one all but
// the file's header. It returns the sound file. The daemon must have ended.
func (w *world) ruin(mark []byte) (sound []byte) {
	w.t.Helper()
	sound, err := os.ReadFile(w.cfg.Database)
	if err != nil {
		w.t.Fatal(err)
	}
	file, at, end := slices.Clone(sound), 100, len(sound)
	if mark != nil {
		if at = bytes.LastIndex(file, mark); at < 0 {
			w.t.Fatal("the mark is not in the file")
		}
		at -= at % filePage
		end = at + filePage
	}
	for i := range file[at:end] {
		file[at+i] = 0xa5
	}
	w.write(file)
	return sound
}

func (w *world) write(file []byte) {
	w.t.Helper()
	if err := os.WriteFile(w.cfg.Database, file, 0o600); err != nil {
		w.t.Fatal(err)
	}
}

// isRuined checks all that a daemon with a damaged file promises.
func (w *world) isRuined(phone *emulator.Phone) {
	w.t.Helper()
	w.condition("a", api.CondCorrupt)
	sent, asked := len(w.net.Record()), w.asked()
	phone.Send("+4790000001", "while it is damaged")
	for range 3 {
		_, _, err := w.client.Send(context.Background(), text("+4791000001", "hello"), "")
		var e *api.Error
		if !errors.As(err, &e) || e.Code != api.CodeDatabaseCorrupt || !strings.Contains(e.Hint, "docs/restoring.md") {
			w.t.Errorf("a message to a damaged database: %v", err)
		}
		time.Sleep(6 * time.Hour)
	}
	st, err := w.client.Status(context.Background())
	if err != nil || st.Ready || st.Condition == nil || st.Condition.Code != string(api.CodeDatabaseCorrupt) || !strings.Contains(st.Condition.Message, "docs/restoring.md") {
		w.t.Errorf("status: %+v, %v", st.Condition, err)
	}
	if n := len(w.net.Record()); n != sent {
		w.t.Errorf("%d parts were sent", n-sent)
	}
	if now := w.asked(); len(now) != len(asked) {
		w.t.Errorf("the modem was not left alone: %v", now[len(asked):])
	}
	select {
	case err := <-w.done:
		w.t.Fatalf("the daemon ended: %v", err)
	default:
	}
	if !w.daemon.Alive() {
		w.t.Error("the watchdog would end it")
	}
}

// asked is every line that modem a was given.
func (w *world) asked() []string {
	return slices.DeleteFunc(slices.Clone(w.modems["a"].Transcript()), func(l string) bool { return !strings.HasPrefix(l, ">") })
}

// A page that turns out to be damaged in the middle of the work ends the work, and
// not the daemon; with a sound file everything goes on.
func TestDamagedPageInNormalWork(t *testing.T) {
	inWorld(t, emulator.NetworkConfig{}, []emulator.Config{{Name: "a", Number: "+4790000001"}}, func(w *world) {
		phone := w.net.NewPhone(emulator.PhoneConfig{})
		w.start()
		w.condition("a", api.CondReady)
		later := time.Now().Add(72 * time.Hour)
		req := api.SendRequest{To: api.Recipients{phone.Number()}, Data: []byte("on the page that is damaged")}
		req.NotBefore = &later
		id := w.send(req)
		for range 20 { // so that the page is full
			w.becomes(w.send(text(phone.Number(), "hello")), api.Delivered, time.Minute)
		}
		w.halt()
		sound := w.ruin(req.Data)
		w.start()
		w.condition("a", api.CondReady)
		w.becomes(w.send(text(phone.Number(), "before anybody has seen it")), api.Delivered, time.Minute)
		if _, err := w.client.Get(context.Background(), id); !hasCode(err, api.CodeDatabaseCorrupt) {
			t.Errorf("reading the damaged page: %v", err)
		}
		w.isRuined(phone)
		w.halt()
		w.cfg.Database += ".restored" // the old file stays open until the process ends
		w.write(sound)
		w.start()
		w.condition("a", api.CondReady)
		w.within(time.Minute, "what came meanwhile is kept", func() bool { return len(w.inbox()) == 1 })
		w.becomes(id, api.Delivered, 73*time.Hour)
	})
}

// The check after the start finds it before anything else does.
func TestDamagedPageIsLookedFor(t *testing.T) {
	inWorld(t, emulator.NetworkConfig{}, []emulator.Config{{Name: "a", Number: "+4790000001"}}, func(w *world) {
		phone := w.net.NewPhone(emulator.PhoneConfig{})
		w.start()
		w.becomes(w.send(text(phone.Number(), "on the page that is damaged")), api.Delivered, time.Minute)
		w.halt()
		w.ruin([]byte("on the page that is damaged"))
		w.start()
		w.isRuined(phone)
	})
}

// A daemon that finds the file damaged when it starts stays too.
func TestStartWithADamagedFile(t *testing.T) {
	inWorld(t, emulator.NetworkConfig{}, []emulator.Config{{Name: "a", Number: "+4790000001"}}, func(w *world) {
		phone := w.net.NewPhone(emulator.PhoneConfig{})
		w.start()
		w.becomes(w.send(text(phone.Number(), "hello")), api.Delivered, time.Minute)
		w.halt()
		sound := w.ruin(nil)
		half := slices.Clone(sound[:len(sound)/2])
		for _, file := range [][]byte{nil, half} {
			if file != nil {
				w.write(file)
			}
			w.start()
			w.isRuined(phone)
			w.halt()
		}
	})
}

// A part whose octets have changed on the disk is never sent, and says why; the
// others are.
func TestDamagedPartIsNotSent(t *testing.T) {
	inWorld(t, emulator.NetworkConfig{}, []emulator.Config{{Name: "a", Number: "+4790000001"}}, func(w *world) {
		phone := w.net.NewPhone(emulator.PhoneConfig{})
		w.modems["a"].Unplug()
		w.start()
		req := api.SendRequest{To: api.Recipients{phone.Number()}, Data: []byte("octets that change on the disk")}
		id := w.send(req)
		fine := w.send(text(phone.Number(), "these do not"))
		w.halt()
		file, err := os.ReadFile(w.cfg.Database)
		if err != nil {
			t.Fatal(err)
		}
		for at := 0; ; at += len(req.Data) { // in the message and in its part
			next := bytes.Index(file[at:], req.Data)
			if next < 0 {
				break
			}
			at += next
			file[at] ^= 4
		}
		w.write(file)
		w.modems["a"].Plug()
		w.start()
		m := w.becomes(id, api.Failed, time.Minute)
		if m.Error == nil || m.Error.Code != api.FlagDamaged || !slices.Contains(m.Flags, api.FlagDamaged) || len(m.Attempts) != 0 {
			t.Errorf("it failed as %+v, flags %v, attempts %v", m.Error, m.Flags, m.Attempts)
		}
		w.becomes(fine, api.Delivered, time.Minute)
		if n := len(w.net.Record()); n != 1 {
			t.Errorf("%d parts were sent, want 1", n)
		}
		st, err := w.client.Status(context.Background())
		if err != nil || !st.Ready || st.Condition == nil || st.Condition.Code != api.FlagDamaged {
			t.Errorf("status: ready %v, %+v, %v", st.Ready, st.Condition, err)
		}
		events, err := w.daemon.store.Events(0, 1000)
		if err != nil {
			t.Fatal(err)
		}
		told := slices.DeleteFunc(events, func(e api.Event) bool { return e.Type != api.EventDamaged })
		if len(told) != 1 || told[0].Message != id {
			t.Errorf("events: %+v", told)
		}
	})
}
