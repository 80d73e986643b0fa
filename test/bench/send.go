package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"simpost/daemon/api"
	"simpost/modem/emulator"
)

const (
	fortyDigits = "0123456789012345678901234567890123456789"
	// sendText fills one part: 160 septets.
	sendText = fortyDigits + fortyDigits + fortyDigits + fortyDigits
	// onePart is what a full part puts on the line, both ways:
	// AT+CMGS=154, prompt, 311 octets of PDU and ^Z, +CMGS and OK.
	onePart = 347
	// recipients of one request at most.
	recipients = 1000
	// bitsPerByte of 8N1.
	bitsPerByte = 10
)

// benchSend is end to end, from the queue on disk to the network's record, beside
// a host without a daemon that only types AT+CMGS on the same kind of line.
func benchSend(ctx context.Context, b *bench) error {
	if err := b.sendOver(ctx, "a bare pty", 0, 1500); err != nil {
		return err
	}
	return b.sendOver(ctx, fmt.Sprintf("%d baud", lineSpeed), lineSpeed, 200)
}

func (b *bench) sendOver(ctx context.Context, line string, baud, count int) (err error) {
	w, err := b.newWorld(ctx, "send", baud, "")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	host, err := w.bareHost(ctx, baud, count/2)
	if err != nil {
		return fmt.Errorf("a host without a daemon: %w", err)
	}
	if _, _, err := w.start(ctx); err != nil {
		return err
	}
	for _, report := range []bool{false, true} {
		r, err := w.send(ctx, count, report)
		if err != nil {
			return err
		}
		r.addTo(&b.table, line, baud, report, host)
	}
	return nil
}

// sending is what became of a row of messages.
type sending struct {
	parts    int
	rate     float64       // a second
	each     time.Duration // from one part's acceptance by the network to the next one's, the median
	cpu      time.Duration
	commands int
	usage    usage
}

func (r sending) addTo(t *table, line string, baud int, report bool, host time.Duration) {
	name := "send: " + line
	if report {
		name += ", with reports"
	}
	v := row{what: name, measured: fmt.Sprintf("%.1f messages/s, %s a part", r.rate, short(r.each)),
		beside: fmt.Sprintf("host without daemon %s a part: %s", short(host), signed(r.each-host))}
	limit := lineTime(baud)
	switch {
	case report: // the reports need the line as well
	case limit > 0:
		v.beside += fmt.Sprintf("; line alone %s: ×%.2f, %s", short(limit), float64(r.each)/float64(limit), signed(r.each-limit))
		v.aim, v.met = "line + 5 ms", judge(r.each-limit <= 5*time.Millisecond)
	default:
		v.aim, v.met = "hundreds/s", judge(r.each <= 5*time.Millisecond)
	}
	t.add(v)
	per := float64(r.commands) / float64(r.parts)
	v = row{what: name + ", load", measured: fmt.Sprintf("%.2f AT commands a message", per),
		beside: fmt.Sprintf("CPU a message %s; resident %s", short(each(r.cpu, r.parts)), bytesOf(r.usage.resident))}
	if !report {
		v.aim, v.met = "1.0", judge(per < 1.05)
	}
	t.add(v)
}

// lineTime is what the line itself needs for a part; 0 without a line speed.
func lineTime(baud int) time.Duration {
	if baud == 0 {
		return 0
	}
	return onePart * bitsPerByte * time.Second / time.Duration(baud)
}

