package sim

import (
	"fmt"
	"hash"
	"hash/fnv"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// What makes a seed decide the order of things as well: goroutines that wake at the
// same instant run in an order that nobody decides. So whatever goes into the daemon
// or comes out of it, and whoever begins something, first takes a moment of its own.

// pace is the row of moments of one who does things in the world.
type pace struct {
	mu  sync.Mutex
	rng *rand.Rand
}

// momentMost bounds a moment; that two choose the same one is unlikely enough.
const momentMost = int(time.Millisecond)

// pace is what the seed says of who.
func (w *world) pace(who string, n int) *pace {
	h := fnv.New64a()
	fmt.Fprintf(h, "%s-%d", who, n)
	return &pace{rng: rand.New(rand.NewPCG(w.seed, h.Sum64()))}
}

// step waits for the next moment.
func (p *pace) step() {
	p.mu.Lock()
	d := time.Duration(1 + p.rng.IntN(momentMost))
	p.mu.Unlock()
	time.Sleep(d)
}

// trace is a sum over all that was said on the lines, and when. Trials with the same
// sum went the same way.
type trace struct {
	mu       sync.Mutex
	sum      hash.Hash64
	commands int // given to modems
}

// line notes what a modem heard or said.
func (t *trace) line(modem string, heard bool, line string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if heard && strings.HasPrefix(line, "AT") {
		t.commands++
	}
	fmt.Fprintln(t.sum, time.Now().UnixNano(), modem, heard, line)
}

func (t *trace) count() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.commands
}

func (t *trace) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return fmt.Sprintf("%016x", t.sum.Sum64())
}

// TestReplay: a seed is the whole trial. Each campaign's trial goes the same way, to
// the nanosecond, when it is run again.
//
// One processor: with more, what SQLite does for one goroutine may end before or
// after another goroutine's work of the same instant. Even so it is now and then
// another one of a thousand trials that differs, so a third run may decide.
func TestReplay(t *testing.T) {
	if os.Getenv("SIMPOST_SEED") != "" {
		t.Skip("it is about every seed")
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	for _, c := range campaigns {
		if c.name == "reports" || c.name == "month" { // of the same stuff, and a hundred times as long
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			world := ""
			if len(c.worlds) > 0 {
				world = c.worlds[len(c.worlds)/2]
			}
			var went []string
			for range 3 {
				var found tally
				c.trial(t, &found, 2, world)
				if slices.Contains(went, found.trace) {
					return
				}
				went = append(went, found.trace)
			}
			t.Errorf("one seed went three ways: %v", went)
		})
	}
}
