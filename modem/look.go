package modem

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"simpost/atcmd"
)

// Who is there? A look is for a port of which nobody knows what hangs on it: it may be a modem that is wanted by its
// IMEI, or another of its ports, or no modem at all. So it asks little, sets nothing, and gives up fast.

const (
	lookTry    = 500 * time.Millisecond // for one AT; a modem at work answers in 50 ms
	lookTries  = 4                      // one that sleeps loses the first, one that a program left in a prompt needs ESC
	lookAnswer = 2 * time.Second        // for one question
)

// Look asks who answers on a port: the IMEI, the maker where there is no IMEI, and with sim the model and the ICCID. It sends AT, ESC and
// questions; no setting is changed, no PIN is entered. It owns rwc, and closes it. Every error is a *StartError: silent,
// not-a-modem or closed. It takes 3 s at most where nothing answers.
func Look(ctx context.Context, rwc io.ReadWriteCloser, sim bool) (Identity, error) {
	m := &Modem{cfg: Config{Limits: Limits{Command: lookAnswer}.withDefaults()}, dialect: generic}
	m.conn = atcmd.Open(rwc, atcmd.Config{Quiet: lookTry / 5, DrainMax: lookTry, PingWait: lookTry, WriteLimit: lookAnswer})
	m.news = listen(m.conn)
	defer m.Close()
	if err := m.anybody(ctx); err != nil {
		return Identity{}, err
	}
	lines, _ := m.ask(ctx, "+CGSN")
	m.id.IMEI = parseIMEI(lines)
	if m.id.IMEI == "" {
		lines, _ = m.ask(ctx, "+CGMI")
		m.id.Manufacturer = bare(lines, "+CGMI")
	}
	if gone := m.gone(ctx); gone != nil {
		return Identity{}, m.verdict(ctx, gone)
	}
	if m.id.IMEI == "" && m.id.Manufacturer == "" {
		return Identity{}, m.startError("not-a-modem", errors.New("AT is answered, but neither IMEI nor maker is told"))
	}
	if sim {
		m.lookAtSIM(ctx)
	}
	return m.id, nil
}

// lookAtSIM asks for the ICCID as the maker has it asked.
func (m *Modem) lookAtSIM(ctx context.Context) {
	maker, _ := m.ask(ctx, "+CGMI")
	model, _ := m.ask(ctx, "+CGMM")
	m.id.Manufacturer, m.id.Model = bare(maker, "+CGMI"), bare(model, "+CGMM")
	if d, ok := dialectFor("", m.id.Manufacturer, m.id.Model); ok {
		m.dialect = d
	}
	m.id.ICCID = m.readICCID(ctx)
}

// anybody waits for any final result to AT.
func (m *Modem) anybody(ctx context.Context) error {
	limit, cancel := context.WithTimeout(ctx, lookTries*lookTry)
	defer cancel()
	var err error
	for limit.Err() == nil && m.conn.Err() == nil {
		if _, err = m.exec(limit, lookTry, ""); err == nil || refused(err) {
			return nil
		}
	}
	if banner := m.news.notModem(); banner != "" {
		return m.startError("not-a-modem", fmt.Errorf("the port says %q", banner))
	}
	return m.verdict(ctx, err)
}
