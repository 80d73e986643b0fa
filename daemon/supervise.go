package daemon

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"simpost/configs"
	"simpost/daemon/api"
	"simpost/hw"
	"simpost/modem"
)

// A supervisor keeps one configured modem at work: it opens the device, runs a
// session, and when the session returns, for whatever reason, opens it again.
// It never gives up: the cause is a condition that people can read, and unplug,
// reboot and a stuck port are all "the session returned".

// supervise runs until ctx ends.
func (d *Daemon) supervise(ctx context.Context, mc configs.Modem) error {
	log := d.log.With("modem", mc.Name)
	defer d.pulse.ended(modemLoopFor + mc.Name)
	row := ladder{hands: hands{able: mc.HandList()}}
	for ctx.Err() == nil {
		d.expectModem(mc, 0)
		d.useHand(ctx, mc, &row)
		err := d.attend(ctx, mc, &row)
		if ctx.Err() != nil {
			break
		}
		if errors.Is(err, errTouched) || errors.Is(err, errMoved) {
			log.Info("session starts anew", "because", err)
			continue
		}
		if errors.Is(err, errRestarted) { // it stays in the condition that made us do it
			row.owed = time.Time{}
			log.Info("restarted", "said", err)
			d.expectModem(mc, restartPause)
			d.await(ctx, mc, api.CondRebooted, restartPause)
			continue
		}
		code := conditionOf(err)
		if code == api.CondUnplugged || code == api.CondRebooted {
			row.owed = time.Time{}
		}
		delay := d.climb(mc.Name, &row, code)
		log.Warn("session ended", "condition", code, "error", err, "again_in", delay)
		d.setCondition(mc.Name, code, err)
		d.expectModem(mc, delay)
		d.await(ctx, mc, code, delay)
	}
	end := api.CondStopping
	if isCorrupt(context.Cause(ctx)) {
		end = api.CondCorrupt
	}
	d.setCondition(mc.Name, end, nil)
	return nil
}

// attend takes the modem's device and works with it until something fails.
func (d *Daemon) attend(ctx context.Context, mc configs.Modem, row *ladder) (err error) {
	mine, device, err := d.roster.claim(ctx, mc)
	if err != nil {
		d.board.at(mc.Name, "", "")
		return err
	}
	d.board.at(mc.Name, device.port.Path, d.placeOf(device))
	defer func() {
		if ctx.Err() == nil && mine.Err() != nil {
			err = context.Cause(mine)
		}
		d.roster.release(device, err)
		if code := conditionOf(err); code == api.CondNoDevice || code == api.CondUnplugged || errors.Is(err, errMoved) {
			d.board.at(mc.Name, "", "") // of one that fails it is told further: somebody may have to look there
		}
	}()
	return d.operate(mine, mc, device, row)
}

// operate opens the device and the modem and works with it until it fails.
func (d *Daemon) operate(ctx context.Context, mc configs.Modem, device tenure, row *ladder) error {
	if mc.Baud == 0 {
		if row.silent && row.speed == 0 {
			d.findSpeed(ctx, mc.Name, device, row)
		}
		device.port.Baud = cmp.Or(row.speed, device.port.Baud)
	}
	device.port.RTSCTS = mc.RTSCTS
	port, err := d.openSettled(ctx, device)
	if err != nil {
		return err
	}
	row.hands.seen(d.placeOf(device))
	if row.wantsKick(time.Now()) {
		d.log.Warn("telling the modem to restart, though it says nothing", "modem", mc.Name)
		return errors.Join(errRestarted, modem.Kick(ctx, port))
	}
	d.setCondition(mc.Name, api.CondStarting, nil)
	m, err := modem.Open(ctx, port, d.modemConfig(mc))
	if err != nil {
		return err
	}
	defer m.Close()
	row.speed = cmp.Or(device.port.Baud, hw.DefaultBaud)
	if err := d.roster.prove(mc, device, m.Identity()); err != nil {
		return err
	}
	if row.wantsReset(time.Now()) {
		d.log.Warn("restarting the modem", "modem", mc.Name)
		return errors.Join(errRestarted, m.Reset(ctx))
	}
	row.usedUp = false
	d.board.withdraw(mc.Name, api.FindUsedUp)
	d.board.withdraw(mc.Name, api.FindHand)
	up := time.Now()
	s := &session{d: d, cfg: mc, m: m, log: d.log.With("modem", mc.Name), owed: row.owed,
		duties: duties{ailing: row.ailing, tried: row.rounds > 0, proven: up}}
	err = s.run(ctx)
	row.owed = s.owed
	row.worked(s.duties.proven.Sub(up))
	row.ailing = cmp.Or(ails(err), s.duties.ailing)
	return err
}

// speeds are those that modems are set to, in the order of likelihood.
var speeds = []int{115200, 9600, 57600, 38400, 19200, 230400, 460800, 921600}

