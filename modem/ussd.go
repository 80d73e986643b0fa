package modem

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode"

	"simpost/atcmd"
	"simpost/pdu"
)

// USSDReply is what the network said in a USSD session. State is one of
//
//	done         it is over
//	reply        the network waits for an answer: USSD sends it, EndUSSD declines
//	ended        the network closed the session
//	elsewhere    another program or the phone's own menu answered
//	unsupported  the network does not know the code
//	timeout      the network gave up
type USSDReply struct {
	Text  string // "" if there was none
	State string
}

// ussdStates are the values of <m> in order (TS 27.007 7.15).
var ussdStates = []string{"done", "reply", "ended", "elsewhere", "unsupported", "timeout"}

// ussdGrammar is what can stand between the quotes in any character set of a modem: the letters that GSM and ASCII share.
var ussdGrammar = regexp.MustCompile(`^[0-9A-Za-z*#+,.:;?!/() -]{1,182}$`)

// ussdGrace is how long a text may follow the release that some networks send first.
const ussdGrace = 3 * time.Second

// USSD sends a code such as *100#, or the answer that an open session waits for, and returns what the network says. After
// State reply the session stays open: some networks hold back messages meanwhile, so somebody must end it. An error
// leaves none open. It says nothing of which codes are safe to send.
func (m *Modem) USSD(ctx context.Context, text string) (USSDReply, error) {
	if !ussdGrammar.MatchString(text) {
		return USSDReply{}, errors.New("USSD: 1 to 182 of digits, *, #, letters, spaces and + , . : ; ? ! / ( ) - are allowed")
	}
	ctx, cancel := context.WithTimeout(ctx, m.cfg.Limits.Network)
	defer cancel()
	m.news.ask(true)
	defer m.news.ask(false)
	if err := m.sendUSSD(ctx, text); err != nil {
		return USSDReply{}, fmt.Errorf("send USSD: %w", err)
	}
	r, err := m.awaitUSSD(ctx)
	if err != nil {
		m.EndUSSD(context.WithoutCancel(ctx))
		return USSDReply{}, fmt.Errorf("USSD: %w", err)
	}
	return r, nil
}

// EndUSSD closes the session, if one is open.
func (m *Modem) EndUSSD(ctx context.Context) error {
	_, err := m.ask(ctx, "+CUSD=2")
	return ignoreRefused(err)
}

// sendUSSD writes text as the dialect does. A modem that does not take it so is asked in the other ways, and remembered by
// the one that it takes: models of one maker differ, and a text in the wrong form is refused before it reaches the radio.
func (m *Modem) sendUSSD(ctx context.Context, text string) error {
	var first error
	for _, form := range []ussdForm{m.dialect.ussd, ussdPlain, ussdPacked, ussdUCS2} {
		if first != nil && form == m.dialect.ussd {
			continue
		}
		_, err := m.ask(ctx, `+CUSD=1,"`+form.encode(text)+`",15`)
		if err == nil {
			m.dialect.ussd = form
			return nil
		}
		if first == nil {
			first = err
		}
		if !formRefused(err) {
			break
		}
	}
	return first
}

// formRefused says that the modem did not understand the command, as opposed to what the network made of it.
func formRefused(err error) bool {
	var final atcmd.FinalError
	return errors.As(err, &final) || isCME(err, 24, 25, 50, 100)
}

// awaitUSSD takes the first answer with a text, or that the network has none. A release may come before it, after it, or
// alone.
func (m *Modem) awaitUSSD(ctx context.Context) (USSDReply, error) {
	grace := make(<-chan time.Time)
	var bare USSDReply
	for {
		select {
		case v := <-m.news.ussd:
			r, ok := m.readUSSD(v)
			if ok || r.State == "unsupported" || r.State == "timeout" {
				return r, nil
			}
			bare, grace = r, time.After(ussdGrace)
		case <-grace:
			return bare, nil
		case <-ctx.Done():
			return USSDReply{}, ctx.Err()
		case <-m.news.done:
			return USSDReply{}, m.conn.Err()
		}
	}
}

