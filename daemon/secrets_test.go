package daemon

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"simpost/configs"
	"simpost/daemon/api"
	"simpost/modem/emulator"
)

// Logs are read by people who may not read messages, and kept for years. These
// tests plant codes of eight digits wherever a secret can be (texts, numbers,
// senders, PINs, refused requests) and look for each in all that the daemon wrote
// at debug level and in what a peer sees that may only read states.

// codes are the planted secrets.
type codes struct {
	n     int
	known map[string]bool
}

// next is a code unlike any other, and unlike what logs hold (times, sizes, ids).
func (c *codes) next() string {
	c.n++
	code := fmt.Sprintf("83%06d", (c.n*7919+17)%1_000_000)
	if c.known[code] {
		panic("secrets: out of codes")
	}
	c.known[code] = true
	return code
}

// nibbles is the order in which PDUs hold the digits of a number.
func nibbles(code string) string {
	b := []byte(code)
	for i := 0; i+1 < len(b); i += 2 {
		b[i], b[i+1] = b[i+1], b[i]
	}
	return string(b)
}

var (
	digits  = regexp.MustCompile(`[0-9]{8,}`)
	longHex = regexp.MustCompile(`[0-9A-Fa-f]{40,}`) // a PDU, whatever it says
)

// leaks lists the codes that stand in text, in either order, and whatever looks
// like a PDU.
func (c *codes) leaks(text string) []string {
	found := longHex.FindAllString(text, -1)
	for _, run := range digits.FindAllString(text, -1) {
		for i := 0; i+8 <= len(run); i++ {
			if w := run[i : i+8]; c.known[w] || c.known[nibbles(w)] {
				found = append(found, w)
			}
		}
	}
	return found
}

func TestNoCodesInTheLog(t *testing.T) {
	inWeeks(t)
	planted := 0
	for name, handler := range map[string]func(io.Writer, *slog.HandlerOptions) slog.Handler{
		"text": func(w io.Writer, o *slog.HandlerOptions) slog.Handler { return slog.NewTextHandler(w, o) },
		"json": func(w io.Writer, o *slog.HandlerOptions) slog.Handler { return slog.NewJSONHandler(w, o) },
	} {
		t.Run(name, func(t *testing.T) {
			c := &codes{known: map[string]bool{}}
			log := new(lockedBuffer)
			plantEverywhere(t, c, slog.New(handler(log, &slog.HandlerOptions{Level: slog.LevelDebug})))
			wrote := log.String()
			if found := c.leaks(wrote); len(found) > 0 {
				t.Errorf("%d codes in the log, such as %s", len(found), around(wrote, found[0]))
			}
			if lines := strings.Count(wrote, "\n"); lines < 500 {
				t.Errorf("only %d lines were logged: the test does not reach what logs", lines)
			}
			planted += c.n
		})
	}
	if planted < 10_000 {
		t.Errorf("%d codes were planted, want 10,000", planted)
	}
}

// around is the line that holds s.
func around(text, s string) string {
	i := strings.Index(text, s)
	from, to := strings.LastIndex(text[:i], "\n")+1, strings.Index(text[i:], "\n")
	return text[from : i+to]
}

// plantEverywhere runs a daemon with everything that goes wrong, a while each.
func plantEverywhere(t *testing.T, c *codes, log *slog.Logger) {
	right, wrong := c.next(), c.next()
	modems := append(twoModems(), emulator.Config{Name: "c", Number: "+4790000003", PIN: right},
		emulator.Config{Name: "d", Number: "+4790000004", PIN: c.next()})
	inWorld(t, emulator.NetworkConfig{Latency: 100 * time.Millisecond}, modems, func(w *world) {
		w.cfg.Guard.Off, w.cfg.API.Console = true, true
		w.cfg.Modems[1].BalanceCode, w.cfg.Modems[1].BalanceEvery = "*100#", time.Hour
		w.withPINFile("c", right)
		w.withPINFile("d", wrong)
		w.tweak = func(d *Daemon) { d.log = log }
		w.start()
		for i, f := range emulator.Faults() {
			if err := w.modems["a"].Fault(f.Name, emulator.FaultConfig{Delay: lasting[f.Name]}); err != nil {
				t.Fatal(err)
			}
			w.plantMessages(c, i)
			w.plantRefusals(c)
			time.Sleep(3 * time.Minute)
			w.modems["a"].ClearFaults()
		}
		time.Sleep(time.Hour)
		w.checkStatus(c)
	})
}

