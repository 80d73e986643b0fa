package daemon

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"simpost/daemon/api"
)

func TestSocketIsPrivate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "run", "simpost.sock")
	ln, err := listenUnix(path, os.Getgid(), socketMode)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != socketMode || info.Mode().Type() != os.ModeSocket {
		t.Errorf("the socket is %v, %v", info.Mode(), err)
	}
	if gid := info.Sys().(*syscall.Stat_t).Gid; int(gid) != os.Getgid() {
		t.Errorf("the socket's group is %d", gid)
	}
	dir, err := os.Stat(filepath.Dir(path))
	if err != nil || dir.Mode().Perm()&^socketDirMode != 0 {
		t.Errorf("the folder is %v, %v", dir.Mode(), err)
	}
	if err := ln.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket stays after Close: %v", err)
	}
}

// The mode is right before anyone can connect, whatever the umask.
func TestSocketIsNeverWide(t *testing.T) {
	old := syscall.Umask(0)
	defer syscall.Umask(old)
	path := filepath.Join(t.TempDir(), "s")
	ln, err := bindPrivately(path, socketMode)
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	if info, err := os.Stat(path); err != nil || info.Mode().Perm()&^socketMode != 0 {
		t.Errorf("bound with %v, %v", info.Mode(), err)
	}
}

func TestStaleSocketIsReplacedAndALiveOneIsNot(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	crashed, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	crashed.(*net.UnixListener).SetUnlinkOnClose(false)
	crashed.Close()
	ln, err := listenUnix(path, os.Getgid(), socketMode)
	if err != nil {
		t.Fatalf("a stale socket: %v", err)
	}
	defer ln.Close()
	_, err = listenUnix(path, os.Getgid(), socketMode)
	if e := asAPIError(t, err); e.Code != api.CodeSocketBusy || e.Hint == "" {
		t.Errorf("a live socket: %+v", e)
	}
	if conn, err := net.Dial("unix", path); err != nil {
		t.Errorf("the live daemon lost its socket: %v", err)
	} else {
		conn.Close()
	}
}

func TestSomethingElseInThePlaceOfTheSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := listenUnix(path, os.Getgid(), socketMode)
	if e := asAPIError(t, err); e.Code != api.CodeConfig {
		t.Errorf("got %+v", e)
	}
	if b, err := os.ReadFile(path); err != nil || string(b) != "precious" {
		t.Errorf("the file was touched: %q, %v", b, err)
	}
}

// The kernel's word on ourselves: user, group, and the supplementary groups.
func TestPeerOfARealSocket(t *testing.T) {
	ln, err := listenUnix(filepath.Join(t.TempDir(), "s"), os.Getgid(), socketMode)
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	conn, err := net.Dial("unix", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	accepted, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer accepted.Close()
	p := peerOf(accepted)
	if !p.Known || int(p.UID) != os.Getuid() || int(p.GID) != os.Getgid() || int(p.PID) != os.Getpid() {
		t.Errorf("got %+v", p)
	}
	groups, err := os.Getgroups()
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range groups {
		if !slices.Contains(p.Groups, uint32(g)) {
			t.Errorf("group %d is missing in %v", g, p.Groups)
		}
	}
	here, there := net.Pipe()
	defer here.Close()
	defer there.Close()
	if p := peerOf(here); p.Known {
		t.Errorf("a pipe has no peer: %+v", p)
	}
}

// The kernel tells other users and their supplementary groups apart.
func TestOtherUsersOfARealSocket(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can connect as another user")
	}
	const stranger, member = 65534, 4321
	a := newTestAPI(t, func(d *apiDeps) { d.Identify, d.Door = nil, testDoor(0, member) })
	dir := t.TempDir()
	path := filepath.Join(dir, "s")
	ln, err := listenUnix(path, member, socketMode)
	if err != nil {
		t.Fatal(err)
	}
	// Somebody's mistake: the door still holds.
	if err := errors.Join(os.Chmod(filepath.Dir(dir), 0o755), os.Chmod(dir, 0o755), os.Chmod(path, 0o666)); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- a.serve(ctx, ln) }()
	for name, c := range map[string]struct {
		gid    int
		groups []int
		status int
	}{
		"stranger":            {stranger, nil, http.StatusForbidden},
		"in other groups":     {stranger, []int{4, 20}, http.StatusForbidden},
		"primary group":       {member, nil, http.StatusOK},
		"supplementary group": {stranger, []int{4, member, 20}, http.StatusOK},
		"in very many groups": {stranger, append(slices.Repeat([]int{5}, 200), member), http.StatusOK},
	} {
		conn := dialAs(t, path, stranger, c.gid, c.groups)
		if _, err := io.WriteString(conn, "GET /healthz HTTP/1.1\r\nHost: simpost\r\nConnection: close\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		if res.StatusCode != c.status {
			t.Errorf("%s: got %s, want %d", name, res.Status, c.status)
		}
		res.Body.Close()
		conn.Close()
	}
	cancel()
	if err := <-served; err != nil {
		t.Error(err)
	}
}

