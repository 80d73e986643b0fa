package modem

import (
	"strings"
	"testing"
)

func TestTyped(t *testing.T) {
	for in, want := range map[string]Typed{
		"":                        {},
		"AT":                      {},
		" at ":                    {},
		"ATI":                     {line: "I"},
		"ati9":                    {line: "I9"},
		"AT&V":                    {line: "&V"},
		"AT+CSQ":                  {line: "+CSQ"},
		"+csq":                    {line: "+CSQ"},
		"at^sysinfo":              {line: "^SYSINFO"},
		"AT+CPIN?":                {line: "+CPIN?"},
		"AT+CMGS=?":               {line: "+CMGS=?"},
		"AT+COPS=0":               {line: "+COPS=0", sets: true},
		`AT+CNMI=2,1,0,1,0`:       {line: "+CNMI=2,1,0,1,0", sets: true},
		`at+qcfg="nwscanmode"`:    {line: `+QCFG="nwscanmode"`, sets: true},
		"AT+CRSM=176,28483,0,0,2": {line: "+CRSM=176,28483,0,0,2"},
	} {
		if got, err := ParseTyped(in); err != nil || got != want {
			t.Errorf("%q: %+v, %v; want %+v", in, got, err, want)
		}
	}
}

// Whatever could send, delete, use up PIN tries or take the modem away, in every
// spelling that a modem would take for it.
func TestTypedRefuses(t *testing.T) {
	for in, why := range map[string]string{
		"AT+CMGS=12": "sends", "at+cmgs=12": "sends", "AT+CMGW=12": "sends", "AT+CMSS=1": "sends", "AT+CMGC=1": "sends",
		"AT+QCMGS=1": "sends", "AT^CMGS=1": "sends",
		"AT+CMGD=1": "deletes", "AT+CMGD=1,4": "deletes", "AT+CMGDA=6": "deletes", "AT+QMGDA=6": "deletes",
		"AT+CNMA": "deletes", "AT+CMGR=1": "marks", "AT+CMGL=4": "marks",
		`AT+CPIN="1234"`: "PIN", "AT^CPIN=1234": "PIN", `AT+CLCK="SC",0,"1234"`: "PIN", "AT+CPWD=1": "PIN",
		"AT+CFUN=0": "restarts", "AT+CFUN=1,1": "restarts", "AT+CPOF": "restarts", "AT+QPOWD": "restarts", "AT^RESET": "restarts",
		"AT#REBOOT": "restarts", "AT^SMSO": "restarts", "AT+CRESET": "restarts",
		"AT+CRSM=214,28483,0,0,2,\"00\"": "SIM", "AT+CRSM=176,28483,0,0,2,\"x\"": "SIM", `AT+CSIM=10,"A0"`: "SIM",
		`AT+CUSD=1,"*100#"`: "money", `AT+EGMR=1,7,"1"`: "identity",
		"ATD+4790000001;": "one AT command", "ATZ": "one AT command", "AT&F": "one AT command", "AT&W": "one AT command",
		"ATE0+CMGD=1": "one AT command", "ATI+CMGD=1": "one AT command", "AT+CSQ;+CMGD=1": "one AT command",
		"AT+CSCA=\"1;+CMGD=1": "one AT command", "AT+CSQ\r+CMGD=1": "one AT command", "AT+CSQ=\x1a": "one AT command",
		"AT+CSQ=\x1b": "one AT command", "AT+COPS=ø": "one AT command", "A/": "one AT command", "AT AT+CMGD=1": "one AT command",
		"AT+COPS=" + strings.Repeat("1", TypedLimit): "one AT command",
	} {
		_, err := ParseTyped(in)
		if err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%q: %v, want %q", in, err, why)
		}
		if err != nil && (strings.Contains(err.Error(), "1234") || strings.Contains(err.Error(), "*100#")) {
			t.Errorf("%q: the refusal repeats the arguments: %v", in, err)
		}
	}
}

// Nothing that ParseTyped lets through leaves the grammar of one printable line.
func FuzzTyped(f *testing.F) {
	for _, s := range []string{"AT+CSQ", "at+cops=0", "AT+CMGS=1", "ATI;", "+x=?", "AT+CRSM=176,1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		typed, err := ParseTyped(s)
		if err != nil {
			return
		}
		if len(typed.line) > TypedLimit || strings.Contains(typed.line, ";") {
			t.Errorf("%q becomes %q", s, typed.line)
		}
		for _, c := range []byte(typed.line) {
			if c < ' ' || c > '~' {
				t.Errorf("%q becomes %q", s, typed.line)
			}
		}
		name, _, set := strings.Cut(typed.line, "=")
		if set && !strings.HasSuffix(typed.line, "=?") && strings.Contains(name, "CMGS") {
			t.Errorf("%q sends: %q", s, typed.line)
		}
		if strings.Contains(typed.Verb(), "=") {
			t.Errorf("%q shows arguments: %q", s, typed.Verb())
		}
	})
}
