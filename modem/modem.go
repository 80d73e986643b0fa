// Package modem is a GSM modem that sends, keeps and hands over SMS in PDU mode (TS 27.005, TS 27.007): bring-up,
// identity, the table of dialects, send, list, delete, status, USSD. The daemon's session is its one caller.
//
// What a reader would get wrong: a bare error of Send says nothing. Every error of Send is a *SendError, and its Outcome
// (NotSent, Rejected, Unknown) is what tells a retry from a duplicate.
package modem

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"simpost/atcmd"
)

// Config says how to bring a modem up. The zero value works for a SIM without a PIN.
type Config struct {
	Name    string                 // of the modem, for errors
	Profile string                 // name of a dialect; "" finds it by manufacturer and model
	PIN     func() (string, error) // reads the PIN when the SIM asks for it; nil: none is configured
	Guard   PINGuard               // remembers which SIM refused a PIN; without it no PIN is entered
	SMSC    string                 // service centre to set when the SIM holds another or none; "" leaves the SIM's
	Network string                 // to be in: MCC and MNC, or AutoNetwork; "" leaves the modem's choice
	Limits  Limits

	// Resynced, if set, is told that a command was given up, and whether the modem answers again. It must return soon.
	Resynced func(ok bool)
	// Trace, if set, is told every line written ('>') and read ('<'), PINs left out. It must return soon.
	Trace func(dir byte, line string)
}

// PINGuard keeps a wrong PIN from being entered twice, over restarts and power cuts. All three must be set to use a PIN.
// They are called from Open only. A key is an ICCID, or names the modem ("imei-..", "blind-..") for cards that hide their
// ICCID behind the PIN; one try is recorded under two keys, and looked for under all that the card may have told.
type PINGuard struct {
	Keep   int                    // tries that stay for a person; 0 is 2, the least is 1
	Tried  func(key string) bool  // a PIN was entered on this SIM and never seen to work
	Trying func(key string) error // makes "tried" durable; called before AT+CPIN=
	Worked func(key string) error // forgets it: the PIN was right, or the SIM's counter proves that it was not looked at
}

// Identity names the hardware and the SIM. What the modem would not tell is empty.
type Identity struct {
	Manufacturer, Model, Revision string
	IMEI                          string
	IMSI, ICCID                   string
	Number                        string // the SIM's own number, where it is written on it
}

// Settings is what the bring-up reached.
type Settings struct {
	Profile  string   // name of the dialect in use
	SMSC     string   // service centre on the SIM, "" if none or not told
	hushed   bool     // it refuses to tell the service centre: there may be one
	CNMI     string   // indication mode in force, "poll" where every rung was refused
	CSMS     int      // 1: every direct PDU waits for Ack
	Memories []string // physical memories that List sweeps; empty: stored messages can't be read
	Receive  string   // memory where incoming messages land (mem3)
	SMSS     string   // what EF_SMSS tells after a crash: "none", "before-radio" (HOUSE 8)
	KeepsMR  bool     // the modem sends the host's TP-MR and not its own
}

// NoSMSC says that the SIM has no service centre: it can't send (CMS 330).
func (s Settings) NoSMSC() bool { return s.SMSC == "" && !s.hushed }

// Modem is a modem that is ready to send. One goroutine uses it at a time; Wake and Done may be waited on elsewhere.
type Modem struct {
	cfg     Config
	dialect dialect
	conn    *atcmd.Conn
	id      Identity
	set     Settings
	news    *news

	status Status // as last seen
	looked int    // questions Glance has asked

	mems     [3]string       // CPMS in force, "" where not known
	told     bool            // mems are CPMS?'s own words, and nothing was set since
	counting bool            // CPMS? was answered once
	arity    int             // how many memories AT+CPMS= takes on this modem
	asksCNMI bool            // CNMI? reads back what CNMI= set
	cmee     string          // what CMEE? said at the start
	hidesPDU bool            // it took CMGF=0, and CMGF? does not say so
	scan     map[string]bool // memories whose CMGL is not to be trusted
	swept    map[string]bool // memories that could be selected once
	phantom  map[string]int  // messages CPMS counts and nobody can read
	sent     time.Time       // the last message was answered, or given up
	linkKept bool            // AT+CMMS=2 was given
	quiet    bool            // it was told not to echo, and obeyed
	used     time.Time       // the last exchange ended
	sleeps   bool            // it was found asleep: it hears nothing until it was stirred
	viaStore bool            // it refuses AT+CMGS; messages go by AT+CMGW and AT+CMSS
}

