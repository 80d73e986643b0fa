package modem

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"simpost/pdu"
)

// frame is a SUBMIT of two letters to a number; its octets matter to nobody here.
func frame(t testing.TB) pdu.Frame {
	t.Helper()
	to, err := pdu.ParseAddress("+4790000001")
	if err != nil {
		t.Fatal(err)
	}
	b, err := pdu.Encode(&pdu.Submit{DA: to, UD: pdu.UserData{Payload: []byte("Hi")}})
	if err != nil {
		t.Fatal(err)
	}
	return pdu.Frame{TPDU: b}
}

func wantSendError(t *testing.T, err error) *SendError {
	t.Helper()
	var e *SendError
	if !errors.As(err, &e) {
		t.Fatalf("got %v, want a *SendError", err)
	}
	return e
}

// TestSendOutcomes is the table of what each answer means, before and after ^Z. "" is silence.
func TestSendOutcomes(t *testing.T) {
	for _, c := range []struct {
		prompt, answer string
		outcome        Outcome
		class          Class
		code           int
	}{
		// Nothing that comes before ^Z can have sent anything.
		{"ERROR", "", NotSent, Temporary, -1},
		{"+CMS ERROR: 500", "", NotSent, Undecided, 500},
		{"+CMS ERROR: 332", "", NotSent, Temporary, 332},
		{"+CMS ERROR: 304", "", NotSent, Permanent, 304},
		{"+CMS ERROR: 310", "", NotSent, Operator, 310},
		{"+CME ERROR: 14", "", NotSent, Temporary, 14},
		{"", "", NotSent, Temporary, -1},
		// The network's own word.
		{"> ", "+CMS ERROR: 1", Rejected, Permanent, 1},
		{"> ", "+CMS ERROR: 21", Rejected, Undecided, 21},
		{"> ", "+CMS ERROR: 38", Rejected, Temporary, 38},
		{"> ", "+CMS ERROR: 42", Rejected, Temporary, 42},
		{"> ", "+CMS ERROR: 50", Rejected, Permanent, 50},
		{"> ", "+CMS ERROR: 111", Rejected, Undecided, 111},
		{"> ", "+CMS ERROR: 192", Rejected, Temporary, 192},
		{"> ", "+CMS ERROR: 197", Rejected, Permanent, 197},
		// The modem did not try.
		{"> ", "+CMS ERROR: 304", Rejected, Permanent, 304},
		{"> ", "+CMS ERROR: 322", Rejected, Temporary, 322},
		{"> ", "+CMS ERROR: 330", Rejected, Operator, 330},
		{"> ", "+CMS ERROR: 331", Rejected, Temporary, 331},
		{"> ", "+CME ERROR: 30", Rejected, Temporary, 30},
		// Nobody knows.
		{"> ", "ERROR", Unknown, Undecided, -1},
		{"> ", "OK", Unknown, Undecided, -1},
		{"> ", "", Unknown, Undecided, -1},
		{"> ", "+CMS ERROR: 332", Unknown, Undecided, 332},
		{"> ", "+CMS ERROR: 350", Unknown, Undecided, 350},
		{"> ", "+CMS ERROR: 500", Unknown, Undecided, 500},
		{"> ", "+CMS ERROR: 512", Unknown, Undecided, 512},
		{"> ", "+CMS ERROR: 513", Unknown, Undecided, 513},
		{"> ", "+CMS ERROR: 777", Unknown, Undecided, 777},
		{"> ", "+CME ERROR: 100", Unknown, Undecided, 100},
		{"> ", "+CME ERROR: 31", Unknown, Undecided, 31},
		{"> ", "+CMGS: 7|ERROR", Unknown, Undecided, -1},
		{"> ", "+CMGS: 7|+CMS ERROR: 38", Unknown, Undecided, 38},
		{"> ", "COMMAND NOT SUPPORT", Unknown, Undecided, -1},
	} {
		t.Run(strings.ReplaceAll(c.prompt+" "+c.answer, " ", "_"), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newScript(t)
				m := s.mustOpen(Config{})
				s.onSend(c.prompt, c.answer)
				ready := 0
				_, err := m.Send(t.Context(), frame(t), func() error { ready++; return nil })
				e := wantSendError(t, err)
				if e.Outcome != c.outcome || e.Class != c.class || e.Code != c.code {
					t.Errorf("got %v, %v, %d (%v); want %v, %v, %d", e.Outcome, e.Class, e.Code, err, c.outcome, c.class, c.code)
				}
				if want := map[bool]int{true: 7, false: -1}[strings.HasPrefix(c.answer, "+CMGS")]; e.MR != want {
					t.Errorf("MR %d, want %d", e.MR, want)
				}
				if c.outcome != NotSent && (ready != 1 || e.Seq == 0 && c.answer != "OK") {
					t.Errorf("ready called %d times, Seq %d", ready, e.Seq)
				}
			})
		})
	}
}

