package daemon

import (
	"fmt"
	"net"
	"os"
	"os/user"
	"strconv"

	"simpost/daemon/api"
)

// front makes the socket and the API behind it.
func (d *Daemon) front() (net.Listener, *server, error) {
	gid, err := socketGroup(d.cfg.API.Group)
	if err != nil {
		return nil, nil, err
	}
	entrance, err := newDoor(uint32(os.Getuid()), uint32(gid), d.cfg.Roles)
	if err != nil {
		return nil, nil, err
	}
	names, codes := make([]string, len(d.cfg.Modems)), map[string][]string{}
	for i, m := range d.cfg.Modems {
		names[i], codes[m.Name] = m.Name, d.cfg.Guard.USSD
	}
	deps := apiDeps{
		Store: d.store, Log: d.log, Modems: d.modems, ModemNames: names, Wake: d.queue.wake,
		Defaults: sendDefaults{Validity: d.cfg.Send.Validity, Report: d.cfg.Send.Report, OnUnknown: api.OnUnknown(d.cfg.Send.OnUnknown)},
		Version:  d.version, Started: d.started, Database: d.cfg.Database, Trouble: d.trouble, Damaged: d.damaged, DiskFull: d.diskFull, Guard: d.guard, Now: d.now, Trusted: d.clock.trusted,
		Door: entrance, Desks: &d.desks, USSD: codes, Console: d.cfg.API.Console,
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
