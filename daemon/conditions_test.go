package daemon

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"simpost/daemon/api"
	"simpost/hw"
	"simpost/modem/emulator"
)

// A card that never tells who it is works; one that told before is not taken for another.
func TestUnnamedSIM(t *testing.T) {
	for _, told := range []bool{false, true} {
		t.Run(fmt.Sprintf("told before: %v", told), func(t *testing.T) {
			inWorld(t, emulator.NetworkConfig{}, one(), func(w *world) {
				if told {
					w.start()
					w.condition("a", api.CondReady)
					w.halt()
				}
				fault(w, w.modems["a"], "life.card-untold", 0)
				w.start()
				if told {
					w.condition("a", api.CondSIMFailure)
					w.modems["a"].ClearFaults()
				}
				w.becomes(w.send(text("+4791000001", "hello")), api.Delivered, 5*time.Minute)
			})
		})
	}
}

// Every condition of the closed list, provoked.
func TestConditions(t *testing.T) {
	provoked := map[api.ConditionCode]bool{}
	for _, c := range conditionCases {
		provoked[c.want] = true
		t.Run(string(c.want), func(t *testing.T) {
			modem := c.modem
			modem.Name = "a"
			inWorld(t, emulator.NetworkConfig{}, []emulator.Config{modem}, func(w *world) {
				if c.before != nil {
					c.before(w, w.modems["a"])
				}
				w.start()
				if c.after != nil {
					w.condition("a", api.CondReady)
					c.after(w, w.modems["a"])
				}
				switch {
				case c.want == api.CondStopping, c.want == api.CondStarting:
				case well[c.want]:
					w.condition("a", c.want)
					w.well("a")
				default:
					d := w.finds("a", c.want)
					if want := conditionWords[c.want]; d.Sentence != want.sentence || d.Remedy != want.remedy {
						t.Errorf("it says %q and %q", d.Sentence, d.Remedy)
					}
				}
			})
		})
	}
	for code := range conditionWords {
		if !provoked[code] {
			t.Errorf("nothing provokes the condition %s", code)
		}
	}
}

// well are the conditions that are no diagnosis.
var well = map[api.ConditionCode]bool{api.CondReady: true, api.CondRoaming: true}

type conditionCase struct {
	want   api.ConditionCode
	modem  emulator.Config
	before func(*world, *emulator.Modem) // before the daemon starts
	after  func(*world, *emulator.Modem) // when the modem is ready
}

