package main

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"
)

// The journal writes its own times; any other place gets them from us, even if the
// variable was inherited from a service.
func TestNoTimesInTheJournal(t *testing.T) {
	for _, journal := range []bool{true, false} {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		var st unix.Stat_t
		if err := unix.Fstat(int(w.Fd()), &st); err != nil {
			t.Fatal(err)
		}
		if !journal {
			st.Ino++
		}
		t.Setenv("JOURNAL_STREAM", fmt.Sprintf("%d:%d", st.Dev, st.Ino))
		log, err := newLog(w, "info", "text", false)
		if err != nil {
			t.Fatal(err)
		}
		log.Debug("not this")
		log.Info("hello")
		w.Close()
		line, err := bufio.NewReader(r).ReadString('\n')
		if err != nil || strings.HasPrefix(line, "time=") == journal || !strings.HasSuffix(line, "level=INFO msg=hello\n") {
			t.Errorf("journal %v: %q, %v", journal, line, err)
		}
	}
}

func TestNotify(t *testing.T) {
	name := filepath.Join(t.TempDir(), "notify")
	ln, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	t.Setenv("NOTIFY_SOCKET", name)
	notify(slog.New(slog.DiscardHandler), "READY=1")
	buf := make([]byte, 64)
	n, err := ln.Read(buf)
	if err != nil || string(buf[:n]) != "READY=1" {
		t.Errorf("got %q, %v", buf[:n], err)
	}
}

func TestWatchdogInterval(t *testing.T) {
	own := strconv.Itoa(os.Getpid())
	for _, c := range []struct {
		usec, pid string
		want      time.Duration
	}{
		{"", "", 0}, {"120000000", "", time.Minute}, {"120000000", own, time.Minute}, {"120000000", "1", 0},
		{"0", own, 0}, {"-5", own, 0}, {"soon", own, 0},
	} {
		t.Setenv("WATCHDOG_USEC", c.usec)
		t.Setenv("WATCHDOG_PID", c.pid)
		if got := watchdogInterval(); got != c.want {
			t.Errorf("WATCHDOG_USEC=%q WATCHDOG_PID=%q: %s, want %s", c.usec, c.pid, got, c.want)
		}
	}
}

// The watchdog is told by a daemon that is alive, and by no other.
func TestFeed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var alive atomic.Bool
		var told atomic.Int32
		alive.Store(true)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			feed(ctx, time.Minute, alive.Load, func() { told.Add(1) })
		}()
		time.Sleep(150 * time.Second)
		if n := told.Load(); n != 3 {
			t.Errorf("told %d times in 150 s, want at once and every minute", n)
		}
		alive.Store(false)
		time.Sleep(time.Hour)
		if n := told.Load(); n != 3 {
			t.Errorf("told %d times though it was not alive", n-3)
		}
		cancel()
		<-done
	})
}
