package daemon

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"simpost/daemon/api"
	"simpost/hw"
	"simpost/modem/emulator"
)

// Everything that a diagnosis can find, provoked, with its sentence in the answer
// of the API.
func TestFindings(t *testing.T) {
	provoked := map[api.ConditionCode]bool{}
	for _, c := range findingCases {
		provoked[c.want] = true
		t.Run(string(c.want), func(t *testing.T) {
			inWorld(t, emulator.NetworkConfig{}, []emulator.Config{{Name: "a"}}, func(w *world) {
				if c.before != nil {
					c.before(w, w.modems["a"])
				}
				w.start()
				if c.after != nil {
					w.condition("a", api.CondReady)
					c.after(w, w.modems["a"])
				}
				d := w.finds("a", c.want)
				if d.Sentence != findingWords[c.want].sentence && c.sentence == "" || !strings.Contains(d.Sentence, c.sentence) {
					t.Errorf("it says %q", d.Sentence)
				}
				if d.Remedy == "" || !strings.Contains(d.Detail, c.detail) {
					t.Errorf("remedy %q, detail %q; want %q", d.Remedy, d.Detail, c.detail)
				}
			})
		})
	}
	for code := range findingWords {
		if !provoked[code] {
			t.Errorf("nothing provokes the finding %s", code)
		}
	}
}

// finds waits until the diagnosis of a modem holds a code.
func (w *world) finds(name string, code api.ConditionCode) (found api.Diagnosis) {
	w.t.Helper()
	w.watches(10*time.Minute, 100*time.Millisecond, name+" is diagnosed as "+string(code), func() bool { // some are for a second only
		m, err := w.client.Modem(context.Background(), name)
		i := slices.IndexFunc(m.Diagnosis, func(d api.Diagnosis) bool { return d.Code == code })
		if err == nil && i >= 0 {
			found = m.Diagnosis[i]
		}
		return err == nil && i >= 0
	})
	return found
}

type findingCase struct {
	want             api.ConditionCode
	before, after    func(*world, *emulator.Modem)
	sentence, detail string // parts of it
}

var findingCases = []findingCase{
	{want: api.FindModemManager, before: func(w *world, _ *emulator.Modem) {
		w.ports = map[string]func() (io.ReadWriteCloser, error){"a": func() (io.ReadWriteCloser, error) {
			return nil, &hw.OpenError{Path: "a", Condition: hw.PortBusy, Holder: hw.ModemManager, PID: 4711, Err: errors.New("busy")}
		}}
	}, sentence: "ModemManager (pid 4711) holds the device", detail: "open a"},
	{want: api.FindCDROM, before: attached("12d1", "1446", "08"), detail: "Mobile Stick (12d1:1446) at 1-1"},
	{want: api.FindNetworkCard, before: attached("12d1", "14dc", "e0"), detail: "Mobile Stick (12d1:14dc) at 1-1"},
	{want: api.FindNoDriver, before: attached("2c7c", "6007", "ff", "ff"), detail: "Mobile Stick (2c7c:6007) at 1-1"},
	{want: api.FindLTE, after: func(w *world, m *emulator.Modem) {
		if err := m.Fault("send.cms-500", emulator.FaultConfig{Times: 2}); err != nil {
			w.t.Fatal(err)
		}
		w.send(text("+4791000001", "hello"))
		w.send(text("+4791000002", "hello"))
	}, detail: "2 messages in a row failed on lte"},
	{want: api.FindHand, before: func(w *world, _ *emulator.Modem) {
		w.tweak = func(d *Daemon) { d.Hands.Root = plugged(w.t) }
	}, after: func(w *world, m *emulator.Modem) { fault(w, m, "life.deaf-power", 0) }, detail: "usb-reset by "},
	{want: api.FindUsedUp, before: func(w *world, _ *emulator.Modem) { (&outside{}).inReach(w) },
		after: func(w *world, m *emulator.Modem) {
			fault(w, m, "life.deaf-power", 0)
			time.Sleep(time.Hour)
		}},
	{want: api.FindFilling, after: func(w *world, m *emulator.Modem) {
		if err := m.Fault("storage.delete-fails", emulator.FaultConfig{Times: 1e6}); err != nil {
			w.t.Fatal(err)
		}
		p := w.net.NewPhone(emulator.PhoneConfig{})
		for i := range 25 { // a generic SIM has 30 places
			p.Send(m.Number(), strings.Repeat("x", i+1))
		}
	}, detail: "of 30"},
	{want: api.FindPINFile, before: func(w *world, m *emulator.Modem) {
		withPIN("0000")(w, m)
		if err := os.Chmod(w.cfg.Modems[0].PINFile, 0o644); err != nil {
			w.t.Fatal(err)
		}
	}, detail: "pin has mode 0644"},
	{want: api.FindWeak, before: instead("+CSQ: 21,", "+CSQ: 2,"), detail: "-109 dBm"},
	{want: api.FindUnderVoltage, before: machine("sys/devices/platform/soc/soc:firmware/get_throttled", "50005\n")},
	{want: api.FindUnderVoltage, before: machine("sys/class/hwmon/hwmon0/name", "rpi_volt\n", "sys/class/hwmon/hwmon0/in0_lcrit_alarm", "1\n")},
	{want: api.FindWasLow, before: machine("sys/devices/platform/soc/soc:firmware/get_throttled", "50000\n")},
	{want: api.FindClock, before: func(w *world, _ *emulator.Modem) {
		w.tweak = func(d *Daemon) {
			d.Synced = func() bool { return false }
			d.Wall = func() time.Time { return time.Unix(0, 0) }
		}
	}},
}

