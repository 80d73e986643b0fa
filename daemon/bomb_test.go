package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"simpost/daemon/api"
	"simpost/daemon/store"
)

// bombs are clients that mean harm, or hang. Each writes until it is let go.
var bombs = map[string]func(net.Conn){
	"says nothing": func(net.Conn) {},
	"half open":    func(c net.Conn) { c.(interface{ CloseWrite() error }).CloseWrite() },
	"slowloris": func(c net.Conn) {
		for {
			if _, err := io.WriteString(c, "X"); err != nil {
				return
			}
		}
	},
	"endless header": func(c net.Conn) {
		io.WriteString(c, "GET /healthz HTTP/1.1\r\nHost: simpost\r\n")
		for {
			if _, err := io.WriteString(c, "X-Filler: "+strings.Repeat("x", 1000)+"\r\n"); err != nil {
				return
			}
		}
	},
	"never reads": func(c net.Conn) {
		for {
			if _, err := io.WriteString(c, "GET /openapi.json HTTP/1.1\r\nHost: simpost\r\n\r\n"); err != nil {
				return
			}
		}
	},
	"half a body": func(c net.Conn) {
		io.WriteString(c, "POST /v1/messages HTTP/1.1\r\nHost: simpost\r\nContent-Type: application/json\r\nContent-Length: 60000\r\n\r\n{")
	},
	"1 GB": func(c net.Conn) {
		io.WriteString(c, "POST /v1/messages HTTP/1.1\r\nHost: simpost\r\nContent-Type: application/json\r\nContent-Length: 1073741824\r\n\r\n")
		for block := make([]byte, 64<<10); ; {
			if _, err := c.Write(block); err != nil {
				return
			}
		}
	},
	"1 GB in chunks": func(c net.Conn) {
		io.WriteString(c, "POST /v1/messages HTTP/1.1\r\nHost: simpost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
		for chunk := "10000\r\n" + strings.Repeat(" ", 64<<10) + "\r\n"; ; {
			if _, err := io.WriteString(c, chunk); err != nil {
				return
			}
		}
	},
}

// comesAgain is when a bomb that was let go is back.
const comesAgain = time.Second

// bombard keeps n clients of the kinds in bombs at the socket until stop: each
// that is let go comes again. It returns when all have connected once.
func bombard(tb testing.TB, path string, n int) (stop func()) {
	tb.Helper()
	kinds := make([]string, 0, len(bombs))
	for kind := range bombs {
		kinds = append(kinds, kind)
	}
	slices.Sort(kinds)
	ctx, cancel := context.WithCancel(context.Background())
	var all, first sync.WaitGroup
	first.Add(n)
	for i := range n {
		all.Go(func() {
			come := sync.OnceFunc(first.Done)
			defer come()
			for ctx.Err() == nil {
				c, err := net.Dial("unix", path)
				if err == nil {
					come()
					end := context.AfterFunc(ctx, func() { c.Close() })
					bombs[kinds[i%len(kinds)]](c)
					io.Copy(io.Discard, c) // until it is let go
					end()
					c.Close()
				}
				select {
				case <-ctx.Done():
				case <-time.After(comesAgain):
				}
			}
		})
	}
	first.Wait()
	return func() { cancel(); all.Wait() }
}

// openFiles counts the descriptors of this process, the bombs' own ends included.
func openFiles(tb testing.TB) int {
	tb.Helper()
	all, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		tb.Fatal(err)
	}
	return len(all)
}

// bombed serves the real API on a real socket.
func bombed(tb testing.TB) (path string, s *server) {
	tb.Helper()
	st, err := store.Open(filepath.Join(tb.TempDir(), "simpost.db"))
	if err != nil {
		tb.Fatal(err)
	}
	s = newAPI(apiDeps{
		Store: st, Log: slog.New(slog.DiscardHandler), Modems: func() []api.Modem { return nil }, ModemNames: func() []string { return nil }, Wake: func() {},
		Started: time.Now(), Door: testDoor(uint32(os.Getuid()), uint32(os.Getgid())),
	})
	path = filepath.Join(tb.TempDir(), "s")
	ln, err := listenUnix(path, os.Getgid(), socketMode)
	if err != nil {
		tb.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- s.serve(ctx, ln) }()
	tb.Cleanup(func() {
		cancel()
		if err := errors.Join(<-served, st.Close()); err != nil {
			tb.Error(err)
		}
	})
	return path, s
}

// While 1,000 hung, slow and boundless clients keep coming, a healthy one is
// served each time it asks, and the daemon's connections stay under their limit.
func TestAHealthyClientBesideAThousandBombs(t *testing.T) {
	path, s := bombed(t)
	n := 1000
	if raced { // whose runtime knows 256 threads at a time, and fails now and then where there are many more
		n = 50
	}
	stop := bombard(t, path, n)
	defer stop()
	text := "still served"
	for range 50 {
		c := api.Client{Socket: path}
		m, _, err := c.Send(t.Context(), api.SendRequest{To: api.Recipients{"1890"}, Text: &text}, "")
		if err != nil || len(m) != 1 {
			t.Errorf("send: %v", err)
		}
		c.Close()
		s.conns.mu.Lock()
		if n := len(s.conns.conns); n > maxConns {
			t.Errorf("%d connections, want at most %d", n, maxConns)
		}
		s.conns.mu.Unlock()
	}
	// The ends of the bombs, and what the daemon holds of them: those that it
	// serves, and those that it is just letting go.
	if open := openFiles(t); open > n+2*maxConns+100 {
		t.Errorf("%d files are open", open)
	}
}

// A gigabyte is refused after its first 64 KiB, not after its last.
func TestAGigabyteIsNotRead(t *testing.T) {
	path, _ := bombed(t)
	for _, kind := range []string{"1 GB", "1 GB in chunks"} {
		c, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		count := &countingConn{UnixConn: c.(*net.UnixConn)}
		bombs[kind](count)
		if count.n > 4<<20 {
			t.Errorf("%s: %d bytes were taken", kind, count.n)
		}
		c.Close()
	}
}

type countingConn struct {
	*net.UnixConn
	n int
}

// Write counts what the daemon, or the kernel for it, has taken.
func (c *countingConn) Write(b []byte) (int, error) {
	n, err := c.UnixConn.Write(b)
	c.n += n
	return n, err
}

// BenchmarkBesideBombs is what a healthy client waits while 1,000 others hang, are
// slow or never end; "alone" is the same without them. The bar is a p99 of 50 ms.
func BenchmarkBesideBombs(b *testing.B) {
	for _, n := range []int{0, 1000} {
		b.Run(fmt.Sprintf("%dbombs", n), func(b *testing.B) {
			path, _ := bombed(b)
			defer bombard(b, path, n)()
			c := api.Client{Socket: path}
			defer c.Close()
			var took []time.Duration
			for b.Loop() {
				start := time.Now()
				if _, err := c.Status(b.Context()); err != nil {
					b.Fatal(err)
				}
				took = append(took, time.Since(start))
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
		})
	}
}
