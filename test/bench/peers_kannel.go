package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"
)

// kannelTuned makes the pause after every line typed to the modem as short as that of test/peers.
const kannelTuned = "sendline-sleep = 5\n"

// kannelPeer is bearerbox and smsbox; what comes in is an HTTP request to the bench.
func kannelPeer(config, modem string) *peer {
	return &peer{name: "Kannel", config: config, usual: modem == "", late: true,
		prepare: func(s *stage) (err error) {
			if s.ports, err = s.b.freePorts(4); err != nil {
				return err
			}
			return s.write("kannel.conf", strings.NewReplacer("ADMIN", s.ports[0], "SMSBOX", s.ports[1], "SENDSMS", s.ports[2],
				"APPLICATION", s.ports[3], "MODEM", modem).Replace(kannelConfig))
		},
		start: func(ctx context.Context, s *stage) error {
			if err := s.run("bearerbox", "-v", "1", s.path("kannel.conf")); err != nil {
				return err
			}
			if err := listens(ctx, s.ports[1]); err != nil { // smsbox gives up if nobody does
				return err
			}
			if err := s.run("smsbox", "-v", "1", s.path("kannel.conf")); err != nil {
				return err
			}
			return listens(ctx, s.ports[2])
		},
		submit: submitToKannel,
		follow: followKannel,
	}
}

const kannelConfig = `group = core
admin-port = ADMIN
admin-interface = 127.0.0.1
admin-password = bench
smsbox-port = SMSBOX
smsbox-interface = 127.0.0.1
store-type = file
store-location = "DIR/store"

group = smsc
smsc = at
smsc-id = modem
modemtype = emulated
device = DEVICE
speed = 115200
sms-center = +4790000000
sim-buffering = true

group = modems
id = emulated
name = "emulated"
detect-string = "simpost"
init-string = "AT+CNMI=2,1,0,1,0"
speed = 115200
MODEM
group = smsbox
bearerbox-host = 127.0.0.1
bearerbox-port = SMSBOX
sendsms-port = SENDSMS
sendsms-interface = 127.0.0.1

group = sendsms-user
username = bench
password = bench
default-sender = 4790000001

group = sms-service
keyword = default
catch-all = true
max-messages = 0
get-url = "http://127.0.0.1:APPLICATION/?text=%b"
`

// listens waits until somebody has a port of the loopback. It does not try the port: Kannel takes a connection that ends at
// once for a broken smsbox.
func listens(ctx context.Context, port string) error {
	n, err := strconv.Atoi(port)
	if err != nil {
		return err
	}
	mark := fmt.Sprintf(":%04X 00000000:0000 0A", n) // proc_pid_net(5): local port, remote address, TCP_LISTEN
	return poll(ctx, "wait for port "+port, func() bool {
		raw, err := os.ReadFile("/proc/net/tcp")
		return err == nil && bytes.Contains(raw, []byte(mark))
	})
}

func submitToKannel(ctx context.Context, s *stage, to []string, text string) error {
	for _, number := range to {
		query := url.Values{"username": {"bench"}, "password": {"bench"}, "to": {number}, "text": {text}}
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://127.0.0.1:"+s.ports[2]+"/cgi-bin/sendsms?"+query.Encode(), nil)
		if err != nil {
			return err
		}
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			return err
		}
		body, err := io.ReadAll(io.LimitReader(answer.Body, 1<<10))
		_ = answer.Body.Close()
		if err != nil || answer.StatusCode != http.StatusAccepted {
			return fmt.Errorf("sendsms says %s %q (%v)", answer.Status, body, err)
		}
	}
	return nil
}

func followKannel(ctx context.Context, s *stage, saw func(string, time.Time) bool) {
	server := http.Server{Addr: "127.0.0.1:" + s.ports[3], Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		saw(r.URL.Query().Get("text"), time.Now())
	})}
	defer context.AfterFunc(ctx, func() { _ = server.Close() })()
	_ = server.ListenAndServe() // what it misses is told as missing
}

// The ports are below those that the kernel hands out by itself, and each is given away once: no two stages get the same.
const (
	firstPort = 20000
	lastPort  = 32000
)

// freePorts are ports of the loopback that nobody listens on.
func (b *bench) freePorts(count int) ([]string, error) {
	var ports []string
	for len(ports) < count {
		port := firstPort + int(b.ports.Add(1))
		if port > lastPort {
			return nil, errors.New("there are no free ports left")
		}
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			continue
		}
		_ = l.Close()
		ports = append(ports, strconv.Itoa(port))
	}
	return ports, nil
}
