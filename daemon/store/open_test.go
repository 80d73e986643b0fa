package store

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"simpost/daemon/api"
)

// wantCode fails unless err is an *api.Error of that code with a sentence.
func wantCode(t testing.TB, err error, want api.Code) *api.Error {
	t.Helper()
	var e *api.Error
	if !errors.As(err, &e) {
		t.Fatalf("got %v, want an error of code %s", err, want)
	}
	if e.Code != want || e.Message == "" {
		t.Fatalf("got %s %q, want %s", e.Code, e.Message, want)
	}
	return e
}

// wantHint is wantCode of an error that says what to do.
func wantHint(t testing.TB, err error, want api.Code) {
	t.Helper()
	if e := wantCode(t, err, want); e.Hint == "" {
		t.Errorf("%q has no hint", e.Message)
	}
}

func TestOpenMode(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a dir?with#odd%signs.db")
	ok(t, os.WriteFile(path, nil, 0o644))
	s := openAt(t, path)
	ok(t, s.queue(1))
	for _, suffix := range []string{"", "-wal", "-shm", ".lock"} {
		info, err := os.Stat(path + suffix)
		if err != nil {
			t.Errorf("%s: %v", suffix, err)
		} else if info.Mode().Perm() != 0o600 {
			t.Errorf("mode of %q is %v, want 0600", suffix, info.Mode().Perm())
		}
	}
}

func TestOpenRefusals(t *testing.T) {
	ours := func(t *testing.T, path string) {
		s, err := Open(path)
		ok(t, err)
		ok(t, s.Close())
	}
	sqlite := func(t *testing.T, path, script string) {
		db, err := sql.Open("sqlite3", path)
		ok(t, err)
		defer db.Close()
		_, err = db.Exec(script)
		ok(t, err)
	}
	for _, c := range []struct {
		name    string
		prepare func(t *testing.T, path string)
		want    api.Code
	}{
		{"newer", func(t *testing.T, path string) { ours(t, path); sqlite(t, path, `PRAGMA user_version = 99`) }, api.CodeDatabaseNewer},
		{"another program's", func(t *testing.T, path string) { sqlite(t, path, `CREATE TABLE inbox (id INTEGER)`) }, api.CodeDatabaseNotOurs},
		{"another program's id", func(t *testing.T, path string) { sqlite(t, path, `PRAGMA application_id = 7; PRAGMA user_version = 1`) }, api.CodeDatabaseNotOurs},
		{"no database", func(t *testing.T, path string) {
			ok(t, os.WriteFile(path, []byte(strings.Repeat("words ", 99)), 0o600))
		}, api.CodeDatabaseNotOurs},
		{"symlink", func(t *testing.T, path string) {
			ours(t, path+".real")
			ok(t, os.Symlink(path+".real", path))
		}, api.CodeDatabaseNotOurs},
		{"dangling symlink", func(t *testing.T, path string) { ok(t, os.Symlink("nowhere", path)) }, api.CodeDatabaseNotOurs},
		{"directory", func(t *testing.T, path string) { ok(t, os.Mkdir(path, 0o700)) }, api.CodeDatabaseNotOurs},
		{"second daemon", func(t *testing.T, path string) { openAt(t, path) }, api.CodeDatabaseBusy},
		{"no directory", func(t *testing.T, path string) { ok(t, os.Remove(filepath.Dir(path))) }, api.CodeStorage},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "sub", "simpost.db")
			ok(t, os.Mkdir(filepath.Dir(path), 0o700))
			c.prepare(t, path)
			s, err := Open(path)
			if err == nil {
				ok(t, s.Close())
			}
			wantHint(t, err, c.want)
		})
	}
}

// TestRefusedFilesAreLeftAlone: looking at another program's file must not turn it into WAL.
func TestRefusedFilesAreLeftAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "other.db")
	db := must[*sql.DB](t)(sql.Open("sqlite3", path))
	must[sql.Result](t)(db.Exec(`CREATE TABLE inbox (id INTEGER)`))
	ok(t, db.Close())
	ok(t, os.Chmod(path, 0o640))
	before := must[[]byte](t)(os.ReadFile(path))
	_, err := Open(path)
	wantCode(t, err, api.CodeDatabaseNotOurs)
	if after := must[[]byte](t)(os.ReadFile(path)); string(after) != string(before) {
		t.Error("the file was changed")
	}
	if info := must[os.FileInfo](t)(os.Stat(path)); info.Mode().Perm() != 0o640 {
		t.Errorf("its mode is %v now", info.Mode().Perm())
	}
}

func TestLockIsReleased(t *testing.T) {
	path := filepath.Join(t.TempDir(), "simpost.db")
	for range 2 {
		s, err := Open(path)
		ok(t, err)
		ok(t, s.Close())
	}
}