// Open takes the port, brings the modem up to message indications (MODEMS 1.4) and does not wait for a network. It owns
// rwc from here on, and closes it when it fails; every error is a *StartError.
func Open(ctx context.Context, rwc io.ReadWriteCloser, cfg Config) (*Modem, error) {
	cfg.Limits = cfg.Limits.withDefaults()
	m := &Modem{cfg: cfg, dialect: generic, scan: map[string]bool{}, swept: map[string]bool{}, phantom: map[string]int{}}
	m.conn = atcmd.Open(rwc, atcmd.Config{Trace: cfg.Trace, Resynced: cfg.Resynced})
	m.news = listen(m.conn)
	if err := m.bringUp(ctx, rwc); err != nil {
		m.Close()
		return nil, err
	}
	m.news.up()
	return m, nil
}

// Identity is what Open learnt.
func (m *Modem) Identity() Identity { return m.id }

// Settings is what Open reached.
func (m *Modem) Settings() Settings { return m.set }

// Close ends the conversation, closes the port and joins every goroutine. It may be called again.
func (m *Modem) Close() error {
	m.conn.Close()
	<-m.news.done
	return nil
}

// Done is closed when the port died or Close was called; Err then says why.
func (m *Modem) Done() <-chan struct{} { return m.news.done }

// Err is the first cause of the port's death, nil while it lives.
func (m *Modem) Err() error { return m.conn.Err() }

// once runs AT+cmd under a limit of its own. An echo from a modem that was told not to is a silent reboot.
func (m *Modem) once(ctx context.Context, limit time.Duration, cmd atcmd.Command) (atcmd.Response, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	m.stir(ctx)
	echoes := m.conn.Echoes()
	r, err := m.conn.Do(ctx, cmd)
	m.used = time.Now()
	if m.quiet && m.conn.Echoes() != echoes {
		m.news.rebooted()
	}
	return r, err
}

// patientOnce is once, and again for a while where 515 means "please wait", and once more where the modem slept.
func (m *Modem) patientOnce(ctx context.Context, limit time.Duration, cmd atcmd.Command) (atcmd.Response, error) {
	for try := 1; ; try++ {
		idle := m.idle()
		r, err := m.once(ctx, limit, cmd)
		if idle && m.slept(ctx, cmd.Line, err) {
			return m.once(ctx, limit, cmd)
		}
		if !m.dialect.waits || !isCME(err, 515) || try == waitTries || m.pause(ctx, beat) != nil {
			return r, err
		}
	}
}

// waitTries bounds the questions to a modem that says "please wait".
const waitTries = 5

// napAfter is less than any module takes to fall asleep (SIM800: 5 s, u-blox: 9 s). A module stirred hears after stirPause.
const (
	napAfter  = 2 * time.Second
	stirPause = 100 * time.Millisecond
	wakeLimit = 5 * time.Second // for the answer of a modem that was perhaps asleep
)

// stir wakes a modem that is known to sleep: the first thing that it is told is lost.
func (m *Modem) stir(ctx context.Context) {
	if m.sleeps && m.idle() && m.conn.Stir(ctx) == nil {
		m.pause(ctx, stirPause)
	}
}

// idle says that nothing was asked for so long that a module may have fallen asleep.
func (m *Modem) idle() bool { return !m.used.IsZero() && time.Since(m.used) >= napAfter }

// slept finds out whether a question after idle time went unanswered because the modem was asleep: it does answer the
// next one. That is remembered; what may not be asked twice is no question.
func (m *Modem) slept(ctx context.Context, line string, err error) bool {
	if m.sleeps || !strings.HasSuffix(line, "?") || !errors.Is(err, context.DeadlineExceeded) || m.gone(ctx) != nil {
		return false
	}
	_, err = m.once(ctx, wakeLimit, atcmd.Command{})
	m.sleeps = err == nil || refused(err)
	return m.sleeps
}

// exec runs a plain command under a limit of its own.
func (m *Modem) exec(ctx context.Context, limit time.Duration, cmd string) ([]string, error) {
	r, err := m.patientOnce(ctx, limit, atcmd.Command{Line: cmd})
	return r.Lines, err
}

// ask is exec with the limit of plain commands.
func (m *Modem) ask(ctx context.Context, cmd string) ([]string, error) {
	return m.exec(ctx, m.cfg.Limits.Command, cmd)
}

