package peers_test

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

// gammu runs one command of gammu's on a modem.
func gammu(t *testing.T, m modem, args ...string) string {
	t.Helper()
	// gammu reserves the terminal (TIOCEXCL) and leaves it so. To an ordinary user the emulator then has to give another one.
	eventually(t, m.link+" can be opened", func() bool {
		f, err := os.OpenFile(m.link, os.O_RDWR|syscall.O_NOCTTY|syscall.O_NONBLOCK, 0)
		if err != nil {
			return false
		}
		return f.Close() == nil
	})
	config := write(t, t.TempDir(), "gammurc", fmt.Sprintf("[gammu]\ndevice = %s\nconnection = at115200\nmodel = at\n", m.link))
	return run(t, "gammu", append([]string{"-c", config}, args...)...)
}

func TestGammuIdentify(t *testing.T) {
	t.Parallel()
	need(t, "gammu", "gammu")
	for profile, manufacturer := range map[string]string{
		"generic": "simpost", "sim800": "SIMCOM_Ltd", "huawei": "Huawei", "quectel-ec25": "Quectel",
	} {
		t.Run(profile, func(t *testing.T) {
			t.Parallel()
			got := gammu(t, emulate(t, 1, profile).modems[0], "identify")
			for _, want := range []string{`Manufacturer +: ` + manufacturer + `\n`, `IMEI +: \d{15}\n`, `SIM IMSI +: 24201\d{10}`} {
				if !regexp.MustCompile(want).MatchString(got) {
					t.Errorf("no line matches %q in\n%s", want, got)
				}
			}
		})
	}
}

// A message there and back: gammu sends, the phone echoes, gammu reads and deletes.
func TestGammuSendAndReceive(t *testing.T) {
	t.Parallel()
	need(t, "gammu", "gammu")
	for _, profile := range profiles() {
		t.Run(profile, func(t *testing.T) {
			t.Parallel()
			n := emulate(t, 1, profile)
			m := n.modems[0]
			const text = "The door is open @ 7 {ok}"
			gammu(t, m, "sendsms", "TEXT", echo, "-text", text)
			n.sentOnce(t, m, echo, text, 1)
			got := gammu(t, m, "getallsms")
			if !strings.Contains(got, `"`+echo+`"`) || !strings.Contains(got, text) {
				t.Errorf("the echo is not in\n%s", got)
			}
			location := regexp.MustCompile(`Location (\d+),`).FindStringSubmatch(got)
			if location == nil {
				t.Fatalf("no location in\n%s", got)
			}
			gammu(t, m, "deletesms", "0", location[1])
			if got := gammu(t, m, "getallsms"); !strings.Contains(got, "0 SMS parts in 0 SMS sequences") {
				t.Errorf("still there after deletesms:\n%s", got)
			}
		})
	}
}

// A long message from one SIM to another.
func TestGammuLongMessage(t *testing.T) {
	t.Parallel()
	need(t, "gammu", "gammu")
	n := emulate(t, 2, "generic")
	from, to := n.modems[0], n.modems[1]
	gammu(t, from, "sendsms", "TEXT", to.number, "-len", "400", "-unicode", "-textutf8", long())
	n.sentOnce(t, from, to.number, long(), 2)
	if got := gammu(t, to, "geteachsms", "-pbk"); !strings.Contains(got, long()) {
		t.Errorf("the message is not in\n%s", got)
	}
}
