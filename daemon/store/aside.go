package store

import (
	"encoding/json"
	"strings"
	"time"

	"simpost/daemon/api"
)

// A message that the card which found it may not send is set aside: into the lane
// of the cards that may, or of nobody. So a card reads what it may send and
// nothing else, however much of the others' lies in front. Which cards may is the
// guard's to know, not the store's; it depends on where a card is at home alone.

const (
	nobodyLane = "g:"
	homeLane   = "h:" // and the calling codes of a card
	asideEnd   = "i"  // above the names of both kinds, which are next to each other
)

func laneOfHome(home []string) string { return homeLane + strings.Join(home, " ") }

// Aside says where a message goes.
type Aside struct {
	Message int64
	Home    []string // of the cards that may send it; they find it by DueQuery.Home
	Nobody  bool     // no card may
	Reason  *api.Reason
}

// SetAside moves what is queued of messages that have not begun on any card.
func (s *Store) SetAside(now time.Time, all []Aside) error {
	return s.write(now, "set messages aside", func(t *tx) error {
		for _, a := range all {
			lane := laneOfHome(a.Home)
			if a.Nobody {
				lane = nobodyLane
			}
			if err := t.setAside(a.Message, lane, a.Reason); err != nil {
				return err
			}
		}
		return nil
	})
}

// setAside moves the queued parts of a message into a lane, for a reason that is
// told once.
func (t *tx) setAside(id int64, lane string, reason *api.Reason) error {
	m, err := t.message(id)
	if err != nil || m.sim.Valid {
		return err
	}
	var news []api.Event
	for _, p := range m.parts {
		if p.state != api.Queued {
			continue
		}
		told := reason == nil || p.code == reason.Code
		p.lane = lane
		p.because(reason)
		if err := t.save(p, stepPause); err != nil {
			return err
		}
		if !told && news == nil {
			news = append(news, partEvent(p))
		}
	}
	return t.note(m, news...)
}

const asideSQL = `SELECT DISTINCT message FROM part WHERE state = 'queued' AND blocked = 0 AND lane >= '` + nobodyLane + `' AND lane < '` + asideEnd + `'
	AND lane NOT IN (SELECT value FROM json_each(?)) LIMIT ?`

// TakeBack puts what was set aside where any card finds it, to be judged anew,
// except for what waits for the cards of homes, and, with nobody, for none.
func (s *Store) TakeBack(now time.Time, homes [][]string, nobody bool) error {
	keep := []string{}
	for _, home := range homes {
		keep = append(keep, laneOfHome(home))
	}
	if nobody {
		keep = append(keep, nobodyLane)
	}
	list, err := json.Marshal(keep)
	if err != nil {
		return err
	}
	var first int
	err = s.read().row(`SELECT count(*) FROM (`+asideSQL+`)`, string(list), 1).Scan(&first)
	if err != nil || first == 0 {
		return s.readError("look for what was set aside", err)
	}
	_, err = s.batches(now, "take back what was set aside", func(t *tx) (int, error) {
		ids, err := t.ids(asideSQL, string(list))
		if err != nil {
			return 0, err
		}
		for _, id := range ids {
			m, err := t.message(id)
			if err != nil {
				return 0, err
			}
			if err := t.setAside(id, modemLane(m.asked), nil); err != nil {
				return 0, err
			}
		}
		return len(ids), nil
	})
	return err
}
