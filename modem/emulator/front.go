package emulator

import (
	"errors"
	"strconv"
	"strings"
)

// verb is one command of a line (V.250 5.2): a basic one such as E0 or &F, or an extended one such as +CMGS=23.
type verb struct {
	name string // upper case: "+CMGS", "E", "&F", "S3"
	op   byte   // 0 execute, '=' set, '?' read, 't' test
	args string // after = or the number of a basic command
}

// text is the command as a profile names it.
func (v verb) text() string {
	switch v.op {
	case '=':
		return v.name + "=" + v.args
	case '?':
		return v.name + "?"
	case 't':
		return v.name + "=?"
	}
	return v.name + v.args
}

var errSyntax = errors.New("command syntax")

// splitLine cuts what follows AT into its commands.
func splitLine(s string) ([]verb, error) {
	var out []verb
	for s = strings.TrimLeft(s, " ;"); s != ""; s = strings.TrimLeft(s, " ;") {
		var v verb
		var err error
		if strings.ContainsRune("+^$*#%!-", rune(s[0])) {
			v, s, err = cutExtended(s)
		} else {
			v, s, err = cutBasic(s)
		}
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, nil
}

// cutExtended takes "+NAME[=args|?|=?]" off the front, up to a semicolon outside quotes.
func cutExtended(s string) (verb, string, error) {
	end, quoted := len(s), false
	for i := range len(s) {
		if s[i] == '"' {
			quoted = !quoted
		}
		if s[i] == ';' && !quoted {
			end = i
			break
		}
	}
	body, rest := strings.TrimSpace(s[:end]), s[end:]
	v := verb{name: body}
	if i := strings.IndexAny(body, "=?"); i >= 0 {
		v.name, v.op, v.args = body[:i], body[i], body[i+1:]
	}
	v.name = strings.ToUpper(strings.TrimSpace(v.name))
	if v.op == '=' && strings.TrimSpace(v.args) == "?" {
		v.op, v.args = 't', ""
	}
	if v.op == '?' && v.args != "" {
		return v, "", errSyntax
	}
	return v, rest, nil
}

// cutBasic takes E0, &F, S3=13, S3? or D... off the front.
func cutBasic(s string) (verb, string, error) {
	i := 1
	if (s[0] == '&' || s[0] == '\\') && len(s) > 1 {
		i = 2
	}
	v := verb{name: strings.ToUpper(s[:i])}
	if c := v.name[len(v.name)-1]; c < 'A' || c > 'Z' {
		return v, "", errSyntax
	}
	if v.name == "D" { // the rest of the line is the number
		v.args = s[i:]
		return v, "", nil
	}
	j := i
	for j < len(s) && s[j] >= '0' && s[j] <= '9' {
		j++
	}
	if v.name != "S" {
		v.args = s[i:j]
		return v, s[j:], nil
	}
	v.name, s = "S"+s[i:j], s[j:]
	switch {
	case strings.HasPrefix(s, "?"):
		v.op = '?'
		return v, s[1:], nil
	case strings.HasPrefix(s, "="):
		j = 1
		for j < len(s) && s[j] >= '0' && s[j] <= '9' {
			j++
		}
		v.op, v.args = '=', s[1:j]
		return v, s[j:], nil
	}
	return v, s, errSyntax
}

// fields cuts the arguments of a set at commas outside quotes; quotes are kept off.
func fields(args string) []string {
	if args == "" {
		return nil
	}
	var out []string
	start, quoted := 0, false
	for i := 0; i <= len(args); i++ {
		if i < len(args) && args[i] == '"' {
			quoted = !quoted
		}
		if i == len(args) || args[i] == ',' && !quoted {
			out = append(out, strings.Trim(strings.TrimSpace(args[start:i]), `"`))
			start = i + 1
		}
	}
	return out
}

// numbers reads a list of numbers; an empty field keeps the value in def, and there are at most len(def).
func numbers(args string, def ...int) ([]int, bool) {
	f := fields(args)
	if len(f) > len(def) {
		return nil, false
	}
	out := append([]int(nil), def...)
	for i, s := range f {
		if s == "" {
			continue
		}
		v, err := strconv.Atoi(s)
		if err != nil {
			return nil, false
		}
		out[i] = v
	}
	return out, true
}
