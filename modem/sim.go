package modem

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"simpost/atcmd"
)

// The PIN. Its policy: a wrong PIN costs a SIM, three of them cost a visit. So a PIN is entered once for a SIM on which
// it is not known to work; that it is about to be entered is on disk before it leaves; never with two tries left or
// fewer, unless a person says that one may be enough; a PUK never.

const triesKept = 2

// shortICCID is the shortest, without a check digit.
const shortICCID = 18

var pinGrammar = regexp.MustCompile(`^[0-9]{4,8}$`)

// unlock waits until the SIM says what it wants, and gives it the PIN once.
func (m *Modem) unlock(ctx context.Context) error {
	entered := false
	err := m.patiently(ctx, func(ctx context.Context) (bool, error) {
		state, err := m.pinState(ctx)
		switch {
		case m.conn.Err() != nil:
			return true, err
		case err != nil:
			m.news.sawBoot()
			return false, err
		case state == "SIM PIN" && !entered:
			m.news.sawBoot()
			entered = true
			err := m.enterPIN(ctx)
			return err != nil, err
		case state == "SIM PIN":
			return false, errors.New("the PIN was taken, but the SIM still asks for it")
		}
		return true, m.judgePIN(state)
	})
	var start *StartError
	if err != nil && !errors.As(err, &start) {
		return m.startError(simCondition(err), fmt.Errorf("the SIM does not get ready: %w", err))
	}
	return err
}

// pinState is CPIN?'s word. READY without an OK (Wavecom) and an OK without a word count as READY, a lock told as an error
// as told in words, and words for a SIM that is absent or not ready become the error that other modems give. Of a modem
// without that command the IMSI tells it.
func (m *Modem) pinState(ctx context.Context) (string, error) {
	cmd := atcmd.Command{Line: "+CPIN?"}
	if m.dialect.bareREADY {
		cmd.Final = "+CPIN: READY"
	}
	r, err := m.patientOnce(ctx, m.cfg.Limits.Command, cmd)
	lines := r.Lines
	var failed *atcmd.ExecError
	if errors.As(err, &failed) {
		lines = failed.Lines
		m.dialect.bareREADY = m.dialect.bareREADY || failed.Sent && !refused(err) && parsePIN(lines) == "READY" // learnt: no OK comes
	}
	switch state := parsePIN(lines); {
	case slices.Contains(absent, state):
		return "", atcmd.CMEError(10)
	case slices.Contains(notYet, state):
		return "", atcmd.CMEError(14)
	case state != "":
		return state, nil
	case err == nil:
		return "READY", nil
	case isCME(err, 11) || isCMS(err, 311):
		return "SIM PIN", nil
	case isCME(err, 12) || isCMS(err, 316):
		return "SIM PUK", nil
	case isCME(err, 5) || isCMS(err, 312):
		return "PH-SIM PIN", nil
	case untold(err) && !starting(err) && m.tellsIMSI(ctx):
		return "READY", nil
	}
	return "", err
}

// tellsIMSI says that the SIM waits for no PIN: until then the card tells no IMSI (TS 31.102 4.2.2).
func (m *Modem) tellsIMSI(ctx context.Context) bool {
	imsi, _ := m.askIMSI(ctx)
	return imsi != ""
}

// Words beyond TS 27.007 8.3 that modems answer CPIN? with, where others answer an error.
var (
	absent = []string{"NOT INSERTED", "SIM NOT INSERTED", "NO SIM", "ABSENT", "SIM REMOVED"}
	notYet = []string{"NOT READY", "SIM BUSY", "BUSY", "INIT"}
)

func (m *Modem) judgePIN(state string) error {
	switch state {
	case "READY", "SIM PIN2", "SIM PUK2": // the second PIN guards the fixed dialling list only
		return nil
	case "SIM PUK":
		return m.startError("puk-required", errors.New("the SIM is blocked: unblock it in a phone with its PUK"))
	}
	return m.startError("device-locked", fmt.Errorf("the modem asks for %s: it is locked to an operator or a SIM", state))
}

// enterPIN enters it, once ever for a SIM on which it is not known to work.
func (m *Modem) enterPIN(ctx context.Context) error {
	pin, err := m.pin()
	if err != nil {
		return m.startError("pin-required", err)
	}
	m.id.ICCID = m.readICCID(ctx)
	look, mark := m.pinKeys()
	if len(mark) == 0 {
		return m.startError("pin-guard", errors.New("neither SIM nor modem tells its number, so a wrong PIN could not be remembered: enter the PIN in a phone, or switch it off"))
	}
	if slices.ContainsFunc(look, m.cfg.Guard.Tried) {
		return m.startError("pin-refused", errors.New("this PIN was tried on this SIM before and is not known to work; it is not tried again"))
	}
	before, known := m.triesLeft(ctx)
	if known && before <= cmp.Or(m.cfg.Guard.Keep, triesKept) {
		return m.startError("pin-guard", fmt.Errorf("the SIM has %d tries left: enter the PIN in a phone", before))
	}
	if err := forEach(mark, m.cfg.Guard.Trying); err != nil {
		forEach(mark, m.cfg.Guard.Worked) // it is not entered
		return m.startError("pin-guard", fmt.Errorf("record that the PIN is tried: %w", err))
	}
	_, err = m.once(ctx, 3*m.cfg.Limits.Command, atcmd.Command{Line: `+CPIN="` + pin + `"`})
	return m.pinAnswer(ctx, mark, before, known, err)
}

