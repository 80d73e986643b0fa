package store

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"simpost/daemon/api"
)

const (
	crashEnv     = "STORE_TEST_CRASH" // the database of the child that is killed
	crashWriters = 8
	crashRounds  = 4
)

// crashBudget is one that nobody uses up.
var crashBudget = Budget{RecipientHour: 1e9, Day: 1e9}

func TestMain(m *testing.M) {
	if path := os.Getenv(crashEnv); path != "" {
		commitUntilKilled(path)
	}
	if path := os.Getenv(diskEnv); path != "" {
		commitUntilBroken(path)
	}
	os.Exit(m.Run())
}

// commitUntilKilled accepts messages from 8 goroutines and writes each one's id
// to stdout once Enqueue has returned. It ends by SIGKILL only.
func commitUntilKilled(path string) {
	s, err := Open(path)
	if err != nil {
		fmt.Println("open:", err)
		os.Exit(1)
	}
	var out sync.Mutex
	var all sync.WaitGroup
	for range crashWriters {
		all.Go(func() {
			for {
				acc, err := s.EnqueueWithin(t0, nil, []NewMessage{text(2)}, crashBudget)
				out.Lock()
				if err != nil {
					fmt.Println("enqueue:", err)
					os.Exit(1)
				}
				fmt.Println(acc.Messages[0].ID)
				out.Unlock()
			}
		})
	}
	all.Wait()
}

// TestKill kills a process with 8 writers in the middle of its commits: whatever
// it acknowledged is there, whole, and the file is sound.
func TestKill(t *testing.T) {
	path := filepath.Join(t.TempDir(), "simpost.db")
	acked := map[string]bool{}
	for round := range crashRounds {
		for _, id := range killedAfter(t, path, 50+round*37) {
			acked[id] = true
		}
		checkAcked(t, path, acked)
	}
}

// killedAfter runs the child until it has acknowledged n messages, kills it, and
// returns all that it said before its end.
func killedAfter(t *testing.T, path string, n int) (ids []string) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), crashEnv+"="+path)
	out, err := cmd.StdoutPipe()
	ok(t, err)
	ok(t, cmd.Start())
	lines := bufio.NewReader(out)
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			break // a line that was cut off was not acknowledged
		}
		id := strings.TrimSpace(line)
		if strings.ContainsAny(id, ": ") {
			t.Fatal(id)
		}
		if ids = append(ids, id); len(ids) == n {
			ok(t, cmd.Process.Kill())
		}
	}
	if err := cmd.Wait(); err == nil || len(ids) < n {
		t.Fatalf("the child ended by itself after %d messages", len(ids))
	}
	return ids
}

func checkAcked(t *testing.T, path string, acked map[string]bool) {
	t.Helper()
	s, err := Open(path)
	ok(t, err)
	for id := range acked {
		m, err := s.Get(parseID(t, id))
		if err != nil || len(m.Parts) != 2 || m.State != api.Queued {
			t.Errorf("message %s was acknowledged: %v %+v", id, err, m)
		}
	}
	var verdict string
	ok(t, s.rdb.QueryRow(`PRAGMA integrity_check`).Scan(&verdict))
	if verdict != "ok" {
		t.Errorf("integrity: %s", verdict)
	}
	var halves int
	ok(t, s.rdb.QueryRow(`SELECT count(*) FROM message m WHERE (SELECT count(*) FROM part p WHERE p.message = m.id) <> 2`).Scan(&halves))
	if halves != 0 {
		t.Errorf("%d messages are there by half", halves)
	}
	var parts, hour int
	ok(t, s.rdb.QueryRow(`SELECT count(*), (SELECT sum(parts) FROM budget WHERE key <> 'day') FROM part`).Scan(&parts, &hour))
	if day := s.today(t, t0); day != parts || hour != parts {
		t.Errorf("%d parts are debited for the day and %d for the hour, %d were accepted", day, hour, parts)
	}
	if events := s.LastEvent(); int(events) < len(acked) {
		t.Errorf("%d events for %d messages", events, len(acked))
	}
	ok(t, s.Close())
}
