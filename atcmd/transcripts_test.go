package atcmd

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// A transcript is what a modem was seen to answer, with where that is written down. How its fields are read is
// package modem's business; here every line must arrive as it was sent, at the right place.
type transcript struct {
	Repo       string          `json:"source_repo"`
	Commit     string          `json:"commit"`
	Path       string          `json:"path"`
	Name       string          `json:"name"`
	Kind       string          `json:"kind"`
	Text       string          `json:"transcript"`
	Expected   json.RawMessage `json:"expected"`
	Solicited  *bool           `json:"solicited"`
	sourceLine string
}

func loadTranscripts(t *testing.T) []transcript {
	t.Helper()
	ts, err := readTranscripts("testdata/at-transcripts.json")
	if err != nil {
		t.Fatal(err)
	}
	return ts
}

func readTranscripts(file string) ([]transcript, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var ts []transcript
	if err := json.Unmarshal(b, &ts); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	if len(ts) == 0 {
		return nil, fmt.Errorf("%s: no transcripts", file)
	}
	for i := range ts {
		x := &ts[i]
		if x.Repo == "" || x.Commit == "" || x.Path == "" || x.Name == "" || x.Kind == "" {
			return nil, fmt.Errorf("%s: transcript %d does not say where it is from", file, i)
		}
		x.sourceLine = fmt.Sprintf("%s@%.8s %s %s", x.Repo, x.Commit, x.Path, x.Name)
	}
	return ts, nil
}

