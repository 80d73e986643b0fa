package daemon

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"simpost/configs"
	"simpost/daemon/api"
	"simpost/hw"
	"simpost/modem/emulator"
)

// stick adds a USB modem with an AT port to a made-up machine.
func stick(t *testing.T, root, place, tty string) {
	t.Helper()
	dir := filepath.Join(root, "sys/bus/usb/devices")
	for name, text := range map[string]string{
		"/idVendor": "1bc7", "/idProduct": "0fff", "/busnum": "1", "/devnum": "2", ":1.0/bInterfaceNumber": "00", ":1.0/bInterfaceClass": "ff",
		":1.0/" + tty + "/tty/" + tty + "/dev": "188:0",
	} {
		name = filepath.Join(dir, place+name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// linkTTY leads from a terminal to its stick.
func linkTTY(t *testing.T, root, place, tty string) {
	t.Helper()
	link := filepath.Join(root, "sys/class/tty", tty)
	if err := os.MkdirAll(link, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("../../../bus/usb/devices/"+place, filepath.Join(link, "device")); err != nil {
		t.Fatal(err)
	}
}

// Without a daemon the modems of the configuration are found as it names them, and
// nothing but them is opened.
func TestExaminerFindsWhatIsNamed(t *testing.T) {
	const one, two = "490154203237518", "490154203237526"
	for _, c := range []struct {
		name   string
		modems []configs.Modem
		want   string // names and conditions
	}{
		{"no configuration", nil, "1-1 ready, 1-2 ready"},
		{"auto", []configs.Modem{{Name: "office", Device: "auto"}}, "office ready, office-2 ready"},
		{"by IMEI, and the rest", []configs.Modem{{Name: "rest", Device: "auto"}, {Name: "barn", Device: "imei:" + two}}, "rest ready, barn ready"},
		{"by place", []configs.Modem{{Name: "barn", Device: "usb:1-2"}}, "barn ready"},
		{"nothing at the place", []configs.Modem{{Name: "barn", Device: "usb:1-9"}}, "barn no-device"},
		{"by path, and one that is not there", []configs.Modem{{Name: "barn", Device: "/dev/ttyUSB1"}, {Name: "lost", Device: "imei:490154203237534"}},
			"barn ready, 1-1 ready, lost no-device"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := emulator.NewNetwork(emulator.NetworkConfig{})
				defer n.Close()
				modems := map[string]*emulator.Modem{
					"/dev/ttyUSB0": n.NewModem(emulator.Config{Name: "one", IMEI: one}), "/dev/ttyUSB1": n.NewModem(emulator.Config{Name: "two", IMEI: two}),
				}
				e := &Examiner{Hands: hw.Hands{Root: t.TempDir()}, Open: func(p hw.Port) (io.ReadWriteCloser, error) { return modems[p.Path].Open() }}
				stick(t, e.Hands.Root, "1-1", "ttyUSB0")
				stick(t, e.Hands.Root, "1-2", "ttyUSB1")
				linkTTY(t, e.Hands.Root, "1-2", "ttyUSB1")
				look := e.Modems
				if c.modems == nil {
					look = func(ctx context.Context, _ []configs.Modem, before func(configs.Modem)) []api.Modem {
						return e.Attached(ctx, before)
					}
				}
				var got []string
				for _, m := range look(t.Context(), slices.Clone(c.modems), func(configs.Modem) {}) {
					got = append(got, fmt.Sprintf("%s %s", m.Name, m.Condition.Code))
				}
				if s := strings.Join(got, ", "); s != c.want {
					t.Errorf("found %s, want %s", s, c.want)
				}
			})
		})
	}
}

// A modem is restarted at its place, which is found as its name says.
func TestExaminerFindsThePlace(t *testing.T) {
	const one, two = "490154203237518", "490154203237526"
	auto := []configs.Modem{{Name: "office", Device: "auto"}, {Name: "barn", Device: "imei:" + two}}
	for _, c := range []struct {
		name   string
		modems []configs.Modem
		want   string // place, known, and how many were asked
	}{
		{"barn", auto, "1-2 true 2"},
		{"office", auto, "1-1 true 2"},
		{"office-2", auto, " true 2"},
		{"shed", auto, " false 0"},
		{"barn", []configs.Modem{{Name: "barn", Device: "usb:1-9"}, {Name: "office", Device: "auto"}}, "1-9 true 0"},
		{"barn", []configs.Modem{{Name: "barn", Device: "/dev/ttyUSB7"}}, " true 0"},
	} {
		synctest.Test(t, func(t *testing.T) {
			n := emulator.NewNetwork(emulator.NetworkConfig{})
			defer n.Close()
			modems := map[string]*emulator.Modem{
				"/dev/ttyUSB0": n.NewModem(emulator.Config{Name: "one", IMEI: one}), "/dev/ttyUSB1": n.NewModem(emulator.Config{Name: "two", IMEI: two}),
			}
			e := &Examiner{Hands: hw.Hands{Root: t.TempDir()}, Open: func(p hw.Port) (io.ReadWriteCloser, error) { return modems[p.Path].Open() }}
			for place, tty := range map[string]string{"1-1": "ttyUSB0", "1-2": "ttyUSB1"} {
				stick(t, e.Hands.Root, place, tty)
				linkTTY(t, e.Hands.Root, place, tty)
			}
			asked := 0
			place, known := e.Place(t.Context(), c.modems, c.name, func(configs.Modem) { asked++ })
			if got := fmt.Sprint(place, " ", known, " ", asked); got != c.want {
				t.Errorf("%s of %v: %q, want %q", c.name, c.modems, got, c.want)
			}
		})
	}
}
