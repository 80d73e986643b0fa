package configs

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// The grammars of what names things or reaches the wire.
var (
	namePattern    = regexp.MustCompile(`^[a-z0-9-]{1,32}$`)
	profilePattern = regexp.MustCompile(`^[a-z0-9-]{0,32}$`)
	smscPattern    = regexp.MustCompile(`^(\+?[0-9]{1,20})?$`)
	// MCC and MNC (TS 27.007 7.3)
	operatorPattern = regexp.MustCompile(`^(auto|[0-9]{5,6})?$`)
	groupPattern    = regexp.MustCompile(`^([a-z_][a-z0-9_-]{0,31}|[0-9]{1,10})?$`)
	countryPattern  = regexp.MustCompile(`^(\*|\+[1-9][0-9]{0,6})$`)
	// A service code may hold * and #; a final * stands for what may follow.
	allowPattern  = regexp.MustCompile(`^(\+?[0-9]{1,20}\*?|[0-9*#]{1,19}[0-9#])$`)
	ussdPattern   = regexp.MustCompile(`^[*#][0-9*#]{1,180}#$`)
	dialPattern   = regexp.MustCompile(`^([*#][0-9*#]{1,180}#( [0-9A-Za-z*#]{1,20}){0,8})?$`)
	amountPattern = regexp.MustCompile(`^([0-9]{1,9}(\.[0-9]{1,2})?)?$`)
	holderPattern = regexp.MustCompile(`^@?([a-z_][a-z0-9_-]{0,31}|[0-9]{1,10})$`)
)

const (
	listLimit  = 1000      // entries of a list
	partsLimit = 1_000_000 // of a limit of the guard
	modemLimit = 64
	roleLimit  = 64 // users and groups of one role
	baudLeast  = 1200
	baudMost   = 4_000_000

	patternLimit = 200 // of a regular expression
	textLimit    = 160 // of a message that simpost writes by itself

	// socketLimit is sun_path's size less its final NUL (unix(7)).
	socketLimit = 107
)

// Check tells everything that is wrong with the values, as an *Error without
// lines; nil if nothing is. Load and Parse have already done it.
func (c Config) Check() error {
	if p := c.problems(); len(p) > 0 {
		return &Error{Problems: p}
	}
	return nil
}

func (c Config) problems() []Problem {
	var k checks
	k.path("database", c.Database)
	if mark := c.MarkPath(); mark != "" {
		k.path("mark", mark)
		k.that("mark", filepath.Dir(mark) != filepath.Dir(c.Database), "%q: write a file in another folder than the database's, or it is restored with it", mark)
	}
	k.oneOf("log.level", c.Log.Level, "debug", "info", "warn", "error")
	k.oneOf("log.format", c.Log.Format, "text", "json")
	k.path("api.socket", c.API.Socket)
	k.that("api.socket", len(c.API.Socket) <= socketLimit, "longer than %d characters, the kernel's limit for a socket", socketLimit)
	k.that("api.mode", c.API.Mode&0o600 == 0o600 && c.API.Mode&0o111 == 0, `%#o: write "0660" for the daemon's user and group, "0600" for its user alone`, c.API.Mode)
	k.that("api.group", groupPattern.MatchString(c.API.Group), "%q is no group name", c.API.Group)
	k.role("roles.send", c.Roles.Send)
	k.role("roles.read_status", c.Roles.ReadStatus)
	k.role("roles.read_content", c.Roles.ReadContent)
	k.role("roles.admin", c.Roles.Admin)
	k.within("send.answer_timeout", c.Send.AnswerTimeout, time.Second, 15*time.Minute)
	k.within("send.validity", c.Send.Validity, 5*time.Minute, 63*7*day) // TS 23.040 9.2.3.12.1
	k.oneOf("send.on_unknown", c.Send.OnUnknown, "resend", "hold", "fail")
	k.within("send.quarantine", c.Send.Quarantine, time.Second, day)
	k.that("send.tries", c.Send.Tries >= 1 && c.Send.Tries <= 100, "%d: write a number from 1 to 100", c.Send.Tries)
	k.within("send.retry_first", c.Send.RetryFirst, time.Second, day)
	k.within("send.retry_longest", c.Send.RetryLongest, c.Send.RetryFirst, day)
	k.within("receive.poll", c.Receive.Poll, time.Second, time.Hour)
	k.within("receive.sweep", c.Receive.Sweep, c.Receive.Poll, 7*day)
	k.kept("retention.text", c.Retention.Text)
	k.kept("retention.events", c.Retention.Events)
	k.kept("retention.signal", c.Retention.Signal)
	k.guard(c.Guard)
	k.modems(c.Modems)
	return k.found
}

