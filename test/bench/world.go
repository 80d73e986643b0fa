package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"simpost/daemon/api"
	"simpost/modem/emulator"
)

const (
	startLimit = 30 * time.Second // until the daemon answers, and until its modem can send
	stopLimit  = 20 * time.Second // before a daemon that was asked to stop is killed
	readyPoll  = 5 * time.Millisecond
	lineSpeed  = 115200
)

// world is an emulated network with one modem on a pseudo-terminal, and the
// daemon that has it.
type world struct {
	dir    string
	binary string
	net    *emulator.Network
	modem  *emulator.Modem // nil if the daemon's device does not exist
	api    *api.Client
	cmd    *exec.Cmd
	log    *tail
	stop   []func()
}

// newWorld makes a world in a folder of its own. baud 0 is a bare pseudo-terminal;
// below 0 there is no modem. settings are further lines of the configuration.
func (b *bench) newWorld(ctx context.Context, name string, baud int, settings string) (*world, error) {
	w := &world{dir: filepath.Join(b.dir, name), binary: b.binary, net: emulator.NewNetwork(emulator.NetworkConfig{})}
	if err := os.Mkdir(w.dir, 0o700); err != nil {
		return nil, err
	}
	w.api = &api.Client{Socket: w.path("s")}
	if baud >= 0 {
		w.modem = w.newModem(ctx, "bench", baud)
		if err := waitForFile(ctx, w.path("bench")); err != nil {
			return nil, err
		}
	}
	config := fmt.Sprintf("database = %q\n%s\n[api]\nsocket = %q\n[guard]\noff = true\n[[modem]]\nname = \"bench\"\ndevice = %q\n",
		w.path("simpost.db"), settings, w.path("s"), w.path("bench"))
	return w, os.WriteFile(w.path("simpost.toml"), []byte(config), 0o600)
}

func (w *world) path(name string) string { return filepath.Join(w.dir, name) }

// newModem puts a modem of this network on the pseudo-terminal dir/name.
func (w *world) newModem(ctx context.Context, name string, baud int) *emulator.Modem {
	m := w.net.NewModem(emulator.Config{Name: name, LineSpeed: baud})
	ctx, cancel := context.WithCancel(ctx)
	var served sync.WaitGroup
	served.Go(func() {
		if err := m.ServePTY(ctx, w.path(name)); err != nil {
			fmt.Fprintf(os.Stderr, "bench: %v\n", err)
		}
	})
	w.stop = append(w.stop, func() { cancel(); served.Wait() })
	return m
}

func waitForFile(ctx context.Context, path string) error {
	return poll(ctx, "wait for "+path, func() bool { _, err := os.Stat(path); return err == nil })
}

// poll asks ok until it says so, for startLimit at most.
func poll(ctx context.Context, what string, ok func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	tick := time.NewTicker(readyPoll)
	defer tick.Stop()
	for !ok() {
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: %w", what, ctx.Err())
		case <-tick.C:
		}
	}
	return nil
}

// start runs the daemon. It answers how long it took until the daemon answered,
// as it says to systemd, and then until the modem could send (0 without a modem).
func (w *world) start(ctx context.Context) (up, ready time.Duration, err error) {
	notify := w.path("notify")
	_ = os.Remove(notify)
	word, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: notify, Net: "unixgram"})
	if err != nil {
		return 0, 0, err
	}
	defer word.Close()
	w.log = &tail{}
	w.cmd = exec.Command(w.binary, "--config", w.path("simpost.toml"), "serve")
	w.cmd.Env = append(ownEnvironment(), "NOTIFY_SOCKET="+notify)
	w.cmd.Stderr = w.log
	w.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	begin := time.Now()
	if err := w.cmd.Start(); err != nil {
		return 0, 0, err
	}
	_ = word.SetReadDeadline(begin.Add(startLimit))
	if err := expectReady(word); err != nil {
		return 0, 0, fmt.Errorf("the daemon did not start (%w): %s", err, w.log)
	}
	up = time.Since(begin)
	if w.modem == nil {
		return up, 0, nil
	}
	err = poll(ctx, "wait for the modem", func() bool { return w.api.Ready(ctx) == nil })
	return up, time.Since(begin), err
}

func expectReady(word *net.UnixConn) error {
	for buf := make([]byte, 256); ; {
		n, err := word.Read(buf)
		if err != nil || bytes.Contains(buf[:n], []byte("READY=1")) {
			return err
		}
	}
}

// ownEnvironment is the environment without what would change the configuration.
func ownEnvironment() []string {
	var env []string
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "SIMPOST_") {
			env = append(env, v)
		}
	}
	return env
}

// end stops the daemon with sig; SIGKILL is the crash of a measurement.
func (w *world) end(sig syscall.Signal) error {
	if w.cmd == nil {
		return nil
	}
	cmd := w.cmd
	w.cmd = nil
	w.api.Close()
	_ = cmd.Process.Signal(sig)
	late := time.AfterFunc(stopLimit, func() { _ = cmd.Process.Kill() })
	defer late.Stop()
	err := cmd.Wait()
	var exit *exec.ExitError
	if sig == syscall.SIGKILL && errors.As(err, &exit) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("the daemon ended with %w: %s", err, w.log)
	}
	return nil
}

// close ends everything and removes the folder.
func (w *world) close() error {
	err := w.end(syscall.SIGTERM)
	for _, stop := range w.stop {
		stop()
	}
	w.net.Close()
	return errors.Join(err, os.RemoveAll(w.dir))
}

func (w *world) usage() (usage, error) { return usageOf(w.cmd.Process.Pid) }

// tail keeps the end of what the daemon logs, in memory: a log file would count as
// what the daemon writes to the disk.
type tail struct {
	mu  sync.Mutex
	end []byte
}

const tailKept = 2 << 10

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.end = append(t.end, p...)
	if len(t.end) > 2*tailKept {
		t.end = append([]byte(nil), t.end[len(t.end)-tailKept:]...)
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.end[max(0, len(t.end)-tailKept):])
}
