package modem

import (
	"errors"
	"testing"

	"simpost/modem/emulator"
)

// TestStoreAndSend: a modem that refuses to send what it does not hold is given it first, and nothing stays behind.
func TestStoreAndSend(t *testing.T) {
	for _, profile := range []string{"generic", "wavecom", "sim800"} {
		inLab(t, emulator.Config{Profile: profile}, func(t *testing.T, l *lab) {
			m := l.mustOpen(Config{})
			l.fault("send.cmgs-refused", emulator.FaultConfig{})
			for range 2 {
				if _, accepted, err := l.send(m); err != nil || accepted != 1 {
					t.Fatalf("%s: %v, %d accepted\n%s", profile, err, accepted, l.transcript())
				}
			}
			for _, mem := range []string{"SM", "ME"} {
				for _, s := range l.modem.Stored(mem) {
					if s.Stat > 1 {
						t.Errorf("%s: a draft is left in %s", profile, mem)
					}
				}
			}
			l.receive(m)
		})
	}
}

// TestStoreAndSendUnderFaults: what is told of such a message is as true as of any other.
func TestStoreAndSendUnderFaults(t *testing.T) {
	for name, want := range map[string]Outcome{
		"send.cms-42": Rejected, "send.cms-500": Unknown, "send.accepted-answer-lost": Unknown, "send.swallowed": Unknown,
		"send.ok-no-mr": Unknown, "storage.full-322": NotSent,
	} {
		inLab(t, emulator.Config{}, func(t *testing.T, l *lab) {
			m := l.mustOpen(Config{})
			l.fault("send.cmgs-refused", emulator.FaultConfig{})
			if _, _, err := l.send(m); err != nil {
				t.Fatal(err)
			}
			l.fault(name, emulator.FaultConfig{})
			_, accepted, err := l.send(m)
			if e := wantSendError(t, err); e.Outcome != want || want != Unknown && accepted != 0 {
				t.Errorf("%s: %v, %d accepted", name, e, accepted)
			}
		})
	}
}

// TestStoreAndSendWaitsForReady: the message leaves with AT+CMSS, and not before it may.
func TestStoreAndSendWaitsForReady(t *testing.T) {
	inLab(t, emulator.Config{}, func(t *testing.T, l *lab) {
		m := l.mustOpen(Config{})
		l.fault("send.cmgs-refused", emulator.FaultConfig{})
		for range 2 {
			asked := 0
			_, err := m.SendHex(t.Context(), "0001000B917419000010F100000161", 14, func() error {
				asked++
				return errors.New("not on disk")
			})
			if e := wantSendError(t, err); e.Outcome != NotSent || asked != 1 || l.net.Count() != 0 {
				t.Errorf("%v, asked %d times, %d accepted", e, asked, l.net.Count())
			}
			m.viaStore = true
		}
	})
}

// TestRefusedOnce: a modem that refuses to send for once, and can't store, sends the next one as ever.
func TestRefusedOnce(t *testing.T) {
	inLab(t, emulator.Config{}, func(t *testing.T, l *lab) {
		m := l.mustOpen(Config{})
		l.fault("send.cmgs-refused", emulator.FaultConfig{Times: 1})
		l.fault("storage.full-322", emulator.FaultConfig{After: 1, Times: 1})
		_, _, err := l.send(m)
		if e := wantSendError(t, err); e.Outcome != NotSent {
			t.Errorf("%v", e)
		}
		if _, accepted, err := l.send(m); err != nil || accepted != 1 || m.viaStore {
			t.Errorf("%v, %d accepted, via store %t", err, accepted, m.viaStore)
		}
	})
}
