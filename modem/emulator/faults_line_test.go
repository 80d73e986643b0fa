package emulator

import (
	"regexp"
	"strings"
	"testing/synctest"
	"time"
)

// lineFaultTests are families 1 to 4.
var lineFaultTests = map[string]func(r *rig, name string){
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
}

// pointTest is the test of chatter around a command: what is said with the fault on.
func pointTest(line, want string) func(r *rig, name string) {
	return func(r *rig, name string) {
		r.fault(name, FaultConfig{Times: 1})
		r.want(line, want)
		r.hasNot(r.say(line), chatterLine)
	}
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
