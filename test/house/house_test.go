// Package house holds the rules of the house that a machine can check: who may
// import whom, who has no clock, and how large a file and a function may grow. It reads the source
// of the whole program and runs with every `go test ./...`.
//
// What a reader would get wrong: the tables are exact. A row, a name or an
// exception that the source no longer needs fails as well, so that they always
// say how the program is, not how it once was.
package house

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const (
	module = "simpost/"
	root   = "../.."

	longestFile     = 500 // lines
	longestFunction = 70
)

// imports are the rooms, and which others of ours each uses; *_test.go files may
// import what they like.
var imports = map[string][]string{
	"pdu":        {},
	"hw":         {},
	"configs":    {},
	"daemon/api": {},
	"atcmd":      {},
	"modem":      {"atcmd", "pdu"},
	// It decodes PDUs with other people's code, so that pdu is never judged by itself.
	"modem/emulator": {},
	"daemon/store":   {"daemon/api"},
	"daemon":         {"configs", "hw", "modem", "pdu", "daemon/api", "daemon/store"},
	// It runs the built program, and wires nothing of it.
	"test/bench": {"daemon/api", "daemon/store", "modem/emulator"},
	// It runs the tests, and wires nothing.
	"test/faults": {},
}

// verbs are the files of cmd/simpost that need more than daemon/api, which each
// of them may use: those that wire the daemon, and those that need none.
var verbs = map[string][]string{
	"app.go":               {"configs"},
	"config.go":            {"configs"},
	"demo.go":              {"modem/emulator"},
	"demo_record.go":       {"modem/emulator"},
	"doctor.go":            {"configs", "daemon", "hw"},
	"doctor_report.go":     {"configs"},
	"doctor_restart.go":    {"hw"},
	"doctor_transcript.go": {"hw"},
	"emulate.go":           {"hw", "modem/emulator"},
	"emulate_control.go":   {"modem/emulator"},
	"man.go":               {"configs"},
	"pdu_decode.go":        {"pdu"},
	"pdu_encode.go":        {"pdu"},
	"serve.go":             {"daemon"},
}

// fences are the libraries that one room keeps from all others, by the
// beginning of their import path.
var fences = map[string]string{
	"go.bug.st/serial":                  "hw",
	"github.com/warthog618/go-gpiocdev": "hw",
	"github.com/warthog618/modem/":      "atcmd",
	"github.com/warthog618/sms":         "modem/emulator",
	"database/sql":                      "daemon/store",
	"github.com/mattn/":                 "daemon/store",
	"github.com/spf13/viper":            "configs",
	"github.com/spf13/cobra":            "cmd/simpost",
	"github.com/danielgtaylor/":         "daemon",
}

// timeless are the rooms where no code asks for the time: it is an argument there.
// atcmd, modem and hw measure waits with the clock and keep no time of it.
var timeless = []string{"pdu", "configs", "daemon/api", "daemon/store"}

// clocks are what of package time answers differently the next time.
var clocks = []string{"Now", "Since", "Until"}

// tables are the files that may be long, because they list what a standard lists.
var tables = []string{}

// source is one Go file that is not a test.
type source struct {
	room, name string
	lines      int
	fset       *token.FileSet
	ast        *ast.File
}

func (s source) path() string { return path.Join(s.room, s.name) }

// imports lists what the file imports: rooms of ours without the module's name,
// and the others as they are written.
func (s source) imports() (ours, others []string) {
	for _, spec := range s.ast.Imports {
		p, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			panic("house: an import path without quotes")
		}
		if room, ok := strings.CutPrefix(p, module); ok {
			ours = append(ours, room)
		} else {
			others = append(others, p)
		}
	}
	return ours, others
}