// dialAs connects as another user. Linux keeps rights per thread: the one that
// takes them on is locked to a goroutine and ends with it.
func dialAs(t *testing.T, path string, uid, gid int, groups []int) net.Conn {
	t.Helper()
	type result struct {
		fd  int
		err error
	}
	done := make(chan result)
	go func() {
		runtime.LockOSThread() // never unlocked
		fd, err := connectAs(path, uid, gid, groups)
		done <- result{fd, err}
	}()
	r := <-done
	if r.err != nil {
		t.Fatal(r.err)
	}
	f := os.NewFile(uintptr(r.fd), path)
	defer f.Close()
	c, err := net.FileConn(f)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func connectAs(path string, uid, gid int, groups []int) (int, error) {
	gids := make([]uint32, len(groups)+1) // one more, so that it has an address
	for i, g := range groups {
		gids[i] = uint32(g)
	}
	_, _, e1 := unix.RawSyscall(unix.SYS_SETGROUPS, uintptr(len(groups)), uintptr(unsafe.Pointer(&gids[0])), 0)
	_, _, e2 := unix.RawSyscall(unix.SYS_SETRESGID, uintptr(gid), uintptr(gid), uintptr(gid))
	_, _, e3 := unix.RawSyscall(unix.SYS_SETRESUID, uintptr(uid), uintptr(uid), uintptr(uid))
	if e1 != 0 || e2 != 0 || e3 != 0 {
		return -1, errors.Join(e1, e2, e3)
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	return fd, unix.Connect(fd, &unix.SockaddrUnix{Name: path})
}

// The whole way over a real socket, with the kernel's identification.
func TestServeOnARealSocket(t *testing.T) {
	a := newTestAPI(t, func(d *apiDeps) {
		d.Identify = nil
		d.Door = testDoor(uint32(os.Getuid()), uint32(os.Getgid()))
	})
	path := filepath.Join(t.TempDir(), "s")
	ln, err := listenUnix(path, os.Getgid(), socketMode)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- a.serve(ctx, ln) }()
	c := api.Client{Socket: path}
	text := "hei"
	m, _, err := c.Send(t.Context(), api.SendRequest{To: api.Recipients{"1890"}, Text: &text}, "")
	if err != nil || len(m) != 1 {
		t.Errorf("got %v, %v", m, err)
	}
	c.Close()
	cancel()
	if err := <-served; err != nil {
		t.Error(err)
	}
	_, err = c.Status(t.Context())
	if e := asAPIError(t, err); e.Code != api.CodeDaemonNotRunning || e.Hint == "" {
		t.Errorf("after the end: %+v", e)
	}
}

// Clients that connect and hang run into the header's limit.
func TestHungClientIsLetGo(t *testing.T) {
	for name, start := range map[string]string{
		"says nothing":       "",
		"half a header":      "GET /healthz HTTP/1.1\r\nHost: ",
		"half a body":        "POST /v1/messages HTTP/1.1\r\nHost: simpost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{",
		"a body in no hurry": "POST /v1/messages HTTP/1.1\r\nHost: simpost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := newTestAPI(t)
				c, err := a.ln.dial(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				if _, err := io.WriteString(c, start); err != nil {
					t.Fatal(err)
				}
				began := time.Now()
				rest, _ := io.ReadAll(c) // whatever it answers, it hangs up
				if d := time.Since(began); d > headerLimit+bodyLimit+time.Second {
					t.Errorf("let go after %s: %s", d, rest)
				}
			})
		})
	}
}

