package daemon

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"simpost/configs"
	"simpost/daemon/api"
	"simpost/daemon/store"
)

// The guard bounds what a stolen password or a program that runs wild can cost.
// It refuses what is far more often fraud than a wish (other countries, short
// codes, premium numbers), and it limits how much leaves: a SIM card that sends
// too fast is slowed down, and what goes beyond the limits of an hour and a day
// is refused when it is handed in. Whoever wants it otherwise says so in the
// configuration; every refusal prints the line that does.
//
// The limits count parts, because parts are what is paid for.

// guard knows which countries the SIM cards are from. Safe for concurrent use.
type guard struct {
	cfg configs.Guard

	mu   sync.Mutex
	home map[string][]string // of each modem whose SIM was seen: calling codes, none if its IMSI stands for no country
}

func newGuard(cfg configs.Guard) *guard {
	return &guard{cfg: cfg, home: map[string][]string{}}
}

// off says that nothing is limited; a nil guard is off.
func (g *guard) off() bool { return g == nil || g.cfg.Off }

// seen notes the SIM of a modem and returns the calling codes of its country.
func (g *guard) seen(modem, imsi string) []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.home[modem] = homeOf(imsi)
	return g.home[modem]
}

// homes is the calling codes that messages for modem ("" any) may use without
// being listed; none: it can't be told, so that every country is home.
func (g *guard) homes(modem string) []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	if codes, ok := g.home[modem]; ok {
		return codes
	}
	var all []string
	for _, codes := range g.home {
		if len(codes) == 0 {
			return nil
		}
		all = append(all, codes...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// rules is what holds now for a request that names modem, or none; nil: all may be sent.
func (g *guard) rules(modem string) *numberRules {
	if g.off() {
		return nil
	}
	return &numberRules{home: g.homes(modem), countries: g.cfg.Countries, allow: g.cfg.Allow}
}

// budget is what a request may use up.
func (g *guard) budget() store.Budget {
	if g.off() {
		return store.Budget{}
	}
	return store.Budget{RecipientHour: g.cfg.PartsPerRecipientHour, Day: g.cfg.PartsPerDay}
}

// over is the refusal of what is over a limit, with the line of the configuration
// that lifts it and leaves some room; nil for any other error.
func (g *guard) over(err error) *api.Error {
	var over *store.OverBudget
	if !errors.As(err, &over) {
		return nil
	}
	e, key, limit := over.Refusal, "parts_per_day", g.cfg.PartsPerDay
	if e.Code == api.CodeGuardRecipientHour {
		key, limit = "parts_per_recipient_hour", g.cfg.PartsPerRecipientHour
		e.Message = summary(e.Errors)
	}
	e.Hint = liftBy(fmt.Sprintf("%s = %d", key, max(2*limit, over.Parts)))
	return e
}

// liftBy tells a person where the lines go.
func liftBy(lines ...string) string {
	return "to allow it, write below [guard] in the configuration, and restart simpost: " + strings.Join(lines, " and ")
}

// status is the guard as GET /v1/status shows it, given the parts
// accepted today; of no day: there is no database yet.
func (g *guard) status(day store.Spent) api.Guard {
	if g.off() {
		return api.Guard{Off: true, Home: []string{}}
	}
	out := api.Guard{Home: []string{}, PartsToday: day.Parts, PartsPerDay: g.cfg.PartsPerDay}
	if !day.Ends.IsZero() {
		out.DayEnds = &day.Ends
	}
	for _, code := range g.homes("") {
		out.Home = append(out.Home, "+"+code)
	}
	if len(out.Home) == 0 {
		out.Warning = homeUnknown()
	}
	return out
}

func homeUnknown() *api.Reason {
	return &api.Reason{Code: "home-unknown",
		Message: "no SIM card tells its country: numbers in every country may be sent to, but for premium numbers and short codes"}
}
