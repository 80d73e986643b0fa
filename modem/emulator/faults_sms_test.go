package emulator

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/warthog618/sms/encoding/tpdu"
)

// smsFaultTests are families 5 to 8.
var smsFaultTests = map[string]func(r *rig, name string){
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
	"send.wrong-bearer": func(r *rig, name string) {
		r.fault(name, FaultConfig{})
		r.has(r.submit(r.p.Number(), "a"), "+CMS ERROR: 500")
		r.sent(0)
		r.ok("AT+CGSMS=1")
		r.has(r.submit(r.p.Number(), "b"), "+CMGS: ")
		r.sent(1)
	},
	"send.cmgs-refused": func(r *rig, name string) {
		r.fault(name, FaultConfig{})
		b := submits(r.t, r.p.Number(), "a")[0]
		r.has(r.say(fmt.Sprintf("AT+CMGS=%d", len(b))), "+CMS ERROR: 302")
		r.has(r.say(fmt.Sprintf("AT+CMGW=%d", len(b))), "> ")
		r.has(r.say(fmt.Sprintf("00%X\x1a", b)), "+CMGW: 1")
		r.has(r.say("AT+CMSS=1"), "+CMSS: ")
		r.sent(1)
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
	"send.swallowed": func(r *rig, name string) {
		r.fault(name, FaultConfig{})
		r.is(r.submit(r.p.Number(), "a"), "")
		r.sent(0)
		r.want("AT", okay)
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
	"report.cnmi-refused": func(r *rig, name string) {
		r.fault(name, FaultConfig{})
		r.is(r.say("AT+CNMI=2,1,0,2,0"), "\r\n+CMS ERROR: 303\r\n")
		r.is(r.say("AT+CNMI?"), "\r\n+CNMI: 2,1,0,1,0\r\n"+okay)
		r.ok("AT+CNMI=2,1,0,2,0")
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
}

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
