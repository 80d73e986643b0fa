package configs

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"

	"github.com/go-viper/mapstructure/v2"
	"github.com/spf13/viper"
)

const (
	envPrefix = "SIMPOST"

	// sizeLimit bounds the file: 64 modems take 8 KiB.
	sizeLimit = 1 << 20
)

// Load reads the file and the environment and checks the result. What is wrong
// with them is an *Error; a file that can't be read is the error of os. With an
// error the Config is not to be used.
func Load(path string) (Config, error) {
	data, err := read(path)
	if err != nil {
		return Default(), fmt.Errorf("read the configuration: %w", err)
	}
	cfg, err := parse(data, true)
	var ce *Error
	if errors.As(err, &ce) {
		ce.Path = path
	}
	return cfg, err
}

// read returns at most one byte more than sizeLimit, for parse to refuse.
func read(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, sizeLimit+1))
}

// Parse reads and checks the text of a configuration file; the environment
// stays out of it. Its errors are *Error.
func Parse(data []byte) (Config, error) {
	return parse(data, false)
}

func parse(data []byte, environment bool) (Config, error) {
	cfg := Default()
	if len(data) > sizeLimit {
		return cfg, &Error{Problems: []Problem{{Message: fmt.Sprintf("the file is larger than %d bytes", sizeLimit)}}}
	}
	v := viper.New()
	v.SetConfigType("toml")
	if err := v.ReadConfig(bytes.NewReader(data)); err != nil {
		return cfg, syntaxError(err, data)
	}
	for key, value := range entries(cfg) {
		v.SetDefault(key, value)
	}
	problems := unknownKeys(v.AllSettings())
	if environment {
		v.SetEnvPrefix(envPrefix)
		v.SetEnvKeyReplacer(strings.NewReplacer(".", "_"))
		v.AutomaticEnv()
		problems = append(problems, unknownVariables(os.Environ())...)
	}
	err := v.UnmarshalExact(&cfg, viper.DecodeHook(strictly))
	problems = append(problems, decodeProblems(err, len(problems) > 0)...)
	if len(problems) == 0 {
		problems = cfg.problems()
	}
	if len(problems) == 0 {
		return cfg, nil
	}
	locate(problems, data, environment)
	return cfg, &Error{Problems: problems}
}

// syntaxError is what the TOML parser says, with the line, which it does not
// tell of a key that stands there twice.
func syntaxError(err error, file []byte) *Error {
	p := Problem{Message: strings.TrimPrefix(err.Error(), "While parsing config: ")}
	var at interface {
		error
		Position() (row, column int)
	}
	if errors.As(err, &at) {
		p.Line, _ = at.Position()
		p.Message = at.Error()
	} else {
		_, p.Line = keyLines(string(file))
	}
	p.Message = strings.TrimPrefix(p.Message, "toml: ")
	return &Error{Problems: []Problem{p}}
}

// unknownKeys lists the keys of the file that mean nothing. mapstructure finds
// them too, but tells them only as text, and not beside other problems.
func unknownKeys(settings map[string]any) []Problem {
	var found []Problem
	var walk func(tree map[string]any, at string)
	walk = func(tree map[string]any, at string) {
		for name, value := range tree {
			key := at + name
			switch value := value.(type) {
			case map[string]any:
				if key != "modem" { // [modem] for [[modem]] is a wrong type, not a wrong key
					walk(value, key+".")
				}
				continue
			case []any:
				for i, element := range value {
					if table, ok := element.(map[string]any); ok {
						walk(table, fmt.Sprintf("%s[%d].", key, i))
					}
				}
			}
			if !slices.Contains(knownKeys(), pattern(key)) && !isSection(key) {
				found = append(found, Problem{Key: key, Message: unknownMessage(key)})
			}
		}
	}
	walk(settings, "")
	return found
}

// unknownVariables lists misspelt variables, as far as they can be told from
// those of other programs: the ones that begin like a section's.
func unknownVariables(environ []string) []Problem {
	known := make(map[string]string)
	sections := map[string]bool{envPrefix + "_MODEM_": true}
	for key := range entries(Default()) {
		known[variable(key)] = key
		if section, _, ok := strings.Cut(key, "."); ok {
			sections[variable(section)+"_"] = true
		}
	}
	var found []Problem
	for _, v := range environ {
		name, _, _ := strings.Cut(v, "=")
		for section := range sections {
			if strings.HasPrefix(name, section) && known[name] == "" {
				found = append(found, Problem{Key: name, Message: "no such setting; " + hint(name, known)})
			}
		}
	}
	return found
}

func hint(name string, known map[string]string) string {
	if strings.HasPrefix(name, envPrefix+"_MODEM_") {
		return "modems come from the file only"
	}
	if near := nearest(name, slices.Sorted(maps.Keys(known))); near != "" {
		return "is it " + near + "?"
	}
	return "`simpost config print` shows them all"
}

func variable(key string) string {
	return envPrefix + "_" + strings.ToUpper(strings.ReplaceAll(key, ".", "_"))
}

// decodeProblems lists the bad values. others says that problems were already
// found, so that mapstructure's own word on unknown keys is not needed.
func decodeProblems(err error, others bool) []Problem {
	switch err := err.(type) {
	case nil:
		return nil
	case *mapstructure.DecodeError:
		var bad badValue
		if errors.As(err, &bad) {
			return []Problem{{Key: err.Name(), Message: bad.Error()}}
		}
	case interface{ Unwrap() []error }:
		var found []Problem
		for _, e := range err.Unwrap() {
			found = append(found, decodeProblems(e, others)...)
		}
		return found
	case interface{ Unwrap() error }:
		return decodeProblems(err.Unwrap(), others)
	}
	if others {
		return nil
	}
	return []Problem{{Message: err.Error()}}
}

// badValue says what a value should have been.
type badValue string

func (b badValue) Error() string { return string(b) }

// strictly is the decode hook. viper alone would take 180 for 180 ns and 1 for
// true, and one modem for a list: it decides every value. It turns a value of the file, or a string of the
// environment, into the field's type, or says what would be right.
func strictly(from, to reflect.Value) (any, error) {
	text, isText := from.Interface().(string)
	if c, ok := converters[to.Type()]; ok {
		if !isText {
			return nil, badValue(fmt.Sprintf("%v is not in quotes: write %s", from.Interface(), c.example))
		}
		v, err := c.parse(text)
		if err != nil {
			return nil, badValue(fmt.Sprintf("%q is not %s: write %s", text, c.what, c.example))
		}
		return v, nil
	}
	switch to.Kind() {
	case reflect.String:
		if !isText {
			return nil, badValue(fmt.Sprintf("%v is not text: write it in quotes", from.Interface()))
		}
	case reflect.Bool, reflect.Int:
		return plain(from, to.Kind())
	case reflect.Struct:
		if to.Type() != reflect.TypeFor[Config]() && from.Kind() != reflect.Map {
			return nil, badValue("this is a section: write it as [name] on a line of its own, and its keys below")
		}
	case reflect.Slice:
		if to.Type() == reflect.TypeFor[[]string]() {
			return list(from)
		}
		if from.Kind() != reflect.Slice {
			return nil, badValue("write [[modem]], in two brackets, for each modem")
		}
	}
	return from.Interface(), nil
}
