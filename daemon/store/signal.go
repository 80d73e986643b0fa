package store

import (
	"database/sql"
	"errors"
	"slices"
	"time"

	"simpost/daemon/api"
)

// The history of a modem's signal: rows that are far between, and not for ever.

const schemaSignal = `
CREATE TABLE signal (
	modem        TEXT NOT NULL,
	at           INTEGER NOT NULL,
	dbm          INTEGER,
	registration TEXT NOT NULL,
	operator     TEXT NOT NULL,
	bearer       TEXT NOT NULL,
	PRIMARY KEY (modem, at)
) STRICT, WITHOUT ROWID;
`

// SignalRows is the most that one answer holds; the newest of more.
const SignalRows = 5000

// KeepSignal records how it is from now on, and drops what is older than Retention
// has it, or was written by a clock that was a day ahead.
func (s *Store) KeepSignal(now time.Time, modem string, row api.Signal) error {
	keep := s.Retention.Signal
	return s.write(now, "record the signal", func(t *tx) error {
		_, err := t.exec(`INSERT INTO signal (modem, at, dbm, registration, operator, bearer) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE
			SET dbm = excluded.dbm, registration = excluded.registration, operator = excluded.operator, bearer = excluded.bearer`,
			modem, t.now, intOrNull(row.DBm), row.Registration, row.Operator, row.Bearer)
		if err != nil || keep == 0 {
			return err
		}
		_, err = t.exec(`DELETE FROM signal WHERE modem = ? AND (at <= ? OR at > ?)`, modem, t.now-keep.Milliseconds(), t.now+day)
		return err
	})
}

// Signals are the rows of a modem since a time, oldest first.
func (s *Store) Signals(modem string, since time.Time) ([]api.Signal, error) {
	rows, err := s.read().rows(`SELECT at, dbm, registration, operator, bearer FROM signal WHERE modem = ? AND at >= ? ORDER BY at DESC LIMIT ?`,
		modem, since.UnixMilli(), SignalRows)
	if err != nil {
		return nil, s.readError("read the signal", err)
	}
	all, err := collect(rows, scanSignal)
	slices.Reverse(all)
	return all, s.readError("read the signal", err)
}

// LastSignal is the newest row of a modem; its time is zero if there is none.
func (s *Store) LastSignal(modem string) (api.Signal, error) {
	rows, err := s.read().rows(`SELECT at, dbm, registration, operator, bearer FROM signal WHERE modem = ? ORDER BY at DESC LIMIT 1`, modem)
	if err != nil {
		return api.Signal{}, s.readError("read the signal", err)
	}
	all, err := collect(rows, scanSignal)
	if err != nil && !errors.Is(err, sql.ErrNoRows) || len(all) == 0 {
		return api.Signal{}, s.readError("read the signal", err)
	}
	return all[0], nil
}

func scanSignal(rows *sql.Rows) (api.Signal, error) {
	var r api.Signal
	var at int64
	var dbm sql.NullInt64
	err := rows.Scan(&at, &dbm, &r.Registration, &r.Operator, &r.Bearer)
	r.At, r.DBm = fromMilli(at), optionalInt(dbm)
	return r, err
}
