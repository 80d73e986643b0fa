package emulator

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

//go:embed profiles/*.json
var profileFiles embed.FS

// profile is what makes a modem of one make: data only. See profiles/generic.json for the defaults, which every other file
// is read on top of.
type profile struct {
	Doc          string // where the facts come from
	Manufacturer string
	Model        string
	Revision     string
	TAC          string // the first eight digits of made-up IMEIs

	IndexBase int            // of message slots: 0 or 1
	Capacity  map[string]int // of SM, ME, SR, BM
	Memory    [3]string      // mem1, mem2, mem3 after a reset
	Memories  [3][]string    // what AT+CPMS accepts for each
	CPMSArgs  []int          // how many arguments AT+CPMS accepts

	CSMS    []int    // services accepted
	CNMI    [5][]int // what +CNMI=? advertises
	CNMISet [5][]int // what is accepted; empty is as advertised
	Class0  string   // "" stores class 0 like any other, "cmt" shows it at once
	Reports struct {
		Store    string // memory of reports with ds=2
		Announce string // the memory +CDSI names
		Index    *int   // the index +CDSI names, whatever the true one is
		Hidden   bool   // SR counts them and shows none
	}
	CNMAMissing bool // AT+CNMA is refused for +CDS

	SIMBusyMS int // after a cold start
	DeafMS    int // likewise, until it hears anything
	Boot      []struct {
		AfterMS int
		Line    string
	}
	Chatter struct {
		EveryMS   int
		Lines     []string
		Stop      string // the command that ends it once it has come StopCount times
		StopCount int
	}

	Charset      string   // CSCS after a reset
	NeedsSIM     []string // commands that need a card that is ready, besides those that always do
	Knows        []string // the vendors' commands it has
	Unknown      string   // final result of a command it does not know
	Refuse       []string // commands it does not know, or does not accept in this form
	Answers      map[string][]string
	CPINNoOK     bool   // "+CPIN: READY" ends the command
	Alpha        string // what stands in the empty <alpha> field of +CMGR and +CMGL
	CMTNoAlpha   bool   // "+CMT: 23"
	CDSEmptyFO   bool   // "+CDS: ,25"
	CSMPClears   bool   // AT+CSMP clears the service centre
	FullURC      string // said when a memory is full; {mem} stands for its name
	CMSVerbose   bool   // CMEE=2 spells out +CMS ERROR as well
	Echo         bool   // on after power-up
	USSD         string // text, ucs2 or packed
	ICCIDCommand string
	ICCIDAnswer  string // what stands before the number
	NoSMSC       bool   // the card names no service centre
	ResetCFUN    int    // a value of AT+CFUN that resets
	SMSCQuote    *bool  // false leaves the quotes off +CSCA

	// Habits, see habits.go.
	EchoStays bool // ATE0 is answered and not obeyed
	WaitMS    int  // after a message and after AT+CFUN=1 everything about the card is +CME ERROR: 515
	PINBusyMS int  // the card is busy after the PIN, and the chatter begins anew
	CDSHangs  bool // after a +CDS nothing comes any more until a restart
}

// loadProfile reads generic.json and then the named file on top of it, strictly.
func loadProfile(name string) (*profile, error) {
	p := &profile{}
	for _, n := range slices.Compact([]string{"generic", name}) {
		b, err := profileFiles.ReadFile("profiles/" + n + ".json")
		if err != nil {
			return nil, fmt.Errorf("modem profile %q: there are %s", name, strings.Join(Profiles(), ", "))
		}
		d := json.NewDecoder(bytes.NewReader(b))
		d.DisallowUnknownFields()
		if err := d.Decode(p); err != nil {
			return nil, fmt.Errorf("modem profile %q: %w", n, err)
		}
	}
	return p, nil
}

// Profiles are the names of the modems there are, in order.
func Profiles() []string {
	entries, err := profileFiles.ReadDir("profiles")
	if err != nil {
		panic("emulator: " + err.Error()) // the folder is part of the program
	}
	var out []string
	for _, e := range entries {
		out = append(out, strings.TrimSuffix(e.Name(), ".json"))
	}
	return out
}

// knows says whether the profile has a command at all, and in this very form.
func (p *profile) knows(c command, text, name string) bool {
	if c.vendor && !slices.Contains(p.Knows, name) {
		return false
	}
	return !slices.Contains(p.Refuse, name) && !slices.Contains(p.Refuse, text)
}

// capacity puts what a modem's Config says over the profile's. The profile is the modem's own: every one is read anew.
func (p *profile) capacity(slots map[string]int) { maps.Copy(p.Capacity, slots) }
