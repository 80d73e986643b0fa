package store

import "time"

// Replay answers a request that was accepted under key in the last 7 days, and
// true; false: the key is new. Ask it before anything that time or another
// configuration may refuse by now. Another request under the key is CodeKeyReused.
func (s *Store) Replay(now time.Time, key Key) (Accepted, bool, error) {
	read := s.read()
	read.now = now.UnixMilli()
	done, err := read.replay(key)
	if err != nil {
		return Accepted{}, false, s.readError("look up the idempotency key", err)
	}
	return done, done.Replayed, nil
}
