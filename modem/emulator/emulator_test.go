package emulator

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/warthog618/sms"
	"github.com/warthog618/sms/encoding/tpdu"
)

// host is a test's end of the line: it writes bytes and gathers what comes back.
type host struct {
	t    *testing.T
	m    *Modem
	port io.ReadWriteCloser
	got  bytes.Buffer
	more chan []byte
	end  chan error
}

// dial opens the modem's port and reads it until it ends.
func dial(t *testing.T, m *Modem) *host {
	t.Helper()
	port, err := m.Open()
	if err != nil {
		t.Fatal(err)
	}
	h := &host{t: t, m: m, port: port, more: make(chan []byte, 4096), end: make(chan error, 1)}
	go func() {
		for {
			b := make([]byte, 4096)
			n, err := port.Read(b)
			if err != nil {
				h.end <- err
				return
			}
			h.more <- b[:n]
		}
	}()
	t.Cleanup(func() { port.Close() })
	return h
}

// write sends bytes as they are.
func (h *host) write(s string) {
	h.t.Helper()
	if _, err := h.port.Write([]byte(s)); err != nil {
		h.t.Fatalf("write %q: %v", s, err)
	}
}

// settle lets everything happen that happens without time passing, and returns what was said since the last time.
func (h *host) settle() string {
	synctest.Wait()
	for {
		select {
		case b := <-h.more:
			h.got.Write(b)
		default:
			s := h.got.String()
			h.got.Reset()
			return s
		}
	}
}

// say writes a command line and returns all that comes back at once.
func (h *host) say(line string) string {
	h.write(line + "\r")
	return h.settle()
}

// want checks an answer, echo off.
func (h *host) want(line, answer string) {
	h.t.Helper()
	if got := h.say(line); got != answer {
		h.t.Errorf("%s\n got %q\nwant %q", line, got, answer)
	}
}

// ok sends commands that must end in OK.
func (h *host) ok(lines ...string) {
	h.t.Helper()
	for _, l := range lines {
		if got := h.say(l); !strings.HasSuffix(got, "\r\nOK\r\n") {
			h.t.Fatalf("%s: %q", l, got)
		}
	}
}

// submit sends a text by AT+CMGS and returns what comes after the ^Z.
func (h *host) submit(to, text string) string {
	h.t.Helper()
	out := ""
	for _, b := range submits(h.t, to, text) {
		if got := h.say(fmt.Sprintf("AT+CMGS=%d", len(b))); !strings.HasSuffix(got, "> ") {
			h.t.Fatalf("no prompt: %q", got)
		}
		h.write(fmt.Sprintf("00%X\x1a", b))
		out += h.settle()
	}
	return out
}

// submits are the TPDUs of a text, reports asked for.
func submits(t *testing.T, to, text string) [][]byte {
	t.Helper()
	parts, err := sms.Encode([]byte(text), sms.To(to))
	if err != nil {
		t.Fatal(err)
	}
	var out [][]byte
	for i := range parts {
		parts[i].FirstOctet |= tpdu.FoSRR
		b, err := parts[i].MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, b)
	}
	return out
}

// bubble runs f with a network in a synctest bubble.
func bubble(t *testing.T, c NetworkConfig, f func(t *testing.T, n *Network)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		n := NewNetwork(c)
		t.Cleanup(n.Close)
		f(t, n)
	})
}

func TestTwoModemsAndReports(t *testing.T) {
	bubble(t, NetworkConfig{}, func(t *testing.T, n *Network) {
		a, b := n.NewModem(Config{}), n.NewModem(Config{})
		ha, hb := dial(t, a), dial(t, b)
		for _, h := range []*host{ha, hb} {
			h.ok("ATE0", "AT+CMGF=0", `AT+CPMS="ME","ME","ME"`, "AT+CNMI=2,1,0,1,0")
		}
		text := strings.Repeat("A long message with an emoji 😀. ", 8)
		got := ha.submit(b.Number(), text)
		if !strings.Contains(got, "\r\n+CMGS: 0\r\n\r\nOK\r\n") {
			t.Errorf("answer %q", got)
		}
		got += ha.settle()
		if c := strings.Count(got, "+CDS: "); c != len(n.Record()) || c < 3 {
			t.Errorf("%d reports for %d parts: %q", c, len(n.Record()), got)
		}
		if got := hb.settle(); !strings.Contains(got, `+CMTI: "ME",1`) {
			t.Errorf("recipient heard %q", got)
		}
		if got := hb.say("AT+CMGL=4"); strings.Count(got, "+CMGL: ") != len(n.Record()) {
			t.Errorf("list %q", got)
		}
		hb.want("AT+CMGD=1", "\r\nOK\r\n")
		if s := b.Stored("ME"); len(s) != len(n.Record())-1 {
			t.Errorf("%d left", len(s))
		}
		for _, s := range n.Record() {
			if !s.Delivered || s.Status != 0 {
				t.Errorf("%+v", s)
			}
		}
	})
}

func TestPhoneJoinsAndReplies(t *testing.T) {
	bubble(t, NetworkConfig{}, func(t *testing.T, n *Network) {
		m := n.NewModem(Config{})
		p := n.NewPhone(PhoneConfig{Reply: func(j Joined) string { return "Got: " + j.Text[:5] }})
		h := dial(t, m)
		h.ok("ATE0", "AT+CNMI=2,1,0,0,0")
		text := strings.Repeat("0123456789", 20)
		got := h.submit(p.Number(), text)
		if err := n.Wait(context.Background(), func() bool { return len(p.Messages()) == 1 && p.Messages()[0].Complete }); err != nil {
			t.Fatal(err)
		}
		if j := p.Messages()[0]; j.Text != text || j.Parts != 2 || j.From != m.Number() {
			t.Errorf("%+v", j)
		}
		if !strings.HasSuffix(got, "\r\n+CMTI: \"SM\",1\r\n") {
			t.Errorf("heard %q", got)
		}
	})
}

// TestPhoneRepliesLater: the reply leaves Delay after the message is there, and not before.
func TestPhoneRepliesLater(t *testing.T) {
	bubble(t, NetworkConfig{}, func(t *testing.T, n *Network) {
		m := n.NewModem(Config{})
		p := n.NewPhone(PhoneConfig{Delay: 5 * time.Second, Reply: func(j Joined) string { return "re: " + j.Text }})
		h := dial(t, m)
		h.ok("ATE0", "AT+CNMI=2,1,0,0,0")
		start := time.Now()
		got := h.submit(p.Number(), "hello")
		if len(p.Messages()) != 1 || strings.Contains(got, "+CMTI") {
			t.Errorf("%d messages on the phone, heard %q", len(p.Messages()), got)
		}
		time.Sleep(time.Until(start.Add(5*time.Second - time.Millisecond)))
		if got := h.settle(); got != "" {
			t.Errorf("heard %q too early", got)
		}
		time.Sleep(2 * time.Millisecond)
		if got := h.settle(); got != "\r\n+CMTI: \"SM\",1\r\n" {
			t.Errorf("heard %q", got)
		}
	})
}

func TestLineSpeed(t *testing.T) {
	bubble(t, NetworkConfig{}, func(t *testing.T, n *Network) {
		h := dial(t, n.NewModem(Config{LineSpeed: 9600}))
		start := time.Now()
		h.write("AT\r")
		got := ""
		for !strings.HasSuffix(got, "OK\r\n") {
			got += string(<-h.more)
		}
		// Three bytes there, three bytes of echo and six of answer back.
		if took, want := time.Since(start), 12*bitsPerByte*time.Second/9600; took != want {
			t.Errorf("took %v, want %v", took, want)
		}
	})
}