func (w *world) withPINFile(name, pin string) {
	path := filepath.Join(w.t.TempDir(), "pin")
	if err := os.WriteFile(path, []byte(pin), 0o600); err != nil {
		w.t.Fatal(err)
	}
	for i := range w.cfg.Modems {
		if w.cfg.Modems[i].Name == name {
			w.cfg.Modems[i].PINFile = path
		}
	}
}

// plantMessages sends to and from numbers that are codes, texts that are codes:
// short, in UCS-2, and of several parts.
func (w *world) plantMessages(c *codes, round int) {
	for i := range 8 {
		body := "code " + c.next()
		switch i % 4 {
		case 1:
			body += " ☃"
		case 2:
			body += strings.Repeat(" and so on", 20)
		}
		req := text("+47"+c.next(), body)
		req.OnUnknown = []api.OnUnknown{api.OnUnknownResend, api.OnUnknownHold, api.OnUnknownFail}[round%3]
		w.send(req)
	}
	for i := range 4 {
		phone := w.net.NewPhone(emulator.PhoneConfig{Number: "+47" + c.next()})
		phone.Send(fmt.Sprintf("+479000000%d", 1+i%3), "your code: "+c.next())
	}
	w.net.Call("+47"+c.next(), "+4790000002").EndAfter(20 * time.Second)
	w.modems["b"].PushUSSD("your voucher is "+c.next(), false)
	w.modems["b"].SetUSSD("*100#", "you have 5.00, your voucher is "+c.next(), false)
}

// plantRefusals asks for what is refused, with codes in every place that a request has.
func (w *world) plantRefusals(c *codes) {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return w.pipe.dial(ctx) }}}
	for _, r := range [][3]string{
		{"POST", "/v1/messages", `{"to":"+47` + c.next() + `x","text":"` + c.next() + `"}`},
		{"POST", "/v1/messages", `{"to":"+47` + c.next() + `","text":"` + c.next()},
		{"POST", "/v1/messages", `{"to":"+4790000002","` + c.next() + `":1,"text":17}`},
		{"POST", "/v1/messages", `{"to":["` + c.next() + `","",7],"text":"x","modem":"` + c.next() + `"}`},
		{"POST", "/v1/segment", `{"text":"` + c.next() + `","encoding":"` + c.next() + `"}`},
		{"GET", "/v1/messages?number=" + c.next() + "&state=" + c.next(), ""},
		{"GET", "/v1/messages/" + c.next(), ""},
		{"DELETE", "/" + c.next() + "/" + c.next(), ""},
		{"GET", "/v1/events?after=x" + c.next(), ""},
		{"POST", "/v1/modems/c/at", `{"command":"AT+CPIN=\"` + c.next() + `\""}`},
		{"POST", "/v1/modems/c/at", `{"command":"AT+CSCA=\"+47` + c.next() + `\",145"}`},
		{"POST", "/v1/modems/" + c.next() + "/at", `{"command":"AT+CSQ"}`},
		{"POST", "/v1/modems/b/ussd", `{"code":"*141*` + c.next() + `#"}`},
		{"POST", "/v1/modems/b/ussd", `{"reply":"` + c.next() + `"}`},
		{"POST", "/v1/modems/b/ussd", `{"code":"**04*` + c.next() + `*1*1#"}`},
	} {
		req, err := http.NewRequestWithContext(context.Background(), r[0], "http://localhost"+r[1], strings.NewReader(r[2]))
		if err != nil {
			w.t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Idempotency-Key", c.next())
		res, err := client.Do(req)
		if err != nil {
			w.t.Fatal(err)
		}
		io.Copy(io.Discard, res.Body)
		res.Body.Close()
	}
}

