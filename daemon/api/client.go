package api

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// DefaultSocket is where the daemon listens unless its configuration says otherwise.
const DefaultSocket = "/run/simpost/simpost.sock"

// Limits of the client.
const (
	answerLimit   = 30 * time.Second       // the whole of one question and its answer
	maxAnswer     = 64 << 20               // octets of one answer: 200 messages of 255 parts are far below
	sendTries     = 7                      // of one message whose answer was lost: about 16 s in all
	firstWait     = 250 * time.Millisecond // before the second try; doubled each time
	longestWait   = 4 * time.Second
	queueWait     = 10 * time.Millisecond // before a socket is tried again whose queue is full
	maxIdleSocket = 64                    // connections kept for the next question
)

// Client talks to the daemon. The zero value talks to DefaultSocket. All its
// methods may be called by several goroutines at once; a Client is not copied
// after its first use.
//
// Every error is an *Error, except that of a context that ended before the
// question was put, and what the caller's own function or writer returned.
type Client struct {
	Socket string                                      // path of the socket, DefaultSocket if empty
	Dial   func(ctx context.Context) (net.Conn, error) // instead of Socket: for tests and tunnels

	once sync.Once
	http *http.Client
}

// ListQuery narrows a list of messages; the zero value asks for the newest page
// of all.
type ListQuery struct {
	Direction Direction
	State     State
	Number    string
	Modem     string
	After     string // the Next of the page before
	Limit     int    // up to 200; 0 is the daemon's default
}

// Send gives messages to the daemon: one per recipient, all or none. They are on
// disk when it returns. key makes repeating harmless for seven days: the same
// key and request answer the same messages (and true). An empty key is replaced
// by a random one.
//
// An answer that was lost, by a crash of the daemon for example, is asked for
// again with the same key for about 16 seconds; if none comes then the error has
// CodeOutcomeUnknown, and its hint names the key.
func (c *Client) Send(ctx context.Context, r SendRequest, key string) ([]Message, bool, error) {
	if key == "" {
		key = rand.Text()
	}
	body, err := json.Marshal(r)
	if err != nil {
		return nil, false, fmt.Errorf("encode the message: %w", err)
	}
	lost := false
	for wait, try := firstWait, 1; ; wait, try = min(2*wait, longestWait), try+1 {
		messages, replayed, err := c.sendOnce(ctx, body, key)
		if err == nil {
			return messages, replayed, nil
		}
		// After a failed fsync nobody can say either; the same key asks again safely.
		lost = lost || hasCode(err, CodeOutcomeUnknown, CodeStorage, CodeInternal)
		if !lost || settles(err) {
			return nil, false, err
		}
		if !mayPass(err) || try == sendTries || !sleep(ctx, wait) {
			return nil, false, outcomeUnknown(key, err)
		}
	}
}

func (c *Client) sendOnce(ctx context.Context, body []byte, key string) ([]Message, bool, error) {
	var messages []Message
	header, err := c.call(ctx, question{
		method: http.MethodPost, path: "/v1/messages", body: body,
		header: http.Header{"Idempotency-Key": {key}}, answer: &messages,
	})
	return messages, header.Get("Idempotency-Replayed") == "true", err
}

// settles tells whether an error also answers what became of a question asked
// before. What time (expires) or another configuration can refuse now may have
// been accepted then.
func settles(err error) bool {
	var e *Error
	return errors.As(err, &e) && !mayPass(err) && !hasCode(err, CodeInvalid, CodeUnknownModem)
}

// mayPass tells whether asking again can bring the lost answer: the daemon is
// restarting, or could not say.
func mayPass(err error) bool {
	return hasCode(err, CodeOutcomeUnknown, CodeDaemonNotRunning, CodeUnavailable,
		CodeStorage, CodeDiskFull, CodeInternal)
}

func outcomeUnknown(key string, err error) *Error {
	e := Errorf(CodeOutcomeUnknown, "the daemon's answer was lost (%v): the message may or may not have been accepted", err)
	e.Hint = fmt.Sprintf("repeat it with the same key, %s: then it cannot be sent twice", key)
	return e
}

// List answers a page of messages, newest first.
func (c *Client) List(ctx context.Context, q ListQuery) (Messages, error) {
	v := url.Values{}
	for name, value := range map[string]string{
		"direction": string(q.Direction), "state": string(q.State),
		"number": q.Number, "modem": q.Modem, "after": q.After,
	} {
		if value != "" {
			v.Set(name, value)
		}
	}
	if q.Limit > 0 {
		v.Set("limit", strconv.Itoa(q.Limit))
	}
	return get[Messages](ctx, c, "/v1/messages?"+v.Encode())
}

// Get answers one message with its attempts and reports.
func (c *Client) Get(ctx context.Context, id string) (Message, error) {
	return get[Message](ctx, c, messagePath(id))
}

// Cancel takes back a message that was not sent yet; CodeTooLate says it was, or may have been.
func (c *Client) Cancel(ctx context.Context, id string) (Message, error) {
	var m Message
	_, err := c.call(ctx, question{method: http.MethodDelete, path: messagePath(id), answer: &m})
	return m, err
}