// findSpeed asks at every speed whether somebody answers, about a second each. Modems on USB answer at the first.
func (d *Daemon) findSpeed(ctx context.Context, name string, device tenure, row *ladder) {
	for _, device.port.Baud = range speeds {
		if ctx.Err() != nil {
			return
		}
		port, err := d.open(device.port)
		if err != nil {
			return
		}
		if modem.Answers(ctx, port) {
			d.log.Info("the line's speed is found", "modem", name, "baud", device.port.Baud)
			row.speed = device.port.Baud
			return
		}
	}
}

// openSettled opens the port. The use of one that has just appeared is granted by
// udev, a moment later.
func (d *Daemon) openSettled(ctx context.Context, device tenure) (io.ReadWriteCloser, error) {
	for {
		port, err := d.open(device.port)
		var refused *hw.OpenError
		if err == nil || time.Since(device.since) > settleFor || ctx.Err() != nil ||
			!errors.As(err, &refused) || refused.Condition != hw.NoPermission && refused.Condition != hw.NoDevice {
			return port, err
		}
		pause(ctx, settleStep)
	}
}

// await waits before the next try: for the device to appear, or for delay.
func (d *Daemon) await(ctx context.Context, mc configs.Modem, code api.ConditionCode, delay time.Duration) {
	limit, cancel := context.WithTimeout(ctx, delay)
	defer cancel()
	if code != api.CondNoDevice && code != api.CondUnplugged {
		<-limit.Done()
		return
	}
	how, path := mc.FoundBy()
	if how != configs.ByPath || d.Open != nil {
		d.roster.ready(limit, mc.Name)
		return
	}
	// What has a path may be seen in its folder, on USB, or both.
	var either sync.WaitGroup
	either.Go(func() { defer cancel(); d.roster.ready(limit, mc.Name) })
	if hw.Wait(limit, path) == nil {
		pause(limit, deviceSettle) // it may not have its rights yet
	}
	cancel()
	either.Wait()
}

const (
	// deviceSettle is how long a device that has appeared is left to udev.
	deviceSettle = time.Second
	// settleFor is how long it may take udev to grant the use of a device,
	settleFor = 5 * time.Second
	// and settleStep how often that is tried.
	settleStep = 100 * time.Millisecond
)

func (d *Daemon) modemConfig(mc configs.Modem) modem.Config {
	c := modem.Config{Name: mc.Name, Profile: mc.Profile, SMSC: mc.SMSC, Network: mc.Operator}
	c.Limits.Answer = d.cfg.Send.AnswerTimeout
	c.Trace = func(dir byte, _ string) {
		if dir == '>' {
			d.expectModem(mc, 0)
		}
	}
	c.Resynced = func(ok bool) { d.resynced(mc.Name, ok) }
	if mc.PINFile == "" {
		return c
	}
	d.lookAtPINFile(mc)
	c.PIN = func() (string, error) { return readPIN(mc.PINFile) }
	c.Guard = d.pinGuard(mc.PINFile)
	c.Guard.Keep = mc.PINKeep
	return c
}

// maxPINFile is more than a PIN and the line's end.
const maxPINFile = 64

func readPIN(path string) (string, error) {
	b, _, err := pinFile(path)
	if err != nil {
		return "", fmt.Errorf("read the PIN: %w", err)
	}
	return strings.TrimSpace(string(b)), nil
}

// pinFile is what a file holds and the mode of that very file. A pipe or a terminal,
// which may have a reader wait for ever, is none.
func pinFile(path string) ([]byte, fs.FileMode, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, 0, err
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, 0, err
	case !info.Mode().IsRegular():
		return nil, 0, fmt.Errorf("%s is not a file", path)
	}
	b, err := io.ReadAll(io.LimitReader(f, maxPINFile))
	return b, info.Mode(), err
}

// pinFileOpenTo says what others may do with the file of a PIN; "" nothing. The PIN
// is used all the same: a modem that was at work must not stop for it.
func pinFileOpenTo(path string) string {
	_, mode, err := pinFile(path)
	const others = 0o077
	if err != nil || mode.Perm()&others == 0 {
		return ""
	}
	return fmt.Sprintf("%s has mode %04o", path, mode.Perm())
}

// lookAtPINFile warns, in the log once.
func (d *Daemon) lookAtPINFile(mc configs.Modem) {
	detail := pinFileOpenTo(mc.PINFile)
	if detail == "" {
		d.board.withdraw(mc.Name, api.FindPINFile)
		return
	}
	if d.board.find(mc.Name, api.FindPINFile, detail) {
		w := findingWords[api.FindPINFile]
		d.log.Warn(w.sentence+"; "+w.remedy, "modem", mc.Name, "file", detail)
	}
}

// pinGuard makes the memory of tried PINs durable: a PIN that failed once on a
// SIM is never entered there again, even across a crash in the middle of it.
func (d *Daemon) pinGuard(path string) modem.PINGuard {
	hash := func() [32]byte {
		pin, _ := readPIN(path)
		return sha256.Sum256([]byte(pin))
	}
	return modem.PINGuard{
		Tried:  func(iccid string) bool { tried, err := d.store.PINTried(iccid, hash()); return tried || err != nil },
		Trying: func(iccid string) error { return d.store.PINTrying(d.now(), iccid, hash()) },
		Worked: func(iccid string) error { return d.store.PINWorked(d.now(), iccid, hash()) },
	}
}
