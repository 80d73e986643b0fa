package main

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"simpost/modem/emulator"
)

// What only the built program tells besides crashes: a card with a PIN, a disk that
// fails, and how much memory a flood takes.

// pinRestarts is how often the daemon is killed with one card, rests when it has come
// to rest.
const (
	pinRestarts = 10
	rests       = 5 * time.Second
)

// Around the entry of a PIN the daemon dies again and again: a wrong one is entered
// once, ever, and two tries always stay.
func TestKilledAroundThePIN(t *testing.T) {
	t.Parallel()
	sideBySide(t, "pin-kill", "ten kill -9 around the entry of a right or a wrong PIN", counts(t, 4, 4, 20), func(v *victim, cards, i int) {
		for card := range cards {
			v.t.Run(strconv.Itoa(card), func(t *testing.T) { v.restarts(t, card, i) })
		}
	})
}

// restarts has a card and a database of its own.
func (v *victim) restarts(t *testing.T, card, seed int) {
	t.Helper()
	file := filepath.Join(v.t.TempDir(), "pin")
	pin := []string{"1234", "4321"}[(card+seed)%2]
	if err := os.WriteFile(file, []byte(pin+"\n"), 0o600); err != nil {
		v.t.Fatal(err)
	}
	p := newVictimWith(t, emulator.Config{Latency: 5 * time.Millisecond, PIN: "1234", ColdStart: true}, fmt.Sprintf("pin_file = %q\n", file))
	random, wrong := rand.New(rand.NewPCG(uint64(seed), uint64(card))), 0
	for range pinRestarts {
		lines := 1 + random.IntN(40)
		p.arm(func(line string) bool {
			if strings.HasPrefix(line, "> AT+CPIN=") && !strings.Contains(line, "1234") {
				wrong++
			}
			lines--
			return lines <= 0
		})
		p.start()
		select {
		case <-p.dead:
		case <-time.After(rests): // its card wants another PIN: it asks again after a minute
			p.kill()
		}
		if random.IntN(3) == 0 {
			p.modem.Reboot()
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if wrong > 1 {
		v.wrong += wrong - 1
		v.t.Errorf("a wrong PIN was entered %d times", wrong)
	}
}

// memoryLimit is the most that a daemon may ever have had.
const memoryLimit = 48 << 20

// Thousands of parts that come as fast as the line carries them cost little memory. `make faults` judges how much, without
// the race detector.
func TestFloodCostsNoMemory(t *testing.T) {
	began := time.Now()
	sets := counts(t, 60, 400, 3334)
	v := newVictimWith(t, emulator.Config{}, "")
	for f, p := range map[string]float64{"incoming.redelivered": 0.1, "incoming.part-missing": 0.1} {
		if err := v.modem.Fault(f, emulator.FaultConfig{Times: 1e6, Probability: p}); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 50 - len(v.phones) {
		v.phones = append(v.phones, v.net.NewPhone(emulator.PhoneConfig{Number: fmt.Sprintf("+47910%05d", i)}))
	}
	v.serves()
	for i := range sets {
		v.phones[i%50].Send(v.modem.Number(), fmt.Sprintf("f%d."+strings.Repeat(fmt.Sprintf(" f%d", i), 60), i))
	}
	look := time.NewTicker(500 * time.Millisecond)
	defer look.Stop()
	for v.seen("f") < sets {
		select {
		case <-look.C:
		case <-v.ctx.Done():
			t.Fatalf("%d of %d have come\n%s", v.seen("f"), sets, v.log)
		}
	}
	most := v.memory()
	t.Logf("%d parts, %d MB at most", 3*sets, most>>20)
	if most > memoryLimit && !raced {
		v.wrong++
		t.Errorf("the daemon took %d MB, want %d", most>>20, memoryLimit>>20)
	}
	writeFaultRow(t, "flood-memory", fmt.Sprintf("the program in a flood of %d parts: %d MB at most", 3*sets, most>>20), 1, v.lost, v.doubled, v.wrong, time.Since(began),
		map[string]any{"messages": sets})
}

var firstWord = regexp.MustCompile(`^[a-z]+\d+\.`)

// seen counts different texts that have come, whole or in part, and begin so.
func (v *victim) seen(prefix string) int {
	in, err := v.inbox()
	if err != nil {
		return 0
	}
	words := map[string]bool{}
	for _, m := range in {
		if m.Text != nil && strings.HasPrefix(*m.Text, prefix) {
			words[firstWord.FindString(*m.Text)] = true
		}
	}
	return len(words)
}

// memory is the most that the daemon has had, in octets.
func (v *victim) memory() int {
	v.t.Helper()
	v.mu.Lock()
	pid := v.proc.Process.Pid
	v.mu.Unlock()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		v.t.Fatal(err)
	}
	m := regexp.MustCompile(`VmHWM:\s+(\d+) kB`).FindSubmatch(status)
	kb, err := strconv.Atoi(string(m[1]))
	if err != nil {
		v.t.Fatal(err)
	}
	return kb << 10
}

// badDisk is one way in which the disk fails.
type badDisk struct {
	call     string
	at, last int
	errno    unix.Errno
}

// badDisks spreads n trials over the calls that a daemon makes in such a run.
func badDisks(n int) []badDisk {
	const syncs, writes = 45, 300
	var all []badDisk
	for i := range n {
		at := 1 + i*syncs/n
		all = append(all, badDisk{"sync", at, at, unix.EIO})
		at = 1 + i*writes/n
		all = append(all, badDisk{"write", at, at, unix.EIO}, badDisk{"write", at, at + 1 + i%40, unix.ENOSPC})
	}
	return all
}

// The disk fails at each call: after EIO nothing is accepted any more and the
// program ends within a second; after ENOSPC it goes on by itself.
func TestBadDisk(t *testing.T) {
	t.Parallel()
	lib := faultLibrary(t)
	disks := badDisks(counts(t, 2, 6, 100))
	sideBySide(t, "disk", "EIO or ENOSPC at each call of SQLite", len(disks), func(v *victim, rounds, i int) {
		for n := len(disks) * i / atOnce; rounds > 0; n, rounds = n+1, rounds-1 {
			v.t.Run(strconv.Itoa(n), func(t *testing.T) { v.onDisk(t, lib, disks[n]) })
		}
	})
}

const (
	exitWithin   = time.Second // of the call that failed
	diskMessages = 12
)

// onDisk has a daemon and a database of its own, which end with t.
func (v *victim) onDisk(t *testing.T, lib string, d badDisk) {
	t.Helper()
	w := newVictimWith(t, emulator.Config{}, "")
	calls := filepath.Join(w.dir, "calls")
	w.env = append(failing(lib, d.call, d.at, d.last, int(d.errno)), "FAULT_LOG="+calls)
	w.start()
	w.serving()
	for n := range diskMessages {
		broken := d.errno == unix.EIO && failedCalls(calls) > 0
		w.asked = append(w.asked, order{fmt.Sprintf("disk-%d", n), textTo(w.phones[n%3].Number(), fmt.Sprintf("on disk %d.", n))})
		accepted := len(w.sent)
		w.ask()
		if broken && len(w.sent) > accepted {
			v.wrong++
			v.t.Errorf("%+v: accepted after a call had failed", d)
		}
		w.tell(fmt.Sprintf("to the disk %d.", n))
	}
	w.again() // there is room again, or it never comes to that call
	if d.errno == unix.EIO && failedCalls(calls) > 0 {
		select {
		case <-w.dead:
		case <-time.After(exitWithin):
			v.wrong++
			v.t.Errorf("%+v: it goes on %v after a call failed\n%s", d, exitWithin, w.log)
		}
	}
	select {
	case <-w.dead:
		w.env = nil
		w.end()
	default:
		w.settled()
		w.flagged = w.judge()
	}
	v.add(w)
}

// again asks until all is accepted and done, or the daemon is dead.
func (v *victim) again() {
	v.t.Helper()
	look := time.NewTicker(100 * time.Millisecond)
	defer look.Stop()
	for v.ask(); len(v.asked) > 0 || !v.atRest(); v.ask() {
		select {
		case <-v.dead:
			return
		case <-look.C:
		case <-v.ctx.Done():
			v.t.Fatalf("neither dead nor done: %s\n%s", v.openOnes(), v.log)
		}
	}
}

// failedCalls counts them in the library's log.
func failedCalls(log string) int {
	b, err := os.ReadFile(log)
	if err != nil {
		return 0
	}
	return strings.Count(string(b), "S") + strings.Count(string(b), "W")
}

// hangs are ways to hang on the socket, or to be slow on it.
var hangs = []func(net.Conn){
	func(net.Conn) {},
	func(c net.Conn) { c.(*net.UnixConn).CloseWrite() },
	func(c net.Conn) { io.WriteString(c, "GET /v1/status HTTP/1.1\r\nHost: ") },
	func(c net.Conn) {
		io.WriteString(c, "POST /v1/messages HTTP/1.1\r\nHost: simpost\r\nContent-Type: application/json\r\nContent-Length: 60000\r\n\r\n{")
	},
	func(c net.Conn) { // never reads
		for range 20 {
			io.WriteString(c, "GET /openapi.json HTTP/1.1\r\nHost: simpost\r\n\r\n")
		}
	},
	func(c net.Conn) { // 1 GB, of which no more is taken than the limit of a body
		io.WriteString(c, "POST /v1/messages HTTP/1.1\r\nHost: simpost\r\nContent-Type: application/json\r\nContent-Length: 1073741824\r\n\r\n")
		block := make([]byte, 64<<10)
		for range 1 << 14 {
			if _, err := c.Write(block); err != nil {
				return
			}
		}
	},
}

const (
	hungClients = 1000
	healthy99   = 50 * time.Millisecond
)

// A healthy client is served at once while a thousand others hang.
func TestHungClients(t *testing.T) {
	began := time.Now()
	v := newVictim(t)
	v.serves()
	var all sync.WaitGroup
	defer all.Wait()
	for i := range hungClients {
		c, err := net.Dial("unix", v.socket())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if err := c.SetWriteDeadline(time.Now().Add(10 * time.Second)); err != nil {
			t.Fatal(err)
		}
		all.Go(func() { hangs[i%len(hangs)](c) })
	}
	var took []time.Duration
	for n := range counts(t, 50, 200, 1000) {
		asked := time.Now()
		v.asked = append(v.asked, order{fmt.Sprintf("hung-%d", n), textTo(v.phones[n%3].Number(), fmt.Sprintf("beside %d.", n))})
		if v.ask(); len(v.asked) > 0 {
			t.Fatalf("a healthy client was refused\n%s", v.log)
		}
		took = append(took, time.Since(asked))
	}
	slices.Sort(took)
	p99 := took[len(took)*99/100]
	if os.Getenv("SIMPOST_FAULTS") == "full" && p99 > healthy99 {
		v.wrong++
		t.Errorf("a healthy client waited %v one time in a hundred, want %v", p99, healthy99)
	}
	v.settled()
	v.flagged = v.judge()
	v.ready = nil
	v.row("clients", fmt.Sprintf("1,000 hung and slow clients, 1 GB bodies; a healthy one waits %v, p99 %v", took[len(took)/2].Round(time.Millisecond/10), p99.Round(time.Millisecond/10)),
		len(took), time.Since(began))
}
