package daemon

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"simpost/daemon/api"
)

// Who is on the other end of the socket. The socket's mode says to the kernel who
// may connect; door.go asks again, which closes what the mode leaves open: a
// descriptor that was handed on, a mode that was changed.

const (
	socketDirMode = 0o750
	probeLimit    = time.Second // for a daemon that may hold the socket to accept
	maxGroups     = 65536       // NGROUPS_MAX of Linux
)

// peer is a process on the other end of a connection. The zero value is nobody.
type peer struct {
	UID    uint32
	GID    uint32
	PID    int32
	Groups []uint32 // supplementary
	Known  bool     // the kernel said so
}

// peerOf asks the kernel who opened the connection. Anything but a unix socket
// has no peer the kernel knows.
func peerOf(c net.Conn) peer {
	u, ok := c.(*net.UnixConn)
	if !ok {
		return peer{}
	}
	raw, err := u.SyscallConn()
	if err != nil {
		return peer{}
	}
	var p peer
	if err := raw.Control(func(fd uintptr) { p = peerOfFD(int(fd)) }); err != nil {
		return peer{}
	}
	return p
}

// Server is the process that listens on a unix socket, 0 if none does.
func Server(socket string) int {
	c, err := net.Dial("unix", socket)
	if err != nil {
		return 0
	}
	defer c.Close()
	return int(peerOf(c).PID)
}

func peerOfFD(fd int) peer {
	cred, err := unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
	if err != nil {
		return peer{}
	}
	// Without its supplementary groups a peer has fewer rights, never more.
	groups, _ := peerGroups(fd)
	return peer{UID: cred.Uid, GID: cred.Gid, PID: cred.Pid, Groups: groups, Known: true}
}

// peerGroups reads SO_PEERGROUPS, for which x/sys has no function: SO_PEERCRED
// knows the primary group only.
func peerGroups(fd int) ([]uint32, error) {
	const gidSize = 4
	buf := make([]byte, 64*gidSize)
	for {
		size := uint32(len(buf))
		_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(fd), unix.SOL_SOCKET, unix.SO_PEERGROUPS,
			uintptr(unsafe.Pointer(&buf[0])), uintptr(unsafe.Pointer(&size)), 0)
		switch {
		case errno == unix.ERANGE && int(size) > len(buf) && size <= maxGroups*gidSize:
			buf = make([]byte, size)
			continue
		case errno != 0:
			return nil, errno
		}
		groups := make([]uint32, 0, size/gidSize)
		for b := buf[:size]; len(b) >= gidSize; b = b[gidSize:] {
			groups = append(groups, binary.NativeEndian.Uint32(b))
		}
		return groups, nil
	}
}

// listenUnix makes the socket of group gid, with no more rights than mode at
// every moment. A socket that a crash left behind is replaced; one
// that a daemon answers on is api.CodeSocketBusy.
func listenUnix(path string, gid int, mode fs.FileMode) (net.Listener, error) {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, socketDirMode); err != nil {
		return nil, fmt.Errorf("make the socket's folder: %w", err)
	}
	// Two daemons that start at once would both find the old socket dead.
	turn, err := os.Open(dir)
	if err != nil {
		return nil, fmt.Errorf("open the socket's folder: %w", err)
	}
	defer turn.Close()
	if err := unix.Flock(int(turn.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return nil, socketBusy(path)
	}
	if err := removeStale(path); err != nil {
		return nil, err
	}
	ln, err := bindPrivately(path, mode)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(os.Chown(path, -1, gid), os.Chmod(path, mode)); err != nil {
		return nil, errors.Join(fmt.Errorf("give the socket to its group: %w", err), ln.Close())
	}
	return ln, nil
}

// bindPrivately binds and listens with rights that are never wider than mode: Linux makes the file with the mode the unbound socket has, less
// the umask.
func bindPrivately(path string, mode fs.FileMode) (net.Listener, error) {
	lc := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		var err error
		ctlErr := c.Control(func(fd uintptr) { err = unix.Fchmod(int(fd), uint32(mode)) })
		return errors.Join(ctlErr, err)
	}}
	ln, err := lc.Listen(context.Background(), "unix", path)
	if err != nil {
		return nil, fmt.Errorf("listen on the socket: %w", err)
	}
	return ln, nil
}

// removeStale removes a socket that nobody listens on.
func removeStale(path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("look at the socket: %w", err)
	case info.Mode().Type() != fs.ModeSocket:
		return api.Errorf(api.CodeConfig, "%s is there already and is not a socket", path)
	}
	conn, err := net.DialTimeout("unix", path, probeLimit)
	if err == nil {
		conn.Close()
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		return socketBusy(path)
	}
	if err := os.Remove(path); err != nil {
		return fmt.Errorf("remove the stale socket: %w", err)
	}
	return nil
}

func socketBusy(path string) *api.Error {
	e := api.Errorf(api.CodeSocketBusy, "another daemon has the socket %s", path)
	e.Hint = "stop it first (systemctl stop simpost), or give this one a socket of its own"
	return e
}
