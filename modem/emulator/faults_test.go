package emulator

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/warthog618/sms"
	"github.com/warthog618/sms/encoding/tpdu"
)

// rig is a modem that is up, its host, and a phone to write to.
type rig struct {
	*host
	n *Network
	p *Phone
}

func newRig(t *testing.T, n *Network, c Config) *rig {
	t.Helper()
	m := n.NewModem(c)
	r := &rig{host: dial(t, m), n: n, p: n.NewPhone(PhoneConfig{})}
	r.up()
	return r
}

// up is as much bring-up as the tests need.
func (r *rig) up() {
	r.t.Helper()
	r.ok("ATE0", "AT+CMEE=1", "AT+CMGF=0", `AT+CPMS="ME","ME","ME"`, "AT+CNMI=2,1,0,1,0")
}

func (r *rig) fault(name string, c FaultConfig) {
	r.t.Helper()
	if err := r.m.Fault(name, c); err != nil {
		r.t.Fatal(err)
	}
}

// pass lets time go by.
func (r *rig) pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

// heard checks what was said since the last look.
func (r *rig) heard(want string) {
	r.t.Helper()
	r.is(r.settle(), want)
}

func (r *rig) is(got, want string) {
	r.t.Helper()
	if got != want {
		r.t.Errorf("\n got %q\nwant %q", got, want)
	}
}

// has checks for a piece of what was said.
func (r *rig) has(got, want string) {
	r.t.Helper()
	if !strings.Contains(got, want) {
		r.t.Errorf("\n got %q\nwant it to hold %q", got, want)
	}
}

func (r *rig) hasNot(got, piece string) {
	r.t.Helper()
	if strings.Contains(got, piece) {
		r.t.Errorf("\n got %q\nwant no %q in it", got, piece)
	}
}

// sent checks how many SUBMITs the network has truly accepted.
func (r *rig) sent(want int) {
	r.t.Helper()
	if got := len(r.n.Record()); got != want {
		r.t.Errorf("the network accepted %d, want %d", got, want)
	}
}

// prompt opens a prompt for a one-part message and returns what was said and what to write.
func (r *rig) prompt() (said, payload string) {
	b := submits(r.t, r.p.Number(), "hello")[0]
	return r.say(fmt.Sprintf("AT+CMGS=%d", len(b))), fmt.Sprintf("00%X\x1a", b)
}

// texts are the texts stored in a memory, by slot.
func (r *rig) texts(mem string) []string {
	var out []string
	for _, s := range r.m.Stored(mem) {
		t, err := sms.Unmarshal(s.TPDU, sms.AsMT)
		if err != nil {
			out = append(out, "?")
			continue
		}
		out = append(out, textOf(t))
	}
	return out
}

// reports are the status reports shown by +CDS in what was said.
func (r *rig) reports(said string) []*tpdu.TPDU {
	r.t.Helper()
	var out []*tpdu.TPDU
	for _, m := range regexp.MustCompile(`\+CDS: [^\r]*\r\n([0-9A-F]+)\r\n`).FindAllStringSubmatch(said, -1) {
		b, err := hex.DecodeString(m[1])
		if err != nil {
			r.t.Fatal(err)
		}
		t, err := sms.Unmarshal(b[1+int(b[0]):], sms.AsMT)
		if err != nil {
			r.t.Fatal(err)
		}
		out = append(out, t)
	}
	return out
}

// long is a text of two parts.
func long(first, second string) string { return strings.Repeat(first, 153) + strings.Repeat(second, 8) }

const okay = "\r\nOK\r\n"

// sendError is the test of a fault that answers a PDU with a code.
func sendError(code int) func(r *rig, name string) {
	return func(r *rig, name string) {
		r.fault(name, FaultConfig{Times: 1})
		r.is(r.submit(r.p.Number(), "a"), fmt.Sprintf("\r\n+CMS ERROR: %d\r\n", code))
		r.sent(0)
		r.ok("AT+CNMI=2,1,0,0,0")
		r.fault(name, FaultConfig{Times: 1, Accept: true})
		r.is(r.submit(r.p.Number(), "b"), fmt.Sprintf("\r\n+CMS ERROR: %d\r\n", code))
		r.sent(1)
		r.has(r.submit(r.p.Number(), "c"), "+CMGS: ")
	}
}

// pointTest is the test of chatter around a command: what is said with the fault on.
func pointTest(line, want string) func(r *rig, name string) {
	return func(r *rig, name string) {
		r.fault(name, FaultConfig{Times: 1})
		r.want(line, want)
		r.hasNot(r.say(line), chatterLine)
	}
}

