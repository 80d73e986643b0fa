package daemon

import (
	"bytes"
	"cmp"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"simpost/daemon/api"
	"simpost/hw"
	"simpost/modem/emulator"
)

// needed are the commands without which nobody sends or receives, in one of the ways
// below. CSCA? that says nothing says that the card has no service centre.
var needed = map[string][]string{
	"AT":       {""},
	"AT+CMGF=": {""},
	"AT+CMGF?": {""},
	"AT+CMGS=": {"ERROR", "COMMAND NOT SUPPORT", "+CME ERROR: 100", "OK", ""},
	"AT+CPIN?": {""},
	"AT+CPMS?": {""},
	"AT+CSCA?": {"OK", ""},
}

// ways are what a modem says to what it does not know, "" for nothing.
var ways = []string{"ERROR", "+CME ERROR: 4", "+CME ERROR: 100", "+CMS ERROR: 303", "COMMAND NOT SUPPORT", "OK", ""}

// A modem that lacks any other command, never answers it, or says OK to it and does
// nothing, sends and receives all the same.
func TestWithoutOneCommand(t *testing.T) {
	inWeeks(t)
	for _, c := range commandsOf(t) {
		for _, way := range ways {
			if slices.Contains(needed[c], way) {
				continue
			}
			t.Run(strings.TrimPrefix(c, "AT")+" says "+cmp.Or(way, "nothing"), func(t *testing.T) {
				t.Parallel()
				worksWithout(t, func(command string) bool { return command == c }, way)
			})
		}
	}
}

// A modem that knows nothing but what SMS takes sends and receives all the same.
func TestWithoutAllCommandsButAFew(t *testing.T) {
	base := []string{"AT", "AT+CGMM", "AT+CIMI", "AT+CREG?", "AT+CMGF=", "AT+CMGS="}
	for name, more := range map[string][]string{
		"lists": {"AT+CPMS=", "AT+CMGL=", "AT+CMGD="},
		"reads": {"AT+CPMS=", "AT+CMGR=", "AT+CMGD="},
		"shows": {"AT+CSMS=", "AT+CSMS?", "AT+CNMI=", "AT+CNMI?", "AT+CNMA"},
	} {
		knows := slices.Concat(base, more)
		for _, way := range ways {
			if way == "OK" || way == "" {
				continue
			}
			t.Run(name+" "+way, func(t *testing.T) {
				t.Parallel()
				worksWithout(t, func(command string) bool { return !slices.Contains(knows, command) }, way)
			})
		}
	}
}

func worksWithout(t *testing.T, lacks func(string) bool, answer string) {
	inWorld(t, emulator.NetworkConfig{}, one(), func(w *world) {
		w.ports = map[string]func() (io.ReadWriteCloser, error){"a": func() (io.ReadWriteCloser, error) {
			rwc, err := w.modems["a"].Open()
			if err != nil {
				return nil, err
			}
			return lacking(rwc, lacks, answer), nil
		}}
		w.start()
		w.works()
	})
}

// commandsOf are the commands of a start and of some work.
func commandsOf(t *testing.T) []string {
	var mu sync.Mutex
	used := map[string]bool{}
	modems := one()
	modems[0].Trace = func(_ string, heard bool, line string) {
		mu.Lock()
		defer mu.Unlock()
		if c := form(line); heard && strings.HasPrefix(c, "AT") {
			used[c] = true
		}
	}
	inWorld(t, emulator.NetworkConfig{}, modems, func(w *world) {
		w.start()
		w.works()
	})
	if len(used) < 30 {
		t.Errorf("only %d commands", len(used))
	}
	return slices.Sorted(maps.Keys(used))
}

// form is a command without its values: AT+CPMS=?, AT+CPMS?, AT+CPMS= and so on.
func form(line string) string {
	line = strings.TrimRight(line, "\r")
	if !strings.HasPrefix(line, "AT") || strings.HasSuffix(line, "=?") {
		return line
	}
	if name, _, set := strings.Cut(line, "="); set {
		return name + "="
	}
	return line
}

// without is the line of a modem that answers commands in another way.
type without struct {
	io.ReadWriteCloser
	lacks  func(command string) bool
	answer string
	say    chan []byte
	rest   []byte
}

func lacking(inner io.ReadWriteCloser, lacks func(string) bool, answer string) *without {
	l := &without{ReadWriteCloser: inner, lacks: lacks, answer: answer, say: make(chan []byte, 64)}
	go func() {
		defer close(l.say)
		for buf := make([]byte, 1024); ; {
			n, err := inner.Read(buf)
			if err != nil {
				return
			}
			l.say <- bytes.Clone(buf[:n])
		}
	}()
	return l
}

func (l *without) Write(p []byte) (int, error) {
	if c := form(string(p)); !strings.HasPrefix(c, "AT") || !l.lacks(c) {
		return l.ReadWriteCloser.Write(p)
	}
	if l.answer != "" {
		l.say <- []byte("\r\n" + l.answer + "\r\n")
	}
	return len(p), nil
}

func (l *without) Read(p []byte) (int, error) {
	if len(l.rest) == 0 {
		said, ok := <-l.say
		if !ok {
			return 0, hw.ErrGone
		}
		l.rest = said
	}
	n := copy(p, l.rest)
	l.rest = l.rest[n:]
	return n, nil
}

// works sends and receives a message of two parts.
func (w *world) works() {
	w.t.Helper()
	const limit = 20 * time.Minute
	w.within(limit, "it can send", func() bool { return w.can("a") })
	p, long := w.net.NewPhone(emulator.PhoneConfig{}), strings.Repeat(" and in parts", 15)
	p.Send("+4790000001", "to it"+long)
	id := w.send(text(p.Number(), "from it"+long))
	w.within(limit, "it is sent", func() bool { s := w.get(id).State; return s == api.Delivered || s == api.Sent })
	w.within(limit, "it is received", func() bool {
		return slices.ContainsFunc(w.inbox(), func(m api.Message) bool { return m.Text != nil && *m.Text == "to it"+long })
	})
}
