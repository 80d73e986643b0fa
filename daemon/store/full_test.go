package store

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"simpost/daemon/api"
)

// fillUp accepts messages until the disk is full and returns how many were accepted.
func fillUp(t *testing.T, s *Store) (accepted int) {
	t.Helper()
	const enough = 100_000
	for ; accepted < enough; accepted++ {
		if err := s.queue(3); err != nil {
			wantHint(t, err, api.CodeDiskFull)
			return accepted
		}
	}
	t.Fatal("it never became full")
	return 0
}

// staysWhole checks that what was accepted is there, that nothing else is, and
// that a full disk is not a broken store.
func staysWhole(t *testing.T, s *Store, accepted int) {
	t.Helper()
	wantCode(t, s.Probe(), api.CodeDiskFull)
	var n int
	ok(t, s.rdb.QueryRow(`SELECT count(*) FROM message`).Scan(&n))
	if n != accepted || int(s.LastEvent()) != accepted {
		t.Errorf("%d messages and %d events, %d were accepted", n, s.LastEvent(), accepted)
	}
	if s.Err() != nil {
		t.Errorf("a full disk broke the store: %v", s.Err())
	}
	select {
	case <-s.Broken():
		t.Error("a full disk broke the store")
	default:
	}
}

// TestFullByLimit makes SQLite refuse to grow the file.
func TestFullByLimit(t *testing.T) {
	s := open(t)
	ok(t, s.exec(`PRAGMA max_page_count = 60`))
	accepted := fillUp(t, s)
	var verdict string
	if err := s.queue(3); err == nil {
		t.Error("it took one more")
	}
	ok(t, s.exec(`PRAGMA max_page_count = 100000`))
	ok(t, s.Probe())
	ok(t, s.queue(1))
	ok(t, s.rdb.QueryRow(`PRAGMA integrity_check`).Scan(&verdict))
	if n := len(must[[]api.Event](t)(s.Events(0, 0))); n != accepted+1 || verdict != "ok" {
		t.Errorf("%d events, want %d; integrity %s", n, accepted+1, verdict)
	}
}

// TestFullDisk fills a real, small file system, and makes room again.
func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=1m")
	if errors.Is(err, unix.EPERM) {
		t.Skip("only root may mount the small tmpfs this test fills; TestFullByLimit covers the rest")
	}
	ok(t, err)
	t.Cleanup(func() { ok(t, unix.Unmount(dir, 0)) })
	s := openAt(t, filepath.Join(dir, "simpost.db"))
	accepted := fillUp(t, s)
	if accepted == 0 {
		t.Fatal("nothing was accepted before it was full")
	}
	staysWhole(t, s, accepted)
	ok(t, unix.Mount("tmpfs", dir, "tmpfs", unix.MS_REMOUNT, "size=8m"))
	ok(t, s.Probe())
	for range 20 {
		ok(t, s.queue(1))
	}
	var verdict string
	ok(t, s.rdb.QueryRow(`PRAGMA integrity_check`).Scan(&verdict))
	if verdict != "ok" {
		t.Errorf("integrity: %s", verdict)
	}
}

// TestFullDiskOfTheMark: where only the mark has no room nothing can leave, so
// Probe says that the disk is full until it has.
func TestFullDiskOfTheMark(t *testing.T) {
	for _, full := range []string{"size=8k", "nr_inodes=2"} {
		dir := t.TempDir()
		err := unix.Mount("tmpfs", dir, "tmpfs", 0, full)
		if errors.Is(err, unix.EPERM) {
			t.Skip("only root may mount the small tmpfs this test fills")
		}
		ok(t, err)
		t.Cleanup(func() { ok(t, unix.Unmount(dir, 0)) })
		s := must[*Store](t)(Open(filepath.Join(t.TempDir(), "simpost.db")))
		t.Cleanup(func() { ok(t, s.Close()) })
		must[Recovered](t)(s.StartMarked(t0, filepath.Join(dir, "mark")))
		_ = os.WriteFile(filepath.Join(dir, "ballast"), make([]byte, 8<<10), 0o600) // as much as there is room for
		ok(t, s.queue(1))
		wantHint(t, s.Probe(), api.CodeDiskFull)
		wantHint(t, s.write(t0, "begin an attempt", func(*tx) error { return s.reserve(s.mark.reserved + 1) }), api.CodeDiskFull)
		if s.Err() != nil {
			t.Errorf("%s: a full disk broke the store: %v", full, s.Err())
		}
		ok(t, unix.Mount("tmpfs", dir, "tmpfs", unix.MS_REMOUNT, "size=8m,nr_inodes=100"))
		ok(t, s.Probe())
		ok(t, s.write(t0, "begin an attempt", func(*tx) error { return s.reserve(s.mark.reserved + 1) }))
	}
}

// TestOpenOnFullDisk: no file can be begun, and the reason is the disk.
func TestOpenOnFullDisk(t *testing.T) {
	dir := t.TempDir()
	err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=64k")
	if errors.Is(err, unix.EPERM) {
		t.Skip("only root may mount the small tmpfs this test fills")
	}
	ok(t, err)
	t.Cleanup(func() { ok(t, unix.Unmount(dir, 0)) })
	_ = os.WriteFile(filepath.Join(dir, "ballast"), make([]byte, 64<<10), 0o600) // as much as there is room for
	_, err = Open(filepath.Join(dir, "simpost.db"))
	wantHint(t, err, api.CodeDiskFull)
}