// faultTests has a row for every fault of the catalogue: each sees the fault act, and most see it end.
var faultTests = map[string]func(r *rig, name string){
	"bytes.split": func(r *rig, name string) {
		r.fault(name, FaultConfig{})
		r.write("AT+CPMS?\r")
		synctest.Wait()
		if len(r.more) < 2 {
			r.t.Errorf("came in %d pieces", len(r.more))
		}
		r.has(r.settle(), `+CPMS: "ME",0,100`)
	},
	"bytes.join": func(r *rig, name string) {
		r.fault(name, FaultConfig{Delay: time.Second})
		r.write("AT\r")
		r.write("AT+CMGF?\r")
		r.heard("")
		<-time.After(time.Second)
		synctest.Wait()
		if len(r.more) != 1 {
			r.t.Errorf("came in %d pieces", len(r.more))
		}
		r.heard(okay + "\r\n+CMGF: 0\r\n" + okay)
	},
	"bytes.crcrlf":        pointTest("AT", "\r\r\nOK\r\r\n"),
	"bytes.no-final-crlf": pointTest("AT", "\r\nOK"),
	"bytes.nul": func(r *rig, name string) {
		r.fault(name, FaultConfig{})
		r.is(strings.ReplaceAll(r.say("AT"), "\x00\x00", ""), okay)
	},
	"bytes.lost": func(r *rig, name string) {
		r.fault(name, FaultConfig{})
		if got := r.say("AT"); len(got) != len(okay)-1 {
			r.t.Errorf("got %q", got)
		}
		r.want("AT", okay)
	},
	"bytes.garbage": func(r *rig, name string) {
		r.fault(name, FaultConfig{Times: 1})
		got := r.say("AT")
		r.has(got, okay)
		if got[0] < 0x80 {
			r.t.Errorf("got %q", got)
		}
	},
	"bytes.long-line": func(r *rig, name string) {
		r.fault(name, FaultConfig{})
		if got := r.say("AT"); len(got) != 4+8<<10+len(okay) {
			r.t.Errorf("got %d bytes", len(got))
		}
	},

	"urc.echo-reply": func(r *rig, name string) {
		r.ok("ATE1")
		r.fault(name, FaultConfig{Times: 1})
		r.want("AT", "AT\r\r\n"+chatterLine+"\r\n"+okay)
	},
	"urc.header-pdu": func(r *rig, name string) {
		r.p.Send(r.m.Number(), "hi")
		r.settle()
		r.fault(name, FaultConfig{})
		if got := r.say("AT+CMGR=1"); !regexp.MustCompile(`^\r\n\+CMGR: 0,,\d+\r\n\r\n` + regexp.QuoteMeta(chatterLine) + `\r\n[0-9A-F]+\r\n\r\nOK\r\n$`).MatchString(got) {
			r.t.Errorf("got %q", got)
		}
	},
	"urc.command-prompt": func(r *rig, name string) {
		r.fault(name, FaultConfig{})
		said, _ := r.prompt()
		r.is(said, "\r\n"+chatterLine+"\r\n\r\n> ")
	},
	"urc.prompt-ctrlz": func(r *rig, name string) {
		r.fault(name, FaultConfig{})
		said, payload := r.prompt()
		r.is(said, "\r\n> \r\n"+chatterLine+"\r\n")
		r.write(payload)
		r.has(r.settle(), "+CMGS: 0")
	},
	"urc.before-cmgs": func(r *rig, name string) {
		r.fault(name, FaultConfig{})
		r.has(r.submit(r.p.Number(), "a"), "\r\n"+chatterLine+"\r\n\r\n+CMGS: 0\r\n"+okay)
	},
	"urc.before-ok": pointTest("AT+CMGF?", "\r\n+CMGF: 0\r\n\r\n"+chatterLine+"\r\n"+okay),
	"urc.flood": func(r *rig, name string) {
		r.fault(name, FaultConfig{})
		r.pass(time.Second)
		if c := strings.Count(r.settle(), "+ZUSIMR:2"); c < 99 || c > 101 {
			r.t.Errorf("%d lines in a second", c)
		}
		for range 3 {
			r.say("AT+CPMS?")
		}
		r.pass(time.Second)
		r.heard("")
	},

	"prompt.late": func(r *rig, name string) {
		r.fault(name, FaultConfig{})
		said, payload := r.prompt()
		r.is(said, "")
		r.pass(5 * time.Second)
		r.heard("\r\n> ")
		r.write(payload)
		r.has(r.settle(), "+CMGS: 0")
	},
	"prompt.never": func(r *rig, name string) {
		r.fault(name, FaultConfig{})
		said, _ := r.prompt()
		r.is(said, "")
		r.is(r.say("AT"), "")
		r.write("\x1b")
		r.heard(okay)
		r.sent(0)
	},
	"prompt.lf-only":   promptTest("\n>"),
	"prompt.no-space":  promptTest("\r\n>"),
	"prompt.after-urc": promptTest("\r\n" + chatterLine + "\r\n> "),
	"prompt.then-error": func(r *rig, name string) {
		r.fault(name, FaultConfig{})
		said, payload := r.prompt()
		r.is(said, "\r\n> \r\nERROR\r\n")
		r.write(payload)
		r.heard("")
		r.sent(0)
	},
	"prompt.esc-ok":     escTest(okay),
	"prompt.esc-error":  escTest("\r\nERROR\r\n"),
	"prompt.esc-silent": escTest(""),

	"final.command-not-support": pointTest("AT+WIND?", "\r\nCOMMAND NOT SUPPORT\r\n"),
	"final.cpin-no-ok":          pointTest("AT+CPIN?", "\r\n+CPIN: READY\r\n"),
	"final.ok-twice":            pointTest("AT", okay+okay),
	"final.no-carrier":          pointTest("AT", "\r\nNO CARRIER\r\n"+okay),
	"final.bare-error":          pointTest("AT+CMGR=999", "\r\nERROR\r\n"),
	"final.verbose":             pointTest("AT+CMGR=999", "\r\n+CMS ERROR: invalid memory index\r\n"),

	"send.cms-500": sendError(500), "send.cms-512": sendError(512), "send.cms-513": sendError(513), "send.cms-514": sendError(514),
	"send.cms-515": sendError(515), "send.cms-38": sendError(38), "send.cms-41": sendError(41), "send.cms-42": sendError(42),
	"send.cms-331": sendError(331), "send.cms-332": sendError(332),
	"send.cms-350-late": func(r *rig, name string) {
		r.fault(name, FaultConfig{Accept: true})
		r.is(r.submit(r.p.Number(), "a"), "")
		r.sent(1)
		r.pass(134 * time.Second)
		r.heard("")
		r.pass(time.Second)
		r.has(r.settle(), "+CMS ERROR: 350")
	},
	"send.ok-no-mr": func(r *rig, name string) {
		r.fault(name, FaultConfig{})
		got := r.submit(r.p.Number(), "a")
		r.has(got, okay)
		r.hasNot(got, "+CMGS")
		r.sent(1)
	},
	"send.ok-not-sent": func(r *rig, name string) {
		r.fault(name, FaultConfig{})
		r.is(r.submit(r.p.Number(), "a"), okay)
		r.sent(0)
	},
	"send.accepted-answer-lost": func(r *rig, name string) {
		r.ok("AT+CNMI=2,1,0,0,0")
		r.fault(name, FaultConfig{})
		r.is(r.submit(r.p.Number(), "a"), "")
		r.sent(1)
		r.want("AT", okay)
	},
	"send.accepted-reboot": func(r *rig, name string) {
		r.fault(name, FaultConfig{})
		r.is(r.submit(r.p.Number(), "a"), "")
		r.sent(1)
		r.is(r.say("AT"), "AT\r"+okay)
	},
	"send.answer-late": func(r *rig, name string) {
		r.ok("AT+CNMI=2,1,0,0,0")
		r.fault(name, FaultConfig{})
		r.is(r.submit(r.p.Number(), "a"), "")
		r.want("AT+CMGF?", "\r\n+CMGF: 0\r\n"+okay)
		r.pass(time.Minute)
		r.heard("\r\n+CMGS: 0\r\n" + okay)
	},

	"read.cmgl-bare-ok": func(r *rig, name string) {
		r.p.Send(r.m.Number(), "hi")
		r.settle()
		r.fault(name, FaultConfig{})
		r.want("AT+CMGL=4", okay)
		r.has(r.say("AT+CPMS?"), `"ME",1,100`)
	},
	"read.cmgl-303": pointTest("AT+CMGL=4", "\r\n+CMS ERROR: 303\r\n"),
	"read.cmgl-hang": func(r *rig, name string) {
		r.fault(name, FaultConfig{})
		r.want("AT+CMGL=4", "")
		r.want("AT", "")
		r.pass(5 * time.Minute)
		r.heard(okay)
	},
	"read.ff-padding": listed(func(r *rig, head, pdu string) {
		if len(pdu) != paddedLine || !strings.HasSuffix(pdu, "FFFFFFFF") {
			r.t.Errorf("PDU %q", pdu)
		}
	}),
	"read.truncated": listed(func(r *rig, head, pdu string) {
		var n int
		fmt.Sscanf(head, "+CMGL: 1,0,,%d", &n)
		if n == 0 || len(pdu) >= 2*n {
			r.t.Errorf("%s with %d characters", head, len(pdu))
		}
	}),
	"read.wrong-stat": listed(func(r *rig, head, _ string) { r.has(head, "+CMGL: 1,3,,") }),
	"read.no-pdu":     listed(func(r *rig, _, pdu string) { r.is(pdu, "") }),
	"read.cmgr-empty-ok": func(r *rig, name string) {
		r.p.Send(r.m.Number(), "hi")
		r.settle()
		r.fault(name, FaultConfig{Times: 1})
		r.want("AT+CMGR=1", okay)
		r.has(r.say("AT+CMGR=1"), "+CMGR: ")
	},
	"read.cmgr-321": pointTest("AT+CMGR=1", "\r\n+CMS ERROR: 321\r\n"),
	"read.cmgr-500": pointTest("AT+CMGR=1", "\r\n+CMS ERROR: 500\r\n"),
	"read.wrong-slot": func(r *rig, name string) {
		r.p.Send(r.m.Number(), "one")
		r.p.Send(r.m.Number(), "two")
		r.settle()
		r.fault(name, FaultConfig{Times: 1})
		wrong := r.say("AT+CMGR=1")
		if right := r.say("AT+CMGR=1"); wrong == right || !strings.Contains(wrong, "+CMGR: ") {
			r.t.Errorf("%q and then %q", wrong, right)
		}
	},
	"read.deletes-wrong-slot": func(r *rig, name string) {
		r.p.Send(r.m.Number(), "one")
		r.p.Send(r.m.Number(), "two")
		r.settle()
		r.ok("AT+CMGR=1")
		r.fault(name, FaultConfig{})
		r.ok("AT+CMGR=2")
		r.is(strings.Join(r.texts("ME"), ","), "two")
	},
	"read.shared-storage": func(r *rig, name string) {
		r.fault(name, FaultConfig{})
		r.p.Send(r.m.Number(), "hi")
		r.settle()
		r.has(r.say(`AT+CPMS="SM","ME","ME"`), "+CPMS: 1,100,1,100")
		r.has(r.say("AT+CMGL=4"), "+CMGL: 1,")
	},

	"storage.full-silent": func(r *rig, name string) { refusedOnce(r, name, "") },
	"storage.full-smmemfull": func(r *rig, name string) {
		refusedOnce(r, name, "\r\n^SMMEMFULL: \"ME\"\r\n")
	},
	"storage.full-322": pointTest("AT+CMGW=20", "\r\n+CMS ERROR: 322\r\n"),
	"storage.delete-slow": func(r *rig, name string) {
		r.fault(name, FaultConfig{})
		r.want("AT+CMGD=1", "")
		r.pass(6 * time.Second)
		r.heard(okay)
	},
	"storage.delete-fails": func(r *rig, name string) {
		r.p.Send(r.m.Number(), "hi")
		r.settle()
		r.fault(name, FaultConfig{})
		r.want("AT+CMGD=1", "\r\n+CMS ERROR: 320\r\n")
		r.has(r.say("AT+CPMS?"), `"ME",1,100`)
	},
	"storage.cmti-wrong-mem": announced("\r\n+CMTI: \"SM\",1\r\n"),
	"storage.cmti-minus-one": announced("\r\n+CMTI: \"ME\",-1\r\n"),
	"storage.cmti-none":      announced(""),
	"storage.cmti-double":    announced("\r\n+CMTI: \"ME\",1\r\n\r\n+CMTI: \"ME\",1\r\n"),
	"storage.preloaded": func(r *rig, name string) {
		r.fault(name, FaultConfig{})
		if s, m := len(r.m.Stored("SM")), len(r.m.Stored("ME")); s != 2 || m != 1 {
			r.t.Errorf("%d in SM, %d in ME", s, m)
		}
		r.has(r.say("AT+CMGL=4"), "+CMGL: 1,")
	},

	"report.cds": func(r *rig, name string) {
		r.ok("AT+CNMI=2,1,0,2,0")
		r.fault(name, FaultConfig{Times: 1})
		r.has(r.submit(r.p.Number(), "a"), "+CDS: ")
		r.has(r.submit(r.p.Number(), "b"), `+CDSI: "SR",1`)
	},
	"report.cdsi-wrong-index": func(r *rig, name string) {
		r.ok("AT+CNMI=2,1,0,2,0")
		r.fault(name, FaultConfig{})
		r.has(r.submit(r.p.Number(), "a"), `+CDSI: "SR",2`)
		if s := r.m.Stored("SR"); len(s) != 1 || s[0].Index != 1 {
			r.t.Errorf("stored %v", s)
		}
	},
	"report.cds-short-head": func(r *rig, name string) {
		r.fault(name, FaultConfig{})
		r.has(r.submit(r.p.Number(), "a"), "\r\n+CDS: ,2")
	},
	"report.none": func(r *rig, name string) {
		r.fault(name, FaultConfig{})
		r.is(r.submit(r.p.Number(), "a"), "\r\n+CMGS: 0\r\n"+okay)
	},
	"report.before-cmgs": func(r *rig, name string) {
		r.fault(name, FaultConfig{})
		said, payload := r.prompt()
		r.is(said, "\r\n> ")
		r.write(payload)
		r.pass(time.Second)
		got := r.settle()
		if i, j := strings.Index(got, "+CDS: "), strings.Index(got, "+CMGS: 0"); i < 0 || j < i {
			r.t.Errorf("got %q", got)
		}
	},
	"report.twice": reported(2, func(r *rig, t []*tpdu.TPDU) {
		if t[0].MR != t[1].MR {
			r.t.Errorf("references %d and %d", t[0].MR, t[1].MR)
		}
	}),
	"report.mr-reused": func(r *rig, name string) {
		r.has(r.submit(r.p.Number(), "a"), "+CMGS: 0")
		r.fault(name, FaultConfig{Times: 1})
		r.has(r.submit(r.p.Number(), "b"), "+CMGS: 0")
		r.has(r.submit(r.p.Number(), "c"), "+CMGS: 1")
	},
	"report.temporary-first": reported(2, func(r *rig, t []*tpdu.TPDU) {
		if t[0].ST != 0x21 || t[1].ST != 0 {
			r.t.Errorf("status %02X and %02X", t[0].ST, t[1].ST)
		}
	}),
	"report.bad-tz": func(r *rig, name string) {
		r.fault(name, FaultConfig{})
		if got := r.submit(r.p.Number(), "a"); !regexp.MustCompile(`\+CDS: \d+\r\n[0-9A-F]+FF[0-9A-F]{12}FF00\r\n`).MatchString(got) {
			r.t.Errorf("got %q", got)
		}
	},
	"report.extra-octet": func(r *rig, name string) {
		r.fault(name, FaultConfig{})
		r.has(r.submit(r.p.Number(), "a"), "0600000A91") // report, reference 0, the octet too many, ten digits
	},
	"report.alphanumeric": reported(1, func(r *rig, t []*tpdu.TPDU) { r.is(t[0].RA.Number(), "Recipient") }),
	"report.national":     reported(1, func(r *rig, t []*tpdu.TPDU) { r.is("+47"+t[0].RA.Number(), r.p.Number()) }),

	"incoming.redelivered": func(r *rig, name string) {
		r.fault(name, FaultConfig{})
		r.p.Send(r.m.Number(), "hi")
		r.heard("\r\n+CMTI: \"ME\",1\r\n")
		r.pass(time.Minute)
		r.heard("\r\n+CMTI: \"ME\",2\r\n")
		r.is(strings.Join(r.texts("ME"), ","), "hi,hi")
		r.pass(time.Hour)
		r.heard("")
	},
	"incoming.parts-reversed": func(r *rig, name string) {
		r.fault(name, FaultConfig{})
		r.p.Send(r.m.Number(), long("a", "b"))
		r.settle()
		r.is(r.texts("ME")[0], "bbbbbbbb")
		other := r.n.NewModem(Config{})
		h := dial(r.t, other)
		h.ok("ATE0")
		h.submit(r.m.Number(), long("c", "d"))
		r.settle()
		r.is(r.texts("ME")[2], "dddddddd")
	},
	"incoming.part-missing": func(r *rig, name string) {
		r.fault(name, FaultConfig{})
		r.p.Send(r.m.Number(), long("a", "b"))
		r.settle()
		r.is(strings.Join(r.texts("ME"), ","), strings.Repeat("a", 153))
	},
	"incoming.part-doubled": func(r *rig, name string) {
		r.fault(name, FaultConfig{Times: 1})
		r.p.Send(r.m.Number(), long("a", "b"))
		r.settle()
		if got := r.texts("ME"); len(got) != 3 || got[0] != got[1] || got[2] != "bbbbbbbb" {
			r.t.Errorf("got %q", got)
		}
	},
	"incoming.ref-reused": func(r *rig, name string) {
		r.fault(name, FaultConfig{})
		for range 2 {
			r.p.Send(r.m.Number(), long("a", "b"))
		}
		r.settle()
		for _, s := range r.m.Stored("ME") {
			if !bytes.Contains(s.TPDU, []byte{5, 0, 3, 1, 2}) {
				r.t.Errorf("no reference 1 in %X", s.TPDU)
			}
		}
	},
	"incoming.ref-16bit": func(r *rig, name string) {
		r.fault(name, FaultConfig{})
		r.p.Send(r.m.Number(), long("a", "b"))
		r.settle()
		for i, s := range r.m.Stored("ME") {
			if !bytes.Contains(s.TPDU, []byte{6, 8, 4, 0, 1, 2, byte(i + 1)}) {
				r.t.Errorf("no 16-bit reference in %X", s.TPDU)
			}
		}
	},
	"incoming.class-0": altered(func(r *rig, t *tpdu.TPDU) {
		if c, err := t.DCS.Class(); err != nil || c != tpdu.MClass0 {
			r.t.Errorf("DCS %02X", t.DCS)
		}
	}),
	"incoming.type-0": altered(func(r *rig, t *tpdu.TPDU) {
		if t.PID != typeZero {
			r.t.Errorf("PID %02X", t.PID)
		}
	}),
	"incoming.mwi": altered(func(r *rig, t *tpdu.TPDU) {
		if t.DCS&0xF0 != 0xD0 {
			r.t.Errorf("DCS %02X", t.DCS)
		}
	}),
	"incoming.wap-push": company(1, func(r *rig, s []Slot) {
		if !bytes.Contains(s[0].TPDU, []byte{6, 5, 4, 0x0B, 0x84}) {
			r.t.Errorf("got %X", s[0].TPDU)
		}
	}),
	"incoming.empty": company(1, func(r *rig, s []Slot) {
		if b := s[0].TPDU; b[len(b)-1] != 0 {
			r.t.Errorf("got %X", b)
		}
	}),
	"incoming.locking-shift": company(1, func(r *rig, s []Slot) {
		if !bytes.Contains(s[0].TPDU, []byte{3, 0x25, 1, 1}) {
			r.t.Errorf("got %X", s[0].TPDU)
		}
	}),
	"incoming.single-shift": company(1, func(r *rig, s []Slot) {
		if !bytes.Contains(s[0].TPDU, []byte{3, 0x24, 1, 3}) {
			r.t.Errorf("got %X", s[0].TPDU)
		}
	}),
	"incoming.split-surrogate": company(2, func(r *rig, s []Slot) {
		if !bytes.HasSuffix(s[0].TPDU, []byte{0xD8, 0x3D}) || !bytes.Contains(s[1].TPDU, []byte{0xDE, 0x00, 0, 'b'}) {
			r.t.Errorf("got %X and %X", s[0].TPDU, s[1].TPDU)
		}
	}),
	"incoming.alphanumeric": altered(func(r *rig, t *tpdu.TPDU) { r.is(t.OA.Number(), "Emulator") }),

	"life.sim-busy": func(r *rig, name string) {
		r.fault(name, FaultConfig{})
		r.want("AT+CPIN?", "\r\n+CME ERROR: 14\r\n")
		r.want("AT+CPMS?", "\r\n+CMS ERROR: 314\r\n")
		r.pass(10 * time.Second)
		r.want("AT+CPIN?", "\r\n+CPIN: READY\r\n"+okay)
	},
	"life.cme-515": func(r *rig, name string) {
		r.fault(name, FaultConfig{})
		for range 3 {
			r.want("AT+CSQ", "\r\n+CME ERROR: 515\r\n")
		}
		r.want("AT+CSQ", "\r\n+CSQ: 21,99\r\n"+okay)
	},
	"life.silent-reboot": func(r *rig, name string) {
		r.fault(name, FaultConfig{After: 1})
		r.want("AT", okay)
		r.want("AT", "")
		r.want("AT+CNMI?", "AT+CNMI?\r\r\n+CNMI: 0,0,0,0,0\r\n"+okay)
	},
	"life.unplug": func(r *rig, name string) {
		r.fault(name, FaultConfig{})
		r.write("AT\r")
		synctest.Wait()
		if err := <-r.end; !errors.Is(err, ErrUnplugged) {
			r.t.Errorf("read ended with %v", err)
		}
		if _, err := io.WriteString(r.port, "AT\r"); !errors.Is(err, ErrUnplugged) {
			r.t.Errorf("write: %v", err)
		}
		if _, err := r.m.Open(); !errors.Is(err, ErrUnplugged) {
			r.t.Errorf("open: %v", err)
		}
		r.pass(10 * time.Second)
		if dial(r.t, r.m).say("AT") != "AT\r"+okay {
			r.t.Error("not back")
		}
	},
	"life.write-blocks": func(r *rig, name string) {
		r.fault(name, FaultConfig{})
		done := make(chan error, 1)
		go func() {
			_, err := io.WriteString(r.port, "AT\r")
			done <- err
		}()
		r.pass(time.Hour)
		select {
		case err := <-done:
			r.t.Errorf("the write ended: %v", err)
		default:
		}
		r.port.Close()
		if err := <-done; err == nil {
			r.t.Error("the write of a closed port ended well")
		}
	},
	"life.deaf": func(r *rig, name string) {
		r.fault(name, FaultConfig{})
		r.want("AT", "")
		r.want("AT", "")
		r.want("AT+CFUN=1,1", okay)
		r.want("AT", "AT\r"+okay)
	},
	"life.deaf-power": func(r *rig, name string) {
		r.fault(name, FaultConfig{})
		r.want("AT", "")
		r.want("AT+CFUN=1,1", "")
		r.m.PowerOff()
		r.m.PowerOn()
		r.want("AT", "AT\r"+okay)
	},
	"life.sleep": func(r *rig, name string) {
		r.fault(name, FaultConfig{})
		r.want("AT", okay)
		r.pass(5 * time.Second)
		r.want("AT", "")
		r.want("AT", okay)
	},
	"life.dtr-hangup": func(r *rig, name string) {
		r.fault(name, FaultConfig{})
		r.port.Close()
		h := dial(r.t, r.m)
		h.want("AT+CNMI?", "AT+CNMI?\r\r\n+CNMI: 0,0,0,0,0\r\n"+okay)
	},
	"life.denied":       registered(3),
	"life.roaming":      registered(5),
	"life.network-lost": registered(2),
	"life.sim-swapped": func(r *rig, name string) {
		before := r.say("AT+CCID")
		r.fault(name, FaultConfig{})
		if after := r.say("AT+CCID"); after == before || !strings.Contains(after, "+CCID: 89") {
			r.t.Errorf("%q, then %q", before, after)
		}
	},
	"life.smsc-cleared": func(r *rig, name string) {
		r.has(r.say("AT+CSCA?"), `+CSCA: "+47`)
		r.fault(name, FaultConfig{})
		r.ok("AT+CSMP=49,167,0,0")
		r.want("AT+CSCA?", "\r\n+CSCA: \"\",129\r\n"+okay)
		r.is(r.submit(r.p.Number(), "a"), "\r\n+CMS ERROR: 330\r\n")
	},
}

