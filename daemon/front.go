package daemon

import (
	"fmt"
	"net"
	"os"
	"os/user"
	"slices"
	"strconv"
	"strings"

	"simpost/daemon/api"
)

// front makes the socket and the API behind it.
func (d *Daemon) front() (net.Listener, *server, error) {
	return d.listen(apiDeps{
		Store: d.store, Log: d.log, Modems: d.modems, ModemNames: d.board.names, Wake: d.queue.wake, Defaults: d.sendDefaults(),
		Version: d.version, Started: d.started, Database: d.cfg.Database, Trouble: d.trouble, Damaged: d.damaged, DiskFull: d.diskFull, Guard: d.guard, Now: d.now, Trusted: d.clock.trusted,
		Desks: &d.desks, USSD: d.codes, Console: d.cfg.API.Console,
	})
}

// listen makes the socket and an API of deps, and adds who may come in.
func (d *Daemon) listen(deps apiDeps) (net.Listener, *server, error) {
	gid, err := socketGroup(d.cfg.API.Group)
	if err != nil {
		return nil, nil, err
	}
	deps.Door, err = newDoor(uint32(os.Getuid()), uint32(gid), d.cfg.Roles)
	if err != nil {
		return nil, nil, err
	}
	if d.Listen != nil {
		self := peer{UID: deps.Door.UID, Known: true}
		deps.Identify = func(net.Conn) peer { return self } // no kernel between the ends
		ln, err := d.Listen()
		return ln, newAPI(deps), err
	}
	ln, err := listenUnix(d.cfg.API.Socket, gid, d.cfg.API.Mode)
	return ln, newAPI(deps), err
}

// sendDefaults are what the configuration says of messages that do not.
func (d *Daemon) sendDefaults() sendDefaults {
	return sendDefaults{Validity: d.cfg.Send.Validity, Report: d.cfg.Send.Report, OnUnknown: api.OnUnknown(d.cfg.Send.OnUnknown)}
}

// codes are the USSD codes that the role send may dial on a modem: those of the
// guard, and what simpost dials there by itself.
func (d *Daemon) codes(modem string) []string {
	codes := slices.Clone(d.cfg.Guard.USSD)
	m := d.roster.config(modem)
	for _, own := range []string{m.BalanceCode, m.KeepaliveCode} {
		if code, _, _ := strings.Cut(own, " "); code != "" {
			codes = append(codes, code)
		}
	}
	return codes
}

// socketGroup is the group that may use the socket: the configured one, else
// the daemon's own.
func socketGroup(name string) (int, error) {
	if name == "" {
		return os.Getgid(), nil
	}
	g, err := user.LookupGroup(name)
	if err != nil {
		return 0, api.Errorf(api.CodeConfig, "api.group: there is no group %s", name)
	}
	gid, err := strconv.Atoi(g.Gid)
	if err != nil {
		return 0, fmt.Errorf("group %s: %w", name, err)
	}
	return gid, nil
}
