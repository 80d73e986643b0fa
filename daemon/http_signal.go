package daemon

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"simpost/daemon/api"
)

func (s *server) signalRoutes(h huma.API) {
	huma.Register(h, huma.Operation{
		OperationID: "signal", Method: http.MethodGet, Path: "/v1/modems/{name}/signal",
		Summary:     "How a modem stood with the network over the last days",
		Description: "A row where something changed, and four a day where nothing did.",
	}, s.signal)
}

type signalInput struct {
	Name string `path:"name" doc:"as in the configuration"`
	Days int    `query:"days" minimum:"1" maximum:"366" default:"7"`
}

func (s *server) signal(ctx context.Context, in *signalInput) (*answer[api.SignalHistory], error) {
	if err := s.known(in.Name); err != nil {
		return nil, s.fail(ctx, err)
	}
	rows, err := s.Store.Signals(in.Name, s.Now().Add(-time.Duration(in.Days)*24*time.Hour))
	if err != nil {
		return nil, s.fail(ctx, err)
	}
	return &answer[api.SignalHistory]{api.SignalHistory{Modem: in.Name, Rows: append([]api.Signal{}, rows...)}}, nil
}