func promptTest(want string) func(r *rig, name string) {
	return func(r *rig, name string) {
		r.fault(name, FaultConfig{Times: 1})
		said, payload := r.prompt()
		r.is(said, want)
		r.write(payload)
		r.has(r.settle(), "+CMGS: 0")
	}
}

func escTest(want string) func(r *rig, name string) {
	return func(r *rig, name string) {
		r.fault(name, FaultConfig{})
		r.prompt()
		r.write("0011\x1b")
		r.heard(want)
		r.want("AT", okay)
		r.sent(0)
	}
}

// listed is the test of a fault of AT+CMGL: check sees the header and the line after it.
func listed(check func(r *rig, head, pdu string)) func(r *rig, name string) {
	return func(r *rig, name string) {
		r.p.Send(r.m.Number(), "hi")
		r.settle()
		r.fault(name, FaultConfig{})
		lines := strings.Split(r.say("AT+CMGL=4"), "\r\n")
		if len(lines) < 4 || !strings.HasPrefix(lines[1], "+CMGL: 1,") {
			r.t.Fatalf("got %q", lines)
		}
		check(r, lines[1], lines[2])
	}
}

// refusedOnce is the test of a memory that pretends to be full: the message comes back later.
func refusedOnce(r *rig, name, said string) {
	r.fault(name, FaultConfig{})
	r.p.Send(r.m.Number(), "hi")
	r.heard(said)
	if s := r.m.Stored("ME"); len(s) != 0 {
		r.t.Errorf("stored %v", s)
	}
	r.pass(time.Minute)
	r.heard("\r\n+CMTI: \"ME\",1\r\n")
}

