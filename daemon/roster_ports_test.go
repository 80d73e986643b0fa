package daemon

import (
	"fmt"
	"testing"
	"time"

	"simpost/configs"
	"simpost/daemon/api"
	"simpost/hw"
)

// stickPort is a terminal of a stick that appears bit by bit.
type stickPort struct {
	role      string
	class     [3]int
	endpoints int
}

var (
	vendorSpecific = [3]int{0xff, 0xff, 0xff}
	bareHuawei     = []stickPort{{"dial-up", vendorSpecific, 3}, {"other", vendorSpecific, 2}, {"AT", vendorSpecific, 2}}
	numberedHuawei = []stickPort{{"dial-up", [3]int{0xff, 1, 1}, 3}, {"diagnostics", [3]int{0xff, 1, 3}, 2}, {"AT", [3]int{0xff, 1, 2}, 3}}
	unknownStick   = []stickPort{{"", vendorSpecific, 2}, {"", vendorSpecific, 2}, {"", vendorSpecific, 3}}
)

// appear lets the ports of a stick come one after the other, with gap between them.
// The modem a is behind the one numbered at; pending of its interfaces never get a driver.
func (u *usb) appear(place, id string, ports []stickPort, at int, gap time.Duration, pending int) {
	u.mu.Lock()
	u.number++
	node := fmt.Sprintf("/dev/bus/usb/001/%03d", u.number)
	for i := range ports {
		u.modems[fmt.Sprintf("/dev/ttyUSB%d", i)] = nil
	}
	u.modems[fmt.Sprintf("/dev/ttyUSB%d", at)] = u.w.modems["a"]
	u.w.modems["a"].Plug()
	u.mu.Unlock()
	for n := range ports {
		d := hw.Device{Place: place, Vendor: id[:4], Product: id[5:], Node: node, Pending: len(ports) - 1 - n + pending}
		for i, p := range ports[:n+1] {
			if p.class == vendorSpecific && p.role == "other" && i == n { // the last is taken for it, whichever it is
				p.role = "AT"
			}
			d.TTYs = append(d.TTYs, hw.TTY{Path: fmt.Sprintf("/dev/ttyUSB%d", i), Interface: i, Class: p.class, Role: p.role, Driver: "option", Endpoints: p.endpoints})
		}
		u.mu.Lock()
		u.devices[place] = d
		u.tell()
		u.mu.Unlock()
		if n < len(ports)-1 {
			time.Sleep(gap)
		}
	}
}

// Ports appear one after the other. What looks best at first may be for dial-up or
// diagnostics: only the AT port is opened, and as soon as it should be, at each re-plug.
func TestPortsAppearOneByOne(t *testing.T) {
	for name, stick := range map[string]struct {
		id    string
		ports []stickPort
	}{
		"of one class": {"12d1:1001", bareHuawei}, "numbered": {"12d1:1506", numberedHuawei}, "in no table": {"1bc7:ffff", unknownStick},
	} {
		for _, gap := range []time.Duration{time.Millisecond, 20 * time.Millisecond, 400 * time.Millisecond} {
			for _, pending := range []int{0, 1} {
				for _, device := range []string{"auto", "usb:1-1"} {
					t.Run(fmt.Sprintf("%s, %v, pending %d, %s", name, gap, pending, device), func(t *testing.T) {
						inUSBWorld(t, imeis()[:1], []configs.Modem{{Name: "office", Device: device}}, func(w *world, u *usb) {
							w.start()
							for range 2 {
								w.condition("office", api.CondNoDevice)
								u.appear("1-1", stick.id, stick.ports, 2, gap, pending)
								w.resumes("office", "353915030000013", 5*time.Second)
								if o := u.others("/dev/ttyUSB2"); len(o) > 0 {
									t.Errorf("opened as well: %v", o)
								}
								u.unplug("1-1")
							}
						})
					})
				}
			}
		}
	}
}

// Where nothing better can come nothing is waited for.
func TestAnAdapterIsAskedAtOnce(t *testing.T) {
	inUSBWorld(t, imeis()[:1], auto("office"), func(w *world, u *usb) {
		w.start()
		w.condition("office", api.CondNoDevice)
		time.Sleep(time.Second)
		u.adapter("a", "1-1.1", "/dev/ttyUSB0")
		time.Sleep(time.Millisecond)
		if u.times("/dev/ttyUSB0") == 0 {
			t.Error("an adapter with one port was not asked at once")
		}
	})
}

// A port with two endpoints is for diagnostics, or for AT: it is left alone while the
// others may only be booting, tried when they stay silent, and remembered if it answers.
func TestAPortThatMayBeForDiagnostics(t *testing.T) {
	ports := []stickPort{{"", vendorSpecific, 2}, {"", vendorSpecific, 3}, {"", vendorSpecific, 3}}
	for _, device := range []string{"auto", "usb:1-1"} {
		inUSBWorld(t, imeis()[:1], []configs.Modem{{Name: "office", Device: device}}, func(w *world, u *usb) {
			w.start()
			u.appear("1-1", "2c7c:ffff", ports, 2, 0, 0)
			w.modems["a"].PowerOff()
			time.Sleep(8 * time.Second)
			w.modems["a"].PowerOn()
			w.resumes("office", "353915030000013", 30*time.Second)
			if u.times("/dev/ttyUSB0") > 0 {
				t.Errorf("%s: a port that looks like one for diagnostics was opened while the modem booted", device)
			}
			u.unplug("1-1")
			w.condition("office", api.CondNoDevice)

			u.appear("1-1", "2c7c:ffff", ports, 0, 0, 0)
			w.resumes("office", "353915030000013", time.Minute)
			u.unplug("1-1")
			w.condition("office", api.CondNoDevice)
			u.appear("1-1", "2c7c:ffff", ports, 0, 0, 0)
			w.resumes("office", "353915030000013", 5*time.Second)
		})
	}
}

// A stick in no table that was silent for long is given to its supervisor with the port
// that is the likeliest: where that one stays silent the others are asked again.
func TestAnUnknownStickBootsForLong(t *testing.T) {
	ports := []stickPort{{"", vendorSpecific, 3}, {"", vendorSpecific, 3}, {"", vendorSpecific, 2}}
	for _, device := range []string{configs.Auto, "usb:1-1"} {
		for at := range ports {
			inUSBWorld(t, imeis()[:1], []configs.Modem{{Name: "office", Device: device}}, func(w *world, u *usb) {
				w.start()
				u.appear("1-1", "2c7c:ffff", ports, at, 0, 0)
				w.modems["a"].PowerOff()
				w.condition("office", api.CondSilent)
				w.modems["a"].PowerOn()
				w.condition("office", api.CondReady)
				if p := w.modem("office").Port; p != fmt.Sprintf("/dev/ttyUSB%d", at) {
					t.Errorf("%s: it is at %s, not at %d", device, p, at)
				}
			})
		}
	}
}
