package daemon

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"simpost/daemon/api"
	"simpost/modem/emulator"
)

// withCard is a world of one modem that is ready, with a phonebook on its card.
func withCard(t *testing.T, c emulator.Config, body func(w *world)) {
	t.Helper()
	c.Name, c.Number = "a", "+4790000001"
	c.Book = []emulator.Contact{{Number: "+4790000100", Name: "Front desk"}, {}, {Number: "110", Name: "Brann Ø"}}
	inWorld(t, emulator.NetworkConfig{}, []emulator.Config{c}, func(w *world) {
		w.start()
		w.condition("a", api.CondReady)
		body(w)
	})
}

func TestSIM(t *testing.T) {
	withCard(t, emulator.Config{}, func(w *world) {
		got, err := w.client.SIM(context.Background(), "a")
		if err != nil || got.State != "READY" || got.Number != "+4790000001" || got.SMSC != "+4790000000" || *got.PINTries != 3 || *got.PUKTries != 10 ||
			*got.PINAsked || got.Operator != "Emulated" || got.Choice != "automatic" || got.Network != "home" || got.ICCID == "" {
			t.Errorf("%+v, %v", got, err)
		}
		if want := []api.Memory{{Name: "SM", Used: 0, Total: 30}, {Name: "ME", Used: 0, Total: 100}, {Name: "SR", Used: 0, Total: 50}}; !reflect.DeepEqual(got.Memories, want) {
			t.Errorf("memories %+v", got.Memories)
		}
		book, err := w.client.Phonebook(context.Background(), "a")
		if want := []api.Contact{{Book: "SM", Index: 1, Name: "Front desk", Number: "+4790000100"}, {Book: "SM", Index: 3, Name: "Brann Ø", Number: "110"}}; err != nil || !reflect.DeepEqual(book.Contacts, want) {
			t.Errorf("%+v, %v", book, err)
		}
		w.becomes(w.send(text("+4790000002", "still here")), api.Delivered, 5*time.Minute)
	})
}

// A card without a service centre sends once it has one.
func TestSMSCIsWritten(t *testing.T) {
	inWorld(t, emulator.NetworkConfig{}, []emulator.Config{{Name: "a", SMSC: "none"}}, func(w *world) {
		w.start()
		w.condition("a", api.CondNoSMSC)
		if err := w.client.SetSMSC(context.Background(), "a", "+4790000000"); err != nil {
			t.Fatal(err)
		}
		w.condition("a", api.CondReady)
		w.becomes(w.send(text("+4790000002", "hello")), api.Delivered, 5*time.Minute)
	})
}

// What the configuration sets, the next start would set again.
func TestWhatIsConfiguredIsNotSet(t *testing.T) {
	inWorld(t, emulator.NetworkConfig{}, []emulator.Config{{Name: "a"}}, func(w *world) {
		w.cfg.Modems[0].SMSC, w.cfg.Modems[0].Operator = "+4790000000", "auto"
		w.start()
		w.condition("a", api.CondReady)
		err := w.client.SetSMSC(context.Background(), "a", "+4790000009")
		if e := asAPIError(t, err); e.Code != api.CodeConflict {
			t.Errorf("%+v", e)
		}
		err = w.client.SetOperator(context.Background(), "a", "24201")
		if e := asAPIError(t, err); e.Code != api.CodeConflict {
			t.Errorf("%+v", e)
		}
	})
}

func TestOperators(t *testing.T) {
	withCard(t, emulator.Config{Latency: time.Second}, func(w *world) {
		list, err := w.client.Operators(context.Background(), "a")
		if want := []api.Operator{{Code: "24201", Name: "Emulated", State: "current", Access: "lte"},
			{Code: "24299", Name: "Stranger (Emulated)", State: "forbidden", Access: "umts"}}; err != nil || !reflect.DeepEqual(list, want) {
			t.Errorf("%+v, %v", list, err)
		}
		err = w.client.SetOperator(context.Background(), "a", "24299")
		if e := asAPIError(t, err); e.Code != api.CodeUnavailable || !strings.Contains(e.Message, "chooses again") {
			t.Errorf("%+v", e)
		}
		w.condition("a", api.CondReady)
		if err := w.client.SetOperator(context.Background(), "a", "24201"); err != nil {
			t.Error(err)
		}
		if m, err := w.client.Modem(context.Background(), "a"); err != nil || m.OperatorChoice != "manual" || !m.CanSend {
			t.Errorf("%+v, %v", m, err)
		}
	})
}

