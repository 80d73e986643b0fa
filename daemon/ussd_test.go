package daemon

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"simpost/configs"
	"simpost/daemon/api"
	"simpost/modem/emulator"
)

func (w *world) ussd(r api.USSDRequest) (api.USSDAnswer, error) {
	return w.client.USSD(context.Background(), "a", r)
}

// inUSSD is a world with a modem that is ready, whose way of writing USSD is the profile's.
func inUSSD(t *testing.T, profile string, body func(w *world)) {
	t.Helper()
	inWorld(t, emulator.NetworkConfig{}, []emulator.Config{{Name: "a", Number: "+4790000001", Profile: profile}}, func(w *world) {
		w.start()
		w.condition("a", api.CondReady)
		body(w)
	})
}

// A menu, its reply and its end, on modems that write USSD in each of the ways.
func TestUSSDMenu(t *testing.T) {
	for _, profile := range []string{"generic", "huawei", "quectel-ec25"} {
		t.Run(profile, func(t *testing.T) {
			inUSSD(t, profile, func(w *world) {
				got, err := w.ussd(api.USSDRequest{Code: "*100#"})
				if err != nil || got.State != api.USSDReply || got.Text != "1. Balance\n2. Your number" || got.Until == nil || time.Until(*got.Until) != ussdIdle {
					t.Fatalf("got %+v, %v", got, err)
				}
				got, err = w.ussd(api.USSDRequest{Reply: "1"})
				if err != nil || got.State != api.USSDDone || got.Text != "Your balance is 42.00" || got.Until != nil {
					t.Fatalf("got %+v, %v", got, err)
				}
				_, err = w.ussd(api.USSDRequest{Reply: "1"})
				if e := asAPIError(t, err); e.Code != api.CodeConflict {
					t.Errorf("a reply to nothing: %+v", e)
				}
			})
		})
	}
}

// A menu that nobody answers is closed, by a person or by time.
func TestUSSDMenuIsClosed(t *testing.T) {
	inUSSD(t, "", func(w *world) {
		m := w.modems["a"]
		for _, end := range []func(){
			func() { time.Sleep(ussdIdle + time.Second) },
			func() {
				if got, err := w.ussd(api.USSDRequest{Cancel: true}); err != nil || got.State != api.USSDDone {
					t.Errorf("got %+v, %v", got, err)
				}
			},
		} {
			if got, err := w.ussd(api.USSDRequest{Code: "*100#"}); err != nil || got.State != api.USSDReply || !m.USSDOpen() {
				t.Fatalf("got %+v, %v, open %v", got, err, m.USSDOpen())
			}
			end()
			w.within(time.Minute, "the session is closed", func() bool { return !m.USSDOpen() })
			_, err := w.ussd(api.USSDRequest{Reply: "1"})
			if e := asAPIError(t, err); e.Code != api.CodeConflict {
				t.Errorf("a reply after the end: %+v", e)
			}
		}
	})
}

// Each ending of TS 27.007 has its word, and a network that says nothing holds a
// person up for a bounded time and the modem no longer than that.
func TestUSSDEndings(t *testing.T) {
	inUSSD(t, "", func(w *world) {
		m := w.modems["a"]
		for line, want := range map[string]api.USSDState{"+CUSD: 4": api.USSDUnsupported, "+CUSD: 5": api.USSDTimeout, "+CUSD: 2": api.USSDEnded, "+CUSD: 3": api.USSDElsewhere} {
			m.ScriptUSSD("*1#", line)
			if got, err := w.ussd(api.USSDRequest{Code: "*1#"}); err != nil || got.State != want || got.Text != "" || got.Sentence != ussdSentences[want] {
				t.Errorf("%s: %+v, %v", line, got, err)
			}
		}
		m.ScriptUSSD("*2#")
		before := time.Now()
		_, err := w.ussd(api.USSDRequest{Code: "*2#"})
		if e := asAPIError(t, err); e.Code != api.CodeUnavailable || e.Hint == "" || time.Since(before) > consoleLimit || !strings.Contains(e.Message, "did not answer within") {
			t.Errorf("after %v: %+v", time.Since(before), e)
		}
		w.becomes(w.send(text("+4791000000", "still at work")), api.Delivered, time.Minute)
	})
}

// What the network says by itself is an event with its text, and a question that
// it asks can be answered.
func TestUSSDOfTheNetwork(t *testing.T) {
	inUSSD(t, "huawei", func(w *world) {
		m := w.modems["a"]
		m.PushUSSD("Your card ends in 5 days", false)
		m.PushUSSD("Renew? 1 yes", true)
		var said []string
		w.within(time.Minute, "both are events", func() bool {
			said = nil
			for _, e := range w.events(api.EventUSSD) {
				said = append(said, e.Text)
			}
			return len(said) == 2
		})
		if !slices.Equal(said, []string{"Your card ends in 5 days", "Renew? 1 yes"}) {
			t.Errorf("said %q", said)
		}
		m.SetUSSD("1", "Done", false)
		if got, err := w.ussd(api.USSDRequest{Reply: "1"}); err != nil || got.Text != "Done" {
			t.Errorf("got %+v, %v", got, err)
		}
		m.PushUSSD("Anyone?", true)
		w.within(10*time.Minute, "a question that nobody answers is closed", func() bool { return !m.USSDOpen() })
	})
}

// events are all of a type.
func (w *world) events(kind api.EventType) []api.Event {
	w.t.Helper()
	all, err := w.daemon.store.Events(0, 10_000)
	if err != nil {
		w.t.Fatal(err)
	}
	return slices.DeleteFunc(all, func(e api.Event) bool { return e.Type != kind })
}

