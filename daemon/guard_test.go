package daemon

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"simpost/configs"
	"simpost/daemon/api"
	"simpost/modem/emulator"
)

// guarded is the guard's part of the default configuration.
func guarded(change ...func(*configs.Guard)) configs.Guard {
	g := configs.Default().Guard
	for _, c := range change {
		c(&g)
	}
	return g
}

// norwegian is the API with a guard that knows one Norwegian SIM.
func norwegian(t *testing.T, change ...func(*configs.Guard)) *testAPI {
	t.Helper()
	g := newGuard(guarded(change...))
	g.seen("office", "242010000000001")
	return newTestAPI(t, func(d *apiDeps) { d.Guard = g })
}

// Every number that is refused is named, with the good ones nothing happens, and
// the hint is the configuration's line.
func TestGuardNamesEveryNumber(t *testing.T) {
	a := norwegian(t)
	r := a.ask("POST", "/v1/messages", `{"to":["+4790000001","+46700000001","1890","banana","+881612345678"],"text":"hei"}`)
	p := r.problem(t)
	var got []string
	for _, e := range p.Errors {
		got = append(got, e.Field+" "+string(e.Code))
	}
	want := []string{"to[1] guard-country", "to[2] guard-short-code", "to[3] bad-number", "to[4] guard-premium"}
	if r.status != http.StatusUnprocessableEntity || p.Code != api.CodeGuardCountry || !slices.Equal(got, want) {
		t.Errorf("%d %s: %q, want %q", r.status, p.Code, got, want)
	}
	for _, line := range []string{`countries = ["+46"]`, `allow = ["1890", "+881612345678"]`, "[guard]"} {
		if !strings.Contains(p.Hint, line) {
			t.Errorf("the hint lacks %s: %s", line, p.Hint)
		}
	}
	if page, err := a.client.List(t.Context(), api.ListQuery{}); err != nil || len(page.Messages) != 0 {
		t.Errorf("%d messages were kept: %v", len(page.Messages), err)
	}
	if p := a.ask("POST", "/v1/messages", `{"to":"1890","text":"hei"}`).problem(t); len(p.Errors) != 1 || p.Errors[0].Field != "to" {
		t.Errorf("a single number is named %+v", p.Errors)
	}
}

// The line of a hint, once it is in the configuration, lets the message through.
func TestGuardLifted(t *testing.T) {
	a := norwegian(t, func(g *configs.Guard) {
		g.Countries, g.Allow = []string{"+46"}, []string{"1890", "+881612345678"}
	})
	r := a.ask("POST", "/v1/messages", `{"to":["+4790000001","+46700000001","1890","+881612345678"],"text":"hei"}`)
	if r.status != http.StatusAccepted {
		t.Errorf("%d %s", r.status, r.body)
	}
	off := norwegian(t, func(g *configs.Guard) { g.Off, g.PartsPerDay = true, 1 })
	for range 30 {
		if r := off.ask("POST", "/v1/messages", `{"to":["+46700000001","1890","+881612345678"],"text":"hei"}`); r.status != http.StatusAccepted {
			t.Fatalf("off: %d %s", r.status, r.body)
		}
	}
}

