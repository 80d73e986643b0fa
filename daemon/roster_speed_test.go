package daemon

import (
	"fmt"
	"testing"
	"time"

	"simpost/configs"
	"simpost/daemon/api"
	"simpost/modem/emulator"
)

// A modem behind an adapter is found at whatever speed it has, and after a re-plug at once.
func TestAskedAtEverySpeed(t *testing.T) {
	devices := map[string][]int{configs.Auto: speeds, "imei:353915030000013": {57600}, "iccid:89470000000000000031": {57600}}
	for device, speeds := range devices {
		for _, baud := range speeds {
			t.Run(fmt.Sprintf("%s %d", device, baud), func(t *testing.T) {
				modems := []emulator.Config{{Name: "a", IMEI: "353915030000013", ICCID: "89470000000000000031", OnlyAt: baud}}
				inUSBWorld(t, modems, []configs.Modem{{Name: "office", Device: device}}, func(w *world, u *usb) {
					w.start()
					u.adapter("a", "1-1.1", "/dev/ttyUSB0")
					w.within(4*time.Minute, "the speed is found", func() bool { return w.can("office") })
					u.unplug("1-1.1")
					w.condition("office", api.CondNoDevice)
					u.adapter("a", "1-1.1", "/dev/ttyUSB0")
					w.resumes("office", "353915030000013", 5*time.Second)
				})
			})
		}
	}
}

// One at a usual speed that still boots is not kept waiting by the unusual ones.
func TestAskedWhileItBoots(t *testing.T) {
	for _, baud := range []int{115200, 9600} {
		inUSBWorld(t, []emulator.Config{{Name: "a", IMEI: "353915030000013", OnlyAt: baud}}, auto("office"), func(w *world, u *usb) {
			w.start()
			u.adapter("a", "1-1.1", "/dev/ttyUSB0")
			w.modems["a"].PowerOff()
			time.Sleep(10 * time.Second)
			w.modems["a"].PowerOn()
			w.resumes("office", "353915030000013", 12*time.Second)
		})
	}
}

// The speed of an answer stays the first to be asked at, as where a card is waited for.
func TestACardComesBehindAnAdapter(t *testing.T) {
	for wait := range 3 { // in which of the three turns it comes
		modems := imeis()
		modems[0].ICCID, modems[0].OnlyAt, modems[1].ICCID = "89470000000000000023", 57600, "89470000000000000031"
		inUSBWorld(t, modems, []configs.Modem{{Name: "card", Device: "iccid:89470000000000000031"}}, func(w *world, u *usb) {
			w.start()
			u.adapter("a", "1-1.1", "/dev/ttyUSB0")
			time.Sleep(2*time.Minute + time.Duration(wait)*youngFor)
			w.modems["a"].RemoveSIM()
			w.modems["a"].InsertSIM(w.modems["b"].RemoveSIM())
			w.resumes("card", "353915030000013", youngFor+5*time.Second)
		})
	}
}
