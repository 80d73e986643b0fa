package daemon

import (
	"context"
	"errors"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"simpost/daemon/api"
	"simpost/modem"
)

// What people ask of a SIM card, and set on it.

func (s *server) simRoutes(h huma.API) {
	huma.Register(h, huma.Operation{
		OperationID: "sim", Method: http.MethodGet, Path: "/v1/modems/{name}/sim", DefaultStatus: http.StatusOK,
		Summary:     "Ask the SIM card how it is",
		Description: "PIN, service centre, number, memories and phonebooks, as the card and the modem tell them now.",
	}, s.sim)
	huma.Register(h, huma.Operation{
		OperationID: "phonebook", Method: http.MethodGet, Path: "/v1/modems/{name}/phonebook", DefaultStatus: http.StatusOK,
		Summary: "Read the phonebooks of the SIM card and the modem",
	}, s.phonebook)
	huma.Register(h, huma.Operation{
		OperationID: "set-smsc", Method: http.MethodPut, Path: "/v1/modems/{name}/smsc", DefaultStatus: http.StatusOK,
		Summary:      "Write the service centre's number to the SIM card",
		MaxBodyBytes: maxBody + 1, BodyReadTimeout: bodyLimit,
	}, s.setSMSC)
	huma.Register(h, huma.Operation{
		OperationID: "operators", Method: http.MethodPost, Path: "/v1/modems/{name}/operators", DefaultStatus: http.StatusOK,
		Summary: "Look for the networks that are here",
		Description: "The modem does nothing else meanwhile, for up to three minutes. The answer comes within 20 s: while its state is " +
			"working, ask again, and the same look goes on.",
	}, s.operators)
	huma.Register(h, huma.Operation{
		OperationID: "set-operator", Method: http.MethodPut, Path: "/v1/modems/{name}/operator", DefaultStatus: http.StatusOK,
		Summary: "Choose an operator, or leave the choice to the modem",
		Description: "One that does not take the card is given up, and the modem chooses again. The answer comes within 20 s: while its " +
			"state is working, ask again.",
		MaxBodyBytes: maxBody + 1, BodyReadTimeout: bodyLimit,
	}, s.setOperator)
}

type smscInput struct {
	Name string `path:"name" doc:"as in the configuration"`
	Body api.SMSCRequest
}

type operatorInput struct {
	Name string `path:"name" doc:"as in the configuration"`
	Body api.OperatorRequest
}

// inCard has the session of a modem run f, which tells what it could not do; what
// is wrong with the port ends the session.
func (s *server) inCard(ctx context.Context, name string, f func(context.Context, *session) error) error {
	if e := s.known(name); e != nil {
		return e
	}
	ctx, cancel := context.WithTimeout(ctx, consoleLimit)
	defer cancel()
	var failed error
	err := s.Desks.inSession(ctx, name, func(ctx context.Context, own *session) error {
		failed = f(ctx, own)
		return own.m.Err()
	})
	if err == nil {
		err = refusedBy(name, failed)
	}
	return err
}

// refusedBy puts a modem's refusal into our words.
func refusedBy(name string, err error) error {
	var ours *api.Error
	if err == nil || errors.As(err, &ours) {
		return err
	}
	return api.Errorf(api.CodeUnavailable, "the modem %s: %v", name, err)
}

func (s *server) sim(ctx context.Context, in *nameInput) (*answer[api.SIM], error) {
	var out api.SIM
	err := s.inCard(ctx, in.Name, func(ctx context.Context, own *session) error {
		card, err := own.m.Card(ctx)
		if err != nil {
			return err
		}
		own.d.board.identify(in.Name, own.m.Identity(), own.m.Settings())
		out = simOf(in.Name, own, card)
		return own.look(ctx) // a card whose service centre was set elsewhere can send from now on
	})
	if err != nil {
		return nil, s.fail(ctx, err)
	}
	return &answer[api.SIM]{out}, nil
}

func simOf(name string, own *session, c modem.Card) api.SIM {
	id := own.m.Identity()
	out := api.SIM{Modem: name, State: c.State, ICCID: id.ICCID, IMSI: id.IMSI, Number: c.Number, SMSC: c.SMSC,
		PINTries: ifTold(c.Tries.PIN), PUKTries: ifTold(c.Tries.PUK), Network: own.status.State, Operator: own.status.Operator,
		Memories: memoriesOf(c.Memories), Books: memoriesOf(c.Books)}
	if own.status.Operator != "" {
		out.Choice = api.OperatorChoice(own.status.Manual)
	}
	if c.Lock != "" {
		on := c.Lock == "on"
		out.PINAsked = &on
	}
	return out
}