func TestGuardRates(t *testing.T) {
	a := norwegian(t, func(g *configs.Guard) { g.PartsPerDay = 30 })
	ask := func(to, key string) (reply, problem) {
		t.Helper()
		r := a.ask("POST", "/v1/messages", `{"to":`+to+`,"text":"hei"}`, "Idempotency-Key: "+key)
		if r.status == http.StatusAccepted {
			return r, problem{}
		}
		return r, r.problem(t)
	}
	for i := range 20 {
		if r, _ := ask(`"+4790000001"`, fmt.Sprint(i)); r.status != http.StatusAccepted {
			t.Fatalf("part %d: %d %s", i+1, r.status, r.body)
		}
	}
	r, p := ask(`["+4790000002","+4790000001"]`, "list")
	if r.status != http.StatusTooManyRequests || p.Code != api.CodeGuardRecipientHour || len(p.Errors) != 1 || p.Errors[0].Field != "to[1]" ||
		!strings.Contains(p.Hint, "parts_per_recipient_hour = 40") {
		t.Errorf("%d %s", r.status, r.body)
	}
	if r, p := ask(`"+4790000001"`, "one"); r.status != http.StatusTooManyRequests || p.Errors[0].Field != "to" || !strings.HasPrefix(p.Detail, "to: ") {
		t.Errorf("%d %s", r.status, r.body)
	}
	if r, _ := ask(`"+4790000001"`, "7"); r.status != http.StatusAccepted || r.header.Get("Idempotency-Replayed") != "true" {
		t.Errorf("a replay over the limit: %d %s", r.status, r.body)
	}
	if r, _ := ask(`["+4790000002","+4790000003","+4790000004","+4790000005"]`, "four"); r.status != http.StatusAccepted {
		t.Errorf("%d %s", r.status, r.body)
	}
	if !strings.Contains(a.log.String(), "parts_per_day=30") {
		t.Errorf("no alarm in the log at 24 of 30:\n%s", a.log)
	}
	r, p = ask(`["+4790000002","+4790000003","+4790000004","+4790000005","+4790000006","+4790000007","+4790000008"]`, "seven")
	if r.status != http.StatusTooManyRequests || p.Code != api.CodeGuardDay || !strings.Contains(p.Hint, "parts_per_day = 60") {
		t.Errorf("%d %s", r.status, r.body)
	}
	if r, p := ask(`"+4790000009"`, "last"); r.status != http.StatusAccepted {
		t.Errorf("%d %s %+v", r.status, r.body, p)
	}
	st, err := a.client.Status(t.Context())
	if err != nil || st.Guard.PartsToday != 25 || st.Guard.PartsPerDay != 30 || st.Guard.Off || !slices.Equal(st.Guard.Home, []string{"+47"}) ||
		st.Guard.DayEnds == nil || st.Guard.Warning != nil {
		t.Errorf("status: %+v, %v", st.Guard, err)
	}
	if strings.Contains(a.log.String(), "9000000") {
		t.Errorf("a number is in the log:\n%s", a.log)
	}
}

// What is asked for may be more than double the limit: the line of the hint is
// enough for it, with what was spent before.
func TestGuardHintIsEnough(t *testing.T) {
	raise := func(p problem, g *configs.Guard) {
		_, line, _ := strings.Cut(p.Hint, "restart simpost: ")
		if _, err := fmt.Sscanf(line, "parts_per_recipient_hour = %d", &g.PartsPerRecipientHour); err == nil {
			return
		}
		if _, err := fmt.Sscanf(line, "parts_per_day = %d", &g.PartsPerDay); err != nil {
			t.Fatalf("%s: %v", p.Hint, err)
		}
	}
	sixty := `{"to":"+4790000001","text":"` + strings.Repeat("x", 60*153) + `"}`
	for _, body := range []string{sixty, `{"to":["+4790000001","+4790000002"],"text":"` + strings.Repeat("x", 20*153) + `"}`} {
		limits := guarded(func(g *configs.Guard) { g.PartsPerDay = 15 })
		for try := 0; ; try++ {
			a := norwegian(t, func(g *configs.Guard) { *g = limits })
			a.ask("POST", "/v1/messages", `{"to":"+4790000001","text":"hei"}`)
			r := a.ask("POST", "/v1/messages", body)
			if r.status == http.StatusAccepted {
				break
			}
			if try == 2 {
				t.Fatalf("refused a third time, with %+v: %s", limits, r.body)
			}
			raise(r.problem(t), &limits)
		}
	}
}

// A message that asks for a modem is judged by that modem's SIM, any other by
// all of them.
func TestGuardHomes(t *testing.T) {
	g := newGuard(guarded())
	if got := g.homes(""); got != nil {
		t.Errorf("before any SIM: %v", got)
	}
	g.seen("office", "242010000000001")
	g.seen("spare", "240010000000001")
	for modem, want := range map[string]string{"office": "47", "spare": "46", "": "46 47", "unseen": "46 47"} {
		if got := strings.Join(g.homes(modem), " "); got != want {
			t.Errorf("%q: %s, want %s", modem, got, want)
		}
	}
	g.seen("ship", "901180000000001")
	if got := g.homes(""); got != nil {
		t.Errorf("with a SIM of no country: %v", got)
	}
	if got := g.homes("office"); len(got) != 1 {
		t.Errorf("office is at home in %v", got)
	}
}

