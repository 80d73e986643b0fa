package modem

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Networks tell the time (TS 22.042), and modems set their clock by it. Many modems also announce it.

var errNoTime = errors.New("the modem does not say that its clock follows the network")

// NetworkTime is the modem's clock, if it says that it follows the network's (TS 27.007 8.40, 8.15). A modem that was never
// told shows some date of long ago: what is plausible is the caller's to judge.
func (m *Modem) NetworkTime(ctx context.Context) (time.Time, error) {
	m.ask(ctx, "+CTZU=1")
	v, err := m.query(ctx, "+CTZU?", "+CTZU")
	if on, ok := number(fields(v), 0); err != nil || !ok || on == 0 {
		return time.Time{}, errNoTime
	}
	v, err = m.query(ctx, "+CCLK?", "+CCLK")
	if err != nil {
		return time.Time{}, fmt.Errorf("ask for the time: %w", err)
	}
	t, ok := parseClock(unquote(v))
	if !ok {
		return time.Time{}, errNoTime
	}
	return t, nil
}

// clockGrammar is yy/MM/dd,hh:mm:ss±zz; some write four digits of the year.
var clockGrammar = regexp.MustCompile(`^(?:20)?([0-9]{2}/[0-9]{2}/[0-9]{2},[0-9]{2}:[0-9]{2}:[0-9]{2})(?:([+-][0-9]{1,2}))?$`)

// parseClock reads CCLK's form of a time, which is local; without a zone it could be any.
func parseClock(s string) (time.Time, bool) {
	f := clockGrammar.FindStringSubmatch(strings.ReplaceAll(s, " ", ""))
	if f == nil || f[2] == "" {
		return time.Time{}, false
	}
	return zoned(f[1], f[2])
}

// zoned reads a local time and the quarters of an hour by which it is ahead of UTC.
func zoned(local, quarters string) (time.Time, bool) {
	t, err := time.Parse("06/01/02,15:04:05", local)
	q, qerr := strconv.Atoi(quarters)
	if err != nil || qerr != nil || q < -48 || q > 56 {
		return time.Time{}, false
	}
	return t.Add(-time.Duration(q) * 15 * time.Minute), true
}

// announcedTime reads what a modem says when the network told the time: +CTZE: "+04",0,"2026/01/31,12:00:00" (local, TS
// 27.007 8.41) and SIMCom's *PSUTTZ: 2026,1,31,11,0,0,"+4",0 (UTC).
func announcedTime(name, v string) (time.Time, bool) {
	f := fields(v)
	switch {
	case name == "+CTZE" && len(f) == 3:
		return zoned(strings.TrimPrefix(f[2], "20"), f[0])
	case name == "*PSUTTZ" && len(f) >= 6:
		var n [6]int
		for i := range n {
			var ok bool
			if n[i], ok = number(f, i); !ok {
				return time.Time{}, false
			}
		}
		return time.Date(n[0], time.Month(n[1]), n[2], n[3], n[4], n[5], 0, time.UTC), n[1] >= 1 && n[1] <= 12 && n[2] >= 1 && n[2] <= 31
	}
	return time.Time{}, false
}
