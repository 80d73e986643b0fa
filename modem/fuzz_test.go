package modem

import (
	"strings"
	"testing"

	"simpost/atcmd"
)

// FuzzAnswers: whatever a modem says, reading it does not panic, and no index or length comes out that was not said.
func FuzzAnswers(f *testing.F) {
	for _, seed := range []string{
		"+CMGL: 1,1,,24\n" + testPDU, "+CMGR: 1,,28\n" + testPDU, "+CMT: ,24\nA", "+CDS: 24\n" + testPDU, `+CPMS: "SM",1,30,"ME",0,100,"SM",1,30`,
		`+CPMS: (("SM","BM"),("SM"))`, `+CREG: 2,1,"00C3","0001E240",7`, `+COPS: (2,"T - Mobile","T","310260"),2)`, `+CUSD: 1,"*",72`,
		`+CSCA: "002B0034",145`, "+CSQ: 31,99", "+CESQ: 99,99,255,255,20,50", `+CRSM: 144,0,"2AFF"`, `+CNUM: ,"+47",145`, `+CIEV: "smsfull",1`,
		"+CPIN: READY", "+QCCID: 8947", "+CMGS: 300", "+CMS ERROR: x", "RDY", `+CLIP: "`, `+COPS: (2,"T (DE)","T","26201",7),,(0,1)`, `+CPBR: 1,"+47",145,"00C5"`, "+CPINR: SIM PIN,3,3", "+CMTI: ,-1", `"`, ":", ",", "(",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, said string) {
		lines := strings.Split(said, "\n")
		for _, s := range parseList("SM", lines) {
			if s.Index < 0 || s.Length < -1 {
				t.Errorf("entry %+v", s)
			}
		}
		if s, ok := parseRead(lines); ok && (s.PDU == "" || s.Length < -1) {
			t.Errorf("slot %+v", s)
		}
		for _, c := range lines {
			_, v, _ := strings.Cut(c, ":")
			if r, ok := parseRegistration(v, true); ok && (r.stat < 0 || r.stat >= len(statusNames)) {
				t.Errorf("registration %+v", r)
			}
			if n := parseSMSC(v); n != "" && !numberGrammar.MatchString(n) {
				t.Errorf("SMSC %q", n)
			}
			for _, m := range sweepable(append(words(v), v)) {
				if !memoryName(m) {
					t.Errorf("memory %q may reach the wire", m)
				}
			}
			parseCounts(v)
			groups(v)
			parseOperator(v)
			bookRange(v)
			parseSignal(v)
			parseExtendedSignal(v)
			if state, text, ok := parseUSSD(v); ok && state >= 0 {
				for _, form := range []ussdForm{ussdPlain, ussdPacked, ussdUCS2} {
					form.decode(text.body, text.dcs)
				}
			}
		}
		parseCRSM(lines)
		parseICCID(lines)
		parseIMEI(lines)
		parseIMSI(lines)
		parseMR(lines)
		parseOwnNumber(lines)
		parseContacts("SM", lines)
		generic.left.read(lines)
		for _, n := range parseNetworks(lines) {
			if !networkGrammar.MatchString(n.Code) {
				t.Errorf("network %+v", n)
			}
		}
		parsePIN(lines)
		n := &news{wake: make(chan struct{}, 1), ready: map[string]bool{}, ussd: make(chan string, maxUSSD)}
		for i, l := range lines {
			n.put(atcmd.URC{Line: l, PDU: strings.TrimSpace(lines[len(lines)-1-i]), Late: i%2 == 1})
		}
	})
}
