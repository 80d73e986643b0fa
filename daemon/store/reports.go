package store

import (
	"database/sql"
	"errors"
	"time"

	"simpost/daemon/api"
)

const (
	// keepUnmatched is how long a report waits for the +CMGS it belongs to.
	keepUnmatched = 24 * time.Hour
	// maxKept bounds the reports looked at again after an attempt changed.
	maxKept = 64
	// skewLookback is how old an attempt may be that teaches a skew.
	skewLookback = 14 * 24 * time.Hour
)

// Report is a delivery report (SMS-STATUS-REPORT, TS 23.040 9.2.2.3).
type Report struct {
	MR         int
	Number     string // TP-RA
	SentAt     time.Time
	Discharge  time.Time
	Status     int // TP-ST
	StatusText string
	Final      bool
	Delivered  bool
}

// report is a row of the table report.
type report struct {
	id         int64
	sim        int64
	mr         int
	tail       string
	sentAt     int64
	statusText string
	final      bool
	delivered  bool
}

// keepReport stores a report and gives it to its attempt; the message it was
// for, or 0. One that came before, octet for octet or read from another slot,
// changes nothing.
func (t *tx) keepReport(row int64, in *Incoming) (int64, error) {
	key := numberKey(in.Report.Number)
	r := report{sim: in.SIM, mr: in.Report.MR, tail: tail(key), sentAt: in.Report.SentAt.UnixMilli(),
		statusText: in.Report.StatusText, final: in.Report.Final, delivered: in.Report.Delivered}
	known, message, err := t.knownReport(&r, key, in.Report)
	if err != nil || known {
		return message, err
	}
	r.id, err = t.insert(`INSERT INTO report (received, sim, mr, number, number_key, tail, status, status_text, final, delivered, sent_at, discharge, received_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`, row, r.sim, r.mr, in.Report.Number, key, r.tail, in.Report.Status, r.statusText,
		r.final, r.delivered, r.sentAt, in.Report.Discharge.UnixMilli(), t.now)
	if err != nil {
		return 0, err
	}
	message, err = t.matchReport(&r)
	if err != nil || message != 0 {
		return message, err
	}
	return 0, t.event(api.Event{Type: api.EventReport, Modem: in.Modem, Detail: r.statusText})
}

// knownReport looks for the same report in an earlier row.
func (t *tx) knownReport(r *report, key string, in *Report) (known bool, message int64, err error) {
	var owner sql.NullInt64
	err = t.row(`SELECT p.message FROM report r LEFT JOIN attempt a ON a.id = r.attempt LEFT JOIN part p ON p.id = a.part
		WHERE r.sim = ? AND r.tail = ? AND r.mr = ? AND r.number_key = ? AND r.sent_at = ? AND r.discharge = ? AND r.status = ? LIMIT 1`,
		r.sim, r.tail, r.mr, key, r.sentAt, in.Discharge.UnixMilli(), in.Status).Scan(&owner)
	if errors.Is(err, sql.ErrNoRows) {
		return false, 0, nil
	}
	return err == nil, owner.Int64, err
}

// matchReport finds the attempt r is for and applies it; the message, or 0.
func (t *tx) matchReport(r *report) (int64, error) {
	k, err := t.skew(r.sim)
	if err != nil {
		return 0, err
	}
	candidates, err := t.candidates(r, k.value)
	if err != nil {
		return 0, err
	}
	attempt := match(r.sentAt, k.value, candidates)
	if attempt == 0 {
		return 0, t.learn(r, k)
	}
	for _, c := range candidates {
		if c.attempt != attempt || !c.exact {
			continue
		}
		if err := t.setSkew(r.sim, k.confirm(r.sentAt-c.started)); err != nil {
			return 0, err
		}
	}
	return t.applyReport(r, attempt)
}