func TestTranscriptsLoaderRefusesAnEmptySet(t *testing.T) {
	for name, content := range map[string]string{
		"empty":        `[]`,
		"no source":    `[{"kind": "creg", "transcript": "+CREG: 1,1"}]`,
		"not a list":   `{}`,
		"missing file": "",
	} {
		file := t.TempDir() + "/x.json"
		if content != "" {
			if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := readTranscripts(file); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// replay is a transcript as it comes over the wire, and where its lines must arrive.
type replay struct {
	cmd   string // "" for what comes while no command runs
	wire  string
	lines []string
	urcs  []URC
	fails bool
}

// blankCode are the two where we differ: ModemManager tells "+CME ERROR: " (final) from "+CME ERROR:" (not). Blanks at
// the end of a line are noise here, and both end the command: no modem sends either for anything else.
var blankCode = regexp.MustCompile(`^\+CM[ES] ERROR:$`)

func lines(s string) (ls []string) {
	for _, l := range strings.FieldsFunc(s, func(r rune) bool { return r == '\r' || r == '\n' }) {
		if l = strings.TrimSpace(l); l != "" {
			ls = append(ls, l)
		}
	}
	return ls
}

func urcs(ls ...string) (us []URC) {
	for _, l := range ls {
		us = append(us, URC{Line: l})
	}
	return us
}

// queries are the commands that the kinds of plain answers belong to.
var queries = map[string]string{
	"cops-test": "+COPS=?", "cgdcont": "+CGDCONT?", "cind": "+CIND=?", "cscs": "+CSCS=?", "cpms": "+CPMS=?",
	"cpms-query": "+CPMS?", "cmgl": "+CMGL=4", "cmgr": "+CMGR=1",
}

// replays says how a transcript can come.
func (x transcript) replays(t *testing.T) []replay {
	t.Helper()
	ls := lines(x.Text)
	if cmd := queries[x.Kind]; cmd != "" {
		return []replay{answered(cmd, x.Text, ls)}
	}
	switch x.Kind {
	case "creg":
		return x.registration(t, ls)
	case "cds":
		return []replay{{wire: x.Text, urcs: []URC{{Line: ls[0], PDU: ls[1]}}}}
	case "final-result":
		return []replay{x.finalResult(t, ls)}
	case "echo-removal":
		return []replay{x.echo(t)}
	}
	t.Fatalf("%s: kind %q has no replay", x.sourceLine, x.Kind)
	return nil
}

func answered(cmd, text string, ls []string) replay {
	return replay{cmd: cmd, wire: "\r\n" + text + "\r\n\r\nOK\r\n", lines: ls}
}

func (x transcript) registration(t *testing.T, ls []string) []replay {
	t.Helper()
	if x.Solicited == nil {
		t.Fatalf("%s: solicited?", x.sourceLine)
	}
	query := id(ls[0])
	if *x.Solicited {
		return []replay{answered(query+"?", x.Text, ls)}
	}
	own := query + ": 2,5,\"00A1\",\"0000BEEF\",7"
	return []replay{
		{wire: x.Text, urcs: urcs(ls...)},
		{cmd: "+CSCA?", wire: x.Text + "\r\n+CSCA: \"1\",129\r\n\r\nOK\r\n", lines: []string{`+CSCA: "1",129`}, urcs: urcs(ls...)},
		{cmd: query + "?", wire: x.Text + "\r\n" + own + "\r\n\r\nOK\r\n", lines: []string{own}, urcs: urcs(ls...)},
	}
}

func (x transcript) finalResult(t *testing.T, ls []string) replay {
	t.Helper()
	var want struct{ Final, Error bool }
	if err := json.Unmarshal(x.Expected, &want); err != nil {
		t.Fatal(err)
	}
	r := replay{cmd: "+X", wire: x.Text, urcs: urcs(ls[1:]...), fails: want.Error}
	if isBareURC(ls[0]) { // NO CARRIER and the like are final results of a dial command only
		r.cmd = "D123"
	}
	switch {
	case want.Final:
	case blankCode.MatchString(ls[0]):
		r.fails = true
	default:
		r = answered(r.cmd, x.Text, ls)
	}
	return r
}

// echo plays the part before the first line break, which ModemManager removes whatever it is, as the echo that it is:
// of our command. Anything else that a modem says there is not dropped here.
func (x transcript) echo(t *testing.T) replay {
	t.Helper()
	var want struct{ After string }
	if err := json.Unmarshal(x.Expected, &want); err != nil {
		t.Fatal(err)
	}
	wire := x.Text
	if want.After != x.Text {
		wire = "ATI" + want.After
	}
	r := replay{cmd: "I", wire: wire + "\r\n\r\nOK\r\n"}
	for _, l := range lines(want.After) {
		if isBareURC(l) {
			r.urcs = append(r.urcs, URC{Line: l})
		} else {
			r.lines = append(r.lines, l)
		}
	}
	return r
}

// stage is a modem that answers any command with chunks, a millisecond apart.
type stage struct {
	f      *fake
	c      *Conn
	chunks []string
}

func newStage(t *testing.T) *stage {
	s := &stage{}
	f, p := newFake(t, func(f *fake, tok string) bool { s.speak(); return true })
	s.f, s.c = f, Open(p, Config{})
	return s
}

func (s *stage) speak() {
	for _, b := range s.chunks {
		s.f.say(b)
		pass(time.Millisecond)
	}
}

func (s *stage) play(t *testing.T, what string, r replay, chunks ...string) {
	t.Helper()
	s.chunks = chunks
	if r.cmd == "" {
		s.speak()
	} else {
		resp, err := s.c.Exec(bg, r.cmd)
		var fe *ExecError
		switch {
		case r.fails && !errors.As(err, &fe):
			t.Fatalf("%s: AT%s did not fail: %q", what, r.cmd, resp.Lines)
		case !r.fails && err != nil:
			t.Fatalf("%s: AT%s: %v", what, r.cmd, err)
		}
		eq(t, what+": answer", resp.Lines, r.lines)
	}
	pass(time.Duration(len(chunks)+1) * time.Millisecond) // what comes after the final result
	synctest.Wait()
	eq(t, what+": URCs", drain(s.c), r.urcs)
}

func eachReplay(t *testing.T, test func(t *testing.T, s *stage, what string, r replay)) {
	t.Helper()
	for _, x := range loadTranscripts(t) {
		for _, r := range x.replays(t) {
			synctest.Test(t, func(t *testing.T) {
				s := newStage(t)
				test(t, s, x.sourceLine, r)
				eq(t, "close", s.c.Close(), nil)
			})
		}
	}
}

func TestTranscriptsWhole(t *testing.T) {
	eachReplay(t, func(t *testing.T, s *stage, what string, r replay) { s.play(t, what, r, r.wire) })
}

func TestTranscriptsSplitAtEveryByte(t *testing.T) {
	eachReplay(t, func(t *testing.T, s *stage, what string, r replay) {
		for i := 1; i < len(r.wire); i++ {
			s.play(t, fmt.Sprintf("%s cut at %d", what, i), r, r.wire[:i], r.wire[i:])
		}
		s.play(t, what+" byte by byte", r, strings.Split(r.wire, "")...)
	})
}

func TestTranscriptsWithAURCAtEveryLineBoundary(t *testing.T) {
	guests := []inject{
		{wire: "\r\n+CMTI: \"SM\",3\r\n", want: urcs(`+CMTI: "SM",3`)},
		{wire: "\r\n^RSSI: 12\r\n\r\nRDY\r\n", want: urcs("^RSSI: 12", "RDY")},
		{wire: "\r\n+CMT: ,20\r\n" + hexPDU(20, 0xC1) + "\r\n", want: []URC{{Line: "+CMT: ,20", PDU: hexPDU(20, 0xC1)}}},
	}
	eachReplay(t, func(t *testing.T, s *stage, what string, r replay) {
		guests := guests
		if len(r.urcs) == 1 && r.urcs[0].PDU != "" {
			guests = guests[:2] // no modem puts a message between another and its header
		}
		for _, at := range boundaries(r.wire) {
			for _, g := range guests {
				with := r
				with.urcs = insert(r, g, at)
				s.play(t, fmt.Sprintf("%s with %q at %d", what, g.wire, at), with, r.wire[:at]+g.wire+r.wire[at:])
			}
		}
	})
}

// boundaries are the places where a line starts or the wire ends.
func boundaries(wire string) []int {
	at := []int{0}
	for i := 1; i < len(wire); i++ {
		if wire[i-1] == '\n' || wire[i-1] == '\r' && wire[i] != '\n' {
			at = append(at, i)
		}
	}
	return append(at, len(wire))
}

// insert puts the URCs of g where they belong among those of r. A URC that is told from the answer only by what comes
// after it arrives late, a message when its PDU is complete.
func insert(r replay, g inject, at int) []URC {
	n := 0
	for _, u := range r.urcs {
		last := u.Line
		if u.PDU != "" {
			last = u.PDU
		}
		end := strings.Index(r.wire, last) + len(last)
		shadowed := strings.TrimSuffix(r.cmd, "?") == id(u.Line) && isRegAnswer(u.Line)
		if end <= at && (!shadowed || at > strings.Index(r.wire, r.lines[0])) {
			n++
		}
	}
	return slices.Insert(slices.Clone(r.urcs), n, g.want...)
}
