package modem

import (
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"simpost/modem/emulator"
)

// Every dialect has a test here that fails under generic and passes under its own: both are asserted. The far side is the
// emulator's profile of that make.

// as runs f under generic, where it must fail, and under the dialect's own profile, where it must pass. generic is what
// an unknown modem gets, so a dialect that generic can stand in for is no dialect.
func as(t *testing.T, dialect string, c emulator.Config, f func(t *testing.T, l *lab, profile string) error) {
	t.Helper()
	for _, profile := range []string{"generic", dialect} {
		t.Run(c.Profile+" as "+profile, func(t *testing.T) {
			inLab(t, c, func(t *testing.T, l *lab) {
				err := f(t, l, profile)
				if profile == "generic" && err == nil {
					t.Errorf("passes under generic too\n%s", l.transcript())
				}
				if profile != "generic" && err != nil {
					t.Errorf("%v\n%s", err, l.transcript())
				}
			})
		})
	}
}

// TestDialectsKeepTwoTries: after one wrong PIN in a phone two tries are left; who can't ask the vendor's counter spends
// one of them.
func TestDialectsKeepTwoTries(t *testing.T) {
	for _, c := range []struct{ dialect, emulated string }{
		{"huawei", "huawei"}, {"simcom-2g", "sim800"}, {"simcom-lte", "sim7600"}, {"simcom-lte", "a7670"}, {"quectel", "quectel-ec25"},
	} {
		as(t, c.dialect, emulator.Config{Profile: c.emulated, PIN: "2580"}, func(t *testing.T, l *lab, profile string) error {
			port, err := l.modem.Open()
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.WriteString(port, "AT+CPIN=\"0000\"\r"); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
			d := &diary{tried: map[string]bool{}}
			m, err := Open(t.Context(), port, Config{Profile: profile, PIN: func() (string, error) { return "1111", nil }, Guard: d.guard()})
			if err == nil {
				m.Close()
				return fmt.Errorf("opened with a wrong PIN")
			}
			if len(d.log) > 0 {
				return fmt.Errorf("a PIN was entered: %w", err)
			}
			wantCondition(t, err, "pin-guard")
			return nil
		})
	}
}

// TestHuaweiUSSD: the balance comes as packed septets in hex.
func TestHuaweiUSSD(t *testing.T) {
	as(t, "huawei", emulator.Config{Profile: "huawei"}, func(t *testing.T, l *lab, profile string) error {
		r, err := l.mustOpen(Config{Profile: profile}).USSD(t.Context(), "*101#")
		if err == nil && !strings.Contains(r.Text, "balance") {
			err = fmt.Errorf("the balance reads %q", r.Text)
		}
		return err
	})
}

// TestHuaweiChatterStops: ^CURC=0 is obeyed, so that nothing gets between a header and its PDU.
func TestHuaweiChatterStops(t *testing.T) {
	as(t, "huawei", emulator.Config{Profile: "huawei"}, func(t *testing.T, l *lab, profile string) error {
		m := l.mustOpen(Config{Profile: profile})
		before := len(l.modem.Transcript())
		time.Sleep(time.Minute)
		if err := m.Ping(t.Context()); err != nil {
			return err
		}
		for _, line := range l.modem.Transcript()[before:] {
			if strings.HasPrefix(line, "< ^RSSI") {
				return fmt.Errorf("it still says %q", line)
			}
		}
		return nil
	})
}

// TestEveryDialectIsRecognised holds the table's matches against the makes' own words, and generic against all others.
func TestEveryDialectIsRecognised(t *testing.T) {
	for words, want := range map[string]string{
		"huawei|E1752": "huawei", "HUAWEI TECHNOLOGIES CO., LTD|MU609": "huawei", "Brovi|E3372-325": "huawei",
		"SIMCOM_Ltd|SIMCOM_SIM800L": "simcom-2g", "SIMCOM_Ltd|SIMCOM_SIM900": "simcom-2g", "SIMCOM INCORPORATED|SIMCOM_SIM7600E-H": "simcom-lte",
		"INCORPORATED|A7670E-FASE": "simcom-lte", "Quectel|EC25": "quectel", "Quectel_Ltd|Quectel_M95": "quectel",
		"Nokia|Nokia N79": "generic", "ZTE INCORPORATED|K3565-Z": "generic", "|": "generic",
	} {
		maker, model, _ := strings.Cut(words, "|")
		if d, ok := dialectFor("", maker, model); !ok || d.name != want {
			t.Errorf("%s: %s, want %s", words, d.name, want)
		}
	}
	for _, d := range dialects {
		if got, ok := dialectFor(d.name, "", ""); !ok || got.name != d.name || got.left.cmd == "" || len(got.cnmi) == 0 || len(got.memory) == 0 {
			t.Errorf("by name: %+v", got)
		}
	}
}
