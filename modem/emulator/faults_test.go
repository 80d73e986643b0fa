package emulator

import (
	"encoding/hex"
	"fmt"
	"maps"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/warthog618/sms"
	"github.com/warthog618/sms/encoding/tpdu"
)

// rig is a modem that is up, its host, and a phone to write to.
type rig struct {
	*host
	n *Network
	p *Phone
}

func newRig(t *testing.T, n *Network, c Config) *rig {
	t.Helper()
	m := n.NewModem(c)
	r := &rig{host: dial(t, m), n: n, p: n.NewPhone(PhoneConfig{})}
	r.up()
	return r
}

// up is as much bring-up as the tests need.
func (r *rig) up() {
	r.t.Helper()
	r.ok("ATE0", "AT+CMEE=1", "AT+CMGF=0", `AT+CPMS="ME","ME","ME"`, "AT+CNMI=2,1,0,1,0")
}

func (r *rig) fault(name string, c FaultConfig) {
	r.t.Helper()
	if err := r.m.Fault(name, c); err != nil {
		r.t.Fatal(err)
	}
}

// pass lets time go by.
func (r *rig) pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

// heard checks what was said since the last look.
func (r *rig) heard(want string) {
	r.t.Helper()
	r.is(r.settle(), want)
}

func (r *rig) is(got, want string) {
	r.t.Helper()
	if got != want {
		r.t.Errorf("\n got %q\nwant %q", got, want)
	}
}

// has checks for a piece of what was said.
func (r *rig) has(got, want string) {
	r.t.Helper()
	if !strings.Contains(got, want) {
		r.t.Errorf("\n got %q\nwant it to hold %q", got, want)
	}
}

func (r *rig) hasNot(got, piece string) {
	r.t.Helper()
	if strings.Contains(got, piece) {
		r.t.Errorf("\n got %q\nwant no %q in it", got, piece)
	}
}

// sent checks how many SUBMITs the network has truly accepted.
func (r *rig) sent(want int) {
	r.t.Helper()
	if got := len(r.n.Record()); got != want {
		r.t.Errorf("the network accepted %d, want %d", got, want)
	}
}

// prompt opens a prompt for a one-part message and returns what was said and what to write.
func (r *rig) prompt() (said, payload string) {
	b := submits(r.t, r.p.Number(), "hello")[0]
	return r.say(fmt.Sprintf("AT+CMGS=%d", len(b))), fmt.Sprintf("00%X\x1a", b)
}

// texts are the texts stored in a memory, by slot.
func (r *rig) texts(mem string) []string {
	var out []string
	for _, s := range r.m.Stored(mem) {
		t, err := sms.Unmarshal(s.TPDU, sms.AsMT)
		if err != nil {
			out = append(out, "?")
			continue
		}
		out = append(out, textOf(t))
	}
	return out
}

// reports are the status reports shown by +CDS in what was said.
func (r *rig) reports(said string) []*tpdu.TPDU {
	r.t.Helper()
	var out []*tpdu.TPDU
	for _, m := range regexp.MustCompile(`\+CDS: [^\r]*\r\n([0-9A-F]+)\r\n`).FindAllStringSubmatch(said, -1) {
		b, err := hex.DecodeString(m[1])
		if err != nil {
			r.t.Fatal(err)
		}
		t, err := sms.Unmarshal(b[1+int(b[0]):], sms.AsMT)
		if err != nil {
			r.t.Fatal(err)
		}
		out = append(out, t)
	}
	return out
}

const okay = "\r\nOK\r\n"

// TestFaults sees every fault of the catalogue act.
func TestFaults(t *testing.T) {
	faultTests := map[string]func(r *rig, name string){}
	for _, tests := range []map[string]func(r *rig, name string){lineFaultTests, smsFaultTests, incomingFaultTests, lifeFaultTests} {
		maps.Copy(faultTests, tests)
	}
	for _, f := range Faults() {
		test := faultTests[f.Name]
		if test == nil {
			t.Errorf("%s has no test", f.Name)
			continue
		}
		t.Run(f.Name, func(t *testing.T) {
			// Half a second to the network and back, where a report must be seen before the answer.
			c := Config{}
			if f.Name == "report.before-cmgs" {
				c.Latency = time.Second
			}
			bubble(t, NetworkConfig{}, func(t *testing.T, n *Network) { test(newRig(t, n, c), f.Name) })
		})
	}
	if len(faultTests) != len(Faults()) {
		t.Errorf("%d tests for %d faults", len(faultTests), len(Faults()))
	}
}

func TestCatalogue(t *testing.T) {
	families := map[int]int{}
	seen := map[string]bool{}
	for _, f := range Faults() {
		if seen[f.Name] || f.Sentence == "" || !regexp.MustCompile(`^[a-z]+\.[a-z0-9-]+$`).MatchString(f.Name) {
			t.Errorf("odd or double: %+v", f)
		}
		seen[f.Name] = true
		families[f.Family]++
	}
	if len(families) != 10 || len(seen) < 60 {
		t.Errorf("%d faults in %d families", len(seen), len(families))
	}
	bubble(t, NetworkConfig{}, func(t *testing.T, n *Network) {
		if err := n.NewModem(Config{}).Fault("no.such", FaultConfig{}); err == nil {
			t.Error("an unknown fault is taken")
		}
	})
}
