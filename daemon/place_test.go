package daemon

import (
	"io"
	"testing"
	"time"

	"simpost/daemon/api"
	"simpost/hw"
)

// Who has a port that the daemon can't open is found by the port, so that is told
// between the tries too; and a modem that has left the bus is restarted by its place.
func TestWhereAModemIsIsTold(t *testing.T) {
	inUSBWorld(t, imeis(), auto("office"), func(w *world, u *usb) {
		usual := w.tweak
		w.tweak = func(d *Daemon) {
			usual(d)
			d.Open = func(p hw.Port) (io.ReadWriteCloser, error) {
				return nil, &hw.OpenError{Path: p.Path, Condition: hw.PortBusy, Err: io.ErrClosedPipe}
			}
		}
		u.plug("a", "1-1.2", 0)
		w.start()
		w.condition("office", api.CondPortBusy)
		time.Sleep(time.Second) // it waits for the next try
		if m := w.modem("office"); m.Port != "/dev/ttyUSB2" || m.Place != "1-1.2" {
			t.Errorf("busy: port %q, place %q", m.Port, m.Place)
		}
		u.unplug("1-1.2")
		w.within(10*time.Minute, "it is gone", func() bool { return w.modem("office").Condition.Code == api.CondNoDevice })
		if m := w.modem("office"); m.Port != "" || m.Place != "1-1.2" {
			t.Errorf("gone: port %q, place %q", m.Port, m.Place)
		}
	})
}
