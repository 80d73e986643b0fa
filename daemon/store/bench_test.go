package store

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"simpost/daemon/api"
)

// BenchmarkEnqueue accepts messages durably, with a key, from 1, 8 and 64 callers at once.
func BenchmarkEnqueue(b *testing.B) {
	for _, callers := range []int{1, 8, 64} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			s := open(b)
			var n atomic.Int64
			var all sync.WaitGroup
			b.ResetTimer()
			for range callers {
				all.Go(func() {
					for {
						i := n.Add(1)
						if i > int64(b.N) {
							return
						}
						key := &Key{Caller: "bench", Key: strconv.FormatInt(i, 10)}
						if _, err := s.Enqueue(t0, key, []NewMessage{text(1)}); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			all.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "messages/s")
		})
	}
}

// sizes of the queue for BenchmarkDue; STORE_BENCH_ROWS adds others ("1000000").
func sizes(b *testing.B) []int {
	all := []int{1000, 100_000}
	for _, f := range strings.Fields(os.Getenv("STORE_BENCH_ROWS")) {
		n, err := strconv.Atoi(f)
		if err != nil {
			b.Fatal(err)
		}
		all = append(all, n)
	}
	return all
}

// fill queues n messages in lists of 1,000.
func fill(b testing.TB, s *Store, n int) {
	b.Helper()
	list := make([]NewMessage, 1000)
	for i := range list {
		list[i] = text(1)
	}
	for done := 0; done < n; done += len(list) {
		if _, err := s.Enqueue(t0, nil, list); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkDue picks the next part out of queues of different sizes.
func BenchmarkDue(b *testing.B) {
	for _, n := range sizes(b) {
		b.Run(fmt.Sprintf("rows=%d", n), func(b *testing.B) {
			s := open(b)
			sim := must[SIM](b)(s.Seen(t0, Identity{Modem: "office", IMSI: "242010000000001"}))
			fill(b, s, n)
			for b.Loop() {
				jobs, err := s.Due(t0, DueQuery{SIM: sim.ID, Modem: "office", Limit: 1})
				if err != nil || len(jobs) != 1 {
					b.Fatal(len(jobs), err)
				}
			}
		})
	}
}

// BenchmarkSettle takes parts through submitting and submitted, one by one.
func BenchmarkSettle(b *testing.B) {
	s := open(b)
	sim := must[SIM](b)(s.Seen(t0, Identity{Modem: "office", IMSI: "242010000000001"}))
	fill(b, s, b.N)
	b.ResetTimer()
	for part := range b.N {
		a, err := s.Submitting(t0, Submit{Part: int64(part) + 1, SIM: sim.ID, Modem: "office"})
		if err != nil {
			b.Fatal(err)
		}
		if err := s.Settle(t0, Settle{Attempt: a, State: api.Submitted, MR: part & 0xff}); err != nil {
			b.Fatal(err)
		}
	}
}
