package store

import (
	"bytes"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"simpost/daemon/api"
)

// cutShort makes a database that is marked as app's, and leaves it as a power cut in
// the middle of a change does.
func cutShort(t *testing.T, app int) (path string) {
	t.Helper()
	from, to := filepath.Join(t.TempDir(), "a.db"), filepath.Join(t.TempDir(), "a.db")
	db := must[*sql.DB](t)(sql.Open("sqlite3", "file:"+from+"?_journal_mode=DELETE&_synchronous=FULL&_cache_size=2"))
	defer db.Close()
	db.SetMaxOpenConns(1)
	for _, do := range []string{
		fmt.Sprintf(`PRAGMA application_id = %d`, app),
		`CREATE TABLE a (b)`,
		`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100) INSERT INTO a SELECT hex(zeroblob(500)) FROM n`,
		`BEGIN`,
		`UPDATE a SET b = 'x' || b`, // more than the cache holds: some of it is in the file already
	} {
		if _, err := db.Exec(do); err != nil {
			t.Fatalf("%s: %v", do, err)
		}
	}
	for _, suffix := range []string{"", "-journal"} {
		ok(t, os.WriteFile(to+suffix, must[[]byte](t)(os.ReadFile(from+suffix)), 0o600))
	}
	return to
}

// What another program's database was in the middle of is left to that program.
func TestForeignChangeIsLeftAlone(t *testing.T) {
	path := cutShort(t, 7)
	before := must[[]byte](t)(os.ReadFile(path))
	if s, err := Open(path); !hasCode(err, api.CodeDatabaseNotOurs) {
		t.Errorf("%v %v", s, err)
	}
	if after := must[[]byte](t)(os.ReadFile(path)); !bytes.Equal(before, after) {
		t.Error("the file was changed")
	}
	if _, err := os.Stat(path + "-journal"); err != nil {
		t.Error(err)
	}
}

// What a file of ours was in the middle of before it had a write-ahead log is undone.
func TestOwnChangeIsUndone(t *testing.T) {
	path := cutShort(t, applicationID)
	ok(t, undo(path))
	db := connectTo(dsn(path, "ro"))
	defer db.Close()
	var changed int
	ok(t, db.QueryRow(`SELECT count(*) FROM a WHERE b LIKE 'x%'`).Scan(&changed))
	if changed != 0 {
		t.Errorf("%d rows of the change are there", changed)
	}
}
