package daemon

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"simpost/configs"
	"simpost/daemon/api"
	"simpost/hw"
	"simpost/modem"
)

// Which device is which modem. What the configuration says of one device goes
// first: its path, its place, its IMEI, its SIM card. The automatic modem takes
// what is left and is a modem: the first is called as the configuration says, the
// next NAME-2, and a name stays with its IMEI. Every modem is asked again who it
// is when it is up, before anything is done with it; one that is another than was
// thought goes to its own name.

const (
	// linkGrace is how long the links below /dev/serial may come after the device;
	// until then it may be one that the configuration names.
	linkGrace = 2 * time.Second

	// hopeless is after how many looks without an answer a modem is given to its
	// supervisor all the same, who knows how to wake it and how to say what is wrong.
	hopeless    = 3
	hopelessFor = 5 * time.Second // udev may take a while to grant the use of a device

	// nameKept is how long a name waits for a stick that is gone.
	nameKept = 30 * 24 * time.Hour

	autoLimit = 64 // names of the automatic modem
)

// knownModem is what is on record of a name.
type knownModem struct {
	imei string
	seen time.Time
}

// errMoved says that a device is another modem than was thought: no fault.
var errMoved = errors.New("the device is another modem of the configuration")

// absentError says why there is no device for a modem.
type absentError string

func (e absentError) Error() string { return string(e) }

// assign gives the devices that are nobody's to whom they belong.
func (r *roster) assign(now time.Time) {
	paths := r.resolve()
	for _, s := range r.seats {
		if how, path := r.foundBy(s.owner); how == configs.ByPath && !s.inUse && !s.has(paths[path]) && !r.isHome(s.owner, s) {
			s.owner = "" // its link leads elsewhere now
		}
	}
	for _, s := range r.inOrder() {
		if s.owner != "" || s.inUse {
			continue
		}
		if s.owner = r.named(s, paths); s.owner == "" {
			s.owner = r.automatic(s, paths, now)
		}
		if s.owner != "" {
			r.log.Info("recognised", "place", s.dev.Place, "modem", s.owner, "port", s.path)
		}
	}
}

// resolve follows the paths of the configuration to terminals.
func (r *roster) resolve() map[string]string {
	paths := map[string]string{}
	for _, mc := range r.modems {
		switch how, path := mc.FoundBy(); {
		case how != configs.ByPath:
		case kernelName.MatchString(path):
			paths[path] = path
		default:
			paths[path], _ = filepath.EvalSymlinks(path)
		}
	}
	return paths
}

func (s *seat) has(path string) bool {
	return slices.ContainsFunc(s.dev.TTYs, func(t hw.TTY) bool { return t.Path == path })
}

// config is that of the modem of this name; the automatic ones share theirs.
func (r *roster) config(name string) configs.Modem {
	for _, mc := range r.modems {
		if mc.Name == name {
			return mc
		}
	}
	if r.auto == nil || !configs.IsAutoName(r.auto.Name, name) {
		return configs.Modem{}
	}
	mc := *r.auto
	mc.Name = name
	return mc
}

// foundBy is how it is found, "" for nobody.
func (r *roster) foundBy(name string) (how, value string) {
	if name == "" {
		return "", ""
	}
	return r.config(name).FoundBy()
}

// named is the modem that the configuration means by this device, "" if none.
func (r *roster) named(s *seat, paths map[string]string) string {
	for _, mc := range r.modems {
		if r.seatOf(mc.Name) != nil {
			continue
		}
		switch how, path := mc.FoundBy(); {
		case r.means(mc, s):
			return mc.Name
		case how == configs.ByPath && r.isHome(mc.Name, s):
			s.path = s.portOf(r.homes[mc.Name].number)
			return mc.Name
		case how == configs.ByPath && s.has(paths[path]) && !r.atHome(mc.Name):
			s.path = path
			r.settle(mc.Name, path, s)
			return mc.Name
		}
	}
	return ""
}

// home is the stick that a path such as /dev/ttyUSB2 led to: the kernel gives its
// names anew at each re-plug, so the stick is followed, not the name. A symlink is
// somebody's own word, and followed itself.
type home struct {
	place, vendor, product, serial string
	number                         int // of the interface
}

func homeIn(d hw.Device, number int) home {
	return home{d.Place, d.Vendor, d.Product, d.Serial, number}
}

var kernelName = regexp.MustCompile(`^/dev/tty(USB|ACM)[0-9]+$`)

func (r *roster) settle(name, path string, s *seat) {
	i := slices.IndexFunc(s.dev.TTYs, func(t hw.TTY) bool { return t.Path == path })
	if i < 0 || !kernelName.MatchString(path) {
		return
	}
	r.homes[name] = homeIn(s.dev, s.dev.TTYs[i].Interface)
}

// isHome says whether a device is the stick that a path led to: by its place, for
// all sticks of a kind may have the same serial.
func (r *roster) isHome(name string, s *seat) bool {
	h, ok := r.homes[name]
	return ok && h == homeIn(s.dev, h.number) && s.portOf(h.number) != ""
}

