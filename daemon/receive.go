package daemon

import (
	"cmp"
	"context"
	"encoding/hex"
	"fmt"
	"time"

	"simpost/daemon/api"
	"simpost/daemon/store"
	"simpost/modem"
)

// This file keeps what comes in. The order is the point (invariant I2): the raw
// octets are committed, then the one slot is deleted or the network is
// acknowledged. What can't be read is kept raw, and deleted like the rest.

// drain empties the memories of the modem: all that was listed is kept first, and
// then deleted. A message that can't be kept stays where it is and is read again
// at the next poll.
func (s *session) drain(ctx context.Context) error {
	if err := s.sameCard(ctx, cardTrust); err != nil {
		return err
	}
	hints := s.hints
	s.listDue, s.hints, s.left, s.doubtful = false, nil, map[string]int{}, false
	stored, err := s.m.List(ctx, hints...)
	rows, keepErr := s.keepAll(ctx, stored)
	if keepErr != nil {
		return keepErr
	}
	for i, st := range stored {
		gone, err := s.remove(ctx, st, rows[i])
		if err != nil {
			return err
		}
		s.count(st.Memory, gone)
	}
	if err != nil {
		return s.listTrouble(err)
	}
	s.unreadable = false
	s.duties.did(dutyList)
	if s.asksAgain() {
		s.left, s.used = map[string]int{}, map[string]int{}
	}
	return nil
}

// count notes that a slot was emptied, or not, so that the next poll knows what to
// expect.
func (s *session) count(memory string, gone bool) {
	for _, name := range []string{memory, "MT"} { // MT is a view of the others
		if gone {
			s.used[name] = max(s.used[name]-1, 0)
		} else {
			s.left[name]++
		}
	}
}

// doubtTries is how many polls in a row look again at what could not be listed, kept
// or deleted; after that it is looked at with every full sweep.
const doubtTries = 5

// asksAgain says whether what stays in the modem is read again at the next poll:
// for want of room on the disk, or because the modem was not to be believed.
func (s *session) asksAgain() bool {
	if !s.doubtful {
		s.doubts = 0
		return s.d.full.Load()
	}
	s.doubts++
	return s.doubts <= doubtTries
}

// doubt notes that a slot could not be emptied by what the modem said of it.
func (s *session) doubt(code string, err error) {
	s.doubtful = true
	s.fault(code, err)
}

// noRow is the row of what is kept elsewhere: a broadcast.
const noRow = -1

// keepAll commits what was listed and returns the rows, 0 for what is to stay in
// the modem. A slot that may be damaged is replaced by another look at it; what
// is so at every look is kept as it is, and stays in the modem too, unless that is
// full and takes no more.
func (s *session) keepAll(ctx context.Context, stored []modem.Stored) ([]int64, error) {
	rows := make([]int64, len(stored))
	for i := range stored {
		st := &stored[i]
		if st.Status == storedUnsent || st.Status == storedSent {
			continue // a person's own draft on the SIM
		}
		sure, steady := s.whole(ctx, st)
		if !sure {
			s.doubt("truncated", fmt.Errorf("slot %d of %s came cut short; it is left in the modem and read again later", st.Index, st.Memory))
			if s.doubts < doubtTries {
				continue
			}
		}
		if st.Memory == memoryBM {
			if rows[i] = noRow; s.broadcast(st.PDU) != nil || s.d.full.Load() {
				rows[i] = 0
			}
			continue
		}
		in := incoming(st.PDU, st.Length)
		if !sure {
			in.Concat = nil // its place among other parts is for what a later look finds
		}
		row, err := s.keep(in, st.Memory, st.Index)
		if err := s.storeResult(err); err != nil {
			return nil, err
		}
		if sure || steady && s.full {
			rows[i] = row
		}
	}
	return rows, s.m.Err()
}

// remove deletes a slot whose content is kept, unless the modem now shows another
// message there, or does not show it: modems have listed messages under the numbers of
// others. It says whether the slot is empty.
func (s *session) remove(ctx context.Context, st modem.Stored, row int64) (gone bool, err error) {
	if row == 0 {
		return false, nil
	}
	if may, err := s.mayDelete(ctx, st); !may || err != nil {
		return false, err
	}
	if err := s.m.Delete(ctx, st.Memory, st.Index); err != nil {
		s.doubt("not-deleted", err)
		return false, s.m.Err()
	}
	if row == noRow {
		return true, nil
	}
	return true, s.storeResult(s.d.store.Deleted(s.d.now(), row))
}

// mayDelete looks at a slot before it is deleted. One that is not shown again, or shown
// as another message that is kept too, is believed after doubtTries sweeps, and in a
// full memory what can't be read there: a deaf modem loses more.
func (s *session) mayDelete(ctx context.Context, st modem.Stored) (bool, error) {
	now, err := s.m.Read(ctx, st.Memory, st.Index)
	if err == nil && now.PDU == st.PDU {
		return true, nil
	}
	if dead := s.m.Err(); dead != nil {
		return false, dead
	}
	if err != nil {
		s.doubt("slot-unchecked", fmt.Errorf("slot %d of %s does not show its message again: %w; it is left in the modem and read again later", st.Index, st.Memory, err))
		return s.doubts >= doubtTries, nil
	}
	s.doubt("slot-changed", fmt.Errorf("slot %d of %s shows another message than before; it is left in the modem and read again later", st.Index, st.Memory))
	if !s.full || s.doubts < doubtTries {
		return false, nil
	}
	_, err = s.keep(incoming(now.PDU, now.Length), st.Memory, st.Index)
	return err == nil, s.storeResult(err)
}

