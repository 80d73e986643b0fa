package peers_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

// TestKannel runs bearerbox and smsbox. Whether messages are routed to Kannel
// or stored by the modem is up to the init string; both ways are gone.
func TestKannel(t *testing.T) {
	t.Parallel()
	need(t, "kannel", "bearerbox", "smsbox")
	for profile, settings := range map[string]kannelSettings{
		"generic":      {detect: "simpost", init: "AT+CNMI=1,2,0,1,0"},
		"sim800":       {detect: "SIMCOM", init: "AT+CNMI=2,1,0,1,0", buffering: true},
		"huawei":       {detect: "huawei", init: "AT+CNMI=1,1,0,1,0", buffering: true},
		"quectel-ec25": {detect: "Quectel", init: "AT+CNMI=2,1,0,1,0", buffering: true},
	} {
		t.Run(profile, func(t *testing.T) {
			t.Parallel()
			kannel(t, emulate(t, 1, profile), settings)
		})
	}
}

// kannelSettings are what a user finds out about the modem.
type kannelSettings struct {
	detect, init string
	buffering    bool // the modem stores messages, Kannel lists them
}

// kannel sends, gets the delivery report, and receives the echo.
func kannel(t *testing.T, n *network, s kannelSettings) {
	m, calls := n.modems[0], make(chan url.Values, 16)
	application := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { calls <- r.URL.Query() }))
	t.Cleanup(application.Close)
	ports := freePorts(t, 3)
	config := write(t, t.TempDir(), "kannel.conf", strings.NewReplacer("ADMIN", ports[0], "SMSBOX", ports[1], "SENDSMS", ports[2],
		"DEVICE", m.link, "NUMBER", m.number, "DETECT", s.detect, "INIT", s.init, "BUFFERING", fmt.Sprint(s.buffering), "APPLICATION", application.URL).Replace(`
group = core
admin-port = ADMIN
admin-interface = 127.0.0.1
admin-password = test
smsbox-port = SMSBOX
smsbox-interface = 127.0.0.1

group = smsc
smsc = at
smsc-id = modem
modemtype = emulated
device = DEVICE
speed = 115200
sms-center = +4790000000
sim-buffering = BUFFERING

group = modems
id = emulated
name = "emulated"
detect-string = "DETECT"
init-string = "INIT"
speed = 115200
sendline-sleep = 5

group = smsbox
bearerbox-host = 127.0.0.1
bearerbox-port = SMSBOX
sendsms-port = SENDSMS
sendsms-interface = 127.0.0.1

group = sendsms-user
username = test
password = test
default-sender = NUMBER
concatenation = true
max-messages = 10

group = sms-service
keyword = default
catch-all = true
max-messages = 0
get-url = "APPLICATION/?from=%p&text=%b"
`))
	bearerbox := start(t, "bearerbox", "-v", "1", config)
	bearerbox.expect(t, bearerbox.err, "AT SMSC successfully opened")
	smsbox := start(t, "smsbox", "-v", "1", config)
	smsbox.expect(t, smsbox.err, "Connected to bearerbox") // it dies of a message that comes before
	before := n.commands(m)
	get(t, "http://127.0.0.1:"+ports[2]+"/cgi-bin/sendsms", url.Values{"username": {"test"}, "password": {"test"}, "to": {echo},
		"text": {long()}, "charset": {"UTF-8"}, "coding": {"2"}, "dlr-mask": {"3"}, "dlr-url": {application.URL + "/?status=%d"}})
	n.sentOnce(t, m, echo, long(), 2)
	var texts, reports []string
	for len(texts) < 1 || len(reports) < 1 {
		select {
		case call := <-calls:
			if status := call.Get("status"); status != "" {
				reports = append(reports, status)
			} else {
				texts = append(texts, call.Get("from")+" "+call.Get("text"))
			}
		case <-time.After(patience):
			t.Fatalf("Kannel has called with reports %q and messages %q only", reports, texts)
		}
	}
	t.Logf("kannel: %d AT commands to start, %d for 2 parts out, 2 in, with reports", before, n.commands(m)-before)
	if want := echo + " " + bigEndian(long()); texts[0] != want || reports[0] != "1" {
		t.Errorf("Kannel has reports %q and received %q, want 1 and %q", reports, texts, want)
	}
	n.sentOnce(t, m, echo, long(), 2)
}

// get asks Kannel to send.
func get(t *testing.T, address string, query url.Values) {
	t.Helper()
	eventually(t, "smsbox takes a message", func() bool {
		client := http.Client{Timeout: grace}
		answer, err := client.Get(address + "?" + query.Encode())
		if err != nil {
			return false // it does not listen yet
		}
		defer answer.Body.Close()
		if body, err := io.ReadAll(answer.Body); err != nil || answer.StatusCode != http.StatusAccepted {
			t.Fatalf("sendsms says %s %q (%v)", answer.Status, body, err)
		}
		return true
	})
}

// freePorts are ports of the loopback that nobody listens on.
func freePorts(t *testing.T, count int) []string {
	t.Helper()
	var ports []string
	for range count {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		_, port, err := net.SplitHostPort(l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		ports = append(ports, port)
	}
	return ports
}
