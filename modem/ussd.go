package modem

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"simpost/pdu"
)

// USSDReply is the network's answer.
type USSDReply struct {
	Text string
	Menu bool // the network waits for more; the session was closed here
}

var ussdGrammar = regexp.MustCompile(`^[0-9*#]{1,182}$`)

// ussdGrace is how long a text may follow the release that some networks send first.
const ussdGrace = 3 * time.Second

// USSD sends a code such as *100# and waits for the network's answer.
func (m *Modem) USSD(ctx context.Context, code string) (USSDReply, error) {
	if !ussdGrammar.MatchString(code) {
		return USSDReply{}, errors.New("USSD code: 1 to 182 of digits, * and # are allowed")
	}
	ctx, cancel := context.WithTimeout(ctx, m.cfg.Limits.Network)
	defer cancel()
	m.news.dropUSSD()
	if _, err := m.ask(ctx, `+CUSD=1,"`+m.dialect.ussd.encode(code)+`",15`); err != nil {
		return USSDReply{}, fmt.Errorf("send a USSD code: %w", err)
	}
	r, err := m.awaitUSSD(ctx)
	if err != nil || r.Menu { // leave no session open: some networks hold back messages meanwhile
		m.ask(context.WithoutCancel(ctx), "+CUSD=2")
	}
	if err != nil {
		return USSDReply{}, fmt.Errorf("USSD: %w", err)
	}
	return r, nil
}

// awaitUSSD takes the first answer with a text. A release may come before it, after it, or alone.
func (m *Modem) awaitUSSD(ctx context.Context) (USSDReply, error) {
	grace := make(<-chan time.Time)
	for {
		select {
		case v := <-m.news.ussd:
			state, text, ok := parseUSSD(v)
			switch {
			case ok:
				return USSDReply{Text: m.dialect.ussd.decode(text.body, text.dcs), Menu: state == 1}, nil
			case state == 4:
				return USSDReply{}, errors.New("the network does not support this code")
			case state == 5:
				return USSDReply{}, errors.New("the network did not answer in time")
			}
			grace = time.After(ussdGrace)
		case <-grace:
			return USSDReply{}, errors.New("the network closed it without a text")
		case <-ctx.Done():
			return USSDReply{}, ctx.Err()
		case <-m.news.done:
			return USSDReply{}, m.conn.Err()
		}
	}
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
// UCS-2 in hex under scheme 15, and plain text under any.
func (f ussdForm) decode(text string, dcs int) string {
	if !isHex.MatchString(text) {
		return text
	}
	wide := dcs == 0x11 || dcs&0xCC == 0x48
	if t, ok := decodeUCS2(text); ok && (wide || f == ussdUCS2) {
		return t
	}
	if t, ok := ucs2Hex(text); ok {
		return t
	}
	if f == ussdPacked {
		b, _ := hex.DecodeString(text)
		return pdu.UnpackUSSD(b)
	}
	return text
}
