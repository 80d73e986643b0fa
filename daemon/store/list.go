package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"strings"

	"simpost/daemon/api"
)

const (
	maxPage     = 200 // messages in one answer of List
	defaultPage = 50
)

// Filter chooses messages; an empty field chooses all.
type Filter struct {
	Direction api.Direction
	State     api.State
	Number    string // any spelling with the same digits
	Modem     string
	After     string // Next of the page before
	Limit     int    // at most 200; 0 is 50
}

// view runs read in one read transaction: what it reads belongs together.
func (s *Store) view(doing string, read func(*tx) error) error {
	conn, err := s.rdb.Conn(context.Background())
	if err != nil {
		return s.readError(doing, err)
	}
	defer conn.Close()
	t := &tx{conn: conn}
	if _, err := t.exec(`BEGIN`); err != nil {
		return s.readError(doing, err)
	}
	err = read(t)
	_, end := t.exec(`COMMIT`)
	return s.readError(doing, errors.Join(err, end))
}

// Get returns a message with its attempts and reports, or CodeNotFound.
func (s *Store) Get(id int64) (api.Message, error) {
	var m api.Message
	err := s.view("read the message", func(t *tx) error {
		found, err := t.messages(`WHERE id = ?`, id)
		if err != nil {
			return err
		}
		if len(found) == 0 {
			return errNotFound(id)
		}
		m = found[0]
		if m.Attempts, err = t.attempts(id); err != nil {
			return err
		}
		m.Reports, err = t.reports(id)
		return err
	})
	return m, err
}

// List returns a page of messages, the newest first. CodeInvalid: After is not a
// cursor.
func (s *Store) List(f Filter) (api.Messages, error) {
	limit := f.Limit
	if limit <= 0 {
		limit = defaultPage
	}
	limit = min(limit, maxPage)
	where, args, err := f.where()
	if err != nil {
		return api.Messages{}, err
	}
	page := api.Messages{Messages: []api.Message{}}
	err = s.view("list the messages", func(t *tx) error {
		found, err := t.messages(where+` ORDER BY id DESC LIMIT ?`, append(args, limit+1)...)
		if err != nil {
			return err
		}
		if len(found) > limit {
			found = found[:limit]
			page.Next = &found[limit-1].ID
		}
		page.Messages = append(page.Messages, found...)
		return nil
	})
	return page, err
}

func (f *Filter) where() (string, []any, error) {
	var terms []string
	var args []any
	add := func(term string, arg any) { terms, args = append(terms, term), append(args, arg) }
	if f.After != "" {
		id, err := parse(f.After)
		if err != nil {
			return "", nil, api.Errorf(api.CodeInvalid, "after: %q is not the cursor of a page", f.After)
		}
		add(`id < ?`, id)
	}
	if f.Direction != "" {
		add(`direction = ?`, string(f.Direction))
	}
	if f.State != "" {
		add(`state = ?`, string(f.State))
	}
	if f.Number != "" {
		add(`number_key = ?`, numberKey(f.Number))
	}
	if f.Modem != "" {
		add(`modem <> '' AND modem = ?`, f.Modem)
	}
	if len(terms) == 0 {
		return "", nil, nil
	}
	return "WHERE " + strings.Join(terms, " AND "), args, nil
}

// messages reads messages and their parts. tail is the query from its WHERE on.
func (t *tx) messages(tail string, args ...any) ([]api.Message, error) {
	rows, err := t.rows(`SELECT id, direction, state, number, text, data, port, encoding, class, created_at, sent_at, modem,
		code, reason, priority, on_unknown, not_before, expires, duplicate, repeat_of, incomplete > 0, flags, sum FROM message `+tail, args...)
	if err != nil {
		return nil, err
	}
	all, err := collect(rows, scanMessage)
	if err != nil {
		return nil, err
	}
	return all, t.fillParts(all)
}

func scanMessage(rows *sql.Rows) (api.Message, error) {
	var m api.Message
	var id, created int64
	var number, code, reason string
	var text, policy, flags sql.NullString
	var port, class, sent, priority, notBefore, expires, repeatOf, sum sql.NullInt64
	err := rows.Scan(&id, &m.Direction, &m.State, &number, &text, &m.Data, &port, &m.Encoding, &class, &created, &sent, &m.Modem,
		&code, &reason, &priority, &policy, &notBefore, &expires, &m.PossibleDuplicate, &repeatOf, &m.Incomplete, &flags, &sum)
	if err != nil {
		return m, err
	}
	m.ID, m.CreatedAt, m.SentAt = formatID(id), fromMilli(created), optionalTime(sent)
	m.Port, m.Class, m.NotBefore, m.Expires = optionalInt(port), optionalInt(class), optionalTime(notBefore), optionalTime(expires)
	m.To, m.OnUnknown = number, api.OnUnknown(policy.String)
	if m.Direction == api.In {
		m.To, m.From = "", number
	}
	if text.Valid {
		m.Text = &text.String
	}
	if priority.Valid {
		m.Priority = priorityOf(priority.Int64)
	}
	if repeatOf.Valid {
		m.RepeatOf = formatID(repeatOf.Int64)
	}
	if flags.Valid && json.Unmarshal([]byte(flags.String), &m.Flags) != nil {
		m.Flags = []string{api.FlagDamaged}
	}
	markDamage(&m, number, sum)
	m.Reason, m.Error = reasons(m.State, code, reason)
	return m, nil
}