func announced(want string) func(r *rig, name string) {
	return func(r *rig, name string) {
		r.fault(name, FaultConfig{Times: 1})
		r.p.Send(r.m.Number(), "hi")
		r.heard(want)
		if s := r.m.Stored("ME"); len(s) != 1 {
			r.t.Errorf("stored %v", s)
		}
	}
}

// reported is the test of a fault of status reports: check sees n of them.
func reported(n int, check func(r *rig, t []*tpdu.TPDU)) func(r *rig, name string) {
	return func(r *rig, name string) {
		r.fault(name, FaultConfig{Times: 1})
		t := r.reports(r.submit(r.p.Number(), "a"))
		if len(t) != n {
			r.t.Fatalf("%d reports", len(t))
		}
		check(r, t)
	}
}

// altered is the test of a fault that changes a message: check sees it, and its text must be there.
func altered(check func(r *rig, t *tpdu.TPDU)) func(r *rig, name string) {
	return func(r *rig, name string) {
		r.fault(name, FaultConfig{Times: 1})
		r.p.Send(r.m.Number(), "hi")
		r.settle()
		s := r.m.Stored("ME")
		if len(s) != 1 {
			r.t.Fatalf("stored %v", s)
		}
		t, err := sms.Unmarshal(s[0].TPDU, sms.AsMT)
		if err != nil {
			r.t.Fatal(err)
		}
		check(r, t)
		r.is(textOf(t), "hi")
	}
}

