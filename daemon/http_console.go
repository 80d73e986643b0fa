package daemon

import (
	"context"
	"errors"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"simpost/daemon/api"
	"simpost/modem"
)

// The console lets a person with the role admin type AT commands to a modem at
// work. It is off unless the configuration says otherwise.

// errTouched ends a session: a person may have changed what it relies on, and the
// next one sets the modem up from the beginning.
var errTouched = errors.New("a person typed a command that sets something; the modem is set up anew")

func (s *server) consoleRoutes(h huma.API) {
	huma.Register(h, huma.Operation{
		OperationID: "at", Method: http.MethodPost, Path: "/v1/modems/{name}/at", DefaultStatus: http.StatusOK,
		Summary: "Run one AT command",
		Description: "Takes the role admin and api.console in the configuration. Commands that could send, delete, restart or use up PIN tries are refused. " +
			"A command that sets something is followed by a new start of the modem's session.",
		MaxBodyBytes: maxBody + 1, BodyReadTimeout: bodyLimit,
	}, s.at)
}

type atInput struct {
	Name string `path:"name" doc:"as in the configuration"`
	Body api.ATRequest
}

func (s *server) at(ctx context.Context, in *atInput) (*answer[api.ATAnswer], error) {
	if err := s.known(in.Name); err != nil {
		return nil, s.fail(ctx, err)
	}
	if !s.Console {
		e := api.Errorf(api.CodeForbidden, "the console is off")
		e.Hint = "console = true below [api] in the configuration, and a restart of the daemon, switch it on"
		return nil, problemOf(e)
	}
	typed, err := modem.ParseTyped(in.Body.Command)
	if err != nil {
		return nil, problemOf(api.Errorf(api.CodeInvalid, "%v", err))
	}
	s.audit(ctx, "console", "modem", in.Name, "command", typed.Verb())
	out, err := s.typeInto(ctx, in.Name, typed)
	if err != nil {
		return nil, s.fail(ctx, err)
	}
	return &answer[api.ATAnswer]{out}, nil
}

// typeInto has the session of a modem run typed.
func (s *server) typeInto(ctx context.Context, name string, typed modem.Typed) (api.ATAnswer, error) {
	ctx, cancel := context.WithTimeout(ctx, consoleLimit)
	defer cancel()
	out, failed := api.ATAnswer{Lines: []string{}}, error(nil)
	err := s.Desks.request(ctx, name, func(ctx context.Context, m *modem.Modem) error {
		lines, result, err := m.Type(ctx, typed)
		out.Lines, out.Result, failed = append(out.Lines, lines...), result, err
		switch {
		case m.Err() != nil:
			return m.Err()
		case typed.Sets():
			return errTouched
		}
		return m.Ping(context.WithoutCancel(ctx)) // the words of a maker's command may not tell what it did
	})
	if err == nil && failed != nil {
		err = api.Errorf(api.CodeUnavailable, "the modem %s gave no answer: %v", name, failed)
	}
	return out, err
}
