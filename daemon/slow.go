package daemon

import (
	"context"
	"sync"
	"time"

	"simpost/daemon/api"
)

// Some questions take a modem minutes, and a client may wait only seconds for an
// answer. So such work goes on when its asker has been told "working", and who asks
// the same again joins it: nobody starts it twice, and nobody's leaving ends it.

const (
	slowLimit = 6 * time.Minute // a look around for networks, or a change and the way back
	slowWait  = 20 * time.Second
	slowFresh = time.Minute // how long an answer is kept for an asker who went away
)

// slow is one piece of such work.
type slow struct {
	ask    ask
	gone   <-chan struct{} // the session ended
	cancel context.CancelFunc
	out    any // what it came to; to be read when it is done
	err    error
	at     time.Time // when it was done
}

// slows is the work that goes on, by its name. The zero value is ready.
type slows struct {
	mu   sync.Mutex
	work map[string]*slow
}

// do starts the work called key on a modem, or joins it, and waits for slowWait.
// done is false while it goes on. f's error is the asker's; the session goes on
// unless its port died.
func (w *slows) do(ctx context.Context, ds *desks, modem, key string, f func(context.Context, *session) (any, error)) (out any, done bool, err error) {
	key = modem + " " + key
	one, err := w.join(ds, modem, key, f)
	if err != nil {
		return nil, false, err
	}
	t := time.NewTimer(slowWait)
	defer t.Stop()
	select {
	case <-one.ask.done:
	case <-one.gone:
	case <-t.C:
		return nil, false, nil
	case <-ctx.Done():
		return nil, false, nil
	}
	w.mu.Lock()
	if w.work[key] == one {
		delete(w.work, key)
	}
	w.mu.Unlock()
	one.cancel()
	select {
	case <-one.ask.done:
		return one.out, true, one.err
	default:
		return nil, false, api.Errorf(api.CodeNotReady, "the modem %s stopped working meanwhile", modem)
	}
}

func (w *slows) join(ds *desks, modem, key string, f func(context.Context, *session) (any, error)) (*slow, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if one := w.work[key]; one != nil && one.good() {
		return one, nil
	}
	k, err := ds.find(modem)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), slowLimit)
	one := &slow{gone: k.gone, cancel: cancel, err: api.Errorf(api.CodeUnavailable, "the modem %s had no time for it", modem)}
	one.ask = ask{ctx: ctx, done: make(chan struct{}), do: func(ctx context.Context, s *session) error {
		one.out, one.err = f(ctx, s)
		one.at = time.Now()
		return s.m.Err()
	}}
	if err := k.put(modem, one.ask); err != nil {
		cancel()
		return nil, err
	}
	if w.work == nil {
		w.work = map[string]*slow{}
	}
	w.work[key] = one
	return one, nil
}

// good says that it goes on, or was done just now.
func (one *slow) good() bool {
	select {
	case <-one.ask.done:
		return time.Since(one.at) < slowFresh
	case <-one.gone:
		return false
	default:
		return true
	}
}
