package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"

	"simpost/daemon/api"
)

// The daemon is not root and can't see who holds a port; doctor, which may be, looks
// for itself: for one that keeps the daemon out as for one that takes the answers.
func TestDoctorNamesWhoTheDaemonCantSee(t *testing.T) {
	for _, c := range []struct {
		program, device string
		condition       api.ConditionCode
		want            []string
	}{
		{"minicom", "", api.CondPortBusy, []string{"! minicom (pid %d) holds the device (open ", "what to do: stop minicom (pid %d)"}},
		{"ModemManager", "", api.CondPortBusy, []string{"! ModemManager (pid %d) holds the device: it takes every modem", "[modem-manager]", "udev rules"}},
		{"minicom", "auto", api.CondPortBusy, []string{"! minicom (pid %d) holds the device ("}},
		{"minicom", "", api.CondSilent, []string{"! minicom (pid %d) holds the device (", "! nothing answers [silent]"}},
		{"minicom", "", api.CondNotModem, []string{"! minicom (pid %d) holds the device (", "! nothing answers [not-a-modem]"}},
		{"minicom", "", api.CondStuck, []string{"! minicom (pid %d) holds the device (", "! nothing answers [stuck]"}},
	} {
		t.Run(fmt.Sprint(c.program, c.device, " ", c.condition), func(t *testing.T) {
			port := terminal(t)
			m := api.Modem{Name: "office", Device: c.device, Condition: api.Condition{Code: c.condition},
				Diagnosis: []api.Diagnosis{{Code: c.condition, Sentence: "nothing answers", Remedy: "ask doctor"}}}
			if m.Device == "" {
				m.Device = port
			} else {
				m.Port = port
			}
			if c.condition != api.CondPortBusy {
				daemonOpens(t, port)
			}
			pid := holding(t, c.program, port)
			said := doctorOn(t, m)
			for _, want := range c.want {
				if want = strings.ReplaceAll(want, "%d", fmt.Sprint(pid)); !strings.Contains(said, want) {
					t.Errorf("%q is not in\n%s", want, said)
				}
			}
		})
	}
}

// Neither the daemon, which has the port open as it should, nor somebody with the
// port of a modem that works is what is wrong.
func TestDoctorNamesNobodyWhoMay(t *testing.T) {
	port := terminal(t)
	daemonOpens(t, port)
	silent := api.Modem{Name: "office", Device: port, Diagnosis: []api.Diagnosis{{Code: api.CondSilent, Sentence: "nothing answers"}}}
	if said := doctorOn(t, silent); strings.Contains(said, "pid") {
		t.Errorf("it names somebody:\n%s", said)
	}
	holding(t, "minicom", port)
	weak := api.Modem{Name: "office", Device: port, Diagnosis: []api.Diagnosis{{Code: api.FindWeak, Sentence: "a weak signal"}}}
	if said := doctorOn(t, weak); strings.Contains(said, "pid") {
		t.Errorf("it names somebody:\n%s", said)
	}
}

// A running daemon says where the modem of a name is, also of a name that it gave by
// itself, and of one that has left the bus. No port is opened beside it.
func TestRestartAsksTheDaemon(t *testing.T) {
	for device, m := range map[string]api.Modem{
		"auto": {Name: "office-2", Device: "auto", Place: "1-1.2"}, "imei": {Name: "barn", Device: "imei:490154203237518", Place: "1-1.2"},
		"usb": {Name: "barn", Device: "usb:1-1.2"}, "a stale name": {Name: "barn", Device: "/dev/ttyUSB0", Place: "1-1.2"},
		"not seen": {Name: "office", Device: "auto"},
	} {
		t.Run(device, func(t *testing.T) {
			root, want := t.TempDir(), "0"
			authorized := filepath.Join(root, "sys/bus/usb/devices/1-1.2/authorized")
			if err := errors.Join(os.MkdirAll(filepath.Dir(authorized), 0o755), os.WriteFile(authorized, []byte("?"), 0o644)); err != nil {
				t.Fatal(err)
			}
			if m.Place == "" && m.Device == "auto" {
				want = "1"
			}
			said, err := exec.Command("simpost", "--socket", tellingOf(t, m), "doctor", "--root", root, "--restart", m.Name, "--by", "usb-rebind").CombinedOutput()
			raw, _ := os.ReadFile(authorized)
			if statusOf(err) != want || want == "0" && string(raw) != "1" || want == "1" && string(raw) != "?" {
				t.Errorf("%v, authorized %q\n%s", err, raw, said)
			}
		})
	}
}

