package sim

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing/synctest"
	"time"

	"simpost/daemon/api"
	"simpost/modem/emulator"
)

// book is what clients asked for and what people wrote to the SIMs.
type book struct {
	mu    sync.Mutex
	asked int
	ids   []string
	open  sync.WaitGroup // clients that wait for an answer
	told  []string
	// The network brings what is written now without its last part; maimed are such
	// texts, and frail those of them of which a half has come.
	maiming       bool
	maimed, frail map[string]bool
	noisy         bool // a line has lost a byte, which may be one of a reference
}

// under notes what a fault of the catalogue, "" for none, does to what is written in
// the book.
func (b *book) under(fault string) {
	b.maiming = fault == "incoming.part-missing"
	b.noisy = b.noisy || fault == "bytes.lost"
}

// keyTries bounds how often a client asks again under the same key.
const keyTries = 20

// text is unlike any other, in every part of it. Long is how many parts it fills.
func (w *world) text(kind string, n, long int) string {
	s := fmt.Sprintf("%s%d.", kind, n)
	for i := 0; long > 1 && len(s) < 153*(long-1)+20; i++ {
		s += fmt.Sprintf(" %s%d-%d", kind, n, i)
	}
	return s
}

// ask is a client that wants a message sent, and asks again under the same key
// until it has an answer. It returns at once.
func (w *world) ask(to string, long int, change func(*api.SendRequest)) {
	w.book.mu.Lock()
	n := w.book.asked
	w.book.asked++
	w.book.mu.Unlock()
	body := w.text("o", n, long)
	req := api.SendRequest{To: api.Recipients{to}, Text: &body}
	if change != nil {
		change(&req)
	}
	w.book.open.Go(func() {
		moments := w.pace("client", n)
		for range keyTries {
			moments.step()
			msgs, _, err := w.client.Send(context.Background(), req, fmt.Sprintf("key-%d", n))
			if err == nil {
				w.book.mu.Lock()
				w.book.ids = append(w.book.ids, msgs[0].ID)
				w.book.mu.Unlock()
				return
			}
			var refusal *api.Error
			if errors.As(err, &refusal) && refusal.Code == api.CodeKeyReused {
				w.errorf("key %d: %v", n, err)
				return
			}
			time.Sleep(5 * time.Second)
		}
		w.errorf("key %d was never answered", n)
	})
}

// accepted are the messages that a client has heard to be accepted.
func (w *world) accepted() []string {
	w.book.mu.Lock()
	defer w.book.mu.Unlock()
	return slices.Clone(w.book.ids)
}

// tell has a person write to a SIM.
func (w *world) tell(p *emulator.Phone, to string, long int) {
	w.book.mu.Lock()
	s := w.text("i", len(w.book.told), long)
	w.book.told = append(w.book.told, s)
	if w.book.maiming {
		w.book.maimed[s] = true
	}
	w.book.mu.Unlock()
	p.Send(to, s)
}

// get is a question to a daemon that may be dying.
func (w *world) get(id string) (api.Message, error) {
	return w.ourClient().Get(context.Background(), id)
}

// within waits, up to limit of the bubble's time, until ok.
func (w *world) within(limit time.Duration, what string, ok func() bool) time.Duration {
	w.t.Helper()
	began := time.Now()
	step := 250 * time.Millisecond
	if limit > time.Hour {
		step = limit / 400
	}
	for end := began.Add(limit); time.Now().Before(end); time.Sleep(step) {
		synctest.Wait()
		if ok() {
			return time.Since(began)
		}
	}
	w.fatalf("not within %v: %s", limit, what)
	return 0
}

// ourClient is the client for the trial's own questions: by then the connection of the
// one before is free again.
func (w *world) ourClient() *api.Client {
	w.own.step()
	return w.client
}

// ready says whether a modem can send.
func (w *world) ready(name string) bool {
	m, err := w.ourClient().Modem(context.Background(), name)
	return err == nil && m.CanSend
}

// up waits until a modem can send.
func (w *world) up(name string) {
	w.t.Helper()
	w.within(time.Hour, name+" can send", func() bool { return w.ready(name) })
}

// settled says whether nothing is open and all that people wrote has come.
func (w *world) settled() bool {
	status, err := w.ourClient().Status(context.Background())
	if err != nil || status.Messages["queued"]+status.Messages["sending"]+status.Messages["scheduled"] > 0 {
		return false
	}
	if status.Messages["unknown"] > 0 && !w.decided() {
		return false
	}
	return w.arrived()
}

