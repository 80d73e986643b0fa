package daemon

import (
	"context"
	"net"
	"net/http"
	"sync"
)

// connTable knows the open connections and keeps them under a limit, so that
// clients that connect and hang cost nobody else anything: above the limit the
// connection that has waited the longest without a request at work is closed. One
// that has made requests before is taken for younger than it is: those that only
// ever waited go sooner. Safe for concurrent use.
type connTable struct {
	max int

	mu    sync.Mutex
	conns map[net.Conn]*conn
	clock uint64 // counts what happens: order is all that matters here
}

// conn is one client's connection.
type conn struct {
	peer  peer
	work  bool   // a handler is at it
	asked bool   // it has made a request
	since uint64 // on the table's clock, of the last change
}

type connKey struct{}

func newConnTable(most int) *connTable {
	return &connTable{max: most, conns: map[net.Conn]*conn{}}
}

// open is http.Server.ConnContext: it enters a new connection and who it is from.
func (t *connTable) open(identify func(net.Conn) peer) func(context.Context, net.Conn) context.Context {
	return func(ctx context.Context, nc net.Conn) context.Context {
		c := &conn{peer: identify(nc)}
		if out := t.enter(nc, c); out != nil {
			out.Close()
		}
		return context.WithValue(ctx, connKey{}, c)
	}
}

// enter adds a connection and returns the one that has to make room for it, if
// any: the new one itself when all the others are at work.
func (t *connTable) enter(nc net.Conn, c *conn) net.Conn {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.clock++
	c.since = t.clock
	t.conns[nc] = c
	if len(t.conns) <= t.max {
		return nil
	}
	out, oldest := nc, t.age(c)
	for other, o := range t.conns {
		if age := t.age(o); !o.work && age < oldest {
			out, oldest = other, age
		}
	}
	delete(t.conns, out)
	return out
}

// askedTurns is for how many turnovers of the whole table a request is worth.
const askedTurns = 4

// age is on the table's clock; the lowest goes first.
func (t *connTable) age(c *conn) uint64 {
	if c.asked {
		return c.since + askedTurns*uint64(t.max)
	}
	return c.since
}

// note is http.Server.ConnState.
func (t *connTable) note(nc net.Conn, state http.ConnState) {
	if state != http.StateClosed && state != http.StateHijacked {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.conns, nc)
}

// atWork marks the connection of a request until the returned function is called.
func (t *connTable) atWork(ctx context.Context) func() {
	c, ok := ctx.Value(connKey{}).(*conn)
	if !ok {
		return func() {}
	}
	t.mark(c, true)
	return func() { t.mark(c, false) }
}

func (t *connTable) mark(c *conn, work bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.clock++
	c.work, c.asked, c.since = work, true, t.clock
}

// peerFrom is who a request is from.
func peerFrom(ctx context.Context) peer {
	c, ok := ctx.Value(connKey{}).(*conn)
	if !ok {
		return peer{}
	}
	return c.peer
}
