package daemon

import (
	"context"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"simpost/configs"
	"simpost/daemon/api"
	"simpost/daemon/store"
)

// benchAPI serves the real API on a real socket, as the daemon does.
func benchAPI(b *testing.B, g *guard) (*server, string) {
	b.Helper()
	st, err := store.Open(filepath.Join(b.TempDir(), "simpost.db"))
	if err != nil {
		b.Fatal(err)
	}
	s := newAPI(apiDeps{
		Store: st, Guard: g, Log: slog.New(slog.DiscardHandler), Modems: func() []api.Modem { return nil }, ModemNames: func() []string { return nil }, Wake: func() {},
		Started: time.Now(), Door: testDoor(uint32(os.Getuid()), uint32(os.Getgid())),
	})
	path := filepath.Join(b.TempDir(), "s")
	ln, err := listenUnix(path, os.Getgid(), socketMode)
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- s.serve(ctx, ln) }()
	b.Cleanup(func() {
		cancel()
		if err := <-served; err != nil {
			b.Error(err)
		}
		if err := st.Close(); err != nil {
			b.Error(err)
		}
	})
	return s, path
}

// BenchmarkAccept is one durable message a time from every client, over the
// socket, the clients' own work included. A number's operation is a message. The
// last line is what the guard's rules and budgets add.
func BenchmarkAccept(b *testing.B) {
	on := newGuard(configs.Guard{PartsPerRecipientHour: 1e9, PartsPerDay: 1e9})
	on.seen("office", "242010000000001")
	for _, c := range []struct {
		name    string
		clients int
		guard   *guard
	}{{"1clients", 1, nil}, {"8clients", 8, nil}, {"64clients", 64, nil}, {"64guarded", 64, on}} {
		b.Run(c.name, func(b *testing.B) {
			_, path := benchAPI(b, c.guard)
			text := "the heating in the north wing has failed"
			work := make(chan struct{}, b.N)
			for range b.N {
				work <- struct{}{}
			}
			close(work)
			var group sync.WaitGroup
			start, busy := time.Now(), cpuTime(b)
			b.ResetTimer()
			for range c.clients {
				group.Go(func() {
					client := api.Client{Socket: path}
					defer client.Close()
					for range work {
						if _, _, err := client.Send(b.Context(), api.SendRequest{To: api.Recipients{"+4790000001"}, Text: &text}, ""); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			group.Wait()
			b.ReportMetric(float64(b.N)/time.Since(start).Seconds(), "messages/s")
			b.ReportMetric(float64((cpuTime(b)-busy).Microseconds())/float64(b.N), "cpu-us/message")
		})
	}
}

// cpuTime is what this process has used: unlike the rate it does not depend on
// what else the machine does.
func cpuTime(b *testing.B) time.Duration {
	var r unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &r); err != nil {
		b.Fatal(err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// BenchmarkHandler is the share of it that is not the store's: decoding,
// checking, composing and refusing, without a socket.
func BenchmarkHandler(b *testing.B) {
	s, _ := benchAPI(b, nil)
	const body = `{"to":"+4790000001","text":"the heating in the north wing has failed","expires":"2001-01-01T00:00:00Z"}`
	ctx := context.WithValue(b.Context(), connKey{}, &conn{peer: peer{Known: true}})
	b.ReportAllocs()
	for b.Loop() {
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://localhost/v1/messages", strings.NewReader(body))
		if err != nil {
			b.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		w := statusOnly{header: http.Header{}}
		s.ServeHTTP(&w, r)
		if w.status != http.StatusUnprocessableEntity {
			b.Fatal(w.status)
		}
	}
}
