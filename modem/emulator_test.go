package modem

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"simpost/modem/emulator"
	"simpost/pdu"
)

// lab is a network with one modem on it and one phone, in a bubble.
type lab struct {
	t     *testing.T
	net   *emulator.Network
	modem *emulator.Modem
	phone *emulator.Phone
	n     int
}

func inLab(t *testing.T, c emulator.Config, f func(t *testing.T, l *lab)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		n := emulator.NewNetwork(emulator.NetworkConfig{})
		t.Cleanup(n.Close)
		l := &lab{t: t, net: n, modem: n.NewModem(c), phone: n.NewPhone(emulator.PhoneConfig{Number: "+4791000001"})}
		f(t, l)
	})
}

func (l *lab) open(cfg Config) (*Modem, error) {
	l.t.Helper()
	port, err := l.modem.Open()
	if err != nil {
		l.t.Fatal(err)
	}
	m, err := Open(l.t.Context(), port, cfg)
	if err == nil {
		l.t.Cleanup(func() { m.Close() })
	}
	return m, err
}

func (l *lab) mustOpen(cfg Config) *Modem {
	l.t.Helper()
	m, err := l.open(cfg)
	if err != nil {
		l.t.Fatalf("open: %v\n%s", err, l.transcript())
	}
	return m
}

// transcript is the end of what went over the line, for failures.
func (l *lab) transcript() string {
	h := l.modem.Transcript()
	return strings.Join(h[max(0, len(h)-40):], "\n")
}

func (l *lab) fault(name string, c emulator.FaultConfig) {
	l.t.Helper()
	if err := l.modem.Fault(name, c); err != nil {
		l.t.Fatal(err)
	}
}

// send submits a text of its own and says what the caller was told and how often the network has it.
func (l *lab) send(m *Modem) (mr byte, accepted int, err error) {
	l.t.Helper()
	l.n++
	text := fmt.Sprintf("message %d", l.n)
	to, err := pdu.ParseAddress(l.phone.Number())
	if err != nil {
		l.t.Fatal(err)
	}
	parts, err := pdu.Segment(text, pdu.Options{})
	if err != nil {
		l.t.Fatal(err)
	}
	b, err := pdu.Encode(&pdu.Submit{DA: to, UD: parts[0], SRR: true})
	if err != nil {
		l.t.Fatal(err)
	}
	mr, err = m.Send(l.t.Context(), pdu.Frame{TPDU: b}, nil)
	synctest.Wait()
	for _, s := range l.net.Record() {
		if s.Text == text {
			accepted++
		}
	}
	return mr, accepted, err
}

// texts decodes what List found.
func texts(t *testing.T, all []Stored) []string {
	t.Helper()
	var out []string
	for _, s := range all {
		f, err := pdu.ParseFrame(s.PDU, s.Length)
		if err != nil {
			out = append(out, "? "+s.PDU)
			continue
		}
		switch d, err := pdu.DecodeMT(f.TPDU); d := d.(type) {
		case *pdu.Deliver:
			out = append(out, d.UD.Text())
		case *pdu.StatusReport:
			out = append(out, "report")
		default:
			out = append(out, fmt.Sprintf("? %v", err))
		}
	}
	slices.Sort(out)
	return out
}

// emulated says which dialect a profile of the emulator is to be recognised as; what is not here is generic.
var emulated = map[string]string{
	"huawei": "huawei", "huawei-brovi": "huawei", "sim800": "simcom-2g", "sim7600": "simcom-lte", "a7670": "simcom-lte", "quectel-ec25": "quectel",
	"zte": "zte", "telit": "telit", "ublox": "u-blox", "wavecom": "wavecom", "sierra": "sierra", "cinterion": "cinterion", "novatel": "novatel", "mbm": "mbm",
}

// mute are the profiles that announce nothing, and unread the ones whose memories can't be read.
var mute, unread = []string{"mbm", "nokia"}, []string{"nokia"}