// atHome says whether that stick is attached.
func (r *roster) atHome(name string) bool {
	return slices.ContainsFunc(r.inOrder(), func(s *seat) bool { return r.isHome(name, s) })
}

func (s *seat) portOf(number int) string {
	for _, t := range s.dev.TTYs {
		if t.Interface == number {
			return t.Path
		}
	}
	return ""
}

// means says whether mc is this device, by its place or by what it said.
func (r *roster) means(mc configs.Modem, s *seat) bool {
	switch how, value := mc.FoundBy(); how {
	case configs.ByPlace:
		return value == s.dev.Place
	case configs.ByIMEI:
		return s.asked && sameIMEI(value, s.id.IMEI)
	case configs.ByICCID:
		return s.asked && sameICCID(value, s.id.ICCID)
	}
	return false
}

// sameIMEI leaves out the last digits: a check digit, or a version (TS 23.003 6.2).
func sameIMEI(a, b string) bool { return len(a) >= 14 && len(b) >= 14 && a[:14] == b[:14] }

// sameICCID allows for a check digit that one of them lacks (E.118).
func sameICCID(a, b string) bool {
	a, b = strings.ToUpper(a), strings.ToUpper(b)
	return len(a) >= 18 && len(b) >= 18 && len(a)-len(b) <= 1 && len(b)-len(a) <= 1 && (strings.HasPrefix(a, b) || strings.HasPrefix(b, a))
}

// automatic is the name of a device that the configuration does not name.
func (r *roster) automatic(s *seat, paths map[string]string, now time.Time) string {
	if r.auto == nil || s.looking || s.choice.TTY.Path == "" {
		return ""
	}
	for _, tty := range paths {
		if tty == "" && now.Sub(s.since) < linkGrace {
			return ""
		}
	}
	switch {
	case s.asked:
	case s.modem && s.looks >= hopeless && now.Sub(s.since) >= hopelessFor:
		s.path = s.choice.TTY.Path
	default:
		return ""
	}
	name := r.autoName(s.id.IMEI)
	if name == "" {
		return ""
	}
	if s.asked {
		r.known[name] = knownModem{s.id.IMEI, r.now()}
	}
	r.ensure(name)
	return name
}

// autoName is the name on record for this IMEI, else the next one. A stick that
// says nothing gets the first name that is not taken: it is most likely that one.
func (r *roster) autoName(imei string) string {
	names := r.autoNames()
	for _, name := range names {
		if imei != "" && sameIMEI(r.known[name].imei, imei) && !r.provenSeat(name) {
			r.vacate(name)
			return name
		}
	}
	for _, name := range names {
		k, onRecord := r.known[name]
		free := !onRecord || imei == "" || r.now().Sub(k.seen) > nameKept
		if free && r.seatOf(name) == nil {
			return name
		}
	}
	return ""
}

// autoNames are all names there may be.
func (r *roster) autoNames() []string {
	names := []string{r.auto.Name}
	for n := 2; n <= autoLimit; n++ {
		names = append(names, fmt.Sprintf("%s-%d", r.auto.Name, n))
	}
	return names
}

// shown are the automatic names that people see from the start: those on record,
// and at least the first.
func (r *roster) shown() []string {
	return slices.DeleteFunc(r.autoNames(), func(name string) bool {
		k, onRecord := r.known[name]
		return name != r.auto.Name && (!onRecord || r.now().Sub(k.seen) > nameKept)
	})
}

// all are the modems to look after from the start.
func (r *roster) all() []configs.Modem {
	var all []configs.Modem
	for _, mc := range r.modems {
		if how, _ := mc.FoundBy(); how != configs.Auto {
			all = append(all, mc)
			continue
		}
		for _, name := range r.shown() {
			mc.Name = name
			r.started[name] = true
			all = append(all, mc)
		}
	}
	return all
}

func (r *roster) seatOf(name string) *seat {
	for _, s := range r.seats {
		if s.owner == name {
			return s
		}
	}
	return nil
}

// ownerOf is the modem that has the device with this terminal.
func (r *roster) ownerOf(path string) string {
	for _, s := range r.seats {
		if s.has(path) {
			return s.owner
		}
	}
	return ""
}

// provenSeat says whether a device has the name that has said who it is.
func (r *roster) provenSeat(name string) bool {
	s := r.seatOf(name)
	return s != nil && s.asked
}

// vacate takes a name from the silent device that got it by guess.
func (r *roster) vacate(name string) {
	if s := r.seatOf(name); s != nil {
		s.free(errMoved)
	}
}

// ensure has an automatic modem looked after.
func (r *roster) ensure(name string) {
	if r.started[name] {
		return
	}
	r.started[name] = true
	r.start(r.config(name))
}

// wantsLook says whether asking a device may make it somebody's, or is needed to
// find its port.
func (r *roster) wantsLook(s *seat) bool {
	how, _ := r.foundBy(s.owner)
	switch {
	case s.looking || s.inUse || s.choice.TTY.Path == "" || how == configs.ByPath:
		return false
	case s.owner != "":
		return s.path == ""
	case !s.asked:
		return true
	}
	// A card may be moved to it, or may not have been ready.
	return slices.ContainsFunc(r.modems, func(mc configs.Modem) bool {
		how, _ := mc.FoundBy()
		return how == configs.ByICCID && r.seatOf(mc.Name) == nil
	})
}

