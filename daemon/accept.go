package daemon

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"simpost/daemon/api"
	"simpost/daemon/store"
	"simpost/pdu"
)

// What a request to send becomes: everything that can be refused is refused
// here, before anything is kept, and every mistake is named. What passes is
// already in the form a modem takes, so nothing about it can fail later.

const (
	maxRecipients = 1000
	maxTotalParts = 10_000 // of one request: about 2 MB of PDUs
)

// sendDefaults are what the configuration fills in for a request.
type sendDefaults struct {
	Validity  time.Duration // 0 leaves it to the network
	Report    bool
	OnUnknown api.OnUnknown
	Rules     *numberRules // nil: every number may be sent to
}

// compose makes the messages of a request, one a recipient, or names all that is
// wrong with it. modems are the configured names. It is a pure function.
func compose(r api.SendRequest, d sendDefaults, modems []string, now time.Time) ([]store.NewMessage, *api.Error) {
	c := composer{req: r, now: now, rules: d.Rules}
	c.msg = store.NewMessage{
		Text: r.Text, Data: r.Data, Port: r.Port, Priority: or(r.Priority, api.Normal),
		OnUnknown: or(r.OnUnknown, d.OnUnknown), Modem: r.Modem, Report: d.Report, Validity: d.Validity,
		NotBefore: r.NotBefore, Expires: r.Expires,
	}
	if r.Report != nil {
		c.msg.Report = *r.Report
	}
	to := c.recipients()
	c.validity()
	c.times()
	c.modem(modems)
	parts := c.body()
	if len(c.wrong) == 0 && len(parts)*len(to) > maxTotalParts {
		c.add("to", api.CodeTooMany, "", "%d recipients of %d parts each are more than %d parts: send it to fewer at a time",
			len(to), len(parts), maxTotalParts)
	}
	if len(c.wrong) > 0 {
		return nil, c.refusal()
	}
	return c.messages(to, parts), nil
}

func or[T ~string](v, otherwise T) T {
	if v == "" {
		return otherwise
	}
	return v
}

// fieldErrors is the refusal of a request with these mistakes: its code is that
// of the first.
func fieldErrors(wrong []api.FieldError) *api.Error {
	return &api.Error{Code: wrong[0].Code, Message: summary(wrong), Errors: wrong}
}

// composer checks one request.
type composer struct {
	req   api.SendRequest
	now   time.Time
	msg   store.NewMessage // what all recipients have in common
	wrong []api.FieldError

	rules  *numberRules
	barred []*barred
}

// refusal is everything that is wrong. Its hint is what lifts the guard's part in it.
func (c *composer) refusal() *api.Error {
	e := fieldErrors(c.wrong)
	if len(c.barred) > 0 {
		e.Hint = c.rules.hint(c.barred)
	}
	return e
}

func (c *composer) add(field string, code api.Code, value, format string, args ...any) {
	c.wrong = append(c.wrong, api.FieldError{
		Field: field, Code: code, Message: fmt.Sprintf(format, args...), Value: clipEcho(value),
	})
}

func (c *composer) recipients() []pdu.Address {
	switch n := len(c.req.To); {
	case n == 0:
		c.add("to", api.CodeBadNumber, "", "name at least one number")
		return nil
	case n > maxRecipients:
		c.add("to", api.CodeTooMany, "", "%d recipients are more than %d", n, maxRecipients)
		return nil
	}
	to := make([]pdu.Address, 0, len(c.req.To))
	for i, s := range c.req.To {
		a, err := pdu.ParseAddress(s)
		if err != nil {
			c.add(fmt.Sprintf("to[%d]", i), api.CodeBadNumber, s, "%v", err)
			continue
		}
		if incomplete(a) {
			c.add(fmt.Sprintf("to[%d]", i), api.CodeBadNumber, s, "number %q: it is incomplete: a country code and nothing more", clipEcho(s))
			continue
		}
		if b := c.rules.check(a); b != nil {
			c.add(fmt.Sprintf("to[%d]", i), b.code, s, "%s", b.why)
			c.barred = append(c.barred, b)
		}
		to = append(to, a)
	}
	return to
}

func (c *composer) validity() {
	if c.req.Validity == "" {
		return
	}
	d, err := parseValidity(c.req.Validity)
	if err != nil {
		c.add("validity", api.CodeInvalid, c.req.Validity, "%v", err)
	}
	c.msg.Validity = d
}

