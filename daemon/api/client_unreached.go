package api

import (
	"context"
	"errors"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// unreached says in words why the socket could not be reached. Nothing was sent.
func (c *Client) unreached(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, os.ErrPermission):
		e := Errorf(CodeNoPermission, "you may not open %s", c.socket())
		e.Hint = permissionHint(c.socket())
		return e
	case errors.Is(err, os.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		e := Errorf(CodeDaemonNotRunning, "no daemon answers on %s", c.socket())
		e.Hint = "start it (systemctl start simpost, or simpost serve), or name its socket with --socket or SIMPOST_SOCKET"
		return e
	}
	return Errorf(CodeDaemonNotRunning, "reach the daemon on %s: %v", c.socket(), plain(err))
}

// permissionHint names the group that may open the socket. Where the folder
// hides the socket, the folder's group is the one.
func permissionHint(socket string) string {
	for _, path := range []string{socket, filepath.Dir(socket)} {
		info, err := os.Stat(path)
		if err != nil {
			continue
		}
		if st, ok := info.Sys().(*syscall.Stat_t); ok && st.Gid != 0 {
			name := groupName(st.Gid)
			return "become a member of the group " + name + " (usermod -aG " + name + " YOU, as root) and log in again"
		}
	}
	return "run it as root or as the daemon's user"
}

func groupName(gid uint32) string {
	id := strconv.FormatUint(uint64(gid), 10)
	g, err := user.LookupGroupId(id)
	if err != nil {
		return id
	}
	return g.Name
}
