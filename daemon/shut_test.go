package daemon

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"simpost/daemon/api"
	"simpost/modem/emulator"
)

// TestStartOnAFullDisk: the daemon answers 507, says why, and is whole when there
// is room, whether it is the database that finds none or only the mark. It stays
// stoppable.
func TestStartOnAFullDisk(t *testing.T) {
	for name, place := range map[string]func(w *world, small string){
		"database": func(w *world, small string) { w.cfg.Database = filepath.Join(small, "simpost.db") },
		"mark":     func(w *world, small string) { w.cfg.Mark = filepath.Join(small, "mark") },
	} {
		t.Run(name, func(t *testing.T) {
			small := t.TempDir()
			err := unix.Mount("tmpfs", small, "tmpfs", 0, "size=1m")
			if errors.Is(err, unix.EPERM) {
				t.Skip("only root may mount the small tmpfs this test fills")
			}
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := unix.Unmount(small, 0); err != nil {
					t.Error(err)
				}
			}()
			inWorld(t, emulator.NetworkConfig{}, one(), func(w *world) {
				place(w, small)
				var pipe atomic.Pointer[pipeListener]
				var served atomic.Int32
				w.tweak = func(d *Daemon) {
					d.Serving = func() { served.Add(1) }
					d.Listen = func() (net.Listener, error) { // one after the other
						ln := newPipeListener()
						pipe.Store(ln)
						return ln, nil
					}
					d.Dial = func(ctx context.Context) (net.Conn, error) { return pipe.Load().dial(ctx) }
				}
				start := func() {
					w.start()
					w.client.Dial = w.daemon.Dial
					time.Sleep(time.Minute)
				}
				ballast := filepath.Join(small, "ballast")
				_ = os.WriteFile(ballast, make([]byte, 1<<20), 0o600) // as much as there is room for
				for range 2 {
					start()
					w.refusedWhileShut()
					if n := served.Swap(0); n != 1 {
						t.Fatalf("it said %d times that it answers", n)
					}
					w.halt()
				}
				start()
				if err := os.Remove(ballast); err != nil {
					t.Fatal(err)
				}
				time.Sleep(2 * diskProbe)
				w.condition("a", api.CondReady)
				w.becomes(w.send(text("+4790000002", "hello")), api.Delivered, time.Minute)
				if st, err := w.client.Status(context.Background()); err != nil || st.Condition != nil || st.LastEvent == 0 || served.Load() != 1 {
					t.Errorf("%+v, %v; it said %d times that it answers", st, err, served.Load())
				}
			})
		})
	}
}

func (w *world) refusedWhileShut() {
	w.t.Helper()
	ctx := context.Background()
	st, err := w.client.Status(ctx)
	if err != nil || st.Ready || st.Condition == nil || st.Condition.Code != string(api.CodeDiskFull) || len(st.Modems) != 1 ||
		st.Modems[0].Condition.Code != api.CondDiskFull {
		w.t.Fatalf("status: %+v, %v", st, err)
	}
	if e := asAPIError(w.t, w.client.Ready(ctx)); !strings.Contains(e.Message, "full") {
		w.t.Errorf("ready: %v", e)
	}
	short, cancel := context.WithTimeout(ctx, 20*time.Second) // the client waits for a full disk
	defer cancel()
	_, _, err = w.client.Send(short, text("+4790000002", "hello"), "")
	if e := asAPIError(w.t, err); e.Code != api.CodeDiskFull || e.Hint == "" {
		w.t.Errorf("send: %v", err)
	}
	_, err = w.client.List(ctx, api.ListQuery{})
	if e := asAPIError(w.t, err); e.Code != api.CodeDiskFull {
		w.t.Errorf("list: %v", err)
	}
}
