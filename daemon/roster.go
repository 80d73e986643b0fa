package daemon

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"simpost/configs"
	"simpost/hw"
	"simpost/modem"
)

// The roster knows what is attached, and which modem of the configuration it is.
// A stick gets a seat when it appears and loses it when it goes; after a re-plug it
// is a new one, of which nothing is believed: whose it is follows from where it is
// plugged in, or from what it says of itself when it is asked. Names of terminals
// decide nothing. seating.go holds the rules, this file the eyes and ears.

const (
	eventQuiet  = 100 * time.Millisecond // a stick makes a dozen events in a row
	portsLate   = time.Second            // after a stick's last port for a driver to make another
	lookAgain   = 30 * time.Second       // at what is attached, though the kernel tells
	lookAlone   = 3 * time.Second        // where it does not
	looksAtOnce = 4                      // ports that are asked at a time

	// A modem that was just plugged in boots; an adapter may have something behind
	// it that should hear as little as possible of us. A modem that may be the one
	// that is missing is asked for ever: it says nothing when it is ready that could
	// be heard on a closed port.
	askModem   = 500 * time.Millisecond
	askOther   = time.Second
	askMissing = 2 * time.Second // between two looks, which take as long where nobody answers
	youngFor   = 30 * time.Second
	askLongest = 5 * time.Minute
)

// roster is safe for concurrent use.
type roster struct {
	source hw.Source
	open   func(hw.Port) (io.ReadWriteCloser, error)
	modems []configs.Modem
	auto   *configs.Modem // of modems; nil without one
	log    *slog.Logger
	now    func() time.Time // the daemon's clock, for what is on record
	start  func(configs.Modem)
	poked  chan struct{} // capacity 1: look at what is attached

	mu       sync.Mutex
	seats    map[string]*seat
	known    map[string]knownModem // by name, as on record
	homes    map[string]home       // by name, of modems with a path that the kernel gave
	spoke    map[home]*spoken      // devices that answered when they were asked
	started  map[string]bool       // automatic modems that have a supervisor
	looking  int
	changed  chan struct{} // closed and made anew at every change
	watching bool          // the kernel tells
	trouble  string        // why the list can't be read, to say it once
}

// spoken is how a device answered.
type spoken struct {
	number int // of the interface
	baud   int // 0: any
}

// seat is a device while it is attached.
type seat struct {
	dev    hw.Device
	choice hw.Choice
	judged bool    // choice is more than that it is too early for one
	modem  bool    // it is one, and not only something that may have one behind it
	before *spoken // nil: it never answered
	since  time.Time

	path    string // its AT port; "" while that is not known
	baud    int    // at which it answered; 0: not asked, or any
	id      modem.Identity
	asked   bool      // id is what it said
	why     error     // it said nothing
	looks   int       // without an answer
	next    time.Time // when it may be asked again
	looking bool

	owner  string                  // name of a modem of the configuration; "" nobody's
	inUse  bool                    // a supervisor has it, perhaps no more its owner's
	revoke context.CancelCauseFunc // ends that use
	failed bool                    // the last use of it ended in an error: no reason to hurry
}

func (d *Daemon) newRoster() (*roster, error) {
	r := &roster{source: d.Devices, open: d.open, modems: d.cfg.Modems, log: d.log, now: d.now, poked: make(chan struct{}, 1),
		seats: map[string]*seat{}, known: map[string]knownModem{}, homes: map[string]home{}, spoke: map[home]*spoken{}, started: map[string]bool{}, changed: make(chan struct{})}
	switch root := d.Hands.Root; {
	case r.source.Attached != nil:
	case root != "":
		r.source.Attached = func() ([]hw.Device, error) { return hw.Attached(filepath.Join(root, "sys")) }
	case d.Open == nil:
		r.source = hw.System()
	}
	for i, mc := range r.modems {
		if how, _ := mc.FoundBy(); how == configs.Auto {
			r.auto = &r.modems[i]
		}
	}
	known, err := d.store.Modems()
	for _, k := range known {
		r.known[k.Name] = knownModem{k.IMEI, k.Seen}
	}
	return r, err
}

// needed says whether any modem may be among what is attached by USB.
func (r *roster) needed() bool {
	return r.source.Attached != nil && slices.ContainsFunc(r.modems, func(mc configs.Modem) bool {
		how, path := mc.FoundBy()
		return how != configs.ByPath || !neverUSB.MatchString(path)
	})
}

// neverUSB are terminals of the board and of programs.
var neverUSB = regexp.MustCompile(`^/dev/(serial[0-9]+|tty(S|AMA)[0-9]+|pts/[0-9]+)$`)

// attached lists what is plugged in, nothing where that can't be read.
func (r *roster) attached() []hw.Device {
	if r.source.Attached == nil {
		return nil
	}
	all, _ := r.source.Attached()
	return all
}

