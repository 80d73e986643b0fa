package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

// gammuTuned is the shortest of every wait that gammu-smsd can be told, and none of its hourly looks.
const gammuTuned = "commtimeout = 1\nreceivefrequency = 1\nstatusfrequency = 0\nloopsleep = 0\ncheckbattery = 0\nchecksignal = 0\nchecknetwork = 0\n"

// gammuSchema is where the repository has the schema of gammu-smsd's database, from the top.
const gammuSchema = "test/peers/testdata/gammu-smsd.sql"

// gammuPeer is gammu-smsd with its database in SQLite.
func gammuPeer(config, settings string) *peer {
	return &peer{name: "gammu-smsd", config: config, usual: settings == "",
		prepare: func(s *stage) error {
			schema, err := os.ReadFile(gammuSchema)
			if err != nil {
				return fmt.Errorf("run it from the top of the repository: %w", err)
			}
			if s.sql, err = newSQLShell(s.path("smsd.db")); err != nil {
				return err
			}
			if _, err := s.sql.query(string(schema)); err != nil {
				return err
			}
			return s.write("smsdrc", `[gammu]
device = DEVICE
connection = at115200
model = at
[smsd]
service = sql
driver = sqlite3
dbdir = DIR
database = smsd.db
checksecurity = 0
logfile = stderr
`+settings)
		},
		start: func(_ context.Context, s *stage) error { return s.run("gammu-smsd", "-c", s.path("smsdrc")) },
		submit: func(_ context.Context, s *stage, to []string, text string) error {
			q := "BEGIN;"
			for _, number := range to {
				q += fmt.Sprintf("INSERT INTO outbox(DestinationNumber,TextDecoded,CreatorID,Coding,RelativeValidity) "+
					"VALUES('%s','%s','bench','Default_No_Compression',255);\n", number, text)
			}
			_, err := s.sql.query(q + "COMMIT;")
			return err
		},
		follow: followGammu,
	}
}

func followGammu(ctx context.Context, s *stage, saw func(string, time.Time) bool) {
	seen := 0
	for sleep(ctx, filePoll) == nil {
		rows, err := s.sql.query(fmt.Sprintf("SELECT TextDecoded FROM inbox ORDER BY ID LIMIT -1 OFFSET %d;", seen))
		if err != nil {
			return
		}
		for _, text := range rows {
			saw(text, time.Now())
		}
		seen += len(rows)
	}
}

// sqlShell is a running sqlite3: only the store's own code may use the library.
type sqlShell struct {
	mu  sync.Mutex
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Scanner
}

// sqlEnd comes after the rows of a query.
const sqlEnd = "--end of rows--"

func newSQLShell(file string) (*sqlShell, error) {
	q := &sqlShell{cmd: exec.Command("sqlite3", "-batch", "-bail", file)}
	q.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	q.cmd.Stderr = os.Stderr
	out, err := q.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if q.in, err = q.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	q.out = bufio.NewScanner(out)
	if err := q.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start sqlite3: %w", err)
	}
	_, err = q.query(".timeout 10000")
	return q, err
}

// query answers the rows, columns joined as sqlite3 does.
func (q *sqlShell) query(sql string) ([]string, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if _, err := io.WriteString(q.in, sql+"\nSELECT '"+sqlEnd+"';\n"); err != nil {
		return nil, fmt.Errorf("ask sqlite3: %w", err)
	}
	var rows []string
	for q.out.Scan() {
		if q.out.Text() == sqlEnd {
			return rows, nil
		}
		rows = append(rows, strings.Clone(q.out.Text()))
	}
	return rows, errors.Join(errors.New("sqlite3 ended"), q.out.Err())
}

func (q *sqlShell) close() {
	_ = q.in.Close()
	_ = q.cmd.Wait()
}
