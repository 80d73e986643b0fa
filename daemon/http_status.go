package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"reflect"
	"slices"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"simpost/daemon/api"
	"simpost/daemon/store"
)

var (
	messageType = reflect.TypeFor[api.Message]()
	eventType   = reflect.TypeFor[api.Event]()
)

// mediaSQLite is the registered type of a database file.
const mediaSQLite = "application/vnd.sqlite3"

func (s *server) statusRoutes(h huma.API) {
	huma.Register(h, huma.Operation{
		OperationID: "modems", Method: http.MethodGet, Path: "/v1/modems",
		Summary: "All configured modems",
	}, s.modems)
	huma.Register(h, huma.Operation{
		OperationID: "modem", Method: http.MethodGet, Path: "/v1/modems/{name}",
		Summary: "One modem",
	}, s.modem)
	huma.Register(h, huma.Operation{
		OperationID: "status", Method: http.MethodGet, Path: "/v1/status",
		Summary: "How the daemon is",
	}, s.status)
	huma.Register(h, huma.Operation{
		OperationID: "healthz", Method: http.MethodGet, Path: "/healthz",
		Summary: "200 as soon as the API answers",
	}, s.healthz)
	huma.Register(h, huma.Operation{
		OperationID: "readyz", Method: http.MethodGet, Path: "/readyz",
		Summary: "200 when a modem can send, else 503 with the reason",
	}, s.readyz)
	huma.Register(h, huma.Operation{
		OperationID: "backup", Method: http.MethodPost, Path: "/v1/backup",
		Summary:     "A consistent copy of the database",
		Description: "Takes the role admin: it holds every message. One at a time.",
		Responses: map[string]*huma.Response{"200": {
			Description: "An SQLite file",
			Content:     map[string]*huma.MediaType{mediaSQLite: {Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}}},
		}},
	}, s.backup)
}

func (s *server) modems(ctx context.Context, _ *struct{}) (*answer[api.Modems], error) {
	return &answer[api.Modems]{api.Modems{Modems: s.shownModems(ctx)}}, nil
}

// shownModems are the modems as the peer of a request may see them.
func (s *server) shownModems(ctx context.Context) []api.Modem {
	all := s.Modems()
	if s.Door.roles(peerFrom(ctx))&roleReadContent == 0 {
		veilModems(all)
	}
	return all
}

type nameInput struct {
	Name string `path:"name" doc:"as in the configuration"`
}

func (s *server) modem(ctx context.Context, in *nameInput) (*answer[api.Modem], error) {
	all := s.shownModems(ctx)
	i := slices.IndexFunc(all, func(m api.Modem) bool { return m.Name == in.Name })
	if i < 0 {
		return nil, s.fail(ctx, notThere(in.Name, s.ModemNames()))
	}
	return &answer[api.Modem]{all[i]}, nil
}

// known refuses a name that no modem has.
func (s *server) known(name string) error {
	if names := s.ModemNames(); !slices.Contains(names, name) {
		return notThere(name, names)
	}
	return nil
}

// notThere is unknownModem where the name is in the path.
func notThere(name string, names []string) *api.Error {
	e := unknownModem(name, names)
	e.Code = api.CodeNotFound
	return e
}

func (s *server) status(ctx context.Context, _ *struct{}) (*answer[api.Status], error) {
	all := s.shownModems(ctx)
	st := api.Status{
		Version: s.Version, StartedAt: s.Started, Ready: s.notReady(all) == nil, Condition: s.Trouble(),
		Database: s.Database, Messages: map[string]int{}, Modems: all,
	}
	var day store.Spent
	if s.Shut == nil {
		var err error
		if day, err = s.Store.Today(s.Now().Local()); unlessCorrupt(err) != nil {
			return nil, s.fail(ctx, err)
		}
		st.Messages, st.LastEvent = s.Store.Counts(), s.Store.LastEvent()
	}
	st.Guard = s.Guard.status(day)
	return &answer[api.Status]{st}, nil
}

// health says that something is as the path asks.
type health struct {
	Status string `json:"status" enum:"ok"`
}

func (s *server) healthz(context.Context, *struct{}) (*answer[health], error) {
	return &answer[health]{health{"ok"}}, nil
}

func (s *server) readyz(context.Context, *struct{}) (*answer[health], error) {
	if e := s.notReady(s.Modems()); e != nil {
		return nil, problemOf(e)
	}
	return &answer[health]{health{"ok"}}, nil
}

// notReady says why nothing can be sent now, nil if it can.
func (s *server) notReady(all []api.Modem) *api.Error {
	if r := s.Trouble(); r != nil && r.Code != api.FlagDamaged { // what one message has does not stop the others
		return api.Errorf(api.CodeNotReady, "%s", r.Message)
	}
	if slices.ContainsFunc(all, func(m api.Modem) bool { return m.CanSend }) {
		return nil
	}
	e := api.Errorf(api.CodeNotReady, "no modem can send now")
	for _, m := range all {
		e.Errors = append(e.Errors, api.FieldError{
			Field: m.Name, Code: api.Code(m.Condition.Code), Message: m.Condition.Sentence,
		})
	}
	return e
}

func (s *server) backup(ctx context.Context, _ *struct{}) (*streamOutput, error) {
	select {
	case s.backups <- struct{}{}:
	default:
		return nil, problemOf(api.Errorf(api.CodeConflict, "another backup is running"))
	}
	s.audit(ctx, "backup")
	copied, err := s.copyDatabase(ctx)
	if err != nil {
		<-s.backups
		return nil, s.fail(ctx, err)
	}
	return &streamOutput{Body: func(hc huma.Context) {
		defer func() { <-s.backups }()
		defer copied.Close()
		_, w := humago.Unwrap(hc)
		if err := sendFile(w, copied); err != nil {
			s.Log.Debug("api: a backup was not taken to its end", "error", err)
			panic(http.ErrAbortHandler) // a short file must not look whole
		}
	}}, nil
}

// copyDatabase makes the copy beside the database, where there is the most
// likely room for it, and unlinks it at once: it is gone whatever happens. What
// a crash left of the last one goes first.
func (s *server) copyDatabase(ctx context.Context) (*os.File, error) {
	path := s.Database + ".backup"
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("remove an old backup: %w", err)
	}
	defer os.Remove(path)
	if err := s.Store.Backup(ctx, path); err != nil {
		return nil, fmt.Errorf("copy the database: %w", err)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open the copy: %w", err)
	}
	return f, nil
}

// sendFile writes a file of any length; the limit is on a piece of it.
func sendFile(w http.ResponseWriter, f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", mediaSQLite)
	w.Header().Set("Content-Length", strconv.FormatInt(info.Size(), 10))
	rc := http.NewResponseController(w)
	const piece = 1 << 20
	for {
		if err := rc.SetWriteDeadline(time.Now().Add(writeLimit)); err != nil {
			return err
		}
		switch _, err := io.CopyN(w, f, piece); err {
		case nil:
		case io.EOF:
			return nil
		default:
			return err
		}
	}
}
