package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"simpost/daemon/api"
)

// marks is a database with a mark, opened again and again.
type marks struct {
	*world
	db, mark string
}

func newMarks(t *testing.T) *marks {
	m := &marks{db: filepath.Join(t.TempDir(), "simpost.db"), mark: filepath.Join(t.TempDir(), "mark", "last")}
	m.world = newWorld(t, must[*Store](t)(Open(m.db)))
	t.Cleanup(func() { ok(t, m.s.Close()) })
	m.begin()
	return m
}

// begin starts a run.
func (m *marks) begin() Recovered {
	m.t.Helper()
	return must[Recovered](m.t)(m.s.StartMarked(m.tick(), m.mark))
}

// again ends the run, in order or by a crash, and begins another one, with the
// database as change leaves it.
func (m *marks) again(crash bool, change func()) Recovered {
	m.t.Helper()
	if crash {
		m.s.mark.path = ""
	}
	ok(m.t, m.s.Close())
	change()
	m.s = must[*Store](m.t)(Open(m.db))
	return m.begin()
}

func (m *marks) copy() string {
	m.t.Helper()
	path := filepath.Join(m.t.TempDir(), "copy.db")
	ok(m.t, m.s.Backup(m.t.Context(), path))
	return path
}

// restore puts a copy in the database's place.
func (m *marks) restore(path string) func() {
	return func() {
		m.t.Helper()
		for _, old := range []string{"", "-wal", "-shm"} {
			if err := os.Remove(m.db + old); err != nil && !errors.Is(err, os.ErrNotExist) {
				m.t.Fatal(err)
			}
		}
		ok(m.t, os.WriteFile(m.db, must[[]byte](m.t)(os.ReadFile(path)), 0o600))
	}
}

// every makes one message of each open state, and some that are done.
func (m *marks) every() (open, done []int64) {
	m.t.Helper()
	later := at(24 * time.Hour)
	decide := func(state api.State) int64 {
		id := m.enqueue(text(1))
		m.lost(m.next())
		ok(m.t, m.s.Quarantine(m.tick(), m.sim.ID, m.now))
		for _, u := range must[[]UnknownPart](m.t)(m.s.Undecided(m.now)) {
			ok(m.t, m.s.Decide(m.tick(), u.Part, Decision{State: state, Reason: api.Reason{Code: "unknown", Message: "no answer"}}))
		}
		return id
	}
	sent := m.enqueue(text(1))
	m.sent(m.next(), 1)
	failed := m.enqueue(text(1))
	m.settle(Settle{Attempt: m.submit(m.next()), State: api.Failed, MR: -1, Error: &api.Reason{Code: "cms-1", Message: "refused"}})
	cancelled := m.enqueue(text(1))
	must[api.Message](m.t)(m.s.Cancel(m.tick(), cancelled))
	held := decide(api.Held)
	forGood := decide(api.Unknown)
	half := m.enqueue(text(3))
	m.sent(m.next(), 2)
	m.lost(m.next())
	inTheAir := m.enqueue(text(1))
	for _, j := range m.due() {
		if j.Message == inTheAir {
			m.submit(j)
		}
	}
	resend := decide(api.Queued)
	queued := m.enqueue(text(2))
	soon := text(1)
	soon.NotBefore = &later
	scheduled := m.enqueue(soon)
	blocked := text(2)
	blocked.OnUnknown = api.OnUnknownHold
	blocks := m.enqueue(blocked)
	for _, j := range m.due() {
		if j.Message == blocks {
			m.lost(j)
			break
		}
	}
	return []int64{held, half, inTheAir, resend, queued, scheduled, blocks}, []int64{sent, failed, cancelled, forGood}
}

// nothingLeaves fails if anything would be sent, or would be after any time.
func (m *marks) nothingLeaves() {
	m.t.Helper()
	far := m.now.Add(365 * 24 * time.Hour)
	must[int](m.t)(m.s.Expire(m.tick()))
	ok(m.t, m.s.Quarantine(m.tick(), m.sim.ID, m.now))
	if u := must[[]UnknownPart](m.t)(m.s.Undecided(far)); len(u) != 0 {
		m.t.Errorf("%d parts wait for the policy, which would send them again", len(u))
	}
	if jobs := must[[]Job](m.t)(m.s.Due(far, DueQuery{SIM: m.sim.ID, Modem: "office", Limit: 100})); len(jobs) != 0 {
		m.t.Errorf("it would send %+v", jobs)
	}
}

