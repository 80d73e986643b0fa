package store

import (
	"context"
	"database/sql"
	"regexp"
	"sync"
)

// Statements stay prepared: every connection keeps its last cachedQueries ones
// (_stmt_cache_size). But SQLite compiles a statement again whenever the value
// of a parameter could change its plan, and the driver clears parameters after
// every use, so a bare `= ?` would be compiled each time, at five times the cost
// of running it. `= +?` means the same and has no plan to change.

// bare finds the parameters that SQLite would look at when it plans.
var bare = regexp.MustCompile(`(=|<|>|-|\bLIMIT|\bIS|\bNOT|\bBETWEEN|\bAND) \?`)

// steadied remembers what steady made of each query: SQL text is constant here.
var steadied sync.Map

// steady returns query so that SQLite compiles it once.
func steady(query string) string {
	if known, ok := steadied.Load(query); ok {
		return known.(string)
	}
	made := bare.ReplaceAllString(query, "$1 +?")
	steadied.Store(query, made)
	return made
}

// querier runs SQL: the writer's connection, or the pool of readers. Contexts that
// end cost the driver a goroutine a call, and nothing here waits for long.
type querier interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// read runs queries of one statement each, outside any transaction of ours.
func (s *Store) read() *tx { return &tx{conn: s.rdb} }

func (t *tx) exec(query string, args ...any) (sql.Result, error) {
	return t.conn.ExecContext(context.Background(), steady(query), args...)
}

func (t *tx) row(query string, args ...any) *sql.Row {
	return t.conn.QueryRowContext(context.Background(), steady(query), args...)
}

func (t *tx) rows(query string, args ...any) (*sql.Rows, error) {
	return t.conn.QueryContext(context.Background(), steady(query), args...)
}

// change runs an UPDATE or DELETE and returns how many rows it changed.
func (t *tx) change(query string, args ...any) (int, error) {
	res, err := t.exec(query, args...)
	if err != nil {
		return 0, err
	}
	n, err := res.RowsAffected()
	return int(n), err
}

// insert runs an INSERT and returns the new id.
func (t *tx) insert(query string, args ...any) (int64, error) {
	res, err := t.exec(query, args...)
	if err != nil {
		return 0, err
	}
	return res.LastInsertId()
}

// collect reads all rows with scan and closes them.
func collect[T any](rows *sql.Rows, scan func(*sql.Rows) (T, error)) ([]T, error) {
	defer rows.Close()
	var all []T
	for rows.Next() {
		one, err := scan(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, rows.Err()
}

func scanID(rows *sql.Rows) (id int64, err error) {
	return id, rows.Scan(&id)
}
