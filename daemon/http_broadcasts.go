package daemon

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"simpost/daemon/api"
)

func (s *server) broadcastRoutes(h huma.API) {
	huma.Register(h, huma.Operation{
		OperationID: "broadcasts", Method: http.MethodGet, Path: "/v1/broadcasts",
		Summary:     "Cell broadcasts, newest first",
		Description: "Of the channels that the configuration wants. The newest 500 are kept.",
	}, s.broadcasts)
}

type broadcastsInput struct {
	Limit int `query:"limit" minimum:"1" maximum:"200" default:"50"`
}

func (s *server) broadcasts(ctx context.Context, in *broadcastsInput) (*answer[api.Broadcasts], error) {
	all, err := s.Store.Broadcasts(in.Limit)
	if err != nil {
		return nil, s.fail(ctx, err)
	}
	return &answer[api.Broadcasts]{api.Broadcasts{Broadcasts: all}}, nil
}
