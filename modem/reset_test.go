package modem

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"simpost/modem/emulator"
)

// TestResetIntoTextMode: the modem restarted without a word, and now takes the length for a telephone number and the PDU
// for a text. Its echo gives it away, before ^Z.
func TestResetIntoTextMode(t *testing.T) {
	inLab(t, emulator.Config{}, func(t *testing.T, l *lab) {
		m := l.mustOpen(Config{})
		l.fault("life.text-mode", emulator.FaultConfig{})
		l.modem.Reboot()
		_, _, err := l.send(m)
		if e := wantSendError(t, err); e.Outcome != NotSent || e.Class != Temporary {
			t.Errorf("got %v", e)
		}
		if n := l.net.Count(); n != 0 {
			t.Errorf("the network has %d messages: %+v\n%s", n, l.net.Record(), l.transcript())
		}
		if !m.Take().Rebooted {
			t.Error("the restart is not told")
		}
	})
}

// TestEchoTellsOfAReset: the first poll after a silent reboot sees it, on a modem whose memories look as before too.
func TestEchoTellsOfAReset(t *testing.T) {
	inLab(t, emulator.Config{Profile: "sim800"}, func(t *testing.T, l *lab) {
		m := l.mustOpen(Config{})
		l.fault("life.silent-reboot", emulator.FaultConfig{})
		m.Take()
		m.Counts(t.Context())
		time.Sleep(time.Minute)
		m.Take() // what it said of its boot
		if _, err := m.Counts(t.Context()); err != nil || !m.Take().Rebooted {
			t.Errorf("not seen, %v\n%s", err, l.transcript())
		}
	})
	inLab(t, emulator.Config{Profile: "sierra"}, func(t *testing.T, l *lab) {
		m := l.mustOpen(Config{})
		if _, err := m.Counts(t.Context()); err != nil || m.Take().Rebooted {
			t.Errorf("an echo that never went away counts as a reset: %v", err)
		}
	})
}

// TestSleep: what is said after a while of silence only wakes the modem. The first question costs its limit, and from then
// on it is stirred before it is spoken to.
func TestSleep(t *testing.T) {
	inLab(t, emulator.Config{}, func(t *testing.T, l *lab) {
		m := l.mustOpen(Config{})
		l.fault("life.sleep", emulator.FaultConfig{})
		for i := range 5 {
			time.Sleep(15 * time.Second)
			start := time.Now()
			_, err := m.Counts(t.Context())
			if took := time.Since(start); err != nil || i > 0 && took > time.Second {
				t.Errorf("poll %d: %v after %v\n%s", i, err, took, l.transcript())
			}
		}
		time.Sleep(15 * time.Second)
		start := time.Now()
		if _, accepted, err := l.send(m); err != nil || accepted != 1 || time.Since(start) > time.Second {
			t.Errorf("send: %v, %d accepted, after %v", err, accepted, time.Since(start))
		}
	})
}

func TestSilentRebootIsSeen(t *testing.T) {
	for _, profile := range emulator.Profiles() {
		t.Run(profile, func(t *testing.T) {
			inLab(t, emulator.Config{Profile: profile}, func(t *testing.T, l *lab) {
				m := l.mustOpen(Config{})
				m.Take()
				l.modem.Reboot()
				time.Sleep(2 * time.Minute)
				told := m.Take().Rebooted
				if m.Ping(t.Context()) == nil {
					t.Errorf("a ping does not see it\n%s", l.transcript())
				}
				if counts, err := m.Counts(t.Context()); err != nil || !told && len(counts) > 1 && !m.Take().Rebooted {
					t.Errorf("neither told nor seen by the poll: %v\n%s", err, l.transcript())
				}
				m.Close()
				if _, accepted, err := l.send(l.mustOpen(Config{SMSC: "+4790000000"})); err != nil || accepted != 1 {
					t.Errorf("after opening again: %v, %d accepted", err, accepted)
				}
			})
		})
	}
}

// bringUpLength is how many commands a plain modem costs. It may shrink.
const bringUpLength = 31

// TestBringUpLength: every command more is time before the first message, on every start of every modem.
func TestBringUpLength(t *testing.T) {
	for _, profile := range []string{"generic", "huawei", "sim800", "sim7600", "quectel-ec25"} {
		inLab(t, emulator.Config{Profile: profile}, func(t *testing.T, l *lab) {
			l.mustOpen(Config{})
			if n := l.modem.Commands(); n > bringUpLength+1 {
				t.Errorf("%s: %d commands", profile, n)
			}
		})
	}
}

// TestRebootDuringOpen: whichever command the modem restarts at, Open ends with its settings in force.
func TestRebootDuringOpen(t *testing.T) {
	for _, profile := range []string{"generic", "sim800", "quectel-ec25"} {
		for after := range bringUpLength {
			t.Run(fmt.Sprintf("%s,after=%d", profile, after), func(t *testing.T) {
				inLab(t, emulator.Config{Profile: profile}, func(t *testing.T, l *lab) {
					l.fault("life.silent-reboot", emulator.FaultConfig{After: after})
					m := l.mustOpen(Config{})
					if err := m.kept(t.Context()); err != nil {
						t.Errorf("%v\n%s", err, l.transcript())
					}
					if set := m.Settings(); set.CNMI == "poll" || set.SMSC == "" || m.Identity().ICCID == "" {
						t.Errorf("settings %+v, identity %+v\n%s", set, m.Identity(), l.transcript())
					}
				})
			})
		}
	}
}

// TestHangIsNoSleep: a modem that hangs in the middle of work, and answers later, was not asleep.
func TestHangIsNoSleep(t *testing.T) {
	inLab(t, emulator.Config{}, func(t *testing.T, l *lab) {
		m := l.mustOpen(Config{})
		l.fault("send.swallowed", emulator.FaultConfig{})
		l.send(m)
		if _, err := m.Counts(t.Context()); err != nil || m.sleeps {
			t.Errorf("%v, sleeps %t", err, m.sleeps)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		s := newScript(t)
		m := s.mustOpen(Config{})
		s.set("+CSQ", "+CSQ: 20,99|OK")
		s.set("+CPMS?", "")
		time.Sleep(time.Second)
		if _, err := m.Counts(t.Context()); err == nil || m.sleeps {
			t.Errorf("%v, sleeps %t", err, m.sleeps)
		}
	})
}
