package qemu_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// moments are when a modem is pulled: when its trace shows such a line.
var moments = []struct{ name, line string }{
	{"before the message left", `modem0 > "AT+CMGS=`},
	{"in the listing", `modem0 > "AT+CMGL=`},
	{"before the network has the message", `modem0 > "00`},
	{"in the answer of the listing", `modem0 < "+CMGL:`},
	{"when the message was taken", `modem0 < "+CMGS:`},
	{"at the deleting", `modem0 > "AT+CMGD=`},
}

// TestPullAndPlug is a newcomer's day, and then a bad one: the package is installed
// and its daemon runs, a modem is plugged in for the first time, found, used, and
// reset; and then it is pulled and plugged again and again in the middle of its work.
func TestPullAndPlug(t *testing.T) {
	n := rounds(t)
	insist(t, func(t *testing.T) { pullAndPlug(t, n) })
}

func pullAndPlug(t *testing.T, n int) {
	net := emulate(t, 2, "generic,sim800")
	d := guest(t, amd64)
	m := boot(t, amd64, d, drive(d), net.ports)
	office := &office{machine: m, network: net}
	m.until("the daemon runs", "systemctl is-active simpost")
	if got := m.run("ls /dev/ttyUSB* 2>&1 || true"); !strings.Contains(got, "No such file") {
		t.Fatalf("there is a modem already: %s", got)
	}
	plugged := time.Now()
	m.plug(0)
	office.ready(1)
	t.Logf("found and ready %.0f s after it was plugged in", time.Since(plugged).Seconds())
	office.send("--wait=delivered")
	office.hear()
	office.settled()
	office.reset()

	first := rand.IntN(len(moments)) // so that not all of a few rounds are before ^Z, every time
	for i := range n {
		moment := moments[(first+i)%len(moments)]
		office.send("") // its second part is still to come
		mark := net.mark()
		office.hear()
		net.sees(mark, moment.line)
		office.pullOut(0)
		mark = net.mark()
		net.tell("plug modem0")
		plugged = time.Now()
		m.plug(0)
		net.sees(mark, `modem0 > "AT+CNMI=`)
		t.Logf("pulled %s; set up again %.1f s after it came back", moment.name, time.Since(plugged).Seconds())
	}
	office.settled()
	office.judge()
	office.swap()
	office.settled()
	office.judge()
	m.run("systemctl stop simpost && systemctl poweroff")
}

// swap plugs a second modem in, and then both so that each gets the other's name.
func (o *office) swap() {
	o.plug(1)
	o.ready(2)
	names := o.run("simpost modems")
	first := o.run("readlink -f /dev/serial/by-id/*SIMPOST0*")
	// Each has work in hand while it goes.
	o.sendBy(0, "sim")
	o.sendBy(1, "sim-2")
	for i := range 2 {
		o.pullOut(i)
		o.network.tell("plug modem%d", i)
	}
	for _, i := range []int{1, 0} {
		o.plug(i)
		o.until("the modem is there", fmt.Sprintf("ls /dev/serial/by-id/*SIMPOST%d*", i))
	}
	if now := o.run("readlink -f /dev/serial/by-id/*SIMPOST0*"); now == first {
		o.t.Errorf("the first modem is %s again: nothing was swapped", strings.TrimSpace(now))
	}
	o.ready(2)
	o.sendBy(0, "sim")
	o.sendBy(1, "sim-2")
	o.t.Logf("before the swap:\n%s\nafter it:\n%s", names, o.run("simpost modems"))
}

// pullOut pulls a modem. Its line ends first: QEMU 7.2 crashes now and then when
// octets come for a device that is just being deleted.
func (o *office) pullOut(i int) {
	o.t.Helper()
	o.network.tell("unplug modem%d", i)
	o.run("true") // meanwhile QEMU notices
	o.pull(i)
}

// office is what was asked of the daemon in a machine, to be compared with what the
// network has in the end.
type office struct {
	*machine
	network *network
	sent    []sent
	heard   []sent // from telephones
}

type sent struct {
	number, text, by string // by is the number of the SIM card, "" for any
}

// guest is the disk of a Debian with our package, whose daemon waits less than a
// person's would for evidence that will not come.
func guest(t *testing.T, a arch) disk {
	t.Helper()
	d := newTree(t, a.name)
	d.install(newestPackage(t, a.name))
	d.write("/etc/systemd/system/simpost.service.d/test.conf",
		"[Service]\nEnvironment=SIMPOST_SEND_QUARANTINE=2s SIMPOST_GUARD_OFF=true SIMPOST_SEND_RETRY_FIRST=2s\n")
	d.write("/etc/udev/rules.d/69-my-modem.rules", adapterRule(t))
	return newDisk(t, d)
}

