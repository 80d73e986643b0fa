package daemon

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"simpost/daemon/api"
	"simpost/modem/emulator"
)

// What happens between accepting a message and its end, in the order of the
// policy: priorities, times, refusals, and what nobody knows.

func one() []emulator.Config {
	return []emulator.Config{{Name: "a", Number: "+4790000001", Latency: 2 * time.Second}}
}

// order is the recipients in the order in which the network took their messages.
func (w *world) order() []string {
	var to []string
	for _, s := range w.net.Record() {
		to = append(to, s.To)
	}
	return to
}

func TestAlertsGoFirst(t *testing.T) {
	inWorld(t, emulator.NetworkConfig{}, one(), func(w *world) {
		w.modems["a"].SetRegistration(2)
		w.start()
		w.condition("a", api.CondSearching)
		for i, p := range []api.Priority{api.Bulk, api.Normal, api.Alert, api.Bulk, api.Alert, api.Normal} {
			req := text(fmt.Sprintf("+479100000%d", i), "hello")
			req.Priority = p
			w.send(req)
		}
		w.modems["a"].SetRegistration(1)
		w.within(time.Minute, "all are sent", func() bool { return len(w.net.Record()) == 6 })
		want := []string{"+4791000002", "+4791000004", "+4791000001", "+4791000005", "+4791000000", "+4791000003"}
		for i, to := range w.order() {
			if to != want[i] {
				t.Fatalf("sent in the order %v, want %v", w.order(), want)
			}
		}
	})
}

// One number that is refused for a while does not keep the others waiting.
func TestOneFailingNumberBlocksNobody(t *testing.T) {
	inWorld(t, emulator.NetworkConfig{}, one(), func(w *world) {
		w.cfg.Send.RetryFirst = 10 * time.Minute
		w.start()
		w.condition("a", api.CondReady)
		if err := w.modems["a"].Fault("send.cms-42", emulator.FaultConfig{Times: 3}); err != nil {
			t.Fatal(err)
		}
		bad := w.send(text("+4791000001", "congested"))
		w.within(time.Minute, "it is refused", func() bool { return w.get(bad).Reason != nil })
		w.modems["a"].ClearFaults()
		good := w.send(text("+4791000002", "hello"))
		w.becomes(good, api.Delivered, 20*time.Second)
		if m := w.get(bad); m.State != api.Queued || m.Reason == nil {
			t.Errorf("the refused one is %s because of %v, want queued with a reason", m.State, m.Reason)
		}
		w.becomes(bad, api.Delivered, 20*time.Minute)
	})
}

func TestRefusedForGood(t *testing.T) {
	inWorld(t, emulator.NetworkConfig{}, one(), func(w *world) {
		w.start()
		w.condition("a", api.CondReady)
		if err := w.modems["a"].Fault("send.cms-38", emulator.FaultConfig{Times: 1e6}); err != nil {
			t.Fatal(err)
		}
		id := w.send(text("+4791000001", "hello"))
		m := w.becomes(id, api.Failed, 12*time.Hour)
		if m.Error == nil || m.Error.Code != "rejected" {
			t.Errorf("it failed with %+v, want the code rejected", m.Error)
		}
		if n := len(w.net.Record()); n != 0 {
			t.Errorf("the network has %d of it", n)
		}
	})
}

// A second copy that is refused says nothing of the first: the message has not failed.
func TestRefusedSecondCopy(t *testing.T) {
	inWorld(t, emulator.NetworkConfig{}, one(), func(w *world) {
		w.start()
		w.condition("a", api.CondReady)
		fault(w, w.modems["a"], "send.accepted-answer-lost", 0)
		fault(w, w.modems["a"], "report.none", 0)
		id := w.send(text("+4791000001", "hello"))
		w.becomes(id, api.Unknown, time.Hour)
		if err := w.modems["a"].Fault("send.cms-38", emulator.FaultConfig{Times: 1e6}); err != nil {
			t.Fatal(err)
		}
		w.within(12*time.Hour, "its second copy is refused for good", func() bool { m := w.get(id); return m.Error != nil && m.Error.Code == "rejected" })
		if m := w.get(id); m.State != api.Unknown || !m.PossibleDuplicate || len(w.net.Record()) != 1 {
			t.Errorf("it is %s, and the network has %d of it; want unknown and one", m.State, len(w.net.Record()))
		}
	})
}

