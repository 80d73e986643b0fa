package daemon

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"simpost/configs"
	"simpost/daemon/store"
	"simpost/pdu"
)

// Cell broadcasts: what the authorities or the operator say to every phone in a
// cell. They are no messages to the SIM card, and nothing is answered.

// broadcastsPerHour bounds what a sender gone wild, or a false base station, can
// have written. Repeats don't count.
const broadcastsPerHour = 100

// memoryBM is where some modems store broadcasts.
const memoryBM = "BM"

// airtime counts the pages that were new within an hour.
type airtime struct {
	since time.Time
	pages int
}

func (a *airtime) spend(now time.Time) bool {
	if now.Sub(a.since) > time.Hour {
		*a = airtime{since: now}
	}
	a.pages++
	return a.pages <= broadcastsPerHour
}

// listen has the modem hand out the broadcasts that the configuration wants.
func (s *session) listen(ctx context.Context) error {
	if len(s.channels) == 0 {
		return nil
	}
	if err := s.m.Broadcasts(ctx, configs.ChannelList(s.channels)); err != nil {
		s.fault("broadcasts", err)
	}
	return s.m.Err()
}

// broadcast keeps a page. What can't be read, or was not asked for, is let go: it
// is said to everybody.
func (s *session) broadcast(text string) error {
	raw := octets(text)
	c, err := pdu.DecodeCellBroadcast(raw)
	if err != nil {
		s.fault("broadcast-unreadable", fmt.Errorf("a cell broadcast of %d octets: %w", len(raw), err))
		return nil
	}
	if !slices.ContainsFunc(s.channels, func(r configs.Channels) bool { return r.First <= int(c.Channel) && int(c.Channel) <= r.Last }) {
		return nil
	}
	if !s.air.spend(time.Now()) {
		if s.air.pages == broadcastsPerHour+1 {
			s.fault("broadcast-flood", errors.New("more than a hundred broadcasts within an hour; the rest of them is dropped"))
		}
		return nil
	}
	said := c.Text
	if c.Alphabet == pdu.Binary {
		said = hex.EncodeToString(c.Data)
	}
	known, err := s.d.store.KeepPage(s.d.now(), store.Page{
		Modem: s.cfg.Name, Channel: int(c.Channel), Serial: int(c.Scope)<<14 | int(c.Code)<<4 | int(c.Update), DCS: int(c.DCS),
		Page: int(c.Page), Pages: int(c.Pages), Alert: c.Alert(), Language: c.Language, Text: said, PDU: raw,
	})
	if known {
		s.air.pages--
	} else if err == nil {
		s.log.Info("broadcast", "channel", c.Channel, "page", c.Page, "pages", c.Pages)
		s.d.wakeHousekeeper() // it announces what stays in part
	}
	return s.storeResult(err)
}