// checks collects problems.
type checks struct{ found []Problem }

func (k *checks) that(key string, ok bool, format string, args ...any) {
	if !ok {
		k.found = append(k.found, Problem{Key: key, Message: fmt.Sprintf(format, args...)})
	}
}

func (k *checks) path(key, path string) {
	k.that(key, filepath.IsAbs(path), "%q: write a path that begins with /", path)
}

func (k *checks) oneOf(key, value string, allowed ...string) {
	k.that(key, slices.Contains(allowed, value), "%q: write one of %s", value, strings.Join(allowed, ", "))
}

func (k *checks) within(key string, d, least, most time.Duration) {
	k.that(key, d >= least && d <= most, "%s: write a duration from %s to %s",
		durationText(d), durationText(least), durationText(most))
}

func (k *checks) role(key, value string) {
	words := strings.Fields(value)
	k.that(key, len(words) <= roleLimit, "%d users and groups: name a group that holds them, at most %d", len(words), roleLimit)
	for _, w := range words {
		k.that(key, w == SocketGroup || holderPattern.MatchString(w),
			"%q: write users, and groups behind an @, with spaces between them, such as \"alice @staff %s\"", w, SocketGroup)
	}
}

func (k *checks) guard(g Guard) {
	k.each("guard.countries", g.Countries, countryPattern, `write a country as its calling code, such as "+46", or "*" for all`)
	k.each("guard.allow", g.Allow, allowPattern, `write a number such as "12345" or "+4790000001", or how numbers begin: "+8816*"`)
	k.each("guard.ussd", g.USSD, ussdPattern, `write a code such as "*100#"`)
	for _, limit := range []struct {
		key   string
		parts int
	}{
		{"guard.parts_per_minute", g.PartsPerMinute},
		{"guard.parts_per_recipient_hour", g.PartsPerRecipientHour},
		{"guard.parts_per_day", g.PartsPerDay},
	} {
		k.that(limit.key, limit.parts >= 1 && limit.parts <= partsLimit, "%d: write a number from 1 to %d", limit.parts, partsLimit)
	}
}

// each checks the entries of a list.
func (k *checks) each(key string, entries []string, grammar *regexp.Regexp, remedy string) {
	k.that(key, len(entries) <= listLimit, "%d entries: there may be %d", len(entries), listLimit)
	for _, e := range entries {
		k.that(key, grammar.MatchString(e), "%q: %s", e, remedy)
	}
}

// leastKept is longer than an idempotency key holds its answer, with the text, and
// than the parts of a message may take to come together.
const leastKept = 8 * day

func (k *checks) kept(key string, d time.Duration) {
	k.that(key, d == 0 || d >= leastKept && d <= longest, "%s: write 0s to keep it for ever, or a duration from %s", durationText(d), durationText(leastKept))
}

