package store

import (
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"testing"
	"time"

	"simpost/daemon/api"
)

// TestInvariants runs operations at random, as a daemon with two modems, people
// and crashes would, and looks after each few of them whether I4, I5 and I6 hold
// and the cached columns say what their parts say.
func TestInvariants(t *testing.T) {
	for _, seed := range []uint64{1, 2, 3, 4} {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			p := newPlay(t, seed)
			for i := range 600 {
				p.step()
				if i%20 == 19 {
					p.check()
				}
				if t.Failed() {
					t.Fatalf("after step %d: %s", i, p.last)
				}
			}
			p.finish()
		})
	}
}

// play is one run: a store, two SIMs, what is in the air.
type play struct {
	*testing.T
	s     *Store
	r     *rand.Rand
	now   time.Time
	sims  []SIM
	parts int
	last  string
	pdus  int
	seen  map[string]int // how often each operation was not refused
}

func newPlay(t *testing.T, seed uint64) *play {
	p := &play{T: t, s: open(t), r: rand.New(rand.NewPCG(seed, 0)), now: t0, seen: map[string]int{}}
	for i, name := range []string{"office", "spare"} {
		p.sims = append(p.sims, must[SIM](t)(p.s.Seen(t0, Identity{Modem: name, IMSI: fmt.Sprint("24201000000000", i)})))
	}
	return p
}

var modems = []string{"office", "spare"}

// ops are what happens, and how often beside the others.
var ops = []struct {
	name   string
	weight int
	do     func(*play) error
}{
	{"enqueue", 8, (*play).enqueue},
	{"send", 16, (*play).send},
	{"settle", 14, (*play).settle},
	{"not sent", 2, (*play).notSent},
	{"evidence", 3, (*play).evidence},
	{"report", 6, (*play).report},
	{"decide", 4, (*play).decide},
	{"cancel", 2, (*play).cancel},
	{"resolve", 2, (*play).resolve},
	{"pause", 3, (*play).pause},
	{"give up", 1, (*play).giveUp},
	{"crash", 1, (*play).crash},
	{"time", 3, (*play).time},
}

// op is one of them by chance.
func (p *play) op() int {
	total := 0
	for _, op := range ops {
		total += op.weight
	}
	n, i := p.r.IntN(total), 0
	for ; n >= ops[i].weight; i++ {
		n -= ops[i].weight
	}
	return i
}

func (p *play) step() {
	p.Helper()
	p.now = p.now.Add(time.Duration(p.r.IntN(5_000)) * time.Millisecond)
	op := ops[p.op()]
	err := op.do(p)
	p.last = fmt.Sprint(op.name, ": ", err)
	var e *api.Error
	switch {
	case err == nil:
		p.seen[op.name]++
	case errors.As(err, &e) && (e.Code == api.CodeConflict || e.Code == api.CodeTooLate || e.Code == api.CodeNotFound):
	default:
		p.Errorf("%s: %v", op.name, err)
	}
}

// finish fails if the run never did one of the operations.
func (p *play) finish() {
	for _, op := range ops {
		if p.seen[op.name] == 0 {
			p.Errorf("%q never worked in this run: %v", op.name, p.seen)
		}
	}
}

func pick[T any](p *play, all ...T) T { return all[p.r.IntN(len(all))] }

// pickID is one of a query's ids, 0 if there are none.
func (p *play) pickID(query string, args ...any) int64 {
	p.Helper()
	rows, err := p.s.rdb.Query(query, args...)
	ok(p, err)
	ids := must[[]int64](p)(collect(rows, scanID))
	if len(ids) == 0 {
		return 0
	}
	return pick(p, ids...)
}

func (p *play) enqueue() error {
	m := text(1 + p.r.IntN(3))
	m.To = pick(p, "+4790000001", "+4790000002")
	m.OnUnknown, m.Priority = pick(p, api.OnUnknownResend, api.OnUnknownHold, api.OnUnknownFail), pick(p, priorities[:]...)
	m.Report, m.Modem = pick(p, true, true, false), pick(p, "", "", "office", "spare")
	soon := p.now.Add(time.Duration(p.r.IntN(600)) * time.Second)
	switch p.r.IntN(4) {
	case 0:
		m.NotBefore = &soon
	case 1:
		m.Expires = &soon
	}
	p.parts += len(m.Parts)
	_, err := p.s.Enqueue(p.now, nil, []NewMessage{m})
	return err
}