// watch passes on what the kernel tells. A system that does not let it be heard
// costs some seconds at a re-plug, and is told once.
func (r *roster) watch(ctx context.Context) error {
	if !r.needed() || r.source.Watch == nil {
		return nil
	}
	r.setWatching(true)
	if err := r.source.Watch(ctx, r.poke); err != nil {
		r.setWatching(false)
		defer r.poke()
		r.log.Warn("the kernel does not tell of devices that come and go: they are looked for every few seconds", "every", lookAlone, "error", err)
	}
	return nil
}

func (r *roster) setWatching(yes bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.watching = yes
}

func (r *roster) poke() {
	select {
	case r.poked <- struct{}{}:
	default:
	}
}

// run looks, and asks what it sees, until ctx ends. It waits for its own looks.
func (r *roster) run(ctx context.Context) error {
	if !r.needed() {
		return nil
	}
	var looks sync.WaitGroup
	defer looks.Wait()
	for ctx.Err() == nil {
		r.rescan()
		for _, s := range r.due(time.Now()) {
			looks.Go(func() { r.look(ctx, s) })
		}
		pause(ctx, eventQuiet)
		t := time.NewTimer(r.idle(time.Now()))
		select {
		case <-ctx.Done():
		case <-r.poked:
		case <-t.C:
		}
		t.Stop()
	}
	return nil
}

// pause waits d, or the end of ctx.
func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

// rescan brings the seats up to date with what is attached.
func (r *roster) rescan() {
	if !r.needed() {
		return
	}
	devices, err := r.source.Attached()
	r.mu.Lock()
	defer r.unlock()
	if err != nil {
		if r.trouble != err.Error() {
			r.log.Warn("what is attached can't be seen", "error", err)
		}
		r.trouble = err.Error()
		return
	}
	r.trouble = ""
	present := map[string]bool{}
	for _, d := range devices {
		key := seatKey(d)
		present[key] = true
		s := r.seats[key]
		known := s != nil && s.judged
		if s == nil {
			s = r.newSeat(d)
			r.seats[key] = s
		}
		if s.judge(d, time.Now()); s.judged && !known {
			r.log.Info("attached", "place", d.Place, "id", d.Vendor+":"+d.Product, "model", d.Model, "port", s.choice.TTY.Path, "why", s.choice.Why)
		}
	}
	maps.DeleteFunc(r.seats, func(key string, s *seat) bool { return !present[key] && r.leave(s) })
	r.assign(time.Now())
}

// leave ends the work with a device that has gone.
func (r *roster) leave(s *seat) bool {
	if s.judged {
		r.log.Info("detached", "place", s.dev.Place, "modem", s.owner)
	}
	s.free(hw.ErrGone)
	return true
}

// free takes the device from its owner, whose session ends for the cause. It is
// in use until that one gives it back.
func (s *seat) free(cause error) {
	if s.inUse {
		s.revoke(cause)
	}
	s.owner = ""
}

func (r *roster) newSeat(d hw.Device) *seat {
	before := r.spoke[homeIn(d, 0)]
	s := &seat{dev: d, since: time.Now(), modem: d.IsModem() || before != nil, before: before}
	s.judge(d, s.since)
	return s
}

// judge chooses the port, once. A stick's ports appear one after the other, and what
// looks best at first may be for dial-up: where one that is still to come may be the
// better one, the list must have stayed the same for a moment. An interface that no
// driver takes may never get one, and is waited for a little longer only.
func (s *seat) judge(d hw.Device, now time.Time) {
	if s.judged {
		return
	}
	age, choice := now.Sub(s.since), d.Choose()
	if choice.Early && (age < eventQuiet || d.Pending > 0 && age < portsLate) {
		s.choice = hw.Choice{Why: "its ports are still appearing"}
		return
	}
	s.dev, s.choice, s.judged = d, choice, true
	if choice.Sure && s.path == "" {
		s.path = choice.TTY.Path
	}
}

// seatKey is another one after a re-plug: the device's number is.
func seatKey(d hw.Device) string {
	key := []string{d.Place, d.Node}
	for _, t := range d.TTYs {
		key = append(key, t.Path)
	}
	return strings.Join(key, " ")
}

// unlock tells whoever waits that something may have changed.
func (r *roster) unlock() {
	close(r.changed)
	r.changed = make(chan struct{})
	r.mu.Unlock()
}

// due takes the seats that are to be asked now.
func (r *roster) due(now time.Time) []*seat {
	r.mu.Lock()
	defer r.mu.Unlock()
	var due []*seat
	for _, s := range r.inOrder() {
		if r.looking < looksAtOnce && r.wantsLook(s) && !s.next.After(now) {
			s.looking = true
			r.looking++
			due = append(due, s)
		}
	}
	return due
}

// idle is how long nothing needs to be done unless the kernel tells.
func (r *roster) idle(now time.Time) time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	wait := lookAgain
	if !r.watching {
		wait = lookAlone
	}
	for _, s := range r.seats {
		if !s.judged {
			return 0
		}
		if r.wantsLook(s) && r.looking < looksAtOnce {
			wait = min(wait, s.next.Sub(now))
		}
		if d := s.since.Add(linkGrace).Sub(now); s.owner == "" && d > 0 {
			wait = min(wait, d)
		}
	}
	return max(wait, 0)
}

