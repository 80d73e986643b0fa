// Command faults runs what proves simpost under faults and prints one line a
// fault: the simulator's campaigns (test/sim), the kills, power cuts, bad disks
// and hung clients of the built program (cmd/simpost), the mutants: the program with
// one line broken, which a test must notice, and beside all that the fuzzers.
// `make faults` and `make faults-full` call it.
//
// What a reader would get wrong: it judges nothing itself. A line comes from a
// test, which has failed or not; only mutants and fuzzers are counted here.
package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

func main() {
	var o options
	flag.BoolVar(&o.full, "full", false, "the full counts, in shards of at most 30 minutes")
	flag.StringVar(&o.shard, "shard", "", "run the `i/n`-th part of the trials")
	flag.StringVar(&o.only, "only", "", "kinds to run, a comma between them: sim, kill, mutants, fuzz")
	flag.StringVar(&o.run, "run", "", "of the simulator's campaigns, those that match this `regexp`")
	flag.BoolVar(&o.race, "race", false, "with the race detector, several times slower")
	flag.DurationVar(&o.fuzzTime, "fuzztime", time.Minute, "how long each fuzzer runs; 0: none")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := o.do(ctx, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "faults:", err)
		os.Exit(1)
	}
}

// options are the flags.
type options struct {
	full, race       bool
	shard, only, run string
	fuzzTime         time.Duration
}

func (o options) wants(kind string) bool {
	return o.only == "" || slices.Contains(strings.Split(o.only, ","), kind)
}

// row is a line of the table, as the tests write it (test/sim, Row).
type row struct {
	Name, Fault, Open                 string
	Trials, Failed, Messages, Crashes int
	Lost, Doubled, Wrong, Flagged     int
	P50                               float64 `json:"recover_p50_s"`
	Max                               float64 `json:"recover_max_s"`
	Wall                              float64 `json:"wall_s"`
}

// do runs what is wanted: what waits beside what counts, the mutants when what waits
// is over, for its limits are those of a machine that is not overloaded, and the
// fuzzers, which may be slow, beside all of it.
func (o options) do(ctx context.Context, w io.Writer) error {
	dir, err := os.MkdirTemp("", "simpost-faults")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	out := filepath.Join(dir, "rows")
	counts := "ci"
	if o.full {
		counts = "full"
	}
	env := append(os.Environ(), "SIMPOST_FAULTS="+counts, "SIMPOST_FAULTS_OUT="+out, "SIMPOST_SHARD="+o.shard)
	var fuzzed, hunted strings.Builder
	fuzzing, counting := make(chan error, 1), make(chan error, 1)
	go func() { fuzzing <- o.fuzz(ctx, &fuzzed) }()
	go func() { counting <- o.tests(ctx, env, "sim") }()
	errs := []error{o.tests(ctx, env, "kill")}
	if o.wants("mutants") && (o.shard == "" || strings.HasPrefix(o.shard, "1/")) {
		errs = append(errs, hunt(ctx, &hunted, dir))
	}
	errs = append(errs, <-counting, table(w, out), <-fuzzing)
	fmt.Fprint(w, hunted.String(), fuzzed.String())
	return errors.Join(errs...)
}

// suite is tests of one package that write lines of the table.
type suite struct {
	kind, pkg, run string
	parallel       int // at once; those of kill mostly wait
	env            []string
}

// suites are all of them. Databases of emulated worlds need no disk.
var suites = []suite{
	{"sim", "./test/sim", "^(TestJudge|TestFaults)$", 0, inMemory()},
	{"kill", "./cmd/simpost", "^(TestKilled.*|TestPowerCut.*|TestUnplugged.*|TestBadDisk|TestFloodCostsNoMemory|TestHungClients)$", 8, nil},
}

func inMemory() []string {
	if info, err := os.Stat("/dev/shm"); err != nil || !info.IsDir() {
		return nil
	}
	return []string{"TMPDIR=/dev/shm"}
}

func (o options) tests(ctx context.Context, env []string, kind string) error {
	for _, s := range suites {
		if s.kind == kind && o.wants(kind) {
			return o.test(ctx, env, s)
		}
	}
	return nil
}

// test runs a suite; on failure it shows the end of what its tests said.
func (o options) test(ctx context.Context, env []string, s suite) error {
	run := s.run
	if o.run != "" && s.kind == "sim" {
		run = "^TestFaults$/" + o.run
	}
	args := []string{"test", "-count=1", "-timeout=60m", "-run", run}
	if o.race {
		args = append(args, "-race")
	}
	if s.parallel > 0 {
		args = append(args, fmt.Sprintf("-parallel=%d", s.parallel))
	}
	cmd := exec.CommandContext(ctx, "go", append(args, s.pkg)...)
	cmd.Env = append(env[:len(env):len(env)], s.env...)
	said, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w\n%s", s.pkg, err, tail(said))
	}
	return nil
}

const tailLimit = 16 << 10