// pinKeys are where a try is looked for and where it is recorded. A card may tell its ICCID at one start and not at the
// next: "blind" records a try on a card without a name, and counts for every card in this modem; "imei" records any try
// in this modem, and counts for a card without a name.
func (m *Modem) pinKeys() (look, mark []string) {
	id, blind, any := strings.ToUpper(m.id.ICCID), "blind-"+m.id.IMEI, "imei-"+m.id.IMEI
	switch {
	case id != "" && m.id.IMEI != "":
		return append(spellings(m.id.ICCID), blind), []string{id, any}
	case id != "":
		return spellings(m.id.ICCID), []string{id}
	case m.id.IMEI != "":
		return []string{any}, []string{blind, any}
	}
	return nil, nil
}

// spellings are the names by which a modem may have told the card that is now told as iccid: without its check digit or
// with one (ITU-T E.118), in upper or lower case. No shorter name is this card's alone: cards are numbered in series.
func spellings(iccid string) []string {
	id := strings.ToUpper(iccid)
	all := []string{id, iccid}
	if len(id) < shortICCID {
		return all
	}
	for check := range 10 {
		all = append(all, id+strconv.Itoa(check))
	}
	if len(id) > shortICCID {
		all = append(all, id[:len(id)-1])
	}
	return all
}

func forEach(keys []string, f func(string) error) error {
	for _, key := range keys {
		if err := f(key); err != nil {
			return err
		}
	}
	return nil
}

// pin reads the PIN and holds it against the grammar; the error never shows it.
func (m *Modem) pin() (string, error) {
	g := m.cfg.Guard
	if m.cfg.PIN == nil {
		return "", errors.New("the SIM asks for its PIN and none is configured")
	}
	if g.Tried == nil || g.Trying == nil || g.Worked == nil {
		return "", errors.New("the SIM asks for its PIN, and nothing remembers a wrong one: not entered")
	}
	pin, err := m.cfg.PIN()
	if err != nil {
		return "", fmt.Errorf("read the PIN: %w", err)
	}
	if !pinGrammar.MatchString(pin) {
		return "", errors.New("the configured PIN is not 4 to 8 digits")
	}
	return pin, nil
}

// pinAnswer settles what the PIN's one try came to. Only an OK, or a counter that did not move, takes the mark away.
func (m *Modem) pinAnswer(ctx context.Context, keys []string, before int, known bool, err error) error {
	if err == nil {
		if err := forEach(keys, m.cfg.Guard.Worked); err != nil {
			return m.startError("pin-guard", fmt.Errorf("record that the PIN works: %w", err))
		}
		for _, cmd := range m.dialect.unlocked {
			m.ask(ctx, cmd)
		}
		return nil
	}
	if isCME(err, 16) || m.conn.Err() != nil {
		return m.startError("pin-refused", fmt.Errorf("the PIN was not taken, and is not tried again: %w", err))
	}
	if state, serr := m.pinState(ctx); serr == nil && state == "READY" {
		return m.pinAnswer(ctx, keys, before, known, nil)
	}
	if after, ok := m.triesLeft(ctx); ok && known && after == before {
		if werr := forEach(keys, m.cfg.Guard.Worked); werr == nil {
			return m.startError("sim-busy", fmt.Errorf("the SIM did not look at the PIN: %w", err))
		}
	}
	return m.startError("pin-refused", fmt.Errorf("the PIN was not taken, and is not tried again: %w", err))
}

// triesLeft is how often the PIN may still be wrong.
func (m *Modem) triesLeft(ctx context.Context) (n int, known bool) {
	t := m.tries(ctx)
	return t.PIN, t.PIN >= 0
}

// Tries is how often a secret of the SIM may still be wrong, -1 where the modem does not tell.
type Tries struct{ PIN, PUK int }

// tries asks the dialect's counter, and the standard's where that says nothing.
func (m *Modem) tries(ctx context.Context) Tries {
	for _, c := range []counter{m.dialect.left, generic.left} {
		if lines, err := m.ask(ctx, c.cmd); err == nil {
			if t := c.read(lines); t.PIN >= 0 {
				return t
			}
		}
	}
	return Tries{-1, -1}
}

// read finds both numbers in the counter's answer.
func (c counter) read(lines []string) Tries {
	t := Tries{-1, -1}
	for _, l := range lines {
		v, ok := cutName(l, c.name)
		f := fields(v)
		n, isNumber := number(f, c.field)
		switch {
		case !ok || !isNumber:
		case c.label == "SIM PIN" && f[0] == "SIM PUK":
			t.PUK = n
		case t.PIN < 0 && (c.label == "" || f[0] == c.label):
			t.PIN = n
			if puk, ok := number(f, c.puk); ok && c.puk > 0 {
				t.PUK = puk
			}
		}
	}
	return t
}
