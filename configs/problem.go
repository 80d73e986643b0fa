package configs

import (
	"fmt"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// Problem is one thing that is wrong with a configuration.
type Problem struct {
	Key     string // such as send.quarantine or modem[1].name; a variable's name; empty: the file as a whole
	Line    int    // of the file, from 1; 0 if the value does not stand there
	Message string
}

func (p Problem) String() string {
	var parts []string
	if p.Line > 0 {
		parts = append(parts, fmt.Sprintf("line %d", p.Line))
	}
	if p.Key != "" {
		parts = append(parts, p.Key)
	}
	return strings.Join(append(parts, p.Message), ": ")
}

// Error is everything that is wrong with a configuration.
type Error struct {
	Path     string // empty: not from a file
	Problems []Problem
}

func (e *Error) Error() string {
	where := "configuration"
	if e.Path != "" {
		where = e.Path
	}
	if len(e.Problems) == 1 {
		return where + ": " + e.Problems[0].String()
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %d problems", where, len(e.Problems))
	for _, p := range e.Problems {
		b.WriteString("\n  " + p.String())
	}
	return b.String()
}

// knownKeys is every key of the file; those of a modem begin with "modem[].".
var knownKeys = sync.OnceValue(func() []string {
	var keys []string
	for key := range entries(Default()) {
		keys = append(keys, key)
	}
	for f := range reflect.TypeFor[Modem]().Fields() {
		keys = append(keys, "modem[]."+f.Tag.Get("mapstructure"))
	}
	return append(keys, "modem")
})

// isSection reports whether key is the name of a [section].
func isSection(key string) bool {
	return slices.ContainsFunc(knownKeys(), func(known string) bool { return strings.HasPrefix(known, key+".") })
}

var (
	index     = regexp.MustCompile(`\[[0-9]+\]`)
	lastIndex = regexp.MustCompile(`\[[0-9]+\]$`)
)

// pattern is a key without its indices, as in knownKeys.
func pattern(key string) string { return index.ReplaceAllString(key, "[]") }

// unknownMessage says what an unknown key may have meant.
func unknownMessage(key string) string {
	switch key = pattern(key); key {
	case "modem[].pin":
		return "a PIN has no place in this file: write it alone into a file of mode 0400 and name that one with pin_file"
	case "modem[].path", "modem[].port", "modem[].tty":
		return "no such key; is it device?"
	}
	at := strings.LastIndex(key, ".") + 1
	for _, known := range knownKeys() {
		if i := strings.LastIndex(known, ".") + 1; known[i:] == key[at:] {
			return "no such key here: " + home(known[:i])
		}
	}
	if near := nearest(key, knownKeys()); near != "" {
		return fmt.Sprintf("no such key; is it %s?", strings.TrimPrefix(near, "modem[]."))
	}
	return "no such key; `simpost config print` shows them all"
}

// home says where a key of the section belongs.
func home(section string) string {
	switch section {
	case "":
		return "it belongs at the top of the file, above the first [section]"
	case "modem[].":
		return "it belongs below [[modem]]"
	}
	return "it belongs below [" + strings.TrimSuffix(section, ".") + "]"
}

// nearestLimit is far longer than any key: comparing costs its length times theirs.
const nearestLimit = 100

// nearest is the candidate with the least typing errors, if they are few.
func nearest(s string, candidates []string) string {
	if len(s) > nearestLimit {
		return ""
	}
	best, least := "", len(s)/3+1
	for _, c := range candidates {
		if d := distance(s, c); d < least {
			best, least = c, d
		}
	}
	return best
}

// distance is Levenshtein's.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// locate adds the lines, names the variable where a value came from one, and
// sorts by line.
func locate(problems []Problem, file []byte, environment bool) {
	lines, _ := keyLines(string(file))
	for i, p := range problems {
		if _, set := os.LookupEnv(variable(p.Key)); set && environment && p.Key != "" {
			problems[i].Key = variable(p.Key)
			continue
		}
		problems[i].Line = lines[p.Key]
		if problems[i].Line == 0 { // an entry of a list stands where its key does
			problems[i].Line = lines[lastIndex.ReplaceAllString(p.Key, "")]
		}
	}
	slices.SortStableFunc(problems, func(a, b Problem) int {
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		return strings.Compare(a.Key, b.Key)
	})
}

var (
	headerLine = regexp.MustCompile(`^\s*(\[\[?)\s*([\w.-]+)\s*\]`)
	keyLine    = regexp.MustCompile(`^\s*([\w.-]+)\s*=`)
)

// keyLines maps keys to lines, and tells the first line that repeats a key. It
// is a hint for people and reads what people write: bare keys, one a line.
func keyLines(file string) (lines map[string]int, repeated int) {
	lines = make(map[string]int)
	add := func(key string, line int) {
		if lines[key] != 0 && repeated == 0 {
			repeated = line
		}
		lines[key] = line
	}
	count := make(map[string]int)
	section := ""
	for i, line := range strings.Split(file, "\n") {
		if m := headerLine.FindStringSubmatch(line); m != nil {
			name := strings.ToLower(m[2])
			section = name
			if m[1] == "[[" {
				section = fmt.Sprintf("%s[%d]", name, count[name])
				count[name]++
			}
			add(section, i+1)
			section += "."
		} else if m := keyLine.FindStringSubmatch(line); m != nil {
			add(section+strings.ToLower(m[1]), i+1)
		}
	}
	return lines, repeated
}
