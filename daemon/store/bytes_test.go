package store

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"simpost/daemon/api"
)

const (
	// mostLogged is what one message of one part, from its acceptance to its
	// report, may add to the write-ahead log.
	mostLogged = 64 << 10
	// mostWritten is the same with all that is written: the log, and the pages that
	// go to their places.
	mostWritten = 72 << 10
)

// TestBytesPerMessage: cards wear by what is written to them.
func TestBytesPerMessage(t *testing.T) {
	const before, measured = 500, 500
	w := newWorldHere(t)
	for i := range before {
		w.life(i)
	}
	ok(t, w.s.exec(`PRAGMA wal_checkpoint(TRUNCATE)`))
	written := octetsWritten(t)
	for i := range measured {
		w.life(before + i)
	}
	all := (octetsWritten(t) - written) / measured
	ok(t, w.s.exec(`PRAGMA wal_checkpoint(TRUNCATE); PRAGMA wal_autocheckpoint = 0`))
	for i := range measured {
		w.life(before + measured + i)
	}
	log := must[os.FileInfo](t)(os.Stat(w.s.path+"-wal")).Size() / measured
	t.Logf("%d octets in the log and %d in all for one message", log, all)
	if log > mostLogged || all > mostWritten {
		t.Errorf("more than %d and %d", mostLogged, mostWritten)
	}
}

// octetsWritten is what this process has handed to write(2) so far.
func octetsWritten(t *testing.T) (n int64) {
	t.Helper()
	for line := range strings.Lines(string(must[[]byte](t)(os.ReadFile("/proc/self/io")))) {
		if _, err := fmt.Sscanf(line, "wchar: %d", &n); err == nil {
			return n
		}
	}
	t.Fatal("the kernel does not say what was written")
	return 0
}

// fox is what it says.
var fox = strings.Repeat("the quick brown fox ", 8)

// life takes one message of one full part from its acceptance under a key to its
// report and the report's delete.
func (w *world) life(i int) {
	w.t.Helper()
	n := text(1)
	body := fox
	n.Text, n.Parts[0], n.To = &body, make([]byte, 154), fmt.Sprintf("+4790%06d", i*7919%1000)
	key := Key{Caller: "uid:1000", Key: fmt.Sprintf("%x-%d", i*7919%100003, i)}
	must[Accepted](w.t)(w.s.Enqueue(w.tick(), &key, []NewMessage{n}))
	w.sent(w.next(), i%256)
	in := Incoming{Modem: "office", SIM: w.sim.ID, Memory: "SM", Slot: 1, PDU: fmt.Appendf(nil, "a report of 27 octets %05d", i), Kind: "report",
		Report: &Report{MR: i % 256, Number: n.To, SentAt: w.now, Discharge: w.now, Final: true, Delivered: true, StatusText: "delivered"}}
	rec := must[Received](w.t)(w.s.Receive(w.tick(), in, nil))
	ok(w.t, w.s.Deleted(w.tick(), rec.Row))
	w.want(rec.Matched, api.Delivered)
}
