package daemon

import (
	"context"
	"encoding/hex"
	"slices"
	"strings"
	"testing"
	"time"

	"simpost/daemon/api"
	"simpost/modem/emulator"
)

// commanding are messages that tell a phone to do something. rest is what follows
// the sender: TP-PID, TP-DCS, TP-SCTS, TP-UDL and TP-UD.
var commanding = map[string]struct {
	first, rest string
	class       int // -1: none
	port        int // 0: none
	text, data  string
}{
	// Class 2 (TS 23.038 4), PID 7F "(U)SIM data download" (TS 23.040 9.2.3.9), and a
	// command packet that would write to the card (TS 31.115).
	"OTA command":  {"44", "7F" + "F6" + "52112200000000" + "0F" + "027000" + "000B0D0000000000000001AB", 2, 0, "", "\x01\xab"},
	"class 2 text": {"04", "00" + "12" + "52112200000000" + "02" + "E834", 2, 0, "hi", ""},
	"class 0 text": {"04", "00" + "10" + "52112200000000" + "02" + "E834", 0, 0, "hi", ""},
	// PID 40: acknowledged by a phone, and never shown (TS 23.040 9.2.3.9).
	"type 0": {"04", "40" + "00" + "52112200000000" + "02" + "E834", -1, 0, "hi", ""},
	// PID 41: replaces what came before from this number.
	"replace type 1": {"04", "41" + "00" + "52112200000000" + "02" + "E834", -1, 0, "hi", ""},
	// A service indication with a link, to port 2948 (WAP-259 6.5).
	"WAP push": {"44", "00" + "F5" + "52112200000000" + "1C" + "0605040B8423F0" + "250601AE" + "02056A0045C60C03" + "6578616D706C65" + "0001", 1, 2948, "", "example\x00\x01"},
	// A predefined sound in the header (TS 23.040 9.2.3.24.10.1.2).
	"sound": {"44", "00" + "00" + "52112200000000" + "08" + "040B020001" + "A0D3", -1, 0, "hi", ""},
}

// They are kept and shown as they are, each copy, and nothing else comes of them:
// no message leaves, and the modem is told nothing that it is not told anyway.
func TestMessagesThatCommandAreInert(t *testing.T) {
	const sender = "0A917419000010" // +4791000001
	for name, c := range commanding {
		t.Run(name, func(t *testing.T) {
			tpdu, err := hex.DecodeString(c.first + sender + c.rest)
			if err != nil {
				t.Fatal(err)
			}
			inWorld(t, emulator.NetworkConfig{}, twoModems()[:1], func(w *world) {
				if name == "type 0" { // most modems do not even show one
					if err := w.modems["a"].Fault("incoming.type-0", emulator.FaultConfig{}); err != nil {
						t.Fatal(err)
					}
				}
				w.start()
				w.condition("a", api.CondReady)
				w.net.Inject("+4790000001", tpdu)
				w.net.Inject("+4790000001", tpdu)
				w.within(5*time.Minute, "both are there", func() bool { return len(w.inbox()) == 2 })
				time.Sleep(time.Hour)
				for _, m := range w.inbox() {
					if class(m) != c.class || m.From != "+4791000001" || m.State != api.Received || port(m) != c.port ||
						(c.text != "") != (m.Text != nil) || m.Text != nil && *m.Text != c.text || !strings.HasSuffix(string(m.Data), c.data) {
						t.Errorf("shown as %+v", m)
					}
				}
				w.nothingCameOfIt()
			})
		})
	}
}

func class(m api.Message) int {
	if m.Class == nil {
		return -1
	}
	return *m.Class
}

func port(m api.Message) int {
	if m.Port == nil {
		return 0
	}
	return *m.Port
}

// quiet is all that a modem is told by a daemon that only receives.
var quiet = []string{"AT", "ATZ", "ATE0V1", "ATE0", "ATV1", "ATQ0", "AT&D0", "ATI", "AT+CMEE", "AT+CGMI", "AT+CGMM", "AT+CGMR", "AT+CGSN", "AT+CIMI", "AT+CCID", "AT+CPIN",
	"AT+CMGF", "AT+CSMS", "AT+CPMS", "AT+CNMI", "AT+CSCA", "AT+CREG", "AT+CGREG", "AT+CEREG", "AT+COPS", "AT+CSQ", "AT+CNUM", "AT+CLAC", "AT+CSCS",
	"AT+CMGL", "AT+CMGR", "AT+CMGD", "AT+CNMA", "AT+CSDH", "AT+CRSM", "AT+CFUN", "AT+CLIP"}

func (w *world) nothingCameOfIt() {
	w.t.Helper()
	if n := w.net.Count(); n != 0 {
		w.t.Errorf("%d messages went out in answer", n)
	}
	page, err := w.client.List(context.Background(), api.ListQuery{Direction: api.Out})
	if err != nil || len(page.Messages) != 0 {
		w.t.Errorf("outgoing: %v, %v", page.Messages, err)
	}
	for _, l := range w.modems["a"].Transcript() {
		line, isCommand := strings.CutPrefix(l, "> ")
		verb, args, _ := strings.Cut(line, "=")
		if isCommand && !slices.Contains(quiet, strings.TrimSuffix(verb, "?")) || verb == "AT+CFUN" && args != "" || verb == "AT+CRSM" && !strings.HasPrefix(args, "176,") {
			w.t.Errorf("the modem was told %s", line)
		}
	}
}
