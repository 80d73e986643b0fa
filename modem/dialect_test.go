package modem

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
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
		{"zte", "zte"}, {"telit", "telit"}, {"u-blox", "ublox"}, {"wavecom", "wavecom"}, {"sierra", "sierra"}, {"cinterion", "cinterion"}, {"mbm", "mbm"},
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

// TestHuaweiUSSD: the code leaves as packed septets in hex. The balance comes so, and reads the same to both.
func TestHuaweiUSSD(t *testing.T) {
	as(t, "huawei", emulator.Config{Profile: "huawei"}, func(t *testing.T, l *lab, profile string) error {
		r, err := l.mustOpen(Config{Profile: profile}).USSD(t.Context(), "*101#")
		if err != nil || !strings.Contains(r.Text, "balance") {
			t.Errorf("the balance reads %q, %v", r.Text, err)
		}
		if slices.Contains(l.modem.Transcript(), `> AT+CUSD=1,"*101#",15`) {
			return errors.New("asked in plain words")
		}
		return nil
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

// refusedSets are the settings of the bring-up that the modem refused.
func refusedSets(transcript []string) []string {
	var out []string
	set := ""
	for _, l := range transcript {
		switch {
		case strings.HasPrefix(l, "> AT+CNMI=") && l != "> AT+CNMI=?", strings.HasPrefix(l, "> AT+CPMS=") && l != "> AT+CPMS=?":
			set = l
		case strings.HasPrefix(l, "> "):
			set = ""
		case set != "" && strings.Contains(l, "ERROR"):
			out = append(out, set)
		}
	}
	return out
}

// TestDialectsSetWhatIsTaken: who knows the make tries no indication mode and no number of memories that it refuses.
func TestDialectsSetWhatIsTaken(t *testing.T) {
	for _, c := range []struct{ dialect, emulated string }{
		{"huawei", "huawei"}, {"huawei", "huawei-brovi"}, {"zte", "zte"}, {"wavecom", "wavecom"}, {"cinterion", "cinterion"},
		{"novatel", "novatel"}, {"mbm", "mbm"},
	} {
		as(t, c.dialect, emulator.Config{Profile: c.emulated}, func(t *testing.T, l *lab, profile string) error {
			l.mustOpen(Config{Profile: profile})
			if r := refusedSets(l.modem.Transcript()); len(r) > 0 {
				return fmt.Errorf("refused: %q", r)
			}
			return nil
		})
	}
}

// TestQuectelReportsComeDirectly: where the best mode is refused the next is another with direct reports. Where all of
// those are, reports are stored, and found though they are announced in the place of a message.
func TestQuectelReportsComeDirectly(t *testing.T) {
	as(t, "quectel", emulator.Config{Profile: "quectel-ec25"}, func(t *testing.T, l *lab, profile string) error {
		l.fault("report.cnmi-refused", emulator.FaultConfig{})
		if got := l.mustOpen(Config{Profile: profile}).Settings().CNMI; !strings.HasSuffix(got, ",1,0") {
			return fmt.Errorf("reports are stored: %s", got)
		}
		return nil
	})
	inLab(t, emulator.Config{Profile: "quectel-ec25"}, func(t *testing.T, l *lab) {
		l.fault("report.cnmi-refused", emulator.FaultConfig{Times: 2})
		m := l.mustOpen(Config{})
		l.phone.Send(l.modem.Number(), "in the announced place")
		if _, _, err := l.send(m); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		all, err := m.List(t.Context())
		if got := texts(t, all); err != nil || m.Settings().CNMI != "2,1,0,2,1" || !slices.Contains(got, "in the announced place") || !slices.Contains(got, "report") {
			t.Errorf("under %s found %q, %v", m.Settings().CNMI, got, err)
		}
	})
}

// TestHuaweiListHangs: it is not waited for as long as for other makes' lists.
func TestHuaweiListHangs(t *testing.T) {
	as(t, "huawei", emulator.Config{Profile: "huawei"}, func(t *testing.T, l *lab, profile string) error {
		m := l.mustOpen(Config{Profile: profile})
		l.phone.Send(l.modem.Number(), "behind the list")
		time.Sleep(time.Second)
		l.fault("read.cmgl-hang", emulator.FaultConfig{Delay: 65 * time.Second})
		start := time.Now()
		all, err := m.List(t.Context())
		if got := texts(t, all); err != nil || !slices.Contains(got, "behind the list") {
			t.Errorf("found %q, %v", got, err)
		}
		if took := time.Since(start); took > 110*time.Second {
			return fmt.Errorf("took %v", took)
		}
		return nil
	})
}

// TestREADYWithoutOK: it is the answer at once, and no OK is waited for at each start.
func TestREADYWithoutOK(t *testing.T) {
	for _, make := range []string{"wavecom", "sierra"} {
		as(t, make, emulator.Config{Profile: make}, func(t *testing.T, l *lab, profile string) error {
			start := time.Now()
			l.mustOpen(Config{Profile: profile})
			if took := time.Since(start); took > 8*time.Second {
				return fmt.Errorf("the start took %v", took)
			}
			return nil
		})
	}
}

// TestDialectsFindTheCard: the ICCID is told at the first question for it.
func TestDialectsFindTheCard(t *testing.T) {
	for _, c := range []struct{ dialect, emulated string }{
		{"huawei", "huawei"}, {"simcom-lte", "sim7600"}, {"quectel", "quectel-ec25"}, {"telit", "telit"}, {"cinterion", "cinterion"},
	} {
		as(t, c.dialect, emulator.Config{Profile: c.emulated}, func(t *testing.T, l *lab, profile string) error {
			if m := l.mustOpen(Config{Profile: profile}); m.Identity().ICCID == "" {
				t.Errorf("identity %+v", m.Identity())
			}
			for _, common := range []string{"> AT+CCID", "> AT+CRSM=176,12258,0,0,10"} {
				if slices.Contains(l.modem.Transcript(), common) {
					return fmt.Errorf("asked %s", common)
				}
			}
			return nil
		})
	}
}

// TestDialectsRestart: with the maker's own command, where there is one that is gentler or surer.
func TestDialectsRestart(t *testing.T) {
	for _, c := range []struct{ dialect, emulated, cmd string }{
		{"huawei", "huawei", "^RESET"}, {"simcom-lte", "sim7600", "+CRESET"}, {"telit", "telit", "#REBOOT"}, {"u-blox", "ublox", "+CFUN=16"},
	} {
		as(t, c.dialect, emulator.Config{Profile: c.emulated}, func(t *testing.T, l *lab, profile string) error {
			if err := l.mustOpen(Config{Profile: profile}).Reset(t.Context()); err != nil {
				t.Error(err)
			}
			if !slices.Contains(l.modem.Transcript(), "> AT"+c.cmd) {
				return fmt.Errorf("not restarted by AT%s", c.cmd)
			}
			return nil
		})
	}
}

// TestZTEFlood: +ZUSIMR:2 a hundred times a second crashes the stick. It stops when it is asked for its memories, long
// before the SIM is ready; and again after the PIN.
func TestZTEFlood(t *testing.T) {
	for _, pin := range []string{"", "2580"} {
		as(t, "zte", emulator.Config{Profile: "zte", PIN: pin, ColdStart: true}, func(t *testing.T, l *lab, profile string) error {
			l.fault("life.sim-busy", emulator.FaultConfig{Delay: 10 * time.Second})
			l.modem.PowerOff()
			l.modem.PowerOn()
			l.fault("urc.flood", emulator.FaultConfig{})
			d := &diary{tried: map[string]bool{}}
			l.mustOpen(Config{Profile: profile, PIN: func() (string, error) { return "2580", nil }, Guard: d.guard()})
			n := 0
			for _, line := range l.modem.Transcript() {
				switch {
				case strings.HasPrefix(line, "> AT+CPIN="):
					n = 0
				case line == "< +ZUSIMR:2":
					if n++; n > 100 {
						return errors.New("more than a second of flood")
					}
				}
			}
			return nil
		})
	}
}

// TestTelitTellsOfThePulledCard: AT#QSS=2 switches the line on.
func TestTelitTellsOfThePulledCard(t *testing.T) {
	as(t, "telit", emulator.Config{Profile: "telit"}, func(t *testing.T, l *lab, profile string) error {
		m := l.mustOpen(Config{Profile: profile})
		m.Take()
		l.modem.RemoveSIM()
		synctest.Wait()
		if !m.Take().SIM {
			return errors.New("a pulled card is not told")
		}
		return nil
	})
}

// TestPleaseWait: after a message the modem says +CME ERROR: 515 for a while, to whatever it is asked.
func TestPleaseWait(t *testing.T) {
	for _, make := range []string{"wavecom", "sierra"} {
		as(t, make, emulator.Config{Profile: make}, func(t *testing.T, l *lab, profile string) error {
			m := l.mustOpen(Config{Profile: profile})
			for range 2 { // one part after the other
				if _, accepted, err := l.send(m); err != nil || accepted != 1 {
					return fmt.Errorf("send: %w", err)
				}
			}
			_, err := m.Counts(t.Context())
			return err
		})
	}
}

// TestNovatelDoesNotHang: reports are stored, because a +CDS that nobody may acknowledge is the last thing it says.
func TestNovatelDoesNotHang(t *testing.T) {
	as(t, "novatel", emulator.Config{Profile: "novatel"}, func(t *testing.T, l *lab, profile string) error {
		m := l.mustOpen(Config{Profile: profile})
		if _, _, err := l.send(m); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		l.phone.Send(l.modem.Number(), "after the report")
		time.Sleep(time.Minute)
		all, err := m.List(t.Context())
		if got := texts(t, all); err != nil || !slices.Contains(got, "after the report") || !slices.Contains(got, "report") {
			return fmt.Errorf("found %q, %w", got, err)
		}
		return nil
	})
}

// TestMBMBearer: messages leave by the circuit-switched side.
func TestMBMBearer(t *testing.T) {
	as(t, "mbm", emulator.Config{Profile: "mbm", SMSC: "+4790000000"}, func(t *testing.T, l *lab, profile string) error {
		l.fault("send.wrong-bearer", emulator.FaultConfig{})
		_, _, err := l.send(l.mustOpen(Config{Profile: profile}))
		return err
	})
}

// TestLinkStaysUp: the second part of a long message goes over the link of the first.
func TestLinkStaysUp(t *testing.T) {
	for _, c := range []struct{ dialect, emulated string }{
		{"simcom-2g", "sim800"}, {"simcom-lte", "sim7600"}, {"quectel", "quectel-ec25"}, {"telit", "telit"}, {"u-blox", "ublox"},
	} {
		as(t, c.dialect, emulator.Config{Profile: c.emulated, Latency: 4 * time.Second}, func(t *testing.T, l *lab, profile string) error {
			m := l.mustOpen(Config{Profile: profile})
			start := time.Now()
			for range 3 {
				if _, accepted, err := l.send(m); err != nil || accepted != 1 {
					t.Fatalf("%v, %d accepted", err, accepted)
				}
			}
			if took := time.Since(start); took > 8*time.Second {
				return fmt.Errorf("three messages took %v", took)
			}
			return nil
		})
	}
}

// TestEveryDialectIsRecognised holds the table's matches against the makes' own words, and generic against all others.
func TestEveryDialectIsRecognised(t *testing.T) {
	for words, want := range map[string]string{
		"huawei|E1752": "huawei", "HUAWEI TECHNOLOGIES CO., LTD|MU609": "huawei", "Brovi|E3372-325": "huawei",
		"SIMCOM_Ltd|SIMCOM_SIM800L": "simcom-2g", "SIMCOM_Ltd|SIMCOM_SIM900": "simcom-2g", "SIMCOM INCORPORATED|SIMCOM_SIM7600E-H": "simcom-lte",
		"INCORPORATED|A7670E-FASE": "simcom-lte", "Quectel|EC25": "quectel", "Quectel_Ltd|Quectel_M95": "quectel",
		"Nokia|Nokia N79": "generic", "ZTE INCORPORATED|K3565-Z": "zte", "|": "generic",
		"Telit|HE910": "telit", "u-blox|SARA-U201": "u-blox", " WAVECOM MODEM| MULTIBAND  900E  1800": "wavecom", "Sierra Wireless|SL8084T": "sierra",
		"Cinterion|BGS5": "cinterion", "Gemalto|EHS6": "cinterion", "SIEMENS|TC35i": "cinterion", "Novatel Wireless Incorporated|MC551": "novatel",
		"Ericsson|F5521gw": "mbm", "Ericsson|F3507g": "mbm", "Ericsson|F3607gw": "mbm", "Ericsson|C3607w": "mbm", "Ericsson|H5321gw": "mbm",
		"Ericsson|F3307": "mbm", "Ericsson|F5321gw": "mbm", "Ericsson|F5321w": "mbm", "Ericsson|C5621gw": "mbm", "Ericsson|C3304w": "mbm",
		"Lenovo|N5321gw": "mbm", "Sony Ericsson|MD300": "mbm", "Sony Ericsson|MD400G": "mbm", "Dell|D5530": "mbm", "Dell|D5560": "mbm",
		"Hewlett-Packard|hs2340": "mbm", "Hewlett-Packard|lc2010": "mbm", "Sony Ericsson|K750i": "generic", "Nokia|5530": "generic",
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