var conditionCases = []conditionCase{
	{want: api.CondReady},
	{want: api.CondStarting, modem: emulator.Config{ColdStart: true, Profile: "sim7600"}, before: func(w *world, _ *emulator.Modem) {
		w.t.Cleanup(func() {
			if c := newBoard(w.cfg.Modems, time.Now()).list()[0].Condition.Code; c != api.CondStarting {
				w.t.Errorf("a modem begins as %s", c)
			}
		})
	}},
	{want: api.CondRoaming, after: registration(5)},
	{want: api.CondHomeOnly, before: func(w *world, _ *emulator.Modem) { w.cfg.Modems[0].HomeOnly = true }, after: registration(5)},
	{want: api.CondCantReceive, modem: emulator.Config{Profile: "nokia"}},
	{want: api.CondNotSearching, after: registration(0)},
	{want: api.CondSearching, after: registration(2)},
	{want: api.CondDenied, after: registration(3)},
	{want: api.CondNoNetwork, after: registration(4)},
	{want: api.CondEmergency, after: registration(8)},
	{want: api.CondNoDevice, before: func(_ *world, m *emulator.Modem) { m.Unplug() }},
	{want: api.CondUnplugged, after: func(_ *world, m *emulator.Modem) { m.Unplug() }},
	{want: api.CondNoPermission, before: refusing(hw.NoPermission)},
	{want: api.CondPortBusy, before: refusing(hw.PortBusy)},
	{want: api.CondNotTTY, before: refusing(hw.NotATTY)},
	{want: api.CondPortError, before: refusing(hw.OpenFailed)},
	{want: api.CondSilent, before: func(_ *world, m *emulator.Modem) { m.PowerOff() }},
	{want: api.CondNotModem, before: scripted(nil, "$GPGGA,123519,4807.038,N,01131.000,E,1,08,0.9,545.4,M,46.9,M,,*47\r\n")},
	{want: api.CondStuck, after: func(w *world, m *emulator.Modem) { fault(w, m, "life.deaf-power", 0) }},
	{want: api.CondRebooted, after: func(_ *world, m *emulator.Modem) {
		time.Sleep(time.Minute) // a reboot without a word is seen by what a poll finds changed
		m.Reboot()
	}},
	{want: api.CondSIMAbsent, modem: emulator.Config{NoSIM: true}},
	{want: api.CondSIMFailure, before: scripted(map[string]string{"AT+CPIN?": "+CME ERROR: 13"}, "")},
	{want: api.CondOtherCard, after: func(_ *world, m *emulator.Modem) {
		time.Sleep(2 * cardTrust)
		m.InsertSIM(&emulator.SIM{Number: "+4790000009"})
		m.SetRegistration(5) // all that many modems say of it
	}},
	{want: api.CondSIMBusy, before: func(w *world, m *emulator.Modem) { fault(w, m, "life.sim-busy", time.Hour) }},
	{want: api.CondPINRequired, modem: emulator.Config{PIN: "1234"}},
	{want: api.CondPINRefused, modem: emulator.Config{PIN: "1234"}, before: withPIN("4321")},
	{want: api.CondPINGuard, before: scripted(map[string]string{"AT+CPIN?": "+CPIN: SIM PIN", "AT+CPINR": "+CPINR: SIM PIN,1,3"}, "", "4321")},
	{want: api.CondPUKRequired, before: scripted(map[string]string{"AT+CPIN?": "+CPIN: SIM PUK"}, "")},
	{want: api.CondLocked, before: scripted(map[string]string{"AT+CPIN?": "+CPIN: PH-NET PIN"}, "")},
	{want: api.CondNoSMS, before: scripted(map[string]string{"AT+CPIN?": "+CPIN: READY", "AT+CMGF": "ERROR"}, "")},
	{want: api.CondNoSMSC, modem: emulator.Config{SMSC: "none"}},
	{want: api.CondConfig, before: func(w *world, _ *emulator.Modem) { w.cfg.Modems[0].Profile = "no-such-modem" }},
	{want: api.CondMemoryFull, after: func(w *world, m *emulator.Modem) {
		if err := m.Fault("storage.delete-fails", emulator.FaultConfig{Times: 1e6}); err != nil {
			w.t.Fatal(err)
		}
		p := w.net.NewPhone(emulator.PhoneConfig{})
		for i := range 40 { // a generic SIM has 30 places
			p.Send(m.Number(), strings.Repeat("x", i+1))
		}
	}},
	{want: api.CondUnreadable, after: func(w *world, m *emulator.Modem) {
		fault(w, m, "read.cmgl-hang", time.Hour)
		w.net.NewPhone(emulator.PhoneConfig{}).Send(m.Number(), "hello")
	}},
	{want: api.CondRefused, after: func(w *world, m *emulator.Modem) {
		if err := m.Fault("send.cms-38", emulator.FaultConfig{Times: 1e6}); err != nil {
			w.t.Fatal(err)
		}
		for _, to := range []string{"+4791000001", "+4791000002", "+4791000003"} {
			w.send(text(to, "hello"))
		}
	}},
	{want: api.CondAnswerOwed, after: func(w *world, m *emulator.Modem) {
		fault(w, m, "send.swallowed", 0)
		w.send(text("+4791000001", "hello"))
	}},
	{want: api.CondMayNotSend, before: instead("+CMS ERROR: 38\r", "+CMS ERROR: 310\r"), after: func(w *world, m *emulator.Modem) {
		fault(w, m, "send.cms-38", 0)
		w.send(text("+4791000001", "hello"))
	}},
	{want: api.CondDiskFull, after: func(w *world, m *emulator.Modem) {
		w.daemon.diskFull()
		m.SetRegistration(5)
	}},
	{want: api.CondDatabase, after: func(w *world, _ *emulator.Modem) {
		w.daemon.setCondition("a", conditionOf(fmt.Errorf("keep a message: %w", api.Errorf(api.CodeStorage, "the database says no"))), nil)
	}},
	{want: api.CondCorrupt, before: func(w *world, _ *emulator.Modem) {
		w.start()
		w.condition("a", api.CondReady)
		w.halt()
		w.ruin(nil)
	}},
	{want: api.CondStopping, after: func(w *world, _ *emulator.Modem) {
		w.halt()
		if c := w.daemon.board.list()[0].Condition.Code; c != api.CondStopping {
			w.t.Errorf("after the end the condition is %s", c)
		}
	}},
}

func registration(state int) func(*world, *emulator.Modem) {
	return func(_ *world, m *emulator.Modem) { m.SetRegistration(state) }
}

func fault(w *world, m *emulator.Modem, name string, d time.Duration) {
	w.t.Helper()
	if err := m.Fault(name, emulator.FaultConfig{Delay: d}); err != nil {
		w.t.Fatal(err)
	}
}

