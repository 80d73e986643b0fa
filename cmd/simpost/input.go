package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"simpost/daemon/api"
)

// maxTextInput bounds what is read from standard input or a file; the daemon
// takes request bodies up to this.
const maxTextInput = 64 << 10

// oneText is the Args check of verbs that take a text: more than one argument is
// a text without its quotes, of which the spaces are lost.
func oneText(_ *cobra.Command, args []string) error {
	if len(args) > 1 {
		return hinted(usagef("the text is one argument, not %d", len(args)), "put it in quotes")
	}
	return nil
}

// text is the argument, or what comes on standard input without the line end
// that echo and editors put behind it.
func (a *app) text(args []string) (string, error) {
	if len(args) == 1 && args[0] != "-" {
		return args[0], checkText(args[0], "the text")
	}
	if isTerminal(a.in) {
		fmt.Fprintln(a.err, "simpost: type the text, and end it with Ctrl-D on a line of its own")
	}
	raw, err := readLimited(a.in, "standard input")
	if err != nil {
		return "", err
	}
	raw = bytes.TrimSuffix(raw, []byte("\n"))
	text := string(bytes.TrimSuffix(raw, []byte("\r")))
	return text, checkText(text, "standard input")
}

// checkText refuses here what JSON would silently turn into question marks.
func checkText(text, name string) error {
	if utf8.ValidString(text) {
		return nil
	}
	return &api.Error{Code: api.CodeNotEncodable, Message: name + " is not UTF-8",
		Hint: "convert it (iconv -f ISO-8859-1 -t UTF-8), or send bytes with --data and --port"}
}

func isTerminal(r io.Reader) bool {
	f, ok := r.(*os.File)
	if !ok {
		return false
	}
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}

// readLimited reads all of r, or says that it is too long for any message.
func readLimited(r io.Reader, name string) ([]byte, error) {
	raw, err := io.ReadAll(io.LimitReader(r, maxTextInput+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	if len(raw) > maxTextInput {
		return nil, &api.Error{Code: api.CodeTooLong, Message: fmt.Sprintf("%s has more than %d KiB: no message carries that", name, maxTextInput>>10)}
	}
	return raw, nil
}
