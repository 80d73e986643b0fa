package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"simpost/daemon/api"
)

const (
	acceptWarm   = 300 * time.Millisecond
	acceptTime   = 4 * time.Second
	syncTime     = time.Second
	acceptText   = "the heating in the north wing has failed"
	acceptNumber = "+4790000001"

	// walBytes is about what one message adds to the write-ahead log when many
	// share a commit: a page.
	walBytes = 4096
)

// benchAccept is how many messages a second are accepted, each durable when its
// client has the answer, beside what the disk alone allows: one fsync for as many
// pages as there are clients. The modem is missing, so that nothing is sent meanwhile.
func benchAccept(ctx context.Context, b *bench) (err error) {
	w, err := b.newWorld(ctx, "accept", -1, "")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	if _, _, err := w.start(ctx); err != nil {
		return err
	}
	accepted := 0
	for _, clients := range []int{1, 8, 64} {
		sync, err := syncCost(w.path("sync"), clients*walBytes)
		if err != nil {
			return err
		}
		r, err := w.accept(ctx, clients)
		if err != nil {
			return err
		}
		accepted += r.messages
		r.addTo(&b.table, clients, sync)
	}
	u, err := w.usage()
	if err != nil {
		return err
	}
	b.table.add(row{what: "accept: resident memory after it", measured: bytesOf(u.resident), beside: "peak " + bytesOf(u.peak)})
	return w.again(ctx, b, accepted)
}

// again kills the daemon and starts it on the log that it left behind.
func (w *world) again(ctx context.Context, b *bench, messages int) error {
	if err := w.end(syscall.SIGKILL); err != nil {
		return err
	}
	up, _, err := w.start(ctx)
	b.table.add(row{what: fmt.Sprintf("start: after kill -9, %d messages queued", messages), measured: "answers after " + short(up),
		aim: "answers in 2 s", met: judge(up <= 2*time.Second)})
	return err
}

// accepting is what a number of clients got done.
type accepting struct {
	messages  int
	took, cpu time.Duration
	begin     time.Time
	ends      []time.Time // of each message
	latencies []time.Duration
}

// bestSecond is the most messages in one second of it.
func (r accepting) bestSecond() int {
	seconds := make([]int, int(r.took/time.Second)+1)
	for _, at := range r.ends {
		seconds[int(at.Sub(r.begin)/time.Second)]++
	}
	return slices.Max(seconds)
}

func (r accepting) addTo(t *table, clients int, sync time.Duration) {
	rate, limit := perSecond(r.messages, r.took), perSecond(clients, sync)
	v := row{what: fmt.Sprintf("accept: %d clients", clients),
		measured: fmt.Sprintf("%.0f messages/s (best second %d), p50 %s, p99 %s", rate, r.bestSecond(), short(quantile(r.latencies, 0.5)), short(quantile(r.latencies, 0.99))),
		beside:   fmt.Sprintf("disk alone %.0f/s (fsync %s): ×%.2f; CPU a message %s", limit, short(sync), rate/limit, short(each(r.cpu, r.messages)))}
	if clients == 64 {
		v.aim, v.met = "≥ 5,000/s", judge(rate >= 5000)
	}
	t.add(v)
}

// quantile sorts d.
func quantile(d []time.Duration, q float64) time.Duration {
	if len(d) == 0 {
		return 0
	}
	slices.Sort(d)
	return d[int(q*float64(len(d)-1))]
}

// accept has the clients send one message after the other.
func (w *world) accept(ctx context.Context, clients int) (accepting, error) {
	if _, err := w.acceptFor(ctx, clients, acceptWarm); err != nil {
		return accepting{}, err
	}
	before, err := w.usage()
	if err != nil {
		return accepting{}, err
	}
	r, err := w.acceptFor(ctx, clients, acceptTime)
	if err != nil {
		return r, err
	}
	after, err := w.usage()
	r.cpu = after.cpu - before.cpu
	return r, err
}

func (w *world) acceptFor(ctx context.Context, clients int, long time.Duration) (accepting, error) {
	var group sync.WaitGroup
	var mu sync.Mutex
	var failed error
	all := accepting{begin: time.Now()}
	for range clients {
		group.Go(func() {
			ends, latencies, err := w.acceptOne(ctx, all.begin.Add(long))
			mu.Lock()
			defer mu.Unlock()
			all.ends, all.latencies = append(all.ends, ends...), append(all.latencies, latencies...)
			failed = errors.Join(failed, err)
		})
	}
	group.Wait()
	all.took, all.messages = time.Since(all.begin), len(all.ends)
	return all, failed
}

// acceptOne is one client, on a connection of its own.
func (w *world) acceptOne(ctx context.Context, until time.Time) (ends []time.Time, latencies []time.Duration, err error) {
	client := api.Client{Socket: w.api.Socket}
	defer client.Close()
	text := acceptText
	for begin := time.Now(); begin.Before(until); {
		if _, _, err := client.Send(ctx, api.SendRequest{To: api.Recipients{acceptNumber}, Text: &text}, ""); err != nil {
			return ends, latencies, err
		}
		end := time.Now()
		ends, latencies = append(ends, end), append(latencies, end.Sub(begin))
		begin = end
	}
	return ends, latencies, nil
}

// syncCost is what it costs here to append n octets to a file and have them on
// the disk.
func syncCost(path string, n int) (time.Duration, error) {
	f, err := os.Create(path)
	if err != nil {
		return 0, err
	}
	defer os.Remove(path)
	defer f.Close()
	page, begin, count := make([]byte, n), time.Now(), 0
	for ; time.Since(begin) < syncTime; count++ {
		// Over and over the same 4 MB, as SQLite writes its log.
		if _, err := f.WriteAt(page, int64(count*n%(4<<20))); err != nil {
			return 0, err
		}
		if err := unix.Fdatasync(int(f.Fd())); err != nil {
			return 0, fmt.Errorf("fsync: %w", err)
		}
	}
	return each(time.Since(begin), count), nil
}
