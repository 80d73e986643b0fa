package atcmd

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// set of blank-separated words.
func set(s string) map[string]bool { return phrases(strings.Fields(s)...) }

func phrases(ps ...string) map[string]bool {
	m := make(map[string]bool)
	for _, p := range ps {
		m[p] = true
	}
	return m
}

var (
	// named commands have answers whose lines carry the command's name; a bare line is never theirs.
	named = set(`+CREG +CGREG +CEREG +C5GREG +CSQ +CESQ +COPS +CPIN +CMGL +CMGR +CMGS +CMSS +CMGW +CMGD
		+CMGC +CMGF +CPMS +CNMI +CNMA +CSMS +CSCA +CSCS +CMEE +CFUN +CCLK +CUSD +CLIP +CNUM +CRSM +CMMS +CGSMS`)
	// answerOnly names are never sent by a modem by itself: evidence when nobody asked.
	answerOnly = set(`+CMGL +CMGR +CMGS +CMSS +CMGW +CMGF +CPMS +CSMS +CSCA +CSCS +CMEE +COPS +CRSM`)
	// neverAsked names are never an answer.
	neverAsked = set(`+CMT +CDS +CBM +CMTI +CDSI +CBMI`)
	// withPDU names have a second line.
	withPDU = set(`+CMT +CDS +CBM`)
	// numeric commands answer with a bare number; any other bare line is not theirs.
	numeric = set(`+CIMI +CGSN +GSN`)
	// lined commands can't succeed without a line of answer, besides every query that ends in "?".
	lined = set(`+CSQ +CESQ +CIMI +CGSN +GSN +CGMI +CGMM +CGMR +GMI +GMM +GMR +CCID +CICCID +QCCID`)
	// single answers have one line, and their URC looks the same.
	single = set(`+CREG? +CGREG? +CEREG? +C5GREG? +CPIN? +CFUN? +CSQ +CESQ`)

	// aliases are other names that an answer carries.
	aliases = map[string][]string{
		"I":       {"+GCAP"},
		"+CCID":   {"+ICCID", "+CICCID"},
		"+CICCID": {"+ICCID", "+CCID"},
		"+QCCID":  {"+CCID", "+ICCID"},
		"+CGSN":   {"+GSN"},
	}

	bareURCs = phrases("RING", "NO CARRIER", "BUSY", "NO ANSWER", "NO DIALTONE", "NO DIAL TONE", "RDY", "SMS READY",
		"CALL READY", "PB DONE", "SMS DONE", "NORMAL POWER DOWN", "POWERED DOWN", "APP RDY", "MODEM STARTUP")
	oddFinals = phrases("TOO MANY PARAMETERS", "NOT SUPPORTED", "ABORTED")

	digits       = regexp.MustCompile(`^"?[0-9]{14,17}"?$`)
	modemError   = regexp.MustCompile(`^MODEM ERROR: *[0-9]+$`)
	basicLine    = regexp.MustCompile(`^(?:[EQVXZ&][A-Z]?[0-9]*)*$`)
	secretNumber = regexp.MustCompile(`[0-9]{3,}`)
	secretArgs   = regexp.MustCompile(`(?i)[+^#*](?:CPIN2?|CPWD|CLCK|SPIC|PIN2?|PUK2?)=[^;]*`)
)

// id is the "+NAME" of a "+NAME: ..." line, "" for any other line.
func id(l string) string {
	if l == "" || strings.IndexByte("+^*$%#&!", l[0]) < 0 {
		return ""
	}
	i := strings.IndexByte(l, ':')
	if i < 0 {
		return ""
	}
	return l[:i]
}

// isBareURC says whether l is a URC without a "+NAME:".
func isBareURC(l string) bool {
	return bareURCs[strings.ToUpper(l)] || strings.HasPrefix(l, "DST:")
}

// isFinal says whether l ends any command.
func isFinal(l string) bool {
	switch {
	case l == "OK", l == "ERROR":
		return true
	case l == "" || l[0] == '+':
		return strings.HasPrefix(l, "+CME ERROR") || strings.HasPrefix(l, "+CMS ERROR")
	case strings.HasPrefix(l, "ERROR:"), modemError.MatchString(l):
		return true
	}
	up := strings.ToUpper(l) // Huawei puts text before and after it
	return oddFinals[up] || strings.Contains(up, "COMMAND NOT SUPPORT") && id(l) == ""
}

// spec is what the answer of one command may look like.
type spec struct {
	names   []string // ids its lines may carry
	end     string   // Command.Final
	query   bool     // "?" or "=?" form
	dial    bool     // NO CARRIER and the like are final results
	named   bool     // no bare lines but PDUs
	numeric bool     // of bare lines only a number
	basic   bool     // E0 V1 and the like: perhaps ATV0 is still on, where 0 is OK and 4 is ERROR (V.250 5.7.1)
	lined   bool     // no success without a line
	single  bool     // one line
}