func TestScheduledAndExpired(t *testing.T) {
	inWorld(t, emulator.NetworkConfig{}, one(), func(w *world) {
		w.start()
		w.condition("a", api.CondReady)
		later, soon := time.Now().Add(time.Hour), time.Now().Add(10*time.Minute)
		req := text("+4791000001", "later")
		req.NotBefore = &later
		scheduled := w.send(req)
		if m := w.get(scheduled); m.State != api.Scheduled {
			t.Errorf("a message for later is %s", m.State)
		}
		w.modems["a"].SetRegistration(3)
		w.condition("a", api.CondDenied)
		req = text("+4791000002", "too late")
		req.Expires = &soon
		expiring := w.send(req)
		w.becomes(expiring, api.Expired, 11*time.Minute)
		w.modems["a"].SetRegistration(1)
		w.condition("a", api.CondReady)
		if len(w.net.Record()) != 0 {
			t.Fatal("something was sent before its time")
		}
		m := w.becomes(scheduled, api.Delivered, 2*time.Hour)
		if m.SentAt == nil || m.SentAt.Before(later) {
			t.Errorf("sent at %v, not before %v was asked for", m.SentAt, later)
		}
	})
}

func TestCancelBeforeSending(t *testing.T) {
	inWorld(t, emulator.NetworkConfig{}, one(), func(w *world) {
		w.modems["a"].SetRegistration(2)
		w.start()
		w.condition("a", api.CondSearching)
		id := w.send(text("+4791000001", "never"))
		if m := w.get(id); m.Reason == nil || m.Reason.Code != string(api.CondSearching) {
			t.Errorf("it waits because of %v, want that the modem searches", m.Reason)
		}
		if _, err := w.client.Cancel(context.Background(), id); err != nil {
			t.Fatal(err)
		}
		w.modems["a"].SetRegistration(1)
		sent := w.send(text("+4791000002", "hello"))
		w.becomes(sent, api.Delivered, time.Minute)
		if m := w.get(id); m.State != api.Cancelled || len(w.net.Record()) != 1 {
			t.Errorf("the cancelled message is %s, and the network has %d messages", m.State, len(w.net.Record()))
		}
		if _, err := w.client.Cancel(context.Background(), sent); err == nil {
			t.Error("a delivered message could be cancelled")
		}
	})
}

// The network took the message and the answer was lost; no report comes. What
// then happens is the message's own policy.
func TestNobodyKnows(t *testing.T) {
	for _, c := range []struct {
		policy    api.OnUnknown
		state     api.State
		copies    int
		duplicate bool
	}{
		{api.OnUnknownResend, api.Sent, 2, true},
		{api.OnUnknownHold, api.Held, 1, false},
		{api.OnUnknownFail, api.Failed, 1, false},
	} {
		t.Run(string(c.policy), func(t *testing.T) {
			inWorld(t, emulator.NetworkConfig{Unknown: emulator.Silent}, one(), func(w *world) {
				w.start()
				w.condition("a", api.CondReady)
				fault(w, w.modems["a"], "send.accepted-answer-lost", 0)
				no := false
				req := text("+4791000001", "hello")
				req.OnUnknown, req.Report = c.policy, &no
				id := w.send(req)
				w.becomes(id, api.Unknown, 5*time.Minute)
				w.modems["a"].ClearFaults()
				m := w.becomes(id, c.state, time.Hour)
				if n := len(w.net.Record()); n != c.copies || m.PossibleDuplicate != c.duplicate {
					t.Errorf("the network has %d copies, possible duplicate %v; want %d and %v", n, m.PossibleDuplicate, c.copies, c.duplicate)
				}
			})
		})
	}
}