// looks is how often a slot is read once more that may be damaged.
const looks = 2

// whole reads a slot again whose octets are not as many as were announced: a line
// that lost or doubled some must not cost the message. sure says that the slot is to be
// believed: it fits, or is the same at the next look and not too short, for some modems
// fill short ones up, or announce nothing. steady says that it was the same at all.
func (s *session) whole(ctx context.Context, st *modem.Stored) (sure, steady bool) {
	if fits(st.PDU, st.Length) {
		return true, true
	}
	steady = true
	for range looks {
		again, err := s.m.Read(ctx, st.Memory, st.Index)
		if err != nil {
			return false, false
		}
		steady = steady && again.PDU == st.PDU && again.Length == st.Length
		*st = again
		if fits(st.PDU, st.Length) || steady && !truncated(again) {
			return true, steady
		}
	}
	return false, steady
}

// fits says whether a PDU has as many octets as its header announced, with the
// service centre's field or without.
func fits(pdu string, length int) bool {
	raw, err := hex.DecodeString(pdu)
	return err == nil && len(raw) > 0 && (len(raw) == length || len(raw) == 1+int(raw[0])+length)
}

// truncated says whether a slot holds fewer octets than its header announced, or
// half ones.
func truncated(st modem.Stored) bool {
	raw, err := hex.DecodeString(st.PDU)
	return st.Length >= 0 && (err != nil || len(raw) == 0 || len(raw) < 1+int(raw[0])+st.Length && len(raw) != st.Length)
}

// Status of a stored message (TS 27.005 3.1): what a person wrote on this SIM.
const (
	storedUnsent = 2
	storedSent   = 3
)

// direct keeps what the modem handed over without storing it, and then acknowledges
// it where the modem waits for that. A message that came damaged is kept too, and
// refused: the network brings it again.
func (s *session) direct(ctx context.Context, d modem.Direct) error {
	if d.Kind == "CBM" {
		return s.broadcast(d.PDU)
	}
	waits := s.m.Settings().CSMS == 1
	in, sure := incoming(d.PDU, d.Length), !waits || d.Kind != "CMT" || s.intact(d)
	if !sure {
		in.Concat = nil // its place among other parts is for the one that comes again
	}
	if waits && time.Since(s.listened) > ackDeadline {
		s.mayBeDeaf()
	}
	if _, err := s.keep(in, d.Kind, -1); err != nil {
		s.mayBeDeaf() // the network is to bring it again
		return s.storeResult(err)
	}
	if !waits {
		return nil
	}
	if err := s.m.Ack(ctx, sure); err != nil {
		s.mayBeDeaf()
		s.fault("not-acknowledged", err)
		return s.m.Err()
	}
	return nil
}

const (
	// ackDeadline is less than any modem waits for an acknowledgement,
	ackDeadline = 10 * time.Second
	// and deafWatch more: then it stops showing what arrives, without a word (TS 27.005 3.4.1).
	deafWatch = time.Minute
)

// mayBeDeaf has the polls of the next while look whether the modem still shows messages.
func (s *session) mayBeDeaf() { s.deafUntil = time.Now().Add(deafWatch) }

// intact says whether a message was handed over with as many octets as announced.
// From one that comes twice alike it is known that the modem counts otherwise.
func (s *session) intact(d modem.Direct) bool {
	if s.miscounts || d.Length < 0 && d.PDU != "" || fits(d.PDU, d.Length) {
		return true
	}
	s.miscounts = d.PDU != "" && d.PDU == s.spoilt
	s.spoilt = d.PDU
	return s.miscounts
}

// keep commits the raw octets with what can be read of them, and returns their row.
func (s *session) keep(in store.Incoming, memory string, slot int) (int64, error) {
	in.Modem, in.SIM, in.Memory, in.Slot = s.cfg.Name, s.sim.ID, memory, slot
	if in.Kind != "unreadable" {
		s.d.clock.atLeast(in.SentAt)
	}
	got, err := s.d.store.Receive(s.d.now(), in, joinParts)
	if err != nil {
		return 0, err
	}
	if got.New {
		s.d.board.update(s.cfg.Name, func(m *api.Modem) { m.ReceivedPDU++ })
		s.log.Info("kept what came in", about(in, got)...)
	}
	return got.Row, nil
}

// about is what the log says of what was kept: for a report the message that it
// reports on, where that is known.
func about(in store.Incoming, got store.Received) []any {
	attrs := []any{"kind", in.Kind, "row", got.Row}
	if id := cmp.Or(got.Message, got.Matched); id != 0 {
		attrs = append(attrs, "message", id)
	}
	return attrs
}

// listTrouble sorts an error of a sweep: a dead port ends the session, and so does
// silence again and again; anything else is a condition, and the next poll tries again.
func (s *session) listTrouble(err error) error {
	if dead := s.m.Err(); dead != nil {
		return &muteError{dutyList, dead}
	}
	s.unreadable, s.doubtful, s.used = true, true, map[string]int{}
	s.fault("memory-unreadable", err)
	s.show()
	if modem.Unanswered(err) {
		return s.duties.silent(dutyList, err)
	}
	s.duties.did(dutyList)
	return nil
}
