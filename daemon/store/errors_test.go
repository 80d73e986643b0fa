package store

import (
	"errors"
	"fmt"
	"syscall"
	"testing"

	"github.com/mattn/go-sqlite3"

	"simpost/daemon/api"
)

// TestErrors: what each error of SQLite means for the caller, for the store, and
// for the operations that share the transaction.
func TestErrors(t *testing.T) {
	for _, c := range []struct {
		name   string
		err    error
		want   api.Code
		breaks bool
		ends   bool
	}{
		{"full", sqlite3.Error{Code: sqlite3.ErrFull, ExtendedCode: 13}, api.CodeDiskFull, false, true},
		{"no room for the shared memory", sqlite3.Error{Code: sqlite3.ErrIoErr, ExtendedCode: sqlite3.ErrIoErrSHMSize, SystemErrno: syscall.ENOSPC}, api.CodeDiskFull, false, true},
		{"over the quota", sqlite3.Error{Code: sqlite3.ErrIoErr, ExtendedCode: sqlite3.ErrIoErrWrite, SystemErrno: syscall.EDQUOT}, api.CodeDiskFull, false, true},
		{"no room in an fsync", sqlite3.Error{Code: sqlite3.ErrIoErr, ExtendedCode: sqlite3.ErrIoErrFsync, SystemErrno: syscall.ENOSPC}, api.CodeStorage, true, true},
		{"fsync", sqlite3.Error{Code: sqlite3.ErrIoErr, ExtendedCode: sqlite3.ErrIoErrFsync, SystemErrno: syscall.EIO}, api.CodeStorage, true, true},
		{"read", sqlite3.Error{Code: sqlite3.ErrIoErr, ExtendedCode: sqlite3.ErrIoErrRead, SystemErrno: syscall.EIO}, api.CodeStorage, true, true},
		{"damage", sqlite3.Error{Code: sqlite3.ErrCorrupt}, api.CodeDatabaseCorrupt, true, true},
		{"no database any more", sqlite3.Error{Code: sqlite3.ErrNotADB}, api.CodeDatabaseCorrupt, true, true},
		{"read-only by now", sqlite3.Error{Code: sqlite3.ErrReadonly}, api.CodeStorage, true, true},
		{"busy", sqlite3.Error{Code: sqlite3.ErrBusy}, api.CodeStorage, false, true},
		{"constraint", sqlite3.Error{Code: sqlite3.ErrConstraint}, api.CodeStorage, false, false},
		{"ours", api.Errorf(api.CodeConflict, "no"), api.CodeConflict, false, false},
		{"any", errors.New("any"), api.CodeStorage, false, false},
	} {
		wrapped := fmt.Errorf("doing: %w", c.err)
		e := wantCode(t, storageError("test", wrapped), c.want)
		if hinted := e.Hint != ""; hinted != (c.ends) {
			t.Errorf("%s: hint %q", c.name, e.Hint)
		}
		if got := isBreaking(wrapped); got != c.breaks {
			t.Errorf("%s: breaks is %v, want %v", c.name, got, c.breaks)
		}
		if got := endsBatch(wrapped); got != c.ends {
			t.Errorf("%s: ends the batch is %v, want %v", c.name, got, c.ends)
		}
	}
	if err := storageError("test", nil); err != nil {
		t.Errorf("no error became %v", err)
	}
}

func TestSteady(t *testing.T) {
	for query, want := range map[string]string{
		`SELECT a FROM b WHERE c = ? AND d <= ?2`:    `SELECT a FROM b WHERE c = +? AND d <= +?2`,
		`SELECT a WHERE b BETWEEN ?4 AND ?5 LIMIT ?`: `SELECT a WHERE b BETWEEN +?4 AND +?5 LIMIT +?`,
		`INSERT INTO a VALUES (?, ?, ?)`:             `INSERT INTO a VALUES (?, ?, ?)`,
		`SELECT a WHERE b IS NOT ?`:                  `SELECT a WHERE b IS NOT +?`,
	} {
		for range 2 { // made, then remembered
			if got := steady(query); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		}
	}
}
