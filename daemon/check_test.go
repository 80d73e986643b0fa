package daemon

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"simpost/configs"
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

// Damage is found without anybody asking, shown and logged, and the daemon goes on.
func TestDamageIsFound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log lockedBuffer
		d := New(configs.Default(), "test", slog.New(slog.NewTextHandler(&log, nil)))
		d.store = damaged(t)
		defer d.store.Close()
		if err := d.checkDatabase(t.Context()); err != nil {
			t.Fatal(err)
		}
		if r := d.trouble(); r == nil || r.Code != string(api.CodeStorage) || !bytes.Contains([]byte(log.String()), []byte("damaged")) {
			t.Errorf("got %+v, log %s", r, log.String())
		}
		if d.store.Err() != nil {
			t.Errorf("looking at it ended the store: %v", d.store.Err())
		}
	})
}

// A broken database ends the daemon within a second, though a modem's exchange
// may go on for a minute.
func TestBrokenDatabaseEndsTheDaemon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := damaged(t)
		defer st.Close()
		if _, err := st.Cancel(time.Now(), 1); err == nil {
			t.Fatal("the damaged page was read")
		}
		begin := time.Now()
		err := finish(make(chan error), st)
		var e *api.Error
		if took := time.Since(begin); took > time.Second || !errors.As(err, &e) || e.Code != api.CodeStorage {
			t.Errorf("after %v: %v", took, err)
		}
		done := make(chan error, 1)
		done <- context.Canceled
		if err := finish(done, st); err == nil {
			t.Error("the error of the tasks is lost")
		}
	})
}
