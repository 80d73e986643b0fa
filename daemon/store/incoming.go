package store

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"simpost/daemon/api"
)

// What a modem hands over. The raw octets are kept whatever they are. The same
// octets in the same physical slot are the same row until the delete of that slot
// was confirmed; elsewhere, or later, they are a repeat: a row and a message of
// their own that say so. Two equal alarms in one second are two alarms.

// setWindow is how long the parts of a message may take to come together, and so
// how soon a sender may use a concat reference again.
const setWindow = 7 * 24 * time.Hour

// Incoming is one PDU a modem had, and what could be read in it.
type Incoming struct {
	Modem    string
	SIM      int64
	Memory   string // SM, ME, ...
	Slot     int    // -1: it came by +CMT or +CDS
	PDU      []byte // with the SMSC, as it was
	Kind     string // deliver, report, other, unreadable
	From     string
	Text     *string
	Data     []byte
	Port     *int
	Encoding string
	Class    *int
	SentAt   time.Time // TP-SCTS
	Flags    []string
	Concat   *Concat
	Report   *Report
	Error    *api.Reason // why it could not be read
}

// Concat says which part of which message it is (TS 23.040 9.2.3.24.1, .8).
type Concat struct {
	Ref        int
	Wide       bool // 16-bit reference
	Total, Seq int
}

// Body is what the parts of a message make together.
type Body struct {
	Text     *string
	Data     []byte
	Encoding string
	Port     *int
	Flags    []string
}

// Received says what became of an Incoming.
type Received struct {
	Row      int64 // for Deleted
	Message  int64 // incoming message it belongs to, or repeats a part of; 0: none
	New      bool  // false: it was here already, the delete of its slot was lost
	Complete bool  // Message has all its parts
	Matched  int64 // outgoing message a report was for, 0: none
}

// Receive keeps a PDU (I2: before CMGD and CNMA). join makes the body of a message
// out of its parts' PDUs in order, nil for those that have not come; it is called
// inside the transaction and must be pure.
func (s *Store) Receive(now time.Time, in Incoming, join func(pdus [][]byte) Body) (Received, error) {
	var rec Received
	err := s.write(now, "keep what was received", func(t *tx) (err error) {
		rec, err = t.receive(&in, join)
		return err
	})
	if err != nil {
		return Received{}, err
	}
	return rec, nil
}

func (t *tx) receive(in *Incoming, join func([][]byte) Body) (Received, error) {
	place := in.place()
	if place.Valid {
		known, err := t.atPlace(place.String, in.PDU)
		if err != nil || known.Row != 0 {
			return known, err
		}
	}
	row, err := t.keep(in, place)
	if err != nil {
		return Received{}, err
	}
	rec := Received{Row: row.id, New: true}
	switch {
	case in.Kind == "report" && in.Report != nil:
		rec.Matched, err = t.keepReport(row.id, in)
	case in.Kind == "deliver" && in.inParts():
		rec.Message, rec.Complete, err = t.keepPart(in, row, join)
	case in.Kind == "deliver" || in.Kind == "unreadable":
		rec.Complete = true
		rec.Message, err = t.keepWhole(in, row)
	default:
		err = t.event(api.Event{Type: api.EventPartReceived, Modem: in.Modem, Detail: "kept, not a message to us"})
	}
	return rec, err
}

// place names the physical slot: one of the SIM goes where the SIM goes.
func (in *Incoming) place() sql.NullString {
	switch {
	case in.Slot < 0:
		return sql.NullString{}
	case in.Memory == "SM" && in.SIM != 0:
		return sql.NullString{String: fmt.Sprintf("sim:%d/%d", in.SIM, in.Slot), Valid: true}
	}
	return sql.NullString{String: fmt.Sprintf("modem:%s/%s/%d", in.Modem, in.Memory, in.Slot), Valid: true}
}

func (in *Incoming) inParts() bool {
	return in.Concat != nil && in.Concat.Total > 1 && in.Concat.Seq >= 1 && in.Concat.Seq <= in.Concat.Total
}

// set is what the parts of one message have in common.
func (in *Incoming) set() string {
	return fmt.Sprintf("%d/%t/%d/%d/%s", in.SIM, in.Concat.Wide, in.Concat.Ref, in.Concat.Total, numberKey(in.From))
}