// Resolve settles a held or unknown message by a person's decision.
func (c *Client) Resolve(ctx context.Context, id string, a Action) (Message, error) {
	var m Message
	err := c.post(ctx, messagePath(id)+"/resolve", ResolveRequest{Action: a}, &m)
	return m, err
}

// Segment answers how a text would be sent.
func (c *Client) Segment(ctx context.Context, r SegmentRequest) (Segments, error) {
	var s Segments
	err := c.post(ctx, "/v1/segment", r, &s)
	return s, err
}

// Modems answers all configured modems.
func (c *Client) Modems(ctx context.Context) ([]Modem, error) {
	m, err := get[Modems](ctx, c, "/v1/modems")
	return m.Modems, err
}

// Modem answers one modem by its name in the configuration.
func (c *Client) Modem(ctx context.Context, name string) (Modem, error) {
	return get[Modem](ctx, c, "/v1/modems/"+url.PathEscape(name))
}

// AT runs one AT command on a modem, where the daemon's configuration allows it.
func (c *Client) AT(ctx context.Context, modem, command string) (ATAnswer, error) {
	var a ATAnswer
	err := c.post(ctx, "/v1/modems/"+url.PathEscape(modem)+"/at", ATRequest{Command: command}, &a)
	return a, err
}

// SIM asks a modem's SIM card how it is.
func (c *Client) SIM(ctx context.Context, modem string) (SIM, error) {
	return get[SIM](ctx, c, "/v1/modems/"+url.PathEscape(modem)+"/sim")
}

// Phonebook reads the phonebooks of a modem and its SIM card.
func (c *Client) Phonebook(ctx context.Context, modem string) (Phonebook, error) {
	return get[Phonebook](ctx, c, "/v1/modems/"+url.PathEscape(modem)+"/phonebook")
}

// SetSMSC writes the service centre's number to the SIM card.
func (c *Client) SetSMSC(ctx context.Context, modem, number string) error {
	var a SMSCRequest
	return c.ask(ctx, http.MethodPut, "/v1/modems/"+url.PathEscape(modem)+"/smsc", SMSCRequest{SMSC: number}, &a)
}

// Operators has a modem look for networks; it takes up to three minutes.
func (c *Client) Operators(ctx context.Context, modem string) ([]Operator, error) {
	return c.slowly(ctx, http.MethodPost, "/v1/modems/"+url.PathEscape(modem)+"/operators", nil)
}

// SetOperator binds a modem to an operator by its country and network code, or
// gives the choice back ("auto"); it takes up to six minutes.
func (c *Client) SetOperator(ctx context.Context, modem, operator string) error {
	_, err := c.slowly(ctx, http.MethodPut, "/v1/modems/"+url.PathEscape(modem)+"/operator", OperatorRequest{Operator: operator})
	return err
}

// slowly asks until the work is done.
func (c *Client) slowly(ctx context.Context, method, path string, body any) ([]Operator, error) {
	for {
		var a Operators
		if err := c.ask(ctx, method, path, body, &a); err != nil || a.State != SlowWorking {
			return a.Operators, err
		}
	}
}

// USSD dials a code, replies in its menu, or ends it; it returns when the network
// has answered.
func (c *Client) USSD(ctx context.Context, modem string, r USSDRequest) (USSDAnswer, error) {
	var a USSDAnswer
	err := c.post(ctx, "/v1/modems/"+url.PathEscape(modem)+"/ussd", r, &a)
	return a, err
}

// Broadcasts answers the newest cell broadcasts, newest first; 0 is the daemon's
// default limit.
func (c *Client) Broadcasts(ctx context.Context, limit int) ([]Broadcast, error) {
	path := "/v1/broadcasts"
	if limit > 0 {
		path += "?limit=" + strconv.Itoa(limit)
	}
	b, err := get[Broadcasts](ctx, c, path)
	return b.Broadcasts, err
}

// Signal answers how a modem stood with the network over the last days; 0 is the
// daemon's default.
func (c *Client) Signal(ctx context.Context, modem string, days int) (SignalHistory, error) {
	path := "/v1/modems/" + url.PathEscape(modem) + "/signal"
	if days > 0 {
		path += "?days=" + strconv.Itoa(days)
	}
	return get[SignalHistory](ctx, c, path)
}

// Status answers how the daemon is.
func (c *Client) Status(ctx context.Context) (Status, error) {
	return get[Status](ctx, c, "/v1/status")
}

// Ready is nil when a modem can send now; otherwise the error says why none can.
func (c *Client) Ready(ctx context.Context) error {
	_, err := c.call(ctx, question{method: http.MethodGet, path: "/readyz"})
	return err
}

// Backup writes a consistent copy of the daemon's database, an SQLite file, to
// w. It takes as long as it takes; ctx ends it. What w got of a failed one is
// not a database.
func (c *Client) Backup(ctx context.Context, w io.Writer) error {
	res, err := c.do(ctx, question{method: http.MethodPost, path: "/v1/backup"})
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if _, err := io.Copy(w, res.Body); err != nil {
		return fmt.Errorf("copy the database: %w", err)
	}
	return nil
}

