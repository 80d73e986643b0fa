package modem

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Card is what the SIM says of itself. What the modem would not tell is empty or -1.
type Card struct {
	State    string // CPIN?'s word: READY, SIM PIN, ..
	Lock     string // "on" where the card asks for its PIN at the start, "off"
	Tries    Tries
	Number   string
	SMSC     string
	Memories []MemoryCount // every physical memory that holds messages
	Books    []MemoryCount // the phonebooks of the SIM and the modem
}

// Card asks for all of it. Its error is the port's.
func (m *Modem) Card(ctx context.Context) (Card, error) {
	var c Card
	c.State, _ = m.pinState(ctx)
	if v, err := m.query(ctx, `+CLCK="SC",2`, "+CLCK"); err == nil {
		c.Lock = map[string]string{"0": "off", "1": "on"}[fields(v)[0]]
	}
	c.Tries = m.tries(ctx)
	lines, _ := m.ask(ctx, "+CNUM")
	m.id.Number = parseOwnNumber(lines)
	m.readSMSC(ctx)
	c.Number, c.SMSC = m.id.Number, m.set.SMSC
	c.Memories = m.allCounts(ctx)
	for _, book := range books {
		if n, err := m.selectBook(ctx, book); err == nil {
			c.Books = append(c.Books, n)
		}
	}
	if err := m.gone(ctx); err != nil {
		return c, fmt.Errorf("ask for the SIM: %w", err)
	}
	return c, nil
}

// allCounts counts every memory by making each the one in force; the first is again, in the end.
func (m *Modem) allCounts(ctx context.Context) []MemoryCount {
	counts, _ := m.counts(ctx)
	first := m.mems[0]
	for _, mem := range m.set.Memories {
		if slices.ContainsFunc(counts, func(c MemoryCount) bool { return c.Memory == mem }) {
			continue
		}
		if used, total, err := m.selectMemory(ctx, mem); err == nil && total >= 0 {
			counts = append(counts, MemoryCount{mem, used, total})
		}
	}
	if memoryName(first) {
		m.selectMemory(ctx, first)
		m.counts(ctx) // so that the next poll does not take it for a reboot
	}
	slices.SortStableFunc(counts, func(a, b MemoryCount) int {
		return slices.Index(m.set.Memories, a.Memory) - slices.Index(m.set.Memories, b.Memory)
	})
	return counts
}

// SetServiceCentre writes the SMSC to the SIM, and reads it back.
func (m *Modem) SetServiceCentre(ctx context.Context, number string) error {
	if !numberGrammar.MatchString(number) {
		return errors.New("a service centre is a number: + and 1 to 20 digits")
	}
	m.writeSMSC(ctx, number)
	if m.set.SMSC != number {
		return fmt.Errorf("the SIM keeps %q as its service centre", m.set.SMSC)
	}
	return nil
}

func (m *Modem) writeSMSC(ctx context.Context, number string) {
	ton := 129
	if number[0] == '+' {
		ton = 145
	}
	m.ask(ctx, fmt.Sprintf(`+CSCA="%s",%d`, number, ton))
	m.readSMSC(ctx)
}

// Contact is one entry of a phonebook.
type Contact struct {
	Memory string // SM or ME
	Index  int
	Number string
	Name   string
}

// books are the phonebooks that hold people: the SIM's and the modem's.
var books = []string{"SM", "ME"}

const (
	maxContacts = 1000 // entries of one phonebook; a SIM holds up to 254
	bookPage    = 50   // entries asked for at once
)

// Phonebook reads the SIM's and the modem's phonebook: names as they are, in every script. Its error says that none could
// be read, or that the port died.
func (m *Modem) Phonebook(ctx context.Context) ([]Contact, error) {
	if _, err := m.ask(ctx, `+CSCS="UCS2"`); err == nil { // GSM's own letters hold control characters
		defer m.ask(context.WithoutCancel(ctx), `+CSCS="GSM"`)
	}
	var all []Contact
	var errs []error
	for _, book := range books {
		got, err := m.readBook(ctx, book)
		all = append(all, got...)
		if err != nil {
			errs = append(errs, err)
		}
	}
	if len(errs) == len(books) || m.gone(ctx) != nil {
		return all, fmt.Errorf("read the phonebook: %w", errors.Join(errs...))
	}
	return all, nil
}

// selectBook makes a phonebook the one that is read, and counts it.
func (m *Modem) selectBook(ctx context.Context, book string) (MemoryCount, error) {
	c := MemoryCount{Memory: book, Used: -1, Total: -1}
	if _, err := m.ask(ctx, `+CPBS="`+book+`"`); err != nil {
		return c, err
	}
	v, err := m.query(ctx, "+CPBS?", "+CPBS")
	if err != nil {
		return c, err
	}
	f := fields(v)
	if plain(f[0]) != book {
		return c, fmt.Errorf("phonebook %s: %s stays in force", book, f[0])
	}
	if used, ok := number(f, 1); ok {
		c.Used = used
	}
	if total, ok := number(f, 2); ok {
		c.Total = total
	}
	return c, nil
}

func (m *Modem) readBook(ctx context.Context, book string) ([]Contact, error) {
	c, err := m.selectBook(ctx, book)
	if err != nil {
		return nil, fmt.Errorf("phonebook %s: %w", book, err)
	}
	first, last := 1, c.Total
	if v, err := m.query(ctx, "+CPBR=?", "+CPBR"); err == nil {
		if a, b, ok := bookRange(v); ok {
			first, last = a, b
		}
	}
	last = min(last, first+maxContacts-1)
	var out []Contact
	for from := first; from <= last && (c.Used < 0 || len(out) < c.Used); from += bookPage {
		lines, err := m.exec(ctx, m.cfg.Limits.List, fmt.Sprintf("+CPBR=%d,%d", from, min(last, from+bookPage-1)))
		if err != nil && !refused(err) {
			return out, fmt.Errorf("phonebook %s: %w", book, err)
		}
		out = append(out, parseContacts(book, lines)...) // a page without entries is "not found"
	}
	return out, nil
}

// bookRange reads (1-250),40,14.
func bookRange(v string) (first, last int, ok bool) {
	a, b, dash := strings.Cut(strings.Trim(split(v)[0], "() "), "-")
	f := []string{a, b}
	first, ok1 := number(f, 0)
	last, ok2 := number(f, 1)
	return first, last, dash && ok1 && ok2
}

// parseContacts reads +CPBR: index,"number",type,"name". What comes behind the name (groups, addresses) is left.
func parseContacts(book string, lines []string) []Contact {
	var out []Contact
	for _, l := range lines {
		v, ok := cutName(l, "+CPBR")
		f := fields(v)
		index, isNumber := number(f, 0)
		if !ok || !isNumber || len(f) < 4 {
			continue
		}
		c := Contact{Memory: book, Index: index, Number: plain(f[1]), Name: wide(f[3])}
		if f[2] == "145" && !strings.HasPrefix(c.Number, "+") {
			c.Number = "+" + c.Number
		}
		out = append(out, c)
	}
	return out
}

// wide decodes a name that was asked for in UCS-2; one that can't be that stays as it is.
func wide(s string) string {
	if len(s)%4 != 0 || !isHex.MatchString(s) {
		return s
	}
	if t, ok := decodeUCS2(s); ok {
		return t
	}
	return s
}
