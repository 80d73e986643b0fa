package sim

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"simpost/daemon/api"
	"simpost/modem/emulator"
)

// The judge holds the network's record against the daemon's word. It knows
// neither the daemon nor its database: what it is given is what anybody could see.

// account is everything that is known at the end of a trial.
type account struct {
	record []emulator.Submission // what the network truly accepted
	out    []api.Message         // what the daemon says of what was accepted from its clients, with attempts
	gone   []string              // accepted, and the daemon does not know it
	told   []string              // texts that people sent to the SIMs, each unlike the others
	in     []api.Message         // what the daemon says it received
	frail  map[string]bool       // texts that the network itself did not bring
	excuse func(api.Message) bool
	noisy  bool // the line may have lost or doubled a digit of a reference, which nothing can show
}

// verdict lists what is wrong, each a sentence for people.
type verdict struct {
	lost    []string
	doubled []string // and does not say so
	wrong   []string // credited to another message, on another SIM, not true in another way
	flagged int
}

func (v verdict) all() []string {
	return append(append(append([]string(nil), v.lost...), v.doubled...), v.wrong...)
}

// judge is pure.
func judge(a account) verdict {
	var v verdict
	for _, id := range a.gone {
		v.lost = append(v.lost, "message "+id+" was accepted and the daemon does not know it")
	}
	for _, m := range a.out {
		v.outgoing(a, m)
	}
	v.references(a)
	v.incoming(a)
	return v
}

// outgoing judges one message by what the network has of it.
func (v *verdict) outgoing(a account, m api.Message) {
	copies := copiesOf(a.record, m)
	least, most := len(copies[0]), 0
	for _, c := range copies {
		least, most = min(least, len(c)), max(most, len(c))
	}
	what := fmt.Sprintf("message %s to %s (%s)", m.ID, m.To, m.State)
	switch m.State {
	case api.Sent, api.Delivered:
		if least == 0 {
			v.lost = append(v.lost, what+" never reached the network whole")
		}
	case api.Unknown, api.Held, api.Cancelled, api.Expired, api.Scheduled:
	case api.Failed:
		if a.excuse == nil || !a.excuse(m) {
			v.lost = append(v.lost, what+fmt.Sprintf(" failed though nothing was wrong with it: %+v", m.Error))
		}
	default:
		v.lost = append(v.lost, what+" never came to an end")
	}
	if most > 1 && !m.PossibleDuplicate {
		v.doubled = append(v.doubled, fmt.Sprintf("%s was sent %d times and does not say so", what, most))
	}
	if m.PossibleDuplicate {
		v.flagged++
	}
	if (m.State == api.Cancelled || m.State == api.Expired) && most > 0 {
		v.wrong = append(v.wrong, what+" was sent")
	}
	v.attempts(a, m, copies, what)
	v.together(m, copies, what)
}

// attempts: what is said to be submitted is in the record, under that reference,
// from that SIM; what is said to be delivered was.
func (v *verdict) attempts(a account, m api.Message, copies [][]emulator.Submission, what string) {
	for _, at := range m.Attempts {
		if at.State != api.Submitted || at.MR == nil || at.Part < 1 || at.Part > len(copies) {
			continue
		}
		found := false
		for _, s := range copies[at.Part-1] {
			same := int(s.MR) == *at.MR || a.noisy && oneDigitOff(int(s.MR), *at.MR)
			found = found || same && (at.IMSI == "" || s.IMSI == at.IMSI)
		}
		if !found {
			v.wrong = append(v.wrong, fmt.Sprintf("%s: attempt %s of part %d has reference %d, which the network gave to another one", what, at.ID, at.Part, *at.MR))
		}
	}
	if m.State != api.Delivered {
		return
	}
	for i, c := range copies {
		delivered := false
		for _, s := range c {
			delivered = delivered || s.Delivered
		}
		if !delivered && len(c) > 0 {
			v.wrong = append(v.wrong, fmt.Sprintf("%s: part %d never reached its recipient", what, i+1))
		}
	}
}

// oneDigitOff says whether b is what a line makes of a that loses or doubles a digit.
func oneDigitOff(a, b int) bool {
	sent, heard := strconv.Itoa(a), strconv.Itoa(b)
	for i := range sent {
		if heard == sent[:i]+sent[i+1:] || heard == sent[:i+1]+sent[i:] {
			return true
		}
	}
	return false
}

// together: all parts leave on one SIM under one reference (I5).
func (v *verdict) together(m api.Message, copies [][]emulator.Submission, what string) {
	ways := map[string]bool{}
	for _, c := range copies {
		for _, s := range c {
			ways[fmt.Sprintf("%s/%d", s.IMSI, s.ConcatRef)] = true
		}
	}
	if len(m.Parts) > 1 && len(ways) > 1 {
		v.wrong = append(v.wrong, what+": its parts left on several SIMs or under several references")
	}
}

// references: two long messages to one number never share one within an hour.
func (v *verdict) references(a account) {
	type use struct {
		text string
		at   time.Time
	}
	last := map[string]use{}
	for _, s := range a.record {
		if s.Total <= 1 {
			continue
		}
		for _, m := range a.out {
			if m.To != s.To || m.Text == nil || !strings.Contains(*m.Text, s.Text) {
				continue
			}
			key := fmt.Sprintf("%s/%s/%d/%d", s.IMSI, s.To, s.ConcatRef, s.Total)
			if u, ok := last[key]; ok && u.text != m.ID && s.At.Sub(u.at) < time.Hour {
				v.wrong = append(v.wrong, fmt.Sprintf("messages %s and %s to %s have one reference", u.text, m.ID, m.To))
			}
			last[key] = use{m.ID, s.At}
		}
	}
}

// incoming: every text is there once, not counting what says that it is a repeat.
func (v *verdict) incoming(a account) {
	got := map[string]int{}
	for _, m := range a.in {
		if m.Text != nil && m.RepeatOf == "" {
			got[*m.Text]++
		}
	}
	for _, text := range a.told {
		switch n := got[text]; {
		case n == 0 && !a.frail[text]:
			v.lost = append(v.lost, fmt.Sprintf("%q was sent to us and is not there", clip(text)))
		case n > 1:
			v.doubled = append(v.doubled, fmt.Sprintf("%q is there %d times and does not say so", clip(text), n))
		}
	}
}

// copiesOf finds what the network has of each part of m. No part of any message
// is like another one.
func copiesOf(record []emulator.Submission, m api.Message) [][]emulator.Submission {
	copies := make([][]emulator.Submission, max(len(m.Parts), 1))
	for _, s := range record {
		part := max(s.Part, 1) - 1
		if s.To == m.To && m.Text != nil && s.Text != "" && strings.Contains(*m.Text, s.Text) && s.Total == len(m.Parts) && part < len(copies) {
			copies[part] = append(copies[part], s)
		}
	}
	return copies
}

func clip(s string) string { return s[:min(len(s), 30)] }