// TestEveryEmulatedModem goes the whole way on each: start, send, receive, read, delete.
func TestEveryEmulatedModem(t *testing.T) {
	for _, profile := range emulator.Profiles() {
		t.Run(profile, func(t *testing.T) {
			inLab(t, emulator.Config{Profile: profile, ColdStart: true}, func(t *testing.T, l *lab) {
				m := l.mustOpen(Config{SMSC: "+4790000000", Limits: Limits{Boot: 2 * time.Minute}})
				set := m.Settings()
				want := emulated[profile]
				if want == "" {
					want = "generic"
				}
				if set.Profile != want || set.SMSC != "+4790000000" || m.Identity().IMSI == "" || m.Identity().ICCID == "" || m.Identity().Number != l.modem.Number() {
					t.Errorf("settings %+v, identity %+v", set, m.Identity())
				}
				if (set.CNMI == "poll") != slices.Contains(mute, profile) || (len(set.Memories) == 0) != slices.Contains(unread, profile) {
					t.Errorf("settings %+v\n%s", set, l.transcript())
				}
				if s, err := m.Status(t.Context()); err != nil || !s.CanSend || s.Operator != "Emulated" || s.Bars == 0 {
					t.Errorf("status %+v, %v", s, err)
				}
				if _, accepted, err := l.send(m); err != nil || accepted != 1 {
					t.Fatalf("send: %v, %d accepted\n%s", err, accepted, l.transcript())
				}
				if !slices.Contains(unread, profile) {
					l.receive(m)
				}
			})
		})
	}
}

// receive lets a phone write, and takes the message off the modem.
func (l *lab) receive(m *Modem) {
	l.t.Helper()
	l.phone.Send(l.modem.Number(), "hello there")
	ctx := l.t.Context()
	for arrived := false; !arrived; {
		select {
		case <-m.Wake():
			m.Take()
		case <-time.After(time.Minute):
			if m.Settings().CNMI != "poll" {
				l.t.Fatalf("nothing announced a message\n%s", l.transcript())
			}
		}
		all, err := m.List(ctx)
		if err != nil {
			l.t.Fatalf("list: %v\n%s", err, l.transcript())
		}
		// The report of the message before may come first, or be stored beside it.
		arrived = slices.Contains(texts(l.t, all), "hello there")
		for _, s := range all {
			if again, err := m.Read(ctx, s.Memory, s.Index); err != nil || again.PDU != s.PDU {
				l.t.Errorf("read again: %+v, %v", again, err)
			}
			if err := m.Delete(ctx, s.Memory, s.Index); err != nil {
				l.t.Error(err)
			}
		}
	}
	if left, err := m.List(ctx); err != nil || len(left) != 0 {
		l.t.Errorf("left after delete: %+v, %v", left, err)
	}
}

// TestSendUnderFaults: whatever the line and the modem do, what Send says is true. nil: the network has it once; NotSent
// and Rejected: it has it not; and of the faults that leave it open, Unknown and nothing else.
func TestSendUnderFaults(t *testing.T) {
	open := []string{"send.cms-500", "send.cms-512", "send.cms-513", "send.cms-514", "send.cms-515", "send.cms-332", "send.cms-350-late",
		"send.ok-no-mr", "send.ok-not-sent", "send.accepted-answer-lost", "send.accepted-reboot"}
	refused := []string{"send.cms-38", "send.cms-41", "send.cms-42", "send.cms-331"}
	for _, info := range emulator.Faults() {
		if info.Family > 5 && info.Family != 7 && info.Family != 10 {
			continue
		}
		for _, accept := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s,accept=%t", info.Name, accept), func(t *testing.T) {
				inLab(t, emulator.Config{Seed: 7}, func(t *testing.T, l *lab) {
					m := l.mustOpen(Config{})
					l.fault(info.Name, emulator.FaultConfig{Accept: accept})
					mr, accepted, err := l.send(m)
					e := (*SendError)(nil)
					if err != nil {
						e = wantSendError(t, err)
					}
					switch {
					case slices.Contains(open, info.Name) && (e == nil || e.Outcome != Unknown):
						t.Errorf("mr %d, %v; want an unknown outcome\n%s", mr, err, l.transcript())
					case slices.Contains(refused, info.Name) && !accept && (e == nil || e.Outcome != Rejected || e.Class != Temporary):
						t.Errorf("mr %d, %v; want a refusal\n%s", mr, err, l.transcript())
					case e == nil && accepted != 1, e != nil && e.Outcome != Unknown && accepted != 0 && !accept:
						t.Errorf("told %v, the network has it %d times\n%s", err, accepted, l.transcript())
					case info.Family <= 2 && err != nil && info.Name != "bytes.lost":
						t.Errorf("noise on the line made it fail: %v\n%s", err, l.transcript())
					}
				})
			})
		}
	}
}

