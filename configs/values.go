package configs

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// converter is a type that the file writes as text.
type converter struct {
	what    string
	example string
	parse   func(string) (any, error)
}

var converters = map[reflect.Type]converter{
	reflect.TypeFor[time.Duration](): {"a duration", `a number and a unit (s, m, h, d or w), such as "180s"`,
		func(s string) (any, error) { return parseDuration(s) }},
	reflect.TypeFor[fs.FileMode](): {"a file mode", `an octal number, such as "0660"`,
		func(s string) (any, error) { return parseMode(s) }},
}

const (
	day     = 24 * time.Hour
	longest = 100 * 365 * day // far below a Duration's own limit of 292 years
)

// parseDuration reads what time.ParseDuration reads, and whole days and weeks.
func parseDuration(s string) (time.Duration, error) {
	for suffix, unit := range map[string]time.Duration{"d": day, "w": 7 * day} {
		digits, ok := strings.CutSuffix(s, suffix)
		if !ok {
			continue
		}
		n, err := strconv.ParseUint(digits, 10, 64)
		if err == nil && n > uint64(longest/unit) {
			err = errors.New("out of range")
		}
		return time.Duration(n) * unit, err
	}
	return time.ParseDuration(s)
}

func parseMode(s string) (fs.FileMode, error) {
	n, err := strconv.ParseUint(s, 8, 32)
	if err == nil && (len(s) < 3 || n > 0o777) {
		err = errors.New("out of range")
	}
	return fs.FileMode(n), err
}

// plain takes a bool or an int from the file, or from the text of a variable.
func plain(from reflect.Value, kind reflect.Kind) (any, error) {
	text, isText := from.Interface().(string)
	switch {
	case kind == reflect.Bool && from.Kind() == reflect.Bool, kind == reflect.Int && from.CanInt():
		return from.Interface(), nil
	case kind == reflect.Bool && isText && (text == "true" || text == "false"):
		return text == "true", nil
	case kind == reflect.Bool:
		return nil, badValue(fmt.Sprintf("%v is neither true nor false", from.Interface()))
	}
	if n, err := strconv.Atoi(text); isText && err == nil {
		return n, nil
	}
	return nil, badValue(fmt.Sprintf("%v is not a whole number", from.Interface()))
}

// list takes a list of texts from the file. A variable, and the file too, may have
// them in one text with commas between them.
func list(from reflect.Value) (any, error) {
	text, isText := from.Interface().(string)
	if !isText {
		if from.Kind() != reflect.Slice {
			return nil, badValue(fmt.Sprintf(`%v is no list: write ["...", "..."]`, from.Interface()))
		}
		return from.Interface(), nil
	}
	entries := []string{}
	for entry := range strings.SplitSeq(text, ",") {
		if entry = strings.TrimSpace(entry); entry != "" {
			entries = append(entries, entry)
		}
	}
	return entries, nil
}

// entries yields every key outside [[modem]] in the file's order, with its
// value as the file would hold it: string, bool, int or a list of strings.
func entries(cfg Config) iter.Seq2[string, any] {
	return func(yield func(string, any) bool) {
		top := reflect.ValueOf(cfg)
		for f, v := range top.Fields() {
			name := f.Tag.Get("mapstructure")
			switch v.Kind() {
			case reflect.Slice:
			case reflect.Struct:
				for f, v := range v.Fields() {
					if !yield(name+"."+f.Tag.Get("mapstructure"), fileValue(v)) {
						return
					}
				}
			default:
				if !yield(name, fileValue(v)) {
					return
				}
			}
		}
	}
}

func fileValue(v reflect.Value) any {
	switch v := v.Interface().(type) {
	case time.Duration:
		return durationText(v)
	case fs.FileMode:
		return fmt.Sprintf("%#o", v.Perm())
	default:
		return v
	}
}

// durationText is the shortest text that parseDuration reads back.
func durationText(d time.Duration) string {
	for _, u := range []struct {
		unit time.Duration
		name string
	}{{day, "d"}, {time.Hour, "h"}, {time.Minute, "m"}, {time.Second, "s"}} {
		if d != 0 && d%u.unit == 0 {
			return fmt.Sprintf("%d%s", d/u.unit, u.name)
		}
	}
	return d.String()
}

// Print writes cfg as a configuration file that Parse reads back. It holds no secret.
func Print(w io.Writer, cfg Config) error {
	var b strings.Builder
	section := ""
	for key, value := range entries(cfg) {
		name, ok := key, false
		if head, tail, found := strings.Cut(key, "."); found {
			name, ok = tail, head != section
			section = head
		}
		if ok {
			fmt.Fprintf(&b, "\n[%s]\n", section)
		}
		fmt.Fprintf(&b, "%s = %s\n", name, literal(value))
	}
	for _, m := range cfg.Modems {
		b.WriteString("\n[[modem]]\n")
		for f, v := range reflect.ValueOf(m).Fields() {
			if !v.IsZero() {
				fmt.Fprintf(&b, "%s = %s\n", f.Tag.Get("mapstructure"), literal(fileValue(v)))
			}
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// literal is the TOML form of a value. TOML has no \x escape, and Go's %q makes
// one only for bytes that are not UTF-8, which no TOML file can hold.
func literal(v any) string {
	switch v := v.(type) {
	case string:
		return strconv.Quote(v)
	case []string:
		quoted := make([]string, len(v))
		for i, s := range v {
			quoted[i] = strconv.Quote(s)
		}
		return "[" + strings.Join(quoted, ", ") + "]"
	}
	return fmt.Sprint(v)
}
