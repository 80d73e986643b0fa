package daemon

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"simpost/daemon/api"
	"simpost/modem"
)

// The card in the modem: is it still the one that the session began with, and has
// it room? Neither is told by every modem.

// cardTrust is for how long the card is taken for the one that was seen last. What
// belongs to a card is neither sent nor taken out of its memory after that without
// asking: one command a minute at most, and one an hour for an idle modem. Nobody
// swaps a card faster than that without the modem saying something.
const cardTrust = time.Minute

var errOtherCard = errors.New("another SIM card is in the modem")

// sameCard ends the session if the card is another one than before; it asks only
// if it was seen longer than age ago.
func (s *session) sameCard(ctx context.Context, age time.Duration) error {
	if time.Since(s.cardSeen) < age {
		return nil
	}
	same, err := s.m.SameSIM(ctx)
	if err != nil {
		return fmt.Errorf("look which SIM card is in: %w", err)
	}
	if !same {
		return errOtherCard
	}
	s.cardSeen = time.Now()
	return nil
}

// rooms are the memories of all modems that are nearly full. The zero value is
// ready; it is safe for concurrent use.
type rooms struct {
	mu     sync.Mutex
	nearly map[string]bool // by modem and memory
}

// note says whether a memory is nearly full, and whether that is news.
func (r *rooms) note(modem string, c modem.MemoryCount) (nearly, news bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	key := modem + " " + c.Memory
	was := r.nearly[key]
	nearly = nearlyFull(was, c.Used, c.Total)
	if r.nearly == nil {
		r.nearly = map[string]bool{}
	}
	r.nearly[key] = nearly
	return nearly, nearly != was
}

// watchRoom raises the alarm about memories that fill up, while there is still
// room: a full one takes no more messages, and the network may not wait for ever.
func (s *session) watchRoom(counts []modem.MemoryCount) {
	var nearly []string
	for _, c := range counts {
		if !slices.Contains(s.m.Settings().Memories, c.Memory) {
			continue // a view of others
		}
		holds := fmt.Sprintf("%s %d of %d", c.Memory, c.Used, c.Total)
		full, news := s.d.rooms.note(s.cfg.Name, c)
		if full && !slices.Contains(nearly, holds) {
			nearly = append(nearly, holds)
		}
		switch {
		case news && full:
			s.log.Warn("a message memory is nearly full", "memory", c.Memory, "used", c.Used, "total", c.Total)
			s.d.record(api.Event{Type: api.EventMemory, Modem: s.cfg.Name, State: string(api.FindFilling), Detail: holds})
		case news:
			s.log.Info("a message memory has room again", "memory", c.Memory, "used", c.Used, "total", c.Total)
			s.d.record(api.Event{Type: api.EventMemory, Modem: s.cfg.Name, State: "", Detail: holds})
		}
	}
	s.d.board.fills(s.cfg.Name, nearly)
}