func tail(b []byte) []byte { return b[max(0, len(b)-tailLimit):] }

// table prints the rows.
func table(w io.Writer, path string) error {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	fmt.Fprintf(w, "%-15s %7s %8s %7s %5s %7s %5s %7s %9s %9s %6s  %s\n", "fault", "trials", "messages", "crashes", "lost", "doubled", "wrong",
		"flagged", "back p50", "back max", "took", "")
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var r row
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			return fmt.Errorf("read the table: %w", err)
		}
		note := r.Fault
		switch {
		case r.Open != "":
			note += fmt.Sprintf(" · %d OPEN: %s", r.Failed, r.Open)
		case r.Failed > 0:
			note += fmt.Sprintf(" · %d FAILED", r.Failed)
		}
		fmt.Fprintf(w, "%-15s %7d %8d %7d %5d %7d %5d %7d %8.1fs %8.1fs %5.0fs  %s\n", r.Name, r.Trials, r.Messages, r.Crashes, r.Lost, r.Doubled,
			r.Wrong, r.Flagged, r.P50, r.Max, r.Wall, note)
	}
	return nil
}

// hunters is how many mutants are built and tried at once.
const hunters = 2

// hunt tries every mutant and prints who killed it.
func hunt(ctx context.Context, w io.Writer, dir string) error {
	verdicts := make([]string, len(mutants))
	errs := make([]error, len(mutants))
	slots := make(chan struct{}, hunters)
	var all sync.WaitGroup
	for i, m := range mutants {
		all.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			if errs[i] = ctx.Err(); errs[i] != nil {
				return
			}
			began := time.Now()
			by, err := m.try(ctx, filepath.Join(dir, m.name))
			verdicts[i], errs[i] = fmt.Sprintf("killed by %s", by), err
			if err != nil {
				verdicts[i] = err.Error()
			}
			verdicts[i] += fmt.Sprintf(" (%.0f s)", time.Since(began).Seconds())
		})
	}
	all.Wait()
	fmt.Fprintf(w, "\n%-22s %s\n", "mutant", "")
	for i, m := range mutants {
		fmt.Fprintf(w, "%-22s %s · %s\n", m.name, verdicts[i], m.breaks)
	}
	return errors.Join(errs...)
}

var (
	errSurvived = errors.New("SURVIVED")
	failedTest  = regexp.MustCompile(`(?m)^ *--- FAIL: (\S+)`)
)

// quickBuild: to build the daemon takes longer than most mutants live.
const quickBuild = "-gcflags=simpost/daemon=-l"

// try builds the mutant and runs the tests that must notice it.
func (m mutant) try(ctx context.Context, dir string) (by string, err error) {
	overlay, err := m.overlay(dir)
	if err != nil {
		return "", fmt.Errorf("mutant %s: %w", m.name, err)
	}
	cmd := exec.CommandContext(ctx, "go", "test", "-count=1", "-timeout=5m", "-failfast", "-vet=off", quickBuild, "-overlay", overlay, "-run", m.test, m.pkg)
	cmd.Env = append(os.Environ(), "SIMPOST_FAULTS=quick")
	said, err := cmd.CombinedOutput()
	killers := failedTest.FindAllSubmatch(said, -1)
	switch {
	case err == nil:
		return "", fmt.Errorf("mutant %s: %w %s %s", m.name, errSurvived, m.pkg, m.test)
	case len(killers) > 0:
		deepest := slices.MaxFunc(killers, func(a, b [][]byte) int { return cmp.Compare(len(a[1]), len(b[1])) })
		return string(deepest[1]), nil
	case bytes.Contains(said, []byte("panic:")) || bytes.Contains(said, []byte("fatal error:")):
		return m.test + " (it panicked)", nil
	}
	return "", fmt.Errorf("mutant %s does not build: %s", m.name, tail(said))
}

// overlay writes the broken files, and the list of them that go build takes.
func (m mutant) overlay(dir string) (string, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	broken := map[string]string{}
	for i, e := range m.edits {
		path, err := filepath.Abs(e.file)
		if err != nil {
			return "", err
		}
		source := path
		if broken[path] != "" {
			source = broken[path]
		}
		text, err := os.ReadFile(source)
		if err != nil {
			return "", err
		}
		if n := bytes.Count(text, []byte(e.find)); n != 1 {
			return "", fmt.Errorf("%q is in %s %d times: bring test/faults/mutants.go up to date", e.find, e.file, n)
		}
		text = bytes.Replace(text, []byte(e.find), []byte(e.replace), 1)
		broken[path] = filepath.Join(dir, fmt.Sprintf("%d.go", i))
		if err := os.WriteFile(broken[path], text, 0o600); err != nil {
			return "", err
		}
	}
	list, err := json.Marshal(map[string]any{"Replace": broken})
	if err != nil {
		return "", err
	}
	name := filepath.Join(dir, "overlay.json")
	return name, os.WriteFile(name, list, 0o600)
}
