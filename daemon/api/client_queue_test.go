package api

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptrace"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
)

// Many clients at once fill the socket's queue: connect(2) then says EAGAIN, where a
// blocking program would wait. So does this one.
func TestFullQueueIsWaitedFor(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(syscall.Bind(fd, &syscall.SockaddrUnix{Name: path}), syscall.Listen(fd, 0)); err != nil {
		t.Fatal(err)
	}
	f := os.NewFile(uintptr(fd), path)
	ln, err := net.FileListener(f)
	f.Close()
	if err != nil {
		t.Fatal(err)
	}
	var waiting []net.Conn
	for err == nil {
		var c net.Conn
		if c, err = net.Dial("unix", path); err == nil {
			waiting = append(waiting, c)
		}
	}
	if !errors.Is(err, syscall.EAGAIN) {
		t.Fatalf("%d wait, then %v", len(waiting), err)
	}
	full := make(chan struct{})
	found := sync.OnceFunc(func() { close(full) })
	ctx := httptrace.WithClientTrace(context.Background(), &httptrace.ClientTrace{ConnectDone: func(_, _ string, err error) {
		if errors.Is(err, syscall.EAGAIN) {
			found()
		}
	}})
	c := Client{Socket: path}
	defer c.Close()
	ready := make(chan error, 1)
	go func() { ready <- c.Ready(ctx) }()
	<-full
	hs := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("{}")) })}
	go hs.Serve(ln)
	defer hs.Close()
	if err := <-ready; err != nil {
		t.Error(err)
	}
	for _, c := range waiting {
		c.Close()
	}
}
