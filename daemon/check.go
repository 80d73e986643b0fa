package daemon

import (
	"context"
	"time"

	"simpost/daemon/api"
	"simpost/daemon/store"
)

const (
	// checkPause lets a start be over before the whole file is read.
	checkPause = 10 * time.Second
	// brokenGrace is how long a daemon with a broken database waits for its tasks.
	brokenGrace = 500 * time.Millisecond
)

// checkDatabase reads the whole file once after a start. A value that can't be is
// shown and logged, and the work goes on; a broken structure ends it (watchStore).
func (d *Daemon) checkDatabase(ctx context.Context) error {
	pause := time.NewTimer(checkPause)
	defer pause.Stop()
	select {
	case <-ctx.Done():
		return nil
	case <-pause.C:
	}
	if d.store.Err() != nil {
		return nil
	}
	finding, err := d.store.QuickCheck(ctx)
	switch {
	case ctx.Err() != nil, isCorrupt(err):
	case err != nil:
		d.log.Warn("the database was not checked", "error", err)
	case finding != "":
		d.log.Error("a value in the database cannot be: back it up, and restore a copy that is sound", "finding", finding)
		d.damage.Store(&api.Reason{Code: api.FlagDamaged, Message: "a value in the database cannot be: back it up, and restore a copy that is sound"})
	}
	return nil
}

// finish waits for the tasks, whose end is done. A broken database does not wait
// for a modem that may still answer: nothing can be recorded any more, and what
// is on its way is unknown to the next daemon, which says so.
func finish(done <-chan error, st *store.Store) error {
	select {
	case err := <-done:
		return err
	case <-st.Broken():
		if isCorrupt(st.Err()) {
			return <-done
		}
	}
	grace := time.NewTimer(brokenGrace)
	defer grace.Stop()
	select {
	case err := <-done:
		return err
	case <-grace.C:
		return st.Err()
	}
}