func messagePath(id string) string { return "/v1/messages/" + url.PathEscape(id) }

func get[T any](ctx context.Context, c *Client, path string) (T, error) {
	var v T
	_, err := c.call(ctx, question{method: http.MethodGet, path: path, answer: &v})
	return v, err
}

func (c *Client) post(ctx context.Context, path string, in, out any) error {
	return c.ask(ctx, http.MethodPost, path, in, out)
}

// ask puts a question with a body; in nil is none.
func (c *Client) ask(ctx context.Context, method, path string, in, out any) error {
	var body []byte
	if in != nil {
		var err error
		if body, err = json.Marshal(in); err != nil {
			return fmt.Errorf("encode the request: %w", err)
		}
	}
	_, err := c.call(ctx, question{method: method, path: path, body: body, answer: out})
	return err
}

// A question is one request and where its answer goes.
type question struct {
	method, path string
	body         []byte // JSON
	header       http.Header
	answer       any // filled from JSON; nil if the answer does not matter
}

// call puts a question that has an answer of bounded size and time.
func (c *Client) call(ctx context.Context, q question) (http.Header, error) {
	ctx, cancel := context.WithTimeout(ctx, answerLimit)
	defer cancel()
	res, err := c.do(ctx, q)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return nil, c.lost(q, err)
	}
	if q.answer == nil {
		return res.Header, nil
	}
	if err := json.Unmarshal(body, q.answer); err != nil {
		return nil, c.lost(q, fmt.Errorf("not the answer of a simpost daemon: %w", err))
	}
	return res.Header, nil
}

// do puts a question and returns the answer if it is a good one; the caller
// closes its body.
func (c *Client) do(ctx context.Context, q question) (*http.Response, error) {
	var wrote atomic.Bool
	traced := httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{WroteHeaders: func() { wrote.Store(true) }})
	req, err := http.NewRequestWithContext(traced, q.method, "http://simpost"+q.path, bytes.NewReader(q.body))
	if err != nil {
		return nil, Errorf(CodeInvalid, "%s %s: %v", q.method, q.path, err)
	}
	for name, values := range q.header {
		req.Header[name] = values
	}
	if len(q.body) > 0 {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := c.transport().Do(req)
	switch {
	case err == nil && res.StatusCode < 300:
		return res, nil
	case err == nil:
		defer res.Body.Close()
		return nil, c.refusal(q, res)
	case wrote.Load():
		// The library repeats a question by itself when a kept connection
		// breaks, so even a failure to dial can come after the daemon had it.
		return nil, c.lost(q, err)
	}
	return nil, c.unreached(ctx, err)
}

// refusal reads the problem the daemon answered.
func (c *Client) refusal(q question, res *http.Response) error {
	body, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return c.lost(q, err)
	}
	e := new(Error)
	if err := json.Unmarshal(body, e); err != nil || e.Code == "" {
		return Errorf(CodeInternal, "%s %s: the answer was %s, which no simpost daemon gives", q.method, q.path, res.Status)
	}
	return e
}

// lost is the error of a question whose answer did not come. One that changes
// nothing can be put again by anybody; one that does has an unknown outcome.
func (c *Client) lost(q question, err error) error {
	if q.method == http.MethodGet {
		return Errorf(CodeUnavailable, "the daemon did not answer: %v", plain(err))
	}
	return Errorf(CodeOutcomeUnknown, "the daemon's answer was lost: %v", plain(err))
}

// plain takes off the library's own wrapping, whose URL means nothing here.
func plain(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

func (c *Client) transport() *http.Client {
	c.once.Do(func() {
		c.http = &http.Client{Transport: &http.Transport{
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				return c.dial(ctx)
			},
			DisableCompression:  true,
			MaxIdleConns:        maxIdleSocket,
			MaxIdleConnsPerHost: maxIdleSocket,
			IdleConnTimeout:     answerLimit,
		}}
	})
	return c.http
}

func (c *Client) dial(ctx context.Context) (net.Conn, error) {
	if c.Dial != nil {
		return c.Dial(ctx)
	}
	for {
		conn, err := (&net.Dialer{}).DialContext(ctx, "unix", c.socket())
		// EAGAIN: the kernel's queue of the socket is full (connect(2)), for a moment.
		if !errors.Is(err, syscall.EAGAIN) || !sleep(ctx, queueWait) {
			return conn, err
		}
	}
}

func (c *Client) socket() string {
	if c.Socket == "" {
		return DefaultSocket
	}
	return c.Socket
}

// Close closes the connections kept for the next question. The client stays usable.
func (c *Client) Close() { c.transport().CloseIdleConnections() }

// sleep waits, unless ctx ends first.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

func hasCode(err error, codes ...Code) bool {
	var e *Error
	if !errors.As(err, &e) {
		return false
	}
	for _, c := range codes {
		if e.Code == c {
			return true
		}
	}
	return false
}
