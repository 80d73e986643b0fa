package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// benchStart is the time from nothing to a daemon that answers and a modem that
// can send, on a new database.
func benchStart(ctx context.Context, b *bench) error {
	for _, line := range []struct {
		name string
		baud int
	}{{"a bare pty", 0}, {fmt.Sprintf("%d baud", lineSpeed), lineSpeed}} {
		up, ready, err := b.startOnce(ctx, line.baud)
		if err != nil {
			return err
		}
		b.table.add(row{what: "start: on " + line.name, measured: fmt.Sprintf("answers after %s, can send after %s", short(up), short(ready)),
			aim: "answers in 2 s", met: judge(up <= 2*time.Second)})
	}
	return nil
}

func (b *bench) startOnce(ctx context.Context, baud int) (up, ready time.Duration, err error) {
	w, err := b.newWorld(ctx, "start", baud, "")
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	return w.start(ctx)
}
