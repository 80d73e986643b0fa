package main

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"simpost/daemon/api"
	"simpost/modem/emulator"
)

func TestClean(t *testing.T) {
	for in, want := range map[string]string{
		"plain æøå 👨‍👩‍👧":           "plain æøå 👨‍👩‍👧",
		"a\nb\tc\r\n":               "a b c  ",
		"\x1b[2Jgone\x07":           "[2Jgone",
		"pay \u202e00001\u202c now": "pay 00001 now",
		"\u2066x\u2069\u200f\u061c": "x",
	} {
		if got := clean(in); got != want {
			t.Errorf("clean(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestShortCutsBetweenCharacters(t *testing.T) {
	for _, c := range []struct {
		in    string
		width int
		want  string
	}{
		{"hello", 5, "hello"},
		{"hello you", 6, "hello…"},
		{"ab👨‍👩‍👧cd", 4, "ab…"}, // the family is two columns wide and one character
		{"日本語", 5, "日本…"},
	} {
		if got := short(c.in, c.width); got != c.want {
			t.Errorf("short(%q, %d) = %q, want %q", c.in, c.width, got, c.want)
		}
	}
}

func TestTableFitsTheLine(t *testing.T) {
	var b bytes.Buffer
	const heading = "ID WHO TEXT"
	rows := [][]string{{"1", "日本", strings.Repeat("long ", 40)}, {"100", "", ""}}
	if err := table(&b, heading, fit(heading, rows)); err != nil {
		t.Fatal(err)
	}
	want := "ID   WHO   TEXT\n1    日本  " + strings.Repeat("long ", 13) + "lon…\n100\n"
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}

func TestStatus(t *testing.T) {
	for _, c := range []struct {
		err  error
		want int
	}{
		{nil, exitOK},
		{errors.New("x"), exitFailed},
		{usagef("x"), exitUsage},
		{hinted(usagef("x"), "y"), exitUsage},
		{fmt.Errorf("send: %w", &api.Error{Code: api.CodeBadNumber}), exitFailed},
		{fmt.Errorf("send: %w", &api.Error{Code: api.CodeOutcomeUnknown}), exitUnknown},
	} {
		if got := status(c.err); got != c.want {
			t.Errorf("status(%v) = %d, want %d", c.err, got, c.want)
		}
	}
}

// A message that waits further, and the exit status once it does not.
func TestWaitingEnds(t *testing.T) {
	waiting := []api.Part{{Seq: 1, Report: api.ReportWaiting}}
	for _, c := range []struct {
		m       api.Message
		goal    api.State
		settled bool
		status  int
	}{
		{api.Message{State: api.Queued}, api.Sent, false, exitFailed}, // certainly not sent yet
		{api.Message{State: api.Queued, PossibleDuplicate: true}, api.Sent, false, exitUnknown},
		{api.Message{State: api.Sending}, api.Sent, false, exitUnknown},
		{api.Message{State: api.Sent}, api.Sent, true, exitOK},
		{api.Message{State: api.Delivered}, api.Sent, true, exitOK},
		{api.Message{State: api.Delivered}, api.Delivered, true, exitOK},
		{api.Message{State: api.Sent, Parts: waiting}, api.Delivered, false, exitUnknown},
		{api.Message{State: api.Sent, Parts: []api.Part{{Report: api.ReportNone}}}, api.Delivered, true, exitUnknown},
		{api.Message{State: api.Failed}, api.Delivered, true, exitFailed},
		{api.Message{State: api.Expired}, api.Sent, true, exitFailed},
		{api.Message{State: api.Cancelled}, api.Sent, true, exitFailed},
		{api.Message{State: api.Held}, api.Sent, true, exitUnknown},
		// The daemon resends a first unknown by itself; nobody decides a second one.
		{api.Message{State: api.Unknown, OnUnknown: api.OnUnknownResend}, api.Sent, false, exitUnknown},
		{api.Message{State: api.Unknown, OnUnknown: api.OnUnknownResend, PossibleDuplicate: true}, api.Sent, true, exitUnknown},
		{api.Message{State: api.Unknown, OnUnknown: api.OnUnknownHold}, api.Sent, true, exitUnknown},
	} {
		if got := settled(c.m, c.goal); got != c.settled {
			t.Errorf("settled(%+v, %s) = %v", c.m, c.goal, got)
		}
		if got := outcome(c.m, c.goal); got != c.status {
			t.Errorf("outcome(%+v, %s) = %d, want %d", c.m, c.goal, got, c.status)
		}
	}
}

func TestTimeFlag(t *testing.T) {
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	for in, want := range map[string]time.Time{
		"90m":                       now.Add(90 * time.Minute),
		"2026-12-24T18:00:00+01:00": time.Date(2026, 12, 24, 17, 0, 0, 0, time.UTC),
		"2026-12-24T18:00":          time.Date(2026, 12, 24, 18, 0, 0, 0, time.Local),
		"2026-12-24":                time.Date(2026, 12, 24, 0, 0, 0, 0, time.Local),
	} {
		got, err := timeFlag("not-before", in, now)
		if err != nil || !got.Equal(want) {
			t.Errorf("timeFlag(%q) = %v, %v; want %v", in, got, err, want)
		}
	}
	if _, err := timeFlag("expires", "tomorrow", now); status(err) != exitUsage {
		t.Errorf("timeFlag(tomorrow): %v", err)
	}
}

func TestMask(t *testing.T) {
	for _, c := range []struct{ question, in, want string }{
		{"AT+CGSN", "\r\n490154203237518\r\n\r\nOK\r\n", "\r\n111111111111111\r\n\r\nOK\r\n"},
		{"AT+CGMR", "\r\n1418B05SIM800L24\r\nOK\r\n", "\r\n1418B05SIM800L24\r\nOK\r\n"},
		{"ATI", "SIM7600\r\nIMEI: 490154203237518\r\n", "SIM7600\r\nIMEI: 111111111111111\r\n"},
		{"AT+CSCA?", `+CSCA: "+4790000000",145`, `+CSCA: "+1111111111",145`},
		{"AT+CREG?", `+CREG: 2,1,"00C3","A1B2"`, `+CREG: 2,1,"1111","1111"`},
		{"AT+CPMS?", `+CPMS: "SM",3,20`, `+CPMS: "SM",3,20`},
		{"AT+CMGL=4", "+CMGL: 1,1,\"Kari\",23\r\n0791740900000000040A9174090000100000\r\n", "+CMGL: 1,1,\"1111\",23\r\n111111111111111111111111111111111111\r\n"},
		{"AT+CNMI?", "+CNMI: 2,1,0,1,0\r\n+CUSD: 0,\"Your balance is 99\",15\r\n", "+CNMI: 2,1,0,1,0\r\n+CUSD: 0,\"111111111111111111\",15\r\n"},
	} {
		if got := mask(c.question, c.in); got != c.want {
			t.Errorf("mask(%s, %q) = %q, want %q", c.question, c.in, got, c.want)
		}
	}
}

func TestJudge(t *testing.T) {
	text := "one two"
	m := api.Message{ID: "1", To: "+4790000002", Text: &text, State: api.Delivered, Parts: []api.Part{{Seq: 1}, {Seq: 2}}}
	part := func(n int) emulator.Submission {
		return emulator.Submission{To: m.To, Part: n, Total: 2, Text: []string{"", "one ", "two"}[n]}
	}
	unsure, lost := m, m
	unsure.PossibleDuplicate = true
	lost.State = api.Unknown
	for _, c := range []struct {
		m      api.Message
		copies int
		record []emulator.Submission
		want   string
		ok     bool
	}{
		{m, 1, []emulator.Submission{part(1), part(2)}, "every part was accepted exactly once", true},
		{m, 2, []emulator.Submission{part(1), part(2), part(1), part(2)}, "every part was accepted exactly once", true},
		{m, 1, []emulator.Submission{part(1), part(2), part(2)}, "accepted part 2 twice: A DUPLICATE WITHOUT A WORD", false},
		{unsure, 1, []emulator.Submission{part(1), part(2), part(2)}, "accepted part 2 twice, as it says", true},
		{m, 1, []emulator.Submission{part(1)}, "part 2 never accepted: LOST", false},
		{lost, 1, []emulator.Submission{part(1)}, "part 2 not accepted", true},
	} {
		if got, ok := judge(c.m, c.copies, tallies(c.record)); got != c.want || ok != c.ok {
			t.Errorf("judge of %d submissions = %q, %v; want %q, %v", len(c.record), got, ok, c.want, c.ok)
		}
	}
}

func TestParseFault(t *testing.T) {
	name, only, c, err := parseFault("prompt.late:delay=5s,times=1,after=2,probability=0.5,accept,modem=modem1")
	want := emulator.FaultConfig{After: 2, Times: 1, Probability: 0.5, Delay: 5 * time.Second, Accept: true}
	if err != nil || name != "prompt.late" || only != "modem1" || c != want {
		t.Errorf("got %q, %q, %+v, %v", name, only, c, err)
	}
	for _, bad := range []string{"x:after=two", "x:delay=5", "x:speed=1"} {
		if _, _, _, err := parseFault(bad); status(err) != exitUsage {
			t.Errorf("parseFault(%q): %v", bad, err)
		}
	}
}
