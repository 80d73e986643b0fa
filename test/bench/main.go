// Command bench measures simpost and prints one table: what was measured, what
// stands beside it in the same run (a peer, or the limit of a line or a disk), and
// the aim. `make bench` runs it. Nothing passes or fails here.
//
// It builds the program, runs `simpost serve` as a process of its own against
// emulated modems on pseudo-terminals, and drives it through daemon/api.Client.
//
// What a reader would get wrong: clients, emulator and daemon share this machine,
// so rates are those of all of them together; the CPU time a message costs is of
// the daemon alone.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// wholeRun ends a run in which something does not get on.
const wholeRun = 10 * time.Minute

// phases are the measurements, in the order of the table.
var phases = []struct {
	name string
	run  func(context.Context, *bench) error
}{
	{"pdu", benchPDU},
	{"at", benchAT},
	{"queue", benchQueue},
	{"start", benchStart},
	{"stored", benchStored},
	{"accept", benchAccept},
	{"send", benchSend},
	{"receive", benchReceive},
	{"idle", benchIdle},
}

// bench is one run.
type bench struct {
	dir    string // on the disk that is measured
	binary string
	table  table
	ports  atomic.Int32 // given away so far
	stored int          // messages of benchStored
}

func main() {
	dir := flag.String("dir", "/var/tmp", "measure on the disk of this `folder`")
	only := flag.String("only", "", "measure only these, separated by commas: "+phaseNames())
	stored := flag.Int("stored", 100_000, "start with this `number` of messages in the database")
	var p peersFlags
	flag.BoolVar(&p.on, "peers", false, "measure simpost beside smstools, gammu-smsd and Kannel instead")
	flag.BoolVar(&p.quick, "quick", false, "with -peers: everything once, in minutes")
	flag.StringVar(&p.only, "peer", "", "with -peers: only these programs, separated by commas")
	flag.StringVar(&p.note, "note", "", "with -peers: a `sentence` about the machine, to stand above the table")
	flag.StringVar(&p.docs, "docs", "", "with -peers: write the table into this `file`, between its marks")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *dir, *only, *stored, p); err != nil {
		fmt.Fprintf(os.Stderr, "bench: %v\n", err)
		os.Exit(1)
	}
}

func phaseNames() string {
	var names []string
	for _, p := range phases {
		names = append(names, p.name)
	}
	return strings.Join(names, ", ")
}

func run(ctx context.Context, dir, only string, stored int, p peersFlags) error {
	tmp, err := os.MkdirTemp(dir, "simpost-bench-")
	if err != nil {
		return fmt.Errorf("make a folder to measure in: %w", err)
	}
	defer os.RemoveAll(tmp)
	b := &bench{dir: tmp, binary: filepath.Join(tmp, "simpost"), stored: stored}
	if err := goTool(ctx, os.Stderr, "build", "-trimpath", "-o", b.binary, "simpost/cmd/simpost"); err != nil {
		return fmt.Errorf("build simpost: %w", err)
	}
	if p.on {
		return runPeers(ctx, b, p)
	}
	ctx, cancel := context.WithTimeout(ctx, wholeRun)
	defer cancel()
	start := time.Now()
	fmt.Println(machine(tmp))
	for _, p := range phases {
		if only != "" && !slices.Contains(strings.Split(only, ","), p.name) {
			continue
		}
		fmt.Fprintf(os.Stderr, "bench: %s ...\n", p.name)
		if err := p.run(ctx, b); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
	}
	b.table.print(os.Stdout)
	fmt.Printf("took %s; load average at the end %s\n", time.Since(start).Round(time.Second), loadAverage())
	return nil
}
