package emulator

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// storageCommands are the message service without sending (TS 27.005 3).
var storageCommands = map[string]command{
	"+CSMS": {testFunc: testCSMS, read: readCSMS, set: setCSMS},
	"+CPMS": {testFunc: testCPMS, read: readCPMS, set: setCPMS, sim: true, sms: true},
	"+CMGF": {test: "(0,1)", set: setCMGF, read: func(x *exec) final { x.sayf("+CMGF: %d", x.m.set.cmgf); return resultOK }},
	"+CSCA": {read: readCSCA, set: setCSCA, testFunc: func(*exec) final { return resultOK }, sim: true, sms: true},
	"+CSMP": {read: func(x *exec) final { x.say("+CSMP: " + x.m.set.csmp); return resultOK }, set: setCSMP, testFunc: func(*exec) final { return resultOK }},
	"+CSDH": remember("(0,1)"),
	"+CNMI": {testFunc: testCNMI, read: readCNMI, set: setCNMI},
	"+CSCB": cscbCommand(),
	"+CNMA": {run: runCNMA, set: setCNMA, test: "(0-2)", sms: true},
	"+CMGL": {test: "(0-4)", run: listMessages, set: listMessages, sim: true, sms: true},
	"+CMGR": {set: readMessage, testFunc: func(*exec) final { return resultOK }, sim: true, sms: true},
	"+CMGD": {testFunc: testCMGD, set: deleteMessage, sim: true, sms: true},
}

func testCSMS(x *exec) final {
	x.say("+CSMS: " + list(x.m.prof.CSMS))
	return resultOK
}

func readCSMS(x *exec) final {
	x.sayf("+CSMS: %d,1,1,1", x.m.set.csms)
	return resultOK
}

func setCSMS(x *exec) final {
	v, ok := x.number(x.m.prof.CSMS...)
	if !ok {
		return x.m.cmsError(302)
	}
	x.m.set.csms = v
	x.say("+CSMS: 1,1,1")
	return resultOK
}

func testCPMS(x *exec) final {
	var lists []string
	for _, l := range x.m.prof.Memories {
		lists = append(lists, quoted(l))
	}
	x.say("+CPMS: " + strings.Join(lists, ","))
	return resultOK
}

func readCPMS(x *exec) final {
	var parts []string
	for _, name := range x.m.set.mem {
		used, total := x.m.counts(name)
		parts = append(parts, fmt.Sprintf(`"%s",%d,%d`, name, used, total))
	}
	x.say("+CPMS: " + strings.Join(parts, ","))
	return resultOK
}

// setCPMS takes as many arguments as the profile allows, each out of its list.
func setCPMS(x *exec) final {
	m := x.m
	f := fields(x.args)
	if !slices.Contains(m.prof.CPMSArgs, len(f)) {
		return m.cmsError(302)
	}
	mem := m.set.mem
	for i, name := range f {
		if name == "" {
			continue
		}
		if !slices.Contains(m.prof.Memories[i], name) {
			return m.cmsError(302)
		}
		mem[i] = name
	}
	m.set.mem = mem
	var parts []string
	for _, name := range mem {
		used, total := m.counts(name)
		parts = append(parts, fmt.Sprintf("%d,%d", used, total))
	}
	x.say("+CPMS: " + strings.Join(parts, ","))
	return resultOK
}

func setCMGF(x *exec) final {
	v, ok := x.number(0, 1)
	if !ok {
		return x.m.cmsError(303)
	}
	x.m.set.cmgf = v
	return resultOK
}

func readCSCA(x *exec) final {
	number := x.m.inCharset(x.m.sim.smsc)
	toa := 129
	if strings.HasPrefix(x.m.sim.smsc, "+") {
		toa = 145
	}
	if q := x.m.prof.SMSCQuote; q != nil && !*q {
		x.sayf("+CSCA: %s,%d", number, toa)
		return resultOK
	}
	x.sayf(`+CSCA: "%s",%d`, number, toa)
	return resultOK
}

func setCSCA(x *exec) final {
	f := fields(x.args)
	if len(f) == 0 || len(f) > 2 {
		return x.m.cmsError(304)
	}
	number := x.m.fromCharset(f[0])
	if number != "" && strings.Trim(strings.TrimPrefix(number, "+"), digits) != "" {
		return x.m.cmsError(304)
	}
	if len(f) == 2 && f[1] == "145" && number != "" && number[0] != '+' {
		number = "+" + number
	}
	x.m.sim.smsc = number
	return resultOK
}

func setCSMP(x *exec) final {
	x.m.set.csmp = x.args
	if x.m.sim != nil && (x.m.prof.CSMPClears || x.m.hit("life.smsc-cleared") != nil) {
		x.m.sim.smsc = ""
	}
	return resultOK
}

func testCNMI(x *exec) final {
	var lists []string
	for _, l := range x.m.prof.CNMI {
		lists = append(lists, list(l))
	}
	x.say("+CNMI: " + strings.Join(lists, ","))
	return resultOK
}

func readCNMI(x *exec) final {
	c := x.m.set.cnmi
	x.sayf("+CNMI: %d,%d,%d,%d,%d", c[0], c[1], c[2], c[3], c[4])
	return resultOK
}