// TestLateAnswerIsEvidence: the answer comes after the wait was over, and belongs to that exchange.
func TestLateAnswerIsEvidence(t *testing.T) {
	inLab(t, emulator.Config{}, func(t *testing.T, l *lab) {
		m := l.mustOpen(Config{Limits: Limits{Answer: 20 * time.Second}})
		l.fault("send.answer-late", emulator.FaultConfig{Delay: time.Minute})
		_, accepted, err := l.send(m)
		e := wantSendError(t, err)
		if e.Outcome != Unknown {
			t.Fatalf("%v, %d accepted", err, accepted)
		}
		for {
			select {
			case <-m.Wake():
			case <-time.After(5 * time.Minute):
				t.Fatalf("no evidence\n%s", l.transcript())
			}
			if late := m.Take().Late; len(late) > 0 {
				if late[0].Seq != e.Seq || late[0].MR < 0 {
					t.Errorf("evidence %+v for exchange %d", late, e.Seq)
				}
				break
			}
		}
		if _, accepted, err := l.send(m); err != nil || accepted != 1 {
			t.Errorf("the next one: %v, %d accepted", err, accepted)
		}
	})
}

// TestListUnderFaults: three messages are in the modem, and List finds each, whatever reading does.
func TestListUnderFaults(t *testing.T) {
	for name, want := range map[string][]string{
		"read.cmgl-bare-ok": {"first", "second", "third"}, "read.cmgl-303": {"first", "second", "third"},
		"read.cmgl-hang": {"first", "second", "third"}, "read.ff-padding": {"first", "second", "third"},
		"read.wrong-stat": {"first", "second", "third"}, "read.no-pdu": {"first", "second", "third"},
		"bytes.split": {"first", "second", "third"}, "urc.header-pdu": {"first", "second", "third"},
		"read.cmgr-321": {"first", "second", "third"}, "read.cmgr-500": {"first", "second", "third"},
		"read.cmgr-empty-ok": {"first", "second", "third"},
		"read.truncated":     nil, // entries are there, unreadable
	} {
		t.Run(name, func(t *testing.T) {
			inLab(t, emulator.Config{Seed: 3}, func(t *testing.T, l *lab) {
				m := l.mustOpen(Config{Limits: Limits{List: 20 * time.Second}})
				for _, text := range []string{"first", "second", "third"} {
					l.phone.Send(l.modem.Number(), text)
				}
				synctest.Wait()
				l.fault(name, emulator.FaultConfig{Delay: 30 * time.Second})
				all, err := m.List(t.Context())
				if err != nil && name == "read.cmgl-hang" { // the modem does nothing else meanwhile; the next sweep finds them
					time.Sleep(time.Minute)
					all, err = m.List(t.Context())
				}
				if err != nil || len(all) != 3 {
					t.Fatalf("%d entries, %v\n%s", len(all), err, l.transcript())
				}
				if got := texts(t, all); want != nil && !slices.Equal(got, want) {
					t.Errorf("got %q\n%s", got, l.transcript())
				}
			})
		})
	}
}

