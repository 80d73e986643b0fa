package sim

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// A campaign is one fault, tried under many seeds.
//
//	SIMPOST_FAULTS      quick (a few seeds of each, with every go test), ci or full
//	SIMPOST_SEED        this seed alone
//	SIMPOST_SHARD       i/n: every n-th trial, from the i-th (from 1)
//	SIMPOST_FAULTS_OUT  a file to which each campaign appends its line, in JSON
type campaign struct {
	name   string
	fault  string // for people
	quick  int    // seeds
	ci     int
	full   int
	open   string   // why it does not hold yet; it is run and counted all the same
	worlds []string // what each seed is tried in; none: one
	trial  func(t *testing.T, found *tally, seed uint64, world string)
}

var campaigns = []campaign{
	{name: "crash-boundary", fault: "the daemon dies at a boundary of its work", quick: 1, ci: 6, full: 60, worlds: boundaryNames(), trial: crashes},
	{name: "crash-random", fault: "the daemon dies ten times, at random moments", quick: 2, ci: 30, full: 300, trial: crashRandom},
	{name: "modem-dies", fault: "the modem dies at 9 steps in 10 ways", quick: 3, ci: 6, full: 300, worlds: deaths(), trial: f12},
	{name: "storm", fault: "the seed decides: faults of the catalogue, crashes, two modems", quick: 2, ci: 50, full: 1000, trial: storm},
	{name: "late", fault: "answers late by 30 to 300 s, six in a row; other commands answered meanwhile, or none", quick: 1, ci: 12, full: 200,
		worlds: []string{"late-30s", "late-60s", "late-119s", "late-300s", "meanwhile"}, trial: late},
	{name: "noise", fault: "a line that loses or doubles one byte in a thousand", quick: 1, ci: 10, full: 1600, trial: noise},
	{name: "glitch", fault: "one byte of all that is said is lost, doubled or another one", quick: 1, ci: 20, full: glitchSpan,
		worlds: []string{"lost", "doubled", "changed"}, trial: glitch},
	{name: "ports", fault: "ports vanish and return; two modems swapped", quick: 2, ci: 20, full: 100, trial: ports},
	{name: "sim-full", fault: "a card with 10 places, 300 messages", quick: 1, ci: 4, full: 20, trial: small},
	{name: "flood", fault: "10,000 parts of interleaved sets, repeats, missing parts", quick: 1, ci: 1, full: 20, trial: flood},
	{name: "reports", fault: "reports lost, days late, doubled, the reference wrapped", quick: 1, ci: 4, full: 200, trial: reports},
	{name: "clock", fault: "the clock in 1970, 10 years or a day behind, set at any state", quick: 1, ci: 10, full: 200,
		worlds: []string{"-490560h", "-87600h", "-24h"}, trial: clocks},
	{name: "clock-ahead", fault: "the clock a day or 10 years ahead, set at any state", quick: 1, ci: 1, full: 100, worlds: []string{"24h", "87600h"}, trial: clocks},
	{name: "pin", fault: "a right or a wrong PIN, and crashes around entering it", quick: 1, ci: 25, full: 500,
		worlds: []string{"right", "wrong"}, trial: pins},
	{name: "restored", fault: "an old copy of the database comes back", quick: 2, ci: 10, full: 100, trial: restored},
	{name: "month", fault: "thirty days", quick: 1, ci: 1, full: 20, trial: month},
}

// tally is what trials found.
type tally struct {
	trials, messages, commands    int
	lost, doubled, wrong, flagged int
	crashes                       int
	recovered                     []time.Duration
	known                         bool   // that the campaign does not hold
	trace                         string // of the last trial
	failed                        bool
}

func (a *tally) add(b tally) {
	a.trials++
	a.messages += b.messages
	a.commands += b.commands
	a.lost += b.lost
	a.doubled += b.doubled
	a.wrong += b.wrong
	a.flagged += b.flagged
	a.crashes += b.crashes
	a.recovered = append(a.recovered, b.recovered...)
}

