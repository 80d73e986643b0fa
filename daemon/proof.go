package daemon

import (
	"context"

	"simpost/daemon/api"
	"simpost/daemon/store"
	"simpost/modem"
	"simpost/pdu"
)

// This file is what a modem and its SIM can prove about an attempt that nobody
// knows the outcome of (HOUSE 8). Both proofs hold for modems that were tried out,
// and are off for all others: unchanged memory means nothing on a modem that
// writes it after the network's answer, or never.

// proofs is owned by its session.
type proofs struct {
	smss    bool          // EF_SMSS is written before the radio is used
	keepsMR bool          // the host's TP-MR goes out
	iccid   string        // the card's
	last    *store.CardMR // EF_SMSS as last read or known; nil if it can't be
	next    byte          // the TP-MR to write
}

// newProofs reads what the proofs start from.
func (s *session) newProofs(ctx context.Context) error {
	set := s.m.Settings()
	s.proofs = proofs{smss: set.SMSS == "before-radio", keepsMR: set.KeepsMR || s.cfg.KeepsMR, iccid: s.m.Identity().ICCID}
	if s.cfg.SMSS != "" {
		s.proofs.smss = s.cfg.SMSS == "before-radio"
	}
	if s.proofs.keepsMR {
		mr, err := s.d.store.LastMR(s.sim.ID)
		if err != nil {
			return err
		}
		s.proofs.next = byte(mr + 1)
	}
	return s.proveUnstarted(ctx)
}

// proveUnstarted reads the SIM's last reference. If the last attempt is unknown
// and this very card's reference is what it was before it, the modem never began to
// send it.
func (s *session) proveUnstarted(ctx context.Context) error {
	if !s.proofs.smss {
		return nil
	}
	s.proofs.last = nil
	mr, err := s.m.LastMR(ctx)
	if err != nil {
		s.fault("smss", err)
		return s.m.Err()
	}
	s.proofs.last = &store.CardMR{ICCID: s.proofs.iccid, MR: mr}
	attempt, err := s.d.store.Unstarted(s.sim.ID, *s.proofs.last)
	if err != nil || attempt == 0 {
		return s.storeResult(err)
	}
	now := s.d.now()
	return s.storeResult(s.d.store.Evidence(now, attempt, store.Settle{Attempt: attempt, State: api.Queued, MR: -1, RetryAt: now,
		Evidence: "the SIM's last message reference is what it was before: it was never sent"}))
}

// mark writes what this attempt is to be told by into its TPDU: the reference,
// and on a second copy TP-RD with the reference of the first.
func (p *proofs) mark(submit *pdu.Submit, job store.Job) (mr *byte) {
	if !p.keepsMR {
		return nil
	}
	if job.Resend && job.LastMR >= 0 {
		submit.RD, submit.MR = true, byte(job.LastMR)
	} else {
		submit.MR = p.next
		p.next++ // whatever comes of it: a reference that may be out is not used again
	}
	return &submit.MR
}

// sent notes that a part went out under mr.
func (p *proofs) sent(mr byte) {
	if p.smss {
		p.last = &store.CardMR{ICCID: p.iccid, MR: mr}
	}
}

// refusedAsDuplicate says that a second copy was refused because the centre holds
// the first one.
func (p *proofs) refusedAsDuplicate(job store.Job, send *modem.SendError) bool {
	return p.keepsMR && job.Resend && send.Duplicate()
}