// tenure is the use of a device by one session.
type tenure struct {
	port  hw.Port
	since time.Time // when the device appeared; zero if that is not known
	seat  *seat     // nil for a modem that is found by its path
	end   context.CancelCauseFunc
}

// claim gives a modem its device, until it is released or the context that comes
// with it ends: its cause is then hw.ErrGone or errMoved. The error is an
// absentError.
func (r *roster) claim(ctx context.Context, mc configs.Modem) (context.Context, tenure, error) {
	how, path := mc.FoundBy()
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.seatOf(mc.Name)
	if s == nil && how == configs.ByPath { // not on USB, or not seen yet
		if other := r.ownerOf(path); other != "" {
			return ctx, tenure{}, absentError(fmt.Sprintf("%s is now a port of the modem %s", path, other))
		}
		return ctx, tenure{port: hw.Port{Path: path, Baud: mc.Baud}}, nil
	}
	if s == nil || s.path == "" || s.looking || s.inUse {
		return ctx, tenure{}, r.absent(mc, s)
	}
	ctx, s.revoke = context.WithCancelCause(ctx)
	s.inUse = true
	return ctx, tenure{port: hw.Port{Path: s.path, Baud: cmp.Or(mc.Baud, s.baud)}, since: s.since, seat: s, end: s.revoke}, nil
}

// absent says why a modem has no device.
func (r *roster) absent(mc configs.Modem, s *seat) error {
	how, _ := mc.FoundBy()
	if s != nil && s.choice.TTY.Path == "" {
		return absentError("the device has no port for AT: " + s.choice.Why)
	}
	if s != nil {
		return absentError("the device does not answer to AT yet")
	}
	if how == configs.ByPlace {
		return absentError("nothing is plugged in there")
	}
	silent, why := 0, ""
	for _, s := range r.inOrder() {
		switch {
		case s.choice.TTY.Path == "":
			why = fmt.Sprintf("; of what is plugged in at %s, %s", s.dev.Place, s.choice.Why)
		case s.owner == "" && !s.asked:
			silent++
		case r.means(mc, s):
			why = "; it is used as " + s.owner
		}
	}
	wanted := map[string]string{configs.Auto: "no modem is attached by USB", configs.ByIMEI: "no modem with this IMEI is attached",
		configs.ByICCID: "no modem with this SIM card is attached"}[how]
	if silent > 0 {
		why += fmt.Sprintf("; of what may be one, %d did not answer", silent)
	}
	return absentError(wanted + why)
}

// prove holds what a modem says against what it was taken for: errMoved if it is
// another one's.
func (r *roster) prove(mc configs.Modem, t tenure, id modem.Identity) error {
	if t.seat == nil {
		return nil
	}
	r.mu.Lock()
	defer r.unlock()
	s := t.seat
	if s.owner != mc.Name {
		return errMoved
	}
	s.id, s.asked = id, true
	how, _ := mc.FoundBy()
	if how == configs.ByPlace || how == configs.ByPath {
		return nil
	}
	s.owner = ""
	name := r.named(s, nil)
	if name == "" && how == configs.Auto {
		name = r.autoName(id.IMEI)
	}
	if name != mc.Name {
		return errMoved
	}
	s.owner = name
	if how == configs.Auto {
		r.known[name] = knownModem{id.IMEI, r.now()}
	}
	return nil
}

// release gives a device back after err. One that has gone is looked at anew, and
// so is one whose card was pulled where the card says whose it is.
func (r *roster) release(t tenure, err error) {
	if t.seat == nil {
		return
	}
	t.end(nil)
	r.mu.Lock()
	defer r.poke()
	defer r.unlock()
	s := t.seat
	s.inUse, s.revoke = false, nil
	how, _ := r.foundBy(s.owner)
	switch {
	case errors.Is(err, hw.ErrGone), errors.Is(err, io.EOF):
		*s = *r.newSeat(s.dev)
	case how == configs.ByICCID && errors.Is(err, errSIMChanged):
		s.owner, s.asked, s.next = "", false, time.Time{}
	case (how == configs.ByPlace || how == configs.Auto) && !s.choice.Sure && !s.asked && wrongPort(err):
		s.path = ""
	}
	s.failed = err != nil && !errors.Is(err, errMoved)
}

// wrongPort says whether another port of the device may do better.
func wrongPort(err error) bool {
	code := conditionOf(err)
	return code == api.CondSilent || code == api.CondNotModem
}

// ready waits until the modem has a device that it has not failed with, or ctx ends.
func (r *roster) ready(ctx context.Context, name string) {
	for {
		r.mu.Lock()
		s, changed := r.seatOf(name), r.changed
		free := s != nil && s.path != "" && !s.looking && !s.inUse && !s.failed
		r.mu.Unlock()
		if free {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-changed:
		}
	}
}
