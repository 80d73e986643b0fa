package daemon

import (
	"time"

	"simpost/daemon/api"
	"simpost/modem"
)

// The history of the signal is sparse: a row where something changed that a
// person would want to know, and a few a day where nothing did, so that a gap
// means that the daemon was not there. What changes all the time is written at a
// bounded pace; whatever a modem does, it is at most a row in five minutes, and
// four a day when it is quiet.

const (
	historyPace   = 5 * time.Minute  // between rows, however much changes
	historyFading = 30 * time.Minute // between rows that differ in strength only,
	historyStep   = 6                // by at least so many dB
	historyBeat   = 6 * time.Hour    // a row though nothing changed
	offline       = "offline"        // registration of a modem that is away
)

// history is the last row of a modem. The zero value wants one at once.
type history struct {
	last api.Signal
	at   time.Time // when it was written, monotonic
}

// wants says whether row is worth writing.
func (h *history) wants(row api.Signal, now time.Time) bool {
	since := now.Sub(h.at)
	other := row.Registration != h.last.Registration || row.Operator != h.last.Operator || row.Bearer != h.last.Bearer
	return h.at.IsZero() || since >= historyBeat || since >= historyPace && other ||
		since >= historyFading && faded(row.DBm, h.last.DBm)
}

func faded(a, b *int) bool {
	if a == nil || b == nil {
		return a != b
	}
	return max(*a-*b, *b-*a) >= historyStep
}

// newHistory continues from the record, as far as the clock tells how long ago it is.
func (s *session) newHistory() error {
	last, err := s.d.store.LastSignal(s.cfg.Name)
	s.history.last = last
	if ago := s.d.now().Sub(last.At); !last.At.IsZero() && ago >= 0 {
		s.history.at = time.Now().Add(-ago)
	}
	return err
}

// noteSignal writes a row if there is reason to.
func (s *session) noteSignal(row api.Signal) error {
	now := time.Now()
	if !s.history.wants(row, now) {
		return nil
	}
	s.history = history{last: row, at: now}
	return s.storeResult(s.d.store.KeepSignal(s.d.now(), s.cfg.Name, row))
}

// signalOf is a status as the history has it.
func signalOf(st modem.Status) api.Signal {
	row := api.Signal{Registration: st.State, Operator: st.Operator, Bearer: bearer(st.Access)}
	if st.Signal != 0 {
		row.DBm = &st.Signal
	}
	return row
}

// bearers are the radio accesses in words that are on telephones.
var bearers = map[string]string{
	"gsm": "2G (GSM)", "gsm-compact": "2G (GSM)", "edge": "2G (EDGE)", "ec-gsm": "2G (EC-GSM-IoT)",
	"umts": "3G (UMTS)", "hsdpa": "3G (HSPA)", "hsupa": "3G (HSPA)", "hspa": "3G (HSPA)",
	"lte": "4G (LTE)", "nb-iot": "4G (NB-IoT)", "lte-5gc": "4G (LTE)", "5gnr": "5G (NR)", "ng-ran": "5G (NR)", "en-dc": "5G (with LTE)",
	"unknown": "", "": "",
}

func bearer(access string) string {
	if words, ok := bearers[access]; ok {
		return words
	}
	return access
}