// TestRestoredCopySendsNothing: yesterday's copy, with a message in every state
// there is (TRUST F33), however the run after it ended.
func TestRestoredCopySendsNothing(t *testing.T) {
	for _, crash := range []bool{false, true} {
		t.Run(fmt.Sprint("crash ", crash), func(t *testing.T) {
			m := newMarks(t)
			open, done := m.every()
			var before []api.State
			for _, id := range done {
				before = append(before, m.get(id).State)
			}
			yesterday := m.copy()
			m.again(false, func() {}) // the daemon went on since
			m.enqueue(text(1))
			rec := m.again(crash, m.restore(yesterday))
			if !rec.Restored || rec.Held == 0 {
				t.Fatalf("not noticed: %+v", rec)
			}
			m.nothingLeaves()
			for _, id := range open {
				msg := m.get(id)
				if msg.State != api.Held && msg.State != api.Unknown {
					t.Errorf("message %d is %s", id, msg.State)
				}
				for _, p := range msg.Parts {
					if p.State == api.Queued || p.State == api.Submitting || p.State == api.Unknown {
						t.Errorf("part %d of message %d is %s", p.Seq, id, p.State)
					}
				}
			}
			for i, id := range done {
				if s := m.get(id).State; s != before[i] {
					t.Errorf("message %d is %s, was %s", id, s, before[i])
				}
			}
			if rec := m.again(crash, func() {}); rec.Restored || rec.Held != 0 {
				t.Errorf("it counts as restored a second time: %+v", rec)
			}
			m.released(open[4])
			if rec := m.again(crash, m.restore(yesterday)); !rec.Restored {
				t.Error("the same copy, restored again, was not noticed")
			}
		})
	}
}

// released: a person sends a held message, and it is marked.
func (m *marks) released(id int64) {
	m.t.Helper()
	if e := m.get(id).Error; e == nil || e.Code != "restored" {
		m.t.Errorf("message %d does not say why it is held: %+v", id, e)
	}
	must[api.Message](m.t)(m.s.Resolve(m.tick(), id, api.ResolveResend))
	if got := m.want(id, api.Queued); !got.PossibleDuplicate {
		m.t.Errorf("message %d may have been sent and does not say so", id)
	}
	for _, j := range m.due() {
		m.sent(j, 9)
	}
}

// TestBackupSaysThatItIsACopy: what Backup made is held when it comes back, however
// little happened since, however the run ended, and whatever became of the mark.
func TestBackupSaysThatItIsACopy(t *testing.T) {
	for name, change := range map[string]func(*marks){
		"the mark is there": func(*marks) {},
		"the mark is that of the copy": func(m *marks) {
			c := must[*Store](t)(Open(m.db))
			p := c.done()
			ok(t, c.Close())
			ok(t, os.WriteFile(m.mark, p.encode(), 0o600))
		},
		"there is none": func(m *marks) { ok(t, os.Remove(m.mark)) },
		"it is off":     func(m *marks) { m.mark = "" },
	} {
		t.Run(name, func(t *testing.T) {
			m := newMarks(t)
			id := m.enqueue(text(1))
			copied := m.copy()
			m.sent(m.next(), 7)
			rec := m.again(true, func() {
				m.restore(copied)()
				change(m)
			})
			if !rec.Restored || rec.Held != 1 {
				t.Errorf("got %+v", rec)
			}
			m.nothingLeaves()
			m.want(id, api.Held)
			if rec := m.again(true, func() {}); rec.Restored {
				t.Errorf("it counts as restored a second time: %+v", rec)
			}
			m.released(id)
		})
	}
}

// TestOlderByOneAttempt: after a clean stop one attempt is enough.
func TestOlderByOneAttempt(t *testing.T) {
	m := newMarks(t)
	m.enqueue(text(1))
	m.enqueue(text(1))
	copied := m.copy()
	m.sent(m.next(), 1)
	if rec := m.again(false, m.restore(copied)); !rec.Restored || rec.Held != 2 {
		t.Errorf("got %+v", rec)
	}
}

// TestNotRestored: what must not be taken for a restored copy.
func TestNotRestored(t *testing.T) {
	m := newMarks(t)
	for i := range 3*markBlock + 7 {
		m.enqueue(text(1))
		m.sent(m.next(), i%256)
		if i%17 != 0 {
			continue
		}
		waits := m.enqueue(text(1))
		if rec := m.again(i%2 == 1, func() {}); rec.Restored {
			t.Fatalf("after attempt %d: %+v", i, rec)
		}
		m.want(waits, api.Queued)
		must[api.Message](t)(m.s.Cancel(m.tick(), waits))
	}
}

// TestRefusedAfterRestore: what was sent since the copy was made is in none of its
// attempts, so what a person sends again may be out whatever the network says.
func TestRefusedAfterRestore(t *testing.T) {
	m := newMarks(t)
	id := m.enqueue(text(1))
	copied := m.copy()
	m.sent(m.next(), 1)
	m.again(false, m.restore(copied))
	must[api.Message](t)(m.s.Resolve(m.tick(), id, api.ResolveResend))
	m.settle(Settle{Attempt: m.submit(m.next()), State: api.Failed, MR: -1, Error: refused})
	m.want(id, api.Unknown)
}