// TestOpenUnderFaults: bring-up ends under every fault of the catalogue, in a modem that sends or in a condition that
// says what is wrong; and when the fault is cleared, the next Open works.
func TestOpenUnderFaults(t *testing.T) {
	conditions := map[string][]string{
		"life.unplug": {"closed"}, "life.write-blocks": {"silent", "closed"}, "life.deaf": {"silent"}, "life.deaf-power": {"silent"},
		"bytes.garbage": {"silent", "not-a-modem"},
	}
	for _, info := range emulator.Faults() {
		t.Run(info.Name, func(t *testing.T) {
			inLab(t, emulator.Config{Seed: 1, ColdStart: true}, func(t *testing.T, l *lab) {
				l.fault(info.Name, emulator.FaultConfig{})
				m, err := l.open(Config{Limits: Limits{Boot: 2 * time.Minute}})
				if err != nil {
					var start *StartError
					if !errors.As(err, &start) || !slices.Contains(conditions[info.Name], start.Condition) {
						t.Fatalf("open: %v\n%s", err, l.transcript())
					}
				} else {
					if m.Settings().CNMI == "poll" || len(m.Settings().Memories) == 0 {
						t.Errorf("settings %+v\n%s", m.Settings(), l.transcript())
					}
					m.Close()
				}
				l.modem.ClearFaults()
				time.Sleep(30 * time.Second)
				if l.modem.PowerOff(); info.Name == "life.unplug" {
					l.modem.Plug()
				}
				l.modem.PowerOn()
				l.modem.SetRegistration(1)
				m = l.mustOpen(Config{})
				if _, accepted, err := l.send(m); err != nil || accepted != 1 {
					t.Errorf("send afterwards: %v, %d accepted\n%s", err, accepted, l.transcript())
				}
			})
		})
	}
}

