package daemon

import (
	"context"
	"testing"
	"time"

	"simpost/daemon/api"
	"simpost/modem/emulator"
)

func TestAmountIn(t *testing.T) {
	for _, c := range []struct {
		text, pattern string
		want          float64
		ok            bool
	}{
		// As the vectors and the manuals of operators have it.
		{"Available Balance: R 96.45 .", "", 96.45, true},
		{"Bal:$100.00 *\nExp 01 Jan 2013\n1. Recharge", "", 100, true},
		{"Your balance is 42.00", "", 42, true},
		{"Saldo 12,5 kr, gueltig bis 21.11.2026", "", 12.5, true},
		{"On 21.11.2026 at 10:30 you have 1.234,50 EUR", "", 1234.5, true},
		{"Guthaben 1 234,50 EUR", "", 1234.5, true},
		{"1'234.50 CHF", "", 1234.5, true},
		{"Balance: -3.20", "", -3.2, true},
		{"You have 500 MB and 7 minutes", "", 500, true},
		{"Rs.25.", "", 25, true},
		{"1,234,567.8", "", 1234567.8, true},
		{"nothing here", "", 0, false},
		{"D9775D0E1287D961F7B80C4ACF4134990B0603", "", 0, false}, // no text at all
		{"D9775D0E1287D961", `[0-9]+`, 0, false},
		{"1250", "", 1250, true},
		{"100F", "", 100, true},
		{"valid until 21.11.2026", "", 0, false},
		{"500 MB, credit 3.10, bonus 9.99", `bonus ([0-9.]+)`, 9.99, true},
		{"500 MB, credit 3.10", `bonus ([0-9.]+)`, 0, false},
		{"credit 3,10", `[0-9,]+`, 3.1, true},
		{"credit none", `credit (\w+)`, 0, false},
		{"99999999999999999999", "", 0, false},
	} {
		if got, ok := amountIn(c.text, c.pattern); got != c.want || ok != c.ok {
			t.Errorf("%q with %q: %v, %v, want %v, %v", c.text, c.pattern, got, ok, c.want, c.ok)
		}
	}
}

// inBalance is a world whose modem asks for its balance every day.
func inBalance(t *testing.T, body func(w *world)) {
	t.Helper()
	inWorld(t, emulator.NetworkConfig{}, twoModems()[:1], func(w *world) {
		w.slowly()
		m := &w.cfg.Modems[0]
		m.BalanceCode, m.BalanceLow = "*100# 1", "5"
		w.start()
		w.condition("a", api.CondReady)
		body(w)
	})
}

// slowly polls once an hour: these worlds are weeks long.
func (w *world) slowly() { w.cfg.Receive.Poll, w.cfg.Receive.Sweep = time.Hour, 24*time.Hour }

// balance waits until the modem's entry has one of that amount.
func (w *world) balance(amount float64, low bool) {
	w.t.Helper()
	w.within(26*time.Hour, "the balance is asked for", func() bool {
		m, err := w.client.Modem(context.Background(), "a")
		b := m.Balance
		return err == nil && b != nil && b.Amount != nil && *b.Amount == amount && b.Low == low && b.Text != ""
	})
}

// The balance is on the modem's page; when it has come below the limit there is one
// event, and another only after it was above.
func TestBalance(t *testing.T) {
	inBalance(t, func(w *world) {
		w.balance(42, false)
		m := w.modems["a"]
		for i, c := range []struct {
			says   string
			amount float64
			low    bool
			events int
		}{{"You have 4.99 left", 4.99, true, 1}, {"You have 1.00 left", 1, true, 1}, {"Balance 20.00", 20, false, 1}, {"Balance 0.50", 0.5, true, 2}} {
			m.SetUSSD("1", c.says, false)
			w.balance(c.amount, c.low)
			if got := w.events(api.EventBalanceLow); len(got) != c.events || got[0].Text != "You have 4.99 left" {
				t.Fatalf("step %d: %+v", i, got)
			}
		}
		if m.USSDOpen() {
			t.Error("a menu was left open")
		}
	})
}

// A restart remembers the balance and does not ask again.
func TestBalanceOverRestart(t *testing.T) {
	inBalance(t, func(w *world) {
		w.balance(42, false)
		w.halt()
		w.modems["a"].SetUSSD("1", "Balance 9.00", false)
		w.start()
		w.condition("a", api.CondReady)
		w.balance(42, false)
		time.Sleep(2 * time.Hour)
		w.balance(42, false)
		w.balance(9, false)
	})
}