func (p *play) send() error {
	i := p.r.IntN(2)
	jobs, err := p.s.Due(p.now, DueQuery{SIM: p.sims[i].ID, Modem: modems[i], Limit: 4})
	if err != nil || len(jobs) == 0 {
		return errors.Join(err, api.Errorf(api.CodeNotFound, "nothing is due"))
	}
	j := pick(p, jobs...)
	ref := j.Ref
	if ref < 0 {
		ref = j.NextRef
	}
	_, err = p.s.Submitting(p.now, Submit{Part: j.Part, SIM: p.sims[i].ID, Modem: modems[i], Ref: ref, Reason: "next"})
	return err
}

// outcome is how an attempt may end.
func (p *play) outcome(attempt int64) Settle {
	set := Settle{Attempt: attempt, State: pick(p, api.Submitted, api.Submitted, api.Submitted, api.Unknown, api.Unknown, api.Queued, api.Queued, api.Failed), MR: -1, Error: refused}
	switch set.State {
	case api.Submitted:
		set.MR, set.Error = p.r.IntN(4), nil
	case api.Queued:
		set.RetryAt = p.now.Add(time.Duration(p.r.IntN(60)) * time.Second)
	case api.Unknown:
		set.MR = p.r.IntN(5) - 1
		if p.r.IntN(2) == 0 {
			set.DecideAt = p.now.Add(time.Minute)
		}
	}
	return set
}

func (p *play) settle() error {
	return p.s.Settle(p.now, p.outcome(p.pickID(`SELECT id FROM attempt WHERE state = 'submitting'`)))
}

func (p *play) notSent() error {
	return p.s.NotSent(p.now, p.pickID(`SELECT id FROM attempt WHERE state = 'submitting'`), p.now, *refused)
}

func (p *play) evidence() error {
	a := p.pickID(`SELECT id FROM attempt WHERE state = 'unknown'`)
	return p.s.Evidence(p.now, a, p.outcome(a))
}

func (p *play) report() error {
	p.pdus++
	status := pick(p, stDelivered, stDelivered, stPending, stFailed)
	_, err := p.s.Receive(p.now, Incoming{Modem: "office", SIM: pick(p, p.sims...).ID, Slot: -1, PDU: fmt.Append(nil, p.pdus), Kind: "report",
		Report: &Report{MR: p.r.IntN(4), Number: pick(p, "90000001", "90000002"), SentAt: p.now.Add(-time.Duration(p.r.IntN(90)) * time.Second), Discharge: p.now,
			Status: status, StatusText: "report", Final: status != stPending, Delivered: status == stDelivered}}, nil)
	return err
}

func (p *play) decide() error {
	sim := pick(p, p.sims...)
	if err := p.s.Quarantine(p.now, sim.ID, p.now); err != nil {
		return err
	}
	open, err := p.s.Undecided(p.now)
	if err != nil || len(open) == 0 {
		return errors.Join(err, api.Errorf(api.CodeNotFound, "nothing is undecided"))
	}
	u := pick(p, open...)
	state := map[api.OnUnknown]api.State{api.OnUnknownResend: api.Queued, api.OnUnknownHold: api.Held, api.OnUnknownFail: api.Failed}[u.OnUnknown]
	if u.Unknowns > 1 && state == api.Queued {
		state = api.Unknown
	}
	return p.s.Decide(p.now, u.Part, Decision{State: state, Reason: api.Reason{Code: "policy", Message: "as the message asked"}})
}

func (p *play) cancel() error {
	_, err := p.s.Cancel(p.now, p.pickID(`SELECT id FROM message WHERE state IN ('queued', 'scheduled', 'sending')`))
	return err
}

func (p *play) resolve() error {
	_, err := p.s.Resolve(p.now, p.pickID(`SELECT id FROM message WHERE state IN ('unknown', 'held')`), pick(p, api.ResolveFail, api.ResolveResend, api.ResolveSent))
	return err
}

