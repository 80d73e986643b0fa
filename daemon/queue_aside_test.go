package daemon

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"simpost/configs"
	"simpost/daemon/api"
	"simpost/modem/emulator"
)

func norwegianAnd(imsi string) []emulator.Config {
	return []emulator.Config{
		{Name: "a", Number: "+4790000001", IMSI: "242010000000001"},
		{Name: "b", Number: "+46700000099", IMSI: imsi},
	}
}

// Any card's country is accepted, but only the card that may send it does; what
// one card may not send does not hold up what it may.
func TestGuardJudgesTheCardThatSends(t *testing.T) {
	for name, imsi := range map[string]string{"Swedish": "240010000000001", "of no country": "901180000000001"} {
		t.Run(name, func(t *testing.T) {
			guardWorld(t, emulator.NetworkConfig{}, norwegianAnd(imsi), func(w *world) {
				w.cfg.Guard.PartsPerMinute = 1000
				w.start()
				w.condition("a", api.CondReady)
				w.condition("b", api.CondReady)
				var ids []string
				for i := range 40 {
					ids = append(ids, w.send(text(fmt.Sprintf("+467000000%02d", i), "hej")))
				}
				home := w.send(text("+4790000002", "hei"))
				w.becomes(home, api.Delivered, 10*time.Minute)
				for _, id := range ids {
					w.becomes(id, api.Delivered, 10*time.Minute)
				}
				for _, sent := range w.net.Record() {
					if strings.HasPrefix(sent.To, "+46") != (sent.Modem == "b") && (sent.Modem == "a" || imsi[:3] == "240") {
						t.Errorf("%s left by %s", sent.To, sent.Modem)
					}
				}
			})
		})
	}
}

// waits tells whether a message is queued because of the guard, and with what line.
func (w *world) waits(id, line string) bool {
	m := w.get(id)
	return m.State == api.Queued && m.Reason != nil && m.Reason.Code == string(api.CodeGuardCountry) && strings.Contains(m.Reason.Message, line)
}

// What was accepted before any card was known waits if the card that comes may not
// send it, says what lifts that, costs no budget again, and expires; another card
// takes it, and so does the same one after the line is in the configuration.
func TestGuardWaitsForACard(t *testing.T) {
	guardWorld(t, emulator.NetworkConfig{}, norwegianAnd("240010000000001"), func(w *world) {
		w.cfg.Guard.PartsPerMinute = 1000
		w.modems["a"].Unplug()
		w.modems["b"].Unplug()
		w.start()
		w.condition("a", api.CondNoDevice)
		var ids []string
		for i := range 300 {
			ids = append(ids, w.send(text(fmt.Sprintf("+46700000%03d", i), "hej")))
		}
		soon := time.Now().Add(30 * time.Minute)
		short := text("+46700000999", "hej")
		short.Expires = &soon
		brief := w.send(short)
		home := w.send(text("+4790000002", "hei"))
		w.modems["a"].Plug()
		w.becomes(home, api.Delivered, 2*time.Minute)
		w.within(time.Minute, "the last one says why it waits", func() bool { return w.waits(ids[299], `countries = ["+46"]`) && w.waits(brief, `countries = ["+46"]`) })
		w.becomes(brief, api.Expired, time.Hour)
		if n := len(w.left("a")); n != 1 {
			t.Errorf("%d left by the card that may not send them", n-1)
		}
		seq := w.daemon.store.LastEvent()
		w.modems["a"].Unplug()
		w.condition("a", api.CondNoDevice)
		w.modems["a"].Plug()
		w.condition("a", api.CondReady)
		w.becomes(w.send(text("+4790000003", "hei")), api.Delivered, 2*time.Minute)
		if n := w.daemon.store.LastEvent() - seq; n > 20 {
			t.Errorf("the same card judged them again: %d events", n)
		}
		w.modems["b"].Plug()
		w.becomes(ids[299], api.Delivered, time.Hour)
		if n := len(w.left("b")); n != 300 {
			t.Errorf("%d left by the other card, want 300", n)
		}
		if st, err := w.client.Status(context.Background()); err != nil || st.Guard.PartsToday != 303 {
			t.Errorf("%d parts were debited, want 303: %v", st.Guard.PartsToday, err)
		}
	})
}

// Of a card that is away it is known what it may send.
func TestGuardWaitsForTheModemAway(t *testing.T) {
	guardWorld(t, emulator.NetworkConfig{}, norwegianAnd("240010000000001"), func(w *world) {
		w.start()
		w.condition("a", api.CondReady)
		w.condition("b", api.CondReady)
		w.modems["b"].Unplug()
		w.condition("b", api.CondNoDevice)
		id := w.send(text("+46700000001", "hej"))
		w.within(time.Minute, "it waits for b", func() bool { return w.waits(id, "the modem b") })
		w.modems["b"].Plug()
		w.becomes(id, api.Delivered, 5*time.Minute)
		if len(w.left("a")) > 0 {
			t.Error("the wrong card sent it")
		}
	})
}

func TestGuardLiftedAtTheNextStart(t *testing.T) {
	guardWorld(t, emulator.NetworkConfig{}, one(), func(w *world) {
		w.modems["a"].Unplug()
		w.start()
		w.condition("a", api.CondNoDevice)
		named := text("+46700000001", "hej")
		named.Modem = "a"
		ids := []string{w.send(named), w.send(text("+46700000002", "hej"))}
		w.modems["a"].Plug()
		for _, id := range ids {
			w.within(time.Minute, "it waits", func() bool { return w.waits(id, `countries = ["+46"]`) })
		}
		w.halt()
		w.cfg.Guard = guarded(func(g *configs.Guard) { g.Countries = []string{"+46"} })
		w.start()
		for _, id := range ids {
			if m := w.becomes(id, api.Delivered, 5*time.Minute); m.Reason != nil {
				t.Errorf("it was sent, and says %v", m.Reason)
			}
		}
	})
}

// A reason is shown to who may not see numbers.
func TestGuardReasonNamesNoNumber(t *testing.T) {
	rules := &numberRules{home: []string{"47"}}
	why := rules.waits(&barred{code: api.CodeGuardPremium, why: "it costs extra", lift: "+4782900001"})
	if why.Code != string(api.CodeGuardPremium) || strings.Contains(why.Message, "82900001") || !strings.Contains(why.Message, "`allow`") {
		t.Errorf("%+v", why)
	}
}
