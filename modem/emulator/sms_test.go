package emulator

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/warthog618/sms"
)

// after waits and lets everything happen that is due by then.
func after(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func TestSendErrors(t *testing.T) {
	bubble(t, NetworkConfig{}, func(t *testing.T, n *Network) {
		m := n.NewModem(Config{})
		h := dial(t, m)
		h.ok("ATE0")
		b := submits(t, "+4791000001", "hello")[0]
		send := func(length int, payload string) string {
			h.say(fmt.Sprintf("AT+CMGS=%d", length))
			h.write(payload + "\x1a")
			return h.settle()
		}
		for name, c := range map[string]struct {
			length  int
			payload string
			want    string
		}{
			"length with the service centre": {len(b) + 1, fmt.Sprintf("00%X", b), "\r\n+CMS ERROR: 304\r\n"},
			"length too short":               {len(b) - 1, fmt.Sprintf("00%X", b), "\r\n+CMS ERROR: 304\r\n"},
			"not hexadecimal":                {len(b), "00zz", "\r\n+CMS ERROR: 304\r\n"},
			"odd digits":                     {len(b), fmt.Sprintf("00%X0", b), "\r\n+CMS ERROR: 304\r\n"},
			"nothing":                        {len(b), "", "\r\n+CMS ERROR: 304\r\n"},
			"a DELIVER":                      {3, "00000000", "\r\n+CMS ERROR: 304\r\n"},
		} {
			if got := send(c.length, c.payload); got != c.want {
				t.Errorf("%s: %q", name, got)
			}
		}
		if len(n.Record()) != 0 {
			t.Errorf("accepted %v", n.Record())
		}
		// A full service centre field is not counted.
		if got := send(len(b), fmt.Sprintf("0791741900000000%X", b)); !strings.HasPrefix(got, "\r\n+CMGS: 0") {
			t.Errorf("with a service centre: %q", got)
		}
		h.want("AT+CMGS=0", "\r\n+CMS ERROR: 304\r\n")
		h.ok(`AT+CSCA=""`)
		if got := send(len(b), fmt.Sprintf("00%X", b)); got != "\r\n+CMS ERROR: 330\r\n" {
			t.Errorf("without a service centre: %q", got)
		}
	})
}

// TestReference: the modem's own count goes on over reboots through EF_SMSS, wraps, or leaves the host's alone.
func TestReference(t *testing.T) {
	bubble(t, NetworkConfig{}, func(t *testing.T, n *Network) {
		p := n.NewPhone(PhoneConfig{Behaviour: Silent})
		m := n.NewModem(Config{})
		h := dial(t, m)
		h.ok("ATE0")
		for i := range 257 {
			if got, want := h.submit(p.Number(), "x"), fmt.Sprintf("\r\n+CMGS: %d\r\n%s", byte(i), okay); got != want {
				t.Fatalf("message %d: %q", i, got)
			}
		}
		m.Reboot()
		h.settle()
		h.ok("ATE0")
		h.want("AT+CRSM=176,28483,0,0,2", "\r\n+CRSM: 144,0,\"00FF\"\r\n"+okay)
		if got := h.submit(p.Number(), "x"); !strings.Contains(got, "+CMGS: 1\r\n") {
			t.Errorf("after a reboot %q", got)
		}
		keep := n.NewModem(Config{KeepMR: true})
		h = dial(t, keep)
		h.ok("ATE0")
		b := submits(t, p.Number(), "x")[0]
		b[1] = 200
		h.say(fmt.Sprintf("AT+CMGS=%d", len(b)))
		h.write(fmt.Sprintf("00%X\x1a", b))
		if got := h.settle(); !strings.Contains(got, "+CMGS: 200\r\n") {
			t.Errorf("the host's reference: %q", got)
		}
	})
}

// TestEFSMSS reads the file while the message is on its way and after it.
func TestEFSMSS(t *testing.T) {
	for habit, want := range map[string][2]byte{"before-radio": {0, 0}, "after-ack": {0xFF, 0}, "never": {0xFF, 0xFF}} {
		bubble(t, NetworkConfig{}, func(t *testing.T, n *Network) {
			m := n.NewModem(Config{EFSMSS: habit, Latency: 4 * time.Second})
			h := dial(t, m)
			h.ok("ATE0")
			h.submit("+4791000001", "x")
			after(time.Second)
			m.Reboot() // before the network has it
			h.settle()
			h.ok("ATE0")
			if got := h.say("AT+CRSM=176,28483,0,0,2"); !strings.Contains(got, fmt.Sprintf(`"%02XFF"`, want[0])) {
				t.Errorf("%s, before: %q", habit, got)
			}
			if len(n.Record()) != 0 {
				t.Errorf("%s: accepted", habit)
			}
		})
		bubble(t, NetworkConfig{}, func(t *testing.T, n *Network) {
			h := dial(t, n.NewModem(Config{EFSMSS: habit}))
			h.ok("ATE0")
			h.submit("+4791000001", "x")
			if got := h.say("AT+CRSM=176,28483,0,0,2"); !strings.Contains(got, fmt.Sprintf(`"%02XFF"`, want[1])) {
				t.Errorf("%s, after: %q", habit, got)
			}
		})
	}
}

// TestLatency: half of it passes before the network has the message; a modem that goes in the second half leaves it sent.
func TestLatency(t *testing.T) {
	bubble(t, NetworkConfig{}, func(t *testing.T, n *Network) {
		m := n.NewModem(Config{Latency: 4 * time.Second})
		h := dial(t, m)
		h.ok("ATE0")
		for i, step := range []struct {
			wait time.Duration
			sent int
		}{{time.Second, 0}, {3 * time.Second, 1}} {
			h.submit("+4791000001", "x")
			after(step.wait)
			m.Unplug()
			if got := len(n.Record()); got != step.sent {
				t.Errorf("unplugged after %v: %d sent", step.wait, got)
			}
			m.Plug()
			h = dial(t, m)
			h.ok("ATE0")
			_ = i
		}
	})
}

func TestStorageCommands(t *testing.T) {
	bubble(t, NetworkConfig{}, func(t *testing.T, n *Network) {
		m := n.NewModem(Config{})
		p := n.NewPhone(PhoneConfig{})
		h := dial(t, m)
		h.ok("ATE0", "AT+CNMI=2,1")
		p.Send(m.Number(), "one")
		h.settle()
		h.ok(`AT+CPMS="ME","ME","ME"`)
		p.Send(m.Number(), "two")
		h.settle()
		h.want("AT+CPMS?", "\r\n+CPMS: \"ME\",1,100,\"ME\",1,100,\"ME\",1,100\r\n"+okay)
		h.want(`AT+CPMS="MT"`, "\r\n+CPMS: 2,130,1,100,1,100\r\n"+okay)
		got := h.say("AT+CMGL=4")
		if !strings.HasPrefix(got, "\r\n+CMGL: 1,0,,") || !strings.Contains(got, "\r\n+CMGL: 31,0,,") {
			t.Errorf("MT is SM and then ME: %q", got)
		}
		if got := h.say("AT+CMGL=4"); !strings.HasPrefix(got, "\r\n+CMGL: 1,1,,") {
			t.Errorf("listing marks read: %q", got)
		}
		h.want("AT+CMGL=0", okay)
		h.want("AT+CMGR=2", okay)
		h.want("AT+CMGR=131", "\r\n+CMS ERROR: 321\r\n")
		h.want("AT+CMGD=?", "\r\n+CMGD: (1,31),(0-4)\r\n"+okay)
		h.want("AT+CMGD=31", okay)
		if len(m.Stored("ME")) != 0 || len(m.Stored("SM")) != 1 {
			t.Error("the wrong one is gone")
		}
		h.want("AT+CMGD=1,4", okay)
		h.want("AT+CPMS?", "\r\n+CPMS: \"MT\",0,130,\"ME\",0,100,\"ME\",0,100\r\n"+okay)
		m.Reboot()
		h.settle()
		h.ok("ATE0")
		h.want("AT+CPMS?", "\r\n+CPMS: \"SM\",0,30,\"SM\",0,30,\"SM\",0,30\r\n"+okay)
	})
}

func TestWriteAndSendStored(t *testing.T) {
	bubble(t, NetworkConfig{}, func(t *testing.T, n *Network) {
		m := n.NewModem(Config{})
		h := dial(t, m)
		h.ok("ATE0")
		b := submits(t, "+4791000001", "stored")[0]
		h.say(fmt.Sprintf("AT+CMGW=%d", len(b)))
		h.write(fmt.Sprintf("00%X\x1a", b))
		if got := h.settle(); got != "\r\n+CMGW: 1\r\n"+okay {
			t.Fatalf("got %q", got)
		}
		h.want("AT+CMGR=1", fmt.Sprintf("\r\n+CMGR: 2,,%d\r\n00%X\r\n%s", len(b), b, okay))
		h.want("AT+CMSS=1", "\r\n+CMSS: 0\r\n"+okay)
		h.want("AT+CMSS=2", "\r\n+CMS ERROR: 321\r\n")
		if s := m.Stored("SM"); len(s) != 1 || s[0].Stat != stoSent {
			t.Errorf("stored %+v", s)
		}
		if r := n.Record(); len(r) != 1 || n.Count() != 1 || r[0].Text != "stored" {
			t.Errorf("record %+v", r)
		}
	})
}

func TestTextMode(t *testing.T) {
	bubble(t, NetworkConfig{}, func(t *testing.T, n *Network) {
		m := n.NewModem(Config{})
		p := n.NewPhone(PhoneConfig{Reply: func(j Joined) string { return "re: " + j.Text }})
		h := dial(t, m)
		h.ok("ATE0", "AT+CMGF=1")
		if got := h.say(`AT+CMGS="` + p.Number() + `"`); got != "\r\n> " {
			t.Fatalf("got %q", got)
		}
		h.write("hello\x1a")
		if got := h.settle(); got != "\r\n+CMGS: 0\r\n"+okay {
			t.Errorf("got %q", got)
		}
		h.want(`AT+CMGL="ALL"`, fmt.Sprintf("\r\n+CMGL: 1,\"REC UNREAD\",\"%s\",,\"00/01/01,00:00:00+00\"\r\nre: hello\r\n%s", p.Number(), okay))
		h.ok("AT+CNMI=2,2,0,1,0")
		p.Send(m.Number(), "direct")
		if got, want := h.settle(), fmt.Sprintf("\r\n+CMT: \"%s\",,\"00/01/01,00:00:00+00\"\r\ndirect\r\n", p.Number()); got != want {
			t.Errorf("\n got %q\nwant %q", got, want)
		}
		h.want("AT+CMGR=1", fmt.Sprintf("\r\n+CMGR: \"REC READ\",\"%s\",,\"00/01/01,00:00:00+00\"\r\nre: hello\r\n%s", p.Number(), okay))
	})
}

// TestCNMA: with CSMS=1 a +CMT waits for its acknowledgement. Missed, it comes again later, and CNMI is off without a word.
func TestCNMA(t *testing.T) {
	bubble(t, NetworkConfig{}, func(t *testing.T, n *Network) {
		m := n.NewModem(Config{})
		p := n.NewPhone(PhoneConfig{})
		h := dial(t, m)
		h.ok("ATE0", "AT+CSMS=1", "AT+CNMI=2,2,0,1,0")
		h.want("AT+CNMA", "\r\n+CMS ERROR: 340\r\n")
		p.Send(m.Number(), "one")
		p.Send(m.Number(), "two")
		if got := h.settle(); strings.Count(got, "+CMT: ") != 1 {
			t.Errorf("both at once: %q", got)
		}
		if got := h.say("AT+CNMA"); !strings.HasPrefix(got, okay) || strings.Count(got, "+CMT: ") != 1 {
			t.Errorf("the second comes after the acknowledgement of the first: %q", got)
		}
		after(15 * time.Second)
		h.want("AT+CNMI?", "\r\n+CNMI: 2,0,0,0,0\r\n"+okay)
		h.want("AT+CNMA", "\r\n+CMS ERROR: 340\r\n")
		after(time.Minute)
		if s := m.Stored("SM"); len(s) != 1 {
			t.Errorf("brought again: %v", s)
		}
		// A negative one is an RP-ERROR too.
		h.ok("AT+CNMI=2,2,0,1,0")
		p.Send(m.Number(), "three")
		h.settle()
		h.want("AT+CNMA=2", okay)
		after(time.Minute)
		if got := h.settle(); !strings.Contains(got, "+CMT: ") {
			t.Errorf("not brought again: %q", got)
		}
		h.want("AT+CNMA=0", okay)
	})
}

// TestDirectWithoutAnybody: a +CMT without acknowledgements is gone when nobody listens; with them it is brought again.
func TestDirectWithoutAnybody(t *testing.T) {
	bubble(t, NetworkConfig{}, func(t *testing.T, n *Network) {
		m := n.NewModem(Config{})
		p := n.NewPhone(PhoneConfig{})
		for csms, want := range []int{0, 1} {
			h := dial(t, m)
			h.ok("ATE0", fmt.Sprintf("AT+CSMS=%d", csms), "AT+CNMI=2,2,0,0,0")
			h.port.Close()
			p.Send(m.Number(), "anybody?")
			after(time.Second)
			h = dial(t, m)
			after(time.Minute)
			if got := strings.Count(h.settle(), "+CMT: "); got != want {
				t.Errorf("CSMS=%d: heard %d", csms, got)
			}
			h.port.Close()
		}
	})
}

func TestClasses(t *testing.T) {
	bubble(t, NetworkConfig{}, func(t *testing.T, n *Network) {
		m := n.NewModem(Config{})
		h := dial(t, m)
		h.ok("ATE0", `AT+CPMS="ME","ME","ME"`, "AT+CNMI=2,2,0,0,0")
		from := "+4791000001"
		n.Inject(m.Number(), raw(from, 0x04, 0xF6, n.now(), []byte{1})) // class 2 goes to the card, whatever mt says
		h.settle()
		n.Inject(m.Number(), raw(from, 0x04, 0xF5, n.now(), []byte{1}))
		if got := h.settle(); !strings.Contains(got, "+CMT: ") {
			t.Errorf("class 1: %q", got)
		}
		silent := raw(from, 0x04, 0xF5, n.now(), []byte{1})
		silent[len(silent)-11] = typeZero
		n.Inject(m.Number(), silent)
		if got := h.settle(); got != "" {
			t.Errorf("type 0: %q", got)
		}
		if len(m.Stored("SM")) != 1 || len(m.Stored("ME")) != 0 {
			t.Errorf("SM %v, ME %v", m.Stored("SM"), m.Stored("ME"))
		}
	})
}

// TestFull: a full memory refuses, and the message comes as soon as there is room.
func TestFull(t *testing.T) {
	bubble(t, NetworkConfig{Retry: time.Hour}, func(t *testing.T, n *Network) {
		m := n.NewModem(Config{Profile: "huawei", Slots: map[string]int{"SM": 8}})
		p := n.NewPhone(PhoneConfig{})
		h := dial(t, m)
		h.ok("ATE0", "AT^CURC=0", "AT+CNMI=1,1,0,0,0")
		for i := range 9 {
			p.Send(m.Number(), fmt.Sprint(i))
		}
		got := h.settle()
		if strings.Count(got, "+CMTI: ") != 8 || !strings.HasSuffix(got, "\r\n^SMMEMFULL: \"SM\"\r\n") {
			t.Errorf("heard %q", got)
		}
		if got, want := h.say("AT+CMGD=7"), okay+"\r\n+CMTI: \"SM\",7\r\n"; got != want {
			t.Errorf("\n got %q\nwant %q", got, want)
		}
	})
}

// TestBehaviours are the phones' ways and the reports that follow, and how long the service centre keeps at it.
func TestBehaviours(t *testing.T) {
	for _, c := range []struct {
		phone PhoneConfig
		wait  time.Duration
		want  []byte // status of the reports
		got   int    // messages on the phone
	}{
		{PhoneConfig{}, 0, []byte{0}, 1},
		{PhoneConfig{Behaviour: Reject}, 0, []byte{0x42}, 0},
		{PhoneConfig{Behaviour: Silent}, 0, nil, 1},
		{PhoneConfig{Behaviour: Slow}, 29 * time.Second, nil, 0},
		{PhoneConfig{Behaviour: Slow}, 30 * time.Second, []byte{0}, 1},
		{PhoneConfig{Behaviour: Unreachable}, 71 * time.Hour, []byte{0x22}, 0},
		{PhoneConfig{Behaviour: Unreachable}, 73 * time.Hour, []byte{0x22, 0x46}, 0},
		{PhoneConfig{Behaviour: Unreachable, Delay: time.Hour}, 2 * time.Hour, []byte{0x22, 0}, 1},
	} {
		bubble(t, NetworkConfig{}, func(t *testing.T, n *Network) {
			p := n.NewPhone(c.phone)
			r := newRig(t, n, Config{})
			said := r.submit(p.Number(), "x")
			if c.wait > 0 {
				after(c.wait)
			}
			var got []byte
			for _, rep := range r.reports(said + r.settle()) {
				got = append(got, rep.ST)
			}
			if !bytes.Equal(got, c.want) || len(p.Messages()) != c.got {
				t.Errorf("%+v: reports % X, %d messages; want % X, %d", c.phone, got, len(p.Messages()), c.want, c.got)
			}
		})
	}
}

// TestRejectDuplicates: TP-RD and the same reference while the first is still held is FCS C5.
func TestRejectDuplicates(t *testing.T) {
	bubble(t, NetworkConfig{}, func(t *testing.T, n *Network) {
		p := n.NewPhone(PhoneConfig{Behaviour: Unreachable})
		h := dial(t, n.NewModem(Config{KeepMR: true}))
		h.ok("ATE0")
		b := submits(t, p.Number(), "x")[0]
		b[1] = 77
		send := func() string {
			h.say(fmt.Sprintf("AT+CMGS=%d", len(b)))
			h.write(fmt.Sprintf("00%X\x1a", b))
			return h.settle()
		}
		send()
		b[0] |= 0x04
		if got := send(); got != "\r\n+CMS ERROR: 197\r\n" {
			t.Errorf("still held: %q", got)
		}
		p.SetBehaviour(Answer)
		synctest.Wait()
		if got := send(); !strings.Contains(got, "+CMGS: 77") {
			t.Errorf("delivered by now: %q", got)
		}
		if r := n.Record(); len(r) != 2 || r[0].RD || !r[1].RD || !r[1].Delivered {
			t.Errorf("record %+v", r)
		}
	})
}

// TestStoreAndForward keeps what is for a modem that is off, in order.
func TestStoreAndForward(t *testing.T) {
	bubble(t, NetworkConfig{Latency: time.Second}, func(t *testing.T, n *Network) {
		a, b := n.NewModem(Config{}), n.NewModem(Config{})
		b.Unplug()
		h := dial(t, a)
		h.ok("ATE0", "AT+CNMI=2,1,0,1,0")
		for i := range 3 {
			h.submit(b.Number(), fmt.Sprint(i))
		}
		after(time.Hour)
		b.Plug()
		after(2 * time.Second)
		var got []string
		for _, s := range b.Stored("SM") {
			d, err := sms.Unmarshal(s.TPDU, sms.AsMT)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, textOf(d))
		}
		if strings.Join(got, ",") != "0,1,2" {
			t.Errorf("got %q", got)
		}
		if c := strings.Count(h.settle(), "+CDS: "); c != 6 { // first no response, then delivered, of each
			t.Errorf("%d reports", c)
		}
	})
}

