package store

import (
	"bytes"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"simpost/daemon/api"
)

// flip changes one bit of a file behind mark, once SQLite has put it there.
func flip(t *testing.T, path string, mark []byte, bit int) {
	t.Helper()
	content := must[[]byte](t)(os.ReadFile(path))
	at := bytes.Index(content, mark)
	if at < 0 || bytes.Contains(content[at+1:], mark) {
		t.Fatalf("%q is not once in the file", mark)
	}
	content[at+bit/8] ^= 1 << (bit % 8)
	ok(t, os.WriteFile(path, content, 0o600))
}

// TestFlippedValues: no bit of what is sent or shown can change unseen.
func TestFlippedValues(t *testing.T) {
	tpdu, said, number, raw := []byte("octets for the air"), "the words of a message", "+4790000077", []byte("octets from the air")
	for _, c := range []struct {
		mark  []byte
		sends bool // the part is sent all the same: only what is shown has changed
		id    int64
	}{{tpdu, false, 1}, {[]byte(said), true, 1}, {[]byte(number), true, 1}, {[]byte("what came in"), true, 2}} {
		for bit := 0; bit < 8*len(c.mark); bit += 11 {
			path := filepath.Join(t.TempDir(), "simpost.db")
			w := newWorld(t, must[*Store](t)(Open(path)))
			m := text(1)
			m.To, m.Text, m.Parts[0] = number, &said, tpdu
			w.enqueue(m)
			in, came := incoming("SM", 1, 1), "what came in"
			in.Text, in.PDU = &came, raw
			w.receive(in)
			ok(t, w.s.Close())
			flip(t, path, c.mark, bit)
			w.s = openAt(t, path)
			if job := w.next(); job.Damaged == c.sends {
				t.Errorf("%q, bit %d: damaged is %v", c.mark, bit, job.Damaged)
			}
			if shown := slices.Contains(w.get(c.id).Flags, api.FlagDamaged); shown != c.sends {
				t.Errorf("%q, bit %d: shown with the mark: %v", c.mark, bit, shown)
			}
		}
	}
}

// TestSumsAreMigrated: what an older format has is kept and has its sums from then on.
func TestSumsAreMigrated(t *testing.T) {
	path := filepath.Join(t.TempDir(), "simpost.db")
	old := must[*sql.DB](t)(sql.Open("sqlite3", path))
	for _, query := range []string{
		migrations[0], fmt.Sprintf(`PRAGMA application_id = %d`, applicationID), `PRAGMA user_version = 1`,
		`INSERT INTO message (direction, state, number, number_key, text, encoding, created_at, modem, total, priority, on_unknown, report, asked, validity) VALUES
			('out', 'queued', '+4790000001', '4790000001', 'hello', 'gsm7', 1, '', 1, 1, 'resend', 0, '', 0)`,
		`INSERT INTO message (direction, state, number, number_key, data, port, encoding, created_at, modem, total) VALUES
			('in', 'received', '+4790000002', '4790000002', x'0102', 7, '8bit', 1, '', 1)`,
		`INSERT INTO message (direction, state, number, number_key, encoding, created_at, modem, total) VALUES
			('in', 'received', '+4790000002', '4790000002', 'gsm7', 1, '', 1)`,
		`INSERT INTO part (message, seq, state, tpdu, lane, priority, due_at, report) VALUES (1, 1, 'queued', x'010000', '', 1, 0, 'not-asked')`,
	} {
		must[sql.Result](t)(old.Exec(query))
	}
	ok(t, old.Close())
	w := newWorld(t, openAt(t, path))
	if job := w.next(); job.Damaged || !bytes.Equal(job.TPDU, []byte{1, 0, 0}) {
		t.Errorf("the part: %+v", job)
	}
	for id := range int64(3) {
		if m := w.get(id + 1); len(m.Flags) > 0 {
			t.Errorf("message %s is flagged %v", m.ID, m.Flags)
		}
	}
	ok(t, w.s.exec(`UPDATE message SET text = 'jello' WHERE id = 1; UPDATE message SET port = 6 WHERE id = 2; UPDATE part SET tpdu = x'010001'`))
	if !w.next().Damaged {
		t.Error("a changed part of the older format would be sent")
	}
	for id := range int64(2) {
		if m := w.get(id + 1); !slices.Contains(m.Flags, api.FlagDamaged) {
			t.Errorf("message %s has changed and is not flagged", m.ID)
		}
	}
}