// query runs a command that must answer with a line of the given name: a final without it proves nothing.
func (m *Modem) query(ctx context.Context, cmd, name string) (string, error) {
	lines, err := m.ask(ctx, cmd)
	if err != nil {
		return "", err
	}
	v, ok := value(lines, name)
	if !ok {
		return "", fmt.Errorf("AT%s: %w", cmd, errNoLine)
	}
	return v, nil
}

var errNoLine = errors.New("answered OK without the line that was asked for")

var errReset = errors.New("the modem lost its settings: it was reset, open it again")

// Ping is a round trip whose answer can't be taken for an older one, and shows whether the settings still are in force:
// after a silent reboot they are not. It asks for the one that the modem tells: indications, CMEE or PDU mode; one that
// tells none of them has only an OK to show.
func (m *Modem) Ping(ctx context.Context) error {
	switch {
	case m.asksCNMI:
		v, err := m.query(ctx, "+CNMI?", "+CNMI")
		if err == nil && !sameCNMI(v, m.set.CNMI) {
			err = errReset
		}
		return err
	case m.cmee != "" && m.cmee != "0":
		return m.inForce(ctx, "+CMEE", m.cmee)
	}
	return m.inPDUMode(ctx)
}

// inPDUMode is inForce for CMGF=0; of a modem that does not tell, an OK is all there is.
func (m *Modem) inPDUMode(ctx context.Context) error {
	if m.hidesPDU {
		_, err := m.ask(ctx, "")
		return err
	}
	return m.inForce(ctx, "+CMGF", "0")
}

// inForce asks for a setting and fails where it is another than what was set.
func (m *Modem) inForce(ctx context.Context, name, want string) error {
	v, err := m.query(ctx, name+"?", name)
	if err == nil && v != want {
		err = errReset
	}
	return err
}

// Reset restarts the modem (AT+CFUN=1,1 or the vendor's command). The modem goes away; close it and open it again.
// It says OK before it does so, or never.
func (m *Modem) Reset(ctx context.Context) error {
	var err error
	for _, cmd := range m.dialect.resets() {
		if _, err = m.ask(ctx, cmd); err == nil || m.conn.Err() != nil || ctx.Err() != nil {
			return err
		}
	}
	return err
}

// Kick tells a modem that Open found silent to restart (AT+CFUN=1,1), which some obey that answer nothing else, and closes
// the port. nil means that it said OK; it is back after its boot.
func Kick(ctx context.Context, rwc io.ReadWriteCloser) error {
	c := atcmd.Open(rwc, atcmd.Config{})
	defer c.Close()
	ctx, cancel := context.WithTimeout(ctx, Limits{}.withDefaults().Command)
	defer cancel()
	if _, err := c.Exec(ctx, "+CFUN=1,1"); err != nil {
		return fmt.Errorf("restart a silent modem: %w", err)
	}
	return nil
}

// Answers says whether a modem answers AT on a port, in either of two tries of half a second, and closes the port. It is for
// finding the speed of a line: at a wrong one both ends read garbage.
func Answers(ctx context.Context, rwc io.ReadWriteCloser) bool {
	c := atcmd.Open(rwc, atcmd.Config{})
	defer c.Close()
	for range 2 {
		try, cancel := context.WithTimeout(ctx, probeLimit)
		_, err := c.Exec(try, "")
		cancel()
		if err == nil || refused(err) {
			return true
		}
	}
	return false
}

// probeLimit is enough for AT and its answer at 9600 baud, and for a modem that finds its own speed by them.
const probeLimit = 500 * time.Millisecond

// pause waits d, the end of ctx or the death of the port.
func (m *Modem) pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-m.news.done:
		return m.conn.Err()
	}
}

// Ack answers the oldest direct PDU that waits for it: with ok the network may forget it, without it is told to try again
// (RP-ERROR). It does nothing where CSMS=0 is in force: the modem has answered by itself.
func (m *Modem) Ack(ctx context.Context, ok bool) error {
	if m.set.CSMS != 1 {
		return nil
	}
	cmd := m.dialect.ack
	if !ok {
		cmd = "+CNMA=2"
	}
	_, err := m.ask(ctx, cmd)
	if refused(err) && !isCMS(err, 340) { // the line may have spoilt it
		_, err = m.ask(ctx, cmd)
	}
	if err != nil && !isCMS(err, 340) { // 340: none was expected, so it is answered
		return fmt.Errorf("acknowledge a message: %w", err)
	}
	return nil
}