// What may have been sent is not sent again when another part has failed: the
// recipient could never join it.
func TestNoRepeatForAMessageThatFailed(t *testing.T) {
	inWorld(t, emulator.NetworkConfig{}, one(), func(w *world) {
		w.start()
		w.condition("a", api.CondReady)
		fault(w, w.modems["a"], "send.swallowed", 0)
		p := w.net.NewPhone(emulator.PhoneConfig{Behaviour: emulator.Reject})
		id := w.send(text(p.Number(), strings.Repeat("two parts ", 20)))
		w.becomes(id, api.Unknown, 5*time.Minute)
		time.Sleep(time.Hour)
		m := w.get(id)
		if m.Parts[0].State != api.Unknown || m.Parts[1].State != api.Failed || len(w.net.Record()) != 1 {
			t.Errorf("%+v, and the network has %d copies; want unknown, failed and the one that failed", m.Parts, len(w.net.Record()))
		}
		if m.Error == nil || m.Error.Code != "part-failed" {
			t.Errorf("the reason is %+v", m.Error)
		}
	})
}

// A person decides what the policy left open.
func TestResolve(t *testing.T) {
	for _, c := range []struct {
		action api.Action
		state  api.State
		copies int
	}{{api.ResolveSent, api.Sent, 1}, {api.ResolveFail, api.Failed, 1}, {api.ResolveResend, api.Delivered, 2}} {
		t.Run(string(c.action), func(t *testing.T) {
			inWorld(t, emulator.NetworkConfig{}, one(), func(w *world) {
				w.start()
				w.condition("a", api.CondReady)
				fault(w, w.modems["a"], "send.accepted-answer-lost", 0)
				fault(w, w.modems["a"], "report.none", 0)
				req := text("+4791000001", "hello")
				req.OnUnknown = api.OnUnknownHold
				id := w.send(req)
				w.becomes(id, api.Held, time.Hour)
				w.modems["a"].ClearFaults()
				if _, err := w.client.Resolve(context.Background(), id, c.action); err != nil {
					t.Fatal(err)
				}
				m := w.becomes(id, c.state, time.Minute)
				if n := len(w.net.Record()); n != c.copies || m.PossibleDuplicate != (c.copies > 1) {
					t.Errorf("the network has %d copies, possible duplicate %v", n, m.PossibleDuplicate)
				}
			})
		})
	}
}

// Evidence beats the policy: the delivery report of a message whose answer was
// lost says that it was sent, and nothing is sent again.
func TestReportIsEvidence(t *testing.T) {
	inWorld(t, emulator.NetworkConfig{}, one(), func(w *world) {
		w.start()
		w.condition("a", api.CondReady)
		fault(w, w.modems["a"], "send.accepted-answer-lost", 0)
		id := w.send(text("+4791000001", "hello"))
		m := w.becomes(id, api.Delivered, time.Hour)
		if n := len(w.net.Record()); n != 1 || m.PossibleDuplicate {
			t.Errorf("the network has %d copies, possible duplicate %v; want one", n, m.PossibleDuplicate)
		}
	})
}

// Several modems share the work, and a message that names one goes by that one.
func TestSeveralModems(t *testing.T) {
	modems := twoModems()
	for i := range modems {
		modems[i].Latency = 4 * time.Second
	}
	inWorld(t, emulator.NetworkConfig{}, modems, func(w *world) {
		w.start()
		w.condition("a", api.CondReady)
		w.condition("b", api.CondReady)
		for i := range 10 {
			w.send(text(fmt.Sprintf("+479100000%d", i), "any modem"))
		}
		req := text("+4791000099", longText)
		req.Modem = "b"
		named := w.send(req)
		w.becomes(named, api.Delivered, 5*time.Minute)
		w.within(5*time.Minute, "all are sent", func() bool { return len(w.net.Record()) == 10+len(w.get(named).Parts) })
		by := map[string]int{}
		for _, s := range w.net.Record() {
			if s.Total == 1 {
				by[s.Modem]++
			} else if s.Modem != "b" {
				t.Errorf("a part went by %s", s.Modem)
			}
		}
		if by["a"] < 5 || by["b"] == 0 {
			t.Errorf("the modems sent %v, want both, and more by the one that was free", by)
		}
	})
}

// A hung modem slows no other.
func TestHungModemSlowsNoOther(t *testing.T) {
	inWorld(t, emulator.NetworkConfig{}, twoModems(), func(w *world) {
		w.start()
		w.condition("a", api.CondReady)
		w.condition("b", api.CondReady)
		fault(w, w.modems["a"], "life.deaf-power", 0)
		for i := range 10 {
			w.send(text(fmt.Sprintf("+479100000%d", i), "hello"))
		}
		w.within(30*time.Second, "all but one are sent", func() bool { return len(w.net.Record()) >= 9 })
	})
}

