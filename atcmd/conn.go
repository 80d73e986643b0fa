package atcmd

import (
	"cmp"
	"context"
	"io"
	"sync"
	"time"
)

// Config limits a Conn. The zero value works; a field that is 0 has the default named beside it.
type Config struct {
	// Answers names further identifiers that the answer of a command may carry, {"+CICCID": {"+ICCID"}}.
	Answers map[string][]string

	Queue      int           // URCs waiting to be read, 256; a full queue drops and counts (URC.Missed)
	WriteLimit time.Duration // the port takes a write within this, or the connection ends with ErrWriteLimit; 5 s
	CloseLimit time.Duration // Close waits this long for the port to free its reader and writer; 5 s
	Quiet      time.Duration // silence that ends draining after a command was given up, and a line without an end; 200 ms
	DrainMax   time.Duration // draining ends after this, even in a flood; 2 s
	PingWait   time.Duration // wait for the first ping of a resync, and for each AT; a further ping waits twice as long; 1 s
	PDUWait    time.Duration // wait for the PDU line of +CMT, or the closing quote of +CUSD; 1 s

	// Resynced, if set, is called when a resync has ended: ok says that the modem answers again, else the Conn has
	// ended. It must return soon.
	Resynced func(ok bool)

	// Trace, if set, is told every line written ('>') and read ('<'), with secrets (PIN, PUK, passwords) replaced.
	// ^Z, ESC and the payload prompt are traced as "^Z", "ESC" and ">". It is called with a lock held, one call at a
	// time: it must return soon and must not call the Conn.
	Trace func(dir byte, line string)
}

func (cfg Config) withDefaults() Config {
	cfg.Queue = cmp.Or(cfg.Queue, 256)
	cfg.WriteLimit = cmp.Or(cfg.WriteLimit, 5*time.Second)
	cfg.CloseLimit = cmp.Or(cfg.CloseLimit, 5*time.Second)
	cfg.Quiet = cmp.Or(cfg.Quiet, 200*time.Millisecond)
	cfg.DrainMax = cmp.Or(cfg.DrainMax, 2*time.Second)
	cfg.PingWait = cmp.Or(cfg.PingWait, time.Second)
	cfg.PDUWait = cmp.Or(cfg.PDUWait, time.Second)
	return cfg
}

// Command is a command line with what is special about its answer.
type Command struct {
	Line string // without "AT"

	// Final is a line that ends the answer with success although no OK follows, and is part of it: "+CPIN: READY" on
	// some modems. An OK is waited for as long as Config.Quiet; it ends the answer at once.
	Final string
}

// Prompt is the second half of a command that asks for a payload (AT+CMGS, AT+CMGW, AT+CNMA=1).
type Prompt struct {
	// Payload is a hex PDU. The Conn ends it with ^Z, in a write of its own.
	Payload string

	// Ready, if set, is called once the command line is written, while the modem makes up its prompt. ^Z leaves only
	// after it returned nil: this is where the caller makes the attempt durable. On an error ESC is sent and
	// ExecError.Err is that error. ExecPrompt never returns before Ready has, so Ready must end when its ctx does.
	Ready func() error

	// NoEcho says that the modem was told not to echo. One that echoes the command line all the same was reset since then,
	// perhaps into text mode, where the length is a telephone number and the PDU a text: ESC is sent, and ExecError.Err is
	// ErrEcho.
	NoEcho bool

	Wait   time.Duration // limit for the prompt after the command line, 30 s
	Answer time.Duration // limit for the answer after ^Z, 180 s; the OK behind a +CMGS has 10 s
}

// Default limits of an ExecPrompt. Networks were seen to answer after 135 s.
const (
	promptWait = 30 * time.Second
	answerWait = 180 * time.Second
	okWait     = 10 * time.Second // for the OK when the reference is there
)

// Response is the answer of a command that succeeded, without its final result.
type Response struct {
	Seq   uint64 // matches URC.Seq of evidence that comes late: a +CMGS after an OK that came without it
	Lines []string
}

// URC is a line that no running command asked for.
type URC struct {
	Line   string
	PDU    string // the second line of +CMT, +CDS and +CBM; empty if it never came
	Late   bool   // an answer without its command: evidence about an exchange given up, not an event
	Seq    uint64 // of that exchange (ExecError.Seq); 0 if it can't be told
	Missed int    // URCs dropped before this one because the queue was full
}

