package main

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"simpost/daemon/api"
	"simpost/modem/emulator"
)

// The program is killed with -9 and started again, and the network's record is
// held against what the daemon then says: nothing accepted is lost, nothing is
// sent twice unless it is marked possible_duplicate.

// crashLimit ends a test whose daemon does not get on.
const crashLimit = 25 * time.Minute

// victim is a daemon in a process of its own, on an emulated modem's pty. The
// emulator lives in the test, so the network outlives every kill.
type victim struct {
	t      *testing.T
	ctx    context.Context
	dir    string
	net    *emulator.Network
	modem  *emulator.Modem
	phones []*emulator.Phone
	client *api.Client

	mu    sync.Mutex
	proc  *exec.Cmd              // the daemon that runs, or ran last
	dead  chan struct{}          // closed when that has ended
	env   []string               // of the next daemon, besides ours
	log   *diary                 // of the daemon that runs, or ran last
	armed func(line string) bool // kill when it says so
	sent  []string               // ids of what was accepted
	asked []order                // not known to be accepted yet
	told  []string               // texts that phones sent to the SIM

	ready                  []time.Duration // from each start to the first answer of the API
	lost, doubled, flagged int
	wrong                  int
	ends                   map[api.State]int // how many messages came to which end
}

// order is a message under a key of its own: asking again doubles nothing.
type order struct {
	key string
	req api.SendRequest
}

func newVictim(t *testing.T) *victim {
	return newVictimWith(t, emulator.Config{Latency: 40 * time.Millisecond}, "")
}