// What the system knows of a port that it does not open, the group say, is the remedy.
func TestTheDiagnosisNamesTheGroup(t *testing.T) {
	const group = "it belongs to the group dialout: sudo usermod -aG dialout simpost"
	inWorld(t, emulator.NetworkConfig{}, one(), func(w *world) {
		w.ports = map[string]func() (io.ReadWriteCloser, error){"a": func() (io.ReadWriteCloser, error) {
			return nil, &hw.OpenError{Path: "a", Condition: hw.NoPermission, Remedy: group, Err: os.ErrPermission}
		}}
		w.start()
		if d := w.finds("a", api.CondNoPermission); d.Remedy != group {
			t.Errorf("the remedy is %q", d.Remedy)
		}
	})
}

// machine makes a file of the machine that the daemon runs on.
func machine(files ...string) func(*world, *emulator.Modem) {
	return func(w *world, _ *emulator.Modem) {
		root := w.t.TempDir()
		for i := 0; i < len(files); i += 2 {
			name := filepath.Join(root, files[i])
			if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, []byte(files[i+1]), 0o644)); err != nil {
				w.t.Fatal(err)
			}
		}
		w.tweak = func(d *Daemon) { d.Hands.Root = root }
	}
}

// attached has a USB device without terminals, and the modem gone.
func attached(vendor, product string, classes ...string) func(*world, *emulator.Modem) {
	return func(w *world, m *emulator.Modem) {
		const dir = "sys/bus/usb/devices/1-1"
		files := []string{dir + "/idVendor", vendor, dir + "/idProduct", product, dir + "/manufacturer", "Mobile", dir + "/product", "Stick"}
		for i, class := range classes {
			files = append(files, dir+":1."+string(rune('0'+i))+"/bInterfaceClass", class)
		}
		machine(files...)(w, m)
		m.Unplug()
	}
}

// A modem that is ready on a machine that is well has no diagnosis.
func TestNothingToFind(t *testing.T) {
	inWorld(t, emulator.NetworkConfig{}, twoModems(), func(w *world) {
		w.start()
		for _, name := range []string{"a", "b"} {
			w.condition(name, api.CondReady)
			m, err := w.client.Modem(context.Background(), name)
			if err != nil || m.Diagnosis == nil || len(m.Diagnosis) > 0 {
				t.Errorf("%s: %v, %v", name, m.Diagnosis, err)
			}
		}
	})
}

// A modem that is tried again in vain keeps its diagnosis meanwhile, and loses it
// once it works. A message that goes through on LTE takes back the suspicion.
func TestDiagnosisEnds(t *testing.T) {
	inWorld(t, emulator.NetworkConfig{}, []emulator.Config{{Name: "a"}}, func(w *world) {
		w.start()
		m := w.modems["a"]
		w.condition("a", api.CondReady)
		findingCases[slices.IndexFunc(findingCases, func(c findingCase) bool { return c.want == api.FindLTE })].after(w, m)
		w.finds("a", api.FindLTE)
		w.becomes(w.send(text("+4791000003", "hello")), api.Delivered, time.Hour)
		w.well("a")
		m.Unplug()
		w.finds("a", api.CondUnplugged)
		m.Plug()
		w.well("a")
	})
}

// well waits until a modem's diagnosis is empty.
func (w *world) well(name string) {
	w.t.Helper()
	w.within(10*time.Minute, "there is nothing wrong with "+name, func() bool {
		m, err := w.client.Modem(context.Background(), name)
		return err == nil && len(m.Diagnosis) == 0
	})
}

// The manual says something about everything that can be wrong.
func TestTheManualHasEveryDiagnosis(t *testing.T) {
	manual, err := os.ReadFile("../docs/troubleshooting.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, table := range []map[api.ConditionCode]words{conditionWords, findingWords} {
		for code := range table {
			if !strings.Contains(string(manual), "`"+string(code)+"`") {
				t.Errorf("the manual does not have %s", code)
			}
		}
	}
}
