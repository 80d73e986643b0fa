package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"simpost/daemon/api"
	"simpost/modem/emulator"
)

// watchNetwork tells what happens on the network, and kills the daemon where the
// story wants it: after the network has taken a part, before the daemon knows.
func (d *demo) watchNetwork(events func(func(emulator.Event) bool)) {
	kill := d.kill
	for e := range events {
		if e.Kind == emulator.Lifecycle {
			continue
		}
		s := d.submission(e.Submission)
		d.say("network", "%s", networkLine(e, s))
		if e.Kind == emulator.Accepted && kill > 0 && s.Part == kill {
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

// networkLine is an event of the network in words.
func networkLine(e emulator.Event, s emulator.Submission) string {
	what := "a message"
	if s.Seq != 0 {
		what = fmt.Sprintf("part %d of %d", s.Part, s.Total)
	}
	switch e.Kind {
	case emulator.Accepted:
		return fmt.Sprintf("accepted %s from %s to %s, reference %d", what, s.Modem, clean(s.To), s.MR)
	case emulator.Delivered:
		return fmt.Sprintf("delivered %s to %s", what, clean(e.Number))
	case emulator.Reported:
		return fmt.Sprintf("reported %s to %s, reference %d", what, e.Modem, s.MR)
	}
	return fmt.Sprintf("%s: %s (%s)", e.Kind, what, clean(e.Detail))
}

// watchDaemon tells the daemon's events, and shows what was received.
func (d *demo) watchDaemon(ctx context.Context) {
	_ = d.api.Events(ctx, d.after, true, func(e api.Event) error {
		d.say("daemon", "%s", storyLine(e))
		if e.Type == api.EventReceived {
			if m, err := d.api.Get(ctx, e.Message); err == nil && m.Text != nil {
				d.say(m.Modem, "received from %s:\n%s", clean(m.From), indented(*m.Text, "                  | "))
			}
		}
		return nil
	})
}

// story is what the events mean to somebody who sees them for the first time.
var story = map[api.EventType]string{
	api.EventAccepted:      "message {m} is on the disk",
	api.EventSubmitting:    "message {m} part {p}: the attempt is on the disk, now it goes to {modem}",
	api.EventSubmitted:     "message {m} part {p}: the network has it",
	api.EventPartUnknown:   "message {m} part {p} may have been sent: nobody can say yet ({detail})",
	api.EventUnknown:       "message {m} is unknown until there is evidence",
	api.EventPartResend:    "message {m} part {p} goes out once more, as a possible duplicate",
	api.EventPartReport:    "message {m} part {p}: report, {detail}",
	api.EventSent:          "message {m} is sent",
	api.EventDelivered:     "message {m} is delivered",
	api.EventPartReceived:  "message {m} part {p} came in by {modem}",
	api.EventReceived:      "message {m} is whole",
	api.EventModem:         "{modem}: {detail}",
	api.EventDaemonStarted: "started",
}

func storyLine(e api.Event) string {
	line, ok := story[e.Type]
	if !ok {
		return eventLine(e)
	}
	return strings.NewReplacer("{m}", e.Message, "{p}", strconv.Itoa(e.Part), "{modem}", clean(e.Modem), "{detail}", clean(e.Detail)).Replace(line)
}

// The judge of the demo is the network's own record of what it accepted, which the
// daemon never sees.

// verdict prints the record, and what it says of each message of this run.
func (d *demo) verdict(ctx context.Context) error {
	record := d.net.Record()
	if len(record) == 0 {
		return nil
	}
	rows := tallies(record)
	fmt.Fprintf(d.app.out, "\nThe network's own record of what it accepted:\n\n")
	var lines [][]string
	for _, t := range rows {
		lines = append(lines, []string{t.modem, t.to, fmt.Sprintf("%d of %d", t.part, t.total), times(t.accepted), clean(t.text)})
	}
	if err := table(d.app.out, recordHeading, fit(recordHeading, lines)); err != nil {
		return err
	}
	messages, err := d.sentMessages(ctx)
	if err != nil {
		return fmt.Errorf("ask the daemon for its messages: %w", err)
	}
	fmt.Fprintf(d.app.out, "\nBeside what the daemon says:\n\n")
	good := true
	for _, m := range messages {
		finding, ok := judge(m, alike(messages, m), rows)
		good = good && ok
		fmt.Fprintf(d.app.out, "message %s to %s is %s%s: %s\n", m.ID, clean(m.To), m.State, duplicateNote(m), finding)
	}
	if !good {
		return errors.New("the daemon and the network's record do not agree")
	}
	return nil
}

const recordHeading = "FROM TO PART ACCEPTED TEXT"

// sentMessages are the outgoing messages of this run, the oldest first.
func (d *demo) sentMessages(ctx context.Context) ([]api.Message, error) {
	q := api.ListQuery{Direction: api.Out, Limit: pageLimit}
	var all []api.Message
	for {
		page, err := d.api.List(ctx, q)
		if err != nil {
			return nil, err
		}
		for _, m := range page.Messages {
			if m.CreatedAt.Before(d.start) {
				page.Next = nil
				break
			}
			all = append(all, m)
		}
		if page.Next == nil {
			slices.Reverse(all)
			return all, nil
		}
		q.After = *page.Next
	}
}

// onAir is one part of a message as the network saw it.
type onAir struct {
	to, text    string
	part, total int
}

// tally is how often the network accepted a part.
type tally struct {
	onAir
	modem    string
	accepted int
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

// alike counts the messages that the record can't tell from m.
func alike(messages []api.Message, m api.Message) int {
	n := 0
	for _, o := range messages {
		if o.To == m.To && o.Text != nil && m.Text != nil && *o.Text == *m.Text {
			n++
		}
	}
	return n
}

// judge says in words whether the record agrees with what the daemon says of m, of
// which there are copies. It agrees if every part was accepted exactly once per
// copy, or if the daemon has said that it can't be sure.
func judge(m api.Message, copies int, rows []tally) (string, bool) {
	if m.Text == nil {
		return "it is not a text, and not judged", true
	}
	often, missing := []string{}, []string{}
	for _, p := range m.Parts {
		switch n := acceptances(m, p.Seq, rows); {
		case n > copies:
			often = append(often, fmt.Sprintf("part %d %s", p.Seq, times(n)))
		case n < copies:
			missing = append(missing, fmt.Sprintf("part %d", p.Seq))
		}
	}
	switch {
	case len(often) > 0 && m.PossibleDuplicate:
		return "accepted " + strings.Join(often, ", ") + ", as it says", true
	case len(often) > 0:
		return "accepted " + strings.Join(often, ", ") + ": A DUPLICATE WITHOUT A WORD", false
	case len(missing) == 0:
		return "every part was accepted exactly once", true
	case m.State == api.Sent || m.State == api.Delivered:
		return strings.Join(missing, ", ") + " never accepted: LOST", false
	}
	return strings.Join(missing, ", ") + " not accepted", true
}

// acceptances counts part seq of m in the record.
func acceptances(m api.Message, seq int, rows []tally) int {
	n := 0
	for _, t := range rows {
		if t.to == m.To && t.part == seq && t.total == len(m.Parts) && strings.Contains(*m.Text, t.text) {
			n += t.accepted
		}
	}
	return n
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
