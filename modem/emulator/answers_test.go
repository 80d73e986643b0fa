package emulator

import (
	"strings"
	"testing"
	"time"
)

// TestAnswers is the vocabulary that other tests do not need, answer by answer.
func TestAnswers(t *testing.T) {
	bubble(t, NetworkConfig{Zone: time.FixedZone("", 7200)}, func(t *testing.T, n *Network) {
		m := n.NewModem(Config{Number: "+4790000001", IMSI: "242010000000001", ICCID: "8947010000000000012", IMEI: "350000000000006", PIN: "1234"})
		h := dial(t, m)
		h.ok("ATE0", "AT+CMEE=1", `AT+CPIN="1234"`)
		for _, c := range []struct{ line, want string }{
			{"AT+CGSN", "\r\n350000000000006\r\n" + okay},
			{"AT+CIMI", "\r\n242010000000001\r\n" + okay},
			{"AT+CCID", "\r\n+CCID: 8947010000000000012\r\n" + okay},
			{"AT+QCCID", "\r\nERROR\r\n"},
			{"AT+CRSM=176,12258,0,0,10", "\r\n+CRSM: 144,0,\"987410000000000010F2\"\r\n" + okay},
			{"AT+CRSM=176,28589,0,0,4", "\r\n+CRSM: 106,130,\"\"\r\n" + okay},
			{`AT+CRSM=214,28483,0,0,2,"2AFF"`, "\r\n+CRSM: 144,0\r\n" + okay},
			{"AT+CRSM=176,28483,0,0,2", "\r\n+CRSM: 144,0,\"2AFF\"\r\n" + okay},
			{"AT+CNUM", "\r\n+CNUM: \"\",\"+4790000001\",145\r\n" + okay},
			{`AT+CPWD="SC","0000","4321"`, "\r\n+CME ERROR: 16\r\n"},
			{`AT+CPWD="SC","1234","4321"`, okay},
			{`AT+CLCK="FD",2`, "\r\n+CLCK: 0\r\n" + okay},
			{"AT+CCLK?", "\r\n+CCLK: \"00/01/01,02:00:00+08\"\r\n" + okay},
			{"AT+COPS=?", "\r\n+COPS: (2,\"Emulated\",\"Emulated\",\"24201\",7),(3,\"Stranger (Emulated)\",\"Stranger (Emulated)\",\"24299\",2),,(0,1,2,3,4),(0,1,2)\r\n" + okay},
			{"AT+COPS?", "\r\n+COPS: 0,0,\"Emulated\",7\r\n" + okay},
			{"AT+CESQ", "\r\n+CESQ: 99,99,255,255,20,50\r\n" + okay},
			{"AT+CSMS?", "\r\n+CSMS: 0,1,1,1\r\n" + okay},
			{"AT+CSMS=2", "\r\n+CMS ERROR: 302\r\n"},
			{"AT+CNMI=?", "\r\n+CNMI: (0,1,2),(0,1,2,3),(0,2),(0,1,2),(0,1)\r\n" + okay},
			{"AT+CPMS=?", "\r\n+CPMS: (\"ME\",\"MT\",\"SM\",\"SR\"),(\"ME\",\"MT\",\"SM\"),(\"ME\",\"SM\")\r\n" + okay},
			{`AT+CPMS="XX"`, "\r\n+CMS ERROR: 302\r\n"},
			{"AT+CLIP=1;+CLIP?", "\r\n+CLIP: 1,1\r\n" + okay},
			{"AT+CMMS=2;+CMMS?", "\r\n+CMMS: 2\r\n" + okay},
			{"AT+CMMS=3", "\r\n+CME ERROR: 50\r\n"},
			{"AT+CIND?", "\r\n+CIND: 5,4,1,0,0,0,0\r\n" + okay},
			{"AT+CPBR=1", "\r\n+CME ERROR: 22\r\n"},
			{"AT+GCAP", "\r\n+GCAP: +CGSM,+DS,+ES\r\n" + okay},
		} {
			h.want(c.line, c.want)
		}
		if got := h.say("AT+CLAC"); !strings.Contains(got, "\r\n+CMGS\r\n") || strings.Contains(got, "^CURC") {
			t.Errorf("AT+CLAC: %q", got)
		}
	})
}

