package modem

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
)

// script is a far side for what the emulator has no profile for: one answer a command, and the list of what was asked.
// An answer is lines and a final result separated by '|'; "" is silence.
type script struct {
	t       *testing.T
	r       *io.PipeReader // what the modem is told
	w       *io.PipeWriter
	host    port
	mu      sync.Mutex
	answers map[string]string
	asked   []string
	on      func(cmd string) (answer string, ok bool) // before answers
	atInput bool                                      // a payload prompt is open: only ESC leaves it, and ^Z would send
	done    chan struct{}
}

// port is the host's end.
type port struct {
	*io.PipeReader
	*io.PipeWriter
}

func (p port) Close() error {
	p.PipeReader.Close()
	return p.PipeWriter.Close()
}

// sane answers what any modem does.
func sane() map[string]string {
	return map[string]string{
		"": "OK", "E0": "OK", "E0V1": "OK", "V1": "OK", "+CMEE=1": "OK", "+CMEE?": "+CMEE: 1|OK",
		"+CGMI": "Nobody|OK", "+CGMM": "M1|OK", "+CGMR": "Revision: 1.0|OK", "+CGSN": "350000000000018|OK",
		"+CFUN?": "+CFUN: 1|OK", "+CPIN?": "+CPIN: READY|OK", "+CIMI": "242010000000001|OK", "+CCID": "+CCID: 8947010000000000017|OK",
		"+CPMS?": `+CPMS: "SM",0,30,"SM",0,30,"SM",0,30|OK`, "+CMGF=0": "OK", "+CMGF?": "+CMGF: 0|OK", `+CSCS="GSM"`: "OK",
		"+CSCA?": `+CSCA: "+4790000000",145|OK`, "+CPMS=?": `+CPMS: ("SM"),("SM"),("SM")|OK`,
		`+CPMS="SM","SM","SM"`: "+CPMS: 0,30,0,30,0,30|OK", "+CSMS=0": "+CSMS: 1,1,1|OK", "+CSMS?": "+CSMS: 0,1,1,1|OK",
		"+CNMI=2,1,0,1,0": "OK", "+CNMI?": "+CNMI: 2,1,0,1,0|OK",
	}
}

func newScript(t *testing.T) *script {
	s := &script{t: t, answers: sane(), done: make(chan struct{})}
	var in *io.PipeWriter
	var out *io.PipeReader
	s.r, in = io.Pipe()
	out, s.w = io.Pipe()
	s.host = port{out, in}
	go s.run()
	t.Cleanup(func() {
		s.r.Close()
		s.w.Close()
		<-s.done
	})
	return s
}

func (s *script) run() {
	defer close(s.done)
	defer s.w.Close()
	var line []byte
	b := make([]byte, 1)
	for {
		if _, err := s.r.Read(b); err != nil {
			return
		}
		switch b[0] {
		case 0x1b:
			line, s.atInput = line[:0], false
		case '\r':
			if s.atInput {
				continue
			}
			s.command(string(line))
			line = line[:0]
		case 0x1a:
			if s.atInput {
				s.t.Error("^Z at a prompt that a crash left open")
			}
			s.command(string(line) + "^Z")
			line = line[:0]
		default:
			line = append(line, b[0])
		}
	}
}

func (s *script) command(l string) {
	cmd, isCommand := strings.CutPrefix(l, "AT")
	if !isCommand && !strings.HasSuffix(l, "^Z") {
		return
	}
	s.mu.Lock()
	s.asked = append(s.asked, cmd)
	answer, ok := "", false
	if s.on != nil {
		answer, ok = s.on(cmd)
	}
	if !ok {
		if answer, ok = s.answers[cmd]; !ok {
			answer = "ERROR"
		}
	}
	s.mu.Unlock()
	s.say(answer)
}

// say writes lines separated by '|'. The last one, if it is "> ", is a prompt.
func (s *script) say(answer string) {
	if answer == "" {
		return
	}
	var b bytes.Buffer
	for l := range strings.SplitSeq(answer, "|") {
		b.WriteString("\r\n" + l)
		if l != "> " {
			b.WriteString("\r\n")
		}
	}
	s.w.Write(b.Bytes())
}

// log is what was asked so far.
func (s *script) log() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.asked)
}

// set changes an answer of a modem that is already open.
func (s *script) set(cmd, answer string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answers[cmd] = answer
}

func (s *script) count(cmd string) int {
	n := 0
	for _, a := range s.log() {
		if a == cmd {
			n++
		}
	}
	return n
}

func (s *script) open(cfg Config) (*Modem, error) {
	m, err := Open(context.Background(), s.host, cfg)
	if err == nil {
		s.t.Cleanup(func() { m.Close() })
	}
	return m, err
}

func (s *script) mustOpen(cfg Config) *Modem {
	s.t.Helper()
	m, err := s.open(cfg)
	if err != nil {
		s.t.Fatalf("open: %v\nasked: %q", err, s.log())
	}
	return m
}

// wantCondition holds err against a StartError's condition.
func wantCondition(t *testing.T, err error, want string) {
	t.Helper()
	var start *StartError
	if !errors.As(err, &start) {
		t.Fatalf("open: got %v, want a *StartError %s", err, want)
	}
	if start.Condition != want {
		t.Fatalf("open: got condition %s (%v), want %s", start.Condition, err, want)
	}
}

func TestBringUpOfAPlainModem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript(t)
		m := s.mustOpen(Config{Name: "office"})
		id, set := m.Identity(), m.Settings()
		if id.IMEI != "350000000000018" || id.IMSI != "242010000000001" || id.ICCID != "8947010000000000017" || id.Manufacturer != "Nobody" || id.Model != "M1" || id.Revision != "1.0" {
			t.Errorf("identity %+v", id)
		}
		if set.Profile != "generic" || set.SMSC != "+4790000000" || set.CNMI != "2,1,0,1,0" || set.Receive != "SM" || len(set.Memories) != 1 {
			t.Errorf("settings %+v", set)
		}
	})
}
