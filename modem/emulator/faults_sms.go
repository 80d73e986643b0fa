package emulator

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Families 5 to 8: sending, reading, storage, status reports.

// errorCode is the number in "+CME ERROR: 14" or "+CMS ERROR: 500".
func errorCode(text string) (int, bool) {
	for _, p := range []string{"+CME ERROR: ", "+CMS ERROR: "} {
		if s, ok := strings.CutPrefix(text, p); ok {
			n, err := strconv.Atoi(s)
			return n, err == nil
		}
	}
	return 0, false
}

func errorText(text string, code int) string {
	table := cmeTexts
	if strings.HasPrefix(text, "+CMS") {
		table = cmsTexts
	}
	if t, ok := table[code]; ok {
		return t
	}
	return "Unknown error"
}

// sendFaults are the errors after a PDU.
var sendFaults = []struct {
	name string
	code int
}{
	{"send.cms-500", 500}, {"send.cms-512", 512}, {"send.cms-513", 513}, {"send.cms-514", 514}, {"send.cms-515", 515}, {"send.cms-38", 38},
	{"send.cms-41", 41}, {"send.cms-42", 42}, {"send.cms-331", 331}, {"send.cms-332", 332}, {"send.cms-350-late", lateCode},
}

// lateCode comes after lateDelay where LTE networks time out.
const (
	lateCode  = 350
	lateDelay = 135 * time.Second
)

func (m *Modem) sendFault() (int, *fault) {
	for _, s := range sendFaults {
		if f := m.hit(s.name); f != nil {
			return s.code, f
		}
	}
	return 0, nil
}

// bendAnswer is what becomes of "+CMGS: mr" once the network has the message.
func (m *Modem) bendAnswer(line string) (final, bool) {
	if m.hit("send.ok-no-mr") != nil {
		return resultOK, true
	}
	if m.hit("send.accepted-answer-lost") != nil {
		return silence, true
	}
	if m.hit("send.accepted-reboot") != nil {
		m.reboot()
		return silence, true
	}
	if f := m.hit("send.answer-late"); f != nil {
		boot := m.boots
		m.n.after(f.delay(time.Minute), func() {
			if m.powered && m.boots == boot {
				m.urc(line)
				m.urc("OK")
			}
		})
		return silence, true
	}
	return resultOK, false
}

// bendList is AT+CMGL going wrong as a whole.
func (m *Modem) bendList(x *exec) (final, bool) {
	if m.hides() || m.hit("read.cmgl-bare-ok") != nil {
		return resultOK, true
	}
	if m.hit("read.cmgl-303") != nil {
		return m.cmsError(303), true
	}
	if f := m.hit("read.cmgl-hang"); f != nil {
		x.sleep(f.delay(5 * time.Minute))
		return silence, true
	}
	return resultOK, false
}

// paddedLine is how long a PDU line gets with FF padding.
const paddedLine = 300

// bendListed says one listed message.
func (m *Modem) bendListed(x *exec, index, stat int, s *slot) {
	if m.hit("read.wrong-stat") != nil {
		stat = (stat + 3) % statAll
	}
	lines := m.pduLines(fmt.Sprintf("+CMGL: %d,", index), stat, s)
	if m.hit("read.ff-padding") != nil {
		lines[1] += strings.Repeat("F", max(0, paddedLine-len(lines[1])))
	}
	if m.hit("read.no-pdu") != nil {
		lines = lines[:1]
	}
	for _, l := range lines {
		x.say(l)
	}
}

// bendRead is AT+CMGR going wrong.
func (m *Modem) bendRead(x *exec, index int) (final, bool) {
	if m.hides() || m.hit("read.cmgr-empty-ok") != nil {
		return resultOK, true
	}
	if m.hit("read.cmgr-321") != nil {
		return m.cmsError(321), true
	}
	if m.hit("read.cmgr-500") != nil {
		return m.cmsError(500), true
	}
	if m.faults["read.wrong-slot"] != nil {
		if other := m.other(index, func(*slot) bool { return true }); other != nil && m.hit("read.wrong-slot") != nil {
			m.showRead(x, *other)
			return resultOK, true
		}
	}
	if m.faults["read.deletes-wrong-slot"] != nil {
		if other := m.other(index, func(s *slot) bool { return s.stat == recRead }); other != nil && m.hit("read.deletes-wrong-slot") != nil {
			*other = nil
		}
	}
	return resultOK, false
}

// other is the first place that is not index and holds a message that ok accepts.
func (m *Modem) other(index int, ok func(*slot) bool) (found **slot) {
	m.each(m.set.mem[0], func(i int, s **slot) bool {
		if i != index && ok(*s) {
			found = s
		}
		return found == nil
	})
	return found
}

// bendStore says that a memory is full although it is not.
func (m *Modem) bendStore(mem string) bool {
	if m.hit("storage.full-silent") != nil {
		return true
	}
	if m.hit("storage.full-smmemfull") != nil {
		m.urc(fmt.Sprintf(`^SMMEMFULL: "%s"`, mem))
		return true
	}
	return false
}

// bendAnnounce is +CMTI or +CDSI, as often and as wrong as it comes.
func (m *Modem) bendAnnounce(name, mem string, index int) []string {
	line := func() string { return fmt.Sprintf(`%s: "%s",%d`, name, mem, index) }
	if name == "+CDSI" {
		if m.hit("report.cdsi-wrong-index") != nil {
			mem, index = "SR", index+1
		}
		return []string{line()}
	}
	if m.hit("storage.cmti-none") != nil {
		return nil
	}
	if m.hit("storage.cmti-wrong-mem") != nil {
		mem = map[string]string{"SM": "ME"}[mem]
		if mem == "" {
			mem = "SM"
		}
	}
	if m.hit("storage.cmti-minus-one") != nil {
		index = -1
	}
	if m.hit("storage.cmti-double") != nil {
		return []string{line(), line()}
	}
	return []string{line()}
}

// bendCDS is the header of a status report of n octets.
func (m *Modem) bendCDS(n int) string {
	if m.prof.CDSEmptyFO || m.hit("report.cds-short-head") != nil {
		return fmt.Sprintf("+CDS: ,%d", n)
	}
	return fmt.Sprintf("+CDS: %d", n)
}

// bendReports is what reaches the modem for one status report: none, one, or several, each as odd as it comes.
func (m *Modem) bendReports(s *submission, b []byte) [][]byte {
	if m.hit("report.none") != nil {
		return nil
	}
	if m.hit("report.national") != nil {
		b = withRecipient(b, address(strings.TrimPrefix(strings.TrimPrefix(s.To, "+"), m.n.cfg.CountryCode)))
	}
	if m.hit("report.alphanumeric") != nil {
		b = withRecipient(b, address("Recipient"))
	}
	if m.hit("report.bad-tz") != nil {
		b = append([]byte(nil), b...)
		b[len(b)-2], b[len(b)-9] = 0xFF, 0xFF // the last octets of TP-DT and TP-SCTS, before TP-ST
	}
	out := [][]byte{b}
	if m.hit("report.temporary-first") != nil {
		early := append([]byte(nil), b...)
		early[len(early)-1] = 0x21 // SME busy, still trying
		out = [][]byte{early, b}
	}
	if m.hit("report.twice") != nil {
		out = append(out, b)
	}
	if m.hit("report.extra-octet") != nil {
		for i, r := range out {
			out[i] = append([]byte{r[0], r[1], 0x00}, r[2:]...)
		}
	}
	return out
}