// TestIdentify: ATI labels the revision once, whatever label AT+CGMR has.
func TestIdentify(t *testing.T) {
	for name, want := range map[string]string{
		"sim800": "1418B05SIM800L24", "sim7600": "LE20B04SIM7600M22", "cinterion": "01.100", "generic": "1.0",
	} {
		bubble(t, NetworkConfig{}, func(t *testing.T, n *Network) {
			m := n.NewModem(Config{Profile: name})
			h := dial(t, m)
			time.Sleep(time.Minute) // the boot messages are over
			h.say("ATE0")
			if got := h.say("ATI"); !strings.HasSuffix(got, "\r\nRevision: "+want+"\r\n"+okay) {
				t.Errorf("%s: ATI: %q", name, got)
			}
		})
	}
}

// TestPowerDown is Quectel's AT+QPOWD: off until it is powered again.
func TestPowerDown(t *testing.T) {
	bubble(t, NetworkConfig{}, func(t *testing.T, n *Network) {
		m := n.NewModem(Config{Profile: "quectel-ec25"})
		h := dial(t, m)
		h.ok("ATE0")
		h.want("AT+QPOWD=1", okay+"\r\nPOWERED DOWN\r\n")
		h.want("AT", "")
		m.PowerOn()
		after(time.Minute)
		if got := h.settle(); !strings.HasPrefix(got, "\r\nRDY\r\n") || !strings.HasSuffix(got, "\r\n+QIND: PB DONE\r\n") {
			t.Errorf("boot %q", got)
		}
	})
}

// TestAckWithPDU is AT+CNMA=1,n with its prompt.
func TestAckWithPDU(t *testing.T) {
	bubble(t, NetworkConfig{}, func(t *testing.T, n *Network) {
		m := n.NewModem(Config{})
		p := n.NewPhone(PhoneConfig{})
		h := dial(t, m)
		h.ok("ATE0", "AT+CSMS=1", "AT+CNMI=2,2,0,1,0")
		p.Send(m.Number(), "x")
		h.settle()
		h.want("AT+CNMA=1,3", "\r\n> ")
		h.write("0000")
		h.write("\x1a")
		if got := h.settle(); got != "\r\n+CMS ERROR: 304\r\n" {
			t.Errorf("a length that does not fit: %q", got)
		}
		h.want("AT+CNMA=1,2", "\r\n> ")
		h.write("0000\x1a")
		if got := h.settle(); got != okay {
			t.Errorf("got %q", got)
		}
		after(time.Hour)
		if got := h.settle(); got != "" {
			t.Errorf("it comes again: %q", got)
		}
	})
}

// TestTextReports are status reports in text mode, shown and stored.
func TestTextReports(t *testing.T) {
	bubble(t, NetworkConfig{}, func(t *testing.T, n *Network) {
		p := n.NewPhone(PhoneConfig{Number: "+4791000001"})
		h := dial(t, n.NewModem(Config{}))
		h.ok("ATE0", "AT+CNMI=2,1,0,1,0", "AT+CMGF=1", "AT+CSMP=49,167,0,0")
		const what = `6,%,"+4791000001",145,"00/01/01,00:00:00+00","00/01/01,00:00:00+00",0` + "\r\n"
		send := func() string {
			h.say(`AT+CMGS="` + p.Number() + `"`)
			h.write("x\x1a")
			return h.settle()
		}
		if got, want := send(), "\r\n+CMGS: 0\r\n"+okay+"\r\n+CDS: "+strings.Replace(what, "%", "0", 1); got != want {
			t.Errorf("shown\n got %q\nwant %q", got, want)
		}
		h.ok("AT+CNMI=2,1,0,2,0")
		send()
		h.ok(`AT+CPMS="SR"`)
		h.want("AT+CMGR=1", "\r\n+CMGR: \"REC UNREAD\","+strings.Replace(what, "%", "1", 1)+okay)
	})
}