func (k *checks) modems(modems []Modem) {
	k.that("modem", len(modems) > 0, "no modem: add [[modem]], with name = \"office\" and device = \"auto\" below it")
	k.that("modem", len(modems) <= modemLimit, "%d modems: one daemon drives up to %d", len(modems), modemLimit)
	names, devices := make(map[string]int), make(map[string]int)
	for i, m := range modems {
		at := func(name string) string { return fmt.Sprintf("modem[%d].%s", i, name) }
		k.that(at("name"), namePattern.MatchString(m.Name), "%q: write 1 to 32 small letters, digits and dashes", m.Name)
		k.device(at("device"), m)
		k.unique(at("name"), m.Name, m.Name, names, i)
		k.unique(at("device"), m.Device, deviceKey(m), devices, i)
		k.that(at("baud"), m.Baud == 0 || m.Baud >= baudLeast && m.Baud <= baudMost, "%d: write bits per second from %d to %d", m.Baud, baudLeast, baudMost)
		k.that(at("profile"), profilePattern.MatchString(m.Profile), "%q: write small letters, digits and dashes", m.Profile)
		k.that(at("smsc"), smscPattern.MatchString(m.SMSC), "%q: write up to 20 digits, with + before an international number", m.SMSC)
		k.hands(at, m)
		k.oneOf(at("smss"), m.SMSS, "", "none", "before-radio")
		k.that(at("operator"), operatorPattern.MatchString(m.Operator), `%q: write "auto", or the country and network code of the operator, such as "24201"`, m.Operator)
		k.that(at("pin_keep"), m.PINKeep >= 0 && m.PINKeep <= 2, "%d: write 1 or 2, or 0 for 2", m.PINKeep)
		_, err := ParseChannels(m.Broadcasts)
		k.that(at("broadcasts"), err == nil, "%v: write alerts, and numbers and ranges with spaces between them, such as \"alerts 50\"", err)
		k.balance(m, at)
		k.keepalive(m, at)
		if m.PINFile != "" {
			// The message must not repeat what may be the PIN itself.
			k.that(at("pin_file"), filepath.IsAbs(m.PINFile), "write the path, beginning with /, of the file that holds the PIN")
		}
	}
	k.autoNames(modems)
}

func (k *checks) balance(m Modem, at func(string) string) {
	k.that(at("balance_code"), dialPattern.MatchString(m.BalanceCode), "%q: write a USSD code, and replies behind it, such as \"*100# 2\"", m.BalanceCode)
	k.that(at("balance_low"), amountPattern.MatchString(m.BalanceLow), "%q: write an amount with a point, such as \"5.00\"", m.BalanceLow)
	if m.BalanceEvery != 0 {
		k.within(at("balance_every"), m.BalanceEvery, time.Hour, 90*day)
	}
	_, err := regexp.Compile(m.BalancePattern)
	k.that(at("balance_pattern"), err == nil, "%v: write a regular expression such as 'balance is ([0-9.]+)'", err)
	k.that(at("balance_pattern"), len(m.BalancePattern) <= patternLimit, "longer than %d characters", patternLimit)
	if m.BalanceCode == "" {
		k.that(at("balance_code"), m.BalanceEvery == 0 && m.BalancePattern == "" && m.BalanceLow == "", "write the code that shows the balance, or take the other balance_ settings out")
	}
}

func (k *checks) keepalive(m Modem, at func(string) string) {
	k.that(at("keepalive_code"), dialPattern.MatchString(m.KeepaliveCode), "%q: write a USSD code, and replies behind it, such as \"*100#\"", m.KeepaliveCode)
	k.that(at("keepalive_to"), smscPattern.MatchString(m.KeepaliveTo), "%q: write a number such as \"+4790000001\"", m.KeepaliveTo)
	k.that(at("keepalive_text"), len(m.KeepaliveText) <= textLimit, "write up to %d characters", textLimit)
	if m.KeepaliveEvery == 0 {
		k.that(at("keepalive_every"), m.KeepaliveCode == "" && m.KeepaliveTo == "", "write how often, such as \"60d\"")
		return
	}
	k.within(at("keepalive_every"), m.KeepaliveEvery, day, 366*day)
	k.that(at("keepalive_every"), (m.KeepaliveCode == "") != (m.KeepaliveTo == ""), "write keepalive_code or keepalive_to below it, one of them")
}

// unique compares what values mean, and shows the value.
func (k *checks) unique(key, value, meaning string, seen map[string]int, i int) {
	first, taken := seen[meaning]
	k.that(key, !taken || meaning == "", "%q is modem[%d]'s already", value, first)
	if !taken {
		seen[meaning] = i
	}
}
