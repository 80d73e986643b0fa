package modem

import (
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"time"
)

// The bring-up of MODEMS 1.4. Its policy: every "=?" is a hint, only the OK to a set and a re-read count; what a modem
// refuses and the mail can do without is passed over; each ladder ends in something that works everywhere.

const (
	rouseGap    = 20 * time.Millisecond  // between ESC and CR (warthog618/modem's guard)
	rouseQuiet  = 100 * time.Millisecond // for what was still under way to arrive
	firstAnswer = time.Second            // to the first AT
	beat        = time.Second            // between two tries
	plainTries  = 10                     // for a refusal that gives no reason
	pduTries    = 5
)

// numberGrammar is what may stand between the quotes of a command: no CR, LF, ^Z, ESC or quote can reach the wire.
var numberGrammar = regexp.MustCompile(`^\+?[0-9]{1,20}$`)

// rouse leaves a prompt that a crash may have left open: ESC, never ^Z. It writes past atcmd, which writes nothing before
// its first command; nothing waits for the answer.
func (m *Modem) rouse(ctx context.Context, w io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, m.cfg.Limits.Command)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { m.conn.Close() }) // frees a Write that the port does not take
	defer stop()
	for _, s := range []string{"\x1b", "\r"} {
		if _, err := io.WriteString(w, s); err != nil {
			return err
		}
		if err := m.pause(ctx, rouseGap); err != nil {
			return err
		}
	}
	return m.pause(ctx, rouseQuiet)
}

// bringUp runs all steps, and once more where the modem restarted in the middle of them.
func (m *Modem) bringUp(ctx context.Context, port io.Writer) error {
	if m.cfg.SMSC != "" && !numberGrammar.MatchString(m.cfg.SMSC) {
		return m.startError("config", errors.New("the SMSC is not a number: + and 1 to 20 digits"))
	}
	if n := m.cfg.Network; n != "" && n != AutoNetwork && !networkGrammar.MatchString(n) {
		return m.startError("config", errors.New("the network is neither auto nor 5 or 6 digits"))
	}
	if err := m.rouse(ctx, port); err != nil {
		return m.verdict(ctx, err)
	}
	var err error
	for range 2 {
		if err := m.steps(ctx); err != nil {
			return err
		}
		if err = m.kept(ctx); err == nil {
			return nil
		}
		if m.gone(ctx) != nil {
			return m.verdict(ctx, err)
		}
		m.news.sawBoot()
	}
	if !errors.Is(err, errReset) {
		return nil // it does not like to be asked, twice
	}
	return m.startError("rebooted", errors.New("the modem restarts while it is started; often its power supply is too weak"))
}

func (m *Modem) steps(ctx context.Context) error {
	for _, step := range []func(context.Context) error{
		m.attention, m.identify, m.radioOn, m.unlock, m.identifySIM, m.awaitStore, m.pduMode, m.serviceCentre,
		m.extras, m.storage, m.indications,
	} {
		if err := step(ctx); err != nil || m.gone(ctx) != nil {
			return m.verdict(ctx, err)
		}
	}
	return nil
}

// kept says whether what was set first and what all sending rests on are still in force. What was set last has just been
// read back.
func (m *Modem) kept(ctx context.Context) error {
	echoes := m.conn.Echoes()
	defer func() { m.quiet = m.conn.Echoes() == echoes }()
	if err := m.inPDUMode(ctx); err != nil {
		return err
	}
	if m.cmee != "" {
		return m.inForce(ctx, "+CMEE", m.cmee)
	}
	return m.Ping(ctx)
}

// gone says why nothing more can be asked, nil if something can.
func (m *Modem) gone(ctx context.Context) error {
	if err := m.conn.Err(); err != nil {
		return err
	}
	return ctx.Err()
}

// verdict puts the death of the port above what the step made of it.
func (m *Modem) verdict(ctx context.Context, err error) error {
	var start *StartError
	switch gone := m.gone(ctx); {
	case errors.As(err, &start) && (gone == nil || start.Condition == "pin-refused"):
		return start
	case gone == nil:
		return m.silent(err)
	case isSilence(gone):
		return m.silent(gone)
	case ctx.Err() != nil:
		return m.startError("closed", gone)
	default:
		return m.startError("closed", fmt.Errorf("the port died: %w", gone))
	}
}

func (m *Modem) silent(err error) error {
	return m.startError("silent", fmt.Errorf("nothing answers on this port; is it the modem's AT port, and has the modem power? (%w)", err))
}

// patiently repeats f every second until it is done or the boot limit has passed; then it returns the last error that
// was not the limit itself.
func (m *Modem) patiently(ctx context.Context, f func(context.Context) (done bool, err error)) error {
	ctx, cancel := context.WithTimeout(ctx, m.cfg.Limits.Boot)
	defer cancel()
	var last error
	for {
		done, err := f(ctx)
		if done {
			return err
		}
		if last == nil || ctx.Err() == nil {
			last = err
		}
		if m.pause(ctx, beat) != nil {
			return last
		}
	}
}

