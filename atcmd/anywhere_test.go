package atcmd

import (
	"context"
	"fmt"
	"os"
	"testing"
	"testing/synctest"
	"time"
)

// resyncWithin is how soon after anything at all the next command is answered.
const resyncWithin = 10 * time.Second

// A URC in the middle of a line makes that line nobody's. The command it belongs to
// may fail then, but nothing hangs, and the next one has its own answer.
func TestTranscriptsWithAURCAtEveryByte(t *testing.T) {
	const guest = "\r\n+CMTI: \"SM\",3\r\n"
	n, every := 0, 16
	if os.Getenv("SIMPOST_FAULTS") == "full" {
		every = 1
	}
	for _, x := range loadTranscripts(t) {
		for _, r := range x.replays(t) {
			for at := n % every; at < len(r.wire); at += every {
				n++
				synctest.Test(t, func(t *testing.T) {
					anywhere(t, fmt.Sprintf("%s with a URC at %d", x.sourceLine, at), r, r.wire[:at]+guest+r.wire[at:])
				})
			}
		}
	}
	t.Logf("%d places", n)
}

func anywhere(t *testing.T, what string, r replay, wire string) {
	t.Helper()
	said := false
	f, p := newFake(t, func(f *fake, tok string) bool {
		if said {
			return false
		}
		said = true
		f.say(wire)
		return true
	})
	c := Open(p, Config{})
	ctx, cancel := context.WithTimeout(bg, 5*time.Second)
	if r.cmd == "" {
		f.say(wire)
		said = true
	} else {
		c.Exec(ctx, r.cmd) // either way: what was cut in two is nobody's
	}
	cancel()
	began := time.Now()
	for {
		ctx, cancel := context.WithTimeout(bg, resyncWithin)
		_, err := c.Exec(ctx, "+CMGF=0")
		cancel()
		switch {
		case err == nil:
			eq(t, what+": close", c.Close(), nil)
			return
		case time.Since(began) > resyncWithin:
			t.Fatalf("%s: after %v: %v", what, time.Since(began), err)
		}
	}
}
