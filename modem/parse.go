package modem

import (
	"encoding/hex"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf16"
)

// This file and registration.go read modems' answers. The rule: an answer that can't be read is "not known", never an
// error, because no modem is wrong enough to stop the mail for it. Only pure functions live here.

// value is what follows "NAME:" on the first line that carries the name.
func value(lines []string, name string) (string, bool) {
	for _, l := range lines {
		if v, ok := cutName(l, name); ok {
			return v, true
		}
	}
	return "", false
}

func cutName(line, name string) (string, bool) {
	rest, ok := strings.CutPrefix(strings.TrimSpace(line), name)
	if !ok {
		return "", false
	}
	rest, ok = strings.CutPrefix(strings.TrimSpace(rest), ":")
	return strings.TrimSpace(rest), ok
}

// bare is the first line without a name, or the value of the first line with one of the names: CGMI, CGSN and the
// like are answered both ways.
func bare(lines []string, names ...string) string {
	for _, l := range lines {
		l = strings.TrimSpace(l)
		for _, n := range names {
			if v, ok := cutName(l, n); ok {
				return unquote(v)
			}
		}
		if l != "" && !strings.ContainsAny(l[:1], "+^*#$%") {
			return unquote(l)
		}
	}
	return ""
}

func unquote(s string) string { return strings.Trim(strings.TrimSpace(s), `" `) }

// split cuts at the commas outside quotes and brackets. Fields keep their quotes.
func split(s string) []string {
	var out []string
	depth, quoted, from := 0, false, 0
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '(':
			depth++
		case c == ')':
			depth--
		case c == ',' && depth <= 0:
			out = append(out, strings.TrimSpace(s[from:i]))
			from = i + 1
		}
	}
	return append(out, strings.TrimSpace(s[from:]))
}

// fields is split without the quotes.
func fields(s string) []string {
	f := split(s)
	for i := range f {
		f[i] = unquote(f[i])
	}
	return f
}

// number reads a decimal field; ok is false for anything else.
func number(f []string, i int) (n int, ok bool) {
	if i < 0 || i >= len(f) {
		return 0, false
	}
	n, err := strconv.Atoi(f[i])
	return n, err == nil
}

var quotedWord = regexp.MustCompile(`"([^"]*)"`)

// words are the quoted words of an "=?" answer in order: CPMS=? and CSCS=? come nested, bare, spaced and empty.
func words(s string) []string {
	var out []string
	for _, m := range quotedWord.FindAllStringSubmatch(s, -1) {
		if w := strings.TrimSpace(m[1]); w != "" {
			out = append(out, w)
		}
	}
	return out
}

// groups are the bracketed lists of CPMS=?, one for each of mem1, mem2, mem3. A modem that nests them or leaves the
// brackets out gives one list for all three.
func groups(s string) [3][]string {
	top := split(s)
	if len(top) == 3 && strings.Contains(s, "(") {
		return [3][]string{words(top[0]), words(top[1]), words(top[2])}
	}
	all := words(s)
	return [3][]string{all, all, all}
}

// parseCounts reads "CPMS?": "SM",3,10,"ME",0,100,"SM",3,10. A memory listed twice is given once. Nokia's ,,,,,,,, gives none.
func parseCounts(v string) (counts []MemoryCount, mems [3]string) {
	f := fields(v)
	for i := 0; i+2 < len(f) && i < 9; i += 3 {
		used, ok1 := number(f, i+1)
		total, ok2 := number(f, i+2)
		if f[i] == "" || !ok1 || !ok2 {
			continue
		}
		mems[i/3] = f[i]
		if i > 0 && f[i] == mems[0] || i > 3 && f[i] == mems[1] {
			continue
		}
		counts = append(counts, MemoryCount{Memory: f[i], Used: used, Total: total})
	}
	return counts, mems
}

// parseSelected reads the answer to CPMS="..": used and total of mem1.
func parseSelected(v string) (used, total int, ok bool) {
	f := fields(v)
	used, ok1 := number(f, 0)
	total, ok2 := number(f, 1)
	return used, total, ok1 && ok2
}

var (
	isHex    = regexp.MustCompile(`^(?:[0-9A-Fa-f]{2})+$`)
	hexDigit = regexp.MustCompile(`^[0-9A-Fa-f]{2,}$`) // a PDU that lost a digit on the line is still an entry
)

