package pdu

import (
	"errors"
	"slices"
	"unicode/utf8"

	"github.com/rivo/uniseg"
)

// maxParts is what one octet can count (TS 23.040 9.2.3.24.1).
const maxParts = 255

// Options say how Segment writes a message. The zero value picks the alphabet and uses the concatenation reference 0.
type Options struct {
	// Alphabet is Auto, GSM7 (an error if a character is missing from it) or UCS2.
	Alphabet Alphabet
	// Language allows its national tables beside the default alphabet. They are used only where the default alphabet does
	// not do, because a phone without them shows wrong letters.
	Language Language
	// Transliterate allows Transliterate to be applied if that makes the text fit GSM7.
	Transliterate bool
	// Ref is the concatenation reference, written with 16 bits if Ref16 is set. It matters only to texts of several parts.
	Ref   uint16
	Ref16 bool
	Class Class
	Ports Ports
}

// Preview tells what Segment would do with a text.
type Preview struct {
	Alphabet       Alphabet
	Locking, Shift Language // national tables used
	Parts          int
	// Units are septets (GSM7) or 16-bit units (UCS2) of text over all parts, PerPart how many fit in each, and Left how many
	// more the last part takes.
	Units, PerPart, Left int
	Text                 string   // what the recipient reads
	Changes              []Change // what transliteration did to get there
}

var (
	errUTF8     = errors.New("the text is not valid UTF-8")
	errLanguage = errors.New("there is no national language with this number")
	errClass    = errors.New("there is no such message class")
	errAlphabet = errors.New("a text goes out as gsm7 or ucs2; octets are for SegmentData")
)

// Segment turns text into the user data of one or more parts, in order. It picks the default GSM alphabet if it has every
// character, then the named language's tables, then (if allowed) transliteration, then UCS-2. It never splits an escape or a
// surrogate pair, nor a combining sequence or joined emoji unless that alone fills a part or costs the message its 255 parts.
// Errors: *TooLongError, *UnencodableError, text that is not UTF-8, options out of range.
func Segment(text string, o Options) ([]UserData, error) {
	var p plan
	if err := p.make(text, o); err != nil {
		return nil, err
	}
	return p.parts(o), nil
}

// Plan is Segment without the parts.
func Plan(text string, o Options) (Preview, error) {
	var p plan
	if err := p.make(text, o); err != nil {
		return Preview{}, err
	}
	pre := Preview{Alphabet: p.coding.alphabet, Locking: p.coding.locking, Shift: p.coding.shift, Parts: p.n, Units: p.units,
		PerPart: p.room, Text: p.text, Changes: p.changes}
	last := 0
	if p.n > 1 {
		last = p.cuts[p.n-2].units
	}
	pre.Left = p.room - (p.units - last)
	return pre, nil
}

// SegmentData is Segment for octets that are not text: Alphabet, Language and Transliterate of o do not matter.
func SegmentData(data []byte, o Options) ([]UserData, error) {
	p := plan{coding: coding{alphabet: Binary}, units: len(data)}
	if err := p.header(o); err != nil {
		return nil, err
	}
	p.n = (len(data) + p.room - 1) / p.room
	if p.n > maxParts {
		return nil, &TooLongError{Parts: p.n, Max: maxParts}
	}
	if p.n == 0 {
		p.n = 1
	}
	for i := range p.n {
		p.cuts[i].units = min((i+1)*p.room, len(data))
	}
	return p.divide(append([]byte(nil), data...), 1, o), nil
}

// plan is how a text will be cut. Cuts are kept in an array so that planning allocates nothing.
type plan struct {
	text    string
	changes []Change
	coding  coding
	units   int      // of the whole text
	fixed   [12]byte // information elements of every part but the concatenation
	fixedN  int
	room    int // units a part
	n       int
	cuts    [maxParts]cut // where part i ends
}

type cut struct {
	text  int // octets
	units int
}

func (p *plan) make(text string, o Options) error {
	if !utf8.ValidString(text) {
		return errUTF8
	}
	if o.Alphabet != Auto && o.Alphabet != GSM7 && o.Alphabet != UCS2 {
		return errAlphabet
	}
	if o.Language >= languages {
		return errLanguage
	}
	p.text = text
	if err := p.choose(o); err != nil {
		return err
	}
	if err := p.header(o); err != nil {
		return err
	}
	return p.cut()
}

// choose picks the coding.
func (p *plan) choose(o Options) error {
	if o.Alphabet != UCS2 {
		if p.tryGSM(p.text, o.Language) {
			return nil
		}
		nearest := p.text
		if o.Transliterate {
			var changes []Change
			if nearest, changes = Transliterate(p.text); p.tryGSM(nearest, o.Language) {
				p.text, p.changes = nearest, changes
				return nil
			}
		}
		if o.Alphabet == GSM7 {
			return unencodable(nearest, o.Language)
		}
	}
	p.coding = wideCoding
	p.units, _ = wideCoding.units(p.text)
	return nil
}

// tryGSM finds the septet coding that takes the least room, national tables and their headers counted.
func (p *plan) tryGSM(text string, l Language) bool {
	if n, ok := plainCoding.units(text); ok {
		p.coding, p.units = plainCoding, n
		return true
	}
	if l == 0 {
		return false
	}
	best := -1
	for _, c := range [...]coding{{GSM7, 0, l}, {GSM7, l, 0}, {GSM7, l, l}} {
		if c.locking == spanish {
			continue
		}
		n, ok := c.units(text)
		if total := n + headerSeptets(1+c.tablesLen()); ok && (best < 0 || total < best) {
			p.coding, p.units, best = c, n, total
		}
	}
	return best >= 0
}

