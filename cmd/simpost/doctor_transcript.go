package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"time"

	"simpost/hw"
)

// doctor --transcript. A transcript is recorded without atcmd: what a modem really sends, line ends,
// echo and noise included, is the point of it.

const (
	recordWait  = 5 * time.Second  // for most answers
	recordLong  = 30 * time.Second // for those that ask the network or list the memory
	recordQuiet = 100 * time.Millisecond
	recordMax   = 64 << 10 // octets of one answer
)

// question is one line of the bring-up and how long its answer may take. None
// sends anything, deletes anything or enters a PIN.
type question struct {
	at   string
	wait time.Duration
}

var questions = []question{
	{"AT", recordWait}, {"ATE0", recordWait}, {"ATV1", recordWait}, {"AT+CMEE=1", recordWait},
	{"ATI", recordWait}, {"AT+CGMI", recordWait}, {"AT+CGMM", recordWait}, {"AT+CGMR", recordWait}, {"AT+CGSN", recordWait},
	{"AT+CFUN?", recordWait}, {"AT+CPIN?", recordLong}, {"AT+CIMI", recordWait},
	{"AT+CCID", recordWait}, {"AT+ICCID", recordWait}, {"AT+CRSM=176,12258,0,0,10", recordWait}, {"AT+CRSM=176,28483,0,0,2", recordWait},
	{"AT+CREG=?", recordWait}, {"AT+CREG?", recordWait}, {"AT+CGREG?", recordWait}, {"AT+CEREG?", recordWait},
	{"AT+COPS?", recordLong}, {"AT+CSQ", recordWait}, {"AT+CESQ", recordWait}, {"AT+CSCS?", recordWait}, {"AT+CSCS=?", recordWait},
	{"AT+CMGF=?", recordWait}, {"AT+CMGF=0", recordWait}, {"AT+CMGF?", recordWait},
	{"AT+CSMS=?", recordWait}, {"AT+CSMS?", recordWait}, {"AT+CSCA?", recordWait}, {"AT+CMMS=?", recordWait},
	{"AT+CPMS=?", recordWait}, {"AT+CPMS?", recordWait}, {"AT+CNMI=?", recordWait}, {"AT+CNMI?", recordWait},
	{"AT+CMGL=?", recordWait}, {"AT+CMGL=4", recordLong}, {"AT+CMGD=?", recordWait}, {"AT+CGSMS=?", recordWait}, {"AT+CLAC", recordLong},
	// How often the PIN may still be wrong, as each make is asked: one of them is this modem's own.
	{"AT+CPINR", recordWait}, {"AT^CPIN?", recordWait}, {"AT+SPIC", recordWait}, {`AT+QPINC="SC"`, recordWait}, {"AT#PCT", recordWait},
	{"AT+UPINCNT", recordWait}, {"AT+CPINC?", recordWait}, {`AT^SPIC="SC"`, recordWait}, {"AT*EPIN?", recordWait}, {"AT+ZPINPUK=?", recordWait},
}

// exchange is a question and the octets that came after it, masked.
type exchange struct{ question, answer string }

// transcript is one entry of the file, as in atcmd's and modem's test data.
type transcript struct {
	name    string
	answers []exchange
}

func (a *app) runTranscript(ctx context.Context, port hw.Port, name string) error {
	ctx, stop := untilSignal(ctx)
	defer stop()
	rwc, err := hw.Open(port)
	var refused *hw.OpenError
	if errors.As(err, &refused) && refused.Remedy != "" {
		return hinted(err, "%s", refused.Remedy)
	}
	if err != nil {
		return err
	}
	defer rwc.Close()
	r := newRecorder(rwc)
	t, err := r.ask(ctx, func(q string) { fmt.Fprintf(a.err, "simpost: %s\n", q) })
	if err != nil {
		return fmt.Errorf("%s: %w", port.Path, err)
	}
	raw, err := t.marshal()
	if err != nil {
		return err
	}
	if name == "-" {
		_, err = a.out.Write(raw)
		return err
	}
	if err := writeNew(name, func(f *os.File) error { _, err := f.Write(raw); return err }); err != nil {
		return err
	}
	fmt.Fprintf(a.err, "simpost: %s recorded; look it over before you give it away\n", plural(len(t.answers), "answer"))
	return nil
}

// recorder reads a port in a goroutine of its own, which ends when the port is
// closed.
type recorder struct {
	port   io.ReadWriter
	chunks chan []byte
}

func newRecorder(port io.ReadWriter) *recorder {
	r := &recorder{port: port, chunks: make(chan []byte, 64)}
	go func() {
		defer close(r.chunks)
		for {
			buf := make([]byte, 4096)
			n, err := port.Read(buf)
			if n > 0 {
				r.chunks <- buf[:n]
			}
			if err != nil {
				return
			}
		}
	}()
	return r
}