// Row is a campaign's line, as test/faults reads it.
type Row struct {
	Name      string  `json:"name"`
	Fault     string  `json:"fault"`
	Open      string  `json:"open,omitempty"`
	Trials    int     `json:"trials"`
	Failed    int     `json:"failed"`
	Messages  int     `json:"messages"`
	Commands  int     `json:"commands"` // AT commands
	Crashes   int     `json:"crashes"`
	Lost      int     `json:"lost"`
	Doubled   int     `json:"doubled"`
	Wrong     int     `json:"wrong"`
	Flagged   int     `json:"flagged"`
	Recover50 float64 `json:"recover_p50_s"`
	RecoverMx float64 `json:"recover_max_s"`
	Wall      float64 `json:"wall_s"`
}

func TestFaults(t *testing.T) {
	for _, c := range campaigns {
		t.Run(c.name, c.run)
	}
}

func (c campaign) run(t *testing.T) {
	began := time.Now()
	var mu sync.Mutex
	var sum tally
	failed := 0
	crashed := map[string]int{}
	worlds := c.worlds
	if len(worlds) == 0 {
		worlds = []string{""}
	}
	t.Run("trials", func(t *testing.T) {
		for i, seed := range c.seeds(t) {
			for j, w := range worlds {
				if !mine(t, i*len(worlds)+j) {
					continue
				}
				t.Run(strings.TrimPrefix(fmt.Sprintf("%s-%d", w, seed), "-"), func(t *testing.T) {
					t.Parallel()
					found := tally{known: c.open != ""}
					defer func() {
						mu.Lock()
						defer mu.Unlock()
						sum.add(found)
						crashed[w] += found.crashes
						if found.failed || t.Failed() {
							failed++
						}
					}()
					c.trial(t, &found, seed, w)
				})
			}
		}
	})
	if c.name == "crash-boundary" && os.Getenv("SIMPOST_SHARD") == "" {
		for name, n := range crashed {
			if n == 0 {
				t.Errorf("the moment %q never came: nothing was tried there", name)
			}
		}
	}
	c.report(t, sum, failed, time.Since(began))
}

// seeds are what the environment asks for.
func (c campaign) seeds(t *testing.T) []uint64 {
	if s := os.Getenv("SIMPOST_SEED"); s != "" {
		n, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			t.Fatalf("SIMPOST_SEED: %v", err)
		}
		return []uint64{n}
	}
	n := map[string]int{"": c.quick, "quick": c.quick, "ci": c.ci, "full": c.full}[os.Getenv("SIMPOST_FAULTS")]
	seeds := make([]uint64, n)
	for i := range seeds {
		seeds[i] = uint64(i + 1)
	}
	return seeds
}

// mine says whether trial n is of this shard.
func mine(t *testing.T, n int) bool {
	s := os.Getenv("SIMPOST_SHARD")
	if s == "" {
		return true
	}
	var i, of int
	if _, err := fmt.Sscanf(s, "%d/%d", &i, &of); err != nil || of < 1 || i < 1 || i > of {
		t.Fatalf("SIMPOST_SHARD is %q, want 1/4, 2/4 and so on", s)
	}
	return n%of == i-1
}

func (c campaign) report(t *testing.T, sum tally, failed int, wall time.Duration) {
	row := Row{Name: c.name, Fault: c.fault, Open: c.open, Trials: sum.trials, Failed: failed, Messages: sum.messages, Commands: sum.commands, Crashes: sum.crashes, Lost: sum.lost,
		Doubled: sum.doubled, Wrong: sum.wrong, Flagged: sum.flagged, Wall: wall.Seconds()}
	if r := sum.recovered; len(r) > 0 {
		slices.Sort(r)
		row.Recover50, row.RecoverMx = r[len(r)/2].Seconds(), r[len(r)-1].Seconds()
	}
	if c.open != "" && os.Getenv("SIMPOST_FAULTS") == "full" && os.Getenv("SIMPOST_SEED") == "" && failed == 0 && sum.trials > 0 {
		t.Errorf("it holds now: take away %q", c.open)
	}
	line, err := json.Marshal(row)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s", line)
	path := os.Getenv("SIMPOST_FAULTS_OUT")
	if path == "" || row.Trials == 0 {
		return
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err == nil {
		_, err = f.Write(append(line, '\n'))
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}