// parseList reads the answer of CMGL=4. A header without its PDU gives an entry with an empty PDU; anything that is
// neither header nor PDU is passed over.
func parseList(memory string, lines []string) []Stored {
	var out []Stored
	open := false
	for _, l := range lines {
		l = strings.TrimSpace(l)
		if v, ok := cutName(l, "+CMGL"); ok {
			s, ok := parseHeader(v, true)
			if open = ok && s.Index >= 0; open {
				s.Memory = memory
				out = append(out, s)
				open = s.PDU == ""
			}
			continue
		}
		if open && hexDigit.MatchString(l) {
			out[len(out)-1].PDU = trimPadding(l, out[len(out)-1].Length)
			open = false
		}
	}
	return out
}

// parseRead reads the answer of CMGR; ok is false for an empty slot.
func parseRead(lines []string) (s Stored, ok bool) {
	for _, l := range lines {
		l = strings.TrimSpace(l)
		if v, named := cutName(l, "+CMGR"); named && !ok {
			s, ok = parseHeader(v, false)
		} else if ok && s.PDU == "" && hexDigit.MatchString(l) {
			s.PDU = trimPadding(l, s.Length)
		}
	}
	return s, ok && s.PDU != ""
}

// parseHeader reads "index,stat,[alpha],length" or, without the index, CMGR's. The alpha field may be missing, empty
// or "" (Telit); the PDU may be glued on after a blank.
func parseHeader(v string, indexed bool) (s Stored, ok bool) {
	head, tail, glued := strings.Cut(v, " ")
	if glued && hexDigit.MatchString(strings.TrimSpace(tail)) {
		v, s.PDU = head, strings.TrimSpace(tail)
	}
	f := fields(v)
	if indexed {
		if s.Index, ok = number(f, 0); !ok {
			return s, false
		}
		f = f[1:]
	}
	stat, ok := number(f, 0)
	length, last := number(f, len(f)-1)
	if !ok || len(f) < 2 || stat < 0 || stat > 255 {
		return s, false
	}
	s.Status, s.Length = byte(stat), -1
	if last && length >= 0 {
		s.Length = length
	}
	s.PDU = trimPadding(s.PDU, s.Length)
	return s, true
}

// trimPadding cuts the FF octets that some modems leave behind a PDU in SR, and only those.
func trimPadding(pdu string, length int) string {
	if len(pdu) < 2 || length < 0 {
		return pdu
	}
	smsc, err := strconv.ParseUint(pdu[:2], 16, 8)
	if end := 2 * (1 + int(smsc) + length); err == nil && end < len(pdu) && strings.Trim(pdu[end:], "Ff") == "" {
		return pdu[:end]
	}
	return pdu
}

// parseDirect is the length a +CMT, +CDS or +CBM header announces (its last field), -1 where it has none.
func parseDirect(line string) (kind string, length int) {
	name, v, _ := strings.Cut(line, ":")
	f := fields(v)
	length, ok := number(f, len(f)-1)
	if !ok {
		length = -1
	}
	return strings.TrimPrefix(name, "+"), length
}

// parseMR is the reference of a "+CMGS: 42" or "+CMSS: 42" line, which may carry the SUBMIT-REPORT behind a comma.
func parseMR(lines []string) (mr byte, ok bool) {
	v, ok := value(lines, "+CMGS")
	if !ok {
		v, ok = value(lines, "+CMSS")
	}
	if !ok {
		return 0, false
	}
	n, ok := number(fields(v), 0)
	return byte(n), ok && n >= 0 && n <= 255
}

// parseSMSC reads CSCA?: quoted or not, and UCS-2 in hex where CSCS="UCS2" is in force.
func parseSMSC(v string) string {
	n := fields(v)[0]
	if t, ok := ucs2Hex(n); ok && numberGrammar.MatchString(t) {
		n = t
	}
	if !numberGrammar.MatchString(n) {
		return ""
	}
	return n
}

// ucs2Hex decodes a field written as UCS-2 in hex: groups of 4 digits that begin with 00 and give printable text.
func ucs2Hex(s string) (string, bool) {
	if len(s) < 4 || len(s)%4 != 0 || !isHex.MatchString(s) || !strings.HasPrefix(s, "00") {
		return "", false
	}
	text, ok := decodeUCS2(s)
	return text, ok
}

