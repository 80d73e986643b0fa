package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"simpost/daemon/api"
	"simpost/modem/emulator"
)

const (
	filePoll = 5 * time.Millisecond // how often files and tables are looked at for what is new
	logLimit = 16 << 20             // of one process: from there on it is read slowly
	slowRead = 100 * time.Millisecond
)

// stage is an emulated network with one modem on a pseudo-terminal, a folder, and
// the processes of one program.
type stage struct {
	dir   string
	b     *bench
	net   *emulator.Network
	modem *emulator.Modem
	stop  func()

	mu    sync.Mutex
	procs []*process

	api   api.Client // simpost's
	sql   *sqlShell  // gammu-smsd's
	ports []string   // Kannel's
}

func newStage(ctx context.Context, b *bench, l line, delivery time.Duration) (*stage, error) {
	dir, err := os.MkdirTemp(b.dir, "p-")
	if err != nil {
		return nil, err
	}
	s := &stage{dir: dir, b: b, net: emulator.NewNetwork(emulator.NetworkConfig{Latency: delivery})}
	s.modem = s.net.NewModem(emulator.Config{LineSpeed: l.baud, Latency: l.latency})
	ctx, cancel := context.WithCancel(ctx)
	var served sync.WaitGroup
	served.Go(func() {
		if err := s.modem.ServePTY(ctx, s.path("modem")); err != nil {
			fmt.Fprintf(os.Stderr, "bench: %v\n", err)
		}
	})
	s.stop = func() { cancel(); served.Wait() }
	if err := waitForFile(ctx, s.path("modem")); err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

func (s *stage) path(name string) string { return filepath.Join(s.dir, name) }

// write makes a file, with DIR and DEVICE in the text filled in.
func (s *stage) write(name, text string) error {
	text = strings.NewReplacer("DIR", s.dir, "DEVICE", s.path("modem")).Replace(text)
	return os.WriteFile(s.path(name), []byte(text), 0o600)
}

func (s *stage) close() error {
	s.end(syscall.SIGTERM)
	s.api.Close()
	if s.sql != nil {
		s.sql.close()
	}
	s.stop()
	s.net.Close()
	return os.RemoveAll(s.dir)
}

// process is a program with all it forks: a process group of its own.
type process struct {
	cmd  *exec.Cmd
	log  *boundedLog
	done chan struct{}
}

// run starts a program in the folder of the stage.
func (s *stage) run(name string, args ...string) error {
	p := &process{cmd: exec.Command(name, args...), log: &boundedLog{}, done: make(chan struct{})}
	p.cmd.Dir, p.cmd.Env = s.dir, ownEnvironment()
	p.cmd.Stdout, p.cmd.Stderr = p.log, p.log
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	p.cmd.WaitDelay = time.Second
	if err := p.cmd.Start(); err != nil {
		return err
	}
	go func() {
		defer close(p.done)
		_ = p.cmd.Wait() // how it ended is nobody's measure
	}()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.procs = append(s.procs, p)
	return nil
}

// end sends sig to all processes of the stage, and SIGKILL to what stays.
func (s *stage) end(sig syscall.Signal) {
	s.mu.Lock()
	procs := s.procs
	s.mu.Unlock()
	for _, p := range procs {
		_ = syscall.Kill(-p.cmd.Process.Pid, sig)
	}
	for _, p := range procs {
		late := time.AfterFunc(stopLimit, func() { _ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL) })
		<-p.done
		late.Stop()
		_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.procs = nil
}

// said is the end of what the processes logged.
func (s *stage) said() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []string
	for _, p := range s.procs {
		all = append(all, strings.TrimSpace(p.log.end.String()))
	}
	text := strings.ReplaceAll(strings.Join(all, " | "), s.dir, "DIR")
	return text[max(0, len(text)-saidKept):]
}

// saidKept is how much of a log goes into an error.
const saidKept = 400

// logged is how much the running processes have logged.
func (s *stage) logged() (n int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.procs {
		n += p.log.count()
	}
	return n
}

// load is what the processes of a stage have used.
type load struct {
	usage
	wakes    int64 // times a thread went to sleep by itself, and so woke
	commands int
}

func (s *stage) load() (load, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sum := load{commands: s.modem.Commands()}
	for _, p := range s.procs {
		for _, pid := range groupOf(p.cmd.Process.Pid) {
			u, err := usageOf(pid)
			if err != nil {
				return sum, err
			}
			sum.cpu += u.cpu
			sum.resident += u.resident
			sum.written += u.written
			sum.wakes += wakesOf(pid)
		}
	}
	return sum, nil
}

// groupOf lists the processes of a group; one that ends meanwhile is left out.
func groupOf(leader int) []int {
	var pids []int
	entries, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, name := range entries {
		raw, err := os.ReadFile(name)
		if err != nil {
			continue
		}
		// pid (comm) state ppid pgrp ...; comm may contain anything (proc(5)).
		f := strings.Fields(string(raw[bytes.LastIndexByte(raw, ')')+1:]))
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(name)))
		if err == nil && len(f) > 2 && f[0] != "Z" && f[2] == strconv.Itoa(leader) {
			pids = append(pids, pid)
		}
	}
	return pids
}

// wakesOf counts over all threads of a process.
func wakesOf(pid int) (n int64) {
	tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*", pid))
	for _, t := range tasks {
		if f, err := procFields(pid, "task/"+filepath.Base(t)+"/status"); err == nil {
			n += f["voluntary_ctxt_switches"]
		}
	}
	return n
}

// boundedLog keeps the end of a log and counts the rest. Over logLimit it reads slowly, so
// that a program that does nothing but log is held back, as a full pipe would, and neither
// disk nor processor suffer.
type boundedLog struct {
	end tail
	mu  sync.Mutex
	n   int64
}

func (l *boundedLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	l.n += int64(len(p))
	over := l.n > logLimit
	l.mu.Unlock()
	if over {
		time.Sleep(slowRead)
	}
	return l.end.Write(p)
}

func (l *boundedLog) count() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.n
}
