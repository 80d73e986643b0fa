package store

import (
	"database/sql"
	"fmt"
	"strings"
	"time"

	"simpost/daemon/api"
)

// Which part is next. The order is priority, then messages that have begun
// before new ones (so the parts of a message stay together, and a retry does not
// go behind a thousand newcomers), then due time, then id. A part that must wait
// is not in the way of the others: its due_at lies ahead.
//
// The query looks at twelve ends of one partial index (three priorities, four
// lanes), so it costs the same at any size of the queue.

// maxDue bounds one answer of Due.
const maxDue = 10000

// DueQuery says who asks for work.
type DueQuery struct {
	SIM   int64
	Modem string
	Home  []string // where the SIM is from; see aside.go
	Limit int      // at most 10,000; 0 is 1
}

// Job is a part to send.
type Job struct {
	Part, Message int64
	Seq, Total    int
	To            string
	TPDU          []byte // SMS-SUBMIT, concat reference 0, TP-MR 0
	Damaged       bool   // TPDU is not what was accepted: never send it
	Ref           int    // the message's concat reference, -1: none yet
	NextRef       int    // the reference to use then
	SIM           int64  // the SIM it must leave on, 0: any
	Modem         string // asked for by name, "" any
	Priority      api.Priority
	Tries         int  // attempts so far whose ^Z may have left
	Resend        bool // possible duplicate
	LastMR        int  // TP-MR of the last attempt, -1: none or not known
	OnUnknown     api.OnUnknown
	Expires       *time.Time
	CreatedAt     time.Time
	Report        bool
	Validity      time.Duration
}

// lanes are the parameters of a query: its SIM's, the common one, its modem's, its home's.
var lanes = [...]string{"?1", "''", "?2", "?3"}

// dueEnds is one SELECT an end of the index, priority by priority.
func dueEnds(columns, order string) string {
	var ends []string
	for rank := range priorities {
		for i, lane := range lanes {
			fresh := min(i, 1) // 0: its message has begun on this SIM
			ends = append(ends, fmt.Sprintf(`SELECT * FROM (SELECT %s, %d AS rank, %d AS fresh FROM part
				WHERE state = 'queued' AND blocked = 0 AND lane = %s AND priority = %d AND due_at <= ?4 %s)`, columns, rank, fresh, lane, rank, order))
		}
	}
	return strings.Join(ends, " UNION ALL ")
}

var dueSQL = `WITH pick AS (` + dueEnds("id", "ORDER BY due_at, id LIMIT ?5") + `)
	SELECT p.id, m.id, p.seq, m.total, m.number, p.tpdu, p.sum, m.ref, s.next_ref, m.sim, m.asked, p.priority, p.tries, p.resend,
		(SELECT a.mr FROM attempt a WHERE a.part = p.id ORDER BY a.id DESC LIMIT 1), m.on_unknown, m.expires, m.created_at, m.report, m.validity
	FROM pick JOIN part p USING (id) JOIN message m ON m.id = p.message LEFT JOIN sim s ON s.id = ?6
	ORDER BY pick.rank, pick.fresh, p.due_at, p.id LIMIT ?5`

// Due returns the parts that the SIM in that modem may send now, the next first.
// It reads only: `queued` on disk stays a proof of not sent.
func (s *Store) Due(now time.Time, q DueQuery) ([]Job, error) {
	limit := min(max(q.Limit, 1), maxDue)
	rows, err := s.read().rows(dueSQL, simLane(q.SIM), askedLane(q.Modem), laneOfHome(q.Home), now.UnixMilli(), limit, q.SIM)
	if err != nil {
		return nil, s.readError("find what to send", err)
	}
	jobs, err := collect(rows, scanJob)
	return jobs, s.readError("find what to send", err)
}

// askedLane is the lane of messages that ask for this modem; it is never the
// common one, which must not be read twice.
func askedLane(name string) string { return "m:" + name }

func scanJob(rows *sql.Rows) (Job, error) {
	var j Job
	var ref, next, sim, mr, expires, sum sql.NullInt64
	var priority, created, validity int64
	err := rows.Scan(&j.Part, &j.Message, &j.Seq, &j.Total, &j.To, &j.TPDU, &sum, &ref, &next, &sim, &j.Modem, &priority, &j.Tries, &j.Resend,
		&mr, &j.OnUnknown, &expires, &created, &j.Report, &validity)
	j.Damaged = !sum.Valid || sum.Int64 != partSum(j.Message, j.Seq, j.TPDU)
	j.Ref, j.LastMR, j.NextRef, j.SIM = orMinusOne(ref), orMinusOne(mr), int(next.Int64), sim.Int64
	j.Priority, j.Expires, j.CreatedAt = priorityOf(priority), optionalTime(expires), fromMilli(created)
	j.Validity = time.Duration(validity) * time.Millisecond
	return j, err
}

func orMinusOne(n sql.NullInt64) int {
	if !n.Valid {
		return -1
	}
	return int(n.Int64)
}

var nextDueSQL = `SELECT min(due_at) FROM (` + nextEnds() + `)`

func nextEnds() string {
	var ends []string
	for rank := range priorities {
		for _, lane := range lanes {
			ends = append(ends, fmt.Sprintf(`SELECT min(due_at) AS due_at FROM part
				WHERE state = 'queued' AND blocked = 0 AND lane = %s AND priority = %d`, lane, rank))
		}
	}
	return strings.Join(ends, " UNION ALL ")
}

// NextDue is when the next part that Due would return becomes due: in the past if
// one is due already, false if none waits.
func (s *Store) NextDue(q DueQuery) (time.Time, bool, error) {
	var at sql.NullInt64
	if err := s.read().row(nextDueSQL, simLane(q.SIM), askedLane(q.Modem), laneOfHome(q.Home)).Scan(&at); err != nil {
		return time.Time{}, false, s.readError("find what to send", err)
	}
	return fromMilli(at.Int64), at.Valid, nil
}
