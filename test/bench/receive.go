package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"simpost/daemon/api"
	"simpost/modem/emulator"
)

// inLine is what an incoming message of 160 characters puts on the line at least:
// +CMTI, a command that reads it, and CMGD with its answer.
const inLine = 410

// benchReceive is the time from the network's delivery to the modem until a
// subscriber of the API has the message, which is on disk by then.
func benchReceive(ctx context.Context, b *bench) error {
	if err := b.receiveOver(ctx, "a bare pty", 0, 200); err != nil {
		return err
	}
	return b.receiveOver(ctx, fmt.Sprintf("%d baud", lineSpeed), lineSpeed, 50)
}

func (b *bench) receiveOver(ctx context.Context, line string, baud, count int) (err error) {
	w, err := b.newWorld(ctx, "receive", baud, "")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	if _, _, err := w.start(ctx); err != nil {
		return err
	}
	if err := w.settled(ctx); err != nil {
		return err
	}
	took, commands, err := w.receive(ctx, count)
	if err != nil {
		return err
	}
	p50, worst := quantile(took, 0.5), quantile(took, 1)
	v := row{what: "receive: " + line, measured: fmt.Sprintf("visible after p50 %s, max %s", short(p50), short(worst)),
		beside: fmt.Sprintf("%.1f AT commands a message", float64(commands)/float64(count)),
		aim:    "p50 ≤ 100 ms", met: judge(p50 <= 100*time.Millisecond)}
	if baud > 0 {
		limit := inLine * bitsPerByte * time.Second / time.Duration(baud)
		v.beside += fmt.Sprintf("; line alone, with the delete, %s: ×%.1f", short(limit), float64(p50)/float64(limit))
	}
	b.table.add(v)
	return nil
}

// receive lets a phone write count messages, each after the one before was seen
// and the modem is idle again.
func (w *world) receive(ctx context.Context, count int) ([]time.Duration, int, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	st, err := w.api.Status(ctx)
	if err != nil {
		return nil, 0, err
	}
	seen, followed := make(chan time.Time, 1), make(chan error, 1)
	go func() {
		followed <- w.api.Events(ctx, st.LastEvent, true, func(e api.Event) error {
			if e.Type == api.EventReceived {
				seen <- time.Now()
			}
			return nil
		})
	}()
	phone := w.net.NewPhone(emulator.PhoneConfig{})
	commands := w.modem.Commands()
	var took []time.Duration
	for i := range count {
		begin := time.Now()
		phone.Send(w.modem.Number(), fmt.Sprintf("%0160d", i))
		select {
		case at := <-seen:
			took = append(took, at.Sub(begin))
		case err := <-followed:
			return nil, 0, fmt.Errorf("message %d was not seen: %w", i, errors.Join(err, ctx.Err()))
		}
		if err := w.settled(ctx); err != nil {
			return nil, 0, err
		}
	}
	return took, w.modem.Commands() - commands, nil
}