// ifTold is n, nil where the modem did not tell it.
func ifTold(n int) *int {
	if n < 0 {
		return nil
	}
	return &n
}

func memoriesOf(counts []modem.MemoryCount) []api.Memory {
	out := []api.Memory{}
	for _, c := range counts {
		out = append(out, api.Memory{Name: c.Memory, Used: c.Used, Total: c.Total})
	}
	return out
}

func (s *server) phonebook(ctx context.Context, in *nameInput) (*answer[api.Phonebook], error) {
	out := api.Phonebook{Contacts: []api.Contact{}}
	s.audit(ctx, "phonebook", "modem", in.Name)
	err := s.inCard(ctx, in.Name, func(ctx context.Context, own *session) error {
		all, err := own.m.Phonebook(ctx)
		for _, c := range all {
			out.Contacts = append(out.Contacts, api.Contact{Book: c.Memory, Index: c.Index, Name: c.Name, Number: c.Number})
		}
		return err
	})
	if err != nil {
		return nil, s.fail(ctx, err)
	}
	return &answer[api.Phonebook]{out}, nil
}

func (s *server) setSMSC(ctx context.Context, in *smscInput) (*answer[api.SMSCRequest], error) {
	s.audit(ctx, "service centre", "modem", in.Name)
	err := s.inCard(ctx, in.Name, func(ctx context.Context, own *session) error {
		if own.cfg.SMSC != "" && own.cfg.SMSC != in.Body.SMSC {
			return errConfigured("smsc")
		}
		if err := own.m.SetServiceCentre(ctx, in.Body.SMSC); err != nil {
			return err
		}
		own.d.board.identify(in.Name, own.m.Identity(), own.m.Settings())
		return own.look(ctx)
	})
	if err != nil {
		return nil, s.fail(ctx, err)
	}
	return &answer[api.SMSCRequest]{in.Body}, nil
}

// errConfigured refuses what the next start of the modem would undo.
func errConfigured(key string) error {
	e := api.Errorf(api.CodeConflict, "the configuration sets %s for this modem", key)
	e.Hint = "change it there, and restart the daemon"
	return e
}

func (s *server) operators(ctx context.Context, in *nameInput) (*answer[api.Operators], error) {
	if err := s.known(in.Name); err != nil {
		return nil, s.fail(ctx, err)
	}
	s.audit(ctx, "look for networks", "modem", in.Name)
	found, done, err := s.slows.do(ctx, s.Desks, in.Name, "operators", func(ctx context.Context, own *session) (any, error) {
		all, err := own.m.Networks(ctx)
		out := []api.Operator{}
		for _, n := range all {
			out = append(out, api.Operator{Code: n.Code, Name: n.Name, State: n.State, Access: n.Access})
		}
		return out, refusedBy(in.Name, err)
	})
	return s.slowly(ctx, found, done, err)
}

func (s *server) setOperator(ctx context.Context, in *operatorInput) (*answer[api.Operators], error) {
	if err := s.known(in.Name); err != nil {
		return nil, s.fail(ctx, err)
	}
	s.audit(ctx, "choose an operator", "modem", in.Name, "operator", in.Body.Operator)
	_, done, err := s.slows.do(ctx, s.Desks, in.Name, "operator "+in.Body.Operator, func(ctx context.Context, own *session) (any, error) {
		if c := own.cfg.Operator; c != "" && c != in.Body.Operator {
			return nil, errConfigured("operator")
		}
		err := refusedBy(in.Name, own.m.SelectNetwork(ctx, in.Body.Operator))
		if lookErr := own.look(ctx); err == nil {
			err = lookErr
		}
		return nil, err
	})
	return s.slowly(ctx, nil, done, err)
}

func (s *server) slowly(ctx context.Context, found any, done bool, err error) (*answer[api.Operators], error) {
	if err != nil {
		return nil, s.fail(ctx, err)
	}
	out := api.Operators{State: api.SlowWorking, Operators: []api.Operator{}}
	if done {
		out.State = api.SlowDone
	}
	if all, ok := found.([]api.Operator); ok {
		out.Operators = all
	}
	return &answer[api.Operators]{out}, nil
}
