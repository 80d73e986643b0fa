package daemon

import (
	"context"
	"sync"
	"time"

	"simpost/daemon/api"
	"simpost/modem"
)

// What people ask of a modem goes to the goroutine that owns it: over a bounded
// channel, with the answer on another. The session takes requests between two
// exchanges of its own, never during one.

const (
	deskLimit = 4 // requests that wait for one modem; one more is refused

	// consoleLimit is for the wait and the modem's answer. It must end before
	// writeLimit does, and before the client's own.
	consoleLimit = 25 * time.Second
)

// ask is one request. do runs in the session's goroutine; its error is what is
// wrong with the modem, and ends the session.
type ask struct {
	ctx  context.Context
	do   func(context.Context, *session) error
	done chan struct{} // closed after do
}

// desk takes the requests for one session.
type desk struct {
	asks chan ask
	bell chan struct{} // rings when there is one; capacity 1
	gone chan struct{} // closed when the session has ended
}

// desks are the desks of the sessions at work, by the modem's name. Safe for
// concurrent use.
type desks struct {
	mu   sync.Mutex
	open map[string]desk
}

// enter opens the desk of a session; leave closes it for good.
func (ds *desks) enter(name string) (desk, func()) {
	k := desk{asks: make(chan ask, deskLimit), bell: make(chan struct{}, 1), gone: make(chan struct{})}
	ds.mu.Lock()
	defer ds.mu.Unlock()
	if ds.open == nil {
		ds.open = map[string]desk{}
	}
	ds.open[name] = k
	return k, func() {
		ds.mu.Lock()
		defer ds.mu.Unlock()
		delete(ds.open, name)
		close(k.gone)
	}
}

// request is inSession for what needs the modem only.
func (ds *desks) request(ctx context.Context, name string, do func(context.Context, *modem.Modem) error) error {
	return ds.inSession(ctx, name, func(ctx context.Context, s *session) error { return do(ctx, s.m) })
}

// inSession runs do in the session's goroutine and waits for its end. An error says
// that do did not run to its end; it may still, so what it writes is to be read
// after nil only.
func (ds *desks) inSession(ctx context.Context, name string, do func(context.Context, *session) error) error {
	k, err := ds.find(name)
	if err != nil {
		return err
	}
	a := ask{ctx: ctx, do: do, done: make(chan struct{})}
	if err := k.put(name, a); err != nil {
		return err
	}
	select {
	case <-a.done:
		return nil
	case <-k.gone:
	case <-ctx.Done():
		return api.Errorf(api.CodeUnavailable, "the modem %s is busy, or did not answer in time", name)
	}
	select {
	case <-a.done: // it was its last
		return nil
	default:
		return api.Errorf(api.CodeNotReady, "the modem %s stopped working before it was asked", name)
	}
}

// find is the desk of a modem's session.
func (ds *desks) find(name string) (desk, error) {
	ds.mu.Lock()
	defer ds.mu.Unlock()
	k, ok := ds.open[name]
	if !ok {
		return desk{}, api.Errorf(api.CodeNotReady, "the modem %s does not answer now", name)
	}
	return k, nil
}

// put lays a request on the desk, if there is room.
func (k desk) put(name string, a ask) error {
	select {
	case k.asks <- a:
	default:
		return api.Errorf(api.CodeUnavailable, "%d requests wait for the modem %s already", deskLimit, name)
	}
	select {
	case k.bell <- struct{}{}:
	default:
	}
	return nil
}

// serve runs the requests that wait.
func (s *session) serve(ctx context.Context) error {
	for {
		select {
		case a := <-s.desk.asks:
			if err := s.serveOne(ctx, a); err != nil {
				return err
			}
		default:
			return nil
		}
	}
}

// serveOne runs a request, if its asker still waits. Neither the asker nor the
// session waits for a modem longer than both want to.
func (s *session) serveOne(ctx context.Context, a ask) error {
	defer close(a.done)
	if a.ctx.Err() != nil {
		return nil
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(a.ctx, cancel)()
	return a.do(ctx, s)
}
