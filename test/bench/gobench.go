package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// The packages' own benchmarks. Each runs several times and the fastest counts,
// because whatever else the machine does only makes them slower.

func goTool(ctx context.Context, out io.Writer, args ...string) error {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Stdout, cmd.Stderr = out, os.Stderr
	return cmd.Run()
}

// figures are the numbers of one benchmark by unit: ns/op, allocs/op, ...
type figures map[string]float64

func (f figures) each() time.Duration { return time.Duration(f["ns/op"]) }

func (f figures) cost() string {
	return fmt.Sprintf("%s, %.0f allocs", short(f.each()), f["allocs/op"])
}

// goBench runs benchmarks of a package and answers the fastest run of each,
// without "Benchmark" and the number of cores in its name.
func goBench(ctx context.Context, pkg, pattern string, count int) (map[string]figures, error) {
	var out bytes.Buffer
	err := goTool(ctx, &out, "test", "-vet=off", "-run", "^$", "-bench", pattern, "-benchmem", "-benchtime", "100ms",
		"-count", strconv.Itoa(count), pkg)
	if err != nil {
		return nil, fmt.Errorf("run the benchmarks of %s: %w\n%s", pkg, err, out.String())
	}
	best := map[string]figures{}
	for line := range strings.Lines(out.String()) {
		name, f, ok := parseBench(line)
		if old := best[name]; ok && (old == nil || f["ns/op"] < old["ns/op"]) {
			best[name] = f
		}
	}
	if len(best) == 0 {
		return nil, fmt.Errorf("%s has no benchmark %s", pkg, pattern)
	}
	return best, nil
}

// parseBench reads "BenchmarkX/y-2  100  12 ns/op  3 allocs/op".
func parseBench(line string) (string, figures, bool) {
	words := strings.Fields(line)
	if len(words) < 4 || !strings.HasPrefix(words[0], "Benchmark") {
		return "", nil, false
	}
	name := strings.TrimPrefix(words[0], "Benchmark")
	if i := strings.LastIndexByte(name, '-'); i > 0 {
		name = name[:i]
	}
	f := figures{}
	for i := 2; i+1 < len(words); i += 2 {
		n, err := strconv.ParseFloat(words[i], 64)
		if err != nil {
			return "", nil, false
		}
		f[words[i+1]] = n
	}
	return name, f, true
}

// benchPDU is encode and decode beside warthog618/sms: the same texts, the same work.
func benchPDU(ctx context.Context, b *bench) error {
	got, err := goBench(ctx, "simpost/pdu", "^Benchmark(Encode|Decode)$", 5)
	if err != nil {
		return err
	}
	for _, op := range []string{"Encode", "Decode"} {
		for _, text := range []string{"short", "long", "emoji"} {
			ours, theirs := got[op+"/simpost/"+text], got[op+"/warthog618/"+text]
			if ours == nil || theirs == nil {
				return fmt.Errorf("no figures for %s of %s", op, text)
			}
			time, allocs := ours["ns/op"]/theirs["ns/op"], ours["allocs/op"]/theirs["allocs/op"]
			b.table.add(row{
				what: fmt.Sprintf("pdu: %s %s text", strings.ToLower(op), text), measured: ours.cost(),
				beside: fmt.Sprintf("warthog618/sms %s: ×%.2f time, ×%.2f allocs", theirs.cost(), time, allocs),
				aim:    "faster, half the allocations", met: judge(time < 1 && allocs <= 0.5),
			})
		}
	}
	return nil
}

// benchAT is a command and a submission over a pipe in memory, beside the library
// without the fence.
func benchAT(ctx context.Context, b *bench) error {
	got, err := goBench(ctx, "simpost/atcmd", "^Benchmark(RoundTrip|Submit)$", 5)
	if err != nil {
		return err
	}
	for _, v := range []struct{ name, what string }{
		{"RoundTrip", "AT: command and answer"}, {"Submit", "AT: CMGS, prompt, PDU, answer"},
	} {
		ours, bare := got[v.name+"/Conn"], got[v.name+"/bare"]
		if ours == nil || bare == nil {
			return fmt.Errorf("no figures for %s", v.name)
		}
		b.table.add(row{what: v.what, measured: ours.cost(),
			beside: fmt.Sprintf("at.AT bare %s: %s", bare.cost(), signed(ours.each()-bare.each()))})
	}
	return nil
}

// benchQueue picks the next part out of a short and a long queue.
func benchQueue(ctx context.Context, b *bench) error {
	got, err := goBench(ctx, "simpost/daemon/store", "^BenchmarkDue$", 3)
	if err != nil {
		return err
	}
	few, many := got["Due/rows=1000"], got["Due/rows=100000"]
	if few == nil || many == nil {
		return fmt.Errorf("no figures for the queue")
	}
	ratio := many["ns/op"] / few["ns/op"]
	b.table.add(row{what: "queue: pick the next of 100,000", measured: short(many.each()),
		beside: fmt.Sprintf("of 1,000 %s: ×%.2f", short(few.each()), ratio), aim: "grows as log n", met: judge(ratio < 2)})
	return nil
}