// reasons tells why a message waits from why it failed.
func reasons(state api.State, code, text string) (waits, failed *api.Reason) {
	if code == "" {
		return nil, nil
	}
	r := &api.Reason{Code: code, Message: text}
	switch state {
	case api.Queued, api.Scheduled, api.Sending:
		return r, nil
	}
	return nil, r
}

// fillParts reads the parts of all, in two queries.
func (t *tx) fillParts(all []api.Message) error {
	byID := map[int64]*api.Message{}
	ids := make([]string, len(all))
	for i := range all {
		ids[i] = all[i].ID
		id, err := parse(all[i].ID)
		if err != nil {
			return err
		}
		byID[id] = &all[i]
		all[i].Parts = []api.Part{}
	}
	rows, err := t.rows(`SELECT message, seq, state, mr, modem, tries, report FROM part WHERE message IN (SELECT value FROM json_each(?1))
		UNION ALL SELECT message, seq, 'received', NULL, modem, 0, 'not-asked' FROM received
			WHERE message IS NOT NULL AND message IN (SELECT value FROM json_each(?1))
		ORDER BY 1, 2`, "["+strings.Join(ids, ",")+"]")
	if err != nil {
		return err
	}
	_, err = collect(rows, func(rows *sql.Rows) (none struct{}, err error) {
		var id int64
		var p api.Part
		var mr sql.NullInt64
		if err := rows.Scan(&id, &p.Seq, &p.State, &mr, &p.Modem, &p.Attempts, &p.Report); err != nil {
			return none, err
		}
		p.MR = optionalInt(mr)
		if m := byID[id]; m != nil { // an index that is damaged may lead to another message's
			m.Parts = append(m.Parts, p)
		}
		return none, nil
	})
	return err
}

func (t *tx) attempts(message int64) ([]api.Attempt, error) {
	rows, err := t.rows(`SELECT a.id, p.seq, a.state, a.mr, a.modem, s.imsi, a.started_at, a.settled_at, a.reason, a.evidence, a.code, a.error
		FROM part p JOIN attempt a ON a.part = p.id JOIN sim s ON s.id = a.sim WHERE p.message = ? ORDER BY a.id`, message)
	if err != nil {
		return nil, err
	}
	return collect(rows, func(rows *sql.Rows) (api.Attempt, error) {
		var a api.Attempt
		var id, started int64
		var mr, settled sql.NullInt64
		var e api.Reason
		err := rows.Scan(&id, &a.Part, &a.State, &mr, &a.Modem, &a.IMSI, &started, &settled, &a.Reason, &a.Evidence, &e.Code, &e.Message)
		a.ID, a.MR, a.StartedAt, a.SettledAt = formatID(id), optionalInt(mr), fromMilli(started), optionalTime(settled)
		if e.Code != "" {
			a.Error = &e
		}
		return a, err
	})
}

func (t *tx) reports(message int64) ([]api.Report, error) {
	rows, err := t.rows(`SELECT p.seq, r.mr, r.number, r.status, r.status_text, r.final, r.sent_at, r.discharge, r.received_at
		FROM part p JOIN attempt a ON a.part = p.id JOIN report r ON r.attempt = a.id WHERE p.message = ? ORDER BY r.id`, message)
	if err != nil {
		return nil, err
	}
	return collect(rows, func(rows *sql.Rows) (api.Report, error) {
		var r api.Report
		var sent, discharge, received int64
		err := rows.Scan(&r.Part, &r.MR, &r.Number, &r.Status, &r.StatusText, &r.Final, &sent, &discharge, &received)
		r.SentAt, r.Discharge, r.ReceivedAt = fromMilli(sent), fromMilli(discharge), fromMilli(received)
		return r, err
	})
}

// Counts returns the number of open messages by state, all five states. It is
// known without the file.
func (s *Store) Counts() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	counts := map[string]int{}
	for _, state := range openStates {
		counts[string(state)] = s.counts[state]
	}
	return counts
}

// waitingSQL counts a lane; see due.go.
const waitingSQL = `SELECT count(*) FROM part WHERE state = 'queued' AND blocked = 0 AND lane = ?`

// Waiting counts the queued parts that only the SIM in that modem may send.
func (s *Store) Waiting(sim int64, modem string) (int, error) {
	total := 0
	for _, lane := range []string{simLane(sim), askedLane(modem)} {
		var n int
		if err := s.read().row(waitingSQL, lane).Scan(&n); err != nil {
			return 0, s.readError("count what waits", err)
		}
		total += n
	}
	return total, nil
}
