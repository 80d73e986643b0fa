package daemon

import (
	"context"
	"strings"
	"time"

	"simpost/daemon/api"
	"simpost/modem"
)

// USSD in a session of a modem: one question at a time, in the session's own
// goroutine, so that nothing is sent meanwhile: some modems refuse to. What the
// network says that nobody waits for is an event.

const (
	// ussdLimit is for one question and its answer. It leaves of consoleLimit what it takes to close the session.
	ussdLimit = 20 * time.Second
	// ussdIdle is how long a menu stays open for a person: some networks hold back messages meanwhile.
	ussdIdle = 2 * time.Minute
)

// ussdSentences are the states in words.
var ussdSentences = map[api.USSDState]string{
	api.USSDDone:        "the session is over",
	api.USSDReply:       "the network waits for a reply",
	api.USSDEnded:       "the network closed the session",
	api.USSDElsewhere:   "the answer went to another program that uses the SIM card",
	api.USSDUnsupported: "the network does not know this code, or does not take it now",
	api.USSDTimeout:     "the network gave up waiting",
}

// menu is the USSD session that waits for a reply; the zero value is none.
type menu struct {
	until  time.Time
	listed bool // it began with a code that the role send may dial
}

// dialUSSD asks the network and keeps the session open if it wants more.
func (s *session) dialUSSD(ctx context.Context, text string, listed bool) (api.USSDAnswer, error) {
	ctx, cancel := context.WithTimeout(ctx, ussdLimit)
	defer cancel()
	s.menu = menu{}
	r, err := s.m.USSD(ctx, text)
	if err != nil {
		return api.USSDAnswer{}, err
	}
	out := api.USSDAnswer{State: api.USSDState(r.State), Text: tidy(r.Text), Sentence: ussdSentences[api.USSDState(r.State)]}
	if out.State == api.USSDReply {
		until := s.d.now().Add(ussdIdle)
		s.menu, out.Until = menu{until: time.Now().Add(ussdIdle), listed: listed}, &until
	}
	return out, nil
}

// tidy is a text with line breaks of one kind.
func tidy(text string) string {
	return strings.TrimSpace(strings.NewReplacer("\r\n", "\n", "\r", "\n", "\x00", "").Replace(text))
}

// endMenu declines what the network waits for.
func (s *session) endMenu(ctx context.Context) error {
	s.menu = menu{}
	if err := s.m.EndUSSD(ctx); err != nil {
		return err
	}
	return s.m.Err()
}

// heard takes what the network said by itself, or too late. A bare release is no news.
func (s *session) heard(said []modem.USSDReply) error {
	for _, r := range said {
		state := api.USSDState(r.State)
		s.menu = menu{}
		if state == api.USSDReply {
			s.menu.until = time.Now().Add(ussdIdle)
		}
		if r.Text == "" {
			continue
		}
		s.log.Info("the network says something by itself", "state", state)
		err := s.d.store.Note(s.d.now(), api.Event{Type: api.EventUSSD, Modem: s.cfg.Name, State: r.State, Text: tidy(r.Text), Detail: ussdSentences[state]})
		if err := s.storeResult(err); err != nil {
			return err
		}
	}
	return nil
}