// TestNumbersForWords: a modem left in ATV0 answers 0 for OK.
func TestNumbersForWords(t *testing.T) {
	inLab(t, emulator.Config{}, func(t *testing.T, l *lab) {
		port, err := l.modem.Open()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(port, "ATV0\r"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		port.Close()
		if _, accepted, err := l.send(l.mustOpen(Config{})); err != nil || accepted != 1 {
			t.Errorf("%v, %d accepted", err, accepted)
		}
	})
}

// TestPromptLeftOpenByACrash: the daemon died at the prompt; the next one leaves it with ESC, and nothing is sent.
func TestPromptLeftOpenByACrash(t *testing.T) {
	inLab(t, emulator.Config{}, func(t *testing.T, l *lab) {
		port, err := l.modem.Open()
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range []string{"ATE0\r", "AT+CMGF=0\r", "AT+CMGS=14\r", "0001000B91"} {
			if _, err := port.Write([]byte(s)); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		port.Close()
		m := l.mustOpen(Config{})
		if n := len(l.net.Record()); n != 0 {
			t.Errorf("%d messages were sent by opening the port", n)
		}
		if _, accepted, err := l.send(m); err != nil || accepted != 1 {
			t.Errorf("send: %v, %d accepted", err, accepted)
		}
	})
}

func TestPINOnTheEmulator(t *testing.T) {
	inLab(t, emulator.Config{PIN: "2580"}, func(t *testing.T, l *lab) {
		d := &diary{tried: map[string]bool{}}
		wrong := Config{PIN: func() (string, error) { return "0852", nil }, Guard: d.guard()}
		for range 3 {
			_, err := l.open(wrong)
			wantCondition(t, err, "pin-refused")
		}
		right := Config{PIN: func() (string, error) { return "2580", nil }, Guard: d.guard()}
		_, err := l.open(right)
		wantCondition(t, err, "pin-refused")
		clear(d.tried) // the operator wrote another PIN down
		_, err = l.open(right)
		wantCondition(t, err, "pin-guard") // two tries are left, and both stay
	})
	inLab(t, emulator.Config{PIN: "2580"}, func(t *testing.T, l *lab) {
		d := &diary{tried: map[string]bool{}}
		m := l.mustOpen(Config{PIN: func() (string, error) { return "2580", nil }, Guard: d.guard()})
		if len(d.tried) != 0 || m.Identity().ICCID == "" {
			t.Errorf("left in the diary: %v; identity %+v", d.tried, m.Identity())
		}
	})
}

func TestNoSIM(t *testing.T) {
	inLab(t, emulator.Config{NoSIM: true}, func(t *testing.T, l *lab) {
		_, err := l.open(Config{})
		wantCondition(t, err, "sim-absent")
	})
}

func TestUnplugEndsTheModem(t *testing.T) {
	inLab(t, emulator.Config{}, func(t *testing.T, l *lab) {
		m := l.mustOpen(Config{})
		l.modem.Unplug()
		<-m.Done()
		if !errors.Is(m.Err(), emulator.ErrUnplugged) {
			t.Errorf("Err is %v", m.Err())
		}
		if _, err := m.Counts(t.Context()); err == nil {
			t.Error("counts of a modem that is gone")
		}
		<-m.Wake()
	})
}

func TestOpenEndsWithItsContext(t *testing.T) {
	inLab(t, emulator.Config{}, func(t *testing.T, l *lab) {
		l.fault("life.deaf-power", emulator.FaultConfig{})
		port, err := l.modem.Open()
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		start := time.Now()
		_, err = Open(ctx, port, Config{})
		wantCondition(t, err, "closed")
		if waited := time.Since(start); waited > 4*time.Second {
			t.Errorf("it took %v", waited)
		}
	})
}

// TestKickWakesTheDeaf: nothing but a restart reaches it.
func TestKickWakesTheDeaf(t *testing.T) {
	inLab(t, emulator.Config{}, func(t *testing.T, l *lab) {
		l.fault("life.deaf", emulator.FaultConfig{})
		_, err := l.open(Config{})
		wantCondition(t, err, "silent")
		port, err := l.modem.Open()
		if err != nil {
			t.Fatal(err)
		}
		if err := Kick(t.Context(), port); err != nil {
			t.Fatalf("%v\n%s", err, l.transcript())
		}
		time.Sleep(time.Minute)
		if _, accepted, err := l.send(l.mustOpen(Config{})); err != nil || accepted != 1 {
			t.Errorf("send: %v, %d accepted", err, accepted)
		}
	})
}

// TestOpenWithoutLineEnds: no answer has its last line end, on any make.
func TestOpenWithoutLineEnds(t *testing.T) {
	for _, profile := range emulator.Profiles() {
		t.Run(profile, func(t *testing.T) {
			inLab(t, emulator.Config{Profile: profile, LineSpeed: 115200, ColdStart: true}, func(t *testing.T, l *lab) {
				l.fault("bytes.no-final-crlf", emulator.FaultConfig{Times: 1000})
				if _, accepted, err := l.send(l.mustOpen(Config{SMSC: "+4790000000"})); err != nil || accepted != 1 {
					t.Errorf("%v, %d accepted\n%s", err, accepted, l.transcript())
				}
			})
		})
	}
}

// TestREADYWithoutOKIsLearnt: a modem of no known make that answers so costs one wait, and not one at every question.
func TestREADYWithoutOKIsLearnt(t *testing.T) {
	inLab(t, emulator.Config{}, func(t *testing.T, l *lab) {
		l.fault("final.cpin-no-ok", emulator.FaultConfig{})
		m := l.mustOpen(Config{})
		start := time.Now()
		state, err := m.pinState(t.Context())
		if took := time.Since(start); err != nil || state != "READY" || took > time.Second {
			t.Errorf("%s, %v after %v", state, err, took)
		}
		if err := m.Ping(t.Context()); err != nil {
			t.Errorf("the next command: %v", err)
		}
	})
}

// TestIdleAndBusyCost counts commands: one a message, one a poll.
func TestIdleAndBusyCost(t *testing.T) {
	inLab(t, emulator.Config{}, func(t *testing.T, l *lab) {
		m := l.mustOpen(Config{})
		before := l.modem.Commands()
		for range 10 {
			if _, _, err := l.send(m); err != nil {
				t.Fatal(err)
			}
		}
		if n := l.modem.Commands() - before; n != 10 {
			t.Errorf("%d commands for 10 messages", n)
		}
		before = l.modem.Commands()
		if _, err := m.Counts(t.Context()); err != nil || l.modem.Commands()-before != 1 {
			t.Errorf("poll: %v, %d commands", err, l.modem.Commands()-before)
		}
	})
}
