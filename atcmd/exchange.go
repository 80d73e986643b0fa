package atcmd

import (
	"context"
	"slices"
	"strings"
	"time"
)

// Limits of what is written. The longest TPDU with its SMSC is 176 octets; USSD in hex UCS-2 is 728 characters.
const (
	maxCommand = 1024 // characters of a command line or a payload
	maxAnswer  = 1 << 20
)

// exchange is one command and its answer.
type exchange struct {
	cmd    string
	prompt *Prompt  // nil: no payload
	secret []string // arguments that nothing may repeat
	spec   spec
	stop   chan struct{} // closed when given up
	ready  chan struct{} // closed when Prompt.Ready returned; nil if it was not called

	// guarded by Conn.mu
	seq       uint64
	sent      bool // the command line was handed to the writer
	prompted  bool // the prompt came
	submitted bool // ^Z was handed to the writer
	echoed    bool // the command line came back
	over      bool // the final result came
	final     string
	before    string // the final result that came just before it: it may come once more
	held      string // ends with this final result when nothing comes for a while
	spare     string // the answer if there is no other, else a URC
	gone      error  // given up, why
	limit     *time.Timer
	pdu       bool // the last line was a header: its PDU follows
	size      int
	lines     []string
}

func newExchange(cmd string, answers map[string][]string) *exchange {
	return &exchange{
		cmd:    cmd,
		secret: secretsIn(cmd),
		spec:   specOf(cmd, answers),
		stop:   make(chan struct{}),
	}
}

// check refuses what could end a line early or be taken as a payload.
func (x *exchange) check() error {
	if !printable(x.cmd) || len(x.cmd) > maxCommand {
		return ErrBadCommand
	}
	if x.prompt != nil && (!isPDU(x.prompt.Payload) || len(x.prompt.Payload) > maxCommand) {
		return ErrBadCommand
	}
	return nil
}

// isEcho says whether l is the echo of the command line or of the payload.
func (x *exchange) isEcho(l string) bool {
	return len(l) == len(x.cmd)+2 && strings.EqualFold(l, "AT"+x.cmd) || x.prompt != nil && l == x.prompt.Payload
}

// giveUp ends the wait of whoever runs x. Conn.mu is held.
func (x *exchange) giveUp(err error) {
	x.gone = err
	x.stopLimit()
	close(x.stop)
}

// answer is what came of an exchange that is over.
func (x *exchange) answer(c *Conn) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !x.over {
		return nil
	}
	return x.lines
}

// hasMR says whether the answer holds the reference of a submission: the network has it. Conn.mu is held.
func (x *exchange) hasMR() bool { return slices.ContainsFunc(x.lines, isMR) }

func (x *exchange) stopLimit() {
	if x.limit != nil {
		x.limit.Stop()
	}
}

func (x *exchange) fail(err error) error {
	name, _, _ := strings.Cut(x.cmd, "=")
	return &ExecError{Seq: x.seq, Verb: name, Sent: x.sent, Submitted: x.submitted, Lines: x.lines, Err: err}
}

// run takes the turn, runs x and passes the turn on.
func (c *Conn) run(ctx context.Context, x *exchange) (Response, error) {
	if err := x.check(); err != nil {
		return Response{}, x.fail(err)
	}
	if err := c.take(ctx); err != nil {
		return Response{}, x.fail(err)
	}
	lines := c.eng.run(ctx, x)
	err := c.settle(x)
	if x.ready != nil {
		<-x.ready
	}
	if err != nil {
		return Response{}, x.fail(err)
	}
	return Response{Seq: x.seq, Lines: lines}, nil
}

// maxCleanups bounds the resyncs before one command, for a modem that says something odd after each of them.
const maxCleanups = 3

// take gets the turn, on a line that is in step.
func (c *Conn) take(ctx context.Context) error {
	for cleanups := 0; ; cleanups++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		select {
		case c.turn <- struct{}{}:
		case <-ctx.Done():
			return ctx.Err()
		case <-c.dead:
			return c.Err()
		}
		if clean, err := c.inStep(cleanups < maxCleanups); err != nil {
			<-c.turn
			return err
		} else if clean {
			return nil
		}
	}
}

