package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"
)

const (
	idlePoll   = 15 * time.Second // receive.poll's default
	idlePolls  = 5
	idleTime   = idlePolls * idlePoll
	rapidPolls = 80 // at one a second: 20 minutes of the default's polls
	idleSettle = 3 * time.Second
)

// benchIdle is what a daemon does while nobody wants anything of it. A second
// daemon polls 15 times as fast, to count the commands that come seldom.
func benchIdle(ctx context.Context, b *bench) (err error) {
	w, err := b.idleWorld(ctx, "idle", "")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	rapid, err := b.idleWorld(ctx, "rapid", "[receive]\npoll = \"1s\"")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rapid.close()) }()
	if err := sleep(ctx, idleSettle); err != nil {
		return err
	}
	rapidBefore := rapid.modem.Commands()
	before, err := w.snapshot()
	if err != nil {
		return err
	}
	if err := sleep(ctx, idleTime); err != nil {
		return err
	}
	after, err := w.snapshot()
	if err != nil {
		return err
	}
	after.addTo(&b.table, before)
	if err := sleep(ctx, rapidPolls*time.Second-idleTime); err != nil {
		return err
	}
	per := float64(rapid.modem.Commands()-rapidBefore) / rapidPolls
	b.table.add(row{what: "idle: AT commands a poll, with those that come seldom", measured: fmt.Sprintf("%.2f", per),
		beside: fmt.Sprintf("over %d polls, one a second", rapidPolls), aim: "≤ 1", met: judge(per <= 1)})
	return nil
}

func (b *bench) idleWorld(ctx context.Context, name, settings string) (*world, error) {
	w, err := b.newWorld(ctx, name, 0, settings)
	if err != nil {
		return nil, err
	}
	if _, _, err := w.start(ctx); err != nil {
		return nil, errors.Join(err, w.close())
	}
	return w, nil
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// snapshot is how a daemon and its database are at a moment.
type snapshot struct {
	usage
	commands int
	files    string // size and time of the database's files
}

func (w *world) snapshot() (snapshot, error) {
	s := snapshot{commands: w.modem.Commands()}
	for _, name := range []string{"simpost.db", "simpost.db-wal"} {
		info, err := os.Stat(w.path(name))
		if err != nil {
			return s, err
		}
		s.files += fmt.Sprintln(name, info.Size(), info.ModTime())
	}
	var err error
	s.usage, err = w.usage()
	return s, err
}

func (s snapshot) addTo(t *table, before snapshot) {
	commands := float64(s.commands-before.commands) / idlePolls
	t.add(row{what: "idle: AT commands in 15 s", measured: fmt.Sprintf("%.2f", commands),
		beside: fmt.Sprintf("over %s", idleTime), aim: "≤ 1", met: judge(commands <= 1)})
	cpu := s.cpu - before.cpu
	share := 100 * float64(cpu) / float64(idleTime)
	t.add(row{what: "idle: CPU", measured: fmt.Sprintf("%.3f %% of a core", share),
		beside: fmt.Sprintf("%s in %s", short(cpu), idleTime), aim: "< 0.2 %", met: judge(share < 0.2)})
	t.add(row{what: "idle: resident memory, one modem", measured: bytesOf(s.resident), beside: "peak " + bytesOf(s.peak),
		aim: "≤ 20 MB", met: judge(s.resident <= 20<<20)})
	written := s.written - before.written
	same := "database files untouched"
	if s.files != before.files {
		same = "database files CHANGED"
	}
	t.add(row{what: "idle: written to the disk", measured: bytesOf(written), beside: same,
		aim: "0", met: judge(written == 0 && s.files == before.files)})
}
