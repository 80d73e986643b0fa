package store

import (
	"database/sql"
	"errors"
	"time"

	"simpost/daemon/api"
)

// Identity is who a modem and its SIM say they are.
type Identity struct {
	Modem                         string // its name in the configuration
	IMEI, IMSI, ICCID, Number     string
	Manufacturer, Model, Revision string
}

// SIM is a SIM card as the database knows it. Its key is the IMSI, else the ICCID.
type SIM struct {
	ID          int64
	IMSI, ICCID string
	Number      string
}

// Seen records a modem and the SIM in it. A SIM that never told IMSI or ICCID is
// known by its modem. CodeInvalid: it tells neither now, but this modem had one that did.
func (s *Store) Seen(now time.Time, id Identity) (SIM, error) {
	var sim SIM
	err := s.write(now, "record the modem", func(t *tx) (err error) {
		if sim, err = t.sim(id); err != nil {
			return err
		}
		_, err = t.exec(`INSERT INTO modem (name, sim, imei, manufacturer, model, revision, seen_at) VALUES (?, ?, ?, ?, ?, ?, ?)
			ON CONFLICT DO UPDATE SET sim = excluded.sim, imei = excluded.imei, manufacturer = excluded.manufacturer,
			model = excluded.model, revision = excluded.revision, seen_at = excluded.seen_at`,
			id.Modem, sim.ID, id.IMEI, id.Manufacturer, id.Model, id.Revision, t.now)
		return err
	})
	return sim, err
}

// KnownModem is what was last seen under a name.
type KnownModem struct {
	Name, IMEI string
	Seen       time.Time
}

// Modems lists the modems that were ever seen, by name.
func (s *Store) Modems() ([]KnownModem, error) {
	rows, err := s.read().rows(`SELECT name, imei, seen_at FROM modem ORDER BY name`)
	if err != nil {
		return nil, s.readError("look up the modems", err)
	}
	known, err := collect(rows, func(rows *sql.Rows) (k KnownModem, err error) {
		var seen int64
		err = rows.Scan(&k.Name, &k.IMEI, &seen)
		k.Seen = time.UnixMilli(seen)
		return k, err
	})
	return known, s.readError("look up the modems", err)
}

// sim finds or makes the row of a SIM, and fills in what it did not say before.
func (t *tx) sim(id Identity) (SIM, error) {
	sim, err := t.knownSIM(id)
	if errors.Is(err, sql.ErrNoRows) {
		sim = SIM{IMSI: id.IMSI, ICCID: id.ICCID, Number: id.Number}
		sim.ID, err = t.insert(`INSERT INTO sim (imsi, iccid, number, seen_at) VALUES (?, ?, ?, ?)`, id.IMSI, id.ICCID, id.Number, t.now)
		return sim, err
	}
	if err != nil {
		return SIM{}, err
	}
	for _, f := range []struct {
		have *string
		now  string
	}{{&sim.IMSI, id.IMSI}, {&sim.ICCID, id.ICCID}, {&sim.Number, id.Number}} {
		if f.now != "" {
			*f.have = f.now
		}
	}
	_, err = t.exec(`UPDATE sim SET imsi = ?, iccid = ?, number = ?, seen_at = ? WHERE id = ?`, sim.IMSI, sim.ICCID, sim.Number, t.now, sim.ID)
	return sim, err
}

// knownSIM finds a SIM by what it says of itself, or as the one that this modem has
// and that has said nothing yet; sql.ErrNoRows.
func (t *tx) knownSIM(id Identity) (sim SIM, err error) {
	fields := []any{&sim.ID, &sim.IMSI, &sim.ICCID, &sim.Number}
	if id.named() {
		err = t.row(`SELECT id, imsi, iccid, number FROM sim
			WHERE imsi <> '' AND imsi = ?1 OR iccid <> '' AND iccid = ?2 AND (?1 = '' OR imsi = '')
			ORDER BY imsi = ?1 DESC, seen_at DESC LIMIT 1`, id.IMSI, id.ICCID).Scan(fields...)
		if !errors.Is(err, sql.ErrNoRows) {
			return sim, err
		}
	}
	err = t.row(`SELECT s.id, s.imsi, s.iccid, s.number FROM modem m JOIN sim s ON s.id = m.sim WHERE m.name = ?1 AND (m.imei = ?2 OR m.imei = '' OR ?2 = '')`,
		id.Modem, id.IMEI).Scan(fields...)
	switch {
	case err != nil || sim.IMSI == "" && sim.ICCID == "":
		return sim, err
	case id.named():
		return SIM{}, sql.ErrNoRows // it has another one
	}
	return SIM{}, api.Errorf(api.CodeInvalid, "modem %s: the SIM tells neither its IMSI nor its ICCID, and did before", id.Modem)
}

func (id Identity) named() bool { return id.IMSI != "" || id.ICCID != "" }

// PINTried says whether this PIN (its hash) was tried on that SIM and did not work.
func (s *Store) PINTried(iccid string, hash [32]byte) (bool, error) {
	var n int
	err := s.read().row(`SELECT count(*) FROM pin WHERE iccid = ? AND hash = ?`, iccid, hash[:]).Scan(&n)
	return n > 0, s.readError("look up the PIN", err)
}

// PINTrying commits that the PIN is about to be tried: call it before AT+CPIN.
// Without PINWorked after it, that PIN is never tried on that SIM again.
func (s *Store) PINTrying(now time.Time, iccid string, hash [32]byte) error {
	return s.write(now, "record the PIN", func(t *tx) error {
		_, err := t.exec(`INSERT INTO pin (iccid, hash, tried_at) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET tried_at = excluded.tried_at`, iccid, hash[:], t.now)
		return err
	})
}

// PINWorked forgets that the PIN was tried: it is the right one.
func (s *Store) PINWorked(now time.Time, iccid string, hash [32]byte) error {
	return s.write(now, "record the PIN", func(t *tx) error {
		_, err := t.exec(`DELETE FROM pin WHERE iccid = ? AND hash = ?`, iccid, hash[:])
		return err
	})
}

// LastMR is the reference of the SIM's last attempt that has one, -1 if none has.
func (s *Store) LastMR(sim int64) (int, error) {
	var mr sql.NullInt64
	err := s.read().row(`SELECT mr FROM attempt WHERE sim = ? AND mr IS NOT NULL ORDER BY id DESC LIMIT 1`, sim).Scan(&mr)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return -1, s.readError("find the last reference", err)
	}
	return orMinusOne(mr), nil
}