// inStep says whether the line is ready for a command. If it is not, the turn goes to a resync. An open prompt is never
// tolerated, anything else that came unasked only where clean is false.
func (c *Conn) inStep(clean bool) (bool, error) {
	c.mu.Lock()
	dirty, err := c.dirty && (clean || c.asking), c.err
	pause := time.Duration(0)
	if c.repeats {
		pause = repeatPause - time.Since(c.lastRx)
	}
	if dirty && err == nil {
		c.lose(nil)
		c.wg.Go(c.resync)
	}
	c.mu.Unlock()
	if err != nil || dirty {
		return false, err
	}
	if !c.silence(pause, repeatPause) {
		return false, c.Err()
	}
	return true, nil
}

// settle decides how x ended and gives the turn back, or leaves it to the resync.
func (c *Conn) settle(x *exchange) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case x.over:
		<-c.turn
		return finalError(x.final)
	case c.err != nil:
		<-c.turn
		return c.err
	case x.gone == nil:
		panic("atcmd: exchange ended without a reason")
	case c.lost != nil:
		c.wg.Go(c.resync)
	default: // given up before it began
		c.eng.reset()
		<-c.turn
	}
	return x.gone
}

// abandon ends the wait for x. It loses against a final result already seen.
func (c *Conn) abandon(x *exchange, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.drop(x, err)
}

// drop is abandon with c.mu held.
func (c *Conn) drop(x *exchange, err error) {
	if x.over || x.gone != nil {
		return
	}
	x.giveUp(err)
	if x.submitted && !x.hasMR() {
		c.owed = x.seq
	}
	if c.cur == x {
		c.dropSpare()
		c.cur = nil
		c.lose(x)
	}
	c.eng.abort()
}

// send opens the exchange, hands its command line to the writer and starts Prompt.Ready.
func (c *Conn) send(x *exchange) {
	if !c.open(x) {
		return
	}
	taken, err := c.put(x.stop, "AT"+x.cmd, cr)
	if !taken {
		c.mu.Lock()
		x.seq, x.sent = 0, false
		c.mu.Unlock()
	}
	if err == nil && x.prompt != nil {
		c.startPrompt(x)
	}
}

func (c *Conn) open(x *exchange) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if x.gone != nil || c.err != nil {
		return false
	}
	c.seq++
	x.seq, x.sent = c.seq, true
	if time.Since(c.lastAt) <= c.cfg.Quiet {
		x.before = c.last
	}
	c.cur, c.last = x, ""
	c.fr.wantPrompt, c.fr.echo = x.prompt != nil, "AT"+x.cmd
	return true
}

// startPrompt limits the wait for the prompt and calls Prompt.Ready.
func (c *Conn) startPrompt(x *exchange) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if x.over || x.gone != nil {
		return
	}
	if !x.prompted {
		x.limit = time.AfterFunc(x.prompt.Wait, func() { c.expirePrompt(x) })
	}
	x.ready = make(chan struct{})
	if x.prompt.Ready == nil {
		close(x.ready)
		return
	}
	go func() { // run waits for it
		defer close(x.ready)
		if err := x.prompt.Ready(); err != nil {
			c.abandon(x, err)
		}
	}()
}

func (c *Conn) expirePrompt(x *exchange) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !x.prompted {
		c.drop(x, ErrNoPrompt)
	}
}

// submit sends the payload, waits for Prompt.Ready and then sends the ^Z by itself: so x.submitted is exact.
func (c *Conn) submit(x *exchange) {
	if x.ready == nil { // it was over before it began
		return
	}
	if _, err := c.put(x.stop, x.prompt.Payload, 0); err != nil {
		return
	}
	select {
	case <-x.ready:
	case <-x.stop:
	}
	if !c.beginSubmit(x) {
		return
	}
	taken, _ := c.put(x.stop, "", ctrlZ)
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case !taken:
		x.submitted = false
	case !x.over && x.gone == nil:
		limit := x.prompt.Answer
		if x.hasMR() { // it was faster than we are
			limit = okWait
		}
		x.limit = time.AfterFunc(limit, func() { c.abandon(x, ErrNoAnswer) })
	}
}

// beginSubmit marks x as submitted before the writer has the ^Z, because the answer may be faster than we are.
func (c *Conn) beginSubmit(x *exchange) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if x.prompt.NoEcho && x.echoed {
		c.drop(x, ErrEcho)
	}
	if x.gone != nil || x.over || c.err != nil {
		return false
	}
	x.submitted = true
	c.owed = 0 // from here on a +CMGS is ours; another one, after ours, can't be told
	return true
}
