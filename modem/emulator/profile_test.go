package emulator

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestProfileFiles holds every file to what the commands assume.
func TestProfileFiles(t *testing.T) {
	if len(Profiles()) < 12 {
		t.Fatalf("only %v", Profiles())
	}
	for _, name := range Profiles() {
		p, err := loadProfile(name)
		if err != nil {
			t.Error(err)
			continue
		}
		if p.Doc == "" || p.Manufacturer == "" || p.Model == "" || len(p.TAC) != 8 {
			t.Errorf("%s: a field is missing: %+v", name, p)
		}
		if p.IndexBase != 0 && p.IndexBase != 1 {
			t.Errorf("%s: index base %d", name, p.IndexBase)
		}
		for i, mem := range p.Memory {
			if len(p.Memories[i]) > 0 && !slices.Contains(p.Memories[i], mem) {
				t.Errorf("%s: memory %d is %s, out of %v", name, i+1, mem, p.Memories[i])
			}
		}
		for i, set := range p.CNMISet {
			for _, v := range set {
				if !slices.Contains(p.CNMI[i], v) {
					t.Errorf("%s: CNMI field %d takes %d and does not say so", name, i+1, v)
				}
			}
		}
		for _, known := range p.Knows {
			if c, ok := vocabulary[known]; !ok || !c.vendor {
				t.Errorf("%s: knows %s, which is no vendor's command", name, known)
			}
		}
		for command := range p.Answers {
			if command != strings.ToUpper(command) {
				t.Errorf("%s: the answer to %q is never found", name, command)
			}
		}
	}
}

// TestReportRoutes are the vendors' ways with stored and shown status reports.
func TestReportRoutes(t *testing.T) {
	for _, c := range []struct{ profile, cnmi, want, inSR string }{
		{"generic", "2,1,0,2,0", "\r\n+CDSI: \"SR\",1\r\n", "1"},
		{"quectel-ec25", "2,1,0,2,0", "\r\n+CDSI: \"SM\",0\r\n", "1"},
		{"generic", "2,1,0,0,0", "", "0"},
		{"generic", "2,1,0,1,0", "\r\n+CDS: 2", "0"},
		{"zte", "1,1,0,1,0", "\r\n+CDS: ,2", "0"},
	} {
		bubble(t, NetworkConfig{}, func(t *testing.T, n *Network) {
			p := n.NewPhone(PhoneConfig{})
			m := n.NewModem(Config{Profile: c.profile})
			h := dial(t, m)
			h.ok("ATE0", "AT+CNMI="+c.cnmi)
			got, ok := strings.CutPrefix(h.submit(p.Number(), "x"), "\r\n+CMGS: 0\r\n"+okay)
			if !ok || !strings.HasPrefix(got, c.want) || c.want == "" && got != "" {
				t.Errorf("%s, CNMI %s: %q", c.profile, c.cnmi, got)
			}
			if in := fmt.Sprint(len(m.Stored("SR"))); in != c.inSR {
				t.Errorf("%s, CNMI %s: %s in SR", c.profile, c.cnmi, in)
			}
		})
	}
}

// TestNovatelAck refuses the acknowledgement of a +CDS: the report is brought again and again.
func TestNovatelAck(t *testing.T) {
	bubble(t, NetworkConfig{}, func(t *testing.T, n *Network) {
		p := n.NewPhone(PhoneConfig{})
		h := dial(t, n.NewModem(Config{Profile: "novatel"}))
		h.ok("ATE0", "AT+CSMS=1", "AT+CNMI=1,1,0,1,0")
		if got := h.submit(p.Number(), "x"); !strings.Contains(got, "+CDS: ") {
			t.Fatalf("got %q", got)
		}
		h.want("AT+CNMA", "\r\n+CMS ERROR: 302\r\n")
		after(15 * time.Second)
		h.want("AT+CNMI?", "\r\n+CNMI: 1,0,0,0,0\r\n"+okay)
	})
}

