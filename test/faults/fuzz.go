package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"sync"
	"time"
)

// fuzzers are what must stand whatever comes: of all targets (`make fuzz` runs
// each) those that the outside reaches first.
var fuzzers = []struct{ target, pkg, input string }{
	{"FuzzDecode", "./pdu", "PDUs"},
	{"FuzzConn", "./atcmd", "AT lines"},
	{"FuzzSendBody", "./daemon", "JSON bodies"},
	{"FuzzOpen", "./daemon/store", "database bytes"},
}

// fuzzAtOnce fuzzers run at a time, each with one worker and behind everything else:
// two cores have more to do in these minutes.
const fuzzAtOnce = 2

// fuzz says what was done in a line a target. Of the full counts it is no part.
func (o options) fuzz(ctx context.Context, w io.Writer) error {
	if !o.wants("fuzz") || o.fuzzTime == 0 || o.full && o.only == "" {
		return nil
	}
	lines, errs := make([]string, len(fuzzers)), make([]error, len(fuzzers))
	slots := make(chan struct{}, fuzzAtOnce)
	var all sync.WaitGroup
	for i, f := range fuzzers {
		all.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			lines[i], errs[i] = fuzzOne(ctx, f.target, f.pkg, o.fuzzTime)
			lines[i] = fmt.Sprintf("%-22s %s · %s\n", f.target, lines[i], f.input)
		})
	}
	all.Wait()
	fmt.Fprintf(w, "\n%-22s %d of the targets, for %v each, %d at a time; make fuzz runs all\n", "fuzzer", len(fuzzers), o.fuzzTime, fuzzAtOnce)
	for _, l := range lines {
		fmt.Fprint(w, l)
	}
	return errors.Join(errs...)
}

var execs = regexp.MustCompile(`execs: (\d+)`)

// fuzzOne runs a target. It begins with the inputs of the repository, not with what
// earlier runs have left in Go's cache: after hours of fuzzing that alone takes longer
// than the time given. That the time was over in the middle of an input is no failure,
// though go test calls it one.
func fuzzOne(ctx context.Context, target, pkg string, d time.Duration) (string, error) {
	cache, err := os.MkdirTemp("", "simpost-fuzz")
	if err != nil {
		return "FAILED", err
	}
	defer os.RemoveAll(cache)
	cmd := exec.CommandContext(ctx, "nice", "-n", "10", "go", "test", "-run", "^$", "-fuzz", "^"+target+"$", "-fuzztime", d.String(),
		"-fuzzminimizetime", "10x", "-parallel", "1", pkg, "-args", "-test.fuzzcachedir="+cache)
	cmd.Env = append(os.Environ(), inMemory()...)
	said, err := cmd.CombinedOutput()
	if err != nil && ctx.Err() == nil && bytes.Contains(said, []byte("context deadline exceeded")) && !bytes.Contains(said, []byte("Failing input")) {
		err = nil
	}
	if err != nil {
		return "FAILED", fmt.Errorf("%s of %s: %w\n%s", target, pkg, err, tail(said))
	}
	all := execs.FindAllSubmatch(said, -1)
	if len(all) == 0 {
		return "FAILED", fmt.Errorf("%s of %s tried no input in %v\n%s", target, pkg, d, tail(said))
	}
	return string(all[len(all)-1][1]) + " inputs, 0 panics", nil
}
