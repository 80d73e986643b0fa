package main

// mutant is the program with one line of it broken. Find must be in the file
// exactly once, or the table is out of date and the run fails.
type mutant struct {
	name   string
	breaks string // the invariant, for people
	edits  []edit
	pkg    string
	test   string // -run: what must fail
}

type edit struct{ file, find, replace string }

// mutants are the ways to lose or double a message that somebody may introduce
// with the best of intentions. Each must be killed by a test that takes seconds.
var mutants = []mutant{
	{"synchronous-normal", "I1, I3: a COMMIT is not on disk", []edit{
		{"daemon/store/connect.go", `"_synchronous":     {"FULL"},`, `"_synchronous":     {"NORMAL"},`},
		{"daemon/store/open.go", `const full = 2`, `const full = 1`},
	}, "./cmd/simpost", "TestPowerCutAtEverySystemCall"},
	{"making-not-undone", "a crash in the first start is the last start", []edit{
		{"daemon/store/open.go", `if err := undo(s.path); err != nil {`, `if err := error(nil); err != nil {`},
	}, "./cmd/simpost", "TestKilledInTheFirstStart"},
	{"pragmas-unchecked", "a database below FULL is opened", []edit{
		{"daemon/store/open.go", `const full = 2`, `const full = 0`},
	}, "./daemon/store", "Pragma|Unsafe|Synchronous"},
	{"delete-before-commit", "I2: CMGD before the octets are committed", []edit{
		{"daemon/receive.go", `		row, err := s.keep(in, st.Memory, st.Index)`,
			"\t\t_ = s.m.Delete(ctx, st.Memory, st.Index)\n\t\trow, err := s.keep(in, st.Memory, st.Index)"},
	}, "./test/sim", "TestFaults/(crash-boundary|crash-random)$"},
	{"no-intent", "I1: ^Z leaves before the attempt is committed", []edit{
		{"daemon/send.go", `s.m.Send(exchange, frame, in.commit)`, `s.m.Send(exchange, frame, func() error { return nil })
	_ = in.commit()`},
	}, "./test/sim", "TestFaults/crash-boundary$"},
	{"ctrl-z-at-start", "a prompt that a crash left open is submitted", []edit{
		{"modem/bringup.go", `[]string{"\x1b", "\r"}`, `[]string{"\x1a", "\r"}`},
	}, "./test/sim", "TestFaults/modem-dies$/trials/.*/late-300s"},
	{"ctrl-z-at-resync", "a prompt that is in doubt is submitted", []edit{
		{"atcmd/resync.go", `c.put(nil, "", esc)`, `c.put(nil, "", ctrlZ)`},
	}, "./test/sim", "TestFaults/modem-dies$/trials/.*/late-300s"},
	{"ok-is-sent", "an OK without a reference is credited", []edit{
		{"modem/send.go", `return 0, &SendError{Outcome: Unknown, Code: -1, MR: -1, Err: errNoReference}`, `_ = errNoReference
		return 0, nil`},
	}, "./test/sim", "TestFaults/modem-dies$/trials/after-.z/ok-no-mr"},
	{"late-answer-credited", "an answer that comes before ^Z is taken for this command's", []edit{
		{"atcmd/route.go", `answers := x.prompt == nil || x.submitted`, `answers := true`},
		{"atcmd/route.go", `case l == "OK" && x.prompt != nil && !x.submitted:`, `case l == "OK" && x.prompt == nil && x.submitted:`},
	}, "./atcmd", "Late|Prompt|Evidence"},
	{"report-any-reference", "a report settles an attempt with another reference", []edit{
		{"daemon/store/reports.go", `WHERE sim = ?1 AND tail = ?2 AND mr = ?3 AND mr IS NOT NULL AND started_at BETWEEN`,
			`WHERE sim = ?1 AND tail = ?2 AND ?3 >= 0 AND mr IS NOT NULL AND started_at BETWEEN`},
	}, "./daemon/store", "Report|Match"},
	{"report-any-number", "a report settles an attempt to another number", []edit{
		{"daemon/store/reports.go", `WHERE sim = ?1 AND tail = ?2 AND mr = ?3 AND mr IS NOT NULL AND started_at BETWEEN`,
			`WHERE sim = ?1 AND ?2 <> '' AND mr = ?3 AND mr IS NOT NULL AND started_at BETWEEN`},
	}, "./daemon/store", "Report|Match"},
	{"unflagged", "I6: a repeat does not say that it is one", []edit{
		{"daemon/store/parts.go", `duplicate = duplicate || p.resend`, `duplicate = duplicate && p.resend`},
	}, "./test/sim", "TestFaults/modem-dies$/trials/.*/late-300s"},
	{"unknown-is-retried", "I6: what may have been sent is sent again", []edit{
		{"daemon/policy.go", `		v.settle.State = api.Unknown`, `		v.settle.State, v.settle.RetryAt = api.Queued, now`},
	}, "./test/sim", "TestFaults/modem-dies$/trials/.*/late-300s"},
	{"repeat-suppressed", "two equal alarms become one", []edit{
		{"daemon/store/incoming.go", `func (t *tx) keepWhole(in *Incoming, row kept) (int64, error) {`, `func (t *tx) keepWhole(in *Incoming, row kept) (int64, error) {
	if row.before != 0 {
		return row.before, nil
	}`},
	}, "./daemon/store", "Repeat|Receive|Slot"},
	{"key-forgotten", "asking again under a key makes another message", []edit{
		{"daemon/store/outgoing.go", `WHERE caller = ? AND key = ? AND created_at > ?`, `WHERE caller = ? AND key = ? AND created_at < ?`},
	}, "./test/sim", "TestFaults/crash-boundary$"},
	{"key-unchecked", "another request under a key gets the first one's answer", []edit{
		{"daemon/store/outgoing.go", `case !bytes.Equal(hash, key.Hash[:]):`, `case !bytes.Equal(hash, hash):`},
	}, "./daemon/store", "Key|Idempot|Replay"},
	{"reference-shared", "I5: every long message has one concat reference", []edit{
		{"daemon/store/settle.go", `(ref.Int64+1)&0xff, sub.SIM)`, `ref.Int64&0xff, sub.SIM)`},
	}, "./test/sim", "TestFaults/(crash-random|late)$"},
	{"no-quarantine", "the policy does not wait for evidence", []edit{
		{"daemon/daemon.go", `return d.cfg.Send.Quarantine }`, `return 0 }`},
	}, "./test/sim", "TestFaults/modem-dies$/trials/after-.z/ok-no-mr"},
	{"interrupted-stays", "what was in the air when the daemon died is never looked at", []edit{
		{"daemon/store/decide.go", "`SELECT id FROM attempt WHERE state = 'submitting'`", "`SELECT id FROM attempt WHERE state = 'submitting' AND id < 0`"},
	}, "./test/sim", "TestFaults/crash-boundary$"},
	{"pin-again", "a PIN that failed is entered again", []edit{
		{"daemon/supervise.go", `return tried || err != nil }`, `return tried && err != nil }`},
	}, "./test/sim", "TestFaults/pin$"},
}
