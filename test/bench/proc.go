package main

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// usage is what a process has used since it began.
type usage struct {
	cpu            time.Duration
	resident, peak int64 // octets
	written        int64 // octets sent to a disk
}

func usageOf(pid int) (usage, error) {
	var u usage
	// The CPU clock of another process (clock_getcpuclockid(3)): to the
	// nanosecond, where /proc/PID/stat counts ticks of 10 ms.
	var ts unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|2), &ts); err != nil {
		return u, fmt.Errorf("read the CPU clock of process %d: %w", pid, err)
	}
	u.cpu = time.Duration(ts.Nano())
	status, err := procFields(pid, "status")
	if err != nil {
		return u, err
	}
	io, err := procFields(pid, "io")
	if err != nil {
		return u, err
	}
	u.resident, u.peak, u.written = status["VmRSS"]<<10, status["VmHWM"]<<10, io["write_bytes"]
	return u, nil
}

// procFields reads the numbers of a file of /proc that has a "name: number" a line.
func procFields(pid int, file string) (map[string]int64, error) {
	f, err := os.Open(fmt.Sprintf("/proc/%d/%s", pid, file))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	fields := map[string]int64{}
	for lines := bufio.NewScanner(f); lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), ":")
		first, _, _ := strings.Cut(strings.TrimSpace(value), " ")
		if n, err := strconv.ParseInt(first, 10, 64); err == nil {
			fields[name] = n
		}
	}
	return fields, nil
}

// machine says in a line what the numbers are from.
func machine(dir string) string {
	disk := "a disk"
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err == nil && fs.Type == unix.TMPFS_MAGIC {
		disk = "memory, whose fsync means nothing (choose another -dir)"
	}
	return fmt.Sprintf("%s, %d cores, %s/%s, %s; %s is on %s; load average %s", time.Now().UTC().Format("2006-01-02"),
		runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, runtime.Version(), dir, disk, loadAverage())
}

// loadAverage is that of the last minute: others' work makes every rate smaller.
func loadAverage() string {
	raw, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	first, _, _ := strings.Cut(string(raw), " ")
	return first
}
