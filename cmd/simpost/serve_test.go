package main

import (
	"bufio"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

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
