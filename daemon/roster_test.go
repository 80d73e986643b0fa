package daemon

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
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
	granted time.Time // the use of all of them
	deaf    bool      // the kernel does not tell
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
	early := time.Now().Before(u.granted)
	u.mu.Unlock()
	if !there {
		return nil, &hw.OpenError{Path: p.Path, Condition: hw.NoDevice, Err: emulator.ErrUnplugged}
	}
	if early {
		return nil, &hw.OpenError{Path: p.Path, Condition: hw.NoPermission, Err: os.ErrPermission}
	}
	if m == nil {
		return &silentPort{done: make(chan struct{})}, nil
	}
	rwc, err := m.OpenAt(cmp.Or(p.Baud, hw.DefaultBaud))
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

// Adapters are asked too; one with nothing behind it is left alone more and more,
// whoever is missing, and is nobody's.
func TestAdaptersAreAskedSeldom(t *testing.T) {
	for _, device := range []string{"auto", "imei:353915030000013"} {
		inUSBWorld(t, imeis(), []configs.Modem{{Name: "office", Device: device}}, func(w *world, u *usb) {
			u.adapter("", "1-1.1", "/dev/ttyUSB0")
			w.start()
			time.Sleep(30 * time.Second)
			young := u.times("/dev/ttyUSB0")
			if young < 3 || young > 12 {
				t.Errorf("asked %d times in the first half minute", young)
			}
			time.Sleep(time.Hour)
			hour := u.times("/dev/ttyUSB0") - young
			if hour > 40 {
				t.Errorf("asked %d times in the hour after", hour)
			}
			if m := w.modem("office"); m.Condition.Code != api.CondNoDevice || m.Port != "" || !strings.Contains(m.LastError.Message, "1 did not answer") {
				t.Errorf("%+v %+v", m, m.LastError)
			}
			u.adapter("a", "1-1.2", "/dev/ttyUSB1")
			w.resumes("office", "353915030000013", 5*time.Second)
		})
	}
}

func (u *usb) times(path string) int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.opened[path]
}

// What the configuration names goes to its name, and the rest to the automatic one.
func TestNamedModemsGoFirst(t *testing.T) {
	modems := append(imeis(), emulator.Config{Name: "c", IMEI: "353915030000039", ICCID: "89470000000000000031"},
		emulator.Config{Name: "d", IMEI: "353915030000047"})
	configured := append(auto("rest"), configs.Modem{Name: "spare", Device: "imei:353915030000021"},
		configs.Modem{Name: "card", Device: "iccid:8947000000000000003"}, configs.Modem{Name: "hub", Device: "usb:1-4"})
	inUSBWorld(t, modems, configured, func(w *world, u *usb) {
		for i, name := range []string{"a", "b", "c", "d"} {
			u.plug(name, fmt.Sprintf("1-%d", i+1), 4*i)
		}
		w.start()
		for name, imei := range map[string]string{"rest": modems[0].IMEI, "spare": modems[1].IMEI, "card": modems[2].IMEI, "hub": modems[3].IMEI} {
			w.condition(name, api.CondReady)
			if got := w.modem(name).IMEI; got != imei {
				t.Errorf("%s has %s, want %s", name, got, imei)
			}
		}
		if all, err := w.client.Modems(context.Background()); err != nil || len(all) != 4 {
			t.Errorf("%d modems, %v", len(all), err)
		}
	})
}

// A SIM card that moves to another stick takes its name along, and what was sent
// with it is still matched to its report.
func TestACardMovesToAnotherStick(t *testing.T) {
	configured := append(auto("rest"), configs.Modem{Name: "card", Device: "iccid:89470000000000000031"})
	modems := imeis()
	modems[0].ICCID = "89470000000000000031"
	inUSBWorld(t, modems, configured, func(w *world, u *usb) {
		w.start()
		u.plug("a", "1-1", 0)
		w.resumes("card", "353915030000013", 5*time.Second)
		u.plug("b", "1-2", 4)
		w.resumes("rest", "353915030000021", 5*time.Second)

		u.unplug("1-1")
		u.unplug("1-2")
		card := w.modems["a"].RemoveSIM()
		w.modems["a"].InsertSIM(w.modems["b"].RemoveSIM())
		w.modems["b"].InsertSIM(card)
		u.plug("a", "1-1", 0)
		u.plug("b", "1-2", 4)
		w.resumes("card", "353915030000021", 5*time.Second)
		w.resumes("rest-2", "353915030000013", 5*time.Second)
	})
}

// A stick that says nothing is shown with what is wrong under the name it most
// likely has, and gets its own as soon as it speaks.
func TestASilentStickIsShown(t *testing.T) {
	inUSBWorld(t, imeis(), auto("office"), func(w *world, u *usb) {
		w.start()
		u.plug("a", "1-1", 0)
		w.condition("office", api.CondReady)
		u.plug("b", "1-2", 4)
		w.condition("office-2", api.CondReady)
		u.unplug("1-1")
		u.unplug("1-2")
		w.condition("office", api.CondNoDevice)
		u.plug("b", "1-1", 0)
		w.modems["b"].PowerOff()
		w.condition("office", api.CondSilent) // the first free name
		w.modems["b"].PowerOn()
		w.condition("office-2", api.CondReady)
		w.condition("office", api.CondNoDevice)
		u.plug("a", "1-3", 4)
		w.resumes("office", "353915030000013", 5*time.Second)
	})
}

// A clone has the IMEI of another stick: both are used.
func TestTwoSticksWithOneIMEI(t *testing.T) {
	modems := imeis()
	modems[1].IMEI = modems[0].IMEI
	inUSBWorld(t, modems, auto("office"), func(w *world, u *usb) {
		w.start()
		u.plug("a", "1-1", 0)
		u.plug("b", "1-2", 4)
		w.condition("office", api.CondReady)
		w.condition("office-2", api.CondReady)
	})
}

