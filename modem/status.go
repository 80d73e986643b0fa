package modem

import (
	"context"
	"fmt"
)

// Status is the network's side of the modem.
type Status struct {
	SIM          string // CPIN?'s word: READY, SIM PIN, ..; NOT INSERTED; "" if the modem would not say
	Registration int    // stat of TS 27.007 7.2, 0..11, of the domain that can send, else of the circuit-switched one
	State        string // the same in a word: home, roaming, searching, denied, ..
	Roaming      bool
	CanSend      bool   // 1, 5, 6 or 7 in any domain
	Manual       bool   // bound to this operator (COPS mode 1 or 4), not chosen by the modem
	Operator     string // name or MCC and MNC, "" without one
	Access       string // gsm, edge, umts, lte, .. "unknown"
	Signal       int    // dBm, 0 if not known
	Bars         int    // 0..5
}

// Status asks for SIM, registration, operator and signal. What is refused is left unknown; the error is the port's.
func (m *Modem) Status(ctx context.Context) (Status, error) {
	m.status = Status{Access: "unknown"}
	var err error
	if m.status.SIM, err = m.pinState(ctx); isCME(err, 10) || isCMS(err, 310) {
		m.status.SIM = "NOT INSERTED"
	}
	for range looks {
		m.look(ctx)
	}
	return m.status, m.statusError(ctx)
}

// Glance is Status for an idle modem: it asks one question, the next of registration, operator and signal, and returns
// what Status and it have learnt so far.
func (m *Modem) Glance(ctx context.Context) (Status, error) {
	m.look(ctx)
	return m.status, m.statusError(ctx)
}

// looks is how many questions look takes turns with.
const looks = 3

func (m *Modem) look(ctx context.Context) {
	s := &m.status
	switch m.looked % looks {
	case 0:
		if access := m.registered(ctx, s); access >= 0 { // else COPS may have told it
			s.Access = nameOf(accessNames, access)
		}
	case 1:
		m.operator(ctx, s)
	case 2:
		s.Signal = m.signal(ctx)
		s.Bars = bars(s.Signal)
	}
	m.looked++
}

func (m *Modem) operator(ctx context.Context, s *Status) {
	v, err := m.query(ctx, "+COPS?", "+COPS")
	if err != nil {
		return
	}
	name, access := parseOperator(v)
	mode, _ := number(fields(v), 0)
	s.Manual = mode == 1 || mode == 4
	s.Operator = name
	if access >= 0 {
		s.Access = nameOf(accessNames, access)
	}
}

func (m *Modem) statusError(ctx context.Context) error {
	if err := m.gone(ctx); err != nil {
		return fmt.Errorf("ask for the status: %w", err)
	}
	return nil
}

// registered fills in the domain that serves best: an LTE modem may tell only CEREG, an old one only CREG.
func (m *Modem) registered(ctx context.Context, s *Status) (access int) {
	best := registration{stat: -1, access: -1}
	for _, name := range []string{"+CREG", "+CEREG", "+CGREG"} {
		v, err := m.query(ctx, name+"?", name)
		r, ok := parseRegistration(v, true)
		if err != nil || !ok {
			continue
		}
		if best.stat < 0 || sendable(r.stat) && !sendable(best.stat) {
			best = r
		}
		if sendable(best.stat) {
			break
		}
	}
	if best.stat < 0 {
		best.stat = 4 // unknown
	}
	s.Registration, s.State = best.stat, nameOf(statusNames, best.stat)
	s.CanSend = sendable(best.stat)
	s.Roaming = best.stat == 5 || best.stat == 7 || best.stat == 10
	return best.access
}

// signal prefers CSQ, which every modem has; LTE modems may know only CESQ.
func (m *Modem) signal(ctx context.Context) int {
	if v, err := m.query(ctx, "+CSQ", "+CSQ"); err == nil {
		if dBm, ok := parseSignal(v); ok {
			return dBm
		}
	}
	if v, err := m.query(ctx, "+CESQ", "+CESQ"); err == nil {
		if dBm, ok := parseExtendedSignal(v); ok {
			return dBm
		}
	}
	return 0
}

func bars(dBm int) int {
	if dBm == 0 {
		return 0
	}
	for n, floor := range []int{-105, -97, -89, -81, -73} {
		if dBm < floor {
			return n
		}
	}
	return 5
}

// LastMR reads the Last-Used-TP-MR of EF_SMSS (TS 31.102 4.2.28). What it proves after a crash is in Settings.SMSS.
func (m *Modem) LastMR(ctx context.Context) (byte, error) {
	lines, err := m.ask(ctx, "+CRSM=176,28483,0,0,2")
	if err != nil {
		return 0, fmt.Errorf("read the SIM's last reference: %w", err)
	}
	content, ok := parseCRSM(lines)
	var mr byte
	if _, err := fmt.Sscanf(content, "%2x", &mr); !ok || err != nil {
		return 0, fmt.Errorf("read the SIM's last reference: %w", errNoLine)
	}
	return mr, nil
}