func decodeUCS2(s string) (string, bool) {
	b, err := hex.DecodeString(s)
	if err != nil || len(b)%2 != 0 {
		return "", false
	}
	u := make([]uint16, len(b)/2)
	for i := range u {
		u[i] = uint16(b[2*i])<<8 | uint16(b[2*i+1])
		if u[i] < ' ' && u[i] != '\n' && u[i] != '\r' {
			return "", false
		}
	}
	return string(utf16.Decode(u)), true
}

var digitRun = regexp.MustCompile(`[0-9]+`)

// parseIMEI and parseIMSI take the digits only: some modems add a label, quotes or a software version behind a comma.
func parseIMEI(lines []string) string { return digitsOf(bare(lines, "+CGSN", "+GSN"), 14, 17) }
func parseIMSI(lines []string) string { return digitsOf(bare(lines, "+CIMI"), 5, 15) }

func digitsOf(s string, least, most int) string {
	if d := digitRun.FindString(s); len(d) >= least && len(d) <= most {
		return d
	}
	return ""
}

var iccidDigits = regexp.MustCompile(`89[0-9A-Fa-f]{16,20}`) // some issuers use A to E

// parseICCID finds the card's number in whatever line carries it: the names differ (+CCID, +ICCID, ^ICCID, #CCID,
// +QCCID), a few modems give it with swapped digits as the file has it.
func parseICCID(lines []string) string {
	for _, l := range lines {
		if s := iccidDigits.FindString(l); s != "" {
			return strings.TrimRight(s, "Ff")
		}
		if s := iccidDigits.FindString(swapNibbles(unquote(l[strings.LastIndexByte(l, ':')+1:]))); s != "" {
			return strings.TrimRight(s, "Ff")
		}
	}
	return ""
}

func swapNibbles(s string) string {
	b := []byte(s)
	for i := 0; i+1 < len(b); i += 2 {
		b[i], b[i+1] = b[i+1], b[i]
	}
	return string(b)
}

// parseCRSM reads "+CRSM: 144,0,98..": the file's content in hex when the card says 90xx, 91xx, 9Fxx (TS 27.007 8.18).
func parseCRSM(lines []string) (content string, ok bool) {
	v, ok := value(lines, "+CRSM")
	f := fields(v)
	sw1, isNumber := number(f, 0)
	if !ok || !isNumber || len(f) < 3 || sw1 != 0x90 && sw1 != 0x91 && sw1 != 0x9F {
		return "", false
	}
	return f[2], isHex.MatchString(f[2])
}

// parseOwnNumber reads CNUM: "alpha","number",type; alpha may be missing.
func parseOwnNumber(lines []string) string {
	v, ok := value(lines, "+CNUM")
	if !ok {
		return ""
	}
	f := fields(v)
	for _, n := range f[min(1, len(f)):] {
		if len(n) > 4 && numberGrammar.MatchString(n) {
			return n
		}
	}
	return ""
}

// parsePIN is the state CPIN? names: READY, SIM PIN, SIM PUK, PH-NET PIN, .. in capitals, "" if it names none.
func parsePIN(lines []string) string {
	v, _ := value(lines, "+CPIN")
	return strings.ToUpper(unquote(v))
}

// parseSignal reads CSQ: dBm of 0..31; 99 and the rest are not known (TS 27.007 8.5). 100..191 is TD-SCDMA's scale.
func parseSignal(v string) (dBm int, ok bool) {
	n, ok := number(fields(v), 0)
	switch {
	case !ok || n < 0:
		return 0, false
	case n <= 31:
		return -113 + 2*n, true
	case n >= 100 && n <= 191:
		return -116 + n - 100, true
	}
	return 0, false
}

// parseExtendedSignal reads CESQ: rxlev, ber, rscp, ecno, rsrq, rsrp (TS 27.007 8.69); the first known of rsrp, rscp,
// rxlev, in dBm.
func parseExtendedSignal(v string) (dBm int, ok bool) {
	f := fields(v)
	if n, ok := number(f, 5); ok && n <= 97 {
		return -141 + n, true
	}
	if n, ok := number(f, 2); ok && n <= 96 {
		return -121 + n, true
	}
	if n, ok := number(f, 0); ok && n <= 63 {
		return -111 + n, true
	}
	return 0, false
}
