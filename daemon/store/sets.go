package store

import (
	"database/sql"
	"errors"
	"time"

	"simpost/daemon/api"
)

// Parts of incoming messages are rows: a restart forgets nothing. A message is
// there from its first part, marked incomplete. A repeated part belongs to no
// message until all parts of the original were repeated; then they are a message
// of their own.

// keepPart adds a part to its message, or begins one.
func (t *tx) keepPart(in *Incoming, row kept, join func([][]byte) Body) (id int64, complete bool, err error) {
	if row.before != 0 {
		return t.keepCopy(in, row, join)
	}
	id, err = t.openSet(in)
	if err != nil {
		return 0, false, err
	}
	if id == 0 {
		body := Body{Text: in.Text, Data: in.Data, Encoding: in.Encoding, Port: in.Port, Flags: in.Flags}
		if id, err = t.newIncoming(in, body, 0, true); err != nil {
			return 0, false, err
		}
	}
	if err := t.attach(id, row.id); err != nil {
		return 0, false, err
	}
	complete, err = t.joinSet(id, in.Concat.Total, join)
	if err != nil {
		return 0, false, err
	}
	err = t.event(api.Event{Type: api.EventPartReceived, Message: formatID(id), Part: in.Concat.Seq, Modem: in.Modem, State: string(api.Received)})
	if err == nil && complete {
		err = t.arrived(id, in.Modem, 0)
	}
	return id, complete, err
}

// openLimit is how many open messages of one sender and one reference are looked
// at for a part: a flood of parts must not make the next one dear. Those before
// them stay incomplete.
const openLimit = 20

// openSet is the message that waits for this part, 0 if none does. Of several
// that share a reused reference it is the one sent at about the same time; one
// that has the part already, in other octets, is another message.
func (t *tx) openSet(in *Incoming) (id int64, err error) {
	sent := in.SentAt.UnixMilli()
	if in.SentAt.IsZero() {
		sent = t.now
	}
	err = t.row(`SELECT m.id FROM (SELECT id, sent_at, created_at FROM message WHERE concat = ? AND incomplete > 0 ORDER BY id DESC LIMIT ?) m
		WHERE m.created_at > ? AND NOT EXISTS (SELECT 1 FROM received r WHERE r.message = m.id AND r.seq = ?)
		ORDER BY abs(coalesce(m.sent_at, m.created_at) - ?), m.id DESC LIMIT 1`,
		in.set(), openLimit, t.now-setWindow.Milliseconds(), in.Concat.Seq, sent).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	return id, err
}

// joinSet writes the body that the parts of a message make so far.
func (t *tx) joinSet(id int64, total int, join func([][]byte) Body) (complete bool, err error) {
	rows, err := t.rows(`SELECT r.seq, r.pdu, r.octets, m.number FROM received r JOIN message m ON m.id = r.message WHERE r.message = ? ORDER BY r.seq`, id)
	if err != nil {
		return false, err
	}
	pdus, n, damaged := make([][]byte, total), 0, false
	var from string
	_, err = collect(rows, func(rows *sql.Rows) (none struct{}, err error) {
		var seq int
		var pdu []byte
		var octets int64
		if err := rows.Scan(&seq, &pdu, &octets, &from); err != nil {
			return none, err
		}
		n++
		damaged = damaged || octets != octetSum(pdu) || seq < 1 || seq > total
		pdus[min(max(seq, 1), total)-1] = pdu
		return none, nil
	})
	if err != nil {
		return false, err
	}
	body := join(pdus)
	if damaged {
		body.Flags = append(body.Flags, api.FlagDamaged)
	}
	complete = n == total
	_, err = t.exec(`UPDATE message SET text = ?, data = ?, encoding = ?, port = ?, flags = ?, incomplete = CASE WHEN ? THEN 0 ELSE incomplete END, sum = ?
		WHERE id = ?`, body.Text, body.Data, body.Encoding, intOrNull(body.Port), flagsColumn(body.Flags), complete,
		contentSum(from, body.Encoding, body.Port, body.Text, body.Data), id)
	return complete, err
}

// keepCopy keeps a part that came before. When the copies make the whole message
// again, they become a message that says what it repeats.
func (t *tx) keepCopy(in *Incoming, row kept, join func([][]byte) Body) (id int64, complete bool, err error) {
	if _, err := t.exec(`UPDATE received SET copy_of = ? WHERE id = ?`, row.before, row.id); err != nil {
		return 0, false, err
	}
	var have int
	err = t.row(`SELECT count(DISTINCT seq) FROM received WHERE copy_of = ? AND message IS NULL AND copy_of IS NOT NULL`, row.before).Scan(&have)
	if err != nil {
		return 0, false, err
	}
	if have < in.Concat.Total {
		return row.before, false, t.event(api.Event{Type: api.EventRepeat, Message: formatID(row.before), Part: in.Concat.Seq, Modem: in.Modem,
			State: string(api.Received), Detail: "a part that came before"})
	}
	if id, err = t.newIncoming(in, Body{}, row.before, true); err != nil {
		return 0, false, err
	}
	_, err = t.exec(`UPDATE received SET message = ?1 WHERE id IN (SELECT min(id) FROM received WHERE copy_of = ?2 AND message IS NULL GROUP BY seq)`, id, row.before)
	if err != nil {
		return 0, false, err
	}
	if complete, err = t.joinSet(id, in.Concat.Total, join); err != nil {
		return 0, false, err
	}
	return id, complete, t.arrived(id, in.Modem, row.before)
}

// Deleted records that the modem confirmed the delete of a row's slot. What is
// read there next is another message, even with the same octets.
func (s *Store) Deleted(now time.Time, row int64) error {
	return s.write(now, "record the delete", func(t *tx) error {
		_, err := t.exec(`UPDATE received SET deleted_at = ? WHERE id = ? AND deleted_at IS NULL`, t.now, row)
		return err
	})
}

// Slot is a place in a modem or SIM that holds octets which are kept here.
type Slot struct {
	Row    int64
	Memory string
	Index  int
}

// Undeleted returns the slots of a SIM and of the modem it is in whose delete was
// not confirmed.
func (s *Store) Undeleted(sim int64, modem string) ([]Slot, error) {
	rows, err := s.read().rows(`SELECT id, memory, slot FROM received WHERE deleted_at IS NULL AND place IS NOT NULL
		AND (place LIKE 'sim:' || ?1 || '/%' OR place LIKE 'modem:%' AND modem = ?2) ORDER BY id`, sim, modem)
	if err != nil {
		return nil, s.readError("list the slots", err)
	}
	slots, err := collect(rows, func(rows *sql.Rows) (sl Slot, err error) {
		return sl, rows.Scan(&sl.Row, &sl.Memory, &sl.Index)
	})
	return slots, s.readError("list the slots", err)
}
