package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"simpost/modem/emulator"
)

// maxControlLine bounds a line of --control, so that no text needs more than the
// 255 parts that a message can have.
const maxControlLine = 16 << 10

// controlNumber is who may write to a modem: a telephone or a short code.
var controlNumber = regexp.MustCompile(`^\+?[0-9]{3,15}$`)

// errControl ends the reading of lines that can't be told apart any more.
var errControl = fmt.Errorf("a line has more than %d KiB: what follows is not read", maxControlLine>>10)

// control obeys the lines of in until it or ctx ends. A wrong one is complained of
// and changes nothing; the modems stay either way.
func (a *app) control(ctx context.Context, in io.Reader, n *emulator.Network, modems []*emulator.Modem) {
	lines, failed := readLines(ctx, in)
	for {
		select {
		case line, more := <-lines:
			if !more {
				if err := <-failed; err != nil {
					fmt.Fprintf(a.err, "simpost: --control: %s\n", clean(err.Error()))
				}
				return
			}
			if err := obey(line, n, modems); err != nil {
				fmt.Fprintf(a.err, "simpost: --control: %s\n", clean(err.Error()))
			}
		case <-ctx.Done():
			return
		}
	}
}

// readLines reads in a goroutine of its own, which lives as long as a Read of
// standard input blocks: until the program ends.
func readLines(ctx context.Context, in io.Reader) (<-chan string, <-chan error) {
	lines, failed := make(chan string), make(chan error, 1)
	go func() {
		defer close(failed)
		defer close(lines)
		s := bufio.NewScanner(in)
		s.Buffer(nil, maxControlLine)
		for s.Scan() {
			select {
			case lines <- s.Text():
			case <-ctx.Done():
				return
			}
		}
		err := s.Err()
		if errors.Is(err, bufio.ErrTooLong) {
			err = errControl
		}
		failed <- err
	}()
	return lines, failed
}

// obey does what a line says.
func obey(line string, n *emulator.Network, modems []*emulator.Modem) error {
	line = strings.TrimSpace(line)
	if line == "" || strings.HasPrefix(line, "#") {
		return nil
	}
	word, rest, _ := strings.Cut(line, " ")
	rest = strings.TrimSpace(rest)
	switch word {
	case "send":
		return obeySend(rest, n, modems)
	case "call", "ussd", "broadcast":
		return obeyOther(word, rest, n, modems)
	case "plug", "unplug":
		i := slices.IndexFunc(modems, func(m *emulator.Modem) bool { return m.Name() == rest })
		switch {
		case i < 0:
			return fmt.Errorf("there is no modem %q", rest)
		case word == "plug":
			modems[i].Plug()
		default:
			modems[i].Unplug()
		}
		return nil
	}
	return fmt.Errorf("no command %q; there are: %s", word, controlCommands)
}

const (
	controlCommands = "send FROM TO TEXT, call FROM TO, ussd TO TEXT, broadcast CHANNEL TEXT, unplug MODEM, plug MODEM"
	controlCall     = 20 * time.Second // for which a call rings
	controlMenu     = "?"              // at the end of a text that the network wants an answer to
)

// obeyOther is what a network does that is no message: it lets a phone ring (FROM
// TO), says something by USSD (TO TEXT) or to everybody (CHANNEL TEXT).
func obeyOther(word, what string, n *emulator.Network, modems []*emulator.Modem) error {
	first, rest, _ := strings.Cut(what, " ")
	rest = strings.TrimSpace(rest)
	channel, bad := strconv.ParseUint(first, 10, 16)
	switch {
	case rest == "" || !utf8.ValidString(rest):
		return fmt.Errorf("%s needs two words, in UTF-8; there are: %s", word, controlCommands)
	case word == "broadcast" && (bad != nil || len(utf16.Encode([]rune(rest))) > emulator.BroadcastLimit):
		return fmt.Errorf("broadcast needs a channel from 0 to 65535, and a text of up to %d characters", emulator.BroadcastLimit)
	case word == "call" && !hasNumber(modems, rest):
		return fmt.Errorf("no modem here has the number %q", rest)
	case word == "ussd" && !hasNumber(modems, first):
		return fmt.Errorf("no modem here has the number %q", first)
	}
	switch word {
	case "call":
		n.Call(first, rest).EndAfter(controlCall)
	case "ussd":
		i := slices.IndexFunc(modems, func(m *emulator.Modem) bool { return m.Number() == first })
		modems[i].PushUSSD(rest, strings.HasSuffix(rest, controlMenu))
	case "broadcast":
		n.Broadcast(emulator.Broadcast{Channel: int(channel), Text: rest})
	}
	return nil
}

// obeySend lets a phone write: FROM TO TEXT.
func obeySend(what string, n *emulator.Network, modems []*emulator.Modem) error {
	from, rest, _ := strings.Cut(what, " ")
	to, text, _ := strings.Cut(strings.TrimSpace(rest), " ")
	switch {
	case text == "":
		return errors.New("send FROM TO TEXT needs all three")
	case !controlNumber.MatchString(from):
		return fmt.Errorf("%q is no telephone number", from)
	case hasNumber(modems, from):
		return fmt.Errorf("%s is the number of a modem", from)
	case !hasNumber(modems, to):
		return fmt.Errorf("no modem here has the number %q", to)
	case !utf8.ValidString(text):
		return errors.New("the text is not UTF-8")
	}
	p := n.Phone(from)
	if p == nil {
		p = n.NewPhone(emulator.PhoneConfig{Number: from})
	}
	p.Send(to, text)
	return nil
}

func hasNumber(modems []*emulator.Modem, number string) bool {
	return slices.ContainsFunc(modems, func(m *emulator.Modem) bool { return m.Number() == number })
}