// A text that comes when nobody waits any more is not lost either.
func TestUSSDTooLate(t *testing.T) {
	inUSSD(t, "", func(w *world) {
		m := w.modems["a"]
		m.ScriptUSSD("*2#")
		if _, err := w.ussd(api.USSDRequest{Code: "*2#"}); err == nil {
			t.Fatal("an answer out of nothing")
		}
		m.PushUSSD("Balance 3.50", false)
		w.within(time.Minute, "the late answer is an event", func() bool { return len(w.events(api.EventUSSD)) == 1 })
	})
}

// Who may dial what. The PIN's own codes are nobody's.
func TestWhatMayBeDialled(t *testing.T) {
	listed := []string{"*100#"}
	for _, c := range []struct {
		code           string
		service, admin bool
		want           api.Code
	}{
		{"*100#", false, false, ""},
		{"*101#", false, false, api.CodeForbidden},
		{"*101#", false, true, ""},
		{"*150*4790000001*500#", false, false, api.CodeForbidden}, // perhaps credit for somebody else
		{"*150*4790000001*500#", false, true, ""},
		{"*#21#", false, true, ""}, // asks and changes nothing
		{"**21*4790000001#", false, true, api.CodeForbidden},
		{"**21*4790000001#", true, false, api.CodeForbidden},
		{"**21*4790000001#", true, true, ""},
		{"*21*4790000001#", false, true, api.CodeForbidden},
		{"*21#", false, true, api.CodeForbidden},
		{"##002#", false, true, api.CodeForbidden},
		{"#31#", false, true, api.CodeForbidden},
		{"**03**1234*5678*5678#", false, true, api.CodeForbidden},
		{"**03**1234*5678*5678#", true, true, ""},
		{"**04*1234*5678*5678#", true, true, api.CodeForbidden},
		{"*042*1*2*2#", true, true, api.CodeForbidden},
		{"**05*12345678*1234*1234#", true, true, api.CodeForbidden},
		{"**052*12345678*1234*1234#", true, true, api.CodeForbidden},
		{"+4790000001", true, true, api.CodeInvalid},
		{"112", true, true, api.CodeInvalid},
		{"*100", true, true, api.CodeInvalid},
		{"*100#;+CMGS", true, true, api.CodeInvalid},
		{"*100#\"", true, true, api.CodeInvalid},
		{"*" + strings.Repeat("1", 181) + "#", true, true, api.CodeInvalid},
		{"#", true, true, api.CodeInvalid},
	} {
		got := newGuard(configs.Guard{}).dial(c.code, c.service, c.admin, listed)
		switch {
		case (got == nil) != (c.want == ""), got != nil && got.Code != c.want:
			t.Errorf("%s, service %v, admin %v: %+v, want %q", c.code, c.service, c.admin, got, c.want)
		case got != nil && (strings.Contains(got.Message, "1234") || got.Code == api.CodeForbidden && got.Hint == ""):
			t.Errorf("%s: %+v", c.code, got)
		}
	}
	if e := newGuard(configs.Guard{Off: true}).dial("*101#", false, false, nil); e != nil {
		t.Errorf("the guard is off: %+v", e)
	}
}

// A menu that the admin opened is not the sender's to answer.
func TestWhoMayReply(t *testing.T) {
	inWorld(t, emulator.NetworkConfig{}, twoModems()[:1], func(w *world) {
		w.cfg.Guard.Off, w.cfg.Guard.USSD = false, []string{"*100#"}
		w.start()
		w.condition("a", api.CondReady)
		w.modems["a"].SetUSSD("*200#", "1. Give it all away", true)
		reply := func(admin bool) error {
			return w.daemon.desks.inSession(context.Background(), "a", func(ctx context.Context, s *session) error {
				_, err := s.serveUSSD(ctx, api.USSDRequest{Reply: "1"}, admin, false)
				w.t.Logf("reply: %v", err)
				return nil
			})
		}
		for code, mine := range map[string]bool{"*100#": true, "*200#": false} {
			if _, err := w.ussd(api.USSDRequest{Code: code}); err != nil {
				t.Fatal(err)
			}
			if err := reply(false); err != nil {
				t.Fatal(err)
			}
			if open := w.modems["a"].USSDOpen(); open == mine {
				t.Errorf("%s: still open is %v after the sender's reply", code, open)
			}
		}
	})
}

func TestUSSDRequests(t *testing.T) {
	a := newTestAPI(t)
	for body, want := range map[string]api.Code{
		`{}`:                             api.CodeInvalid,
		`{"code":"*1#","reply":"1"}`:     api.CodeInvalid,
		`{"reply":"na\u00efve"}`:         api.CodeInvalid,
		`{"code":"*1#"}`:                 api.CodeNotReady,
		`{"code":"**04*1*2*2#"}`:         api.CodeForbidden,
		`{"cancel":true,"reply":"1"}`:    api.CodeInvalid,
		`{"code":"*1#","service":"yes"}`: api.CodeInvalid,
	} {
		if p := a.ask("POST", "/v1/modems/office/ussd", body).problem(t); p.Code != want {
			t.Errorf("%s: %+v, want %s", body, p, want)
		}
	}
	if p := a.ask("POST", "/v1/modems/cellar/ussd", `{"code":"*1#"}`).problem(t); p.Code != api.CodeNotFound {
		t.Errorf("an unknown modem: %+v", p)
	}
	a.set(func() { a.who = peer{UID: 2000, GID: testUID, Known: true} })
	if p := a.ask("POST", "/v1/modems/office/ussd", `{"code":"*1#"}`).problem(t); p.Code != api.CodeForbidden && !a.Guard.off() {
		t.Errorf("a sender dials: %+v", p)
	}
	if log := a.log.String(); strings.Contains(log, "*1#") {
		t.Errorf("the log has the code:\n%s", log)
	}
}