// company is the test of a fault that sends n odd messages ahead.
func company(n int, check func(r *rig, s []Slot)) func(r *rig, name string) {
	return func(r *rig, name string) {
		r.fault(name, FaultConfig{Times: 1})
		r.p.Send(r.m.Number(), "hi")
		r.settle()
		s := r.m.Stored("ME")
		if len(s) != n+1 {
			r.t.Fatalf("stored %v", s)
		}
		check(r, s)
		r.is(r.texts("ME")[n], "hi")
	}
}

// registered is the test of a fault of registration.
func registered(state int) func(r *rig, name string) {
	return func(r *rig, name string) {
		r.ok("AT+CREG=1")
		r.fault(name, FaultConfig{Delay: time.Minute})
		r.is(r.say("AT"), fmt.Sprintf("\r\n+CREG: %d\r\n", state)+okay)
		r.is(r.say("AT+CREG?"), fmt.Sprintf("\r\n+CREG: 1,%d\r\n", state)+okay)
		r.pass(time.Minute)
		r.heard("\r\n+CREG: 1\r\n")
	}
}

// TestFaults sees every fault of the catalogue act.
func TestFaults(t *testing.T) {
	for _, f := range Faults() {
		test := faultTests[f.Name]
		if test == nil {
			t.Errorf("%s has no test", f.Name)
			continue
		}
		t.Run(f.Name, func(t *testing.T) {
			// Half a second to the network and back, where a report must be seen before the answer.
			c := Config{}
			if f.Name == "report.before-cmgs" {
				c.Latency = time.Second
			}
			bubble(t, NetworkConfig{}, func(t *testing.T, n *Network) { test(newRig(t, n, c), f.Name) })
		})
	}
	if len(faultTests) != len(Faults()) {
		t.Errorf("%d tests for %d faults", len(faultTests), len(Faults()))
	}
}

func TestCatalogue(t *testing.T) {
	families := map[int]int{}
	seen := map[string]bool{}
	for _, f := range Faults() {
		if seen[f.Name] || f.Sentence == "" || !regexp.MustCompile(`^[a-z]+\.[a-z0-9-]+$`).MatchString(f.Name) {
			t.Errorf("odd or double: %+v", f)
		}
		seen[f.Name] = true
		families[f.Family]++
	}
	if len(families) != 10 || len(seen) < 60 {
		t.Errorf("%d faults in %d families", len(seen), len(families))
	}
	bubble(t, NetworkConfig{}, func(t *testing.T, n *Network) {
		if err := n.NewModem(Config{}).Fault("no.such", FaultConfig{}); err == nil {
			t.Error("an unknown fault is taken")
		}
	})
}