// newVictimWith has another modem, and more lines in its [[modem]] table.
func newVictimWith(t *testing.T, modem emulator.Config, lines string) *victim {
	ctx, cancel := context.WithTimeout(t.Context(), crashLimit)
	t.Cleanup(cancel)
	v := &victim{t: t, ctx: ctx, dir: t.TempDir(), ends: map[api.State]int{}, net: emulator.NewNetwork(emulator.NetworkConfig{})}
	t.Cleanup(v.net.Close)
	modem.Name, modem.Number, modem.Trace = "a", "+4790000001", v.trace
	v.modem = v.net.NewModem(modem)
	for i := range 3 {
		v.phones = append(v.phones, v.net.NewPhone(emulator.PhoneConfig{Number: fmt.Sprintf("+4791000%03d", i)}))
	}
	pty, stop := context.WithCancel(context.Background())
	served := make(chan error, 1)
	link := filepath.Join(v.dir, "modem")
	go func() { served <- v.modem.ServePTY(pty, link) }()
	t.Cleanup(func() {
		v.kill()
		stop()
		if err := <-served; err != nil {
			t.Errorf("the pseudo-terminal: %v", err)
		}
	})
	config := fmt.Sprintf("database = %q\nmark = %q\n[api]\nsocket = %q\n[send]\nquarantine = \"1s\"\nretry_first = \"1s\"\nretry_longest = \"4s\"\n[receive]\npoll = \"1s\"\n[guard]\noff = true\n[[modem]]\nname = \"a\"\ndevice = %q\n%s",
		filepath.Join(v.dir, "simpost.db"), v.markPath(), v.socket(), link, lines)
	if err := os.Mkdir(filepath.Dir(v.markPath()), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(v.dir, "simpost.toml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	v.client = &api.Client{Socket: v.socket()}
	return v
}

func (v *victim) markPath() string { return filepath.Join(v.dir, "mark", "last") }

func (v *victim) socket() string { return filepath.Join(v.dir, "simpost.sock") }

// trace sees every line on the wire. It kills with the network locked, so that
// nothing happens between the line and the death.
func (v *victim) trace(_ string, toModem bool, line string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	mark := "< "
	if toModem {
		mark = "> "
	}
	if v.armed != nil && v.armed(mark+line) {
		v.armed = nil
		v.proc.Process.Kill()
	}
}

func (v *victim) arm(when func(line string) bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.armed = when
}

// start runs the daemon.
func (v *victim) start() {
	v.t.Helper()
	cmd := exec.Command("simpost", "serve", "--config", filepath.Join(v.dir, "simpost.toml"))
	cmd.Env = append(os.Environ(), v.env...)
	v.launch(cmd)
}

// launch runs the daemon by that command.
func (v *victim) launch(cmd *exec.Cmd) {
	v.t.Helper()
	v.log, v.dead = &diary{serving: make(chan struct{})}, make(chan struct{})
	cmd.Stderr = v.log
	v.mu.Lock()
	v.proc = cmd
	err := cmd.Start()
	v.mu.Unlock()
	if err != nil {
		v.t.Fatal(err)
	}
	go func(dead chan struct{}) {
		defer close(dead)
		cmd.Wait() // that it was killed is no news
	}(v.dead)
}

// serving waits until the API answers, or the daemon is dead: then it is false.
func (v *victim) serving() bool {
	began := time.Now()
	select {
	case <-v.log.serving:
		v.ready = append(v.ready, time.Since(began))
		return true
	case <-v.dead:
	case <-v.ctx.Done():
	}
	return false
}

// serves runs a daemon that must come to serve.
func (v *victim) serves() {
	v.t.Helper()
	v.start()
	v.mustServe()
}

func (v *victim) mustServe() {
	v.t.Helper()
	if !v.serving() {
		v.t.Fatalf("the daemon does not serve:\n%s", v.log)
	}
}

// diary keeps what a daemon logs, and tells when it serves.
type diary struct {
	serving chan struct{}

	mu   sync.Mutex
	told bool
	text bytes.Buffer
}

func (d *diary) Write(p []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.told && bytes.Contains(p, []byte("msg=serving")) {
		d.told = true
		close(d.serving)
	}
	return d.text.Write(p)
}

func (d *diary) String() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.text.String()
}

// kill ends the daemon now, and waits for that.
func (v *victim) kill() {
	v.mu.Lock()
	proc := v.proc
	v.mu.Unlock()
	if proc != nil {
		proc.Process.Kill() // it may be dead
		<-v.dead
	}
}

// work gives the daemon something of every kind to do. What a kill leaves without
// an answer is asked for again, under the same key, when it is back.
func (v *victim) work(round int) {
	v.t.Helper()
	for i, p := range v.phones {
		body := fmt.Sprintf("round %d to %d.", round, i)
		if i == 0 {
			for n := range 40 {
				body += fmt.Sprintf(" r%d-%d", round, n) // no part is like another
			}
		}
		v.asked = append(v.asked, order{fmt.Sprintf("round-%d-%d", round, i), api.SendRequest{To: api.Recipients{p.Number()}, Text: &body}})
	}
	v.ask()
	v.tell(fmt.Sprintf("round %d from a phone.", round))
}

func (v *victim) ask() {
	v.t.Helper()
	for len(v.asked) > 0 {
		msgs, _, err := v.client.Send(v.ctx, v.asked[0].req, v.asked[0].key)
		if err != nil {
			v.t.Logf("%s is not known to be accepted: %v", v.asked[0].key, err)
			return
		}
		v.sent = append(v.sent, msgs[0].ID)
		v.asked = v.asked[1:]
	}
}

// tell has a phone write to the SIM.
func (v *victim) tell(body string) {
	v.told = append(v.told, body)
	v.phones[len(v.told)%len(v.phones)].Send(v.modem.Number(), body)
}

// settled waits until nothing of what was accepted is open any more.
func (v *victim) settled() {
	v.t.Helper()
	look := time.NewTicker(200 * time.Millisecond)
	defer look.Stop()
	for !v.atRest() {
		select {
		case <-look.C:
		case <-v.ctx.Done():
			v.t.Fatalf("not settled: %s\n%s\n%s", v.openOnes(), strings.Join(v.modem.Transcript(), "\n"), v.log.String())
		}
	}
}

func (v *victim) atRest() bool {
	status, err := v.client.Status(v.ctx)
	if err != nil || status.Messages["queued"]+status.Messages["sending"] > 0 || status.Messages["unknown"] > 0 && v.openOnes() != "" {
		return false
	}
	in, err := v.inbox()
	return err == nil && len(texts(in)) >= len(v.told)
}

// openOnes names what will still change: everything that waits, and what is
// unknown for the first time. What is unknown twice stays so.
func (v *victim) openOnes() string {
	open := ""
	for _, id := range v.sent {
		m, err := v.client.Get(v.ctx, id)
		if err != nil || m.State == api.Queued || m.State == api.Sending || m.State == api.Unknown && !m.PossibleDuplicate && m.OnUnknown == api.OnUnknownResend {
			open += fmt.Sprintf("message %s is %s; ", id, m.State)
		}
	}
	return open
}

// judge holds the network's record against the daemon's word.
func (v *victim) judge() (flagged int) {
	v.t.Helper()
	copies := map[string]int{}
	for _, s := range v.net.Record() {
		copies[s.To+" "+s.Text]++
	}
	for _, id := range v.sent {
		m, err := v.client.Get(v.ctx, id)
		if err != nil {
			v.t.Fatal(err)
		}
		v.ends[m.State]++
		most, least := v.copies(m)
		switch {
		case least == 0 && (m.State == api.Sent || m.State == api.Delivered):
			v.lost++
			v.t.Errorf("message %s is %s, and the network never had a part of it", id, m.State)
		case least == 0 && !mayBeUnsent(m):
			v.lost++
			v.t.Errorf("message %s is lost: %s", id, m.State)
		case most > 0 && (m.State == api.Cancelled || m.State == api.Expired):
			v.wrong++
			v.t.Errorf("message %s is %s, and was sent", id, m.State)
		case most > 1 && !m.PossibleDuplicate:
			v.doubled++
			v.t.Errorf("message %s was sent %d times and does not say so", id, most)
		}
		if m.PossibleDuplicate {
			flagged++
		}
	}
	v.judgeInbox()
	return flagged
}

// mayBeUnsent says whether a part of a message may have reached nobody: what nobody
// can know, what a person has to decide, what somebody did not want any more, and the
// rest of what its recipient refused.
func mayBeUnsent(m api.Message) bool {
	switch m.State {
	case api.Unknown, api.Held, api.Cancelled, api.Expired:
		return true
	case api.Failed:
		refused := slices.ContainsFunc(m.Parts, func(p api.Part) bool { return p.Report == api.ReportFailed })
		return refused || m.OnUnknown == api.OnUnknownFail
	}
	return false
}

// copies counts how often the network accepted the parts of m: the most and the
// least of any part.
func (v *victim) copies(m api.Message) (most, least int) {
	counts := make([]int, len(m.Parts))
	for _, s := range v.net.Record() {
		if s.To == m.To && strings.Contains(*m.Text, s.Text) && s.Total == len(m.Parts) {
			counts[max(s.Part, 1)-1]++
		}
	}
	most, least = counts[0], counts[0]
	for _, n := range counts {
		most, least = max(most, n), min(least, n)
	}
	return most, least
}

func (v *victim) judgeInbox() {
	v.t.Helper()
	in, err := v.inbox()
	if err != nil {
		v.t.Fatal(err)
	}
	got := texts(in)
	for _, body := range v.told {
		if n := got[body]; n != 1 {
			v.lost, v.doubled = v.lost+max(1-n, 0), v.doubled+max(n-1, 0)
			v.t.Errorf("%q was received %d times", body, got[body])
		}
	}
}

// inbox is all that was received.
func (v *victim) inbox() ([]api.Message, error) {
	var all []api.Message
	for q := (api.ListQuery{Direction: api.In, Limit: 200}); ; {
		page, err := v.client.List(v.ctx, q)
		if err != nil {
			return nil, err
		}
		all = append(all, page.Messages...)
		if page.Next == nil {
			return all, nil
		}
		q.After = *page.Next
	}
}

// texts counts received texts, leaving out what says that it is a repeat.
func texts(msgs []api.Message) map[string]int {
	got := map[string]int{}
	for _, m := range msgs {
		if m.Text != nil && m.RepeatOf == "" {
			got[*m.Text]++
		}
	}
	return got
}

// Every moment that the wire shows.
func TestKilledAtEveryBoundary(t *testing.T) {
	t.Parallel()
	v := newVictim(t)
	for round, prefix := range []string{
		"> AT", "> ATE0", "> AT+CPIN?", "> AT+CPMS", "> AT+CNMI", "> AT+CMGL=4", "> AT+CREG?", "> AT+CMGS=", "< >", "> 00", "< +CMGS:", "< OK",
		"< +CDS:", "< +CMTI:", "< +CMGL:", "> AT+CMGD=",
	} {
		v.round(round, func(line string) bool { return strings.HasPrefix(line, prefix) })
	}
	v.end()
}

// counts is one of three numbers of trials: with every go test, in make faults, and
// this shard's part of all of them in make faults-full.
func counts(t *testing.T, quick, ci, full int) int {
	t.Helper()
	switch os.Getenv("SIMPOST_FAULTS") {
	case "full":
		shard, of := 1, 1
		if s := os.Getenv("SIMPOST_SHARD"); s != "" {
			if _, err := fmt.Sscanf(s, "%d/%d", &shard, &of); err != nil || shard < 1 || shard > of {
				t.Fatalf("SIMPOST_SHARD is %q, want 1/4, 2/4 and so on", s)
			}
		}
		return full*shard/of - full*(shard-1)/of
	case "ci":
		return ci
	}
	return quick
}

// atOnce is how many daemons are killed side by side: they mostly wait.
const atOnce = 4

// sideBySide divides n trials among several victims, and adds their lines up.
func sideBySide(t *testing.T, name, fault string, n int, body func(v *victim, rounds, seed int)) {
	began := time.Now()
	var mu sync.Mutex
	sum := &victim{t: t}
	t.Run("victims", func(t *testing.T) {
		for i := range min(atOnce, n) {
			t.Run(strconv.Itoa(i+1), func(t *testing.T) {
				t.Parallel()
				v := newVictim(t)
				defer func() {
					mu.Lock()
					defer mu.Unlock()
					sum.add(v)
				}()
				body(v, n*(i+1)/atOnce-n*i/atOnce, i)
			})
		}
	})
	sum.prompt()
	sum.row(name, fault, n, time.Since(began))
}

func (v *victim) add(o *victim) {
	v.lost += o.lost
	v.doubled += o.doubled
	v.wrong += o.wrong
	v.flagged += o.flagged
	v.sent = append(v.sent, o.sent...)
	v.told = append(v.told, o.told...)
	v.ready = append(v.ready, o.ready...)
}

// readyWithin is how soon after its start the API answers, 99 times in 100.
const readyWithin = 2 * time.Second

func (v *victim) prompt() {
	v.t.Helper()
	if ready := slices.Sorted(slices.Values(v.ready)); os.Getenv("SIMPOST_FAULTS") != "" && len(ready) > 0 && ready[len(ready)*99/100] > readyWithin {
		v.t.Errorf("of %d starts one in a hundred took %v or longer, want %v", len(ready), ready[len(ready)*99/100], readyWithin)
	}
}

func TestKilledAtRandom(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	if os.Getenv("SIMPOST_SEED") != "" {
		seed = cutSeed(t)
	}
	t.Logf("seed %d", seed)
	sideBySide(t, "kill-9", "kill -9 of the program at random moments", counts(t, 20, 100, 1000), func(v *victim, rounds, i int) {
		random := rand.New(rand.NewPCG(seed, uint64(i)))
		for round := range rounds {
			lines := 1 + random.IntN(150)
			v.round(round, func(string) bool { lines--; return lines <= 0 })
		}
		v.end()
	})
}

// row adds this test's line to the table of `make faults`.
func (v *victim) row(name, fault string, n int, took time.Duration) {
	ready := slices.Sorted(slices.Values(v.ready))
	more := map[string]any{"messages": len(v.sent) + len(v.told), "flagged": v.flagged}
	if len(ready) > 0 {
		more["recover_p50_s"], more["recover_max_s"] = ready[len(ready)/2].Seconds(), ready[len(ready)-1].Seconds()
	}
	writeFaultRow(v.t, name, fault, n, v.lost, v.doubled, v.wrong, took, more)
}

// round runs the daemon until when says that it dies. More work follows until
// the wire has shown that moment.
func (v *victim) round(round int, when func(line string) bool) {
	v.t.Helper()
	v.arm(when)
	v.start()
	v.serving()
	v.ask()
	v.work(round)
	for extra := range 20 {
		select {
		case <-v.dead:
			return
		case <-time.After(time.Second):
			v.tell(fmt.Sprintf("round %d from a phone, again %d.", round, extra))
		}
	}
	v.t.Fatalf("round %d: its moment never came\n%s\n%s", round, strings.Join(v.modem.Transcript(), "\n"), v.log.String())
}

// end starts the daemon a last time, lets it finish, and judges.
func (v *victim) end() {
	v.t.Helper()
	v.serves()
	v.ask()
	v.cancelScheduled()
	v.settled()
	v.flagged = v.judge()
	v.t.Logf("%d messages out, %d in, %d flagged as possible duplicates, %v", len(v.sent), len(v.told), v.flagged, v.ends)
}