// TestWatch sees what happens in order, and Wait returns when a fact is there.
func TestWatch(t *testing.T) {
	bubble(t, NetworkConfig{Latency: time.Second}, func(t *testing.T, n *Network) {
		h := dial(t, n.NewModem(Config{}))
		h.ok("ATE0", "AT+CNMI=2,1,0,1,0")
		p := n.NewPhone(PhoneConfig{})
		ctx, cancel := context.WithCancel(t.Context())
		var kinds []string
		done := make(chan struct{})
		watch := n.Watch(ctx)
		go func() {
			defer close(done)
			for e := range watch {
				kinds = append(kinds, string(e.Kind))
			}
		}()
		h.submit(p.Number(), "x")
		if err := n.Wait(t.Context(), func() bool { return len(p.Messages()) == 1 }); err != nil {
			t.Fatal(err)
		}
		after(time.Second)
		cancel()
		<-done
		if got := strings.Join(kinds, " "); got != "accepted delivered reported" {
			t.Errorf("got %s", got)
		}
		if err := n.Wait(ctx, func() bool { return false }); err == nil {
			t.Error("Wait outlives its context")
		}
	})
}

// TestCommandMessage is AT+CMGC: an SMS-COMMAND is accepted and delivered to nobody.
func TestCommandMessage(t *testing.T) {
	bubble(t, NetworkConfig{}, func(t *testing.T, n *Network) {
		h := dial(t, n.NewModem(Config{}))
		h.ok("ATE0")
		if got := h.say("AT+CMGC=13"); got != "\r\n> " {
			t.Fatalf("got %q", got)
		}
		h.write("0002000000000A91741900001000\x1a")
		if got := h.settle(); !strings.Contains(got, "+CMGC: 0") {
			t.Errorf("got %q", got)
		}
	})
}

// TestFullOfReports: reports that find no room do not keep messages away.
func TestFullOfReports(t *testing.T) {
	bubble(t, NetworkConfig{}, func(t *testing.T, n *Network) {
		m := n.NewModem(Config{Slots: map[string]int{"SR": 1}})
		p := n.NewPhone(PhoneConfig{})
		h := dial(t, m)
		h.ok("ATE0", "AT+CNMI=2,1,0,2,0")
		h.submit(p.Number(), "a")
		if got := h.submit(p.Number(), "b"); strings.Contains(got, "+CDSI") {
			t.Errorf("the second report has room: %q", got)
		}
		p.Send(m.Number(), "hi")
		if got := h.settle(); got != "\r\n+CMTI: \"SM\",1\r\n" {
			t.Errorf("the message: %q", got)
		}
		h.ok(`AT+CPMS="SR"`)
		if got := h.say("AT+CMGD=1"); got != okay+"\r\n+CDSI: \"SR\",1\r\n" {
			t.Errorf("the second report, when there is room: %q", got)
		}
	})
}