// readUSSD reads the part after "+CUSD:"; told says that it holds a text.
func (m *Modem) readUSSD(v string) (r USSDReply, told bool) {
	state, text, told := parseUSSD(v)
	r.State = "ended"
	if state >= 0 && state < len(ussdStates) {
		r.State = ussdStates[state]
	}
	if told {
		r.Text = m.dialect.ussd.decode(text.body, text.dcs)
	}
	return r, told
}

type ussdText struct {
	body string
	dcs  int
}

// parseUSSD reads "1,"text",15": state (TS 27.007 7.15), text, data coding scheme; ok says that there was a text.
func parseUSSD(v string) (state int, text ussdText, ok bool) {
	head, rest, quoted := strings.Cut(v, `"`)
	state, _ = number(fields(head), 0)
	if !quoted {
		return state, ussdText{}, false
	}
	end := strings.LastIndexByte(rest, '"')
	if end < 0 {
		end = len(rest)
	}
	text = ussdText{body: rest[:end], dcs: 15}
	if dcs, ok := number(fields(strings.TrimLeft(rest[end:], `", `)), 0); ok {
		text.dcs = dcs
	}
	return state, text, true
}

func (f ussdForm) encode(code string) string {
	switch f {
	case ussdPacked:
		b, err := pdu.PackUSSD(code)
		if err != nil {
			panic("modem: " + err.Error()) // the grammar let digits, * and # through
		}
		return fmt.Sprintf("%X", b)
	case ussdUCS2:
		var b strings.Builder
		for i := range len(code) {
			fmt.Fprintf(&b, "%04X", code[i])
		}
		return b.String()
	}
	return code
}

// decode goes by the coding scheme (TS 23.038 5), by what the text looks like, and last by the dialect: modems write
// UCS-2 in hex under scheme 15, plain text under any, and packed septets though they took the code in plain words.
func (f ussdForm) decode(text string, dcs int) string {
	if !isHex.MatchString(text) {
		return text
	}
	wide, number := dcs == 0x11 || dcs&0xCC == 0x48, !strings.ContainsAny(text, "ABCDEFabcdef")
	wideText := cutNUL(text)
	if t, ok := decodeUCS2(wideText); ok && (wide || f == ussdUCS2 || f == ussdPlain && oneScript(t) && !number) {
		return t
	}
	if t, ok := ucs2Hex(wideText); ok {
		return t
	}
	b, _ := hex.DecodeString(text)
	t, packs := pdu.UnpackUSSD(b), f == ussdPacked
	if packs && !number || legible(t) && (packs || !number && len(b) >= packedLeast) {
		return t
	}
	return text
}

// packedLeast is how many octets make packed text of what nobody expects to be: fewer may be a word or a code.
const packedLeast = 7

// legible says whether text looks like people's and not like septets by chance, of which one in two is none of these.
func legible(text string) bool {
	common, all := 0, 0
	for _, r := range text {
		switch {
		case r == '\r', r == '\n', r == ' ', r >= '0' && r <= '9', r >= 'A' && r <= 'Z', r >= 'a' && r <= 'z', strings.ContainsRune(".,:*#", r):
			common++
		case !unicode.IsPrint(r):
			return false
		}
		all++
	}
	return 5*common >= 4*all
}

// cutNUL ends UCS-2 in hex at its first U+0000: what follows in Telit's answers is old memory (MODEMS 2.6).
func cutNUL(text string) string {
	for i := 4; i+4 <= len(text); i += 4 {
		if text[i:i+4] == "0000" {
			return text[:i]
		}
	}
	return text
}

// oneScript says whether a text looks like people's: three characters or more, of one script besides the Latin ones.
func oneScript(text string) bool {
	script, n := rune(0), 0
	for _, r := range text {
		high := r >> 8
		if !unicode.IsPrint(r) && r != '\n' && r != '\r' || high != 0 && script != 0 && high != script {
			return false
		}
		if high != 0 {
			script = high
		}
		n++
	}
	return n >= 3
}
