package daemon

import (
	"context"
	"net"
	"time"

	"golang.org/x/sync/errgroup"

	"simpost/daemon/api"
	"simpost/daemon/store"
)

// A daemon that starts on a full disk can't open its database, but it can say so.
// It answers on its socket that nothing is accepted, and why, and tries again until
// there is room. To end instead would be to be started again, every few seconds,
// with a socket that nobody answers on meanwhile.

// openWithoutDatabase is what is answered until the database is open; all else is
// refused with what keeps it shut.
var openWithoutDatabase = map[string]bool{
	"GET /healthz": true, "GET /readyz": true, "GET /v1/status": true, "GET /v1/modems": true, "GET /v1/modems/{name}": true,
	"POST /v1/segment": true, "GET /openapi.json": true, "GET /openapi.yaml": true,
}

// takeUpDatabase opens the database and finds out what the daemon before left. Its
// Store is nil at the end of ctx, and with any error.
func (d *Daemon) takeUpDatabase(ctx context.Context) (*store.Store, error) {
	st, err := d.tryDatabase()
	if !isDiskFull(err) {
		return st, err
	}
	d.log.Error("the disk is full: the database can't be opened, and nothing is sent or accepted until there is room", "error", err)
	ln, web, err := d.frontWhileShut(err)
	if err != nil {
		return nil, err
	}
	g, ctx := errgroup.WithContext(ctx)
	serving, stop := context.WithCancel(ctx)
	defer stop()
	g.Go(func() error { return d.serve(serving, web, ln) })
	g.Go(func() (err error) {
		defer stop()
		st, err = d.awaitRoom(serving)
		return err
	})
	d.serves()
	if err := g.Wait(); err != nil {
		if st != nil {
			st.Close()
		}
		return nil, err
	}
	return st, nil
}

// awaitRoom tries the database again whenever there may be room, until ctx ends.
func (d *Daemon) awaitRoom(ctx context.Context) (*store.Store, error) {
	for {
		pause(ctx, diskProbe)
		if ctx.Err() != nil {
			return nil, nil
		}
		if store.Room(d.cfg.Database, d.cfg.MarkPath()) != nil {
			continue
		}
		st, err := d.tryDatabase()
		if !isDiskFull(err) {
			if err == nil {
				d.log.Info("there is room on the disk again")
			}
			return st, err
		}
	}
}

// tryDatabase is one try of takeUpDatabase. A damaged file is no error: Store.Err
// tells of it.
func (d *Daemon) tryDatabase() (*store.Store, error) {
	st, err := store.Open(d.cfg.Database)
	if st == nil {
		return nil, err
	}
	if err := d.equip(st); err != nil {
		st.Close()
		return nil, err
	}
	return st, nil
}

// frontWhileShut is the front of a daemon that has no database. It shares nothing
// with what tryDatabase makes.
func (d *Daemon) frontWhileShut(cause error) (net.Listener, *server, error) {
	b := newBoard(d.cfg.Modems, time.Now())
	for _, name := range b.names() {
		b.become(name, api.CondDiskFull, "", time.Now())
	}
	refusal := api.Errorf(api.CodeDiskFull, "%s: %v", conditionWords[api.CondDiskFull].sentence, cause)
	refusal.Hint = "make room on the file systems of the database and its mark; simpost goes on by itself"
	trouble := &api.Reason{Code: string(refusal.Code), Message: refusal.Message}
	return d.listen(apiDeps{
		Shut: refusal, Log: d.log, Modems: b.list, ModemNames: b.names, Defaults: d.sendDefaults(), Version: d.version, Started: time.Now(), Database: d.cfg.Database,
		Trouble: func() *api.Reason { return trouble }, Guard: d.guard, Desks: &desks{}, Console: d.cfg.API.Console,
	})
}