// candidates are the attempts with r's MR around its time, and those without an
// MR that are open to its number: a report may still come for them. The latter only
// where no attempt of any time waits for a report with this MR: it may have been
// recorded on a wrong clock, and the report be its own.
func (t *tx) candidates(r *report, skew int64) ([]candidate, error) {
	around, window := r.sentAt-skew, matchWindow.Milliseconds()
	rows, err := t.rows(`SELECT id, started_at, 1, state = 'unknown' FROM attempt
			WHERE sim = ?1 AND tail = ?2 AND mr = ?3 AND mr IS NOT NULL AND started_at BETWEEN ?4 AND ?5
		UNION ALL SELECT id, started_at, 0, 1 FROM attempt
			WHERE sim = ?1 AND tail = ?2 AND mr IS NULL AND state = 'unknown' AND started_at > ?6 AND NOT EXISTS (`+awaited+`) AND NOT EXISTS (`+rival+`)
		UNION ALL SELECT id, started_at, 0, 0 FROM attempt INDEXED BY attempt_open -- as many as there are modems
			WHERE sim = ?1 AND tail = ?2 AND mr IS NULL AND state = 'submitting' AND started_at > ?6 AND NOT EXISTS (`+awaited+`)`,
		r.sim, r.tail, r.mr, around-window, around+window, t.now-(networkValidity+reportGrace).Milliseconds())
	if err != nil {
		return nil, err
	}
	return collect(rows, func(rows *sql.Rows) (c candidate, err error) {
		return c, rows.Scan(&c.attempt, &c.started, &c.exact, &c.unknown)
	})
}

// awaited is the attempt that a report is for if only the clocks were wrong.
const awaited = `SELECT 1 FROM attempt b WHERE b.sim = ?1 AND b.tail = ?2 AND b.mr = ?3 AND b.mr IS NOT NULL AND b.started_at > ?6
	AND NOT EXISTS (SELECT 1 FROM report WHERE attempt = b.id)`

// rival is an attempt that was sent about when the report's message
// was, and still waits for a report. The line may have taken a digit of its MR, or its
// modem not count them: then the report is its own, and no proof for another.
const rival = `SELECT 1 FROM attempt b JOIN part p ON p.id = b.part WHERE b.sim = ?1 AND b.tail = ?2 AND b.mr IS NOT NULL
	AND b.started_at BETWEEN ?4 AND ?5 AND p.report_by IS NOT NULL
	AND NOT EXISTS (SELECT 1 FROM report WHERE attempt = b.id)`

// learn looks whether r would fit one attempt alone under another skew.
func (t *tx) learn(r *report, k skew) error {
	rows, err := t.rows(`SELECT id, started_at FROM attempt a WHERE sim = ? AND tail = ? AND mr = ? AND mr IS NOT NULL AND started_at > ?
		AND NOT EXISTS (SELECT 1 FROM report WHERE attempt = a.id) LIMIT 2`, r.sim, r.tail, r.mr, t.now-skewLookback.Milliseconds())
	if err != nil {
		return err
	}
	far, err := collect(rows, func(rows *sql.Rows) (c candidate, err error) {
		return c, rows.Scan(&c.attempt, &c.started)
	})
	if err != nil || len(far) != 1 || distance(r.sentAt-k.value, far[0].started) <= matchWindow.Milliseconds() {
		return err
	}
	next, learned := k.suspect(far[0].attempt, r.sentAt-far[0].started)
	if err := t.setSkew(r.sim, next); err != nil || !learned {
		return err
	}
	return t.rematch(r.sim, "")
}

func (t *tx) skew(sim int64) (skew, error) {
	var value, hint, by sql.NullInt64
	err := t.row(`SELECT skew, skew_hint, hinted_by FROM sim WHERE id = ?`, sim).Scan(&value, &hint, &by)
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	return skew{known: value.Valid, value: value.Int64, hinted: hint.Valid, hint: hint.Int64, hintedBy: by.Int64}, err
}

func (t *tx) setSkew(sim int64, k skew) error {
	_, err := t.exec(`UPDATE sim SET skew = ?, skew_hint = ?, hinted_by = ? WHERE id = ?`,
		sql.NullInt64{Int64: k.value, Valid: k.known}, sql.NullInt64{Int64: k.hint, Valid: k.hinted},
		sql.NullInt64{Int64: k.hintedBy, Valid: k.hinted}, sim)
	return err
}

