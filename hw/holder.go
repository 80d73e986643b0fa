package hw

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Holder names the program that has a terminal open, with a lock or without one,
// but for this one and those that may; nil if that is nobody whom we can see. Only
// root sees everybody.
func Holder(path string, may ...int) *OpenError {
	h := holder(path, append(may, os.Getpid())...)
	if h.pid == 0 {
		return nil
	}
	e := &OpenError{Path: path, Condition: PortBusy, Holder: h.name, PID: h.pid, Err: errBusy}
	e.detail, e.Remedy = busyWords(h)
	return e
}

// process is who has a device open; pid 0 is nobody we can see.
type process struct {
	pid  int
	name string
}

// holder looks for the program that has the device open: first among the
// file locks, which every user may read, then among the open files of the
// processes that we may look into. It is none of but.
func holder(path string, but ...int) process {
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return process{}
	}
	locked := lockOwner(st)
	if slices.Contains(but, locked) {
		locked = 0
	}
	if name := programName(locked); name != "" {
		return process{pid: locked, name: name}
	}
	// Who took the lock may have ended and left it to another, with the open file.
	if pid := fileOwner(st, but); pid != 0 {
		return process{pid: pid, name: programName(pid)}
	}
	return process{pid: locked}
}

// lockOwner reads /proc/locks (proc_locks(5)), where a line is
// "1: FLOCK  ADVISORY  WRITE 1234 00:15:7 0 EOF": the pid, then the file as
// major:minor of its file system in hex, and inode.
func lockOwner(st unix.Stat_t) int {
	f, err := os.Open("/proc/locks")
	if err != nil {
		return 0
	}
	defer f.Close()
	file := fmt.Sprintf("%02x:%02x:%d", unix.Major(st.Dev), unix.Minor(st.Dev), st.Ino)
	for s := bufio.NewScanner(f); s.Scan(); {
		// A waiter's line has "->" as its second field and names no owner.
		if w := strings.Fields(s.Text()); len(w) >= 6 && w[1] == "FLOCK" && w[5] == file {
			pid, _ := strconv.Atoi(w[4]) // -1 and 0 are owners outside our pid namespace
			return max(pid, 0)
		}
	}
	return 0
}

// fileOwner finds another process that has the device open, and is none of but.
func fileOwner(st unix.Stat_t, but []int) int {
	fds, _ := filepath.Glob("/proc/[0-9]*/fd/*")
	for _, fd := range fds {
		pid, _ := strconv.Atoi(strings.Split(fd, "/")[2])
		if pid == os.Getpid() || slices.Contains(but, pid) {
			continue
		}
		var open unix.Stat_t
		if unix.Stat(fd, &open) == nil && open.Mode&unix.S_IFMT == unix.S_IFCHR && open.Rdev == st.Rdev {
			return pid
		}
	}
	return 0
}

func programName(pid int) string {
	comm, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(comm))
}
