package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"simpost/daemon/api"
)

// defaultWait is how long --wait waits when --timeout does not say.
const defaultWait = 5 * time.Minute

// sendFlags is the command line of send.
type sendFlags struct {
	req       api.SendRequest
	to        []string
	key       string
	wait      string
	timeout   time.Duration
	report    bool
	data      string
	port      int
	notBefore string
	expires   string
	priority  string
	onUnknown string
}

func (f *sendFlags) checkWait() error { return oneOf("wait", f.wait, "sent", "delivered") }

func (a *app) send() *cobra.Command {
	var f sendFlags
	cmd := &cobra.Command{
		Use:   "send --to NUMBER [TEXT]",
		Short: "send a message",
		Long: `Send a text, given as an argument or on standard input, to one or more numbers.

The daemon has the message on its disk when this returns. What happens then shows
in "simpost show ID", or here with --wait. With --wait the exit status is 0 if it was
sent or delivered; 1 if it failed, or was not sent yet when the time was over (it says
so: the message stays queued and is still sent, unless "simpost cancel ID" takes it
back); 3 if nobody can say yet whether it was sent. Whatever the status, a repeat with
the same --key never sends twice.`,
		Example: `  simpost send --to +4790000001 "The freezer is warm: -4 °C"
  uptime | simpost send --to +4790000001 --wait=delivered --timeout 2m`,
		Args: func(cmd *cobra.Command, args []string) error {
			if err := f.checkWait(); err != nil { // with no word of its own it has taken the next one
				return err
			}
			return oneText(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error { return a.runSend(cmd, &f, args) },
	}
	flags := cmd.Flags()
	flags.StringArrayVar(&f.to, "to", nil, "recipient `number`; repeat it for more")
	flags.StringVar(&f.wait, "wait", "", "wait until the message is `sent|delivered`")
	flags.DurationVar(&f.timeout, "timeout", defaultWait, "how long to wait")
	flags.BoolVar(&f.report, "report", false, "ask for delivery reports, or not with --report=false (default as configured)")
	flags.BoolVar(&f.req.Flash, "flash", false, "show it at once, without storing it (class 0)")
	flags.StringVar(&f.key, "key", "", "idempotency `key`: the same key never sends twice (default a random one)")
	flags.StringVar(&f.req.Modem, "modem", "", "send by the modem of this `name`")
	flags.StringVar(&f.req.Validity, "validity", "", "how long the network tries, a `period` such as 24h or 7d")
	flags.StringVar(&f.priority, "priority", "", "`alert|normal|bulk`: what goes first")
	flags.StringVar(&f.onUnknown, "on-unknown", "", "`resend|hold|fail`: what to do if nobody can say whether it was sent")
	flags.StringVar(&f.notBefore, "not-before", "", "send at this `time`: 2026-12-24T18:00, or a duration from now such as 90m")
	flags.StringVar(&f.expires, "expires", "", "give up at this `time` if it was not sent by then")
	flags.StringVar(&f.req.Encoding, "encoding", "", "`auto|gsm7|ucs2`")
	flags.StringVar(&f.req.Language, "language", "", "national `language` table to use, such as turkish")
	flags.BoolVar(&f.req.Transliterate, "transliterate", false, "replace what GSM 7-bit lacks by what looks like it")
	flags.StringVar(&f.data, "data", "", "send the bytes of `file` (- is standard input) instead of a text")
	flags.IntVar(&f.port, "port", 0, "destination `port` of --data, 1 to 65535")
	completions(cmd, "wait", "sent", "delivered")
	completions(cmd, "priority", "alert", "normal", "bulk")
	completions(cmd, "on-unknown", "resend", "hold", "fail")
	completions(cmd, "encoding", "auto", "gsm7", "ucs2")
	return cmd
}

func (a *app) runSend(cmd *cobra.Command, f *sendFlags, args []string) error {
	if err := a.fillRequest(cmd, f, args); err != nil {
		return err
	}
	c, err := a.client()
	if err != nil {
		return err
	}
	// From here on Ctrl-C must not leave unsaid that the outcome is not known.
	ctx, stop := untilSignal(cmd.Context())
	defer stop()
	var w *waiter
	if f.wait != "" {
		// The place in the event log is taken before the message exists, so that
		// nothing that happens to it can be missed.
		if w, err = a.newWaiter(ctx, c, f.wait); err != nil {
			return err
		}
	}
	messages, replayed, err := c.Send(ctx, f.req, f.key)
	if err != nil {
		return err
	}
	if replayed {
		fmt.Fprintln(a.err, "simpost: this key was used before: here is its message, nothing was sent again")
	}
	if w == nil {
		return a.printSent(messages)
	}
	if !a.json {
		if err := a.printSent(messages); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, f.timeout)
	defer cancel()
	return w.wait(ctx, messages)
}

// fillRequest turns the command line into the request. Numbers and what they may
// be sent are the daemon's to judge, so that there is one grammar of them.
func (a *app) fillRequest(cmd *cobra.Command, f *sendFlags, args []string) error {
	now := time.Now()
	switch {
	case len(f.to) == 0:
		return hinted(usagef("send to whom?"), `simpost send --to +4790000001 "text"`)
	case f.timeout <= 0:
		return usagef("--timeout is longer than 0")
	case f.data != "" && len(args) > 0:
		return usagef("a message carries a text or --data, not both")
	}
	if err := f.words(); err != nil {
		return err
	}
	f.req.To = f.to
	f.req.Priority, f.req.OnUnknown = api.Priority(f.priority), api.OnUnknown(f.onUnknown)
	if cmd.Flags().Changed("report") || f.wait == "delivered" {
		report := f.report || f.wait == "delivered"
		f.req.Report = &report
	}
	if cmd.Flags().Changed("port") {
		f.req.Port = &f.port
	}
	var err error
	if f.req.NotBefore, err = timeFlag("not-before", f.notBefore, now); err != nil {
		return err
	}
	if f.req.Expires, err = timeFlag("expires", f.expires, now); err != nil {
		return err
	}
	return a.fillBody(f, args)
}

// words checks the flags that take one of a few words.
func (f *sendFlags) words() error {
	return errors.Join(
		f.checkWait(),
		oneOf("encoding", f.req.Encoding, "auto", "gsm7", "ucs2"),
		oneOf("priority", f.priority, "alert", "normal", "bulk"),
		oneOf("on-unknown", f.onUnknown, "resend", "hold", "fail"),
	)
}

// fillBody takes the text or the data from where the command line says.
func (a *app) fillBody(f *sendFlags, args []string) error {
	if f.data != "" {
		data, err := a.readData(f.data)
		f.req.Data = data
		return err
	}
	text, err := a.text(args)
	f.req.Text = &text
	return err
}

func (a *app) readData(name string) ([]byte, error) {
	if name == "-" {
		return readLimited(a.in, "standard input")
	}
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return readLimited(file, name)
}

// timeFlag reads a point in time, or a duration from now.
func timeFlag(flag, s string, now time.Time) (*time.Time, error) {
	if s == "" {
		return nil, nil
	}
	if d, err := time.ParseDuration(s); err == nil {
		t := now.Add(d).UTC().Truncate(time.Second)
		return &t, nil
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02 15:04:05", "2006-01-02 15:04", "2006-01-02"} {
		if t, err := time.ParseInLocation(layout, s, time.Local); err == nil {
			t = t.UTC()
			return &t, nil
		}
	}
	return nil, usagef("--%s is a time such as 2026-12-24T18:00, or a duration from now such as 90m, not %q", flag, s)
}

func (a *app) printSent(messages []api.Message) error {
	if a.json {
		return a.printMessages(messages)
	}
	for _, m := range messages {
		_, err := fmt.Fprintf(a.out, "message %s %s: %s to %s; follow it with: %s\n",
			m.ID, m.State, plural(len(m.Parts), "part"), clean(m.To), a.commandLine("show", m.ID))
		if err != nil {
			return err
		}
	}
	return nil
}

// printMessages prints what POST answers: one message as it is, several as a list.
func (a *app) printMessages(messages []api.Message) error {
	if len(messages) == 1 {
		return a.printJSON(messages[0])
	}
	return a.printJSON(messages)
}