// atPlace looks at what the slot held before. Other octets mean that the slot was
// used again, so the old ones are gone.
func (t *tx) atPlace(place string, pdu []byte) (Received, error) {
	var rec Received
	var old []byte
	var octets int64
	var message sql.NullInt64
	var incomplete sql.NullBool
	err := t.row(`SELECT r.id, r.pdu, r.octets, coalesce(r.message, r.copy_of), m.incomplete > 0 FROM received r LEFT JOIN message m ON m.id = r.message
		WHERE r.place = ? AND r.deleted_at IS NULL AND r.place IS NOT NULL`, place).Scan(&rec.Row, &old, &octets, &message, &incomplete)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return Received{}, nil
	case err != nil:
		return Received{}, err
	case bytes.Equal(old, pdu), octets == octetSum(pdu): // the sum alone: what is kept was damaged since
		rec.Message, rec.Complete = message.Int64, incomplete.Valid && !incomplete.Bool
		return rec, nil
	}
	_, err = t.exec(`UPDATE received SET deleted_at = ? WHERE id = ?`, t.now, rec.Row)
	return Received{}, err
}

// kept is a row of the table received that was just written.
type kept struct {
	id     int64
	first  int64 // the first row with the same octets, 0: none
	before int64 // the message that one belongs to, 0: none
}

// keep writes the octets.
func (t *tx) keep(in *Incoming, place sql.NullString) (kept, error) {
	var row kept
	var before sql.NullInt64
	octets := octetSum(in.PDU)
	sim := sql.NullInt64{Int64: in.SIM, Valid: in.SIM != 0}
	err := t.row(`SELECT id, coalesce(message, copy_of) FROM received WHERE octets = ? AND pdu = ? AND sim IS ? ORDER BY id LIMIT 1`,
		octets, in.PDU, sim).Scan(&row.first, &before)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return kept{}, err
	}
	row.before = before.Int64
	seq := 1
	if in.inParts() {
		seq = in.Concat.Seq
	}
	row.id, err = t.insert(`INSERT INTO received (kind, modem, sim, memory, slot, place, pdu, octets, sent_at, received_at, seq, repeat_of)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`, in.Kind, in.Modem, sim, in.Memory, in.Slot, place, in.PDU, octets, in.sentAt(), t.now,
		seq, sql.NullInt64{Int64: row.first, Valid: row.first != 0})
	return row, err
}

func (in *Incoming) sentAt() any { return milliOrNull(&in.SentAt) }

// keepWhole makes the message of a PDU that is one by itself.
func (t *tx) keepWhole(in *Incoming, row kept) (int64, error) {
	body := Body{Text: in.Text, Data: in.Data, Encoding: in.Encoding, Port: in.Port, Flags: in.Flags}
	if in.Kind == "unreadable" && body.Data == nil {
		body.Data = in.PDU
	}
	id, err := t.newIncoming(in, body, row.before, false)
	if err != nil {
		return 0, err
	}
	if err := t.attach(id, row.id); err != nil {
		return 0, err
	}
	return id, t.arrived(id, in.Modem, row.before)
}

// newIncoming inserts a message; partial says that parts are still to come.
func (t *tx) newIncoming(in *Incoming, body Body, repeatOf int64, partial bool) (int64, error) {
	total, concat := 1, sql.NullString{}
	if in.inParts() {
		total, concat = in.Concat.Total, sql.NullString{String: in.set(), Valid: true}
	}
	encoding := body.Encoding
	if encoding == "" {
		encoding = "unreadable"
	}
	var why api.Reason
	if in.Error != nil {
		why = *in.Error
	}
	return t.insert(`INSERT INTO message (direction, state, number, number_key, text, data, port, encoding, class, created_at, sent_at, modem, sim, total,
		code, reason, concat, repeat_of, incomplete, flags, sum) VALUES ('in', 'received', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		in.From, numberKey(in.From), body.Text, body.Data, intOrNull(body.Port), encoding, intOrNull(in.Class), t.now, in.sentAt(), in.Modem,
		sql.NullInt64{Int64: in.SIM, Valid: in.SIM != 0}, total, why.Code, why.Message, concat,
		sql.NullInt64{Int64: repeatOf, Valid: repeatOf != 0}, partial, flagsColumn(body.Flags),
		contentSum(in.From, encoding, body.Port, body.Text, body.Data))
}

func flagsColumn(flags []string) any {
	if len(flags) == 0 {
		return nil
	}
	j, err := json.Marshal(flags)
	if err != nil {
		panic("store: strings that JSON can't hold: " + err.Error())
	}
	return string(j)
}

func (t *tx) attach(message, row int64) error {
	_, err := t.exec(`UPDATE received SET message = ? WHERE id = ?`, message, row)
	return err
}

// arrived announces a message that is complete: as received, or as a repeat.
func (t *tx) arrived(id int64, modem string, repeatOf int64) error {
	e := api.Event{Type: api.EventReceived, Message: formatID(id), Modem: modem, State: string(api.Received)}
	if repeatOf != 0 {
		e.Type, e.Detail = api.EventRepeat, "the same octets as message "+formatID(repeatOf)
	}
	return t.event(e)
}