// sources parses every file of every room.
func sources(t *testing.T) []source {
	t.Helper()
	var all []source
	err := filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() && file != root && (name == "testdata" || strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_")) {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		s := source{name: name, fset: token.NewFileSet()}
		if s.ast, err = parser.ParseFile(s.fset, file, nil, parser.SkipObjectResolution); err != nil {
			return err
		}
		s.lines = s.fset.File(s.ast.FileStart).LineCount()
		s.room, err = filepath.Rel(root, filepath.Dir(file))
		all = append(all, s)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(all) == 0 {
		t.Fatal("no source files found")
	}
	return all
}

func TestWhoImportsWhom(t *testing.T) {
	used := make(map[string]map[string]bool)
	for _, s := range sources(t) {
		row, allowed := s.room, imports[s.room]
		if s.room == "cmd/simpost" {
			row, allowed = s.path(), append([]string{"daemon/api"}, verbs[s.name]...)
		} else if _, ok := imports[s.room]; !ok {
			t.Errorf("%s is a room without a row: a new room needs an argument", s.room)
		}
		if used[row] == nil {
			used[row] = make(map[string]bool)
		}
		ours, _ := s.imports()
		for _, room := range ours {
			used[row][room] = true
			if !slices.Contains(allowed, room) {
				t.Errorf("%s imports %s; it may import %v", s.path(), room, allowed)
			}
		}
	}
	expected := maps.Clone(imports)
	for name, allowed := range verbs {
		expected["cmd/simpost/"+name] = allowed
	}
	for row, allowed := range expected {
		if used[row] == nil {
			t.Errorf("stale row: there is no %s", row)
		}
		for _, room := range allowed {
			if !used[row][room] {
				t.Errorf("stale row: %s no longer imports %s", row, room)
			}
		}
	}
}

func TestLibrariesStayBehindTheirFence(t *testing.T) {
	used := make(map[string]bool)
	for _, s := range sources(t) {
		_, others := s.imports()
		for _, p := range others {
			for library, room := range fences {
				if !strings.HasPrefix(p, library) {
					continue
				}
				if s.room == room {
					used[library] = true
				} else {
					t.Errorf("%s imports %s, which only %s may", s.path(), p, room)
				}
			}
		}
	}
	for library, room := range fences {
		if !used[library] {
			t.Errorf("stale fence: %s no longer imports %s", room, library)
		}
	}
}

func TestStoreAndCodecHaveNoClock(t *testing.T) {
	seen := make(map[string]bool)
	for _, s := range sources(t) {
		if !slices.Contains(timeless, s.room) {
			continue
		}
		seen[s.room] = true
		ast.Inspect(s.ast, func(n ast.Node) bool {
			use, ok := n.(*ast.SelectorExpr)
			if !ok || !slices.Contains(clocks, use.Sel.Name) {
				return true
			}
			if pkg, ok := use.X.(*ast.Ident); ok && pkg.Name == "time" {
				t.Errorf("%s:%d: time.%s; in this room the time is an argument", s.path(), s.fset.Position(use.Pos()).Line, use.Sel.Name)
			}
			return true
		})
	}
	for _, room := range timeless {
		if !seen[room] {
			t.Errorf("stale row: there is no %s", room)
		}
	}
}

func TestSizes(t *testing.T) {
	long := make(map[string]bool)
	for _, s := range sources(t) {
		if s.lines > longestFile {
			long[s.path()] = true
			if !slices.Contains(tables, s.path()) {
				t.Errorf("%s has %d lines, more than %d", s.path(), s.lines, longestFile)
			}
		}
		for _, d := range s.ast.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			first, last := s.fset.Position(f.Pos()).Line, s.fset.Position(f.End()).Line
			if n := last - first + 1; n > longestFunction {
				t.Errorf("%s:%d: %s has %d lines, more than %d", s.path(), first, f.Name.Name, n, longestFunction)
			}
			if f.Name.Name == "init" && f.Recv == nil {
				t.Errorf("%s:%d: nothing runs before main", s.path(), first)
			}
		}
	}
	for _, file := range tables {
		if !long[file] {
			t.Errorf("stale exception: %s is not longer than %d lines", file, longestFile)
		}
	}
}
