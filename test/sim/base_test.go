package sim

import (
	"database/sql"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing/synctest"
)

// base is what a daemon has in its hands when there is nothing to do.
type base struct {
	goroutines int
	files      int
	rows       int // in flight: to be sent, being sent, or kept and not deleted yet
}

// filesMost are the database and its log, for the writer and each of three readers
// that SQLite opened when they were first needed, the log's index, and the lock that
// refuses a second daemon.
const filesMost = 2*4 + 2

// inFlight counts what a daemon would have to do something about.
const inFlight = `SELECT (SELECT count(*) FROM part WHERE state IN ('queued', 'submitting'))
	+ (SELECT count(*) FROM attempt WHERE state = 'submitting')
	+ (SELECT count(*) FROM received WHERE deleted_at IS NULL AND slot >= 0)`

var bubbleOf = regexp.MustCompile(`synctest bubble \d+`)

// base counts what this trial's bubble has open. Connections that wait for another
// question are closed before.
func (w *world) base() base {
	w.t.Helper()
	w.client.Close()
	synctest.Wait()
	stacks := make([]byte, 16<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]
	mine := bubbleOf.FindString(string(stacks)) // the one that asks comes first
	if mine == "" {
		w.fatalf("the runtime does not say which bubble a goroutine is in")
	}
	b := base{rows: w.count(inFlight)}
	for _, header := range regexp.MustCompile(`(?m)^goroutine .*:$`).FindAllString(string(stacks), -1) {
		if strings.Contains(header, mine+",") || strings.Contains(header, mine+"]") {
			b.goroutines++
		}
	}
	open, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		w.fatalf("%v", err)
	}
	for _, fd := range open {
		if path, err := os.Readlink("/proc/self/fd/" + fd.Name()); err == nil && strings.HasPrefix(path, filepath.Dir(w.cfg.Database)+"/") {
			b.files++
		}
	}
	return b
}

// count asks a copy of the running daemon's database.
func (w *world) count(query string) (n int) {
	w.t.Helper()
	db, err := sql.Open("sqlite3", w.taken(w.life))
	if err == nil {
		defer db.Close()
		err = db.QueryRow(query).Scan(&n)
	}
	if err != nil {
		w.fatalf("%v", err)
	}
	return n
}
