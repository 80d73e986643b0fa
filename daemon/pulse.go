package daemon

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"simpost/configs"
)

// The loops that do the work (a modem's, the housekeeper's) say, before anything
// that takes time, by when they will be heard of again at the latest. One that is
// not has lost its way: a driver that never returns, a lock that nobody gives back.
// The API waits for others, and can't say when: it is asked on its own socket.
// systemd is told that the daemon is alive only while all loops keep their word and
// the API answers, and starts it anew when they do not. A modem that hangs is no
// reason: its loop knows, and says so in time.

const (
	roundLimit   = 5 * time.Minute  // one round of the housekeeper
	workLimit    = 2 * time.Minute  // from one line written to a modem to the next, besides the wait for an answer
	pulseLeeway  = time.Minute      // for a machine that has much else to do
	frontLimit   = 20 * time.Second // for the API to answer
	houseLoop    = "housekeeper"
	frontLoop    = "api"
	modemLoopFor = "modem "
)

// pulse is by when each loop wants to be heard of. The zero value is ready; it is
// safe for concurrent use.
type pulse struct {
	mu sync.Mutex
	by map[string]time.Time
}

// expect has the loop be heard of again within d.
func (p *pulse) expect(loop string, d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.by == nil {
		p.by = map[string]time.Time{}
	}
	p.by[loop] = time.Now().Add(d + pulseLeeway)
}

// ended expects the loop no more.
func (p *pulse) ended(loop string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.by, loop)
}

// late names the loops that are overdue.
func (p *pulse) late(now time.Time) []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var names []string
	for name, by := range p.by {
		if now.After(by) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// Alive says whether every loop made progress within its own bound and the API
// answers, and logs what does not. It takes frontLimit at the most. Safe for
// concurrent use.
func (d *Daemon) Alive() bool {
	late := d.pulse.late(time.Now())
	if front := d.answering.Load(); front != nil && !d.answers() && d.answering.Load() == front { // not if it was ended meanwhile
		late = append(late, frontLoop)
	}
	if len(late) > 0 {
		d.log.Error("loops are stuck", "loops", late)
	}
	return len(late) == 0
}

// serve answers on ln until ctx ends, and has Alive ask whether it does.
func (d *Daemon) serve(ctx context.Context, web *server, ln net.Listener) error {
	d.answering.Store(web)
	defer context.AfterFunc(ctx, func() { d.answering.CompareAndSwap(web, nil) })()
	return web.serve(ctx, ln)
}

// answers says whether the API does, to a client like any other. To be turned away
// for want of a place is an answer: all the others are at work.
func (d *Daemon) answers() bool {
	dial := d.Dial
	if dial == nil {
		if d.Listen != nil {
			return true
		}
		dial = func(ctx context.Context) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", d.cfg.API.Socket)
		}
	}
	client := http.Client{Timeout: frontLimit, Transport: &http.Transport{DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx) }}}
	resp, err := client.Get("http://localhost/healthz")
	if err != nil {
		return errors.Is(err, io.EOF) || errors.Is(err, unix.ECONNRESET) || errors.Is(err, unix.EPIPE)
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return err == nil && resp.StatusCode == http.StatusOK
}

// expectModem bounds a step of a modem's loop, after a wait of its own choice.
func (d *Daemon) expectModem(mc configs.Modem, wait time.Duration) {
	d.pulse.expect(modemLoopFor+mc.Name, wait+d.cfg.Send.AnswerTimeout+workLimit)
}
