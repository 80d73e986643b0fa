package sim

import (
	"testing"

	"simpost/daemon/api"
	"simpost/modem/emulator"
)

// The judge is judged: an account in which all is well passes, and each way of
// breaking it is seen, under the right heading.
func TestJudge(t *testing.T) {
	if v := judge(soundAccount()); len(v.all()) != 0 || v.flagged != 1 {
		t.Fatalf("a sound account: %v, %d flagged", v.all(), v.flagged)
	}
	for _, c := range []struct {
		name  string
		spoil func(*account)
		of    func(verdict) []string
	}{
		{"a sent message is not in the record", func(a *account) { a.record = a.record[1:] }, lost},
		{"a part is not in the record", func(a *account) { a.record = append(a.record[:1:1], a.record[2:]...) }, lost},
		{"the daemon forgot a message", func(a *account) { a.gone = []string{"9"} }, lost},
		{"a message stays queued", func(a *account) { a.out[0].State = api.Queued }, lost},
		{"a message fails without a reason", func(a *account) { a.out[0].State = api.Failed }, lost},
		{"an incoming text is missing", func(a *account) { a.in = a.in[1:] }, lost},
		{"a copy more in the record", func(a *account) { a.record = append(a.record, a.record[0]) }, doubled},
		{"a flag less", func(a *account) { a.out[2].PossibleDuplicate = false }, doubled},
		{"an incoming text is there twice", func(a *account) { a.in = append(a.in, a.in[0]) }, doubled},
		{"a reference of another message", func(a *account) { *a.out[0].Attempts[0].MR = 99 }, wrong},
		{"another SIM", func(a *account) { a.out[0].Attempts[0].IMSI = "2" }, wrong},
		{"delivered, but to nobody", func(a *account) { a.record[0].Delivered = false }, wrong},
		{"two references for one message", func(a *account) { a.record[2].ConcatRef = 8 }, wrong},
		{"two SIMs for one message", func(a *account) { a.record[2].IMSI = "2" }, wrong},
		{"a cancelled message was sent", func(a *account) { a.out[0].State = api.Cancelled }, wrong},
	} {
		a := soundAccount()
		c.spoil(&a)
		if v := judge(a); len(c.of(v)) == 0 {
			t.Errorf("%s: not seen, only %v", c.name, v.all())
		}
	}
}

func lost(v verdict) []string    { return v.lost }
func doubled(v verdict) []string { return v.doubled }
func wrong(v verdict) []string   { return v.wrong }

// soundAccount has a short message, a long one, one that was repeated and says
// so, and two that came in, of which one was repeated and says so.
func soundAccount() account {
	str := func(s string) *string { return &s }
	mr := func(n int) *int { return &n }
	sub := func(to, text string, mr byte, part, total int) emulator.Submission {
		return emulator.Submission{IMSI: "1", To: to, Text: text, MR: mr, Part: part, Total: total, ConcatRef: 7 * (total - 1), Delivered: true}
	}
	part := func(n int) []api.Part { return make([]api.Part, n) }
	return account{
		record: []emulator.Submission{sub("+1", "one", 1, 0, 1), sub("+2", "long ", 2, 1, 2), sub("+2", "tail", 3, 2, 2),
			sub("+3", "twice", 4, 0, 1), sub("+3", "twice", 5, 0, 1)},
		out: []api.Message{
			{ID: "1", State: api.Delivered, To: "+1", Text: str("one"), Parts: part(1),
				Attempts: []api.Attempt{{ID: "1", Part: 1, State: api.Submitted, MR: mr(1), IMSI: "1"}}},
			{ID: "2", State: api.Sent, To: "+2", Text: str("long tail"), Parts: part(2)},
			{ID: "3", State: api.Sent, To: "+3", Text: str("twice"), Parts: part(1), PossibleDuplicate: true},
		},
		told: []string{"a", "b"},
		in:   []api.Message{{ID: "4", Text: str("a")}, {ID: "5", Text: str("b")}, {ID: "6", Text: str("b"), RepeatOf: "5"}},
	}
}
