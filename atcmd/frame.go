package atcmd

import "bytes"

// maxLine bounds one line; what is beyond it is dropped. The longest legal line is a PDU (< 400 characters), the
// longest seen a +COPS=? list.
const maxLine = 4096

type token struct {
	text   string
	prompt bool // a payload prompt; text is the echo that it was glued to
}

// framer cuts the byte stream into lines and prompts. CR and LF both end a line, blank lines vanish, blanks around a
// line and control bytes in it are noise. A quoted USSD text that spans lines is one line, joined with "\n".
type framer struct {
	wantPrompt bool   // '>' at the start of a line is a prompt now
	echo       string // command line whose echo may have a prompt glued on
	buf        []byte
	quoted     bool // inside the quoted text of +CUSD:
	lastCR     bool
}

func (f *framer) push(b byte) (token, bool) {
	wasCR := f.lastCR
	f.lastCR = b == '\r'
	switch {
	case b == '\r' || b == '\n':
		return f.newline(wasCR)
	case b < ' ' && b != '\t' || b == 0x7f:
		f.lastCR = wasCR // NUL, ESC, ^Z: as if never received
		return token{}, false
	case b == '>' && f.wantPrompt && f.atPrompt():
		glued := string(bytes.TrimSpace(f.buf))
		f.reset()
		return token{text: glued, prompt: true}, true
	case len(f.buf) >= maxLine:
		return token{}, false
	}
	f.buf = append(f.buf, b)
	if b == '"' && bytes.HasPrefix(f.buf, []byte("+CUSD:")) {
		f.quoted = !f.quoted
	}
	return token{}, false
}

// newline ends the line, or goes on with a quoted text; CR LF and CR CR LF are one break.
func (f *framer) newline(wasCR bool) (token, bool) {
	if !f.quoted || len(f.buf) >= maxLine {
		return f.flush()
	}
	if !wasCR {
		f.buf = append(f.buf, '\n')
	}
	return token{}, false
}

// atPrompt says whether a '>' now is at the start of a line, or follows the echo of the command.
func (f *framer) atPrompt() bool {
	s := bytes.TrimSpace(f.buf)
	return len(s) == 0 || f.echo != "" && string(s) == f.echo
}

// flush ends the line in hand.
func (f *framer) flush() (token, bool) {
	s := string(bytes.TrimSpace(f.buf))
	f.reset()
	return token{text: s}, s != ""
}

// holds says whether the unfinished line is one that is.
func (f *framer) holds(is func(string) bool) bool {
	return len(f.buf) > 0 && is(string(bytes.TrimSpace(f.buf)))
}

func (f *framer) reset() { f.buf, f.quoted = f.buf[:0], false }
