package store

import (
	"database/sql"
	"errors"
	"strconv"
	"time"

	"simpost/daemon/api"
)

// maxEvents bounds one answer of Events.
const maxEvents = 1000

// schemaSaid lets an event hold what is said nowhere else: who called, what the
// network announced. Events about messages hold neither.
const schemaSaid = `
ALTER TABLE event ADD COLUMN number TEXT NOT NULL DEFAULT '';
ALTER TABLE event ADD COLUMN text   TEXT NOT NULL DEFAULT '';
CREATE INDEX event_said ON event(at) WHERE number <> '' OR text <> '';
`

// event appends to the log, in the operation's transaction.
func (t *tx) event(e api.Event) error {
	var message any
	if e.Message != "" {
		message = e.Message
	}
	_, err := t.exec(`INSERT INTO event (at, type, message, part, modem, state, detail, number, text) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		t.now, string(e.Type), message, e.Part, e.Modem, e.State, e.Detail, e.Number, e.Text)
	if err == nil {
		t.events++
	}
	return err
}

// Note appends an event that belongs to no message, such as a modem's condition.
func (s *Store) Note(now time.Time, e api.Event) error {
	return s.write(now, "note an event", func(t *tx) error { return t.event(e) })
}

// Events returns up to limit (at most 1,000) events after seq, in order. An
// api.EventGap stands first for those that are not kept any more.
func (s *Store) Events(after int64, limit int) ([]api.Event, error) {
	if limit <= 0 || limit > maxEvents {
		limit = maxEvents
	}
	missing, gap, err := s.read().gap(after)
	if err != nil {
		return nil, s.readError("read the events", err)
	}
	if gap {
		after, limit = missing.Seq, max(limit-1, 1)
	}
	rows, err := s.read().rows(`SELECT seq, at, type, message, part, modem, state, detail, number, text FROM event WHERE seq > ? ORDER BY seq LIMIT ?`, after, limit)
	if err != nil {
		return nil, s.readError("read the events", err)
	}
	events, err := collect(rows, scanEvent)
	if gap {
		events = append([]api.Event{missing}, events...)
	}
	return events, s.readError("read the events", err)
}

func scanEvent(rows *sql.Rows) (api.Event, error) {
	var e api.Event
	var at int64
	var message sql.NullInt64
	err := rows.Scan(&e.Seq, &at, &e.Type, &message, &e.Part, &e.Modem, &e.State, &e.Detail, &e.Number, &e.Text)
	e.At = fromMilli(at)
	if message.Valid {
		e.Message = formatID(message.Int64)
	}
	return e, err
}

// LastEvent is the number of the newest event, 0 if there is none.
func (s *Store) LastEvent() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lastEvent
}

// Changed returns a channel that is closed at the next commit that appends
// events. Take it before reading Events, or one may be missed.
func (s *Store) Changed() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.changed
}

func formatID(id int64) string { return strconv.FormatInt(id, 10) }

func parse(id string) (int64, error) { return strconv.ParseInt(id, 10, 64) }

// fromMilli is the time of a column.
func fromMilli(ms int64) time.Time { return time.UnixMilli(ms).UTC() }

// optionalTime is the time of a column that may be NULL.
func optionalTime(ms sql.NullInt64) *time.Time {
	if !ms.Valid {
		return nil
	}
	t := fromMilli(ms.Int64)
	return &t
}

// milliOrNull is the column of an optional time.
func milliOrNull(t *time.Time) any {
	if t == nil || t.IsZero() {
		return nil
	}
	return t.UnixMilli()
}

// optionalInt is the number of a column that may be NULL.
func optionalInt(n sql.NullInt64) *int {
	if !n.Valid {
		return nil
	}
	i := int(n.Int64)
	return &i
}

// intOrNull is the column of an optional number.
func intOrNull(n *int) any {
	if n == nil {
		return nil
	}
	return *n
}

// LastTime is the time of the last event on record, zero if there is none.
func (s *Store) LastTime() (time.Time, error) {
	var at int64
	err := s.read().row(`SELECT at FROM event ORDER BY seq DESC LIMIT 1`).Scan(&at)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return time.Time{}, nil
	case err != nil:
		return time.Time{}, s.readError("read the last event", err)
	}
	return fromMilli(at), nil
}
