package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"simpost/configs"
	"simpost/daemon/api"
	"simpost/hw"
	"simpost/modem/emulator"
)

// usb is the USB of a world: what is plugged in where, under which names.
type usb struct {
	w *world

	mu      sync.Mutex
	number  int
	devices map[string]hw.Device       // by place
	modems  map[string]*emulator.Modem // by terminal; nil: nothing answers there
	opened  map[string]int             // by terminal
	changed func()
	deaf    bool // the kernel does not tell
}

// inUSBWorld is a world whose modems are not plugged in yet.
func inUSBWorld(t *testing.T, modems []emulator.Config, configured []configs.Modem, body func(w *world, u *usb)) {
	t.Helper()
	inWorld(t, emulator.NetworkConfig{}, modems, func(w *world) {
		w.cfg.Modems = configured
		u := &usb{w: w, devices: map[string]hw.Device{}, modems: map[string]*emulator.Modem{}, opened: map[string]int{}}
		for _, m := range w.modems {
			m.Unplug()
		}
		w.tweak = func(d *Daemon) {
			d.Devices = hw.Source{Attached: u.attached, Watch: u.watch}
			d.Open = u.open
		}
		body(w, u)
	})
}

func (u *usb) attached() ([]hw.Device, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	var all []hw.Device
	for _, d := range u.devices {
		all = append(all, d)
	}
	return all, nil
}

func (u *usb) watch(ctx context.Context, changed func()) error {
	if u.deaf {
		return errors.New("no netlink here")
	}
	u.mu.Lock()
	u.changed = changed
	u.mu.Unlock()
	<-ctx.Done()
	return nil
}

func (u *usb) open(p hw.Port) (io.ReadWriteCloser, error) {
	u.mu.Lock()
	u.opened[p.Path]++
	m, there := u.modems[p.Path]
	u.mu.Unlock()
	if !there {
		return nil, &hw.OpenError{Path: p.Path, Condition: hw.NoDevice, Err: emulator.ErrUnplugged}
	}
	if m == nil {
		return &silentPort{done: make(chan struct{})}, nil
	}
	rwc, err := m.Open()
	if errors.Is(err, emulator.ErrInUse) {
		u.w.t.Errorf("%s was opened twice", p.Path)
	}
	if err != nil {
		return nil, &hw.OpenError{Path: p.Path, Condition: hw.NoDevice, Err: err}
	}
	return unpluggable{rwc}, nil
}

// tell is the kernel's event.
func (u *usb) tell() {
	if u.changed != nil && !u.deaf {
		u.changed()
	}
}

// plug puts a modem, or with "" something silent, into a place; its terminals get
// names from the number n on: a stick has its AT port as the third.
func (u *usb) plug(name, place string, n int) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.number++
	d := hw.Device{Place: place, Vendor: "2c7c", Product: "0125", Model: name, Node: fmt.Sprintf("/dev/bus/usb/001/%03d", u.number)}
	for i, role := range []string{"diagnostics", "GPS", "AT", "second AT"} {
		path := fmt.Sprintf("/dev/ttyUSB%d", n+i)
		d.TTYs = append(d.TTYs, hw.TTY{Path: path, Interface: i, Role: role})
		u.modems[path] = nil
		if role == "AT" && name != "" {
			u.modems[path] = u.w.modems[name]
		}
	}
	u.devices[place] = d
	if m := u.w.modems[name]; m != nil {
		m.Plug()
	}
	u.tell()
}

// adapter puts a USB-serial adapter there, with a modem or nothing behind it.
func (u *usb) adapter(name, place, path string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.number++
	u.devices[place] = hw.Device{Place: place, Vendor: "1a86", Product: "7523", Node: fmt.Sprintf("/dev/bus/usb/001/%03d", u.number),
		TTYs: []hw.TTY{{Path: path, Driver: "ch341"}}}
	u.modems[path] = u.w.modems[name]
	if m := u.w.modems[name]; m != nil {
		m.Plug()
	}
	u.tell()
}

