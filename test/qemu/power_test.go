package qemu_test

import (
	"database/sql"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	_ "github.com/mattn/go-sqlite3"
)

// longAfter a moment the power is cut at the latest.
const longAfter = 30 * time.Second

// TestPowerCut takes the power from the whole machine in the middle of its work, and
// from its disk what that had not written yet. After each cut the disk is judged,
// and the machine started from it again; in the end nothing may be lost.
func TestPowerCut(t *testing.T) {
	n := rounds(t)
	insist(t, func(t *testing.T) { cutPower(t, n) })
}

func cutPower(t *testing.T, n int) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	net := emulate(t, 1, "generic")
	d := guest(t, amd64)
	platter := newPlatter(t, d.image)
	o := &office{network: net}
	for i := range n + 1 {
		o.machine = boot(t, amd64, d, platter.drive(), net.ports)
		o.plug(0)
		o.until("the daemon runs", "systemctl is-active simpost")
		if i == n {
			break
		}
		moment := moments[rng.IntN(len(moments))]
		o.send("")
		mark := net.mark()
		o.hear()
		net.sees(mark, moment.line)
		when := "at once"
		if i%2 == 0 {
			when = "before the disk had written what it was told to"
			select {
			case <-platter.hang():
			case <-time.After(longAfter):
				when = "when it wrote nothing for long"
			}
		}
		o.cut()
		lost, written := platter.cut(rng)
		net.tell("unplug modem0")
		net.tell("plug modem0")
		t.Logf("cut %s, %s: the disk lost %d of %d blocks", moment.name, when, lost, written)
		judgeDisk(t, d.image)
	}
	o.settled()
	o.judge()
	o.run("systemctl stop simpost && sync")
}

// judgeDisk looks at a copy of the disk as a rescuer would: it mends the file
// system, and the database on it is whole.
func judgeDisk(t *testing.T, image string) {
	t.Helper()
	dir := t.TempDir()
	copied := filepath.Join(dir, "disk")
	command(t, "cp", "--sparse=always", image, copied)
	// 1 is that it had something to mend: the journal was not empty.
	if out, err := exec.Command("e2fsck", "-f", "-y", copied).CombinedOutput(); err != nil && exec.Command("e2fsck", "-f", "-n", copied).Run() != nil {
		t.Fatalf("the file system is damaged: %s", out)
	}
	db := filepath.Join(dir, "simpost.db")
	for _, suffix := range []string{"", "-wal"} {
		command(t, "debugfs", "-R", "dump /var/lib/simpost/simpost.db"+suffix+" "+db+suffix, copied)
	}
	conn, err := sql.Open("sqlite3", db)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	var verdict string
	var stored int
	if err := conn.QueryRow("PRAGMA integrity_check").Scan(&verdict); err != nil || verdict != "ok" {
		t.Fatalf("the database is damaged: %s, %v", verdict, err)
	}
	if err := conn.QueryRow("SELECT count(*) FROM message").Scan(&stored); err != nil || stored == 0 {
		t.Fatalf("the database has %d messages: %v", stored, err)
	}
}
