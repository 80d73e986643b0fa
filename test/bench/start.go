package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"simpost/daemon/store"
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

// benchStored is the time until it answers with a database that is full of messages, all of them
// open: what is counted at the start is counted among as many as can be.
func benchStored(ctx context.Context, b *bench) (err error) {
	w, err := b.newWorld(ctx, "stored", -1, "")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	if err := fill(ctx, w.path("simpost.db"), b.stored); err != nil {
		return fmt.Errorf("fill the database: %w", err)
	}
	up, _, err := w.start(ctx)
	if err != nil {
		return err
	}
	b.table.add(row{what: fmt.Sprintf("start: with %d messages stored", b.stored), measured: "answers after " + short(up),
		aim: "answers in 1 s with 1,000,000", met: judge(up <= time.Second)})
	return nil
}

// fill stores n messages of one part that are to be sent in a year.
func fill(ctx context.Context, path string, n int) error {
	st, err := store.Open(path)
	if err != nil {
		return err
	}
	const list = 1000
	text, later := strings.Repeat("a message that waits ", 7), time.Now().AddDate(1, 0, 0)
	messages := make([]store.NewMessage, list)
	for i := range messages {
		messages[i] = store.NewMessage{To: fmt.Sprintf("+4790000%03d", i), Text: &text, Encoding: "gsm7", NotBefore: &later, Parts: [][]byte{make([]byte, 150)}}
	}
	for ; n > 0 && err == nil; n -= list {
		if err = ctx.Err(); err == nil {
			_, err = st.Enqueue(time.Now(), nil, messages[:min(n, list)])
		}
	}
	return errors.Join(err, st.Close())
}

func (b *bench) startOnce(ctx context.Context, baud int) (up, ready time.Duration, err error) {
	w, err := b.newWorld(ctx, "start", baud, "")
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	return w.start(ctx)
}