func (c *composer) times() {
	expires, from := c.req.Expires, c.req.NotBefore
	switch {
	case !writable(from):
		c.add("not_before", api.CodeInvalid, "", "it is not in the years 1970 to 9999 (UTC)")
	case !writable(expires):
		c.add("expires", api.CodeInvalid, "", "it is not in the years 1970 to 9999 (UTC)")
	case expires == nil:
	case !expires.After(c.now):
		c.add("expires", api.CodeInvalid, expires.Format(time.RFC3339), "it is past already")
	case from != nil && !expires.After(*from):
		c.add("expires", api.CodeInvalid, expires.Format(time.RFC3339), "it is not after not_before")
	}
}

// writable tells whether a time can be told again: RFC 3339 has four digits for
// the year, in UTC too.
func writable(t *time.Time) bool {
	return t == nil || t.UTC().Year() >= 1970 && t.UTC().Year() <= 9999
}

func (c *composer) modem(names []string) {
	if c.req.Modem != "" && !slices.Contains(names, c.req.Modem) {
		c.add("modem", api.CodeUnknownModem, c.req.Modem, "%s", unknownModem(c.req.Modem, names).Message)
	}
}

func unknownModem(name string, names []string) *api.Error {
	if len(names) == 0 {
		return api.Errorf(api.CodeUnknownModem, "no modem is configured")
	}
	return api.Errorf(api.CodeUnknownModem, "there is no modem %q in the configuration; there are: %s",
		clipEcho(name), strings.Join(names, ", "))
}

// body is the user data of the parts.
func (c *composer) body() []pdu.UserData {
	hasText, hasData := c.req.Text != nil, len(c.req.Data) > 0
	switch {
	case hasText && hasData:
		c.add("data", api.CodeInvalid, "", "a message has text or data, not both")
		return nil
	case !hasData && (!hasText || *c.req.Text == ""):
		c.add("text", api.CodeEmptyText, "", "there is nothing to send: text is empty, and there is no data")
		return nil
	}
	if c.req.Flash {
		zero := 0
		c.msg.Class = &zero
	}
	if hasData {
		return c.data()
	}
	return c.text()
}

func (c *composer) text() []pdu.UserData {
	if c.req.Port != nil {
		c.add("port", api.CodeInvalid, "", "a port is for data, not for text")
		return nil
	}
	o, field, err := textOptions(c.req.Encoding, c.req.Language, c.req.Transliterate)
	if err != nil {
		c.add(field, api.CodeInvalid, "", "%v", err)
		return nil
	}
	o.Class = c.class()
	if o.Transliterate {
		// What is kept is what the recipient reads.
		if plan, err := pdu.Plan(*c.req.Text, o); err == nil {
			c.msg.Text = &plan.Text
		}
	}
	parts, err := pdu.Segment(*c.req.Text, o)
	return c.segmented("text", parts, err)
}

func (c *composer) data() []pdu.UserData {
	if e := c.req.Encoding; e != "" && e != "auto" || c.req.Language != "" || c.req.Transliterate {
		c.add("data", api.CodeInvalid, "", "encoding, language and transliterate are for text")
		return nil
	}
	o := pdu.Options{Class: c.class()}
	if p := c.req.Port; p != nil {
		if *p < 1 || *p > 0xFFFF {
			c.add("port", api.CodeInvalid, fmt.Sprint(*p), "a port is 1 to 65535")
			return nil
		}
		o.Ports = pdu.Ports{Dst: uint16(*p)}
	}
	parts, err := pdu.SegmentData(c.req.Data, o)
	return c.segmented("data", parts, err)
}

func (c *composer) class() pdu.Class {
	if c.req.Flash {
		return pdu.Class0
	}
	return pdu.NoClass
}

func (c *composer) segmented(field string, parts []pdu.UserData, err error) []pdu.UserData {
	if err != nil {
		c.add(field, segmentCode(err), "", "%v", err)
		return nil
	}
	c.msg.Encoding = parts[0].DCS.Alphabet().String()
	return parts
}

func segmentCode(err error) api.Code {
	var long *pdu.TooLongError
	var lacks *pdu.UnencodableError
	switch {
	case errors.As(err, &long):
		return api.CodeTooLong
	case errors.As(err, &lacks):
		return api.CodeNotEncodable
	}
	return api.CodeInvalid
}

// textOptions reads what a request says of its alphabet; on an error field is
// where it is.
func textOptions(encoding, language string, transliterate bool) (o pdu.Options, field string, err error) {
	switch encoding {
	case "", "auto":
	case "gsm7":
		o.Alphabet = pdu.GSM7
	case "ucs2":
		o.Alphabet = pdu.UCS2
	default:
		return o, "encoding", fmt.Errorf("encoding is auto, gsm7 or ucs2, not %q", clipEcho(encoding))
	}
	if o.Language, err = pdu.ParseLanguage(language); err != nil {
		return o, "language", err
	}
	o.Transliterate = transliterate
	return o, "", nil
}

