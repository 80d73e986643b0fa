package store

import (
	"database/sql"
	"testing"
)

func TestX(t *testing.T) {
	s := open(t)
	rows, err := s.rdb.Query("EXPLAIN QUERY PLAN "+dueSQL, "s:1", "m:office", 1, 1, 1)
	if err != nil {
		t.Fatal(err)
	}
	lines, err := collect(rows, func(r *sql.Rows) (string, error) {
		var a, b, c int
		var d string
		return d, r.Scan(&a, &b, &c, &d)
	})
	for _, l := range lines {
		t.Log(l)
	}
}