// send queues count messages, each to a number of its own, and follows the
// network's events until it has all. One number for all would be another test:
// references are 8 bits, and reports to one number in one second can't be told apart.
func (w *world) send(ctx context.Context, count int, report bool) (sending, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	events := w.net.Watch(ctx)
	before, err := w.usage()
	if err != nil {
		return sending{}, err
	}
	commands := w.modem.Commands()
	text := sendText
	for left := count; left > 0; left -= recipients {
		to := make(api.Recipients, min(left, recipients))
		for i := range to {
			to[i] = fmt.Sprintf("+47900%05d", left-i)
		}
		if _, _, err := w.api.Send(ctx, api.SendRequest{To: to, Text: &text, Report: &report}, ""); err != nil {
			return sending{}, err
		}
	}
	var at []time.Time
	for e := range events {
		if e.Kind == emulator.Accepted {
			at = append(at, e.At)
		}
		if len(at) == count {
			break
		}
	}
	if len(at) < count {
		return sending{}, fmt.Errorf("the network has %d of %d messages: %w: %s", len(at), count, ctx.Err(), w.log)
	}
	if err := w.settled(ctx); err != nil {
		return sending{}, err
	}
	after, err := w.usage()
	return sending{parts: count, rate: perSecond(count-1, at[count-1].Sub(at[0])), each: median(at), cpu: after.cpu - before.cpu,
		commands: w.modem.Commands() - commands, usage: after}, err
}

// median is the usual time from one to the next: what the machine does beside
// this lengthens a few of them much.
func median(at []time.Time) time.Duration {
	var steps []time.Duration
	for i := range at[1:] {
		steps = append(steps, at[i+1].Sub(at[i]))
	}
	return quantile(steps, 0.5)
}

// settled waits until nothing is on its way: no message open, no command sent.
func (w *world) settled(ctx context.Context) error {
	last := -1
	return poll(ctx, "wait for the modem to be idle", func() bool {
		st, err := w.api.Status(ctx)
		now := w.modem.Commands()
		idle := err == nil && now == last && st.Messages[string(api.Queued)]+st.Messages[string(api.Sending)] == 0
		last = now
		return idle
	})
}

// bareHost sends count full parts over a modem of its own, without a daemon, and
// answers what one takes. This is the rate of pseudo-terminal and emulator.
func (w *world) bareHost(ctx context.Context, baud, count int) (time.Duration, error) {
	m := w.newModem(ctx, "host", baud)
	if err := waitForFile(ctx, w.path("host")); err != nil {
		return 0, err
	}
	tty, err := os.OpenFile(w.path("host"), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return 0, err
	}
	defer tty.Close()
	h := host{tty: tty}
	h.say("ATE0\r", "OK\r\n")
	h.say("AT+CMGF=0\r", "OK\r\n")
	pdu := hostPDU()
	at := []time.Time{time.Now()}
	for range count {
		h.say(fmt.Sprintf("AT+CMGS=%d\r", len(pdu)/2-1), "> ")
		h.say(pdu+"\x1a", "OK\r\n")
		at = append(at, time.Now())
	}
	if h.err != nil {
		return 0, fmt.Errorf("%s: %w", m.Name(), h.err)
	}
	return median(at), nil
}

// hostPDU is sendText to +4790000009 as SMS-SUBMIT with a relative validity, by hand,
// as long as what the daemon sends.
func hostPDU() string { return "00" + "1100" + "0A917409000090" + "0000AAA0" + packed(sendText) }

// packed is GSM 7-bit, eight septets in seven octets (TS 23.038 6.1.2.1.1).
func packed(text string) string {
	var out strings.Builder
	bits, n := 0, 0
	for _, c := range []byte(text) {
		bits |= int(c) << n
		for n += 7; n >= 8; n -= 8 {
			fmt.Fprintf(&out, "%02X", bits&0xff)
			bits >>= 8
		}
	}
	if n > 0 {
		fmt.Fprintf(&out, "%02X", bits)
	}
	return out.String()
}

// host is the simplest program that drives a modem. After an error it does nothing.
type host struct {
	tty *os.File
	err error
}

// say writes and waits for an answer that ends with mark.
func (h *host) say(what, mark string) {
	if h.err != nil {
		return
	}
	if _, h.err = h.tty.WriteString(what); h.err != nil {
		return
	}
	var got []byte
	for buf := make([]byte, 512); !bytes.HasSuffix(got, []byte(mark)); {
		var n int
		if n, h.err = h.tty.Read(buf); h.err != nil {
			return
		}
		if got = append(got, buf[:n]...); bytes.Contains(got, []byte("ERROR")) {
			h.err = fmt.Errorf("%q was answered %q", what, got)
			return
		}
	}
}
