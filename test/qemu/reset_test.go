package qemu_test

import (
	"regexp"
	"strings"
	"testing"

	"simpost/configs"
)

// resetUnit is the daemon's unit with another program in it: one that resets a modem.
const resetUnit = `[Service]
Type=oneshot
Restart=no
WatchdogSec=0
RuntimeDirectory=
ExecStart=
ExecStart=/usr/bin/simpost doctor --restart /dev/ttyUSB0
`

// reset resets the USB device of the first modem as the daemon does it, which comes to
// that only after minutes: as an unprivileged user, in a unit that refuses most devices.
// That it may is the udev rules' doing.
func (o *office) reset() {
	o.t.Helper()
	o.ruled("/dev/ttyUSB0", "660 simpost", "ID_MM_PORT_IGNORE=1")
	o.ruled(o.usbNode("ttyUSB0"), "664 simpost", "ID_MM_DEVICE_IGNORE=1")
	if said, _ := o.try("journalctl -u systemd-udevd --no-pager | grep 70-simpost"); said != "" {
		o.t.Errorf("udev does not understand the rules:\n%s", said)
	}
	mark := o.network.mark()
	o.run("cp /usr/lib/systemd/system/simpost.service /run/systemd/system/simpost-reset.service\n" +
		"mkdir /run/systemd/system/simpost-reset.service.d\n" +
		"cat >/run/systemd/system/simpost-reset.service.d/reset.conf <<'END'\n" + resetUnit + "END\n" +
		"systemctl daemon-reload\n" +
		"systemctl start simpost-reset || { journalctl -u simpost-reset --no-pager; exit 1; }")
	o.until("the kernel has reset it", "journalctl --dmesg | grep 'reset .* USB device'")
	o.network.sees(mark, `modem0 > "AT+CNMI=`)
}

// adapterRule is the line that our udev rules show to users for a modem behind an
// adapter, of the first modem. The second is reached by the group dialout.
func adapterRule(t *testing.T) string {
	t.Helper()
	example := regexp.MustCompile(`(?m)^# (SUBSYSTEMS==.*"A1B2C3".*)$`).FindStringSubmatch(configs.UdevRules)
	if example == nil {
		t.Fatal("the udev rules show no line for an adapter")
	}
	return strings.ReplaceAll(example[1], "A1B2C3", "SIMPOST0") + "\n"
}

// usbNode is the node of the USB device that a terminal belongs to.
func (o *office) usbNode(tty string) string {
	o.t.Helper()
	return strings.TrimSpace(o.run(`cd "$(readlink -f /sys/class/tty/` + tty + `/device/../..)" && printf /dev/bus/usb/%03d/%03d $(cat busnum devnum)`))
}

// ruled checks what the udev rules have made of a device.
func (o *office) ruled(node, rights, property string) {
	o.t.Helper()
	if got := strings.TrimSpace(o.run("stat -c '%a %G' " + node)); got != rights {
		o.t.Errorf("%s is %s, want %s", node, got, rights)
	}
	if said := o.run("udevadm info --query=property " + node); !strings.Contains(said, property+"\n") {
		o.t.Errorf("%s is not %s:\n%s", node, property, said)
	}
}
