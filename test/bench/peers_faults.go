package main

import (
	"context"
	"fmt"
	"math"
	"sync"
	"syscall"
	"time"

	"simpost/modem/emulator"
)

const (
	faultMessages = 10
	faultAfter    = 4 // the fault comes when the network has this one and the program has no answer yet
	hangTime      = 75 * time.Second
	unplugTime    = 10 * time.Second
	// deliveryTime is a phone that answers soon: the report is back after 20 s, when the fault is over.
	deliveryTime = 10 * time.Second
	hangDelivery = hangTime/2 + 3*time.Second
	// watchTime, after the fault, is longer than anybody's wait before a second try; simpost's quarantine is 120 s.
	watchTime = 150 * time.Second
	// lossTime is when a message that no recipient has counts as lost.
	lossTime = 210 * time.Second
)

// phoneConfig is a phone with nothing special about it.
var phoneConfig = emulator.PhoneConfig{}

// misfortune is what happens to a program or its modem.
type misfortune struct {
	name     string
	delivery time.Duration // from the network to the recipient, and as long again for a report back
	restarts bool          // the program, at once: it is back counted from there, otherwise from the end of strike
	strike   func(ctx context.Context, j *job, s *stage) error
}

// faults are what is done to everybody.
var faults = []misfortune{
	{"kill -9", deliveryTime, true, func(ctx context.Context, j *job, s *stage) error {
		s.end(syscall.SIGKILL)
		return j.peer.start(ctx, s)
	}},
	// The report comes when the modem speaks again: one that is silent brings none.
	{"modem silent for 75 s", hangDelivery, false, func(ctx context.Context, _ *job, s *stage) error {
		if err := s.modem.Fault("send.answer-late", emulator.FaultConfig{Times: 1, Delay: hangTime}); err != nil {
			return err
		}
		if err := s.modem.Fault("life.deaf-power", emulator.FaultConfig{}); err != nil {
			return err
		}
		defer s.modem.ClearFaults()
		return sleep(ctx, hangTime)
	}},
	{"unplugged for 10 s", deliveryTime, false, func(ctx context.Context, _ *job, s *stage) error {
		s.modem.Unplug()
		defer s.modem.Plug()
		return sleep(ctx, unplugTime)
	}},
}

// fault sends ten messages to ten recipients, strikes in the middle of the fourth, and counts what each got.
func (j *job) fault(ctx context.Context, f misfortune) error {
	return j.onStage(ctx, lines[1], f.delivery, func(ctx context.Context, s *stage) error {
		to := recipientsOf(faultMessages)
		back, err := j.strikeWhileSending(ctx, s, to, f)
		if err != nil {
			return err
		}
		got := received(s.net.Record(), to)
		flagged := 0
		if j.peer.flagged != nil {
			if flagged, err = j.peer.flagged(ctx, s); err != nil {
				return err
			}
		}
		j.res.add(f.name+" copies", j.peer, float64(got.copies))
		j.res.add(f.name+" flagged", j.peer, float64(min(flagged, got.copies)))
		j.res.add(f.name+" lost", j.peer, float64(got.lost))
		j.res.add(f.name+" back", j.peer, back)
		if n := s.logged(); n >= logLimit {
			j.res.note(fmt.Sprintf("%s, %s: wrote %s of log, and was held back from there on", j.peer, f.name, bytesOf(n)))
		}
		return nil
	})
}

// strikeWhileSending answers the seconds from the end of the fault to the next message, +Inf for never.
func (j *job) strikeWhileSending(ctx context.Context, s *stage, to []string, f misfortune) (float64, error) {
	struck := make(chan error, 1)
	var ended time.Time // of the fault
	var before int      // messages until then
	var striking sync.WaitGroup
	striking.Go(func() {
		err := s.net.Wait(ctx, func() bool { return s.net.Count() >= faultAfter })
		if err == nil {
			before = s.net.Count()
			ended = time.Now()
			if err = f.strike(ctx, j, s); !f.restarts {
				ended = time.Now()
			}
		}
		struck <- err
	})
	defer striking.Wait()
	if _, err := j.launch(ctx, s, to); err != nil {
		return 0, err
	}
	if err := <-struck; err != nil {
		return 0, fmt.Errorf("the fault: %w", err)
	}
	back := math.Inf(1)
	lossAt, cancel := context.WithDeadline(ctx, ended.Add(lossTime))
	defer cancel()
	if s.net.Wait(lossAt, func() bool { return s.net.Count() > before }) == nil {
		back = max(0, time.Since(ended).Seconds())
	}
	_ = s.net.Wait(lossAt, func() bool { return received(s.net.Record(), to).lost == 0 })
	if err := sleep(ctx, time.Until(ended.Add(watchTime))); err != nil {
		return 0, err
	}
	return back, ctx.Err()
}

// fate is what became of messages to different numbers.
type fate struct{ copies, lost int }

// received counts alike for everybody: what the network accepted, whatever anyone says about it.
func received(record []emulator.Submission, to []string) fate {
	times := map[string]int{}
	for _, r := range record {
		times[r.To]++
	}
	var f fate
	for _, number := range to {
		if n := times[number]; n == 0 {
			f.lost++
		} else {
			f.copies += n - 1
		}
	}
	return f
}
