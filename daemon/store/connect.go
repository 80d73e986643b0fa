package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net/url"

	"github.com/mattn/go-sqlite3"
)

// How a connection is opened. Every pragma that matters is set on every one,
// because they are the connection's own, and go-sqlite3 is built with WAL meaning
// NORMAL.

// distrust makes SQLite look closer at a file that somebody may have damaged or
// made up: nothing that its schema calls runs with side effects, and cells that
// do not fit their page are found when it is read.
const distrust = `PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON`

// connector opens connections of one kind to one file.
type connector struct {
	sqlite3.SQLiteDriver
	dsn string
}

func connectTo(dsn string) *sql.DB {
	return sql.OpenDB(&connector{dsn: dsn, SQLiteDriver: sqlite3.SQLiteDriver{ConnectHook: func(c *sqlite3.SQLiteConn) error {
		_, err := c.Exec(distrust, nil)
		return errors.Join(err, registerSums(c))
	}}})
}

func (c *connector) Connect(context.Context) (driver.Conn, error) { return c.SQLiteDriver.Open(c.dsn) }

func (c *connector) Driver() driver.Driver { return &c.SQLiteDriver }

func dsn(path, mode string) string {
	q := url.Values{
		"mode":             {mode},
		"_busy_timeout":    {fmt.Sprint(busyTimeout.Milliseconds())},
		"_foreign_keys":    {"on"},
		"_synchronous":     {"FULL"},
		"_stmt_cache_size": {fmt.Sprint(cachedQueries)},
	}
	switch mode {
	case "rw":
		q.Set("_journal_mode", "WAL")
		q.Set("_txlock", "immediate")
	case "ro":
		q.Set("_cache_size", fmt.Sprint(-readerCache))
	}
	return uri(path) + q.Encode()
}

func uri(path string) string { return "file:" + (&url.URL{Path: path}).EscapedPath() + "?" }
