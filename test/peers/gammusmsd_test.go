package peers_test

import (
	"database/sql"
	_ "embed"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	_ "github.com/mattn/go-sqlite3"
)

//go:embed testdata/gammu-smsd.sql
var gammuSchema string

func TestGammuSMSD(t *testing.T) {
	t.Parallel()
	need(t, "gammu-smsd", "gammu-smsd", "gammu-smsd-inject")
	if found, _ := filepath.Glob("/usr/lib/*/dbd/libdbdsqlite3.so"); len(found) == 0 {
		missing(t, "gammu-smsd's driver for SQLite", "libdbd-sqlite3")
	}
	for _, profile := range profiles() {
		t.Run(profile, func(t *testing.T) {
			t.Parallel()
			gammuSMSD(t, emulate(t, 1, profile), profile == "sim800")
		})
	}
}

// gammuSMSD sends a long message and receives its echo. Reports it only understands from a modem that says +CDS and
// nothing else: where +CDSI can be had it wants that, and then takes it for the report itself, without reading SR.
func gammuSMSD(t *testing.T, n *network, report bool) {
	m, dir := n.modems[0], t.TempDir()
	db, err := sql.Open("sqlite3", "file:"+filepath.Join(dir, "smsd.db")+"?_busy_timeout=5000")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	if _, err := db.Exec(gammuSchema); err != nil {
		t.Fatal(err)
	}
	// The hourly looks at battery, signal and network only cost time.
	config := write(t, dir, "smsdrc", fmt.Sprintf(`[gammu]
device = %s
connection = at115200
model = at
[smsd]
service = sql
driver = sqlite3
dbdir = %s
database = smsd.db
checksecurity = 0
logfile = stderr
deliveryreport = sms
commtimeout = 1
receivefrequency = 1
statusfrequency = 0
checkbattery = 0
checksignal = 0
checknetwork = 0
`, m.link, dir))
	d := start(t, "gammu-smsd", "-c", config)
	d.expect(t, d.err, "Inserting phone info")
	before := n.commands(m)
	status := "SendingOK"
	if report {
		status = "DeliveryOK"
	}
	run(t, "gammu-smsd-inject", "-c", config, "TEXT", echo, "-len", "400", "-unicode", "-textutf8", long())
	n.sentOnce(t, m, echo, long(), 2)
	eventually(t, "both parts are "+status+" in sentitems", func() bool {
		return column(t, db, `SELECT Status FROM sentitems`) == status+status
	})
	eventually(t, "the echo is in the inbox", func() bool {
		return column(t, db, `SELECT TextDecoded FROM inbox WHERE SenderNumber = '`+echo+`' ORDER BY ID`) == long()
	})
	t.Logf("gammu-smsd: %d AT commands to start, %d for 2 parts out and 2 in", before, n.commands(m)-before)
	n.sentOnce(t, m, echo, long(), 2)
}

// column is what a query answers, its rows glued together.
func column(t *testing.T, db *sql.DB, query string) string {
	t.Helper()
	rows, err := db.Query(query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var all []string
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			t.Fatal(err)
		}
		all = append(all, s)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return strings.Join(all, "")
}
