package daemon

import (
	"fmt"
	"testing"
	"time"

	"simpost/daemon/api"
	"simpost/modem/emulator"
)

// creditCodes are how networks refuse a card without credit.
var creditCodes = []int{38, 50, 69}

// inRefusingWorld is a world whose network refuses some messages with a code.
func inRefusingWorld(t *testing.T, code, times int, body func(w *world)) {
	t.Run(fmt.Sprint(code), func(t *testing.T) {
		inWorld(t, emulator.NetworkConfig{}, one(), func(w *world) {
			instead("+CMS ERROR: 38\r", fmt.Sprintf("+CMS ERROR: %d\r", code))(w, w.modems["a"])
			w.start()
			w.condition("a", api.CondReady)
			if err := w.modems["a"].Fault("send.cms-38", emulator.FaultConfig{Times: times}); err != nil {
				t.Fatal(err)
			}
			body(w)
		})
	})
}

// A network that refuses several numbers is left alone.
func TestRefusedToSeveralNumbers(t *testing.T) {
	for _, code := range creditCodes {
		inRefusingWorld(t, code, 1e6, func(w *world) {
			for i := range refusedRow {
				w.send(text(fmt.Sprintf("+479100000%d", i), "hello"))
			}
			w.condition("a", api.CondRefused)
			if m := w.modem("a"); len(m.Diagnosis) != 1 {
				w.t.Errorf("said more than once: %+v", m.Diagnosis)
			}
		})
	}
}

// An alarm that writes to one number only gets the diagnosis too; but it may be that
// number, so nobody else waits for it.
func TestRefusedToTheOnlyNumber(t *testing.T) {
	for _, code := range creditCodes {
		inRefusingWorld(t, code, 2, func(w *world) {
			w.send(text("+4791000001", "alarm"))
			time.Sleep(10 * time.Second)
			if m := w.modem("a"); len(m.Diagnosis) > 0 {
				w.t.Errorf("after one refusal: %+v", m.Diagnosis)
			}
			w.send(text("+4791000001", "another alarm"))
			d := w.finds("a", api.CondRefused)
			if d.Sentence != conditionWords[api.CondRefused].sentence || d.Detail != fmt.Sprintf("numbers tried: 1, each refused twice or more, the last with code %d", code) {
				w.t.Errorf("it says %q, %q", d.Sentence, d.Detail)
			}
			w.becomes(w.send(text("+4791000002", "hello")), api.Delivered, time.Minute)
			w.well("a")
		})
	}
}
