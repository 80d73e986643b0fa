package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"
)

// listenModem makes the socket that stands for a modem's port. A name that
// begins with @ is in the kernel's abstract namespace, and nothing on the disk.
// A socket that a killed emulator left behind is replaced, nothing else is.
func listenModem(name string) (net.Listener, error) {
	ln, err := net.Listen("unix", name)
	if errors.Is(err, syscall.EADDRINUSE) && deadSocket(name) {
		if err := os.Remove(name); err != nil {
			return nil, fmt.Errorf("remove the stale socket: %w", err)
		}
		ln, err = net.Listen("unix", name)
	}
	if err != nil {
		return nil, fmt.Errorf("listen for the modem's host: %w", err)
	}
	return ln, nil
}

// deadSocket reports whether name is a socket that nobody listens on.
func deadSocket(name string) bool {
	if strings.HasPrefix(name, "@") {
		return false
	}
	info, err := os.Lstat(name)
	if err != nil || info.Mode().Type() != os.ModeSocket {
		return false
	}
	conn, err := net.Dial("unix", name)
	if err == nil {
		conn.Close()
	}
	return errors.Is(err, syscall.ECONNREFUSED)
}
