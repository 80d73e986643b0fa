package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"
)

const (
	sendLimit    = 10 * time.Minute // of one run's messages
	settleTime   = 10 * time.Second // from the first AT command until a program counts as idle
	visibleLimit = time.Minute      // after the last incoming message
	// incomingGap is not a multiple of anybody's polling, so that messages come at every point of it.
	incomingGap = 3100 * time.Millisecond
	inNumber    = "%0160d" // the text of an incoming message, one full part
)

// send is from a stopped program with a full queue to the last message.
func (j *job) send(ctx context.Context, l line) error {
	count := j.sc.slow
	switch {
	case j.peer.fast && l.baud == 0 && l.latency == 0:
		count = j.sc.fast
	case j.peer.fast:
		count = j.sc.lineFast
	}
	return j.onStage(ctx, l, 0, func(ctx context.Context, s *stage) error {
		ctx, cancel := context.WithTimeout(ctx, sendLimit)
		defer cancel()
		var at [2]time.Time // of the first and the last message
		var used [2]load
		var failed [2]error
		var watched sync.WaitGroup
		for i, n := range []int{1, count} {
			watched.Go(func() {
				if failed[i] = s.net.Wait(ctx, func() bool { return s.net.Count() >= n }); failed[i] == nil {
					at[i] = time.Now()
					used[i], failed[i] = s.load()
				}
			})
		}
		begin, err := j.launch(ctx, s, recipientsOf(count))
		if err != nil {
			cancel()
		}
		watched.Wait()
		if err == nil { // otherwise they only say that they were ended
			err = errors.Join(failed[:]...)
		}
		if err != nil {
			return fmt.Errorf("%d of %d messages: %w", s.net.Count(), count, err)
		}
		messages := float64(count - 1)
		j.res.add("rate "+l.name, j.peer, messages/at[1].Sub(at[0]).Seconds())
		j.res.add("cpu "+l.name, j.peer, (used[1].cpu-used[0].cpu).Seconds()/messages*1000)
		j.res.add("commands "+l.name, j.peer, float64(used[1].commands-used[0].commands)/messages)
		j.res.add("written "+l.name, j.peer, float64(used[1].written-used[0].written)/messages)
		j.res.add("memory "+l.name, j.peer, float64(used[1].resident))
		j.res.add("first "+l.name, j.peer, at[0].Sub(begin).Seconds())
		return nil
	})
}

// started starts the program with nothing to do, and waits until it has calmed down.
func (j *job) started(ctx context.Context, s *stage) error {
	if err := j.peer.start(ctx, s); err != nil {
		return fmt.Errorf("start: %w", err)
	}
	if err := poll(ctx, "wait for the first AT command", func() bool { return s.modem.Commands() > 0 }); err != nil {
		return err
	}
	return sleep(ctx, settleTime)
}

// receive lets a phone write one message after the other, whether those before are visible or not.
func (j *job) receive(ctx context.Context, l line) error {
	return j.onStage(ctx, l, 0, func(ctx context.Context, s *stage) error {
		if err := j.started(ctx, s); err != nil {
			return err
		}
		follow, cancel := context.WithCancel(ctx)
		w := newWaiting(j.sc.incoming)
		var following sync.WaitGroup
		following.Go(func() { j.peer.follow(follow, s, w.saw) })
		defer following.Wait()
		defer cancel()
		phone := s.net.NewPhone(phoneConfig)
		for i := range j.sc.incoming {
			w.sent(i)
			phone.Send(s.modem.Number(), fmt.Sprintf(inNumber, i))
			if err := sleep(ctx, incomingGap); err != nil {
				return err
			}
		}
		late := time.NewTimer(visibleLimit)
		defer late.Stop()
		select {
		case <-w.all:
		case <-ctx.Done():
			return ctx.Err()
		case <-late.C:
		}
		took := w.took()
		if len(took) < j.sc.incoming {
			return fmt.Errorf("%d of %d incoming messages are visible after %s", len(took), j.sc.incoming, visibleLimit)
		}
		j.res.add("p50 "+l.name, j.peer, quantile(took, 0.5).Seconds())
		j.res.add("max "+l.name, j.peer, quantile(took, 1).Seconds())
		return nil
	})
}

// waiting is who waits to become visible.
type waiting struct {
	mu    sync.Mutex
	begin []time.Time
	end   []time.Duration // 0 is not visible
	left  int
	all   chan struct{} // closed when none is left
}

func newWaiting(count int) *waiting {
	return &waiting{begin: make([]time.Time, count), end: make([]time.Duration, count), left: count, all: make(chan struct{})}
}

func (w *waiting) sent(i int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.begin[i] = time.Now()
}

// saw reports whether text has a whole message of ours.
func (w *waiting) saw(text string, at time.Time) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, begin := range w.begin {
		if begin.IsZero() || !strings.Contains(text, fmt.Sprintf(inNumber, i)) {
			continue
		}
		if w.end[i] == 0 {
			w.end[i] = max(at.Sub(begin), 1)
			if w.left--; w.left == 0 {
				close(w.all)
			}
		}
		return true
	}
	return false
}

func (w *waiting) took() []time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	var took []time.Duration
	for _, d := range w.end {
		if d > 0 {
			took = append(took, d)
		}
	}
	return took
}

// idle is a program that has a modem and nothing to do.
func (j *job) idle(ctx context.Context) error {
	return j.onStage(ctx, lines[0], 0, func(ctx context.Context, s *stage) error {
		if err := j.started(ctx, s); err != nil {
			return err
		}
		before, err := s.load()
		if err != nil {
			return err
		}
		if err := sleep(ctx, j.sc.idle); err != nil {
			return err
		}
		after, err := s.load()
		if err != nil {
			return err
		}
		minutes := j.sc.idle.Minutes()
		j.res.add("idle commands", j.peer, float64(after.commands-before.commands)/minutes)
		j.res.add("idle wakes", j.peer, float64(after.wakes-before.wakes)/minutes)
		j.res.add("idle cpu", j.peer, (after.cpu-before.cpu).Seconds()/minutes)
		j.res.add("idle written", j.peer, float64(after.written-before.written)/minutes)
		j.res.add("idle memory", j.peer, float64(after.resident))
		return nil
	})
}
