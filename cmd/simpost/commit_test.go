package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"simpost/daemon/api"
	"simpost/modem/emulator"
)

// The program is killed just before each transaction is written, and just after,
// before it is synced: at both sides of every commit of every change of state. The
// work below has all of them.

// faultLibrary builds what lets a call of SQLite fail, or kills the program there.
func faultLibrary(t *testing.T) string {
	t.Helper()
	gcc, err := exec.LookPath("gcc")
	if err != nil {
		t.Fatal("gcc is missing: sudo apt-get install gcc libc6-dev")
	}
	lib := filepath.Join(t.TempDir(), "fault.so")
	if said, err := exec.Command(gcc, "-shared", "-fPIC", "-o", lib, "../../daemon/store/testdata/fault.c", "-ldl").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	return lib
}

// failing is the environment of a daemon whose calls from at to last fail.
func failing(lib, call string, at, last, errno int) []string {
	return []string{"LD_PRELOAD=" + lib, "FAULT_FILE=simpost.db", "FAULT_LOG=/dev/null", "FAULT_CALL=" + call,
		"FAULT_AT=" + strconv.Itoa(at), "FAULT_LAST=" + strconv.Itoa(last), "FAULT_ERRNO=" + strconv.Itoa(errno)}
}

// commitSpan is how many transactions a daemon commits from its start to the end
// of a round's work, and a few more.
const commitSpan = 60

func TestKilledAtEveryCommit(t *testing.T) {
	t.Parallel()
	lib := faultLibrary(t)
	kinds := len(moods)
	sideBySide(t, "kill-commit", "kill -9 at both sides of every commit of every change of state", counts(t, 16, 40, 2*commitSpan*kinds), func(v *victim, rounds, i int) {
		v.phones = append(v.phones, v.net.NewPhone(emulator.PhoneConfig{Number: "+4791000009", Behaviour: emulator.Reject}))
		for round := range rounds {
			n := round*atOnce + i
			if err := v.modem.Fault(moods[n%kinds], emulator.FaultConfig{Times: 1 + n%2}); err != nil && moods[n%kinds] != "" {
				v.t.Fatal(err)
			}
			at := n / kinds / 2 % commitSpan
			if os.Getenv("SIMPOST_FAULTS") != "full" {
				at = (n*37 + 11) % commitSpan
			}
			v.env = failing(lib, []string{"begin", "sync"}[n/kinds%2], 1+at, 1+at, 0)
			v.dies(n, v.moody)
			v.modem.ClearFaults()
		}
		v.env = nil
		v.end()
	})
}

// moods are what the modem does to a round's work: nothing, a refusal that is tried
// again, and what nobody can know.
var moods = []string{"", "send.cms-42", "send.ok-no-mr", "send.cms-500", "send.ok-not-sent"}

// moody is work that comes to every end: sent, delivered, failed, unknown, held,
// expired, cancelled.
func (v *victim) moody(round int) {
	v.t.Helper()
	soon, later := time.Now().Add(300*time.Millisecond), time.Now().Add(time.Hour)
	for i, change := range []func(*api.SendRequest){
		nil,
		func(r *api.SendRequest) { r.OnUnknown = api.OnUnknownHold },
		func(r *api.SendRequest) { r.OnUnknown = api.OnUnknownFail },
		func(r *api.SendRequest) { r.Expires = &soon },
		func(r *api.SendRequest) { r.NotBefore = &later },
	} {
		req := textTo(v.phones[i%len(v.phones)].Number(), fmt.Sprintf("mood %d to %d.%s", round, i, strings.Repeat(fmt.Sprintf(" m%d-%d", round, i), 40*(i%2))))
		if change != nil {
			change(&req)
		}
		v.asked = append(v.asked, order{fmt.Sprintf("mood-%d-%d", round, i), req})
	}
	v.ask()
	v.tell(fmt.Sprintf("mood %d from a phone.", round))
	v.cancelScheduled()
}

// cancelScheduled takes back what waits for its time; what a kill leaves of it is
// taken back in the next round.
func (v *victim) cancelScheduled() {
	v.t.Helper()
	page, err := v.client.List(v.ctx, api.ListQuery{Direction: api.Out, State: api.Scheduled, Limit: 200})
	if err != nil {
		return // it is dead
	}
	for _, m := range page.Messages {
		if _, err := v.client.Cancel(v.ctx, m.ID); err != nil {
			return
		}
	}
}

// roundLimit is when a round is over whose moment never came: what was refused waits
// for its next try.
const roundLimit = 3 * time.Second

// dies runs the daemon, which ends itself somewhere in work, or is ended when all of
// that is done.
func (v *victim) dies(round int, work func(int)) {
	v.t.Helper()
	v.start()
	v.serving()
	v.ask()
	work(round)
	look, over := time.NewTicker(100*time.Millisecond), time.After(roundLimit)
	defer look.Stop()
	for done := false; !done; done = done || v.atRest() {
		select {
		case <-v.dead:
			return
		case <-over:
			done = true
		case <-look.C:
		}
	}
	v.kill()
}

// firstCalls bounds the calls that a daemon makes on its database before it serves
// for the first time.
const firstCalls = 400

// TestKilledInTheFirstStart: a daemon that dies while it makes its database makes it
// the next time, wherever that was.
func TestKilledInTheFirstStart(t *testing.T) {
	t.Parallel()
	lib := faultLibrary(t)
	for call, step := range map[string]int{"write": counts(t, 7, 1, 1), "sync": 1} {
		kills := 0
		for at := 1; at < firstCalls; at += step {
			served := false
			t.Run(fmt.Sprintf("%s-%d", call, at), func(t *testing.T) {
				v := newVictim(t)
				v.env = failing(lib, call, at, at, 0)
				v.start()
				if served = v.serving(); !served {
					v.env = nil
					v.serves()
				}
			})
			if served {
				break
			}
			kills++
		}
		if kills < 2 || kills*step+step > firstCalls {
			t.Errorf("it was killed %d times at a %s: this tries nothing", kills, call)
		}
	}
}