// ask puts all questions. A modem that answers none of the first is none.
func (r *recorder) ask(ctx context.Context, progress func(string)) (transcript, error) {
	var t transcript
	// ESC leaves a prompt that another program left open.
	if _, err := io.WriteString(r.port, "\x1b\r"); err != nil {
		return t, err
	}
	if _, err := r.collect(ctx, time.Second, func([]byte) bool { return false }); err != nil {
		return t, err
	}
	for i, q := range questions {
		progress(q.at)
		raw, err := r.exchange(ctx, q)
		if err != nil {
			return t, err
		}
		if i == 0 && len(raw) == 0 {
			return t, hintedSilence()
		}
		t.answers = append(t.answers, exchange{q.at, mask(q.at, string(raw))})
		if q.at == "AT+CGMI" || q.at == "AT+CGMM" {
			t.name = strings.TrimSpace(t.name + " " + firstLine(string(raw)))
		}
	}
	return t, nil
}

func hintedSilence() error {
	return hinted(errors.New("the port does not answer AT"), "it may be another port of the same stick: try the others, /dev/ttyUSB0 to 4")
}

func (r *recorder) exchange(ctx context.Context, q question) ([]byte, error) {
	if _, err := io.WriteString(r.port, q.at+"\r"); err != nil {
		return nil, err
	}
	return r.collect(ctx, q.wait, final.Match)
}

// final is a line that ends an answer (V.250 5.7.1, TS 27.005 3.2.5, TS 27.007 9.1).
var final = regexp.MustCompile(`(?m)^(OK|ERROR|\+CM[ES] ERROR:[^\r\n]*|COMMAND NOT SUPPORT|NO CARRIER)\r*$\n?`)

// collect reads until done says so and the line has been quiet for a moment, or
// the time is up: a late answer must not become the next one's.
func (r *recorder) collect(ctx context.Context, wait time.Duration, done func([]byte) bool) ([]byte, error) {
	var all []byte
	limit := time.NewTimer(wait)
	defer limit.Stop()
	var quiet <-chan time.Time
	for len(all) < recordMax {
		select {
		case chunk, open := <-r.chunks:
			if !open {
				return all, errors.New("the device is gone")
			}
			all = append(all, chunk...)
			if done(all) {
				quiet = time.After(recordQuiet)
			}
		case <-quiet:
			return all, nil
		case <-limit.C:
			return all, nil
		case <-ctx.Done():
			return all, ctx.Err()
		}
	}
	return all, nil
}

// marshal keeps the order of the questions, which encoding/json's maps do not.
func (t transcript) marshal() ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	put := func(v any) {
		_ = enc.Encode(v) // strings can be encoded
		b.Truncate(b.Len() - 1)
	}
	b.WriteString(`[{"source_repo":"simpost doctor --transcript","name":`)
	put(t.name)
	b.WriteString(`,"answers":{`)
	for i, e := range t.answers {
		if i > 0 {
			b.WriteByte(',')
		}
		put(e.question)
		b.WriteByte(':')
		put(strings.ToValidUTF8(e.answer, "\uFFFD"))
	}
	b.WriteString(`}}]`)
	var out bytes.Buffer
	if err := json.Indent(&out, b.Bytes(), "", " "); err != nil {
		return nil, err
	}
	out.WriteByte('\n')
	return out.Bytes(), nil
}

func firstLine(s string) string {
	for _, line := range strings.FieldsFunc(s, func(r rune) bool { return r == '\r' || r == '\n' }) {
		if line != "OK" && !strings.HasPrefix(line, "AT") {
			return line
		}
	}
	return ""
}

var (
	longDigits = regexp.MustCompile(`[0-9]{14,}F?`)
	longHex    = regexp.MustCompile(`[0-9A-Fa-f]{7,}`)
	// A name in a message list, a USSD text, the cell in a registration.
	quoted = regexp.MustCompile(`(?m)^\+(?:CMGL|CMGR|CMT|CUSD|CREG|CGREG|CEREG): .*$`)
	inside = regexp.MustCompile(`"[^"\r\n]*"`)
)

// keepsWords are the answers that tell what the modem is; only numbers as long as
// an IMEI are taken out of them.
var keepsWords = map[string]bool{"ATI": true, "AT+CGMI": true, "AT+CGMM": true, "AT+CGMR": true, "AT+CLAC": true}

// mask replaces what tells who and where somebody is, and keeps its length: long
// numbers, PDUs, and whatever is quoted in lines that carry names, texts or cells.
func mask(question, answer string) string {
	if keepsWords[question] {
		return longDigits.ReplaceAllStringFunc(answer, ones)
	}
	answer = quoted.ReplaceAllStringFunc(answer, func(line string) string {
		return inside.ReplaceAllStringFunc(line, func(s string) string { return `"` + ones(s[2:]) + `"` })
	})
	return longHex.ReplaceAllStringFunc(answer, ones)
}

func ones(s string) string { return strings.Repeat("1", len(s)) }