// rematch looks again at the reports of a SIM that are kept unmatched, those for
// one tail of a number or all.
func (t *tx) rematch(sim int64, tail string) error {
	query := `SELECT id, sim, mr, tail, sent_at, status_text, final, delivered FROM report
		WHERE attempt IS NULL AND sim = ? AND received_at > ?`
	args := []any{sim, t.now - keepUnmatched.Milliseconds()}
	if tail != "" {
		query, args = query+` AND tail = ?`, append(args, tail)
	}
	rows, err := t.rows(query+` ORDER BY id LIMIT ?`, append(args, maxKept)...)
	if err != nil {
		return err
	}
	kept, err := collect(rows, func(rows *sql.Rows) (r report, err error) {
		return r, rows.Scan(&r.id, &r.sim, &r.mr, &r.tail, &r.sentAt, &r.statusText, &r.final, &r.delivered)
	})
	if err != nil {
		return err
	}
	for i := range kept {
		if err := t.matchAgain(&kept[i]); err != nil {
			return err
		}
	}
	return nil
}

// matchAgain tries a kept report; applying another one may have taken it meanwhile.
func (t *tx) matchAgain(r *report) error {
	var open bool
	if err := t.row(`SELECT attempt IS NULL FROM report WHERE id = ?`, r.id).Scan(&open); err != nil || !open {
		return err
	}
	k, err := t.skew(r.sim)
	if err != nil {
		return err
	}
	candidates, err := t.candidates(r, k.value)
	if err != nil {
		return err
	}
	if attempt := match(r.sentAt, k.value, candidates); attempt != 0 {
		_, err = t.applyReport(r, attempt)
	}
	return err
}

// applyReport gives r to an attempt. For one that was unknown it is the proof
// that it was sent.
func (t *tx) applyReport(r *report, attempt int64) (int64, error) {
	a, m, p, err := t.attempt(attempt)
	if err != nil {
		return 0, err
	}
	if _, err := t.exec(`UPDATE report SET attempt = ? WHERE id = ?`, attempt, r.id); err != nil {
		return 0, err
	}
	var events []api.Event
	if a.state == api.Unknown {
		if events, err = t.provenByReport(a, m, p, r); err != nil {
			return 0, err
		}
	}
	more, err := t.reportPart(m, p, r)
	if err != nil {
		return 0, err
	}
	if err := t.note(m, append(events, more...)...); err != nil {
		return 0, err
	}
	return m.id, t.rematch(a.sim, a.tail) // what may have been for this attempt can be for one other alone
}

// provenByReport settles an unknown attempt as submitted.
func (t *tx) provenByReport(a *attempt, m *message, p *part, r *report) ([]api.Event, error) {
	if err := t.closeAttempt(a, Settle{State: api.Submitted, MR: r.mr, Evidence: "delivery report"}); err != nil {
		return nil, err
	}
	if _, ok := stepProofSent.next(p.state); !ok {
		return nil, nil
	}
	if err := t.proven(m, p, r.mr); err != nil {
		return nil, err
	}
	if err := t.save(p, stepProofSent); err != nil {
		return nil, err
	}
	return []api.Event{partEvent(p)}, nil
}

// reportPart writes what r says of its part.
func (t *tx) reportPart(m *message, p *part, r *report) (events []api.Event, err error) {
	st := stepUndelivered
	moves := r.final
	switch {
	case r.final && r.delivered:
		p.report, st = api.ReportDelivered, stepDelivered
		p.because(nil)
	case p.report == api.ReportDelivered:
		moves = false
	case r.final:
		p.report = api.ReportFailed
		p.because(&api.Reason{Code: "not-delivered", Message: r.statusText})
	case p.report != api.ReportFailed:
		p.report = api.ReportPending
	}
	if r.final {
		p.reportBy = sql.NullInt64{}
	}
	event := api.Event{Type: api.EventPartReport, Part: p.seq, Modem: p.modem, Detail: r.statusText}
	if _, legal := st.next(p.state); !legal || !moves {
		_, err := t.exec(`UPDATE part SET report = ?, report_by = ? WHERE id = ?`, string(p.report), p.reportBy, p.id)
		return []api.Event{event}, err
	}
	if err := t.save(p, st); err != nil {
		return nil, err
	}
	if p.state == api.Failed {
		events, err = t.failSiblings(m)
	}
	return append([]api.Event{event}, events...), err
}