func drive(d disk) string { return "id=disk,if=none,format=raw,file=" + d.image }

// ready waits until so many modems can send.
func (o *office) ready(modems int) {
	o.t.Helper()
	o.until("modems can send", fmt.Sprintf(`[ $(simpost --json modems | grep -c '"can_send": true') = %d ]`, modems))
}

// send sends a message of two parts to a number of its own. It is on the guest's disk when this returns.
func (o *office) send(flags string) { o.dispatch("", flags) }

// sendBy sends by the modem that has this name, which must be the i-th of the network.
func (o *office) sendBy(i int, name string) { o.dispatch(number(i), "--modem "+name) }

func (o *office) dispatch(by, flags string) {
	o.t.Helper()
	i := len(o.sent)
	s := sent{fmt.Sprintf("+47900010%02d", i), fmt.Sprintf("message %d %s", i, strings.Repeat("0123456789 ", 18)), by}
	o.run(fmt.Sprintf("simpost send %s --to %s '%s'", flags, s.number, s.text))
	o.sent = append(o.sent, s)
}

// hear lets a telephone write to the first modem.
func (o *office) hear() {
	o.t.Helper()
	i := len(o.heard)
	s := sent{number: fmt.Sprintf("+47900020%02d", i), text: fmt.Sprintf("call %d", i)}
	o.network.tell("send %s %s %s", s.number, number(0), s.text)
	o.heard = append(o.heard, s)
}

// message is what matters here of the API's.
type message struct {
	To, From, Text, State string
	PossibleDuplicate     bool   `json:"possible_duplicate"`
	RepeatOf              string `json:"repeat_of"`
}

func (o *office) messages(direction string) []message {
	o.t.Helper()
	var list struct{ Messages []message }
	o.ask(&list, "messages --limit 200 --direction "+direction)
	return list.Messages
}

// settled waits until all that was sent is delivered and all that was written to us is here.
func (o *office) settled() {
	o.t.Helper()
	eventually(o.t, "every message is delivered or received", func() bool {
		here := map[string]bool{}
		for _, m := range o.messages("in") {
			here[m.From] = true
		}
		for _, s := range o.heard {
			if !here[s.number] {
				return false
			}
		}
		done := 0
		for _, m := range o.messages("out") {
			// Unknown is where a message rests only after its repeat.
			if m.State == "delivered" || m.State == "sent" || m.State == "unknown" && m.PossibleDuplicate {
				done++
			}
		}
		return done == len(o.sent)
	})
}

// judge compares what the daemon says with what the network took: nothing is lost,
// and what came twice is marked.
func (o *office) judge() {
	o.t.Helper()
	said := map[string]message{}
	for _, m := range o.messages("out") {
		said[m.To] = m
	}
	accepted := o.network.accepted()
	marked := 0
	for _, s := range o.sent {
		copies := map[int]int{}
		for _, a := range accepted {
			if a.To != s.number {
				continue
			}
			copies[a.Part]++
			if s.by != "" && a.From != s.by {
				o.t.Errorf("%s was sent by the SIM card of %s, not of %s", s.number, a.From, s.by)
			}
		}
		m := said[s.number]
		switch {
		case (copies[1] == 0 || copies[2] == 0) && m.State != "unknown": // it says so: the power went twice while a part was in the air
			o.t.Errorf("lost: the network has %v of the parts to %s, and the daemon says %+v", copies, s.number, m)
		case max(copies[1], copies[2]) > 1 && !m.PossibleDuplicate:
			o.t.Errorf("doubled without a mark: the network has %v of the parts to %s, and the daemon says %+v", copies, s.number, m)
		}
		if m.PossibleDuplicate {
			marked++
		}
	}
	got := map[string]int{}
	for _, m := range o.messages("in") {
		if m.RepeatOf == "" {
			got[m.From+" "+m.Text]++
		}
	}
	for _, s := range o.heard {
		if n := got[s.number+" "+s.text]; n != 1 {
			o.t.Errorf("%q from %s was received %d times", s.text, s.number, n)
		}
	}
	o.t.Logf("%d messages out, %d of them marked as possible duplicates, %d in",
		len(o.sent), marked, len(o.heard))
}
