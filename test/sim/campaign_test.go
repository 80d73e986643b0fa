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
	worlds []string // what each seed is tried in; none: one
	trial  func(t *testing.T, seed uint64, world string) tally
}

// tally is what trials found.
type tally struct {
	trials, messages              int
	lost, doubled, wrong, flagged int
	crashes                       int
	recovered                     []time.Duration
	notes                         []string
}

func (a *tally) add(b tally) {
	a.trials++
	a.messages += b.messages
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
	Trials    int     `json:"trials"`
	Failed    int     `json:"failed"`
	Messages  int     `json:"messages"`
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
					found := c.trial(t, seed, w)
					mu.Lock()
					defer mu.Unlock()
					sum.add(found)
					if t.Failed() {
						failed++
					}
				})
			}
		}
	})
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
	row := Row{Name: c.name, Fault: c.fault, Trials: sum.trials, Failed: failed, Messages: sum.messages, Crashes: sum.crashes, Lost: sum.lost,
		Doubled: sum.doubled, Wrong: sum.wrong, Flagged: sum.flagged, Wall: wall.Seconds()}
	if r := sum.recovered; len(r) > 0 {
		slices.Sort(r)
		row.Recover50, row.RecoverMx = r[len(r)/2].Seconds(), r[len(r)-1].Seconds()
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
