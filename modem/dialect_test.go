package modem

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"simpost/modem/emulator"
)

// Every dialect has a test here that fails under generic and passes under its own: both are asserted. The far side is the
// emulator's profile of that make; where the make has a counter command that the emulator does not speak, renamed puts
// the vendor's words in place of +CPINR's, so that the numbers are the emulated card's own.

// renamed is a port on which the modem knows AT+CPINR by another name and in another shape.
type renamed struct {
	io.ReadWriteCloser
	cmd, shape string
	r          *io.PipeReader
}

func rename(port io.ReadWriteCloser, cmd, shape string) *renamed {
	r, w := io.Pipe()
	p := &renamed{port, cmd, shape, r}
	go func() {
		var line []byte
		b := make([]byte, 256)
		for {
			n, err := port.Read(b)
			for _, c := range b[:n] {
				line = append(line, c)
				if c == '\n' || c == ' ' && bytes.HasSuffix(line, []byte("> ")) {
					w.Write([]byte(p.toHost(string(line))))
					line = line[:0]
				}
			}
			if err != nil {
				w.CloseWithError(err)
				return
			}
		}
	}()
	return p
}

func (p *renamed) toHost(line string) string {
	var left, all int
	if n, _ := fmt.Sscanf(line, "+CPINR: SIM PIN,%d,%d", &left, &all); n == 2 {
		return fmt.Sprintf(p.shape+"\r\n", left)
	}
	if strings.HasPrefix(line, "+CPINR: SIM PUK") {
		return ""
	}
	return line
}

func (p *renamed) Read(b []byte) (int, error) { return p.r.Read(b) }

func (p *renamed) Write(b []byte) (int, error) {
	s := strings.ReplaceAll(string(b), "AT+CPINR\r", "AT+UNKNOWN\r")
	if _, err := io.WriteString(p.ReadWriteCloser, strings.ReplaceAll(s, "AT"+p.cmd+"\r", "AT+CPINR\r")); err != nil {
		return 0, err
	}
	return len(b), nil
}

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
	for _, c := range []struct{ dialect, emulated, cmd, shape string }{
		{"huawei", "huawei", "", ""},
		{"simcom-2g", "sim800", "+SPIC", "+SPIC: %d,10,0,10"},
		{"simcom-lte", "sim7600", "+SPIC", "+SPIC: %d,10,0,10"},
		{"simcom-lte", "a7670", "+SPIC", "+SPIC: %d,10,0,10"},
		{"quectel", "quectel-ec25", `+QPINC="SC"`, `+QPINC: "SC",%d,10`},
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
			if c.cmd != "" {
				port = rename(port, c.cmd, c.shape)
			}
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