// A modem that answers nothing but a restart is told to restart.
func TestDeafModemIsRestarted(t *testing.T) {
	inWorld(t, emulator.NetworkConfig{}, one(), func(w *world) {
		w.start()
		w.condition("a", api.CondReady)
		fault(w, w.modems["a"], "life.deaf", 0)
		id := w.send(text("+4791000001", "hello"))
		w.becomes(id, api.Delivered, time.Hour)
	})
}

// A full disk: 507, nothing lost, and it recovers by itself.
func TestFullDisk(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root may mount the small disk that this test fills")
	}
	inWorld(t, emulator.NetworkConfig{}, one(), func(w *world) {
		disk := w.smallDisk()
		w.cfg.Database = filepath.Join(disk, "simpost.db")
		w.start()
		w.condition("a", api.CondReady)
		before := w.send(text("+4791000001", "before"))
		w.becomes(before, api.Delivered, time.Minute)

		w.fill(disk)
		w.refusedFor(api.CodeDiskFull)
		phone := w.net.NewPhone(emulator.PhoneConfig{Number: "+4791000002"})
		phone.Send("+4790000001", "while it is full")
		w.condition("a", api.CondDiskFull)
		if n := len(w.modems["a"].Stored("SM")); n != 1 {
			t.Errorf("%d messages wait in the modem, want the one that could not be kept", n)
		}

		if err := os.Remove(filepath.Join(disk, "filler")); err != nil {
			t.Fatal(err)
		}
		w.condition("a", api.CondReady)
		w.within(time.Minute, "what waited has come in", func() bool { return len(w.inbox()) == 1 })
		after := w.send(text("+4791000003", "after"))
		w.becomes(after, api.Delivered, time.Minute)
		if n := len(w.net.Record()); n != 2 {
			t.Errorf("the network has %d messages, want 2", n)
		}
	})
}

func (w *world) smallDisk() string {
	dir := w.t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=4m"); err != nil {
		w.t.Skipf("the small disk that this test fills can't be mounted: %v", err)
	}
	w.t.Cleanup(func() { syscall.Unmount(dir, syscall.MNT_DETACH) })
	return dir
}

func (w *world) fill(dir string) {
	f, err := os.Create(filepath.Join(dir, "filler"))
	if err != nil {
		w.t.Fatal(err)
	}
	defer f.Close()
	for block := make([]byte, 4096); err == nil; {
		_, err = f.Write(block)
	}
}

// refusedFor sends until a message is refused: what is left of the last block
// may take a few.
func (w *world) refusedFor(code api.Code) {
	w.t.Helper()
	w.within(time.Minute, "refused with "+string(code), func() bool {
		_, _, err := w.client.Send(context.Background(), text("+4791000009", "into the last block"), "")
		refusal, ok := err.(*api.Error)
		return ok && refusal.Code == code
	})
}

// An answer that comes after the limit, from a modem that answers commands meanwhile, is
// the late one's, and not that of the message that was waiting behind it.
func TestLateAnswerIsNobodyElses(t *testing.T) {
	inWorld(t, emulator.NetworkConfig{}, one(), func(w *world) {
		w.start()
		w.condition("a", api.CondReady)
		fault(w, w.modems["a"], "send.answer-late", 5*time.Minute)
		no := false
		first, second := text("+4791000001", "first"), text("+4791000002", "second")
		first.OnUnknown, first.Report, second.Report = api.OnUnknownHold, &no, &no
		late := w.send(first)
		time.Sleep(100 * time.Second)
		fault(w, w.modems["a"], "send.cms-350-late", 170*time.Second) // the second is refused, and late as well
		next := w.send(second)
		w.becomes(late, api.Sent, 10*time.Minute)
		w.within(10*time.Minute, "the second is refused", func() bool { return len(w.get(next).Attempts) > 0 && w.get(next).State != api.Sending })
		if m := w.get(next); m.State == api.Sent {
			t.Errorf("the second is %s by the answer to the first; the network took %d", m.State, len(w.net.Record()))
		}
	})
}
