package store

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
	"time"

	"simpost/daemon/api"
)

// flips is how many damaged files TestBitFlips looks at.
const flips = 200

// sound makes a small database with messages in several states, and returns its octets.
func sound(t testing.TB) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "simpost.db")
	s := must[*Store](t)(Open(path))
	w := newWorld(t, s)
	for i := range 30 {
		w.life(i)
	}
	w.enqueue(text(3))
	w.lost(w.next())
	for i := range 5 {
		in := incoming("SM", i, i)
		in.Text, in.From = &fox, "+4790000002"
		w.receive(in)
	}
	ok(t, s.Close())
	return must[[]byte](t)(os.ReadFile(path))
}

// use does with a file what a daemon would, and shows every message that it reads
// and every part that it would send to look. Its error is all errors.
func use(t testing.TB, content []byte, look func(testing.TB, api.Message, []byte)) error {
	t.Helper()
	path := filepath.Join(t.TempDir(), "simpost.db")
	ok(t, os.WriteFile(path, content, 0o600))
	s, err := Open(path)
	if s == nil {
		return known(t, err)
	}
	defer func() { _ = known(t, s.Close()) }()
	if err != nil {
		return known(t, err)
	}
	finding, err := s.QuickCheck(t.Context())
	if err != nil || finding != "" {
		return known(t, errors.Join(err, api.Errorf(api.CodeStorage, "%s", finding)))
	}
	var errs []error
	try := func(err error) { errs = append(errs, known(t, err)) }
	_, err = s.Start(t0)
	try(err)
	sim, err := s.Seen(t0, Identity{Modem: "office", IMSI: "242010000000001"})
	try(err)
	page, err := s.List(Filter{Limit: 200})
	try(err)
	for _, m := range page.Messages {
		id, err := parse(m.ID)
		try(err)
		got, err := s.Get(id)
		try(err)
		look(t, got, nil)
	}
	jobs, err := s.Due(t0.Add(24*time.Hour), DueQuery{SIM: sim.ID, Modem: "office", Limit: 10})
	try(err)
	for _, j := range jobs {
		if !j.Damaged {
			look(t, api.Message{}, j.TPDU)
		}
		a, err := s.Submitting(t0, Submit{Part: j.Part, SIM: sim.ID, Modem: "office", Ref: max(j.Ref, 0)})
		try(err)
		if err == nil {
			try(s.Settle(t0, Settle{Attempt: a, State: api.Submitted, MR: 1}))
		}
	}
	_, err = s.Enqueue(t0, nil, []NewMessage{text(1)})
	try(err)
	_, err = s.Events(0, 0)
	try(err)
	return errors.Join(errs...)
}

// believe looks at nothing: a patch may be of any length.
func believe(testing.TB, api.Message, []byte) {}

// said fails on a message that says what was never said and does not say so, and on
// octets that nobody handed in.
func said(t testing.TB, m api.Message, tpdu []byte) {
	t.Helper()
	if tpdu != nil && (len(tpdu) != 3 || tpdu[0] != 1 || tpdu[1] != 0 || tpdu[2] > 2) {
		t.Errorf("%v was never handed in, and would be sent", tpdu)
	}
	if m.ID == "" || slices.Contains(m.Flags, api.FlagDamaged) {
		return
	}
	number := regexp.MustCompile(`^\+4790000[0-9]{3}$`)
	if m.Text == nil || *m.Text != fox && *m.Text != "hello" || len(m.Data) > 0 || m.Port != nil || m.Encoding != "gsm7" || !number.MatchString(m.To+m.From) {
		t.Errorf("message %s says what was never said: %+v", m.ID, m)
	}
}

// known fails on an error that says nothing.
func known(t testing.TB, err error) error {
	t.Helper()
	if err != nil && err.Error() == "" {
		t.Errorf("an error without words: %#v", err)
	}
	return err
}

// TestBitFlips: a flipped bit is found, or harms nothing that is said (TRUST F28).
func TestBitFlips(t *testing.T) {
	content := sound(t)
	ok(t, use(t, content, said))
	seed := uint64(time.Now().UnixNano())
	r := rand.New(rand.NewPCG(seed, 0))
	found := 0
	for range flips {
		flipped, bit := append([]byte{}, content...), r.IntN(8*len(content))
		flipped[bit/8] ^= 1 << (bit % 8)
		if use(t, flipped, said) != nil {
			found++
		}
		if t.Failed() {
			t.Fatalf("seed %d, bit %d", seed, bit)
		}
	}
	t.Logf("%d of %d flips ended in an error, the others were in unused octets or in values", found, flips)
	if found == 0 {
		t.Error("no flip was found")
	}
}

// FuzzOpen: no file makes Open, or what works on its store, panic or hang.
func FuzzOpen(f *testing.F) {
	content := sound(f)
	f.Add(uint32(0), []byte{})
	f.Add(uint32(18), []byte{1, 1})          // the journal mode
	f.Add(uint32(52), []byte{0, 0, 0, 1})    // auto-vacuum
	f.Add(uint32(60), []byte{0xfe, 0, 0, 0}) // a format below nought
	f.Add(uint32(100), []byte{5, 0, 0, 0})   // the schema's page
	f.Add(uint32(3072), []byte{0xff, 0xff})  // some page
	f.Fuzz(func(t *testing.T, at uint32, patch []byte) {
		damaged := append([]byte{}, content...)
		if len(patch) == 0 {
			damaged = damaged[:int(at)%len(damaged)]
		} else {
			copy(damaged[int(at)%len(damaged):], patch)
		}
		if err := use(t, damaged, believe); err != nil {
			_ = fmt.Sprint(err)
		}
	})
}
