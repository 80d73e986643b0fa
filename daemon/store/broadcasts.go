package store

import (
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"simpost/daemon/api"
)

// Cell broadcasts: pages that belong together by channel, serial number and
// coding. A network repeats each page every few seconds for hours, so what is
// known already is not written again.

const schemaBroadcast = `
CREATE TABLE broadcast (
	id        INTEGER PRIMARY KEY,
	modem     TEXT NOT NULL,
	channel   INTEGER NOT NULL,
	serial    INTEGER NOT NULL,
	dcs       INTEGER NOT NULL,
	pages     INTEGER NOT NULL,
	alert     TEXT NOT NULL,
	language  TEXT NOT NULL,
	announced INTEGER NOT NULL DEFAULT 0, -- how many of its pages the last event told of
	at        INTEGER NOT NULL,
	last_at   INTEGER NOT NULL
) STRICT;
CREATE INDEX broadcast_serial ON broadcast(channel, serial, dcs);
CREATE INDEX broadcast_silent ON broadcast(at) WHERE announced = 0;

CREATE TABLE broadcast_page (
	broadcast INTEGER NOT NULL REFERENCES broadcast ON DELETE CASCADE,
	page      INTEGER NOT NULL,
	text      TEXT NOT NULL,
	pdu       BLOB NOT NULL,
	PRIMARY KEY (broadcast, page)
) STRICT, WITHOUT ROWID;
`

const (
	// broadcastAgain is after how long a serial number means another broadcast.
	broadcastAgain = 24 * time.Hour
	// broadcastSeen is how exactly last_at is kept.
	broadcastSeen = time.Hour
	// broadcastPatience is how long missing pages are waited for: an alert in part is better than none.
	broadcastPatience = time.Minute
	// broadcastLimit is how many are kept; the oldest go.
	broadcastLimit = 500
)

// Page is a page of a broadcast as it was read.
type Page struct {
	Modem           string
	Channel, Serial int
	DCS             int
	Page, Pages     int // from 1
	Alert, Language string
	Text            string
	PDU             []byte
}

// KeepPage records a page, and an event when its broadcast is whole. known says
// that it was there, and that nothing was written.
func (s *Store) KeepPage(now time.Time, p Page) (known bool, err error) {
	if known, err = s.read().knowsPage(now, p); err != nil || known {
		return known, s.readError("look up a broadcast", err)
	}
	return false, s.write(now, "keep a broadcast", func(t *tx) error { return t.keepPage(p) })
}

// knowsPage says whether there is nothing to write for a page.
func (t *tx) knowsPage(now time.Time, p Page) (bool, error) {
	var last int64
	err := t.row(`SELECT b.last_at FROM broadcast b JOIN broadcast_page g ON g.broadcast = b.id AND g.page = ?
		WHERE b.channel = ? AND b.serial = ? AND b.dcs = ? AND b.pages = ? ORDER BY b.id DESC LIMIT 1`,
		p.Page, p.Channel, p.Serial, p.DCS, p.Pages).Scan(&last)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil && near(now.UnixMilli(), last, broadcastSeen), err
}

// near says that two times are less than d apart, whichever clock was wrong.
func near(a, b int64, d time.Duration) bool {
	return a-b < d.Milliseconds() && b-a < d.Milliseconds()
}

func (t *tx) keepPage(p Page) error {
	id, err := t.broadcastOf(p)
	if err != nil {
		return err
	}
	if _, err := t.exec(`UPDATE broadcast SET last_at = ? WHERE id = ?`, t.now, id); err != nil {
		return err
	}
	n, err := t.change(`INSERT INTO broadcast_page (broadcast, page, text, pdu) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING`, id, p.Page, p.Text, p.PDU)
	if err != nil || n == 0 {
		return err
	}
	b, err := t.broadcast(id)
	if err != nil || b.Missing > 0 {
		return err
	}
	return t.announce(id, b)
}

