package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// smstoolsTuned is the shortest of every wait that smsd can be told.
const smstoolsTuned = "delaytime = 1\ndelaytime_mainprocess = 1\nerrorsleeptime = 1\n"

// smstoolsPeer is smsd of Debian's smstools, with its folders moved and everything else its default.
func smstoolsPeer(config, general string) *peer {
	modem := ""
	if general != "" {
		modem = "check_network = 0\npoll_faster = 50\n"
	}
	return &peer{name: "smstools", config: config, usual: general == "",
		prepare: func(s *stage) error {
			for _, name := range []string{"outgoing", "checked", "failed", "incoming", "sent", "stats", "draft"} {
				if err := os.Mkdir(s.path(name), 0o700); err != nil {
					return err
				}
			}
			return s.write("smsd.conf", `devices = GSM1
outgoing = DIR/outgoing
checked = DIR/checked
failed = DIR/failed
incoming = DIR/incoming
sent = DIR/sent
stats = DIR/stats
pidfile = DIR/pid
infofile = DIR/info
logfile = 1
receive_before_send = no
autosplit = 3
`+general+`[GSM1]
device = DEVICE
incoming = yes
baudrate = 115200
rtscts = no
`+modem)
		},
		start: func(_ context.Context, s *stage) error { return s.run("smsd", "-t", "-c"+s.path("smsd.conf")) },
		submit: func(_ context.Context, s *stage, to []string, text string) error {
			for i, number := range to {
				name := fmt.Sprintf("m%04d", i)
				if err := s.write("draft/"+name, "To: "+strings.TrimPrefix(number, "+")+"\n\n"+text); err != nil {
					return err
				}
				if err := os.Rename(s.path("draft/"+name), s.path("outgoing/"+name)); err != nil {
					return err
				}
			}
			return nil
		},
		follow: followSmstools,
	}
}

// followSmstools looks into the folder of what came in. A file is read again until it is whole.
func followSmstools(ctx context.Context, s *stage, saw func(string, time.Time) bool) {
	done := map[string]bool{}
	for sleep(ctx, filePoll) == nil {
		names, _ := filepath.Glob(s.path("incoming/*"))
		for _, name := range names {
			if raw, err := os.ReadFile(name); err == nil && !done[name] {
				done[name] = saw(string(raw), time.Now())
			}
		}
	}
}