// setCNMI accepts what the profile truly takes, which is not always what it advertises.
func setCNMI(x *exec) final {
	if x.m.hit("report.cnmi-refused") != nil {
		return x.m.cmsError(303)
	}
	c := x.m.set.cnmi
	v, ok := numbers(x.args, c[:]...)
	if !ok {
		return x.m.cmsError(302)
	}
	for i, n := range v {
		allowed := x.m.prof.CNMISet[i]
		if len(allowed) == 0 {
			allowed = x.m.prof.CNMI[i]
		}
		if !slices.Contains(allowed, n) {
			return x.m.cmsError(303)
		}
	}
	copy(x.m.set.cnmi[:], v)
	return resultOK
}

// listMessages is +CMGL=stat; what it shows is read from then on.
func listMessages(x *exec) final {
	m := x.m
	stat, ok := m.listStat(x.args)
	if !ok {
		return m.cmsError(305 - 1 + m.set.cmgf) // 304 in PDU mode, 305 in text mode
	}
	if end, bent := m.bendList(x); bent {
		return end
	}
	m.each(m.set.mem[0], func(index int, s **slot) bool {
		if stat == statAll || (*s).stat == stat {
			m.showListed(x, index, *s)
		}
		return true
	})
	return resultOK
}

// textStats are the names of text mode, by number.
var textStats = []string{"REC UNREAD", "REC READ", "STO UNSENT", "STO SENT", "ALL"}

func (m *Modem) listStat(args string) (int, bool) {
	f := fields(args)
	if len(f) == 0 {
		return recUnread, true
	}
	if m.set.cmgf == 1 {
		i := slices.Index(textStats, f[0])
		return i, i >= 0
	}
	n, err := strconv.Atoi(f[0])
	return n, err == nil && n >= 0 && n <= statAll
}

func (m *Modem) showListed(x *exec, index int, s *slot) {
	stat := s.stat
	if stat == recUnread {
		s.stat = recRead
	}
	if m.set.cmgf == 1 {
		m.showText(x, fmt.Sprintf("+CMGL: %d,", index), s, stat)
		return
	}
	m.bendListed(x, index, stat, s)
}

// pduLines are the header and the PDU of a message; length leaves the service centre out (TS 27.005 4.1).
func (m *Modem) pduLines(head string, stat int, s *slot) []string {
	pdu := fmt.Sprintf("%X%X", s.sc, s.tpdu)
	if m.hit("read.truncated") != nil {
		pdu = pdu[:len(pdu)/2]
	}
	return []string{fmt.Sprintf("%s%d,%s,%d", head, stat, m.prof.Alpha, len(s.tpdu)), pdu}
}

func readMessage(x *exec) final {
	m := x.m
	v, ok := numbers(x.args, -1, 0)
	if !ok {
		return m.cmsError(304)
	}
	if end, bent := m.bendRead(x, v[0]); bent {
		return end
	}
	p := m.at(m.set.mem[0], v[0])
	switch {
	case p == nil:
		return m.cmsError(321)
	case *p == nil:
		return resultOK // TS 27.005 3.4.3: an empty place is no error
	}
	m.showRead(x, *p)
	return resultOK
}

func (m *Modem) showRead(x *exec, s *slot) {
	stat := s.stat
	if stat == recUnread {
		s.stat = recRead
	}
	if m.set.cmgf == 1 {
		m.showText(x, "+CMGR: ", s, stat)
		return
	}
	for _, l := range m.pduLines("+CMGR: ", stat, s) {
		x.say(l)
	}
}

func testCMGD(x *exec) final {
	var used []string
	m := x.m
	m.each(m.set.mem[0], func(index int, _ **slot) bool {
		used = append(used, strconv.Itoa(index))
		return true
	})
	x.sayf("+CMGD: (%s),(0-4)", strings.Join(used, ","))
	return resultOK
}

// deleteMessage is +CMGD=index[,flag]: flags 1..4 delete by status whatever the index is.
func deleteMessage(x *exec) final {
	m := x.m
	v, ok := numbers(x.args, -1, 0)
	if !ok || v[1] < 0 || v[1] > 4 {
		return m.cmsError(304)
	}
	if f := m.hit("storage.delete-slow"); f != nil && !x.sleep(f.delay(6*time.Second)) {
		return silence
	}
	if m.hit("storage.delete-fails") != nil {
		return m.cmsError(320)
	}
	defer m.freed()
	if v[1] > 0 {
		m.deleteByFlag(v[1])
		return resultOK
	}
	p := m.at(m.set.mem[0], v[0])
	if p == nil {
		return m.cmsError(321)
	}
	*p = nil
	return resultOK
}

// deleteByFlag: 1 all read, 2 and all sent, 3 and all unsent, 4 everything (TS 27.005 3.5.4).
func (m *Modem) deleteByFlag(flag int) {
	doomed := map[int][]int{1: {recRead}, 2: {recRead, stoSent}, 3: {recRead, stoSent, stoUnsent}, 4: {recUnread, recRead, stoUnsent, stoSent}}[flag]
	m.each(m.set.mem[0], func(_ int, s **slot) bool {
		if slices.Contains(doomed, (*s).stat) {
			*s = nil
		}
		return true
	})
}
