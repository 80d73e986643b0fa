package daemon

import (
	"bytes"
	"database/sql"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	_ "github.com/mattn/go-sqlite3"

	"simpost/daemon/api"
)

func TestStatus(t *testing.T) {
	a := newTestAPI(t)
	a.send("1890", "x")
	st, err := a.client.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if st.Version != "test" || st.Ready || st.Messages["queued"] != 1 || st.LastEvent != 1 || len(st.Modems) != 1 || st.Database == "" || st.Condition != nil {
		t.Errorf("got %+v", st)
	}
	a.set(func() {
		a.modemed[0].CanSend = true
		a.trouble = &api.Reason{Code: "disk-full", Message: "the disk is full"}
	})
	if st, err = a.client.Status(t.Context()); err != nil || st.Ready || st.Condition == nil || st.Condition.Code != "disk-full" {
		t.Errorf("got %+v, %v", st, err)
	}
}

func TestHealthAndReadiness(t *testing.T) {
	a := newTestAPI(t)
	if r := a.ask("GET", "/healthz", ""); r.status != http.StatusOK || strings.TrimSpace(string(r.body)) != `{"status":"ok"}` {
		t.Errorf("got %d %s", r.status, r.body)
	}
	e := asAPIError(t, a.client.Ready(t.Context()))
	if e.Code != api.CodeNotReady || len(e.Errors) != 1 || e.Errors[0].Field != "office" || e.Errors[0].Message != "it is not plugged in" {
		t.Errorf("got %+v", e)
	}
	a.set(func() { a.modemed[0].CanSend = true })
	if err := a.client.Ready(t.Context()); err != nil {
		t.Errorf("got %v", err)
	}
	a.set(func() { a.trouble = &api.Reason{Code: "disk-full", Message: "the disk is full"} })
	if e := asAPIError(t, a.client.Ready(t.Context())); e.Code != api.CodeNotReady || e.Message != "the disk is full" {
		t.Errorf("got %+v", e)
	}
}

func TestModems(t *testing.T) {
	a := newTestAPI(t)
	all, err := a.client.Modems(t.Context())
	if err != nil || len(all) != 1 || all[0].Name != "office" {
		t.Fatalf("got %+v, %v", all, err)
	}
	m, err := a.client.Modem(t.Context(), "office")
	if err != nil || m.Device != "/dev/ttyUSB2" {
		t.Errorf("got %+v, %v", m, err)
	}
	_, err = a.client.Modem(t.Context(), "at/tic?")
	if e := asAPIError(t, err); e.Code != api.CodeNotFound || !strings.Contains(e.Message, "office, alarm") {
		t.Errorf("got %+v", e)
	}
}

func TestBackup(t *testing.T) {
	a := newTestAPI(t)
	a.send("1890", "keep me")
	var copied bytes.Buffer
	if err := a.client.Backup(t.Context(), &copied); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "copy.db")
	if err := os.WriteFile(file, copied.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite3", "file:"+file+"?mode=ro")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var text, check string
	if err := db.QueryRow(`SELECT text, (SELECT integrity_check FROM pragma_integrity_check) FROM message`).Scan(&text, &check); err != nil || text != "keep me" || check != "ok" {
		t.Errorf("the copy holds %q, check %q, %v", text, check, err)
	}
	if left, _ := filepath.Glob(a.Database + ".backup*"); len(left) != 0 {
		t.Errorf("left behind: %q", left)
	}
}

func TestBackupIsForTheOwner(t *testing.T) {
	a := newTestAPI(t)
	a.who = peer{UID: 2000, GID: testUID, Known: true}
	r := a.ask("POST", "/v1/backup", "")
	if p := r.problem(t); r.status != http.StatusForbidden || p.Code != api.CodeForbidden || p.Hint == "" {
		t.Errorf("a member of the group: got %d %s", r.status, r.body)
	}
}

func TestOneBackupAtATime(t *testing.T) {
	a := newTestAPI(t)
	a.backups <- struct{}{}
	r := a.ask("POST", "/v1/backup", "")
	if p := r.problem(t); r.status != http.StatusConflict || p.Code != api.CodeConflict {
		t.Errorf("got %d %s", r.status, r.body)
	}
	<-a.backups
	// What a crash left of an earlier one is in nobody's way.
	if err := os.WriteFile(a.Database+".backup", []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	if r := a.ask("POST", "/v1/backup", ""); r.status != http.StatusOK || r.header.Get("Content-Type") != mediaSQLite {
		t.Errorf("got %d %.60s", r.status, r.body)
	}
}
