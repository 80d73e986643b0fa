package daemon

import (
	"slices"
	"testing"
	"time"

	"simpost/configs"
	"simpost/daemon/api"
)

// A module that is on the bus long before it says anything, as some are, is at work within 5 s of its own word that it is
// ready.
func TestModemResumesAfterALongBoot(t *testing.T) {
	for _, device := range []string{"usb:1-1", "/dev/ttyUSB2", "imei:353915030000013", "auto"} {
		for _, off := range []time.Duration{5, 10, 20, 40, 50, 110} {
			modems := imeis()[:1]
			modems[0].Profile = "sim7600"
			inUSBWorld(t, modems, []configs.Modem{{Name: "office", Device: device}}, func(w *world, u *usb) {
				w.start()
				u.plug("a", "1-1", 0)
				w.condition("office", api.CondReady)
				u.unplug("1-1")
				w.condition("office", api.CondNoDevice)

				u.plug("a", "1-1", 0)
				w.modems["a"].PowerOff()
				time.Sleep(off * time.Second)
				before := len(w.modems["a"].Transcript())
				w.modems["a"].PowerOn()
				w.within(time.Minute, "the modem says that it is ready", func() bool {
					return slices.Contains(w.modems["a"].Transcript()[before:], "< SMS DONE")
				})
				w.resumes("office", "353915030000013", 5*time.Second)
			})
		}
	}
}