// onSend answers CMGS and the payload after it.
func (s *script) onSend(prompt, answer string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.on = func(cmd string) (string, bool) {
		switch {
		case strings.HasPrefix(cmd, "+CMGS="):
			return prompt, true
		case strings.HasSuffix(cmd, "^Z"):
			return answer, true
		}
		return "", false
	}
}

func TestSendIsOneCommand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript(t)
		m := s.mustOpen(Config{})
		s.onSend("> ", "+CMGS: 255|OK")
		before := len(s.log())
		mr, err := m.Send(t.Context(), frame(t), nil)
		if err != nil || mr != 255 {
			t.Fatalf("mr %d, %v", mr, err)
		}
		if got := s.log()[before:]; len(got) != 2 || !strings.HasPrefix(got[0], "+CMGS=") || !strings.HasSuffix(got[1], "^Z") {
			t.Errorf("asked %q", got)
		}
	})
}

func TestSendWaitsForReady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript(t)
		m := s.mustOpen(Config{})
		s.onSend("> ", "+CMGS: 1|OK")
		full := errors.New("disk full")
		_, err := m.Send(t.Context(), frame(t), func() error { return full })
		if e := wantSendError(t, err); e.Outcome != NotSent || e.Class != Temporary || !errors.Is(err, full) {
			t.Errorf("got %v", err)
		}
		for _, a := range s.log() {
			if strings.HasSuffix(a, "^Z") {
				t.Error("^Z left although ready failed")
			}
		}
		if _, err := m.Send(t.Context(), frame(t), func() error { return nil }); err != nil {
			t.Errorf("the next one: %v", err)
		}
	})
}

func TestSendRefusesABadFrame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript(t)
		m := s.mustOpen(Config{})
		_, err := m.Send(t.Context(), pdu.Frame{}, nil)
		if e := wantSendError(t, err); e.Outcome != NotSent || e.Class != Permanent {
			t.Errorf("no TPDU: %v", err)
		}
		_, err = m.SendHex(t.Context(), "00\r\nAT", 1, nil)
		if e := wantSendError(t, err); e.Outcome != NotSent || e.Class != Permanent {
			t.Errorf("not hex: %v", err)
		}
	})
}

// TestSendLimits: the wait after ^Z is 180 s, and what comes at 179 s is a success.
func TestSendLimits(t *testing.T) {
	for wait, ok := range map[time.Duration]bool{179 * time.Second: true, 181 * time.Second: false} {
		synctest.Test(t, func(t *testing.T) {
			s := newScript(t)
			m := s.mustOpen(Config{})
			s.onSend("> ", "")
			timer := time.AfterFunc(wait, func() { s.say("+CMGS: 9|OK") })
			defer timer.Stop()
			mr, err := m.Send(t.Context(), frame(t), nil)
			if ok {
				if err != nil || mr != 9 {
					t.Errorf("after %v: mr %d, %v", wait, mr, err)
				}
				return
			}
			e := wantSendError(t, err)
			if e.Outcome != Unknown {
				t.Errorf("after %v: %v", wait, err)
			}
			<-m.Wake()
			late := m.Take().Late
			if len(late) != 1 || late[0].MR != 9 || late[0].Seq != e.Seq {
				t.Errorf("late %+v, want MR 9 of exchange %d", late, e.Seq)
			}
		})
	}
}