// attention waits for any answer to AT, and then makes sure that answers belong to their questions.
func (m *Modem) attention(ctx context.Context) error {
	err := m.patiently(ctx, func(ctx context.Context) (bool, error) {
		_, err := m.exec(ctx, firstAnswer, "")
		return err == nil || refused(err) || m.conn.Err() != nil, err
	})
	if err != nil && !refused(err) {
		if b := m.news.notModem(); b != "" {
			return m.startError("not-a-modem", fmt.Errorf("the port says %q", b))
		}
		return m.silent(err)
	}
	if _, err := m.ask(ctx, "E0V1"); err != nil {
		m.ask(ctx, "E0")
		m.ask(ctx, "V1")
	}
	for _, cmd := range []string{"+CMEE=1", "+CMEE=2"} {
		if _, err := m.ask(ctx, cmd); err == nil {
			break
		}
	}
	for range plainTries {
		v, err := m.query(ctx, "+CMEE?", "+CMEE")
		if m.cmee = v; err == nil || refused(err) || m.gone(ctx) != nil {
			return nil
		}
		m.pause(ctx, rouseQuiet) // an answer from before the start came in between: let the rest of it come
	}
	return nil
}

// identify asks who answers, and chooses the dialect.
func (m *Modem) identify(ctx context.Context) error {
	answers := 0
	tell := func(cmd string) []string {
		lines, err := m.ask(ctx, cmd)
		if err == nil && len(lines) > 0 {
			answers++
		}
		return lines
	}
	m.id.Manufacturer = bare(tell("+CGMI"), "+CGMI")
	m.id.Model = bare(tell("+CGMM"), "+CGMM")
	m.id.Revision = strings.TrimSpace(strings.TrimPrefix(bare(tell("+CGMR"), "+CGMR", "Revision"), "Revision:"))
	m.id.IMEI = parseIMEI(tell("+CGSN"))
	if answers == 0 && m.gone(ctx) == nil {
		return m.startError("not-a-modem", errors.New("AT is answered, but neither maker, model nor IMEI is told"))
	}
	d, ok := dialectFor(m.cfg.Profile, m.id.Manufacturer, m.id.Model)
	if !ok {
		return m.startError("config", fmt.Errorf("there is no profile %q: leave it out, or name one of %s", m.cfg.Profile, profileNames()))
	}
	m.dialect, m.set.Profile, m.set.SMSS, m.set.KeepsMR = d, d.name, d.smss, d.keepsMR
	for _, cmd := range d.init {
		m.ask(ctx, cmd)
	}
	return nil
}

// radioOn leaves flight mode. Once: CFUN in a loop wears the modem out and wakes nothing.
func (m *Modem) radioOn(ctx context.Context) error {
	v, err := m.query(ctx, "+CFUN?", "+CFUN")
	if mode, ok := number(fields(v), 0); err == nil && ok && mode != 1 {
		m.exec(ctx, m.cfg.Limits.Boot, "+CFUN=1")
		m.news.sawBoot()
	}
	return nil
}

// identifySIM reads IMSI and ICCID; a SIM just unlocked is busy for a while.
func (m *Modem) identifySIM(ctx context.Context) error {
	tries := 0
	m.patiently(ctx, func(ctx context.Context) (bool, error) {
		var err error
		m.id.IMSI, err = m.readIMSI(ctx)
		tries++
		return m.id.IMSI != "" || !starting(err) && tries >= 3, err
	})
	if m.id.ICCID == "" {
		m.id.ICCID = m.readICCID(ctx)
	}
	return nil
}

// imsiSaid is how often a card has to say its number before it is believed: messages are bound to the SIM, and would
// wait for one that does not exist. A line that loses a byte in a thousand has spoilt it twice in the same way.
const imsiSaid = 3

// readIMSI asks until one number was said imsiSaid times; "" if the card tells none, or never the same.
func (m *Modem) readIMSI(ctx context.Context) (string, error) {
	said := map[string]int{}
	for range 2*imsiSaid - 1 {
		imsi, err := m.askIMSI(ctx)
		if imsi == "" {
			return "", err
		}
		if said[imsi]++; said[imsi] == imsiSaid {
			return imsi, nil
		}
	}
	return "", nil
}

// askIMSI asks once; "" if the card tells none.
func (m *Modem) askIMSI(ctx context.Context) (string, error) {
	lines, err := m.ask(ctx, "+CIMI")
	if err != nil {
		return "", err
	}
	return parseIMSI(lines), nil
}

