package modem

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// channelGrammar is a list of message identifiers and ranges of them, as CSCB takes it.
var channelGrammar = regexp.MustCompile(`^[0-9]{1,5}(-[0-9]{1,5})?(,[0-9]{1,5}(-[0-9]{1,5})?)*$`)

// errNoBroadcasts: the mail is not affected.
var errNoBroadcasts = errors.New("the modem does not hand out cell broadcasts")

// Broadcasts has the modem hand out cell broadcasts of these channels, such as "4370-4399,50": as Direct of the kind CBM, or,
// where it only stores them, in the memory BM, which List reads from then on. Its error says that it does neither, or is
// the port's. It is not part of Open: the mail does without.
func (m *Modem) Broadcasts(ctx context.Context, channels string) error {
	if !channelGrammar.MatchString(channels) {
		return errors.New("broadcast channels: numbers and ranges with commas between them")
	}
	var err error
	for _, form := range []string{`,""`, `,"0-255"`, ``} { // all codings are meant, which modems write in different ways
		if _, err = m.ask(ctx, `+CSCB=0,"`+channels+`"`+form); err == nil || !refused(err) {
			break
		}
	}
	if err != nil {
		return fmt.Errorf("choose broadcast channels: %w", err)
	}
	return m.routeBroadcasts(ctx)
}

// routeBroadcasts puts <bm> into the indications in force: 2 hands pages out, 1 stores and announces them (TS 27.005 3.4.1).
func (m *Modem) routeBroadcasts(ctx context.Context) error {
	before := fields(m.set.CNMI)
	if len(before) != 5 {
		return errNoBroadcasts
	}
	for _, bm := range []string{"2", "1"} {
		rung := slices.Clone(before)
		rung[2] = bm
		if m.setCNMI(ctx, strings.Join(rung, ",")) {
			m.set.CNMI = strings.Join(rung, ",")
			if bm == "1" && !slices.Contains(m.set.Memories, broadcastMemory) {
				m.set.Memories = append(m.set.Memories, broadcastMemory)
			}
			return nil
		}
		if err := m.gone(ctx); err != nil {
			return err
		}
	}
	m.setCNMI(ctx, m.set.CNMI)
	return errNoBroadcasts
}

// broadcastMemory is where modems store broadcasts (TS 27.005 3.1).
const broadcastMemory = "BM"