// A look around that takes minutes: the client is told so in time, joins it, and one look is all the modem makes. Who
// comes after it was done has a new one.
func TestSlowLook(t *testing.T) {
	withCard(t, emulator.Config{}, func(w *world) {
		looks := func() int {
			n := 0
			for _, l := range w.modems["a"].Transcript() {
				if l == "> AT+COPS=?" {
					n++
				}
			}
			return n
		}
		if err := w.modems["a"].Fault("life.slow-look", emulator.FaultConfig{}); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		if first := w.looks(); first.State != api.SlowWorking || time.Since(began) > slowWait+time.Second {
			t.Errorf("%+v after %v", first, time.Since(began))
		}
		list, err := w.client.Operators(context.Background(), "a")
		if took := time.Since(began); err != nil || len(list) != 2 || took < 2*time.Minute || looks() != 1 {
			t.Errorf("%+v, %v after %v, %d looks", list, err, took, looks())
		}
		if _, err := w.client.Operators(context.Background(), "a"); err != nil || looks() != 2 {
			t.Errorf("%v, %d looks", err, looks())
		}
	})
}

// looks asks once, as a client that does not wait.
func (w *world) looks() api.Operators {
	w.t.Helper()
	c := http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return w.pipe.dial(ctx) }}}
	defer c.CloseIdleConnections()
	r, err := c.Post("http://localhost/v1/modems/a/operators", "application/json", nil)
	if err != nil {
		w.t.Fatal(err)
	}
	defer r.Body.Close()
	var out api.Operators
	if err := json.NewDecoder(r.Body).Decode(&out); err != nil {
		w.t.Fatal(err)
	}
	return out
}

// The modem goes away in the middle of it.
func TestSlowLookOfAModemThatLeaves(t *testing.T) {
	withCard(t, emulator.Config{}, func(w *world) {
		if err := w.modems["a"].Fault("life.slow-look", emulator.FaultConfig{}); err != nil {
			t.Fatal(err)
		}
		done := make(chan error, 1)
		go func() {
			_, err := w.client.Operators(context.Background(), "a")
			done <- err
		}()
		time.Sleep(time.Minute)
		synctest.Wait()
		w.modems["a"].Unplug()
		if e := asAPIError(t, <-done); e.Code != api.CodeNotReady && e.Code != api.CodeUnavailable {
			t.Errorf("%+v", e)
		}
	})
}

// A message waits at the border, with the reason, and leaves at home.
func TestHomeOnly(t *testing.T) {
	inWorld(t, emulator.NetworkConfig{}, []emulator.Config{{Name: "a"}}, func(w *world) {
		w.cfg.Modems[0].HomeOnly = true
		w.modems["a"].SetRegistration(5)
		w.start()
		w.condition("a", api.CondHomeOnly)
		id := w.send(text("+4790000002", "from abroad"))
		time.Sleep(time.Hour)
		m := w.get(id)
		if m.State != api.Queued || w.net.Count() != 0 || m.Reason == nil || !strings.Contains(m.Reason.Message, "abroad") {
			t.Errorf("%+v, %d out", m, w.net.Count())
		}
		w.modems["a"].SetRegistration(1)
		w.becomes(id, api.Delivered, 5*time.Minute)
	})
}

func TestSIMTakesItsRoles(t *testing.T) {
	a := newTestAPI(t)
	a.who = peer{UID: 2000, GID: testUID, Known: true} // everything but admin
	for _, c := range []struct {
		method, path, body string
		status             int
	}{
		{"GET", "/v1/modems/office/sim", "", http.StatusServiceUnavailable},
		{"GET", "/v1/modems/nothere/sim", "", http.StatusNotFound},
		{"GET", "/v1/modems/office/phonebook", "", http.StatusServiceUnavailable},
		{"PUT", "/v1/modems/office/smsc", `{"smsc":"+47"}`, http.StatusForbidden},
		{"POST", "/v1/modems/office/operators", "", http.StatusForbidden},
		{"PUT", "/v1/modems/office/operator", `{"operator":"auto"}`, http.StatusForbidden},
	} {
		if r := a.ask(c.method, c.path, c.body); r.status != c.status {
			t.Errorf("%s %s: %d %s", c.method, c.path, r.status, r.body)
		}
	}
	a = newTestAPI(t)
	a.who = peer{UID: 0, Known: true}
	for path, body := range map[string]string{"smsc": `{"smsc":"+47\";"}`, "operator": `{"operator":"Emulated"}`} {
		if r := a.ask("PUT", "/v1/modems/office/"+path, body); r.status != http.StatusUnprocessableEntity && r.status != http.StatusBadRequest {
			t.Errorf("%s: %d %s", path, r.status, r.body)
		}
	}
}