// An answer without a number is shown as it is; one that does not come is tried
// again after some hours, not at once.
func TestBalanceThatCantBeRead(t *testing.T) {
	inBalance(t, func(w *world) {
		m := w.modems["a"]
		m.SetUSSD("1", "Sorry, come back later", false)
		w.within(10*time.Minute, "it is said what is wrong", func() bool {
			got, err := w.client.Modem(context.Background(), "a")
			return err == nil && got.Balance != nil && got.Balance.Amount == nil && got.Balance.Text == "Sorry, come back later" &&
				got.LastError != nil && got.LastError.Code == "balance-unreadable"
		})
		m.ScriptUSSD("*100#", "+CUSD: 4")
		m.SetUSSD("1", "Balance 8.00", false)
		w.within(26*time.Hour, "the failure is told", func() bool {
			got, err := w.client.Modem(context.Background(), "a")
			return err == nil && got.LastError != nil && got.LastError.Code == "balance"
		})
		m.SetUSSD("*100#", "1. Balance", true)
		before := time.Now()
		w.balance(8, false)
		if waited := time.Since(before); waited < 4*time.Hour || waited > 8*time.Hour {
			t.Errorf("tried again after %v", waited)
		}
	})
}

// A card that sends nothing gets a sign of life, and one that does gets none.
func TestKeepalive(t *testing.T) {
	inWeeks(t)
	inWorld(t, emulator.NetworkConfig{}, twoModems()[:1], func(w *world) {
		w.slowly()
		m := &w.cfg.Modems[0]
		m.KeepaliveEvery, m.KeepaliveTo = 72*time.Hour, "+4791000001"
		w.start()
		w.condition("a", api.CondReady)
		time.Sleep(70 * time.Hour)
		if n := w.net.Count(); n != 0 {
			t.Fatalf("%d messages went out too early", n)
		}
		w.halt() // the dates are the card's, not the process's
		w.start()
		w.condition("a", api.CondReady)
		w.within(5*time.Hour, "the first", func() bool { return w.net.Count() == 1 })
		time.Sleep(48 * time.Hour)
		w.becomes(w.send(text("+4791000002", "by a person")), api.Delivered, time.Minute)
		time.Sleep(70 * time.Hour)
		if n := w.net.Count(); n != 2 {
			t.Fatalf("%d messages, though a person had written one", n)
		}
		w.within(5*time.Hour, "the second", func() bool { return w.net.Count() == 3 })
		if p := w.net.Phone("+4791000001"); p == nil || len(p.Messages()) != 2 || p.Messages()[0].Text != "simpost" {
			t.Errorf("the phone got %+v", p.Messages())
		}
	})
}

// The guard's rules hold for it, and the refusal can be read.
func TestKeepaliveIsGuarded(t *testing.T) {
	inWorld(t, emulator.NetworkConfig{}, twoModems()[:1], func(w *world) {
		w.cfg.Guard.Off = false
		w.slowly()
		m := &w.cfg.Modems[0]
		m.KeepaliveEvery, m.KeepaliveTo = 24*time.Hour, "+46700000001"
		w.start()
		w.condition("a", api.CondReady)
		w.within(50*time.Hour, "the refusal is told", func() bool {
			got, err := w.client.Modem(context.Background(), "a")
			return err == nil && got.LastError != nil && got.LastError.Code == "keepalive"
		})
		if n := w.net.Count(); n != 0 {
			t.Errorf("%d messages went abroad", n)
		}
	})
}

// By USSD, every so often.
func TestKeepaliveByUSSD(t *testing.T) {
	inWorld(t, emulator.NetworkConfig{}, twoModems()[:1], func(w *world) {
		w.slowly()
		m := &w.cfg.Modems[0]
		m.KeepaliveEvery, m.KeepaliveCode = 48*time.Hour, "*101#"
		w.start()
		w.condition("a", api.CondReady)
		dialled := func() (n int) {
			for _, l := range w.modems["a"].Transcript() {
				if l == `> AT+CUSD=1,"*101#",15` {
					n++
				}
			}
			return n
		}
		time.Sleep(47 * time.Hour)
		if dialled() != 0 {
			t.Fatal("too early")
		}
		w.within(3*time.Hour, "the code is dialled", func() bool { return dialled() == 1 })
	})
}