// tablesLen is the length of the elements that name the tables.
func (c coding) tablesLen() int {
	n := 0
	if c.locking != 0 {
		n += 3
	}
	if c.shift != 0 {
		n += 3
	}
	return n
}

const maxNamedRunes = 8

func unencodable(text string, l Language) error {
	e := &UnencodableError{Alphabet: GSM7}
	c := coding{GSM7, l, l}
	for _, r := range text {
		if c.cost(r) == 0 && len(e.Runes) < maxNamedRunes && !slices.Contains(e.Runes, r) {
			e.Runes = append(e.Runes, r)
		}
	}
	return e
}

// header lays out the elements that every part carries and finds the room beside them.
func (p *plan) header(o Options) error {
	h := p.fixed[:0]
	h, err := appendPorts(h, o.Ports)
	if err != nil {
		return err
	}
	if !o.Ref16 && o.Ref > 0xFF {
		return errReference
	}
	if o.Class > Class3 {
		return errClass
	}
	if p.coding.locking != 0 {
		h = append(h, ieLocking, 1, byte(p.coding.locking))
	}
	if p.coding.shift != 0 {
		h = append(h, ieShift, 1, byte(p.coding.shift))
	}
	p.fixedN = len(h)
	if p.room = p.roomBeside(p.fixedN); p.units > p.room {
		p.room = p.roomBeside(p.fixedN + concatLen(o.Ref16))
	}
	return nil
}

func concatLen(wide bool) int {
	if wide {
		return 6
	}
	return 5
}

func (p *plan) roomBeside(elements int) int {
	if elements > 0 {
		elements++ // TP-UDHL
	}
	return room(p.coding.alphabet, maxUserData, elements)
}

// cut finds the part boundaries, keeping characters whole if 255 parts allow it.
func (p *plan) cut() error {
	if p.units <= p.room {
		p.n = 1
		p.cuts[0] = cut{len(p.text), p.units}
		return nil
	}
	if p.n = p.cutAt(true); p.n > maxParts {
		p.n = p.cutAt(false)
	}
	if p.n > maxParts {
		return &TooLongError{Parts: p.n, Max: maxParts}
	}
	return nil
}

// cutAt fills cuts greedily and returns the number of parts, which may be more than there is room for in cuts.
func (p *plan) cutAt(whole bool) (n int) {
	var start, end cut
	for end.text < len(p.text) {
		size, units := p.coding.step(p.text[end.text:])
		if end.units+units-start.units <= p.room {
			end.text += size
			end.units += units
			continue
		}
		if whole {
			end = p.backUp(start, end)
		}
		if n < maxParts {
			p.cuts[n] = end
		}
		n++
		start = end
	}
	if n < maxParts {
		p.cuts[n] = end
	}
	return n + 1
}

// backUp moves a boundary to the last one between two characters as people see them, if there is one in the part.
func (p *plan) backUp(start, end cut) cut {
	if plainBoundary(p.text, end.text) {
		return end
	}
	// Where to count characters from: the part's start, or a place in it where one is known to begin.
	safe := end.text
	for safe > start.text && !plainBoundary(p.text, safe) {
		_, size := utf8.DecodeLastRuneInString(p.text[:safe])
		safe -= size
	}
	at := max(safe, start.text)
	for state := -1; at < end.text; {
		var cluster string
		cluster, _, _, state = uniseg.FirstGraphemeClusterInString(p.text[at:], state)
		if at+len(cluster) > end.text {
			break
		}
		at += len(cluster)
	}
	if at == start.text {
		return end // one character fills more than a part
	}
	back, _ := p.coding.units(p.text[at:end.text])
	return cut{at, end.units - back}
}

// plainBelow is the first combining character: two runes below it never belong together, CR LF excepted.
const plainBelow = 0x300

// plainBoundary reports without Unicode's tables that a character ends at at; false only means that it is not plain.
func plainBoundary(text string, at int) bool {
	last, _ := utf8.DecodeLastRuneInString(text[:at])
	next, _ := utf8.DecodeRuneInString(text[at:])
	return last < plainBelow && next < plainBelow && (last != '\r' || next != '\n')
}

// parts encodes the text and divides it.
func (p *plan) parts(o Options) []UserData {
	if p.coding.alphabet == UCS2 {
		return p.divide(appendUTF16Of(make([]byte, 0, 2*p.units), p.text), 2, o)
	}
	septets, ok := p.coding.appendSeptets(make([]byte, 0, p.units), p.text)
	if !ok || len(septets) != p.units {
		panic("pdu: a planned text does not encode")
	}
	return p.divide(septets, 1, o)
}

// divide makes the parts of the encoded payload, size octets a unit. All headers share one array, all payloads another.
func (p *plan) divide(payload []byte, size int, o Options) []UserData {
	out := make([]UserData, p.n)
	dcs := newDCS(p.coding.alphabet, o.Class)
	var headers []byte
	if p.n > 1 {
		headers = make([]byte, 0, p.n*(p.fixedN+concatLen(o.Ref16)))
	} else if p.fixedN > 0 {
		headers = make([]byte, 0, p.fixedN)
	}
	from := 0
	for i := range out {
		at := len(headers)
		if p.n > 1 {
			headers = appendConcat(headers, Concat{Ref: o.Ref, Total: byte(p.n), Seq: byte(i + 1), Wide: o.Ref16})
		}
		headers = append(headers, p.fixed[:p.fixedN]...)
		to := p.cuts[i].units * size
		out[i] = UserData{DCS: dcs, Header: headers[at:len(headers):len(headers)], Payload: payload[from:to:to]}
		from = to
	}
	return out
}
