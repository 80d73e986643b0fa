package modem

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"simpost/atcmd"
)

// Typed is an AT command that a person may run on a modem at work. The zero value
// is plain AT.
type Typed struct {
	line string // without AT
	sets bool
}

// Sets says that the command changes something: open the modem anew after it.
func (t Typed) Sets() bool { return t.sets }

// Verb is the command without its arguments, which may be secret.
func (t Typed) Verb() string {
	verb, _, _ := strings.Cut(t.line, "=")
	return "AT" + verb
}

// TypedLimit is the longest line that a person may type.
const TypedLimit = 128

// One command a line (V.250 5.2.1 allows several): what follows a basic command or
// a semicolon would not be looked at.
var (
	typedBasic    = regexp.MustCompile(`^(I[0-9]?|&V)?$`)
	typedExtended = regexp.MustCompile(`^([+*^$%#][A-Z0-9]{2,16})(\?|=\?|=[ -:<-~]*)?$`)
	typedSIMRead  = regexp.MustCompile(`^\+CRSM=(176|178|192|242)(,[0-9]{1,5}){0,4}$`) // TS 27.007 8.18
)

// typedRefused is what a person can't type, by what a command's name contains:
// makers put their own letters around the standard's. A question (? and =?) is
// always allowed. It holds what is known to be dangerous and cannot hold all.
var typedRefused = []struct {
	name *regexp.Regexp
	why  string
}{
	{regexp.MustCompile("CMGS|CMGW|CMGC|CMSS|CMGMS"), "it sends or stores a message, and simpost must know of every one"},
	{regexp.MustCompile("CMGD|MGDA|CMGR|CMGL|CNMA"), "it deletes, marks or acknowledges a message that simpost may not have kept yet"},
	{regexp.MustCompile("PIN|PUK|PWD|CLCK|SPIC"), "it can use up the tries of the SIM's PIN"},
	{regexp.MustCompile("CFUN|POF|POWD|PWROFF|RESET|REBOOT|RST|SMSO|SHDN"), "it restarts the modem or switches it off"},
	{regexp.MustCompile("CRSM|CSIM|CGLA|STK|STGR|SAT"), "it can write to the SIM"},
	{regexp.MustCompile("CUSD|DTMF|CHLD|CACM|CAMM"), "it can cost money"},
	{regexp.MustCompile("EGMR|IMEI|FOTA|QFW|UPDATE"), "it changes the modem's identity or its program"},
}

var errTyped = errors.New("one AT command: AT, ATI, AT&V, AT+NAME, AT+NAME?, AT+NAME=? or AT+NAME=..., printable, without a semicolon")

// ParseTyped reads what a person typed, with or without AT; the error says why it
// is refused. Names may be in small letters.
func ParseTyped(text string) (Typed, error) {
	text = strings.TrimSpace(text)
	if len(text) >= 2 && strings.EqualFold(text[:2], "AT") {
		text = text[2:]
	}
	name, args, set := strings.Cut(text, "=")
	name = strings.ToUpper(name)
	if set {
		text = name + "=" + args
	} else {
		text = name
	}
	if typedBasic.MatchString(text) {
		return Typed{line: text}, nil
	}
	m := typedExtended.FindStringSubmatch(text)
	if m == nil || len(text) > TypedLimit {
		return Typed{}, errTyped
	}
	if m[2] == "?" || m[2] == "=?" || typedSIMRead.MatchString(text) {
		return Typed{line: text}, nil
	}
	for _, row := range typedRefused {
		if row.name.MatchString(m[1]) {
			return Typed{}, fmt.Errorf("AT%s is refused: %s", m[1], row.why)
		}
	}
	return Typed{line: text, sets: m[2] != ""}, nil
}

// Type runs t until ctx ends. A final result of the modem is an answer, whichever
// it is; an error means that there was none, and Err then says whether the port lives.
func (m *Modem) Type(ctx context.Context, t Typed) (lines []string, result string, err error) {
	m.stir(ctx)
	r, err := m.conn.Exec(ctx, t.line)
	m.used = time.Now()
	switch x, ok := errors.AsType[*atcmd.ExecError](err); {
	case err == nil:
		return r.Lines, "OK", nil
	case ok && refused(err):
		return x.Lines, x.Err.Error(), nil
	}
	return nil, "", err
}