func (p *play) pause() error {
	return p.s.Pause(p.now, p.pickID(`SELECT id FROM part WHERE state = 'queued'`), p.now.Add(time.Minute), *refused)
}

func (p *play) giveUp() error {
	return p.s.GiveUp(p.now, p.pickID(`SELECT id FROM part WHERE state = 'queued'`), *refused)
}

func (p *play) crash() error {
	_, err := p.s.Start(p.now)
	return err
}

func (p *play) time() error {
	p.now = p.now.Add(time.Duration(p.r.IntN(300)) * time.Second)
	_, err := p.s.Expire(p.now)
	_, err2 := p.s.NoReports(p.now)
	return errors.Join(err, err2)
}

// never are queries that must find nothing, each with what it would mean.
var never = map[string]string{
	"I4: two attempts of a part in the air":       `SELECT part FROM attempt WHERE state = 'submitting' GROUP BY part HAVING count(*) > 1`,
	"a part is submitting, no attempt is":         `SELECT id FROM part p WHERE state = 'submitting' AND NOT EXISTS (SELECT 1 FROM attempt a WHERE a.part = p.id AND a.state = 'submitting')`,
	"an attempt is submitting, its part is not":   `SELECT a.id FROM attempt a JOIN part p ON p.id = a.part WHERE a.state = 'submitting' AND p.state <> 'submitting'`,
	"I4: an attempt that is not the last is open": `SELECT a.id FROM attempt a WHERE a.state = 'submitting' AND a.id <> (SELECT max(id) FROM attempt b WHERE b.part = a.part)`,
	"I5: parts on two SIMs":                       `SELECT p.message FROM attempt a JOIN part p ON p.id = a.part GROUP BY p.message HAVING count(DISTINCT a.sim) > 1`,
	"I5: bound to another SIM than it left on":    `SELECT m.id FROM attempt a JOIN part p ON p.id = a.part JOIN message m ON m.id = p.message WHERE m.sim IS NOT a.sim`,
	"I5: in parts and without a reference":        `SELECT m.id FROM message m WHERE m.total > 1 AND m.sim IS NOT NULL AND m.ref IS NULL`,
	"I5: bound, and a part in another lane":       `SELECT p.id FROM part p JOIN message m ON m.id = p.message WHERE m.sim IS NOT NULL AND p.lane <> 's:' || m.sim`,
	"I6: repeated and does not say so": `SELECT p.id FROM attempt a JOIN attempt b ON b.part = a.part AND b.id > a.id JOIN part p ON p.id = a.part
		WHERE a.state IN ('unknown', 'submitted') AND b.state <> 'failed' AND p.resend = 0`,
	"I6: queued is a proof of not sent":           `SELECT p.id FROM part p JOIN attempt a ON a.part = p.id WHERE p.state = 'queued' AND p.resend = 0 AND a.state <> 'failed'`,
	"I6: not sent, it says, and may be":           `SELECT p.id FROM part p JOIN attempt a ON a.part = p.id WHERE p.state IN ('expired', 'cancelled') AND a.state <> 'failed'`,
	"I6: failed, a refusal says, and may be sent": `SELECT p.id FROM part p JOIN attempt a ON a.part = p.id WHERE p.state = 'failed' AND p.code = 'rejected' AND a.state <> 'failed'`,
	"I6: accepted and not submitted":              `SELECT p.id FROM part p JOIN attempt a ON a.part = p.id WHERE a.state = 'submitted' AND p.state NOT IN ('submitted', 'delivered', 'failed', 'submitting')`,
	"I6: held back by nothing": `SELECT p.id FROM part p WHERE p.state = 'queued' AND p.blocked = 1
		AND NOT EXISTS (SELECT 1 FROM part q WHERE q.message = p.message AND q.state IN ('unknown', 'held'))`,
	"I6: it goes on past an outcome that must be known": `SELECT p.id FROM part p JOIN message m ON m.id = p.message WHERE p.state = 'queued' AND p.blocked = 0 AND m.on_unknown <> 'resend'
		AND EXISTS (SELECT 1 FROM part q WHERE q.message = p.message AND q.state IN ('unknown', 'held'))`,
	"the flag of the message is not that of its parts": `SELECT m.id FROM message m WHERE m.direction = 'out' AND m.duplicate <> (SELECT max(resend) FROM part p WHERE p.message = m.id)`,
	"an unknown attempt was closed by nobody":          `SELECT id FROM attempt WHERE state <> 'submitting' AND settled_at IS NULL`,
	"a decided part that is not unknown":               `SELECT id FROM part WHERE decided = 1 AND state <> 'unknown'`,
	"a decided part is to be decided":                  `SELECT id FROM part WHERE decided = 1 AND decide_at IS NOT NULL`,
	"gaps in the events":                               `SELECT max(seq) FROM event HAVING count(*) <> max(seq)`,
}

