package main

import (
	"context"
	"fmt"
	"time"

	"simpost/daemon/api"
)

// simpostPeer is simpost as configs/simpost.toml has it, but without the guard, which would let it send ten parts a minute.
// Reports are its default; no other program asks for them unless told to.
func simpostPeer(config string, reports bool) *peer {
	return &peer{name: "simpost", config: config, fast: true, late: true, sendsOnly: !reports,
		prepare: func(s *stage) error {
			s.api.Socket = s.path("s")
			return s.write("simpost.toml", fmt.Sprintf(`database = "DIR/simpost.db"
[api]
socket = "DIR/s"
[send]
report = %v
[guard]
off = true
[[modem]]
name = "bench"
device = "DEVICE"
`, reports))
		},
		start: func(ctx context.Context, s *stage) error {
			if err := s.run(s.b.binary, "--config", s.path("simpost.toml"), "serve"); err != nil {
				return err
			}
			return poll(ctx, "wait for the daemon", func() bool { _, err := s.api.Status(ctx); return err == nil })
		},
		submit: func(ctx context.Context, s *stage, to []string, text string) error {
			_, _, err := s.api.Send(ctx, api.SendRequest{To: to, Text: &text}, "")
			return err
		},
		follow:  followSimpost,
		flagged: flaggedBySimpost,
	}
}

func followSimpost(ctx context.Context, s *stage, saw func(string, time.Time) bool) {
	// It ends with ctx, and what was not seen by then is told as missing.
	_ = s.api.Events(ctx, 0, true, func(e api.Event) error {
		if e.Type != api.EventReceived {
			return nil
		}
		at := time.Now()
		m, err := s.api.Get(ctx, e.Message)
		if err == nil && m.Text != nil {
			saw(*m.Text, at)
		}
		return err
	})
}

// flaggedBySimpost counts the messages that simpost itself says may have been sent twice.
func flaggedBySimpost(ctx context.Context, s *stage) (int, error) {
	list, err := s.api.List(ctx, api.ListQuery{Direction: api.Out, Limit: faultMessages})
	n := 0
	for _, m := range list.Messages {
		if m.PossibleDuplicate {
			n++
		}
	}
	return n, err
}
