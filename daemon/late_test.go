package daemon

import (
	"fmt"
	"testing"
	"time"

	"simpost/configs"
)

// A modem that begins to answer long after it was plugged in resumes as soon as it
// does, however long that took.
func TestALateModemResumes(t *testing.T) {
	modems := imeis()
	modems[0].ICCID = "89470000000000000031"
	for _, device := range []string{"imei:" + modems[0].IMEI, "iccid:" + modems[0].ICCID} {
		for _, late := range []time.Duration{10 * time.Second, 100 * time.Second, 402 * time.Second, 1003 * time.Second, 3 * time.Hour} {
			t.Run(fmt.Sprint(device, " after ", late), func(t *testing.T) {
				inUSBWorld(t, modems, []configs.Modem{{Name: "office", Device: device}}, func(w *world, u *usb) {
					w.start()
					u.plug("a", "1-1", 0)
					w.modems["a"].PowerOff()
					time.Sleep(late)
					w.modems["a"].PowerOn()
					w.resumes("office", modems[0].IMEI, 5*time.Second)
				})
			})
		}
	}
}
