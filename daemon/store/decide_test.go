package store

import (
	"database/sql"
	"path/filepath"
	"testing"

	"simpost/daemon/api"
)

// TestUnstarted: a card's reference is proof for the SIM's last attempt alone, and of
// that very card: one with the same IMSI may have replaced it.
func TestUnstarted(t *testing.T) {
	w := newWorldHere(t)
	before := CardMR{ICCID: w.sim.ICCID, MR: 5}
	try := func(card *CardMR) int64 {
		w.enqueue(text(1))
		return must[int64](t)(w.s.Submitting(w.tick(), Submit{Part: w.next().Part, SIM: w.sim.ID, Modem: "office", SMSS: card}))
	}
	lost := Settle{State: api.Unknown, MR: -1, Error: &api.Reason{Code: "timeout", Message: "no answer"}}
	want := func(attempt int64, card CardMR, what string) {
		t.Helper()
		if got := must[int64](t)(w.s.Unstarted(w.sim.ID, card)); got != attempt {
			t.Errorf("%s: got attempt %d, want %d", what, got, attempt)
		}
	}
	want(0, before, "no attempt")
	lost.Attempt = try(&before)
	want(0, before, "in the air")
	w.settle(lost)
	want(lost.Attempt, before, "unchanged")
	want(0, CardMR{ICCID: before.ICCID, MR: 6}, "written")
	replaced := Identity{Modem: "office", IMEI: "350000000000006", IMSI: w.sim.IMSI, ICCID: "8947010000000000099"}
	if sim := must[SIM](t)(w.s.Seen(w.tick(), replaced)); sim.ID != w.sim.ID {
		t.Fatalf("a card with the same IMSI is SIM %d", sim.ID)
	}
	want(0, CardMR{ICCID: replaced.ICCID, MR: 5}, "another card")
	want(0, CardMR{MR: 5}, "a card that does not say which it is")
	want(lost.Attempt, before, "the first card again")

	lost.Attempt = try(&CardMR{MR: 5})
	w.settle(lost)
	want(0, CardMR{MR: 5}, "neither card says which it is")
}

// TestUnstartedOfBefore: what an older version wrote does not say of which card it
// is, and proves nothing.
func TestUnstartedOfBefore(t *testing.T) {
	path := filepath.Join(t.TempDir(), "simpost.db")
	ok(t, createFile(path))
	ok(t, layOut(path))
	db := connectTo(dsn(path, "rw"))
	conn := must[*sql.Conn](t)(db.Conn(t.Context()))
	ok(t, migrate(conn, migrations[:6]))
	_, err := conn.ExecContext(t.Context(), `INSERT INTO sim (id, imsi, iccid, number, seen_at) VALUES (1, '242010000000001', '8947010000000000001', '', 0);
		INSERT INTO message (id, direction, state, number, number_key, encoding, created_at, modem, sim, total, on_unknown) VALUES (1, 'out', 'unknown', '1', '1', 'gsm7', 0, 'office', 1, 1, 'hold');
		INSERT INTO part (id, message, seq, state, tpdu, lane, priority, due_at, report) VALUES (1, 1, 1, 'unknown', x'', 's:1', 1, 0, 'waiting');
		INSERT INTO attempt (id, part, state, sim, modem, number_key, tail, smss, started_at, reason) VALUES (1, 1, 'unknown', 1, 'office', '1', '1', 5, 0, '')`)
	ok(t, err)
	ok(t, conn.Close())
	ok(t, db.Close())
	s := openAt(t, path)
	if got := must[int64](t)(s.Unstarted(1, CardMR{ICCID: "8947010000000000001", MR: 5})); got != 0 {
		t.Errorf("got attempt %d", got)
	}
}