func TestCharset(t *testing.T) {
	bubble(t, NetworkConfig{}, func(t *testing.T, n *Network) {
		h := dial(t, n.NewModem(Config{Number: "+4790000001"}))
		h.ok("ATE0", `AT+CSCS="UCS2"`)
		h.want("AT+CSCA?", "\r\n+CSCA: \"002B0034003700390030003000300030003000300030\",145\r\n"+okay)
		h.want("AT+CNUM", "\r\n+CNUM: \"\",\"002B0034003700390030003000300030003000300031\",145\r\n"+okay)
		h.ok(`AT+CSCA="002B00340037",145`, `AT+CSCS="GSM"`)
		h.want("AT+CSCA?", "\r\n+CSCA: \"+47\",145\r\n"+okay)
	})
}

// TestCardMoves: a card keeps its messages and its number wherever it is.
func TestCardMoves(t *testing.T) {
	bubble(t, NetworkConfig{}, func(t *testing.T, n *Network) {
		a, b := n.NewModem(Config{}), n.NewModem(Config{NoSIM: true})
		number := a.Number()
		p := n.NewPhone(PhoneConfig{})
		p.Send(number, "one")
		synctest.Wait()
		b.InsertSIM(a.RemoveSIM())
		p.Send(number, "two")
		synctest.Wait()
		if got := b.Stored("SM"); len(got) != 2 || b.Number() != number || a.Number() != "" {
			t.Errorf("%d messages, %q, %q", len(got), b.Number(), a.Number())
		}
	})
}

// TestValidity: the service centre gives up when TP-VP says so.
func TestValidity(t *testing.T) {
	bubble(t, NetworkConfig{}, func(t *testing.T, n *Network) {
		r := newRig(t, n, Config{})
		p := n.NewPhone(PhoneConfig{Behaviour: Unreachable})
		b := submits(t, p.Number(), "x")[0]
		b[0] |= 0x10                    // relative
		at := 4 + len(p.Number())/2 + 2 // after TP-DCS
		b = slices.Insert(b, at, 0x05)  // 30 minutes
		r.say(fmt.Sprintf("AT+CMGS=%d", len(b)))
		r.write(fmt.Sprintf("00%X\x1a", b))
		r.settle()
		after(29 * time.Minute)
		r.heard("")
		after(2 * time.Minute)
		got := r.reports(r.settle())
		if len(got) != 1 || got[0].ST != 0x46 {
			t.Errorf("reports %+v", got)
		}
		if s := n.Record()[0]; s.Validity != 30*time.Minute || s.Delivered {
			t.Errorf("record %+v", s)
		}
	})
}

// TestNationalNumber reaches the phone that is known by its international number.
func TestNationalNumber(t *testing.T) {
	bubble(t, NetworkConfig{}, func(t *testing.T, n *Network) {
		p := n.NewPhone(PhoneConfig{Number: "+4791000001"})
		for _, number := range []string{"91000001", "+4791000001", "004791000001"} {
			p2 := n.NewPhone(PhoneConfig{})
			p2.Send(number, "x")
		}
		short := n.NewPhone(PhoneConfig{Number: "2097"})
		p.Send("2097", "BAL")
		synctest.Wait()
		if len(p.Messages()) != 3 || len(short.Messages()) != 1 {
			t.Errorf("%d and %d messages", len(p.Messages()), len(short.Messages()))
		}
	})
}

// TestTranscript remembers both directions and counts command lines.
func TestTranscript(t *testing.T) {
	var traced []string
	bubble(t, NetworkConfig{}, func(t *testing.T, n *Network) {
		m := n.NewModem(Config{Name: "office", Trace: func(modem string, to bool, line string) {
			traced = append(traced, fmt.Sprint(modem, to, line))
		}})
		h := dial(t, m)
		h.ok("ATE0", "AT+CMGF?")
		want := "> ATE0|< OK|> AT+CMGF?|< +CMGF: 0|< OK"
		if got := strings.Join(m.Transcript(), "|"); got != want || m.Commands() != 2 {
			t.Errorf("%d commands, %s", m.Commands(), got)
		}
	})
	if len(traced) != 5 || traced[0] != "officetrueATE0" {
		t.Errorf("traced %q", traced)
	}
}
