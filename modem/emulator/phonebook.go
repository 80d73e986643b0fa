package emulator

import (
	"fmt"
	"slices"
)

// The phonebook (TS 27.007 8.11, 8.12): the card's, and an empty one in the modem.

const bookPlaces = 250

// contacts are the entries of the phonebook in force.
func (m *Modem) contacts() []Contact {
	if m.book == "ME" {
		return nil
	}
	return m.sim.Book
}

func setCPBS(x *exec) final {
	f := fields(x.args)
	book := ""
	if len(f) == 1 {
		book = x.m.fromCharset(f[0])
	}
	if !slices.Contains([]string{"SM", "ME"}, book) {
		return x.m.cmeError(50)
	}
	x.m.book = book
	return resultOK
}

func readCPBS(x *exec) final {
	book, used := "SM", 0
	if x.m.book != "" {
		book = x.m.book
	}
	for _, c := range x.m.contacts() {
		if c.Number != "" {
			used++
		}
	}
	x.sayf(`+CPBS: "%s",%d,%d`, book, used, bookPlaces)
	return resultOK
}

func testCPBR(x *exec) final {
	x.sayf("+CPBR: (1-%d),40,14", bookPlaces)
	return resultOK
}

// setCPBR is first[,last]. A range without an entry is "not found".
func setCPBR(x *exec) final {
	v, ok := numbers(x.args, -1, -1)
	if !ok || v[0] < 1 || v[0] > bookPlaces || v[1] > bookPlaces {
		return x.m.cmeError(21)
	}
	found := false
	for i := v[0]; i <= max(v[0], v[1]) && i <= len(x.m.contacts()); i++ {
		c := x.m.contacts()[i-1]
		if c.Number == "" {
			continue
		}
		found = true
		ton := 129
		if c.Number[0] == '+' {
			ton = 145
		}
		x.say(fmt.Sprintf(`+CPBR: %d,"%s",%d,"%s"`, i, c.Number, ton, x.m.inCharset(c.Name)))
	}
	if !found {
		return x.m.cmeError(22)
	}
	return resultOK
}