// broadcastOf finds the broadcast of a page, or makes it and drops the oldest.
func (t *tx) broadcastOf(p Page) (int64, error) {
	var id, last int64
	err := t.row(`SELECT id, last_at FROM broadcast WHERE channel = ? AND serial = ? AND dcs = ? AND pages = ? ORDER BY id DESC LIMIT 1`,
		p.Channel, p.Serial, p.DCS, p.Pages).Scan(&id, &last)
	if err == nil && near(t.now, last, broadcastAgain) {
		return id, nil
	}
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return 0, err
	}
	id, err = t.insert(`INSERT INTO broadcast (modem, channel, serial, dcs, pages, alert, language, at, last_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		p.Modem, p.Channel, p.Serial, p.DCS, p.Pages, p.Alert, p.Language, t.now, t.now)
	if err != nil {
		return 0, err
	}
	_, err = t.exec(`DELETE FROM broadcast WHERE id <= ?`, id-broadcastLimit)
	return id, err
}

// announce appends the event of a broadcast as far as it has come.
func (t *tx) announce(id int64, b api.Broadcast) error {
	detail := "cell broadcast"
	if b.Alert != "" {
		detail = b.Alert
	}
	if b.Missing > 0 {
		detail += fmt.Sprintf(", %d of %d pages missing", b.Missing, b.Pages)
	}
	if _, err := t.exec(`UPDATE broadcast SET announced = ? WHERE id = ?`, b.Pages-b.Missing, id); err != nil {
		return err
	}
	return t.event(api.Event{Type: api.EventBroadcast, Modem: b.Modem, State: fmt.Sprint(b.Channel), Detail: detail, Text: b.Text})
}

// PartialBroadcasts announces those whose pages have been waited for long enough.
func (s *Store) PartialBroadcasts(now time.Time) (int, error) {
	return s.batches(now, "announce broadcasts", func(t *tx) (int, error) {
		ids, err := t.ids(`SELECT id FROM broadcast WHERE announced = 0 AND (at <= ?1 OR at > ?2) LIMIT ?3`, t.now-broadcastPatience.Milliseconds(), t.now)
		if err != nil {
			return 0, err
		}
		for _, id := range ids {
			b, err := t.broadcast(id)
			if err != nil {
				return 0, err
			}
			if err := t.announce(id, b); err != nil {
				return 0, err
			}
		}
		return len(ids), nil
	})
}

// Broadcasts are the newest, newest first, up to limit.
func (s *Store) Broadcasts(limit int) ([]api.Broadcast, error) {
	t := s.read()
	rows, err := t.rows(`SELECT id FROM broadcast ORDER BY id DESC LIMIT ?`, limit)
	if err != nil {
		return nil, s.readError("list the broadcasts", err)
	}
	ids, err := collect(rows, scanID)
	if err != nil {
		return nil, s.readError("list the broadcasts", err)
	}
	all := []api.Broadcast{}
	for _, id := range ids {
		b, err := t.broadcast(id)
		if errors.Is(err, sql.ErrNoRows) {
			continue // gone meanwhile
		}
		if err != nil {
			return nil, s.readError("list the broadcasts", err)
		}
		all = append(all, b)
	}
	return all, nil
}

func (t *tx) broadcast(id int64) (api.Broadcast, error) {
	b := api.Broadcast{ID: formatID(id)}
	var at, last int64
	err := t.row(`SELECT modem, channel, serial, pages, alert, language, at, last_at FROM broadcast WHERE id = ?`, id).
		Scan(&b.Modem, &b.Channel, &b.Serial, &b.Pages, &b.Alert, &b.Language, &at, &last)
	if err != nil {
		return b, err
	}
	b.At, b.LastAt = fromMilli(at), fromMilli(last)
	rows, err := t.rows(`SELECT text FROM broadcast_page WHERE broadcast = ? ORDER BY page`, id)
	if err != nil {
		return b, err
	}
	texts, err := collect(rows, func(rows *sql.Rows) (text string, err error) { return text, rows.Scan(&text) })
	b.Text, b.Missing = strings.Join(texts, ""), b.Pages-len(texts)
	return b, err
}