// TestUnsafe opens connections as a careless program would.
func TestUnsafe(t *testing.T) {
	dir := t.TempDir()
	for name, change := range map[string]string{
		"normal": strings.Replace(dsn(filepath.Join(dir, "a"), "rw"), "_synchronous=FULL", "_synchronous=NORMAL", 1),
		"unset":  strings.Replace(dsn(filepath.Join(dir, "b"), "rw"), "_synchronous=FULL", "", 1),
		"delete": strings.Replace(dsn(filepath.Join(dir, "c"), "rw"), "_journal_mode=WAL", "_journal_mode=DELETE", 1),
		"no fk":  strings.Replace(dsn(filepath.Join(dir, "d"), "rw"), "_foreign_keys=on", "_foreign_keys=off", 1),
	} {
		t.Run(name, func(t *testing.T) {
			db := must[*sql.DB](t)(sql.Open("sqlite3", strings.Replace(change, "mode=rw", "mode=rwc", 1)))
			defer db.Close()
			conn := must[*sql.Conn](t)(db.Conn(context.Background()))
			defer conn.Close()
			wantHint(t, checkPragmas(conn), api.CodeDatabaseUnsafe)
		})
	}
}

// A savepoint's undo in a file would be written to the disk with every burst.
func TestUndoStaysInMemory(t *testing.T) {
	s := open(t)
	const memory = 2
	var where int
	ok(t, s.conn.QueryRowContext(t.Context(), `PRAGMA temp_store`).Scan(&where))
	if where != memory {
		t.Errorf("temp_store is %d, want %d", where, memory)
	}
}

// TestReadersAreReadOnly: nothing but the writer can change the file.
func TestReadersAreReadOnly(t *testing.T) {
	s := open(t)
	if _, err := s.rdb.Exec(`DELETE FROM message`); err == nil {
		t.Error("a reader could write")
	}
}

// TestMigrate climbs from an older format with its rows, and a step that fails
// leaves the format before it.
func TestMigrate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "simpost.db")
	s, err := Open(path)
	ok(t, err)
	ok(t, s.queue(2))
	good := `ALTER TABLE message ADD COLUMN mood TEXT NOT NULL DEFAULT 'calm'`
	ok(t, migrate(s.conn, append(slices.Clip(migrations), good)))
	err = migrate(s.conn, append(slices.Clip(migrations), good, `ALTER TABLE message ADD COLUMN half TEXT; SELECT * FROM nothing`))
	wantCode(t, err, api.CodeStorage)

	version := func() (v int) {
		ok(t, s.conn.QueryRowContext(t.Context(), `PRAGMA user_version`).Scan(&v))
		return v
	}
	if v := version(); v != len(migrations)+1 {
		t.Errorf("format is %d after a failed step, want %d", v, len(migrations)+1)
	}
	var mood string
	ok(t, s.conn.QueryRowContext(t.Context(), `SELECT mood FROM message WHERE id = 1`).Scan(&mood))
	if err := s.conn.QueryRowContext(t.Context(), `SELECT half FROM message`).Scan(&mood); err == nil {
		t.Error("half of the failed step stayed")
	}
	ok(t, s.Close())
	_, err = Open(path)
	wantCode(t, err, api.CodeDatabaseNewer)
}

func TestBackup(t *testing.T) {
	s := open(t)
	ok(t, s.queue(3))
	path := filepath.Join(t.TempDir(), "copy.db")
	ok(t, s.Backup(t.Context(), path))
	ok(t, s.queue(1))
	if info := must[os.FileInfo](t)(os.Stat(path)); info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, want 0600", info.Mode().Perm())
	}
	if beside := must[[]string](t)(filepath.Glob(path + "?*")); len(beside) != 0 {
		t.Errorf("beside the copy there is %v", beside)
	}
	wantHint(t, s.Backup(t.Context(), path), api.CodeConflict)
	c := openAt(t, path)
	if page := must[api.Messages](t)(c.List(Filter{})); len(page.Messages) != 1 || len(page.Messages[0].Parts) != 3 {
		t.Errorf("the copy has %+v", page)
	}
	missing := filepath.Join(t.TempDir(), "missing", "copy.db")
	wantCode(t, s.Backup(t.Context(), missing), api.CodeInvalid)
	done, cancel := context.WithCancel(t.Context())
	cancel()
	half := filepath.Join(t.TempDir(), "half.db")
	if err := s.Backup(done, half); err == nil {
		t.Error("a backup that was called off succeeded")
	}
	if _, err := os.Stat(half); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("what is left of it: %v", err)
	}
}