// checkStatus looks at what the role read-status shows.
func (w *world) checkStatus(c *codes) {
	modems, err := w.client.Modems(context.Background())
	if err != nil {
		w.t.Fatal(err)
	}
	for i := range modems {
		modems[i].SMSC, modems[i].IMEI, modems[i].ICCID = "", "", "" // the daemon's own; a console has set the first
	}
	veilModems(modems)
	events, err := w.daemon.store.Events(0, 1_000_000)
	if err != nil || len(events) < 1000 {
		w.t.Fatalf("%d events, %v", len(events), err)
	}
	for i := range events {
		veilEvent(&events[i])
	}
	if len(w.events(api.EventCall)) == 0 || len(w.events(api.EventUSSD)) == 0 || modems[1].Balance == nil {
		w.t.Error("no calls, no USSD or no balance: the test does not reach what hides them")
	}
	for what, v := range map[string]any{"modems": modems, "events": events} {
		b, err := json.Marshal(v)
		if err != nil {
			w.t.Fatal(err)
		}
		if found := c.leaks(string(b)); len(found) > 0 {
			w.t.Errorf("%d codes in the %s, such as %.300s", len(found), what, around(string(b)+"\n", found[0]))
		}
	}
}

// A handler that panics over what it was given says where, not what.
func TestNoCodesInPanics(t *testing.T) {
	c := &codes{known: map[string]bool{}}
	for _, v := range []any{"it was " + c.next(), errors.New("it was " + c.next()), []string{c.next()}, api.Message{To: c.next()}} {
		log := new(lockedBuffer)
		s := newAPI(apiDeps{Log: slog.New(slog.NewTextHandler(log, nil)), Door: testDoor(0, 0)})
		s.mux.HandleFunc("GET /v1/boom/{x}", func(http.ResponseWriter, *http.Request) { panic(v) })
		r, err := http.NewRequestWithContext(context.WithValue(t.Context(), connKey{}, &conn{peer: peer{Known: true}}),
			http.MethodGet, "http://localhost/v1/boom/"+c.next(), http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		func() {
			defer func() { recover() }()
			s.ServeHTTP(&statusOnly{header: http.Header{}}, r)
		}()
		if found := c.leaks(log.String()); len(found) > 0 {
			t.Errorf("logged: %s", log)
		}
		if !strings.Contains(log.String(), "/v1/boom/{x}") || !strings.Contains(log.String(), "secrets_test.go") {
			t.Errorf("it can't be told where: %s", log)
		}
	}
}

// The configuration's own errors never repeat what may be a PIN.
func TestNoPINInConfigurationErrors(t *testing.T) {
	for _, file := range []string{"[[modem]]\nname = \"a\"\ndevice = \"/d\"\npin = \"83009917\"", "[[modem]]\nname = \"a\"\ndevice = \"/d\"\npin_file = \"83009917\"",
		"[[modem]]\nname = \"a\"\ndevice = \"/d\"\npin = 83009917"} {
		_, err := configs.Parse([]byte(file))
		if err == nil || bytes.Contains([]byte(err.Error()), []byte("83009917")) {
			t.Errorf("%q: %v", file, err)
		}
	}
}

// What a PIN is read from is a file: a reader of a pipe may wait for ever.
func TestPINFile(t *testing.T) {
	dir := t.TempDir()
	good, pipe := filepath.Join(dir, "pin"), filepath.Join(dir, "pipe")
	if err := errors.Join(os.WriteFile(good, []byte("0123\n"), 0o400), unix.Mkfifo(pipe, 0o600)); err != nil {
		t.Fatal(err)
	}
	if pin, err := readPIN(good); pin != "0123" || err != nil {
		t.Errorf("%q, %v", pin, err)
	}
	for _, path := range []string{pipe, dir, filepath.Join(dir, "none")} {
		if pin, err := readPIN(path); err == nil {
			t.Errorf("%s: read %q", path, pin)
		}
	}
	for mode, open := range map[os.FileMode]bool{0o400: false, 0o600: false, 0o440: true, 0o604: true, 0o620: true} {
		if err := os.Chmod(good, mode); err != nil {
			t.Fatal(err)
		}
		if said := pinFileOpenTo(good); (said != "") != open || strings.Contains(said, "0123") {
			t.Errorf("%04o: %q", mode, said)
		}
	}
}