// Above the limit those that wait make room for those that ask.
func TestHungClientsDoNotLockOthersOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newTestAPI(t)
		var hung []net.Conn
		for i := range 4 * maxConns {
			c, err := a.ln.dial(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			hung = append(hung, c)
			if i%2 == 0 {
				go fmt.Fprint(c, "GET / HTTP/1.1\r\n")
			}
		}
		start := time.Now()
		for range 10 {
			if r := a.ask("GET", "/healthz", ""); r.status != http.StatusOK {
				t.Errorf("got %d", r.status)
			}
		}
		if d := time.Since(start); d != 0 {
			t.Errorf("a healthy client waited %s", d)
		}
		a.conns.mu.Lock()
		if n := len(a.conns.conns); n > maxConns {
			t.Errorf("%d connections are open, want at most %d", n, maxConns)
		}
		a.conns.mu.Unlock()
		for _, c := range hung {
			c.Close()
		}
	})
}

// A connection with a request at work is never the one that makes room.
func TestWorkIsNotInterrupted(t *testing.T) {
	tab := newConnTable(2)
	pipe := func() net.Conn { c, _ := net.Pipe(); return c }
	busy, idle, third, fourth := pipe(), pipe(), pipe(), pipe()
	work := &conn{}
	tab.enter(busy, work)
	defer tab.atWork(context.WithValue(t.Context(), connKey{}, work))()
	tab.enter(idle, &conn{})
	if out := tab.enter(third, &conn{}); out != idle {
		t.Errorf("want the one that waits to go")
	}
	for _, c := range tab.conns {
		c.work = true
	}
	if out := tab.enter(fourth, &conn{}); out != fourth {
		t.Errorf("want the new one to go when all are at work")
	}
}

// Those that only ever waited make room sooner than one that asks now and then,
// but nobody holds a place for ever by having asked once.
func TestWhoMakesRoom(t *testing.T) {
	tab := newConnTable(4)
	pipe := func() net.Conn { c, _ := net.Pipe(); return c }
	healthy, c := pipe(), &conn{}
	tab.enter(healthy, c)
	tab.atWork(context.WithValue(t.Context(), connKey{}, c))()
	for range 3 {
		tab.enter(pipe(), &conn{})
	}
	for i := range 2 * askedTurns * 4 {
		out := tab.enter(pipe(), &conn{})
		if out == nil {
			t.Fatal("nobody made room")
		}
		if out != healthy {
			continue
		}
		if i < askedTurns*4-4 {
			t.Errorf("the one that asked went after %d", i)
		}
		return
	}
	t.Error("the one that asked once stays for ever")
}

// A client that leaves in the middle is no fault and is not logged as one.
func TestClientThatLeavesIsNoNews(t *testing.T) {
	a := newTestAPI(t)
	for range 50 {
		a.send("1890", "a long list")
	}
	c, err := a.ln.dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(c, "GET /v1/messages?limit=200 HTTP/1.1\r\nHost: simpost\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if _, err := bufio.NewReader(c).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	c.Close()
	if _, err := a.client.Status(t.Context()); err != nil {
		t.Error(err)
	}
	if s := a.log.String(); s != "" {
		t.Errorf("logged: %s", s)
	}
}