func (r *roster) inOrder() []*seat {
	return slices.SortedFunc(maps.Values(r.seats), func(a, b *seat) int { return strings.Compare(a.dev.Place, b.dev.Place) })
}

// look asks a device who it is, port after port where that is not known.
func (r *roster) look(ctx context.Context, s *seat) {
	ports, line, sim := r.howToAsk(s)
	var id modem.Identity
	var path string
	var number int
	err := errors.New("it has no port to ask")
	for _, p := range ports {
		if id, err = r.ask(ctx, hw.Port{Path: p.Path, Baud: line.Baud, RTSCTS: line.RTSCTS}, sim); err == nil {
			path, number = p.Path, p.Interface
			break
		}
		if ctx.Err() != nil {
			break
		}
	}
	r.mu.Lock()
	defer r.poke()
	defer r.unlock()
	s.looking, s.looks, s.why = false, s.looks+1, err
	r.looking--
	switch {
	case err == nil:
		s.path, s.baud, s.id, s.asked, s.modem, s.looks = path, line.Baud, id, true, true, 0
		s.before = &spoken{number, line.Baud}
		r.spoke[homeIn(s.dev, 0)] = s.before
	case s.owner != "" && s.looks >= hopeless:
		s.path = s.choice.TTY.Path // its supervisor will say what is wrong
	}
	s.next = time.Now().Add(s.patience(time.Now(), sim, r.misses()))
	r.log.Debug("asked who is there", "place", s.dev.Place, "port", path, "error", err)
}

func (r *roster) ask(ctx context.Context, port hw.Port, sim bool) (modem.Identity, error) {
	rwc, err := r.open(port)
	if err != nil {
		return modem.Identity{}, err
	}
	return modem.Look(ctx, rwc, sim)
}

// howToAsk is which ports are asked, how the line is set, which matters behind
// adapters only, and whether the SIM's number is wanted.
func (r *roster) howToAsk(s *seat) (ports []hw.TTY, line hw.Port, sim bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	mc := r.config(s.owner)
	if s.owner == "" && r.auto != nil {
		mc = *r.auto
	}
	line.Baud, line.RTSCTS = mc.Baud, mc.RTSCTS
	if line.Baud == 0 && !s.choice.Sure {
		line.Baud = s.speed()
	}
	return s.ports(), line, slices.ContainsFunc(r.modems, func(mc configs.Modem) bool {
		how, _ := mc.FoundBy()
		return how == configs.ByICCID
	})
}

// speed is that of the next question. One takes seconds, so two of three are at the
// likeliest speeds, of which one is that of the last answer: a modem that still boots
// is not kept waiting by the rest.
func (s *seat) speed() int {
	order := speeds
	if s.before != nil && s.before.baud != 0 {
		others := slices.DeleteFunc(slices.Clone(speeds), func(baud int) bool { return baud == s.before.baud })
		order = append([]int{s.before.baud}, others...)
	}
	turn, which := s.looks/3, s.looks%3
	if which == 2 {
		which += turn % (len(order) - 2)
	}
	return order[which]
}

// ports are those that are asked, first the one that answered before. The unlikely
// ones are left alone while the others may only be booting.
func (s *seat) ports() []hw.TTY {
	if s.choice.Sure {
		return []hw.TTY{s.choice.TTY}
	}
	all := slices.Concat(s.choice.Try, s.choice.Later)
	ports := all
	if s.looks < hopeless-1 {
		ports = s.choice.Try
	}
	i := slices.IndexFunc(all, func(t hw.TTY) bool { return s.before != nil && t.Interface == s.before.number })
	if i < 0 {
		return ports
	}
	return append([]hw.TTY{all[i]}, slices.DeleteFunc(slices.Clone(ports), func(t hw.TTY) bool { return t == all[i] })...)
}

// misses says whether a modem has no device that is found by what a device says.
func (r *roster) misses() bool {
	return slices.ContainsFunc(r.modems, func(mc configs.Modem) bool {
		how, _ := mc.FoundBy()
		return (how == configs.ByIMEI || how == configs.ByICCID) && r.seatOf(mc.Name) == nil
	})
}

// patience is how long a device is left alone after it was asked; sim: for its card
// too; missing: on behalf of a modem that is found by what it says.
func (s *seat) patience(now time.Time, sim, missing bool) time.Duration {
	var refused *hw.OpenError
	switch age := now.Sub(s.since); {
	case s.asked && (s.id.ICCID != "" || !sim):
		return youngFor
	case age >= youngFor && s.modem && missing && !errors.As(s.why, &refused):
		return askMissing
	case age >= youngFor:
		return min(askLongest, age/4)
	case s.modem:
		return askModem
	}
	return askOther
}
