package peers_test

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf16"
)

// TestSMSD runs smstools' daemon. It asks for no delivery by itself: the init
// line, and the first place of the memory, are for its user to know.
func TestSMSD(t *testing.T) {
	t.Parallel()
	need(t, "smstools", "smsd")
	for profile, settings := range map[string]string{
		"generic":      "init = AT+CNMI=2,1,0,1",
		"sim800":       "init = AT+CNMI=2,1,0,1",
		"huawei":       "init = AT+CNMI=1,1,0,1\nmemory_start = 0",
		"quectel-ec25": "init = AT+CNMI=2,1,0,1\nmemory_start = 0",
	} {
		t.Run(profile, func(t *testing.T) {
			t.Parallel()
			smsd(t, emulate(t, 1, profile), settings)
		})
	}
}

// smsd sends, receives the echo, and a report.
func smsd(t *testing.T, n *network, settings string) {
	m, dir := n.modems[0], t.TempDir()
	for _, name := range []string{"outgoing", "checked", "failed", "incoming", "sent", "report"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	config := write(t, dir, "smsd.conf", strings.NewReplacer("DIR", dir, "DEVICE", m.link, "SETTINGS", settings).Replace(`
devices = GSM1
outgoing = DIR/outgoing
checked = DIR/checked
failed = DIR/failed
incoming = DIR/incoming
sent = DIR/sent
report = DIR/report
pidfile = DIR/pid
infofile = DIR/info
logfile = 1
loglevel = 6
receive_before_send = no
autosplit = 3
delaytime = 1
delaytime_mainprocess = 1
errorsleeptime = 1
[GSM1]
device = DEVICE
incoming = yes
baudrate = 115200
rtscts = no
check_network = 0
poll_faster = 50
SETTINGS
`))
	start(t, "smsd", "-t", "-c"+config)
	n.expect(t, n.err, "AT+CPMS?") // its first look for messages
	before := n.commands(m)
	number, body := strings.TrimPrefix(echo, "+"), bigEndian(long())
	draft := write(t, dir, "draft", "To: "+number+"\nAlphabet: UCS2\nReport: yes\n\n"+body)
	if err := os.Rename(draft, filepath.Join(dir, "outgoing", "draft")); err != nil {
		t.Fatal(err)
	}
	n.sentOnce(t, m, echo, long(), 2)
	spooled(t, dir, "sent", 1, "To: "+number)
	spooled(t, dir, "incoming", 1, "From: "+number, body)
	spooled(t, dir, "report", 2, "SMS STATUS REPORT", "Status: 0,Ok")
	t.Logf("smsd: %d AT commands to start, %d for 2 parts out, 2 in, 2 reports", before, n.commands(m)-before)
	n.sentOnce(t, m, echo, long(), 2)
	if failed, _ := os.ReadDir(filepath.Join(dir, "failed")); len(failed) > 0 {
		t.Errorf("smsd says that it failed to send")
	}
}

// bigEndian is a text in UCS-2, as smsd keeps it in its files and Kannel passes it on, when GSM 7-bit is not enough.
func bigEndian(text string) string {
	var b []byte
	for _, unit := range utf16.Encode([]rune(text)) {
		b = binary.BigEndian.AppendUint16(b, unit)
	}
	return string(b)
}

// spooled waits for files in a folder, each of which has all the texts.
func spooled(t *testing.T, dir, folder string, files int, texts ...string) {
	t.Helper()
	eventually(t, fmt.Sprintf("%d files in %s with %q", files, folder, texts), func() bool {
		names, _ := filepath.Glob(filepath.Join(dir, folder, "*"))
		found := 0
		for _, name := range names {
			file, err := os.ReadFile(name)
			if err != nil {
				return false
			}
			for _, text := range texts {
				if !strings.Contains(string(file), text) {
					return false
				}
			}
			found++
		}
		return found == files
	})
}