func specOf(cmd string, extra map[string][]string) spec {
	s := spec{
		dial:   cmd != "" && strings.IndexByte("DAO", cmd[0]) >= 0,
		basic:  basicLine.MatchString(cmd),
		single: single[cmd],
		lined:  lined[cmd] || strings.HasSuffix(cmd, "?") && !strings.HasSuffix(cmd, "=?"),
	}
	for part := range strings.SplitSeq(cmd, ";") {
		name := verb(part)
		s.query = s.query || strings.HasSuffix(part, "?")
		s.names = append(s.names, name)
		s.names = append(s.names, aliases[name]...)
		s.names = append(s.names, extra[name]...)
		s.named = s.named || named[name]
		s.numeric = s.numeric || numeric[name]
	}
	return s
}

// verb is the name of a command: "+CPMS" of "+CPMS=?" and of "E0+CPMS?" (V.250 5.2.1 asks for no ";" there).
func verb(cmd string) string {
	if i := strings.IndexAny(cmd, "+^*$%#"); i > 0 && basicLine.MatchString(cmd[:i]) {
		cmd = cmd[i:]
	}
	if i := strings.IndexAny(cmd, "=?"); i >= 0 {
		cmd = cmd[:i]
	}
	return cmd
}

func (s *spec) has(name string) bool { return slices.Contains(s.names, name) }

// ends says whether l is the line that ends the answer without an OK; blanks don't count.
func (s *spec) ends(l string) bool {
	return s.end != "" && strings.ReplaceAll(l, " ", "") == strings.ReplaceAll(s.end, " ", "")
}

// solicited says whether l, named name, belongs to the answer of a command with spec s.
func (s *spec) solicited(l, name string) bool {
	switch {
	case name == "":
		return s.bare(l)
	case neverAsked[name] || !s.has(name):
		return false
	case strings.HasSuffix(name, "REG"):
		return s.query && isRegAnswer(l)
	case name == "+CUSD" || name == "+CLIP":
		return s.query && !strings.Contains(l, `"`)
	}
	return true
}

// bare says whether a line without a name may be part of the answer.
func (s *spec) bare(l string) bool {
	switch {
	case isBareURC(l):
		return false
	case s.numeric:
		return digits.MatchString(l)
	case s.named:
		return s.query && l[0] == '(' // Nokia breaks the list of +COPS=? into lines
	}
	return true
}

// final says whether l ends an exchange with spec s.
func (s *spec) final(l string) bool {
	switch {
	case isFinal(l):
		return true
	case s.basic:
		return l == "0" || l == "4"
	case s.dial:
		return strings.HasPrefix(l, "CONNECT") || bareURCs[l] && (l == "BUSY" || strings.HasPrefix(l, "NO "))
	}
	return false
}

// isRegAnswer tells +CREG: n,stat from the URC +CREG: stat,lac (TS 27.007 7.2): stat is a decimal of up to two digits,
// unless the modem pads every number.
func isRegAnswer(l string) bool {
	_, args, _ := strings.Cut(l, ":")
	f := strings.SplitN(args, ",", 3)
	n := strings.TrimSpace(f[0])
	if strings.HasPrefix(n, "(") {
		return true
	}
	if len(f) < 2 || !isDecimal(n) {
		return false
	}
	stat := strings.TrimSpace(f[1])
	padded := len(n) > 1 && n[0] == '0'
	return isDecimal(stat) && (len(stat) <= 2 || padded)
}

// isBareReg says whether l is +CREG: stat, a URC without a place, which some modems also answer a query with.
func isBareReg(l string) bool {
	name, stat, _ := strings.Cut(l, ":")
	return strings.HasSuffix(name, "REG") && isDecimal(strings.TrimSpace(stat))
}

func isDecimal(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

// isHex says whether s consists of hex digits; a PDU that lost one is still a PDU line.
func isHex(s string) bool {
	for i := range len(s) {
		switch b := s[i]; {
		case b >= '0' && b <= '9', b >= 'A' && b <= 'F', b >= 'a' && b <= 'f':
		default:
			return false
		}
	}
	return s != ""
}

// isPDU says whether s is octets in hex.
func isPDU(s string) bool { return len(s)%2 == 0 && isHex(s) }

// tpduLen is the last field of a header that announces a PDU, -1 if it has none (TS 27.005 3.4.1).
func tpduLen(head string) int {
	n, err := strconv.Atoi(strings.TrimSpace(head[strings.LastIndexAny(head, ",:")+1:]))
	if err != nil {
		return -1
	}
	return n
}

// fits says whether the PDU l is as long as its header said: the length counts the TPDU, the line starts with the SMSC
// address and its length. +CBM has no SMSC, and some modems leave it out.
func fits(l string, n int) bool {
	smsc, _ := strconv.ParseUint(l[:2], 16, 8)
	return len(l) == 2*(1+int(smsc)+n) || len(l) == 2*n
}

// secretsIn lists the arguments of cmd that nothing may repeat: PIN, PUK, passwords.
func secretsIn(cmd string) []string {
	var ss []string
	for _, part := range secretArgs.FindAllString(cmd, -1) {
		ss = append(ss, secretNumber.FindAllString(part, -1)...)
	}
	return ss
}

// hide replaces secrets in l.
func hide(l string, secrets []string) string {
	for _, s := range secrets {
		l = strings.ReplaceAll(l, s, "****")
	}
	return l
}