// SameSIM asks whether the card is the one that Open found: with one command where the card tells its IMSI. A card that
// does not answer now counts as the same. An error means that the port died or ctx ended.
func (m *Modem) SameSIM(ctx context.Context) (bool, error) {
	if m.id.IMSI == "" {
		iccid := m.readICCID(ctx)
		return iccid == "" || m.id.ICCID == "" || iccid == m.id.ICCID, m.gone(ctx)
	}
	if imsi, _ := m.askIMSI(ctx); imsi == "" || imsi == m.id.IMSI {
		return true, m.gone(ctx)
	}
	imsi, _ := m.readIMSI(ctx) // one that the line spoilt is not said so often
	return imsi == "" || imsi == m.id.IMSI, m.gone(ctx)
}

// readICCID asks in every way known until one tells it. EF_ICCID may be read before the PIN (TS 31.102 4.2.1, TS 102.221 13.2).
func (m *Modem) readICCID(ctx context.Context) string {
	for _, cmd := range append(m.dialect.iccid[:len(m.dialect.iccid):len(m.dialect.iccid)], "+CCID", "+ICCID") {
		if lines, err := m.ask(ctx, cmd); err == nil {
			if id := parseICCID(lines); id != "" {
				return id
			}
		}
	}
	if lines, err := m.ask(ctx, "+CRSM=176,12258,0,0,10"); err == nil {
		content, _ := parseCRSM(lines)
		return parseICCID([]string{swapNibbles(content)})
	}
	return ""
}

// awaitStore waits for the message store: its first answer, or the modem's own word that it is ready.
func (m *Modem) awaitStore(ctx context.Context) error {
	plain := 0
	err := m.patiently(ctx, func(ctx context.Context) (bool, error) {
		lines, err := m.ask(ctx, "+CPMS?")
		if v, ok := value(lines, "+CPMS"); ok && err == nil {
			m.remember(v)
		}
		switch {
		case err == nil, m.news.sawReady(), m.conn.Err() != nil:
			return true, nil
		case starting(err):
			m.news.sawBoot()
			return false, err
		}
		if plain++; plain >= plainTries {
			return true, nil // a modem without a store can still send
		}
		return false, err
	})
	if err != nil {
		return m.startError(simCondition(err), fmt.Errorf("the message store does not come up: %w", err))
	}
	return nil
}

// pduMode sets CMGF=0 and reads it back: it is the one thing without which there is no SMS here. A modem that is in that
// mode needs no command for it, and one that took the command need not tell.
func (m *Modem) pduMode(ctx context.Context) error {
	tries := 0
	err := m.patiently(ctx, func(ctx context.Context) (bool, error) {
		_, set := m.ask(ctx, "+CMGF=0")
		err := m.inForce(ctx, "+CMGF", "0")
		tries++
		if m.hidesPDU = tries >= pduTries && set == nil && untold(err); m.hidesPDU {
			return true, nil
		}
		return err == nil || !starting(err) && tries >= pduTries || m.conn.Err() != nil, err
	})
	if err != nil {
		return m.startError("no-sms", fmt.Errorf("PDU mode is not taken: %w", err))
	}
	if _, err := m.ask(ctx, `+CSCS="GSM"`); err != nil {
		m.ask(ctx, `+CSCS="IRA"`)
	}
	return nil
}

// serviceCentre reads the SMSC, and sets the configured one where another or none is there.
func (m *Modem) serviceCentre(ctx context.Context) error {
	m.readSMSC(ctx)
	if want := m.cfg.SMSC; want != "" && want != m.set.SMSC {
		m.writeSMSC(ctx, want)
	}
	return nil
}

// FindServiceCentre asks again for the SMSC that was missing at the start, for the SIM may have told it too late, and
// says whether there may be one.
func (m *Modem) FindServiceCentre(ctx context.Context) bool {
	m.readSMSC(ctx)
	return !m.set.NoSMSC()
}

func (m *Modem) readSMSC(ctx context.Context) {
	v, err := m.query(ctx, "+CSCA?", "+CSCA")
	m.set.SMSC, m.set.hushed = parseSMSC(v), refused(err) && !starting(err) && !isCMS(err, 330)
}

// extras are told where the modem tells them.
func (m *Modem) extras(ctx context.Context) error {
	for _, cmd := range []string{"+CREG=1", "+CEREG=1", "+COPS=3,0"} {
		m.ask(ctx, cmd)
	}
	lines, _ := m.ask(ctx, "+CNUM")
	m.id.Number = parseOwnNumber(lines)
	m.chooseNetwork(ctx)
	return nil
}

// starting says that the modem or its SIM is not ready yet (MODEMS 1.4 step 3): ask again.
func starting(err error) bool {
	return isCME(err, 10, 13, 14, 15, 256, 258, 515, 772) || isCMS(err, 310, 313, 314, 315, 512, 515)
}

// simCondition names what the SIM was still said to be at the end of the boot limit.
func simCondition(err error) string {
	switch {
	case isCME(err, 10) || isCMS(err, 310):
		return "sim-absent"
	case isCME(err, 14, 256, 258, 515) || isCMS(err, 314, 512, 515):
		return "sim-busy"
	}
	return "sim-failure"
}
