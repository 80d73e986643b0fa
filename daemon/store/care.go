package store

import (
	"database/sql"
	"errors"
	"time"

	"simpost/daemon/api"
)

// What a SIM card needs by the calendar. It is kept for the card, not for the
// modem: a restart does not ask for the balance again, and a card that moves to
// another modem keeps its dates.

const schemaCare = `
CREATE TABLE chore (
	sim      INTEGER NOT NULL REFERENCES sim,
	kind     TEXT NOT NULL,
	done_at  INTEGER NOT NULL, -- or since when it is counted
	tried_at INTEGER NOT NULL,
	PRIMARY KEY (sim, kind)
) STRICT, WITHOUT ROWID;

CREATE TABLE balance (
	sim    INTEGER PRIMARY KEY REFERENCES sim,
	text   TEXT NOT NULL,
	amount INTEGER, -- in hundredths; NULL: there was no number
	low    INTEGER NOT NULL,
	at     INTEGER NOT NULL
) STRICT;
`

// Chore is what simpost does for a SIM card every so often.
type Chore string

// The chores.
const (
	CheckBalance Chore = "balance"
	Keepalive    Chore = "keepalive"
)

// ChoreTimes says when a chore was done and tried last, zero for never.
func (s *Store) ChoreTimes(sim int64, c Chore) (done, tried time.Time, err error) {
	var d, t int64
	err = s.read().row(`SELECT done_at, tried_at FROM chore WHERE sim = ? AND kind = ?`, sim, string(c)).Scan(&d, &t)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return time.Time{}, time.Time{}, nil
	case err != nil:
		return time.Time{}, time.Time{}, s.readError("look up a chore", err)
	}
	return fromMilli(d), fromMilli(t), nil
}

// ChoreTried records that a chore was done, or only tried. One that was never
// done counts from its first try.
func (s *Store) ChoreTried(now time.Time, sim int64, c Chore, done bool) error {
	return s.write(now, "record a chore", func(t *tx) error {
		_, err := t.exec(`INSERT INTO chore (sim, kind, done_at, tried_at) VALUES (?1, ?2, ?3, ?3)
			ON CONFLICT DO UPDATE SET tried_at = ?3, done_at = CASE WHEN ?4 THEN ?3 ELSE done_at END`, sim, string(c), t.now, done)
		return err
	})
}

// LastSent is when the network last took a part of this SIM card, zero for never.
func (s *Store) LastSent(sim int64) (time.Time, error) {
	var at sql.NullInt64
	err := s.read().row(`SELECT settled_at FROM attempt WHERE sim = ? AND state = 'submitted' ORDER BY id DESC LIMIT 1`, sim).Scan(&at)
	if errors.Is(err, sql.ErrNoRows) || err == nil && !at.Valid {
		return time.Time{}, nil
	}
	return fromMilli(at.Int64), s.readError("look up what was sent last", err)
}

// KeepBalance records what the operator said, and an event where the credit has
// come below the limit. modem is where the card is.
func (s *Store) KeepBalance(now time.Time, sim int64, modem string, b api.Balance) error {
	return s.write(now, "record the balance", func(t *tx) error {
		var was bool
		err := t.row(`SELECT low FROM balance WHERE sim = ?`, sim).Scan(&was)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		_, err = t.exec(`INSERT INTO balance (sim, text, amount, low, at) VALUES (?, ?, ?, ?, ?)
			ON CONFLICT DO UPDATE SET text = excluded.text, amount = excluded.amount, low = excluded.low, at = excluded.at`,
			sim, b.Text, hundredths(b.Amount), b.Low, t.now)
		if err != nil || !b.Low || was {
			return err
		}
		return t.event(api.Event{Type: api.EventBalanceLow, Modem: modem, Text: b.Text, Detail: "the SIM card's credit has come below the limit"})
	})
}

// Balance is what was said last of a SIM card, nil if it was never asked for.
func (s *Store) Balance(sim int64) (*api.Balance, error) {
	var b api.Balance
	var amount sql.NullInt64
	var at int64
	err := s.read().row(`SELECT text, amount, low, at FROM balance WHERE sim = ?`, sim).Scan(&b.Text, &amount, &b.Low, &at)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil, nil
	case err != nil:
		return nil, s.readError("look up the balance", err)
	}
	if amount.Valid {
		whole := float64(amount.Int64) / 100
		b.Amount = &whole
	}
	b.At = fromMilli(at)
	return &b, nil
}

// hundredths is the column of an amount.
func hundredths(amount *float64) any {
	if amount == nil {
		return nil
	}
	return int64(*amount*100 + 0.5*sign(*amount))
}

func sign(f float64) float64 {
	if f < 0 {
		return -1
	}
	return 1
}
