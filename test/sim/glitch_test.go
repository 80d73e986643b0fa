package sim

import (
	"testing"
	"time"

	"simpost/modem/emulator"
)

// The smallest fault of a line: one byte, once. Whatever it was part of, nothing may
// stay wrong that nobody mends: a memory that is not read, a card that is not there.

// glitchSpan is how many bytes are said from the start until the work is done, and
// some. It is prime: seeds from 1 on, each times glitchStride, come by all of them,
// and a few of them come by everything.
const (
	glitchSpan   = 3511
	glitchStride = 2171
)

// glitches are what becomes of the byte.
var glitches = map[string]func(byte) []byte{
	"lost":    func(byte) []byte { return nil },
	"doubled": func(c byte) []byte { return []byte{c, c} },
	"changed": func(c byte) []byte { return []byte{c ^ 1} },
}

// glitch spoils one byte while the modem is brought up or works. One that is changed
// is so before the work only: nobody can tell it in a PDU.
func glitch(t *testing.T, found *tally, seed uint64, how string) {
	modems := []emulator.Config{{Name: "a", Number: "+4790000001", Latency: 100 * time.Millisecond}}
	inWorld(t, found, seed, setup{network: emulator.NetworkConfig{Retry: time.Minute}, modems: modems}, func(w *world) {
		left := int(seed * glitchStride % glitchSpan)
		w.lines["a"].spoil(func(c byte) []byte {
			if left--; left != -1 {
				return []byte{c}
			}
			return glitches[how](c)
		})
		w.book.under("bytes.lost")
		p := w.net.NewPhone(emulator.PhoneConfig{Number: "+4791000001"})
		work := func() {
			w.ask(p.Number(), 2, nil)
			w.tell(p, "+4790000001", 2)
			w.within(2*time.Hour, "the work is done", w.settled)
		}
		w.start()
		w.found.recovered = append(w.found.recovered, w.within(time.Hour, "a can send", func() bool { return w.ready("a") }))
		if how == "changed" {
			w.lines["a"].spoil(nil)
		}
		work()
		w.lines["a"].spoil(nil)
		work()
		w.verdict(time.Minute, nil)
	})
}