// TestMarkIsRareAndAhead: the file is written once for markBlock attempts, and is
// never behind one that has begun.
func TestMarkIsRareAndAhead(t *testing.T) {
	m := newMarks(t)
	seen := map[progress]bool{}
	for i := range 2 * markBlock {
		m.enqueue(text(1))
		a := m.submit(m.next())
		p := must[progress](t)(readMark(m.mark))
		seen[p] = true
		if a > p.reserved || a <= p.reached {
			t.Fatalf("attempt %d under %+v", a, p)
		}
		m.settle(Settle{Attempt: a, State: api.Submitted, MR: i})
	}
	if len(seen) != 2 {
		t.Errorf("%d marks for %d attempts, want 2", len(seen), 2*markBlock)
	}
}

// TestMarkLost: without its mark a database that had one is not trusted; one that
// never had one is.
func TestMarkLost(t *testing.T) {
	for name, damage := range map[string]func(*marks){
		"removed": func(m *marks) { ok(t, os.Remove(m.mark)) },
		"empty":   func(m *marks) { ok(t, os.Truncate(m.mark, 0)) },
		"torn":    func(m *marks) { ok(t, os.Truncate(m.mark, 30)) },
		"passed": func(m *marks) {
			ok(t, os.WriteFile(m.mark, progress{reached: 0, reserved: 0, events: 1}.encode(), 0o600))
		},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMarks(t)
			m.enqueue(text(1))
			m.sent(m.next(), 1)
			id := m.enqueue(text(1))
			if rec := m.again(false, func() { damage(m) }); !rec.Restored || rec.Held != 1 {
				t.Errorf("got %+v", rec)
			}
			m.want(id, api.Held)
		})
	}
	t.Run("never had one", func(t *testing.T) {
		m := newMarks(t)
		must[Recovered](t)(m.s.StartMarked(m.tick(), "")) // turned off
		id := m.enqueue(text(1))
		if rec := m.again(false, func() { ok(t, os.RemoveAll(filepath.Dir(m.mark))) }); rec.Restored {
			t.Errorf("got %+v", rec)
		}
		m.want(id, api.Queued)
	})
}

// TestCrashWhileMarking ends the program before and within each step of the
// mark's own writing, when it is reserved, made exact, or begun.
func TestCrashWhileMarking(t *testing.T) {
	const steps = 4
	for last := range steps + 1 {
		for _, torn := range []int{-1, 0, 20} {
			m := newMarks(t)
			m.enqueue(text(1))
			m.sent(m.next(), 1)
			id := m.enqueue(text(1))
			rec := m.again(true, func() {
				next := progress{reached: 1, reserved: 1 + 2*markBlock, events: 3}
				for _, step := range replacing(m.mark, next.encode())[:last] {
					ok(t, step())
				}
				if torn >= 0 && last < 3 { // not renamed yet
					ok(t, os.WriteFile(m.mark+".new", next.encode()[:torn], 0o600))
				}
			})
			if rec.Restored || rec.Held != 0 {
				t.Errorf("after %d steps, torn at %d: %+v", last, torn, rec)
			}
			m.want(id, api.Queued)
		}
	}
	if n := len(replacing("x", nil)); n != steps {
		t.Errorf("%d steps, %d are tested", n, steps)
	}
}

// TestCrashWhileHolding: the daemon ends when half is held; the next one holds the rest.
func TestCrashWhileHolding(t *testing.T) {
	m := newMarks(t)
	for range 2*housekeepingBatch + 10 {
		m.enqueue(text(1))
	}
	copied := m.copy()
	m.sent(m.next(), 1)
	m.again(false, m.restore(copied))
	ok(t, m.s.setMarked(m.now, restored)) // as it is before the last batch
	must[api.Message](t)(m.s.Resolve(m.tick(), 1, api.ResolveResend))
	if rec := m.again(true, func() {}); !rec.Restored || rec.Held != 1 {
		t.Errorf("got %+v", rec)
	}
	m.nothingLeaves()
}

// TestMarkThatCannotBeWritten: no attempt begins that the mark does not allow.
func TestMarkThatCannotBeWritten(t *testing.T) {
	m := newMarks(t)
	id := m.enqueue(text(1))
	ok(t, os.RemoveAll(filepath.Dir(m.mark)))
	ok(t, os.WriteFile(filepath.Dir(m.mark), nil, 0o600))
	j := m.next()
	_, err := m.s.Submitting(m.tick(), Submit{Part: j.Part, SIM: m.sim.ID, Modem: "office"})
	wantHint(t, err, api.CodeStorage)
	m.want(id, api.Queued)
	<-m.s.Broken()
	_, err = m.s.StartMarked(m.now, m.mark)
	wantHint(t, err, api.CodeStorage)
}
