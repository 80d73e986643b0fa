package emulator

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf16"

	"github.com/warthog618/sms/encoding/gsm7"
)

// Broadcast is a cell broadcast (TS 23.041). The network sends it once; a real one repeats it every few seconds.
type Broadcast struct {
	Channel int    // message identifier
	Serial  uint16 // scope, code and update: what tells two broadcasts apart; 0 is the next free code
	Text    string
	Pages   []int // which pages are sent, from 1, in this order; nil for all
}

// Pages of a broadcast.
const (
	pageSeptets  = 93
	pageUTF16    = 41
	maxPages     = 15
	dcsGSM       = 0x0F // language not told (TS 23.038 5)
	dcsUCS2      = 0x48
	escapeSeptet = 0x1B
)

// BroadcastLimit is how many UTF-16 units a text may have.
const BroadcastLimit = maxPages * pageUTF16

// Broadcast sends b to every modem on the network. It panics on a text that takes more than 15 pages.
func (n *Network) Broadcast(b Broadcast) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if b.Serial == 0 {
		n.serial += 0x10
		b.Serial = n.serial
	}
	pages := broadcastPages(b)
	order := b.Pages
	if order == nil {
		for i := range pages {
			order = append(order, i+1)
		}
	}
	for _, m := range n.modems {
		for _, page := range order {
			m.hearBroadcast(b.Channel, pages[page-1])
		}
	}
}

func broadcastPages(b Broadcast) [][]byte {
	dcs, contents := byte(dcsGSM), pagesGSM(b.Text)
	if contents == nil {
		dcs, contents = dcsUCS2, pagesUCS2(b.Text)
	}
	if len(contents) > maxPages {
		panic("emulator: a broadcast of more than 15 pages")
	}
	var pages [][]byte
	for i, content := range contents {
		p := binary.BigEndian.AppendUint16(nil, b.Serial)
		p = binary.BigEndian.AppendUint16(p, uint16(b.Channel))
		p = append(p, dcs, byte(i+1)<<4|byte(len(contents)))
		pages = append(pages, append(p, content...))
	}
	return pages
}

// pagesGSM are nil for a text that the alphabet lacks a character of.
func pagesGSM(text string) [][]byte {
	septets, err := gsm7.Encode([]byte(text))
	if err != nil {
		return nil
	}
	var pages [][]byte
	for len(septets) > 0 || pages == nil {
		n := min(len(septets), pageSeptets)
		if n == pageSeptets && septets[n-1] == escapeSeptet {
			n--
		}
		page := append([]byte(nil), septets[:n]...)
		for len(page) < pageSeptets {
			page = append(page, '\r') // TS 23.038 6.1.2.2.1
		}
		pages, septets = append(pages, gsm7.Pack7Bit(page, 0)), septets[n:]
	}
	return pages
}

func pagesUCS2(text string) [][]byte {
	units := utf16.Encode([]rune(text))
	var pages [][]byte
	for len(units) > 0 {
		n := min(len(units), pageUTF16)
		if n < len(units) && utf16.IsSurrogate(rune(units[n])) && units[n] >= 0xDC00 {
			n--
		}
		page := append([]uint16(nil), units[:n]...)
		for len(page) < pageUTF16 {
			page = append(page, '\r')
		}
		var b []byte
		for _, u := range page {
			b = binary.BigEndian.AppendUint16(b, u)
		}
		pages, units = append(pages, b), units[n:]
	}
	return pages
}

// hearBroadcast shows or stores a page, as <bm> of CNMI and the channels of CSCB say. The lock is held.
func (m *Modem) hearBroadcast(channel int, page []byte) {
	if !m.reachable() || !m.listensTo(channel) {
		return
	}
	switch m.set.cnmi[2] {
	case 1:
		if index, ok := m.keep("BM", &slot{tpdu: page}); ok {
			m.announce("+CBMI", "BM", index)
			m.n.signal()
		}
	case 2, 3:
		m.urcPDU([]string{fmt.Sprintf("+CBM: %d", len(page)), fmt.Sprintf("%X", page)})
	}
}

// listensTo reads the list of AT+CSCB=0, such as "0-5,919".
func (m *Modem) listensTo(channel int) bool {
	for part := range strings.SplitSeq(m.set.channels, ",") {
		low, high, isRange := strings.Cut(part, "-")
		first, err := strconv.Atoi(low)
		last := first
		if isRange && err == nil {
			last, err = strconv.Atoi(high)
		}
		if err == nil && first <= channel && channel <= last {
			return true
		}
	}
	return false
}

// cscbCommand chooses the channels (TS 27.005 3.3.4).
func cscbCommand() command {
	return command{
		test: "(0,1)",
		set: func(x *exec) final {
			f := fields(x.args)
			if len(f) == 0 || len(f) > 3 || f[0] != "0" && f[0] != "1" {
				return x.m.cmsError(302)
			}
			if len(f) > 1 {
				x.m.set.channels = f[1]
			}
			return resultOK
		},
		read: func(x *exec) final {
			x.sayf(`+CSCB: 0,"%s",""`, x.m.set.channels)
			return resultOK
		},
		sim: true, sms: true,
	}
}