// messages puts one recipient after the other before the common parts. The
// concatenation reference is 0: the sender writes the SIM's next one into it.
func (c *composer) messages(to []pdu.Address, parts []pdu.UserData) []store.NewMessage {
	all := make([]store.NewMessage, len(to))
	submit := pdu.Submit{SRR: c.msg.Report, VP: pdu.RelativeValidity(c.msg.Validity)}
	for i, a := range to {
		m := c.msg
		m.To, m.Accounts, submit.DA = a.String(), c.rules.accounts(a), a
		m.Parts = make([][]byte, len(parts))
		for k, ud := range parts {
			submit.UD = ud
			b, err := pdu.Encode(&submit)
			if err != nil {
				panic("daemon: a checked message does not encode: " + err.Error())
			}
			m.Parts[k] = b
		}
		all[i] = m
	}
	return all
}

// The shortest and longest validity a relative TP-VP can say (TS 23.040 9.2.3.12.1).
const (
	minValidity = 5 * time.Minute
	maxValidity = 63 * 7 * 24 * time.Hour
)

var (
	errValidity      = errors.New("a validity is written like 30m, 24h, 1d12h or 2w")
	errValidityRange = errors.New("a validity is 5m to 63w")
)

// parseValidity reads a sum of whole weeks, days, hours and minutes.
func parseValidity(s string) (time.Duration, error) {
	units := map[byte]time.Duration{'w': 7 * 24 * time.Hour, 'd': 24 * time.Hour, 'h': time.Hour, 'm': time.Minute}
	var sum, n time.Duration
	digits := 0
	for i := range len(s) {
		ch := s[i]
		if ch >= '0' && ch <= '9' {
			if n, digits = 10*n+time.Duration(ch-'0'), digits+1; digits > 6 { // 63 weeks are 635,040 minutes
				return 0, errValidityRange
			}
			continue
		}
		unit, ok := units[ch]
		if !ok || digits == 0 {
			return 0, errValidity
		}
		if sum += n * unit; sum > maxValidity {
			return 0, errValidityRange
		}
		n, digits = 0, 0
	}
	switch {
	case digits > 0 || s == "":
		return 0, errValidity
	case sum < minValidity:
		return 0, errValidityRange
	}
	return sum, nil
}

// preview is how a text would be sent.
func preview(r api.SegmentRequest) (api.Segments, *api.Error) {
	o, field, err := textOptions(r.Encoding, r.Language, r.Transliterate)
	if err != nil {
		return api.Segments{}, fieldErrors([]api.FieldError{{Field: field, Code: api.CodeInvalid, Message: err.Error()}})
	}
	plan, err := pdu.Plan(r.Text, o)
	if err != nil {
		return api.Segments{}, refusedText(err)
	}
	parts, err := pdu.Segment(r.Text, o)
	if err != nil {
		return api.Segments{}, refusedText(err)
	}
	out := api.Segments{Encoding: plan.Alphabet.String(), Parts: make([]api.Segment, len(parts)),
		Changed: changed(plan.Changes), Missing: missing(r.Text, o)}
	for i := range parts {
		used := len(parts[i].Payload)
		if plan.Alphabet == pdu.UCS2 {
			used /= 2
		}
		out.Parts[i] = api.Segment{Seq: i + 1, Text: parts[i].Text(), Used: used, Left: plan.PerPart - used}
	}
	return out, nil
}

func refusedText(err error) *api.Error {
	return fieldErrors([]api.FieldError{{Field: "text", Code: segmentCode(err), Message: err.Error()}})
}

// changed counts equal replacements, in order of appearance.
func changed(changes []pdu.Change) []api.Change {
	out := []api.Change{}
	at := map[pdu.Change]int{}
	for _, c := range changes {
		c.Offset = 0
		i, ok := at[c]
		if !ok {
			i = len(out)
			at[c] = i
			out = append(out, api.Change{From: c.From, To: c.To})
		}
		out[i].Count++
	}
	return out
}

// missing is what keeps a text from GSM 7-bit, the first few characters of it.
func missing(text string, o pdu.Options) []string {
	o.Alphabet = pdu.GSM7
	out := []string{}
	_, err := pdu.Plan(text, o)
	var lacks *pdu.UnencodableError
	if errors.As(err, &lacks) {
		for _, r := range lacks.Runes {
			out = append(out, string(r))
		}
	}
	return out
}