func guardWorld(t *testing.T, nc emulator.NetworkConfig, modems []emulator.Config, body func(w *world)) {
	t.Helper()
	inWorld(t, nc, modems, func(w *world) {
		w.cfg.Guard = guarded()
		body(w)
	})
}

// left is when the network took each part of a modem.
func (w *world) left(modem string) []time.Time {
	var at []time.Time
	for _, s := range w.net.Record() {
		if s.Modem == modem {
			at = append(at, s.At)
		}
	}
	return at
}

// checkPace fails if more than limit parts left within a minute.
func checkPace(t *testing.T, at []time.Time, limit int) {
	t.Helper()
	for i := limit; i < len(at); i++ {
		if d := at[i].Sub(at[i-limit]); d < time.Minute {
			t.Errorf("parts %d to %d left within %v", i-limit+1, i+1, d)
		}
	}
}

// A SIM that has sent its share of a minute waits; its messages say why, none is
// refused, and their order stays.
func TestPaceDelays(t *testing.T) {
	guardWorld(t, emulator.NetworkConfig{}, one(), func(w *world) {
		w.start()
		w.condition("a", api.CondReady)
		var ids []string
		for i := range 25 {
			ids = append(ids, w.send(text(fmt.Sprintf("+47910000%02d", i), "hello")))
		}
		w.within(2*time.Minute, "ten are sent and the next says why it waits", func() bool {
			m := w.get(ids[10])
			return len(w.left("a")) == 10 && m.Reason != nil && m.Reason.Code == string(api.CodeGuardPace)
		})
		if m := w.get(ids[24]); m.State != api.Queued || m.Reason == nil {
			t.Errorf("the last one is %s because of %v", m.State, m.Reason)
		}
		alert := text("+4791000099", "fire")
		alert.Priority = api.Alert
		w.send(alert)
		w.within(10*time.Minute, "all are sent", func() bool { return len(w.left("a")) == 26 })
		checkPace(t, w.left("a"), 10)
		order := w.order()
		if order[10] != "+4791000099" || !slices.IsSorted(order[11:]) {
			t.Errorf("sent in the order %v", order)
		}
		m := w.becomes(ids[24], api.Delivered, time.Minute)
		if m.Reason != nil {
			t.Errorf("a sent message still waits: %v", m.Reason)
		}
	})
}

// While one SIM waits, the other one sends what any may, and of that nothing is
// said to wait for the first.
func TestPaceIsOfOneSIM(t *testing.T) {
	modems := twoModems()
	modems[1].Latency = 2 * time.Second
	guardWorld(t, emulator.NetworkConfig{}, modems, func(w *world) {
		w.start()
		w.condition("a", api.CondReady)
		w.condition("b", api.CondReady)
		for i := range 12 {
			req := text(fmt.Sprintf("+47910000%02d", i), "hello")
			req.Modem = "a"
			w.send(req)
		}
		w.within(time.Minute, "a waits", func() bool { return len(w.left("a")) == 10 })
		var ids []string
		for i := range 8 {
			ids = append(ids, w.send(text(fmt.Sprintf("+47920000%02d", i), "hello")))
		}
		w.within(20*time.Second, "b sends", func() bool { return len(w.left("b")) == 8 })
		events, err := w.daemon.store.Events(0, 1000)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range events {
			if slices.Contains(ids, e.Message) && strings.Contains(e.Detail, "parts_per_minute") {
				t.Errorf("%s of message %s: %s", e.Type, e.Message, e.Detail)
			}
		}
		w.within(3*time.Minute, "a goes on", func() bool { return len(w.left("a")) == 12 })
		checkPace(t, w.left("a"), 10)
	})
}