func (p *play) check() {
	p.Helper()
	for meaning, query := range never {
		rows, err := p.s.rdb.Query(query)
		ok(p, err)
		if ids := must[[]int64](p)(collect(rows, scanID)); len(ids) > 0 {
			p.Errorf("%s: %v", meaning, ids)
		}
	}
	var parts int
	ok(p, p.s.rdb.QueryRow(`SELECT count(*) FROM part`).Scan(&parts))
	if parts != p.parts {
		p.Errorf("I6: %d parts, %d were accepted", parts, p.parts)
	}
	p.checkStates()
	p.checkReachable()
}

// checkStates recomputes every message's state, and the numbers of open ones.
func (p *play) checkStates() {
	p.Helper()
	rows, err := p.s.rdb.Query(`SELECT m.id, m.state, coalesce(m.not_before, 0), p.state FROM message m JOIN part p ON p.message = m.id ORDER BY m.id, p.seq`)
	ok(p, err)
	cached, parts, waits := map[int64]string{}, map[int64][]string{}, map[int64]bool{}
	must[[]int64](p)(collect(rows, func(rows *sql.Rows) (id int64, err error) {
		var state, part string
		var notBefore int64
		err = rows.Scan(&id, &state, &notBefore, &part)
		cached[id], parts[id], waits[id] = state, append(parts[id], part), notBefore > p.now.UnixMilli()
		return id, err
	}))
	counts := map[string]int{"scheduled": 0, "queued": 0, "sending": 0, "unknown": 0, "held": 0}
	for id, have := range cached {
		want := firstThatApplies(parts[id], waits[id])
		if have == "scheduled" && want == "queued" {
			want = have // its time has come and the housekeeper has not
		}
		if have != want {
			p.Errorf("message %d is %s, its parts %v make it %s", id, have, parts[id], want)
		}
		if _, open := counts[have]; open {
			counts[have]++
		}
	}
	if got := p.s.Counts(); !maps.Equal(got, counts) {
		p.Errorf("counts %v, want %v", got, counts)
	}
}

// firstThatApplies is HOUSE section 8 again, in its own words.
func firstThatApplies(parts []string, waits bool) string {
	has := map[string]bool{}
	for _, s := range parts {
		has[s] = true
	}
	out := has["submitted"] || has["delivered"]
	for _, c := range []struct {
		state   string
		applies bool
	}{
		{"unknown", has["unknown"]}, {"held", has["held"]}, {"failed", has["failed"]}, {"expired", has["expired"]}, {"cancelled", has["cancelled"]},
		{"sending", has["submitting"] || out && has["queued"]},
		{"scheduled", has["queued"] && waits}, {"queued", has["queued"]},
		{"sent", has["submitted"]},
	} {
		if c.applies {
			return c.state
		}
	}
	return "delivered"
}

// checkReachable: every queued part that nothing holds back is offered to a SIM
// some day (I6: never silently lost).
func (p *play) checkReachable() {
	p.Helper()
	offered := map[int64]bool{}
	for i, sim := range p.sims {
		jobs := must[[]Job](p)(p.s.Due(p.now.Add(10000*time.Hour), DueQuery{SIM: sim.ID, Modem: modems[i], Limit: maxDue}))
		for _, j := range jobs {
			offered[j.Part] = true
		}
	}
	rows, err := p.s.rdb.Query(`SELECT id FROM part WHERE state = 'queued' AND blocked = 0`)
	ok(p, err)
	for _, id := range must[[]int64](p)(collect(rows, scanID)) {
		if !offered[id] {
			p.Errorf("I6: part %d is queued and offered to no SIM", id)
		}
	}
}