func TestSendWhenThePortDies(t *testing.T) {
	for _, c := range []struct {
		at, name string
		want     Outcome
	}{{"+CMGS=", "at the prompt", NotSent}, {"^Z", "after the payload", Unknown}} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newScript(t)
				m := s.mustOpen(Config{})
				s.onSend("> ", "")
				s.mu.Lock()
				on := s.on
				s.on = func(cmd string) (string, bool) {
					if strings.Contains(cmd, c.at) {
						s.w.Close()
					}
					return on(cmd)
				}
				s.mu.Unlock()
				_, err := m.Send(t.Context(), frame(t), nil)
				if e := wantSendError(t, err); e.Outcome != c.want {
					t.Errorf("got %v", err)
				}
				<-m.Done()
				if m.Err() == nil {
					t.Error("Err is nil after Done")
				}
			})
		})
	}
}

func TestSendIsCancelled(t *testing.T) {
	for _, c := range []struct {
		prompt string
		want   Outcome
	}{{"", NotSent}, {"> ", Unknown}} {
		synctest.Test(t, func(t *testing.T) {
			s := newScript(t)
			m := s.mustOpen(Config{})
			s.onSend(c.prompt, "")
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			_, err := m.Send(ctx, frame(t), nil)
			if e := wantSendError(t, err); e.Outcome != c.want || !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("prompt %q: %v", c.prompt, err)
			}
		})
	}
}

// TestReferenceWithoutOK: the reference came, and no OK: that is proof, and not waited for long.
func TestReferenceWithoutOK(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript(t)
		m := s.mustOpen(Config{})
		s.onSend("> ", "+CMGS: 77")
		begun := time.Now()
		mr, err := m.Send(t.Context(), frame(t), nil)
		if took := time.Since(begun); err != nil || mr != 77 || took > 11*time.Second {
			t.Errorf("mr %d, %v, after %v", mr, err, took)
		}
		s.onSend("> ", "+CMGS: 78|OK")
		if mr, err := m.Send(t.Context(), frame(t), nil); err != nil || mr != 78 {
			t.Errorf("the next one: mr %d, %v", mr, err)
		}
		if late := m.Take().Late; len(late) > 0 {
			t.Errorf("evidence of nothing: %v", late)
		}
	})
}

// TestRestartEndsASend: a modem that restarts answers nothing more, so nobody waits for it.
func TestRestartEndsASend(t *testing.T) {
	for _, c := range []struct {
		prompt, answer string
		want           Outcome
	}{{"RDY", "", NotSent}, {"> ", "RDY|+CFUN: 1", Unknown}} {
		synctest.Test(t, func(t *testing.T) {
			s := newScript(t)
			m := s.mustOpen(Config{})
			s.onSend(c.prompt, c.answer)
			begun := time.Now()
			_, err := m.Send(t.Context(), frame(t), nil)
			if e := wantSendError(t, err); e.Outcome != c.want || !errors.Is(err, errRestarted) {
				t.Errorf("%q, %q: %v", c.prompt, c.answer, err)
			}
			if took := time.Since(begun); took > time.Second || !m.Take().Rebooted {
				t.Errorf("%q, %q: known after %v", c.prompt, c.answer, took)
			}
		})
	}
}

// A length that the line spoilt is said once more: nothing was sent, and nothing is wrong with the message.
func TestLengthThatTheLineSpoilt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript(t)
		m := s.mustOpen(Config{})
		asked, ready := 0, 0
		s.on = func(cmd string) (string, bool) {
			switch {
			case strings.HasPrefix(cmd, "+CMGS="):
				if asked++; asked == 1 {
					return "+CMS ERROR: 304", true
				}
				return "> ", true
			case strings.HasSuffix(cmd, "^Z"):
				return "+CMGS: 7|OK", true
			}
			return "", false
		}
		mr, err := m.Send(t.Context(), frame(t), func() error { ready++; return nil })
		if err != nil || mr != 7 || asked != 2 || ready != 1 {
			t.Errorf("reference %d, %v, asked %d times, ready %d times", mr, err, asked, ready)
		}
	})
}