// Where the kernel may not be heard, sticks are found all the same.
func TestWithoutTheKernelsEvents(t *testing.T) {
	inUSBWorld(t, imeis(), auto("office"), func(w *world, u *usb) {
		u.deaf = true
		w.start()
		w.condition("office", api.CondNoDevice)
		for range 3 {
			u.plug("a", "1-1", 0)
			w.resumes("office", "353915030000013", 5*time.Second)
			u.unplug("1-1")
			w.condition("office", api.CondNoDevice)
		}
	})
}

// A path that the kernel gave follows its stick; names that swap swap nothing.
func TestAKernelsNameFollowsItsStick(t *testing.T) {
	configured := []configs.Modem{{Name: "north", Device: "/dev/ttyUSB2"}, {Name: "south", Device: "/dev/ttyUSB6"}}
	inUSBWorld(t, imeis(), configured, func(w *world, u *usb) {
		u.plug("a", "1-1", 0)
		u.plug("b", "1-2", 4)
		w.start()
		w.resumes("north", "353915030000013", 5*time.Second)
		w.resumes("south", "353915030000021", 5*time.Second)

		u.unplug("1-1")
		u.plug("a", "1-1", 8)
		w.resumes("north", "353915030000013", 5*time.Second)
		if m := w.modem("north"); m.Port != "/dev/ttyUSB10" {
			t.Errorf("north is at %s", m.Port)
		}
		u.unplug("1-1")
		u.unplug("1-2")
		w.condition("north", api.CondNoDevice)
		u.plug("b", "1-2", 0)
		u.plug("a", "1-1", 4)
		w.resumes("north", "353915030000013", 5*time.Second)
		w.resumes("south", "353915030000021", 5*time.Second)

		// Another stick, in another place, under the name that is in the configuration.
		u.unplug("1-1")
		w.condition("north", api.CondNoDevice)
		u.unplug("1-2")
		w.condition("south", api.CondNoDevice)
		u.plug("b", "1-3", 0)
		w.resumes("north", "353915030000021", 5*time.Second)
	})
}

// The use of a device is granted a moment after it is there.
func TestRightsComeLate(t *testing.T) {
	for _, device := range []string{"auto", "usb:1-1", "imei:353915030000013"} {
		inUSBWorld(t, imeis(), []configs.Modem{{Name: "office", Device: device}}, func(w *world, u *usb) {
			w.start()
			w.condition("office", api.CondNoDevice)
			u.mu.Lock()
			u.granted = time.Now().Add(3 * time.Second)
			u.mu.Unlock()
			u.plug("a", "1-1", 0)
			w.resumes("office", "353915030000013", 5*time.Second)
			events, err := w.daemon.store.Events(0, 1000)
			if err != nil || slices.ContainsFunc(events, func(e api.Event) bool { return e.State == string(api.CondNoPermission) }) {
				t.Errorf("%s: no-permission was told, %v", device, err)
			}
		})
	}
}

// Pulled and plugged in again while messages go out, under other names each time:
// the network has each message once, or the second copy is marked as one.
func TestReplugsWhileSending(t *testing.T) {
	inUSBWorld(t, imeis(), auto("office"), func(w *world, u *usb) {
		w.start()
		phone := w.net.NewPhone(emulator.PhoneConfig{Number: "+4791000001"})
		u.plug("a", "1-1", 0)
		u.plug("b", "1-2", 4)
		w.condition("office", api.CondReady)
		w.condition("office-2", api.CondReady)
		j := &judge{w: w}
		for round := range 12 {
			j.send([]string{"office", "office-2"}[round%2], phone.Number(), round)
			time.Sleep(time.Duration(round) * 137 * time.Millisecond)
			u.unplug("1-1")
			u.unplug("1-2")
			time.Sleep(time.Second)
			u.plug("a", []string{"1-1", "1-2"}[round%2], 4*(round%3))
			u.plug("b", []string{"1-2", "1-1"}[round%2], 4*(round%3+1))
			w.resumes("office", "353915030000013", 5*time.Second)
			w.resumes("office-2", "353915030000021", 5*time.Second)
		}
		w.within(afterwards, "all is settled", func() bool { return j.settled("replug") })
		j.verdict("replug")
		for i, id := range j.ids {
			want := []string{"office", "office-2"}[i%2]
			for _, a := range w.get(id).Attempts {
				if a.Modem != want {
					t.Errorf("message %s for %s left by %s", id, want, a.Modem)
				}
			}
		}
	})
}

// A device that the kernel lists and nobody can open is tried ever more seldom,
// and its owner says what is wrong.
func TestADeviceThatCannotBeOpened(t *testing.T) {
	for _, device := range []string{"auto", "usb:1-1", "/dev/ttyUSB2", "imei:353915030000013"} {
		inUSBWorld(t, imeis(), []configs.Modem{{Name: "office", Device: device}}, func(w *world, u *usb) {
			u.plug("a", "1-1", 0)
			u.modems = map[string]*emulator.Modem{}
			w.start()
			time.Sleep(time.Minute)
			young := u.times("/dev/ttyUSB2")
			time.Sleep(time.Hour)
			if hour := u.times("/dev/ttyUSB2") - young; young > 100 || hour > 100 {
				t.Errorf("%s: opened %d times in a minute, %d in the hour after", device, young, hour)
			}
			if m := w.modem("office"); m.Condition.Code != api.CondNoDevice || m.LastError == nil {
				t.Errorf("%s: %+v", device, m.Condition)
			}
		})
	}
}
