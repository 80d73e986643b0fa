package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"
)

// peer is a program in one configuration. Its functions get the stage that it runs on.
type peer struct {
	name, config string
	fast         bool // sends hundreds a second: gets more messages, and the machine for itself
	sendsOnly    bool // differs from another one in sending alone
	usual        bool // the configuration that the quick run puts through the faults

	prepare func(s *stage) error                                                  // files, before the first start
	start   func(ctx context.Context, s *stage) error                             // the processes; again after a kill
	submit  func(ctx context.Context, s *stage, to []string, text string) error   // returns when all are queued
	late    bool                                                                  // submit needs a running program
	follow  func(ctx context.Context, s *stage, saw func(string, time.Time) bool) // tells what becomes visible
	flagged func(ctx context.Context, s *stage) (int, error)                      // messages it says may be copies; nil: it never says
}

func (p *peer) String() string { return p.name + " " + p.config }

func allPeers() []*peer {
	return []*peer{
		simpostPeer("default", true), simpostPeer("no reports", false),
		smstoolsPeer("default", ""), smstoolsPeer("tuned", smstoolsTuned),
		gammuPeer("default", ""), gammuPeer("tuned", gammuTuned),
		kannelPeer("default", ""), kannelPeer("tuned", kannelTuned),
	}
}

// scale is how much of everything a run does.
type scale struct {
	name            string
	runs            int // of which the table has the median
	fast, slow      int // messages of a run: of simpost on a bare line, of everybody else
	lineFast        int // of simpost where line or network limit it
	incoming        int
	idle            time.Duration
	everyFault      bool // both configurations go through the faults
	sleepers, lanes int  // how many runs at once: of those that mostly wait, and of those whose time is taken
	limit           time.Duration
}

var (
	fullScale = scale{name: "Full run, medians of three", runs: 3, fast: 900, slow: 30, lineFast: 100, incoming: 20, idle: 2 * time.Minute,
		everyFault: true, sleepers: 9, lanes: 2, limit: 3 * time.Hour}
	quickScale = scale{name: "Quick run, everything once", runs: 1, fast: 500, slow: 8, lineFast: 40, incoming: 8, idle: time.Minute,
		sleepers: 32, lanes: 4, limit: 12 * time.Minute}
)

// line is what lies between program and recipient.
type line struct {
	name    string
	baud    int
	latency time.Duration
}

var lines = []line{
	{"bare pty, 0 ms", 0, 0},
	{"bare pty, 200 ms", 0, networkLatency},
	{"115200 baud, 0 ms", lineSpeed, 0},
	{"115200 baud, 200 ms", lineSpeed, networkLatency},
}

// networkLatency is a network that is quick; GSM needs seconds.
const networkLatency = 200 * time.Millisecond

// job is one run on a stage of its own.
type job struct {
	what string
	peer *peer
	run  func(context.Context, *job) error
	res  *results
	sc   scale
	b    *bench
}

// comparison sorts the jobs by what disturbs them.
type comparison struct {
	alone    []*job // bound by the processor
	timed    []*job // their times are taken: few at once
	sleeping []*job // counts, and waits of minutes
}

// peersFlags are what the command line says about the comparison.
type peersFlags struct {
	on, quick  bool
	only, docs string
	note       string // about the machine, for people
}

// runPeers runs everything and prints the table. A whole one it writes into a file as well, if that has a name.
func runPeers(ctx context.Context, b *bench, f peersFlags) error {
	sc := fullScale
	if f.quick {
		sc = quickScale
	}
	ctx, cancel := context.WithTimeout(ctx, sc.limit)
	defer cancel()
	begin, load := time.Now(), loadAverage()
	res := &results{}
	c := plan(b, sc, res, f.only)
	for _, j := range c.alone {
		j.do(ctx)
	}
	var both sync.WaitGroup
	both.Go(func() { inLanes(ctx, c.timed, sc.lanes) })
	both.Go(func() { inLanes(ctx, c.sleeping, sc.sleepers) })
	both.Wait()
	head := fmt.Sprintf("%s. %s, %d cores, %s/%s, %s; load average %s before and %s after. Took %s.", sc.name, begin.UTC().Format("2006-01-02"),
		runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, runtime.Version(), load, loadAverage(), time.Since(begin).Round(time.Second))
	if f.note != "" {
		head += " " + f.note
	}
	text := res.markdown(head)
	fmt.Print(text)
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("not everything was measured: %w", err)
	}
	if f.docs == "" || f.only != "" {
		return nil
	}
	return writeSection(f.docs, text)
}