// decided says that what is unknown will stay so: each such part was tried twice, the
// second copy perhaps refused, or another one of its message has failed.
func (w *world) decided() bool {
	page, err := w.ourClient().List(context.Background(), api.ListQuery{Direction: api.Out, State: api.Unknown, Limit: 200})
	if err != nil {
		return false
	}
	for _, m := range page.Messages {
		full, err := w.get(m.ID)
		if err != nil || waiting(full) {
			return false
		}
	}
	return true
}

// waiting says whether a part will be sent again by itself.
func waiting(m api.Message) bool {
	unknowns, last := map[int]int{}, map[int]api.State{}
	for _, at := range m.Attempts {
		if last[at.Part] = at.State; at.State == api.Unknown {
			unknowns[at.Part]++
		}
	}
	doomed := slices.ContainsFunc(m.Parts, func(p api.Part) bool { return p.State == api.Failed })
	return m.OnUnknown == api.OnUnknownResend && slices.ContainsFunc(m.Parts, func(p api.Part) bool {
		return p.State == api.Queued || p.State == api.Submitting || p.State == api.Unknown && last[p.Seq] == api.Unknown && unknowns[p.Seq] < 2 && !doomed
	})
}

// inbox is all that has come in.
func (w *world) inbox() ([]api.Message, error) {
	var all []api.Message
	for next := ""; ; {
		page, err := w.ourClient().List(context.Background(), api.ListQuery{Direction: api.In, Limit: 200, After: next})
		if err != nil {
			return nil, err
		}
		all = append(all, page.Messages...)
		if page.Next == nil {
			return all, nil
		}
		next = *page.Next
	}
}

// arrived says whether every text is in the inbox, but for those the network lost.
func (w *world) arrived() bool {
	in, err := w.inbox()
	if err != nil {
		return false
	}
	w.partial(in)
	got := map[string]bool{}
	for _, m := range in {
		if m.Text != nil {
			got[*m.Text] = true
		}
	}
	return !slices.ContainsFunc(w.book.told, func(s string) bool { return !got[s] && !w.book.frail[s] })
}

// verdict ends a trial: everything is settled within limit, and the judge is asked.
func (w *world) verdict(limit time.Duration, change func(*account)) {
	w.t.Helper()
	w.book.open.Wait()
	w.within(limit, "all is settled", w.settled)
	w.judge(change)
}

// judge asks the judge now.
func (w *world) judge(change func(*account)) {
	w.t.Helper()
	a := account{told: w.book.told, noisy: w.book.noisy}
	var err error
	if a.in, err = w.inbox(); err != nil {
		w.fatalf("%v", err)
	}
	w.partial(a.in)
	a.frail = w.book.frail
	for _, id := range w.accepted() {
		m, err := w.get(id)
		var refusal *api.Error
		switch {
		case err == nil:
			a.out = append(a.out, m)
		case errors.As(err, &refusal) && refusal.Code == api.CodeNotFound:
			a.gone = append(a.gone, id)
		default:
			w.fatalf("%v", err)
		}
	}
	a.record = w.net.Record() // last: what was delivered meanwhile is in it too
	if change != nil {
		change(&a)
	}
	v := judge(a)
	for name, l := range w.lines {
		if n := l.strays(); n > 0 {
			v.wrong = append(v.wrong, fmt.Sprintf("modem %s was given %d ^Z without a PDU", name, n))
		}
	}
	w.found.messages += len(a.out) + len(a.told)
	w.found.lost += len(v.lost)
	w.found.doubled += len(v.doubled)
	w.found.wrong += len(v.wrong)
	w.found.flagged += v.flagged
	for _, what := range v.all() {
		w.errorf("%s", what)
	}
}

// unsettled is what a trial waits for, for those who look into a failure.
func (w *world) unsettled() string {
	if w.life == nil || w.life.crashed {
		return ""
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	s := "still open:"
	for _, state := range []api.State{api.Queued, api.Sending, api.Scheduled, api.Unknown} {
		page, err := w.ourClient().List(ctx, api.ListQuery{Direction: api.Out, State: state, Limit: 200})
		if err != nil {
			return err.Error()
		}
		for _, m := range page.Messages {
			s += fmt.Sprintf(" %s %s %v %v;", m.ID, m.State, m.Reason, m.Parts)
		}
	}
	in, err := w.inbox()
	if err != nil {
		return err.Error()
	}
	for _, text := range w.book.told {
		if !slices.ContainsFunc(in, func(m api.Message) bool { return m.Text != nil && *m.Text == text }) {
			s += fmt.Sprintf(" missing %q;", clip(text))
		}
	}
	for _, m := range in {
		if m.Incomplete || m.Text == nil {
			s += fmt.Sprintf(" half %s %v %v;", m.ID, m.Parts, m.Error)
		}
	}
	return s
}