// refusing gives a port that the system does not open.
func refusing(c hw.Condition) func(*world, *emulator.Modem) {
	return func(w *world, _ *emulator.Modem) {
		w.ports = map[string]func() (io.ReadWriteCloser, error){"a": func() (io.ReadWriteCloser, error) {
			return nil, &hw.OpenError{Path: "a", Condition: c, Err: errors.New("refused")}
		}}
	}
}

func withPIN(pin string) func(*world, *emulator.Modem) {
	return func(w *world, _ *emulator.Modem) {
		w.cfg.Modems[0].PINFile = filepath.Join(w.t.TempDir(), "pin")
		if err := os.WriteFile(w.cfg.Modems[0].PINFile, []byte(pin+"\n"), 0o600); err != nil {
			w.t.Fatal(err)
		}
	}
}

// instead gives the modem's own port, on which one text reads as another.
func instead(said, read string) func(*world, *emulator.Modem) {
	return func(w *world, m *emulator.Modem) {
		w.ports = map[string]func() (io.ReadWriteCloser, error){"a": func() (io.ReadWriteCloser, error) {
			rwc, err := m.Open()
			return misread{rwc, said, read}, err
		}}
	}
}

// misread changes what comes in one piece, as an emulated answer does.
type misread struct {
	io.ReadWriteCloser
	said, read string
}

func (m misread) Read(p []byte) (int, error) {
	n, err := m.ReadWriteCloser.Read(p[:len(p)-len(m.read)])
	return copy(p, strings.ReplaceAll(string(p[:n]), m.said, m.read)), err
}

// scripted gives a port that answers by the longest prefix in answers, and OK to
// all else; with chatter it says only that, again and again.
func scripted(answers map[string]string, chatter string, pin ...string) func(*world, *emulator.Modem) {
	return func(w *world, m *emulator.Modem) {
		w.ports = map[string]func() (io.ReadWriteCloser, error){"a": func() (io.ReadWriteCloser, error) {
			host, far := net.Pipe()
			go script(far, answers, chatter)
			return host, nil
		}}
		if len(pin) > 0 {
			withPIN(pin[0])(w, m)
		}
	}
}

func script(c net.Conn, answers map[string]string, chatter string) {
	defer c.Close()
	in := bufio.NewReader(c)
	for {
		line, err := in.ReadString('\r')
		if err != nil {
			return
		}
		reply := chatter
		if chatter == "" {
			reply = answerTo(strings.TrimLeft(strings.TrimSpace(line), "\x1b\r\n"), answers)
		}
		if _, err := io.WriteString(c, reply); err != nil {
			return
		}
	}
}

// somebody is what a scripted modem says of itself.
var somebody = map[string]string{
	"AT+CGMI": "emulated", "AT+CGMM": "script", "AT+CGMR": "1", "AT+CGSN": "490154203237518", "AT+CFUN?": "+CFUN: 1",
}

func answerTo(line string, answers map[string]string) string {
	if who := somebody[line]; who != "" {
		return "\r\n" + who + "\r\n\r\nOK\r\n"
	}
	for prefix, a := range answers {
		if strings.HasPrefix(line, prefix) {
			if strings.HasPrefix(a, "+CME ERROR") || a == "ERROR" {
				return "\r\n" + a + "\r\n"
			}
			return "\r\n" + a + "\r\n\r\nOK\r\n"
		}
	}
	if name, query := strings.CutSuffix(strings.TrimPrefix(line, "AT"), "?"); query && !strings.HasSuffix(name, "=") {
		return "\r\n" + name + ": 0\r\n\r\nOK\r\n"
	}
	return "\r\nOK\r\n"
}

// What an unplugged modem last said of its network is not how it is now.
func TestUnpluggedModemHasNoNetwork(t *testing.T) {
	guardWorld(t, emulator.NetworkConfig{}, one(), func(w *world) {
		modem := func() api.Modem {
			m, err := w.client.Modem(context.Background(), "a")
			if err != nil {
				w.t.Fatal(err)
			}
			return m
		}
		w.start()
		w.condition("a", api.CondReady)
		if m := modem(); m.Registration == "" || m.Operator == "" || m.Signal == nil {
			t.Errorf("a modem that is ready has the network %q %q, signal %v", m.Registration, m.Operator, m.Signal)
		}
		w.modems["a"].Unplug()
		w.condition("a", api.CondUnplugged)
		if m := modem(); m.Registration != "" || m.Operator != "" || m.Signal != nil || m.IMEI == "" {
			t.Errorf("unplugged: %q %q, signal %v, IMEI %q", m.Registration, m.Operator, m.Signal, m.IMEI)
		}
	})
}