// Conn is one AT conversation. Its methods may be called from any goroutine.
type Conn struct {
	cfg  Config
	port io.ReadWriteCloser
	eng  *engine
	turn chan struct{} // one slot: who put something in may run a command
	out  chan write
	urcs chan URC
	dead chan struct{}
	wg   sync.WaitGroup // every goroutine but the engine's

	mu      sync.Mutex
	err     error // dead: the first cause
	seq     uint64
	fr      framer
	cur     *exchange   // busy
	lost    *resync     // lost
	dirty   bool        // dirty
	asking  bool        // dirty, by a payload prompt
	owed    uint64      // last exchange that ended after ^Z without its +CMGS
	last    string      // the final result that came last; "" while a command runs
	lastAt  time.Time   // when
	repeats bool        // the modem was seen to say a final result twice
	lastRx  time.Time   // of the last byte
	head    string      // a URC whose PDU line has not come yet
	pending *time.Timer // gives up on head and on an open quote
	unended *time.Timer // takes a final result without its line end
	missed  int
	echoes  int // command lines echoed
}

// Open starts a conversation on port. The Conn owns the port from here on: Close closes it, and its Close must free a
// Read and a Write that are under way. Nothing is written before the first command.
func Open(port io.ReadWriteCloser, cfg Config) *Conn {
	c := &Conn{
		cfg:  cfg.withDefaults(),
		port: port,
		turn: make(chan struct{}, 1),
		out:  make(chan write),
		dead: make(chan struct{}),
	}
	c.urcs = make(chan URC, c.cfg.Queue)
	c.fr.wantPrompt = true
	c.pending = stoppedTimer(c.expire)
	c.unended = stoppedTimer(c.endLine)
	c.eng = newEngine(c)
	c.wg.Go(c.reader)
	c.wg.Go(c.writer)
	return c
}

func stoppedTimer(f func()) *time.Timer {
	t := time.AfterFunc(time.Hour, f)
	t.Stop()
	return t
}

// Exec runs "AT"+cmd and waits for its final result. Any failure is an *ExecError.
// The wait for the turn and for the answer ends with ctx and has no other limit.
func (c *Conn) Exec(ctx context.Context, cmd string) (Response, error) {
	return c.Do(ctx, Command{Line: cmd})
}

// Do is Exec for a command whose answer is special.
func (c *Conn) Do(ctx context.Context, cmd Command) (Response, error) {
	x := newExchange(cmd.Line, c.cfg.Answers)
	x.spec.end = cmd.Final
	return c.run(ctx, x)
}

// ExecPrompt runs "AT"+cmd, waits for the payload prompt, sends p.Payload and ^Z, and waits for the final result.
// Any failure is an *ExecError; ErrNoPrompt and ErrNoAnswer say which limit of p ran out.
func (c *Conn) ExecPrompt(ctx context.Context, cmd string, p Prompt) (Response, error) {
	x := newExchange(cmd, c.cfg.Answers)
	p.Wait = cmp.Or(p.Wait, promptWait)
	p.Answer = cmp.Or(p.Answer, answerWait)
	x.prompt = &p
	return c.run(ctx, x)
}

// URCs hands up what the modem says by itself, in order. It is closed when the connection ends.
// A reader that is slow loses chatter first: the last quarter of the queue is kept for messages and evidence.
func (c *Conn) URCs() <-chan URC { return c.urcs }

// Echoes counts the command lines that the modem echoed so far.
func (c *Conn) Echoes() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.echoes
}

// Stir writes a CR, which no modem answers, to a modem that may sleep.
func (c *Conn) Stir(ctx context.Context) error {
	if err := c.take(ctx); err != nil {
		return err
	}
	defer func() { <-c.turn }()
	_, err := c.put(ctx.Done(), "", cr)
	return err
}

// Done is closed when the connection has ended; Err then says why.
func (c *Conn) Done() <-chan struct{} { return c.dead }

// Err is the first cause of the connection's end: ErrClosed, ErrWriteLimit, ErrNoResync or an error of the port.
// It is nil while the connection lives.
func (c *Conn) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// Close closes the port, ends every exchange with ErrClosed and waits for all goroutines. It may be called twice.
// Its error says that the port held a goroutine past Config.CloseLimit.
func (c *Conn) Close() error {
	c.fail(ErrClosed)
	done := make(chan struct{})
	go func() {
		defer close(done)
		c.wg.Wait()
		c.turn <- struct{}{} // nobody is inside the engine any more
		c.eng.close()
		<-c.turn
	}()
	t := time.NewTimer(c.cfg.CloseLimit)
	defer t.Stop()
	select {
	case <-done:
		return nil
	case <-t.C:
		return errStuck
	}
}

// fail ends the connection.
func (c *Conn) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.die(err)
}

// die ends the connection; the first cause wins. c.mu is held.
func (c *Conn) die(err error) {
	if c.err != nil {
		return
	}
	c.err = err
	c.pending.Stop()
	c.unended.Stop()
	close(c.dead)
	if x := c.cur; x != nil {
		c.cur = nil
		x.giveUp(err)
	}
	c.eng.abort()
	c.wg.Go(func() { c.port.Close() }) // in a driver this may block; Close bounds the wait
}
