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
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// notifySocket is where the daemon says that it is ready.
const notifySocket = "notify.sock"

// childGrace is how long the daemon may take to stop before it is killed.
const childGrace = 15 * time.Second

// daemonProcess is "simpost serve" as a process of its own, which is started again
// when it is killed. It says READY=1 as it would to systemd.
type daemonProcess struct {
	config string
	log    string // the file its log goes to
	say    func(who, format string, args ...any)

	once    sync.Once
	started chan struct{} // closed at the first READY=1

	mu      sync.Mutex
	process *os.Process
}

func (p *daemonProcess) up() chan struct{} {
	p.once.Do(func() { p.started = make(chan struct{}) })
	return p.started
}

// ready waits until the daemon has answered for the first time.
func (p *daemonProcess) ready(ctx context.Context) error {
	select {
	case <-p.up():
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// run keeps the daemon running until ctx ends.
func (p *daemonProcess) run(ctx context.Context) error {
	socket := filepath.Join(filepath.Dir(p.config), notifySocket)
	_ = os.Remove(socket)
	ln, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		return fmt.Errorf("listen for the daemon's word: %w", err)
	}
	defer ln.Close()
	go p.listen(ln)
	for {
		err := p.runOnce(ctx, socket)
		if ctx.Err() != nil {
			return nil
		}
		var exit *exec.ExitError
		if !errors.As(err, &exit) || !killed(exit) {
			return fmt.Errorf("the daemon stopped (%v): %s", err, p.lastWords())
		}
		p.say("demo", "the daemon was killed; it starts again on the same database")
	}
}

func killed(exit *exec.ExitError) bool {
	ws, ok := exit.Sys().(syscall.WaitStatus)
	return ok && ws.Signaled() && ws.Signal() == syscall.SIGKILL
}

// listen ends when ln is closed.
func (p *daemonProcess) listen(ln *net.UnixConn) {
	buf := make([]byte, 256)
	for {
		n, err := ln.Read(buf)
		if err != nil {
			return
		}
		if bytes.Contains(buf[:n], []byte("READY=1")) {
			select {
			case <-p.up():
			default:
				close(p.up())
			}
		}
	}
}

func (p *daemonProcess) runOnce(ctx context.Context, socket string) error {
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, exe, "--config", p.config, "serve")
	cmd.Args[0] = os.Args[0]
	cmd.Env = append(ownEnvironment(), "NOTIFY_SOCKET="+socket)
	cmd.Stderr = log
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = childGrace
	// Ctrl-C in the terminal is for the demo, which then stops the daemon; if the
	// demo itself is killed, the daemon goes with it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	if err := cmd.Start(); err != nil {
		return err
	}
	p.set(cmd.Process)
	defer p.set(nil)
	p.say("demo", "the daemon starts: %s --config %s serve, process %d", program(), p.config, cmd.Process.Pid)
	return cmd.Wait()
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

func (p *daemonProcess) set(process *os.Process) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.process = process
}

// kill is kill -9.
func (p *daemonProcess) kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.process != nil {
		_ = p.process.Kill()
	}
}

// lastWords is what the daemon complained of when it ended, or else the end of its log.
func (p *daemonProcess) lastWords() string {
	raw, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(raw)), "\n")
	for i, line := range slices.Backward(lines) {
		if !strings.HasPrefix(line, "simpost: ") && i < len(lines)-1 {
			return strings.Join(lines[i+1:], "\n")
		}
		lines[i] = strings.TrimPrefix(line, "simpost: ")
	}
	return strings.Join(lines[max(0, len(lines)-3):], "\n")
}
