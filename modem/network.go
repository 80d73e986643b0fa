package modem

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// Network is one that the modem finds when it looks around.
type Network struct {
	Code   string // MCC and MNC, "24201"
	Name   string
	State  string // available, current, forbidden, unknown (TS 27.007 7.3)
	Access string // gsm, umts, lte, .. "unknown"
}

// networkStates are the stat values of +COPS=? in order (TS 27.007 7.3).
var networkStates = []string{"unknown", "available", "current", "forbidden"}

// AutoNetwork as a choice leaves it to the modem.
const AutoNetwork = "auto"

var networkGrammar = regexp.MustCompile(`^[0-9]{5,6}$`)

// Networks looks around, for up to Limits.Scan. The modem does nothing else meanwhile, and some leave their network for it.
func (m *Modem) Networks(ctx context.Context) ([]Network, error) {
	lines, err := m.exec(ctx, m.cfg.Limits.Scan, "+COPS=?")
	if err != nil {
		return nil, fmt.Errorf("look for networks: %w", err)
	}
	return parseNetworks(lines), nil
}

// SelectNetwork binds the modem to a network by its MCC and MNC, or gives the choice back to it (AutoNetwork). One that
// does not take the card is given up, and the choice is the modem's again.
func (m *Modem) SelectNetwork(ctx context.Context, code string) error {
	if code == AutoNetwork {
		if _, err := m.exec(ctx, m.cfg.Limits.Scan, "+COPS=0"); err != nil {
			return fmt.Errorf("choose a network automatically: %w", err)
		}
		return nil
	}
	if !networkGrammar.MatchString(code) {
		return errors.New("a network is its country and network code, 5 or 6 digits, or auto")
	}
	if _, err := m.exec(ctx, m.cfg.Limits.Scan, `+COPS=1,2,"`+code+`"`); err != nil {
		m.exec(context.WithoutCancel(ctx), m.cfg.Limits.Scan, "+COPS=0")
		return fmt.Errorf("the network %s was not entered, the modem chooses again: %w", code, err)
	}
	return nil
}

// chooseNetwork makes the configured choice, where the modem has made another. A network that can't be entered now is no
// reason not to start: the registration tells of it.
func (m *Modem) chooseNetwork(ctx context.Context) {
	want := m.cfg.Network
	if want == "" {
		return
	}
	m.ask(ctx, "+COPS=3,2")
	defer m.ask(ctx, "+COPS=3,0")
	v, err := m.query(ctx, "+COPS?", "+COPS")
	f := fields(v)
	mode, _ := number(f, 0)
	if err == nil && (want == AutoNetwork && mode == 0 || mode == 1 && len(f) > 2 && f[2] == want) {
		return
	}
	m.SelectNetwork(ctx, want)
}

// networkEntry is a bracket; names may hold brackets of their own.
var networkEntry = regexp.MustCompile(`\(((?:"[^"]*"|[^()"])*)\)`)

// parseNetworks reads (stat,"long","short","code",AcT) of which the last may be missing. The lists behind the entries have
// numbers only. A network with several kinds of access comes several times.
func parseNetworks(lines []string) []Network {
	var out []Network
	for _, entry := range networkEntry.FindAllStringSubmatch(strings.Join(lines, ""), -1) {
		f := fields(entry[1])
		stat, ok := number(f, 0)
		if !ok || len(f) < 4 || !networkGrammar.MatchString(plain(f[3])) {
			continue
		}
		n := Network{Code: plain(f[3]), Name: plain(f[1]), State: nameOf(networkStates, stat), Access: "unknown"}
		if n.Name == "" {
			n.Name = plain(f[2])
		}
		if act, ok := number(f, 4); ok {
			n.Access = nameOf(accessNames, act)
		}
		out = append(out, n)
	}
	return out
}

// plain undoes UCS-2 in hex, which is how everything comes where CSCS says so.
func plain(s string) string {
	if t, ok := ucs2Hex(s); ok {
		return t
	}
	return s
}
