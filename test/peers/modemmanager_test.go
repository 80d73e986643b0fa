package peers_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// policyDaemon is in nobody's PATH.
const policyDaemon = "/usr/lib/polkit-1/polkitd"

// TestModemManager runs ModemManager, which asks a modem more than anybody else
// does: it probes it, enables it, sends, receives and gets the reports. It takes a
// pseudo-terminal for no modem, but a unix socket for one. Bus, policy daemon and
// modem are its own, and without udev it looks for no other.
func TestModemManager(t *testing.T) {
	t.Parallel()
	need(t, "modemmanager", "ModemManager", "mmcli")
	need(t, "dbus-daemon", "dbus-daemon")
	need(t, "systemd", "busctl")
	need(t, "polkitd", policyDaemon)
	if os.Getuid() != 0 {
		asRoot(t, "polkit lets nobody but root enable a modem without asking a person")
		return
	}
	// Without udev it can't know whose modem it is, and takes every one for anybody's: Huawei's announce nothing then.
	for profile, announces := range map[string]bool{"generic": true, "sim800": true, "huawei": false, "quectel-ec25": true} {
		t.Run(profile, func(t *testing.T) {
			t.Parallel()
			manage(t, profile, announces)
		})
	}
}

// asRoot runs the whole test again in a process of root's, which starts and ends all
// that belongs to it, if sudo asks for no password.
func asRoot(t *testing.T, why string) {
	t.Helper()
	if err := exec.Command("sudo", "-n", "true").Run(); err != nil {
		lacking(t, fmt.Sprintf("%s, and `sudo -n true` fails (%v): run the test as root, or let this user use sudo without a password", why, err))
	}
	out, err := exec.Command("sudo", "-n", "env", "PATH="+os.Getenv("PATH"), built+"=1", required+"="+os.Getenv(required),
		os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v", "-test.timeout=10m").CombinedOutput()
	if err != nil {
		t.Fatalf("as root: %v\n%s", err, out)
	}
	t.Logf("as root:\n%s", out)
}

func manage(t *testing.T, profile string, announces bool) {
	n := emulateOn(t, 1, profile, "--unix", "@abstract:"+filepath.Join(t.TempDir(), "modem%d"))
	modem, mm := n.modems[0], startManager(t)
	mm.adopt(t, strings.TrimPrefix(modem.link, "@"))
	mm.ask(t, nil, "--modem=0", "--enable")
	var found struct {
		Modem struct {
			GSM struct {
				IMEI, Operator string
				Registration   string `json:"registration-state"`
			} `json:"3gpp"`
		}
	}
	mm.ask(t, &found, "--modem=0")
	if found.Modem.GSM.IMEI == "--" {
		t.Errorf("ModemManager found no IMEI: %+v", found)
	}

	// ModemManager 1.20 overlooks a message that is announced while it reads another, as the parts of a quick echo are.
	text, parts := "Grüße aus Москва, 日本語 🚀", 1
	if !announces {
		text, parts = long(), 2
	}
	draft := mm.ask(t, nil, "--modem=0", fmt.Sprintf("--messaging-create-sms=number='%s',delivery-report-request=yes,text='%s'", echo, text))
	mm.ask(t, nil, "--sms="+draft[strings.LastIndex(draft, "/")+1:], "--send")
	n.sentOnce(t, modem, echo, text, parts)
	if announces {
		mm.received(t, text)
		n.sentOnce(t, modem, echo, text, parts)
	}
}

// manager is a ModemManager, and the variable that names its bus.
type manager struct{ bus string }

// startManager starts a bus, the policy daemon and ModemManager.
func startManager(t *testing.T) manager {
	t.Helper()
	dir := t.TempDir()
	address := "unix:abstract=" + dir // polkitd, which is nobody, can't go through the folder itself
	config := write(t, dir, "bus.conf", `<busconfig>
	<type>system</type>
	<listen>`+address+`</listen>
	<auth>EXTERNAL</auth>
	<policy context="default">
		<allow user="*"/><allow own="*"/><allow send_destination="*"/><allow receive_sender="*"/>
	</policy>
</busconfig>`)
	start(t, "dbus-daemon", "--nofork", "--config-file="+config)
	mm := manager{"DBUS_SYSTEM_BUS_ADDRESS=" + address}
	onBus := func(name string) func() bool {
		return func() bool { return exec.Command("env", mm.bus, "busctl", "status", name).Run() == nil }
	}
	eventually(t, "the bus is there", onBus("org.freedesktop.DBus"))
	start(t, "env", mm.bus, policyDaemon, "--no-debug")
	eventually(t, "polkitd is on the bus", onBus("org.freedesktop.PolicyKit1"))
	start(t, "env", mm.bus, "ModemManager", "--no-auto-scan", "--test-enable", "--test-no-udev", "--test-no-suspend-resume")
	return mm
}

// adopt makes a socket a port of a modem, and waits until that has been probed.
func (m manager) adopt(t *testing.T, socket string) {
	t.Helper()
	const service, path = "org.freedesktop.ModemManager1", "/org/freedesktop/ModemManager1"
	eventually(t, "ModemManager takes the port", func() bool {
		return exec.Command("env", m.bus, "busctl", "call", service, path, service+".Test",
			"SetProfile", "ssas", "stick", "generic", "1", socket).Run() == nil
	})
	eventually(t, "ModemManager has probed the modem", func() bool {
		var all struct {
			Modems []string `json:"modem-list"`
		}
		m.ask(t, &all, "--list-modems")
		return len(all.Modems) == 1
	})
}

// ask runs mmcli and reads what it answers in JSON, if that is wanted.
func (m manager) ask(t *testing.T, answer any, args ...string) string {
	t.Helper()
	args = append([]string{m.bus, "mmcli"}, args...)
	if answer == nil {
		return run(t, "env", args...)
	}
	out := run(t, "env", append(args, "--output-json")...)
	if err := json.Unmarshal([]byte(out), answer); err != nil {
		t.Fatalf("mmcli %s says %q: %v", strings.Join(args, " "), out, err)
	}
	return out
}

// received waits for the echo of what was sent, and its report.
func (m manager) received(t *testing.T, text string) {
	t.Helper()
	eventually(t, "ModemManager has the echo and a report", func() bool {
		echoes, reports := 0, 0
		var list struct {
			SMS []string `json:"modem.messaging.sms"`
		}
		m.ask(t, &list, "--modem=0", "--messaging-list-sms")
		for _, path := range list.SMS {
			var found struct{ SMS managed }
			m.ask(t, &found, "--sms="+path[strings.LastIndex(path, "/")+1:])
			switch s := found.SMS; {
			case s.Properties.PDU == "deliver" && s.Content.Number == echo && s.Content.Text == text:
				echoes++
			case s.Properties.PDU == "status-report" && s.Properties.Delivery == "completed-received":
				reports++
			}
		}
		return echoes == 1 && reports == 1
	})
}

// managed is what mmcli says of an SMS.
type managed struct {
	Content    struct{ Number, Text string }
	Properties struct {
		PDU      string `json:"pdu-type"`
		Delivery string `json:"delivery-state"`
	}
}
