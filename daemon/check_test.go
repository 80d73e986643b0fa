package daemon

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"simpost/daemon/api"
	"simpost/daemon/store"
)

// damaged is an open store in whose file the page that holds a stored part is
// overwritten.
func damaged(t *testing.T) *store.Store {
	t.Helper()
	path := filepath.Join(t.TempDir(), "simpost.db")
	st, err := store.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	part := []byte("the page that is damaged")
	if _, err := st.Enqueue(time.Now(), nil, []store.NewMessage{{To: "1890", Encoding: "8bit", Parts: [][]byte{part}}}); err != nil {
		t.Fatal(err)
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	const page = 1024
	copy(file[bytes.Index(file, part)/page*page:], bytes.Repeat([]byte{0xa5}, page))
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	if st, err = store.Open(path); err != nil {
		t.Fatal(err)
	}
	return st
}

// broken is an open store that could not write its mark: nothing may be believed
// of it any more.
func broken(t *testing.T) *store.Store {
	t.Helper()
	dir := t.TempDir()
	st, err := store.Open(filepath.Join(dir, "simpost.db"))
	if err != nil {
		t.Fatal(err)
	}
	_, startErr := st.StartMarked(time.Now(), filepath.Join(dir, "mark", "last"))
	sim, simErr := st.Seen(time.Now(), store.Identity{Modem: "a", IMSI: "242010000000001"})
	_, sendErr := st.Enqueue(time.Now(), nil, []store.NewMessage{{To: "1890", Encoding: "8bit", Parts: [][]byte{{1}}}})
	if err := errors.Join(startErr, simErr, sendErr, os.RemoveAll(filepath.Join(dir, "mark"))); err != nil {
		t.Fatal(err)
	}
	if _, err := st.Submitting(time.Now(), store.Submit{Part: 1, SIM: sim.ID, Modem: "a"}); err == nil {
		t.Fatal("an attempt began without its mark")
	}
	return st
}

// A broken database ends the daemon within a second, though a modem's exchange
// may go on for a minute; a damaged one does not end it.
func TestBrokenDatabaseEndsTheDaemon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := broken(t)
		defer st.Close()
		begin := time.Now()
		err := finish(make(chan error), st)
		if took := time.Since(begin); took > time.Second || !hasCode(err, api.CodeStorage) {
			t.Errorf("after %v: %v", took, err)
		}
		done := make(chan error, 1)
		done <- context.Canceled
		if err := finish(done, st); err == nil {
			t.Error("the error of the tasks is lost")
		}
	})
	synctest.Test(t, func(t *testing.T) {
		st := damaged(t)
		defer st.Close()
		if _, err := st.Cancel(time.Now(), 1); !isCorrupt(err) {
			t.Fatalf("the damaged page was read: %v", err)
		}
		done := make(chan error, 1)
		time.AfterFunc(time.Hour, func() { done <- nil })
		begin := time.Now()
		if err := finish(done, st); err != nil || time.Since(begin) < time.Hour {
			t.Errorf("a damaged one: after %v: %v", time.Since(begin), err)
		}
	})
}
