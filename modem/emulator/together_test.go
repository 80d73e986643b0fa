package emulator

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// crude is a host that goes on whatever it hears, and opens the port again when it is gone.
type crude struct {
	*host
	wrote int // payloads ended with ^Z
}

// tell writes, gives the modem ten seconds and returns what it said.
func (c *crude) tell(s string) string {
	if _, err := c.port.Write([]byte(s)); err != nil {
		c.port.Close()
		after(time.Minute)
		if port, err := c.m.Open(); err == nil {
			c.port.Close()
			port.Close()
			c.host = dial(c.t, c.m)
		}
		return ""
	}
	after(10 * time.Second)
	return c.settle()
}

// round is a message out, the memory read, a message deleted, and a way out of whatever was left open.
func (c *crude) round(to string, i int) {
	b := submits(c.t, to, fmt.Sprint(i))[0]
	if strings.Contains(c.tell(fmt.Sprintf("AT+CMGS=%d\r", len(b))), ">") {
		c.wrote++
		c.tell(fmt.Sprintf("00%X\x1a", b))
	}
	for _, s := range []string{"\x1b", "AT+CNMI=2,1,0,1,0\r", "AT+CPMS?\r", "AT+CMGL=4\r", "AT+CMGR=1\r", "AT+CMGD=1\r"} {
		c.tell(s)
	}
}

// TestFaultsTogether switches on several faults at once. Nothing may panic or hang, the network never accepts more than
// was written, and a modem freed of them is as good as new.
func TestFaultsTogether(t *testing.T) {
	for seed := range uint64(40) {
		rng := rand.New(rand.NewPCG(seed, 1))
		bubble(t, NetworkConfig{}, func(t *testing.T, n *Network) {
			m := n.NewModem(Config{Seed: seed, Profile: Profiles()[int(seed)%len(Profiles())], Latency: time.Second})
			p := n.NewPhone(PhoneConfig{})
			c := &crude{host: dial(t, m)}
			var on []string
			for range 5 {
				f := catalogue[rng.IntN(len(catalogue))]
				if f.Name == "life.write-blocks" {
					continue // this host has no other hand to close the port with
				}
				on = append(on, f.Name)
				if err := m.Fault(f.Name, FaultConfig{Probability: 0.3, Accept: seed%2 == 0}); err != nil {
					t.Fatal(err)
				}
			}
			for i := range 4 {
				p.Send(m.Number(), strings.Repeat("in ", 60*(i%2)+1))
				c.round(p.Number(), i)
			}
			if got := n.Count(); got > c.wrote {
				t.Errorf("%v: %d accepted of %d written", on, got, c.wrote)
			}
			m.ClearFaults()
			c.port.Close()
			m.Unplug()
			m.Plug()
			after(time.Minute)
			h := dial(t, m)
			h.ok("ATE0", "AT+CSCA=\"+4790000000\",145")
			got := h.submit(p.Number(), "new")
			after(time.Second)
			if got += h.settle(); !strings.Contains(got, "+CMGS: ") {
				t.Errorf("%v: afterwards %q", on, got)
			}
		})
	}
}
