package atcmd

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// FuzzConn plays any bytes at a Conn, as the answer of a command and of a submission and while idle. Whatever they are,
// every wait ends, Close leaves nothing, ^Z leaves at most once and no line arrives at two places.
func FuzzConn(f *testing.F) {
	for _, s := range scenes {
		f.Add([]byte("\r\n"+strings.Join(s.before, "\r\n")+"\r\n"), []byte(strings.Join(s.after, "\r\n")+"\r\n"), byte(7))
	}
	for _, in := range injects {
		f.Add([]byte(in.wire+"> "), []byte(in.wire+"\r\n+CMGS: 1\r\nOK\r\n"), byte(3))
	}
	f.Add([]byte("\x00\xff> OK\r> \r"), []byte("ERROR\r\n+CME ERROR: \r\n"), byte(0))
	f.Add([]byte("+CUSD: 0,\"\r\n+CMT: ,\r\n00"), []byte("+CMGL: \r\n\r\n0\r\nATZ"), byte(1))
	f.Fuzz(func(t *testing.T, first, second []byte, cut byte) {
		if len(first)+len(second) > 1<<12 {
			return
		}
		synctest.Test(t, func(t *testing.T) { fuzzOnce(t, first, second, int(cut)) })
	})
}

func fuzzOnce(t *testing.T, first, second []byte, cut int) {
	say := func(f *fake, b []byte) {
		k := min(cut, len(b))
		f.say(string(b[:k]))
		pass(time.Millisecond)
		f.say(string(b[k:]))
	}
	f, p := newFake(t, func(f *fake, tok string) bool {
		switch {
		case strings.HasPrefix(tok, "PDU:"):
			say(f, second)
		case strings.HasPrefix(tok, "AT+CMGS"):
			f.prompt("")
			say(f, first)
		case tok == "AT+CMGL=4":
			say(f, second)
		default:
			return false
		}
		return true
	})
	c := Open(p, Config{Queue: 1 << 13})
	ctx, cancel := context.WithTimeout(bg, time.Minute)
	defer cancel()
	say(f, first)
	size := 0
	count := func(r Response, err error) error {
		lines := r.Lines
		if err != nil {
			lines = execError(t, err).Lines
		}
		size += len(strings.Join(lines, ""))
		return err
	}
	count(c.Exec(ctx, "+CMGL=4"))
	err := count(c.ExecPrompt(ctx, "+CMGS=19", Prompt{Payload: hexPDU(19, 1), Answer: time.Second}))
	synctest.Wait() // an OK that came too early may be quicker than the ^Z
	if n := f.subs(); n > 1 || err == nil && n != 1 {
		t.Fatalf("%v with %d ^Z: %s", err, n, f.history())
	}
	count(c.Exec(ctx, "+CSQ?"))
	if n := f.subs(); n > 1 {
		t.Fatalf("%d ^Z: %s", n, f.history())
	}
	eq(t, "close", c.Close(), nil)
	for u := range c.URCs() {
		size += len(u.Line) + len(u.PDU)
		if len(u.Line) > maxLine || len(u.PDU) > maxLine {
			t.Fatal("a line has no limit")
		}
	}
	if size > len(f.heard()) {
		t.Fatalf("%d bytes of lines out of %q", size, f.heard())
	}
}