// A daemon that is restarted again and again sends no faster.
func TestPaceOutlivesTheDaemon(t *testing.T) {
	guardWorld(t, emulator.NetworkConfig{}, one(), func(w *world) {
		w.start()
		w.condition("a", api.CondReady)
		for i := range 40 {
			w.send(text(fmt.Sprintf("+47910000%02d", i), "hello"))
		}
		for range 5 {
			time.Sleep(12 * time.Second)
			w.halt()
			w.start()
			w.condition("a", api.CondReady)
		}
		w.within(10*time.Minute, "all are sent", func() bool { return len(w.left("a")) == 40 })
		checkPace(t, w.left("a"), 10)
	})
}

// The SIM's country is known before its modem is, once it was there.
func TestGuardRemembersTheSIM(t *testing.T) {
	guardWorld(t, emulator.NetworkConfig{}, one(), func(w *world) {
		abroad := text("+46700000001", "hello")
		w.modems["a"].Unplug()
		w.start()
		w.condition("a", api.CondNoDevice)
		if st, err := w.client.Status(context.Background()); err != nil || st.Guard.Warning == nil || len(st.Guard.Home) != 0 {
			t.Errorf("no SIM was seen yet: %+v, %v", st.Guard, err)
		}
		w.send(abroad)
		w.modems["a"].Plug()
		w.condition("a", api.CondReady)
		w.refused(abroad, api.CodeGuardCountry)
		if m, err := w.client.Modem(context.Background(), "a"); err != nil || !slices.Equal(m.Home, []string{"+47"}) || m.Warning != nil {
			t.Errorf("the modem is at home in %v, %v", m.Home, m.Warning)
		}
		w.modems["a"].Unplug()
		w.halt()
		w.start()
		w.condition("a", api.CondNoDevice)
		w.refused(abroad, api.CodeGuardCountry)
	})
}

// A SIM of no country lifts the rule on countries, and says so.
func TestGuardWithoutACountry(t *testing.T) {
	modems := []emulator.Config{{Name: "a", Number: "+4790000001", IMSI: "901180000000001"}}
	guardWorld(t, emulator.NetworkConfig{}, modems, func(w *world) {
		w.start()
		w.condition("a", api.CondReady)
		m, err := w.client.Modem(context.Background(), "a")
		if err != nil || m.Warning == nil || m.Warning.Code != "home-unknown" || len(m.Home) != 0 {
			t.Errorf("the modem is at home in %v, warning %v, %v", m.Home, m.Warning, err)
		}
		w.becomes(w.send(text("+46700000001", "hello")), api.Delivered, time.Minute)
		w.refused(text("+881612345678", "hello"), api.CodeGuardPremium)
		w.refused(text("1890", "hello"), api.CodeGuardShortCode)
	})
}

// What a day has used up is known after a restart, and given back at midnight.
func TestGuardDayOutlivesTheDaemon(t *testing.T) {
	guardWorld(t, emulator.NetworkConfig{}, one(), func(w *world) {
		w.cfg.Guard.PartsPerDay = 10
		w.start()
		w.condition("a", api.CondReady)
		for i := range 10 {
			w.send(text(fmt.Sprintf("+479100000%d", i), "hello"))
		}
		w.halt()
		w.start()
		w.condition("a", api.CondReady)
		w.refused(text("+4791000001", "hello"), api.CodeGuardDay)
		st, err := w.client.Status(context.Background())
		if err != nil || st.Guard.PartsToday != 10 {
			t.Fatalf("status: %+v, %v", st.Guard, err)
		}
		time.Sleep(time.Until(*st.Guard.DayEnds) + time.Second)
		synctest.Wait()
		w.send(text("+4791000001", "hello"))
		events, err := w.daemon.store.Events(0, 1000)
		if err != nil {
			t.Fatal(err)
		}
		alarms := slices.DeleteFunc(events, func(e api.Event) bool { return e.Type != api.EventGuardAlarm })
		if len(alarms) != 1 || !strings.Contains(alarms[0].Detail, "8 of the 10") {
			t.Errorf("alarms: %+v", alarms)
		}
	})
}

// refused hands in a message that the guard must not take.
func (w *world) refused(req api.SendRequest, code api.Code) {
	w.t.Helper()
	_, _, err := w.client.Send(context.Background(), req, "")
	var e *api.Error
	if !errors.As(err, &e) || e.Code != code || !strings.Contains(e.Hint, "[guard]") {
		w.t.Errorf("got %v, want %s with a hint", err, code)
	}
}
