package daemon

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"github.com/danielgtaylor/huma/v2"

	"simpost/daemon/api"
)

func (s *server) ussdRoutes(h huma.API) {
	huma.Register(h, huma.Operation{
		OperationID: "ussd", Method: http.MethodPost, Path: "/v1/modems/{name}/ussd", DefaultStatus: http.StatusOK,
		Summary: "Dial a USSD code, reply in its menu, or end it",
		Description: "The role send dials the codes that the configuration lists; the role admin any but those that use up PIN tries. " +
			"A session that waits for a reply is ended after two minutes. An answer that comes too late is an event ussd.",
		MaxBodyBytes: maxBody + 1, BodyReadTimeout: bodyLimit,
	}, s.ussd)
}

type ussdInput struct {
	Name string `path:"name" doc:"as in the configuration"`
	Body api.USSDRequest
}

func (s *server) ussd(ctx context.Context, in *ussdInput) (*answer[api.USSDAnswer], error) {
	r := in.Body
	if err := s.known(in.Name); err != nil {
		return nil, s.fail(ctx, err)
	}
	admin := s.Door.roles(peerFrom(ctx))&roleAdmin != 0
	if e := s.mayUSSD(in.Name, r, admin); e != nil {
		return nil, problemOf(e)
	}
	what := "dialled"
	switch {
	case r.Cancel:
		what = "ended"
	case r.Reply != "":
		what = "replied"
	}
	s.audit(ctx, "ussd", "modem", in.Name, "what", what) // neither code nor reply: they may hold a PIN
	out, err := s.inUSSD(ctx, in.Name, r, admin)
	if err != nil {
		return nil, s.fail(ctx, err)
	}
	return &answer[api.USSDAnswer]{out}, nil
}

// mayUSSD says what is wrong with a request, nil if nothing is.
func (s *server) mayUSSD(name string, r api.USSDRequest, admin bool) *api.Error {
	asked := 0
	for _, is := range []bool{r.Code != "", r.Reply != "", r.Cancel} {
		if is {
			asked++
		}
	}
	switch {
	case asked != 1:
		return api.Errorf(api.CodeInvalid, "name one of code, reply and cancel")
	case r.Code != "":
		return s.Guard.dial(r.Code, r.Service, admin, s.USSD(name))
	case r.Reply != "" && !ussdReply.MatchString(r.Reply):
		return api.Errorf(api.CodeInvalid, "reply: digits, letters, spaces and * # + , . : ; ? ! / ( ) - are allowed, 182 at most")
	}
	return nil
}

// inUSSD has the session of a modem do what r says. A refusal of the modem's or
// the network's is the request's; what is wrong with the port ends the session.
func (s *server) inUSSD(ctx context.Context, name string, r api.USSDRequest, admin bool) (api.USSDAnswer, error) {
	ctx, cancel := context.WithTimeout(ctx, consoleLimit)
	defer cancel()
	var out api.USSDAnswer
	var failed error
	err := s.Desks.inSession(ctx, name, func(ctx context.Context, own *session) error {
		out, failed = own.serveUSSD(ctx, r, admin || s.Guard.off(), slices.Contains(s.USSD(name), r.Code))
		return own.m.Err()
	})
	if err == nil {
		err = failed
	}
	return out, err
}

// serveUSSD is one request in the session's goroutine.
func (s *session) serveUSSD(ctx context.Context, r api.USSDRequest, admin, listed bool) (api.USSDAnswer, error) {
	switch {
	case r.Cancel:
		err := s.endMenu(ctx)
		return api.USSDAnswer{State: api.USSDDone, Sentence: ussdSentences[api.USSDDone]}, err
	case r.Reply != "" && s.menu.until.IsZero():
		return api.USSDAnswer{}, api.Errorf(api.CodeConflict, "no USSD session waits for a reply; dial the code again")
	case r.Reply != "" && !s.menu.listed && !admin:
		return api.USSDAnswer{}, api.Errorf(api.CodeForbidden, "the role admin opened this USSD session, or the network did: it takes the role admin to reply")
	case r.Reply != "":
		return s.asked(ctx, r.Reply, s.menu.listed)
	case !s.status.CanSend:
		return api.USSDAnswer{}, api.Errorf(api.CodeNotReady, "the modem %s is not registered in a network", s.cfg.Name)
	}
	if !s.menu.until.IsZero() {
		if err := s.endMenu(ctx); err != nil {
			return api.USSDAnswer{}, err
		}
	}
	return s.asked(ctx, r.Code, listed)
}

// asked is dialUSSD with errors that a client can read.
func (s *session) asked(ctx context.Context, text string, listed bool) (api.USSDAnswer, error) {
	out, err := s.dialUSSD(ctx, text, listed)
	switch {
	case err == nil:
		return out, nil
	case errors.Is(err, context.DeadlineExceeded):
		e := api.Errorf(api.CodeUnavailable, "the network did not answer within %v", ussdLimit)
		e.Hint = "try again later; should it still answer, there is an event ussd"
		return out, e
	}
	return out, api.Errorf(api.CodeUnavailable, "the modem %s: %v", s.cfg.Name, err)
}
