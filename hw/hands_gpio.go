package hw

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"time"

	"github.com/warthog618/go-gpiocdev"
	"golang.org/x/sys/unix"
)

// Key is a GPIO line that presses a module's PWRKEY, as HATs wire it: through a
// transistor, so that a high line pulls the key low.
type Key struct {
	Chip  string // gpiochip0
	Line  int    // its offset on the chip
	Low   bool   // a low line presses the key: there is no transistor
	Pulse string // a name of Pulses
}

// Pulse is how long a module wants its key pressed.
type Pulse struct {
	Off  time.Duration // pressed for this long it switches off,
	Down time.Duration // and is off after this long;
	On   time.Duration // pressed for this long it switches on
}

// Pulses are the modules whose times are known, by the names that the
// configuration has for them. Where it can be, On is shorter than what switches
// off, and Off is long enough to switch on: a module that was off before is on in
// the end, too.
var Pulses = map[string]Pulse{
	// SIM800 Hardware Design V1.09, 4.2.1 and 4.2.2.1: on after 1 s, off after 1.5 s
	// and before 33 s, STATUS low 3 s later. A SIM800C switches off after 1 s already.
	"sim800": {Off: 2 * time.Second, Down: 5 * time.Second, On: 1200 * time.Millisecond},
	// SIM7600 Series Hardware Design, 3.2: on after 100 to 500 ms, off after 2.5 s,
	// the USB port away 26 s later.
	"sim7600": {Off: 3 * time.Second, Down: 30 * time.Second, On: 500 * time.Millisecond},
	// Quectel EC25 Hardware Design V2, 3.7: on after 500 ms, off after 650 ms, power
	// to be left on for 30 s more.
	"ec25": {Off: 800 * time.Millisecond, Down: 30 * time.Second, On: 550 * time.Millisecond},
}

// line is a requested GPIO line.
type line struct {
	press func(down bool) error
	close func() error
}

var keyPattern = regexp.MustCompile(`^(?:/dev/)?(gpiochip[0-9]{1,4})/([0-9]{1,4})(/low)?$`)

// ParseKey reads a line as the configuration writes it: gpiochip0/4, and
// gpiochip0/4/low where a low line presses the key.
func ParseKey(s, pulse string) (Key, error) {
	m := keyPattern.FindStringSubmatch(s)
	if m == nil {
		return Key{}, handError(PowerKey, s, errLineBad)
	}
	n, _ := strconv.Atoi(m[2]) // four digits
	return Key{Chip: m[1], Line: n, Low: m[3] != "", Pulse: pulse}, nil
}

// Press switches a module off and on by its key, which takes as long as its Pulse
// says. When ctx ends the key is let go at once; the module may then be off.
func (h *Hands) Press(ctx context.Context, k Key) error {
	where := fmt.Sprintf("%s/%d", k.Chip, k.Line)
	p, ok := Pulses[k.Pulse]
	if !ok {
		return handError(PowerKey, where, fmt.Errorf("no pulse is called %q", k.Pulse))
	}
	request := h.request
	if request == nil {
		request = requestLine
	}
	l, err := request(k)
	if err != nil {
		return handError(PowerKey, "/dev/"+k.Chip, err)
	}
	err = pressFor(ctx, l, p.Off)
	if err == nil {
		err = pause(ctx, p.Down)
	}
	if err == nil {
		err = pressFor(ctx, l, p.On)
	}
	return handError(PowerKey, where, errors.Join(err, l.close()))
}

// pressFor lets go of the key whatever happens.
func pressFor(ctx context.Context, l line, d time.Duration) error {
	err := l.press(true)
	if err == nil {
		err = pause(ctx, d)
	}
	return errors.Join(err, l.press(false))
}

// requestLine takes the line of the character device, as an output that does not
// press.
func requestLine(k Key) (line, error) {
	options := []gpiocdev.LineReqOption{gpiocdev.AsOutput(0), gpiocdev.WithConsumer("simpost")}
	if k.Low {
		options = append(options, gpiocdev.AsActiveLow)
	}
	l, err := gpiocdev.RequestLine(k.Chip, k.Line, options...)
	if errors.Is(err, unix.EINVAL) || errors.Is(err, gpiocdev.ErrInvalidOffset) {
		err = errNoGPIO
	}
	if err != nil {
		return line{}, err
	}
	press := func(down bool) error {
		if down {
			return l.SetValue(1)
		}
		return l.SetValue(0)
	}
	return line{press: press, close: l.Close}, nil
}
