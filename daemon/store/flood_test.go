package store

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"simpost/daemon/api"
)

// Sets that never become whole are rows and nothing else. So there is no bound on
// how many are open, and no set is thrown away because there are others: each
// costs the disk what its parts weigh, as any message does, and the memory of the
// process nothing. What bounds them is the network, which brings a part a second,
// and the disk: when it is full, what arrives stays in the modem.

const floodSets = 10_000

// heap is what is in use after all that can go has gone.
func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func TestPartialSetsCostNoMemory(t *testing.T) {
	for name, part := range map[string]func(i int) Incoming{
		"many senders": func(i int) Incoming {
			in := partOf(i%256, 1+i%3, 200, fmt.Sprint("flood", i), t0)
			in.From = fmt.Sprintf("+47900%05d", i/20)
			return in
		},
		// One sender, one reference: every part may belong to any set so far.
		"one sender": func(i int) Incoming {
			return partOf(7, 1, 255, fmt.Sprint("flood", i), t0.Add(time.Duration(i)*time.Second))
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorldHere(t)
			w.flood(0, floodSets/10, part) // SQLite's caches fill
			before := heap()
			w.flood(floodSets/10, floodSets, part)
			const slack = 1 << 20
			if after := heap(); after > before+slack {
				t.Errorf("%d bytes more after %d partial sets", after-before, floodSets)
			}
			// A set among them still becomes whole, and a restart forgets none.
			w.receive(partOf(3, 1, 2, "whole", t0))
			if rec := w.receive(partOf(3, 2, 2, "whole", t0)); !rec.Complete {
				t.Errorf("a whole set: %+v", rec)
			}
			var open int
			if err := w.s.read().row(`SELECT count(*) FROM message WHERE incomplete > 0`).Scan(&open); err != nil || open < floodSets/3-100 {
				t.Errorf("%d sets are open, %v", open, err)
			}
			page := must[api.Messages](t)(w.s.List(Filter{Direction: api.In, Limit: 200}))
			if len(page.Messages) != 200 {
				t.Errorf("a page shows %d", len(page.Messages))
			}
		})
	}
}

// flood keeps parts from to to, many at once, as many modems would.
func (w *world) flood(from, to int, part func(i int) Incoming) {
	w.t.Helper()
	work := make(chan int, to-from)
	for i := range to - from {
		work <- from + i
	}
	close(work)
	now := w.tick()
	var g errgroup.Group
	for range 64 {
		g.Go(func() error {
			for i := range work {
				if _, err := w.s.Receive(now, part(i), joinText); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		w.t.Fatal(err)
	}
}