// plan lists the jobs; only is a list of names, or empty for all.
func plan(b *bench, sc scale, res *results, only string) comparison {
	var c comparison
	for range sc.runs {
		for _, p := range allPeers() {
			if only != "" && !slices.Contains(strings.Split(only, ","), p.name) {
				continue
			}
			newJob := func(what string, run func(context.Context, *job) error) *job {
				return &job{what: what, peer: p, run: run, res: res, sc: sc, b: b}
			}
			sends := &c.timed
			if p.fast {
				sends = &c.alone
			}
			for _, l := range lines {
				*sends = append(*sends, newJob("send over "+l.name, func(ctx context.Context, j *job) error { return j.send(ctx, l) }))
			}
			for _, l := range lines {
				if l.latency == 0 && !p.sendsOnly {
					c.timed = append(c.timed, newJob("receive over "+l.name, func(ctx context.Context, j *job) error { return j.receive(ctx, l) }))
				}
			}
			if p.fast || p.usual || sc.everyFault {
				for _, f := range faults {
					c.sleeping = append(c.sleeping, newJob(f.name, func(ctx context.Context, j *job) error { return j.fault(ctx, f) }))
				}
			}
			if !p.sendsOnly {
				c.sleeping = append(c.sleeping, newJob("idle", func(ctx context.Context, j *job) error { return j.idle(ctx) }))
			}
		}
	}
	return c
}

// inLanes does the jobs in order, so many at once.
func inLanes(ctx context.Context, jobs []*job, lanes int) {
	queue := make(chan *job)
	var running sync.WaitGroup
	for range min(lanes, len(jobs)) {
		running.Go(func() {
			for j := range queue {
				j.do(ctx)
			}
		})
	}
	for _, j := range jobs {
		queue <- j
	}
	close(queue)
	running.Wait()
}

// do runs a job, a second time if the first did not succeed. A program that fails twice has a gap in the table and lines
// below it; the others go on.
func (j *job) do(ctx context.Context) {
	var failed []string
	for try := range 2 {
		if ctx.Err() != nil {
			return
		}
		begin := time.Now()
		err := j.run(ctx, j)
		fmt.Fprintf(os.Stderr, "bench: %s: %s took %s\n", j.peer, j.what, time.Since(begin).Round(time.Second/10))
		if err == nil {
			return
		}
		failed = append(failed, fmt.Sprintf("%s, %s, try %d: %v", j.peer, j.what, try+1, err))
		fmt.Fprintln(os.Stderr, "bench:", failed[try])
	}
	for _, f := range failed {
		j.res.note("Did not succeed: " + f)
	}
}

// onStage runs fn with a stage on which the program is prepared, not started.
func (j *job) onStage(ctx context.Context, l line, delivery time.Duration, fn func(context.Context, *stage) error) (err error) {
	s, err := newStage(ctx, j.b, l, delivery)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	if err := j.peer.prepare(s); err != nil {
		return fmt.Errorf("prepare: %w", err)
	}
	if err := fn(ctx, s); err != nil {
		return fmt.Errorf("%w; it said last: %s", err, s.said())
	}
	return nil
}

// launch starts the program and submits, in the order in which it can. It returns the moment of the start.
func (j *job) launch(ctx context.Context, s *stage, to []string) (time.Time, error) {
	if !j.peer.late {
		if err := j.peer.submit(ctx, s, to, sendText); err != nil {
			return time.Time{}, fmt.Errorf("submit: %w", err)
		}
	}
	begin := time.Now()
	if err := j.peer.start(ctx, s); err != nil {
		return begin, fmt.Errorf("start: %w", err)
	}
	if j.peer.late {
		if err := j.peer.submit(ctx, s, to, sendText); err != nil {
			return begin, fmt.Errorf("submit: %w", err)
		}
	}
	return begin, nil
}

// recipientsOf are count different numbers: who received how often is counted by number.
func recipientsOf(count int) []string {
	to := make([]string, count)
	for i := range to {
		to[i] = fmt.Sprintf("+47910%05d", i+1) // the modem itself is +4790000001
	}
	return to
}