// daemonOpens has this process, which answers as the daemon, open and lock a port.
func daemonOpens(t *testing.T, port string) {
	t.Helper()
	f, err := os.OpenFile(port, os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		t.Fatal(err)
	}
}

// terminal is one that nobody has open.
func terminal(t *testing.T) string {
	t.Helper()
	master, slave, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { master.Close() })
	defer slave.Close()
	return slave.Name()
}

// holding runs a program of this name that has the terminal open, without a lock.
func holding(t *testing.T, name, port string) (pid int) {
	t.Helper()
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(t.TempDir(), name)
	raw, err := os.ReadFile(sh)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(program, raw, 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "-c", `exec 9<"$0"; echo held; read x`, port)
	in, inErr := cmd.StdinPipe()
	out, outErr := cmd.StdoutPipe()
	if inErr != nil || outErr != nil {
		t.Fatal(inErr, outErr)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close(); _ = cmd.Wait() })
	said := make([]byte, 5)
	if _, err := io.ReadFull(out, said); err != nil || string(said) != "held\n" {
		t.Fatalf("it said %q, %v", said, err)
	}
	return cmd.Process.Pid
}

// doctorOn is what doctor says when the daemon tells of this modem.
func doctorOn(t *testing.T, m api.Modem) string {
	t.Helper()
	said, err := exec.Command("simpost", "--socket", tellingOf(t, m), "doctor", "--root", t.TempDir()).CombinedOutput()
	if statusOf(err) != "1" {
		t.Fatalf("doctor: %v\n%s", err, said)
	}
	return string(said)
}

// tellingOf is the socket of something that answers as a daemon with these modems.
func tellingOf(t *testing.T, modems ...api.Modem) string {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "s")
	ln, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		for _, m := range modems {
			if r.URL.Path == "/v1/modems/"+m.Name {
				_ = json.NewEncoder(w).Encode(m)
				return
			}
		}
		_ = json.NewEncoder(w).Encode(api.Modems{Modems: modems})
	})}
	done := make(chan struct{})
	go func() { _ = server.Serve(ln); close(done) }()
	t.Cleanup(func() { server.Close(); <-done })
	return socket
}

func TestHidden(t *testing.T) {
	for in, want := range map[string]string{
		"imei:490154203237518":                                                 "imei:***************",
		"/dev/ttyUSB2 at 1-1.2, gpiochip0/4, usb:1-1.2":                        "/dev/ttyUSB2 at 1-1.2, gpiochip0/4, usb:1-1.2",
		"/dev/serial/by-id/usb-FTDI_A5XK3":                                     "/dev/serial/by-id/***",
		"open /dev/serial/by-id/usb-Si:1_A5-XK3-if00-port0: no such device":    "open /dev/serial/by-id/***-if00-port0: no such device",
		"/dev/serial/by-id/usb-A_1-if02 and /dev/serial/by-id/usb-B_2-if0a, 2": "/dev/serial/by-id/***-if02 and /dev/serial/by-id/*** 2",
		"`ls /dev/serial/by-id` shows what is attached":                        "`ls /dev/serial/by-id` shows what is attached",
		"/dev/serial/by-path/pci-0000:00:14.0-usb-0:2:1.0":                     "/dev/serial/by-path/pci-0000:00:14.0-usb-0:2:1.0",
	} {
		if got := hidden(in); got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
}
