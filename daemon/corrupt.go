package daemon

import (
	"fmt"
	"slices"
	"sync"

	"simpost/daemon/api"
)

// What becomes of a daemon whose database is not what it wrote.
//
// A file whose structure is broken (SQLite says so in the middle of anything, or
// the check after the start finds it) can't be written to: what goes into a broken
// tree may be lost, and may overwrite something else. So from then on nothing is
// accepted, nothing is sent, and what comes in stays on the modems, which are
// closed and left alone. But the daemon stays. To end it would be to have it
// started again, every few seconds and for ever, because no restart mends a file;
// and a daemon that answers `simpost status` with what is wrong and what to do is
// worth more than one that nobody can ask. What can be read of the messages is
// still shown. That holds for a start with a damaged file as well.
//
// A message whose octets do not fit their sum (store/sums.go) harms nobody but
// itself: it is not sent, or shown with a mark, and said once.

func isCorrupt(err error) bool { return hasCode(err, api.CodeDatabaseCorrupt) }

// unlessCorrupt is err, but for a damaged file, which Store.Err tells from then on.
func unlessCorrupt(err error) error {
	if isCorrupt(err) {
		return nil
	}
	return err
}

func corruptSentence() string {
	w := conditionWords[api.CondCorrupt]
	return w.sentence + "; " + w.remedy
}

// maxDamaged bounds the messages that are remembered as told.
const maxDamaged = 1000

// told is which damaged messages were said. The zero value is ready; it is safe
// for concurrent use.
type told struct {
	mu  sync.Mutex
	ids map[string]bool
}

// first says whether id is new, and remembers it.
func (t *told) first(id string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ids[id] || len(t.ids) >= maxDamaged {
		return false
	}
	if t.ids == nil {
		t.ids = map[string]bool{}
	}
	t.ids[id] = true
	return true
}

// damaged says once of a message that what is stored of it has changed: in the
// log, as an event, and in the daemon's condition.
func (d *Daemon) damaged(id string) {
	if !d.damagedSaid.first(id) {
		return
	}
	d.log.Error("what is stored of a message has changed on the disk", "message", id)
	d.damage.Store(&api.Reason{Code: api.FlagDamaged,
		Message: fmt.Sprintf("what is stored of message %s has changed on the disk: look at the disk, and see docs/restoring.md, \"A damaged file\"", id)})
	d.record(api.Event{Type: api.EventDamaged, Message: id, Detail: "what is stored of it has changed on the disk"})
}

// noteDamage tells the daemon of the messages that are damaged.
func (s *server) noteDamage(all []api.Message) {
	for _, m := range all {
		if slices.Contains(m.Flags, api.FlagDamaged) && s.Damaged != nil {
			s.Damaged(m.ID)
		}
	}
}
