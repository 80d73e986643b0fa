package daemon

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"simpost/daemon/api"
	"simpost/modem"
	"simpost/modem/emulator"
)

// inConsole is a world whose console is on, with its first modem ready.
func inConsole(t *testing.T, body func(w *world)) {
	t.Helper()
	inWorld(t, emulator.NetworkConfig{}, twoModems(), func(w *world) {
		w.cfg.API.Console = true
		w.start()
		w.condition("a", api.CondReady)
		body(w)
	})
}

func TestConsole(t *testing.T) {
	inConsole(t, func(w *world) {
		got, err := w.client.AT(context.Background(), "a", "at+csq")
		if err != nil || got.Result != "OK" || len(got.Lines) != 1 || !strings.HasPrefix(got.Lines[0], "+CSQ: ") {
			t.Errorf("got %+v, %v", got, err)
		}
		got, err = w.client.AT(context.Background(), "a", "AT+NONSENSE")
		if err != nil || !strings.Contains(got.Result, "ERROR") || len(got.Lines) != 0 {
			t.Errorf("the modem's own refusal: %+v, %v", got, err)
		}
	})
}

// What a person types never reaches the modem where it could send or delete.
func TestConsoleRefuses(t *testing.T) {
	inConsole(t, func(w *world) {
		for _, c := range []string{"AT+CMGS=12", "AT+CMGD=1,4", `AT+CPIN="1234"`, "AT+CFUN=0", "AT+CSQ;+CMGD=1"} {
			_, err := w.client.AT(context.Background(), "a", c)
			if e := asAPIError(t, err); e.Code != api.CodeInvalid {
				t.Errorf("%q: %+v", c, e)
			}
		}
		for _, l := range w.modems["a"].Transcript() {
			if strings.Contains(l, "CMGD=1,4") || strings.Contains(l, "CPIN=") || strings.Contains(l, "CFUN=0") {
				t.Errorf("reached the modem: %s", l)
			}
		}
	})
}

// After a command that sets something the modem works as before: text mode would
// make it deaf and dumb to simpost.
func TestConsoleLeavesNothingBehind(t *testing.T) {
	inConsole(t, func(w *world) {
		if got, err := w.client.AT(context.Background(), "a", "AT+CMGF=1"); err != nil || got.Result != "OK" {
			t.Fatalf("%+v, %v", got, err)
		}
		w.condition("a", api.CondReady)
		w.becomes(w.send(text("+4790000002", "still here")), api.Delivered, 5*time.Minute)
		if _, err := w.client.AT(context.Background(), "b", "AT+CMGF=0"); err != nil {
			t.Errorf("the other modem: %v", err)
		}
	})
}

func TestConsoleIsOffByDefault(t *testing.T) {
	a := newTestAPI(t)
	r := a.ask("POST", "/v1/modems/office/at", `{"command":"AT+CSQ"}`)
	if p := r.problem(t); r.status != http.StatusForbidden || !strings.Contains(p.Hint, "console = true") {
		t.Errorf("%d %s", r.status, r.body)
	}
	if r := a.ask("POST", "/v1/modems/nothere/at", `{"command":"AT+CSQ"}`); r.status != http.StatusNotFound {
		t.Errorf("%d %s", r.status, r.body)
	}
}

// A modem that is not at work has nobody to ask, and says so at once.
func TestConsoleOfAModemThatIsGone(t *testing.T) {
	inConsole(t, func(w *world) {
		w.modems["a"].Unplug()
		w.saw("a", api.CondUnplugged)
		began := time.Now()
		_, err := w.client.AT(context.Background(), "a", "AT+CSQ")
		if e := asAPIError(t, err); e.Code != api.CodeNotReady || time.Since(began) != 0 {
			t.Errorf("after %s: %+v", time.Since(began), e)
		}
	})
}

// A modem in the middle of a long exchange keeps nobody: neither the first nor
// those behind it, and the queue has an end.
func TestConsoleOfABusyModem(t *testing.T) {
	inConsole(t, func(w *world) {
		stop := make(chan struct{})
		holds := make(chan struct{})
		errs := make(chan error, deskLimit+2)
		go func() {
			errs <- w.daemon.desks.request(context.Background(), "a", func(context.Context, *modem.Modem) error {
				close(holds)
				<-stop
				return nil
			})
		}()
		<-holds
		for range deskLimit {
			go func() { _, err := w.client.AT(context.Background(), "a", "AT"); errs <- err }()
		}
		began := time.Now()
		w.within(time.Minute, "the desk is full", func() bool {
			_, err := w.client.AT(context.Background(), "a", "AT")
			return strings.Contains(err.Error(), "wait for the modem")
		})
		for range deskLimit {
			if e := asAPIError(t, <-errs); e.Code != api.CodeUnavailable {
				t.Errorf("%+v", e)
			}
		}
		if d := time.Since(began); d > 2*consoleLimit {
			t.Errorf("waited %s", d)
		}
		close(stop)
		if err := <-errs; err != nil {
			t.Error(err)
		}
		if _, err := w.client.AT(context.Background(), "a", "AT"); err != nil {
			t.Errorf("when it is free again: %v", err)
		}
	})
}

// The arguments of a command may be secret: the log names the command only.
func TestConsoleIsAudited(t *testing.T) {
	a := newTestAPI(t, func(d *apiDeps) { d.Console, d.Desks = true, &desks{} })
	a.ask("POST", "/v1/modems/office/at", `{"command":"AT+COPS=1,2,\"24201\""}`)
	lines := strings.Split(a.log.String(), "\n")
	if !slices.ContainsFunc(lines, func(l string) bool { return strings.Contains(l, `command=AT+COPS`) && strings.Contains(l, "uid=1000") }) || strings.Contains(a.log.String(), "24201") {
		t.Errorf("logged %s", a.log)
	}
}
