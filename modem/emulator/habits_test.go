package emulator

import (
	"strings"
	"testing"
	"time"
)

// habit runs f with a modem of a make, its echo off as far as it obeys.
func habit(t *testing.T, c Config, f func(t *testing.T, n *Network, h *host)) {
	t.Helper()
	bubble(t, NetworkConfig{}, func(t *testing.T, n *Network) {
		h := dial(t, n.NewModem(c))
		h.say("ATE0")
		f(t, n, h)
	})
}

// TestTriesLeft: every make has its own command, and none the standard's.
func TestTriesLeft(t *testing.T) {
	for profile, c := range map[string]struct{ ask, answer string }{
		"zte": {"AT+ZPINPUK=?", "+ZPINPUK: 2,10,3,10"}, "ublox": {"AT+UPINCNT", "+UPINCNT: 2,3,10,10"},
		"wavecom": {"AT+CPINC", "+CPINC: 2,3,10,10"}, "mbm": {"AT*EPIN?", "*EPIN: 2,10,3,10"},
		"cinterion": {`AT^SPIC="SC"`, "^SPIC: 2"}, "telit": {"AT#PCT", "#PCT: 2"},
	} {
		habit(t, Config{Profile: profile, PIN: "2580"}, func(t *testing.T, _ *Network, h *host) {
			h.say(`AT+CPIN="0000"`)
			h.want(c.ask, "\r\n"+c.answer+"\r\n"+okay)
			if got := h.say("AT+CPINR"); !strings.Contains(got, "ERROR") {
				t.Errorf("%s: CPINR says %q", profile, got)
			}
		})
	}
}

func TestPukOfCinterion(t *testing.T) {
	habit(t, Config{Profile: "cinterion"}, func(t *testing.T, _ *Network, h *host) {
		h.want(`AT^SPIC="SC",1`, "\r\n^SPIC: 10\r\n"+okay)
		h.want(`AT^SPIC="XX"`, "\r\nERROR\r\n")
	})
}

func TestEchoThatStays(t *testing.T) {
	habit(t, Config{Profile: "sierra"}, func(t *testing.T, _ *Network, h *host) {
		h.want("AT+CSQ", "AT+CSQ\r\r\n+CSQ: 21,99\r\n"+okay)
	})
}

func TestPleaseWait(t *testing.T) {
	habit(t, Config{Profile: "wavecom"}, func(t *testing.T, n *Network, h *host) {
		h.ok("AT+CMEE=1")
		h.submit(n.NewPhone(PhoneConfig{}).Number(), "a")
		h.want("AT+CPMS?", "\r\n+CME ERROR: 515\r\n")
		after(2 * time.Second)
		h.ok("AT+CPMS?")
	})
}

func TestCardBusyAfterPIN(t *testing.T) {
	habit(t, Config{Profile: "zte", PIN: "2580"}, func(t *testing.T, _ *Network, h *host) {
		h.ok("AT+CMEE=1", `AT+CPIN="2580"`)
		h.want("AT+CIMI", "\r\n+CME ERROR: 14\r\n")
	})
}

// TestHangAfterCDS: the report is shown, and then nothing comes any more.
func TestHangAfterCDS(t *testing.T) {
	habit(t, Config{Profile: "novatel"}, func(t *testing.T, n *Network, h *host) {
		p := n.NewPhone(PhoneConfig{})
		h.ok("AT+CNMI=1,1,0,1,0")
		if got := h.submit(p.Number(), "a"); !strings.Contains(got, "+CDS: ") {
			t.Fatalf("got %q", got)
		}
		p.Send(h.m.Number(), "b")
		after(time.Minute)
		if got := h.settle(); got != "" || len(h.m.Stored("SM")) != 0 {
			t.Errorf("said %q, stored %d", got, len(h.m.Stored("SM")))
		}
	})
}

func TestHiddenReports(t *testing.T) {
	habit(t, Config{Profile: "cinterion"}, func(t *testing.T, n *Network, h *host) {
		h.ok("AT+CNMI=2,1,0,2,1")
		h.submit(n.NewPhone(PhoneConfig{}).Number(), "a")
		h.ok(`AT+CPMS="SR"`)
		h.want("AT+CMGL=4", okay)
		h.want("AT+CMGR=1", okay)
		if len(h.m.Stored("SR")) != 1 {
			t.Error("it is not there")
		}
	})
}

func TestPulledCardIsTold(t *testing.T) {
	habit(t, Config{Profile: "telit"}, func(t *testing.T, _ *Network, h *host) {
		h.ok("AT#QSS=2")
		s := h.m.RemoveSIM()
		if got := h.settle(); got != "\r\n#QSS: 0\r\n" {
			t.Errorf("pulled: %q", got)
		}
		h.m.InsertSIM(s)
		if got := h.settle(); !strings.HasPrefix(got, "\r\n#QSS: 1\r\n\r\n#QSS: 3\r\n") {
			t.Errorf("put back: %q", got)
		}
	})
}

// TestLinkKept: a message that follows another takes a quarter of the time.
func TestLinkKept(t *testing.T) {
	habit(t, Config{Latency: 4 * time.Second}, func(t *testing.T, n *Network, h *host) {
		h.ok("AT+CMMS=2")
		to := n.NewPhone(PhoneConfig{}).Number()
		for _, took := range []time.Duration{4 * time.Second, time.Second} {
			h.submit(to, "a")
			after(took - time.Millisecond)
			if got := h.settle(); got != "" {
				t.Errorf("before %v: %q", took, got)
			}
			after(time.Millisecond)
			if got := h.settle(); !strings.Contains(got, "+CMGS: ") {
				t.Errorf("after %v: %q", took, got)
			}
		}
	})
}

// TestWrongSpeed: neither side understands the other, and the right one finds the modem as it was.
func TestWrongSpeed(t *testing.T) {
	bubble(t, NetworkConfig{}, func(t *testing.T, n *Network) {
		m := n.NewModem(Config{OnlyAt: 9600})
		port, err := m.OpenAt(115200)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := port.Write([]byte("AT+CMEE=1\r")); err != nil {
			t.Fatal(err)
		}
		m.Reboot() // says nothing on this profile, and would in garbage
		port.Close()
		if n := m.Commands(); n != 0 {
			t.Errorf("it understood %d commands", n)
		}
		h := dial(t, m)
		h.ok("ATE0", "AT")
	})
}