func (u *usb) unplug(place string) {
	u.mu.Lock()
	d := u.devices[place]
	delete(u.devices, place)
	var gone []*emulator.Modem
	for _, t := range d.TTYs {
		gone = append(gone, u.modems[t.Path])
		delete(u.modems, t.Path)
	}
	u.tell()
	u.mu.Unlock()
	for _, m := range gone {
		if m != nil {
			m.Unplug()
		}
	}
}

// others are the terminals that were opened and are nobody's AT port.
func (u *usb) others(at ...string) []string {
	u.mu.Lock()
	defer u.mu.Unlock()
	var others []string
	for path := range u.opened {
		if !slices.Contains(at, path) {
			others = append(others, path)
		}
	}
	return others
}

// silentPort takes what is written and never says anything.
type silentPort struct {
	once sync.Once
	done chan struct{}
}

func (p *silentPort) Read([]byte) (int, error)    { <-p.done; return 0, io.EOF }
func (p *silentPort) Write(b []byte) (int, error) { return len(b), nil }
func (p *silentPort) Close() error                { p.once.Do(func() { close(p.done) }); return nil }

func (w *world) modem(name string) api.Modem {
	w.t.Helper()
	m, err := w.client.Modem(context.Background(), name)
	if err != nil {
		w.t.Fatalf("modem %s: %v", name, err)
	}
	return m
}

func auto(name string) []configs.Modem { return []configs.Modem{{Name: name, Device: configs.Auto}} }

func imeis() []emulator.Config {
	modems := twoModems()
	modems[0].IMEI, modems[1].IMEI = "353915030000013", "353915030000021"
	return modems
}

// A stick that is plugged in after the start is found, named, and works; only its
// AT port was opened.
func TestAutoFindsAModem(t *testing.T) {
	inUSBWorld(t, imeis(), auto("office"), func(w *world, u *usb) {
		w.start()
		w.condition("office", api.CondNoDevice)
		u.plug("a", "1-1.2", 0)
		w.condition("office", api.CondReady)
		if m := w.modem("office"); m.IMEI != "353915030000013" || m.Port != "/dev/ttyUSB2" || m.Device != "auto" {
			t.Errorf("%+v", m)
		}
		w.becomes(w.send(text("+4791000001", "hello")), api.Delivered, time.Minute)
		if o := u.others("/dev/ttyUSB2"); len(o) > 0 {
			t.Errorf("opened as well: %v", o)
		}
	})
}

// resumes measures the bubble's time from an event to a modem's readiness.
func (w *world) resumes(name string, imei string, limit time.Duration) {
	w.t.Helper()
	began := time.Now()
	for time.Since(began) < limit {
		synctest.Wait()
		if m, err := w.client.Modem(context.Background(), name); err == nil && m.Condition.Code == api.CondReady && m.IMEI == imei && m.Port != "" {
			w.t.Logf("%s resumed after %v", name, time.Since(began))
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	w.t.Fatalf("%s has not resumed with %s after %v: %+v", name, imei, limit, w.modem(name))
}

// Two sticks keep their names whatever the kernel calls their terminals, and
// wherever they are plugged in, over a restart too.
func TestNamesStayWithTheStick(t *testing.T) {
	inUSBWorld(t, imeis(), auto("office"), func(w *world, u *usb) {
		w.start()
		u.plug("a", "1-1.2", 0)
		w.condition("office", api.CondReady)
		u.plug("b", "1-1.3", 4)
		w.resumes("office-2", "353915030000021", 5*time.Second)

		u.unplug("1-1.2")
		u.unplug("1-1.3")
		w.condition("office", api.CondNoDevice)
		w.condition("office-2", api.CondNoDevice)
		u.plug("b", "1-1.2", 0) // names and places swapped
		u.plug("a", "1-1.3", 4)
		w.resumes("office", "353915030000013", 5*time.Second)
		w.resumes("office-2", "353915030000021", 5*time.Second)

		w.halt()
		u.unplug("1-1.2")
		u.unplug("1-1.3")
		w.start()
		u.plug("b", "2-1", 0) // alone, and first
		w.resumes("office-2", "353915030000021", 5*time.Second)
		if m := w.modem("office"); m.Condition.Code != api.CondNoDevice {
			t.Errorf("office is %s", m.Condition.Code)
		}
	})
}
