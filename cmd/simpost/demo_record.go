package main

import (
	"context"
	"fmt"
	"strconv"

	"simpost/daemon/api"
	"simpost/modem/emulator"
)

// watchNetwork tells what happens on the network, and kills the daemon where the
// story wants it: after the network has taken a part, before the daemon knows.
func (d *demo) watchNetwork(ctx context.Context) {
	kill := d.kill
	for e := range d.net.Watch(ctx) {
		if e.Kind == emulator.Lifecycle {
			continue
		}
		d.say("network", "%s", d.networkLine(e))
		if e.Kind == emulator.Accepted && kill > 0 && d.submission(e.Submission).Part == kill {
			kill = 0
			d.say("demo", "kill -9 to the daemon, before it has heard of it")
			d.child.kill()
		}
	}
}

func (d *demo) submission(seq int) emulator.Submission {
	for _, s := range d.net.Record() {
		if s.Seq == seq {
			return s
		}
	}
	return emulator.Submission{}
}

func (d *demo) networkLine(e emulator.Event) string {
	what := "a message"
	if s := d.submission(e.Submission); s.Seq != 0 {
		what = fmt.Sprintf("part %d of %d from %s to %s", s.Part, s.Total, s.Modem, s.To)
	}
	line := fmt.Sprintf("%s: %s", e.Kind, what)
	if e.Detail != "" {
		line += " (" + clean(e.Detail) + ")"
	}
	return line
}

// watchDaemon tells the daemon's events, and shows what was received.
func (d *demo) watchDaemon(ctx context.Context, after int64) {
	_ = d.api.Events(ctx, after, true, func(e api.Event) error {
		d.say("daemon", "%s", eventLine(e))
		if e.Type == api.EventReceived {
			if m, err := d.api.Get(ctx, e.Message); err == nil && m.Text != nil {
				d.say("daemon", "%s received from %s:\n%s", m.Modem, clean(m.From), indented(*m.Text, "          | "))
			}
		}
		return nil
	})
}

// onAir is one part of a message as the network saw it.
type onAir struct {
	to, text    string
	part, total int
}

// tally is how often the network took a part, and of how many messages it is one.
type tally struct {
	onAir
	modem    string
	accepted int
}

// verdict prints the network's own record and what it means for each message.
func (d *demo) verdict(ctx context.Context) error {
	rows := tallies(d.net.Record())
	fmt.Fprintf(d.app.out, "\nThe network's own record of what it accepted:\n\n")
	var lines [][]string
	for _, t := range rows {
		lines = append(lines, []string{t.modem, t.to, fmt.Sprintf("%d of %d", t.part, t.total), times(t.accepted), short(t.text, 30)})
	}
	if err := table(d.app.out, "FROM TO PART ACCEPTED TEXT", lines); err != nil {
		return err
	}
	list, err := d.api.List(ctx, api.ListQuery{Direction: api.Out, Limit: pageLimit})
	if err != nil {
		return fmt.Errorf("ask the daemon for its messages: %w", err)
	}
	fmt.Fprintf(d.app.out, "\nWhat the daemon says:\n\n")
	for i := len(list.Messages) - 1; i >= 0; i-- {
		m := list.Messages[i]
		fmt.Fprintf(d.app.out, "message %s to %s: %s, %s%s\n", m.ID, clean(m.To), plural(len(m.Parts), "part"), m.State, duplicateNote(m))
	}
	return nil
}

// tallies counts the record by part, in the order of first acceptance.
func tallies(record []emulator.Submission) []tally {
	var rows []tally
	at := map[onAir]int{}
	for _, s := range record {
		key := onAir{to: s.To, text: s.Text, part: s.Part, total: s.Total}
		i, seen := at[key]
		if !seen {
			i = len(rows)
			at[key] = i
			rows = append(rows, tally{onAir: key, modem: s.Modem})
		}
		rows[i].accepted++
	}
	return rows
}

func times(n int) string {
	switch n {
	case 1:
		return "once"
	case 2:
		return "twice"
	}
	return strconv.Itoa(n) + " times"
}
