package daemon

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"simpost/configs"
	"simpost/daemon/api"
	"simpost/daemon/store"
)

// The prepaid balance, asked for as a person would, and understood as far as a
// pattern can.

// checkBalance asks the network and records what it says.
func (s *session) checkBalance(ctx context.Context) error {
	text, err := s.dialOwn(ctx, s.cfg.BalanceCode)
	if err != nil {
		return err
	}
	b := api.Balance{Text: text, At: s.d.now()}
	if amount, ok := amountIn(text, s.cfg.BalancePattern); ok {
		b.Amount = &amount
		low, limited := parseAmount(s.cfg.BalanceLow)
		b.Low = limited && amount < low
	} else {
		s.fault("balance-unreadable", errors.New("no amount is found in what the operator says of the balance; set `balance_pattern`"))
	}
	if err := s.d.store.KeepBalance(b.At, s.sim.ID, s.cfg.Name, b); err != nil {
		return s.storeResult(err)
	}
	s.d.board.update(s.cfg.Name, func(m *api.Modem) { m.Balance = &b })
	s.log.Info("balance asked for", "amount_found", b.Amount != nil, "low", b.Low)
	return s.storeResult(s.d.store.ChoreTried(s.d.now(), s.sim.ID, store.CheckBalance, true))
}

// errUnanswered says that the network had nothing to say to a code of the configuration.
var errUnanswered = errors.New("the network has no answer to the code")

// dialOwn dials a code of the configuration with its replies, and returns the last
// text. It leaves no menu open.
func (s *session) dialOwn(ctx context.Context, line string) (string, error) {
	words := strings.Fields(line)
	if e := s.d.guard.dial(words[0], false, true, nil); e != nil {
		return "", e
	}
	var got api.USSDAnswer
	for i, word := range words {
		var err error
		if got, err = s.dialUSSD(ctx, word, true); err != nil {
			return "", err
		}
		if got.State != api.USSDReply && i < len(words)-1 {
			return "", fmt.Errorf("%w: %s, before reply %d of %d", errUnanswered, got.Sentence, i+1, len(words)-1)
		}
	}
	if got.State == api.USSDReply {
		if err := s.endMenu(ctx); err != nil {
			return "", err
		}
	}
	if got.Text == "" {
		return "", fmt.Errorf("%w: %s", errUnanswered, got.Sentence)
	}
	return got.Text, nil
}

var (
	// amounts are numbers as they stand in a sentence: grouped by spaces, or without.
	amounts = regexp.MustCompile(`-?[0-9]{1,3}(?:[ \x{a0}\x{202f}][0-9]{3})+(?:[.,][0-9]{1,2})?\b|-?[0-9]+(?:[.,'][0-9]+)*`)
	// amount is one number: its groups, and its decimals behind the last separator.
	amount    = regexp.MustCompile(`^(-?)([0-9]{1,3}(?:[ .,'\x{a0}\x{202f}][0-9]{3})+|[0-9]{1,12})(?:[.,]([0-9]{1,2}))?$`)
	notDigit  = regexp.MustCompile(`[^0-9]`)
	hexOctets = regexp.MustCompile(`^(?:[0-9A-Fa-f]{2}){4,}$`)
)

// amountIn finds the amount in what an operator says: where pattern has it, or the
// first number with decimals, or the first number. Dates and times are none, and
// octets in hex, which nobody could read as a text, hold none.
func amountIn(text, pattern string) (float64, bool) {
	if hexOctets.MatchString(text) && strings.ContainsAny(text, "ABCDEFabcdef") {
		return 0, false
	}
	if pattern != "" {
		m := regexp.MustCompile(pattern).FindStringSubmatch(text) // the configuration was checked
		if m == nil {
			return 0, false
		}
		return parseAmount(strings.TrimSpace(m[min(1, len(m)-1)]))
	}
	first, found := 0.0, false
	for _, token := range amounts.FindAllString(text, -1) {
		v, ok := parseAmount(token)
		if !ok {
			continue
		}
		if m := amount.FindStringSubmatch(token); m[3] != "" {
			return v, true
		}
		if !found {
			first, found = v, true
		}
	}
	return first, found
}

// parseAmount reads 1234.50, 1.234,50, 1 234,5 and 1'234.
func parseAmount(s string) (float64, bool) {
	m := amount.FindStringSubmatch(s)
	if m == nil {
		return 0, false
	}
	v, err := strconv.ParseFloat(m[1]+notDigit.ReplaceAllString(m[2], "")+"."+m[3]+"0", 64)
	return v, err == nil
}

// keepAlive does what keeps the SIM card from lapsing.
func (s *session) keepAlive(ctx context.Context) error {
	if s.cfg.KeepaliveCode != "" {
		if _, err := s.dialOwn(ctx, s.cfg.KeepaliveCode); err != nil {
			return err
		}
		s.log.Info("a code was dialled to keep the SIM card alive")
		return s.storeResult(s.d.store.ChoreTried(s.d.now(), s.sim.ID, store.Keepalive, true))
	}
	if err := s.d.sendKeepalive(s.cfg, s.sim.ID); err != nil {
		return err
	}
	s.log.Info("a message goes out to keep the SIM card alive")
	// It is done when the network has it, which the attempt records.
	return s.storeResult(s.d.store.ChoreTried(s.d.now(), s.sim.ID, store.Keepalive, false))
}

// sendKeepalive accepts the message as any other: within the guard's rules and budget.
func (d *Daemon) sendKeepalive(mc configs.Modem, sim int64) error {
	text := mc.KeepaliveText
	if text == "" {
		text = configs.DefaultKeepaliveText
	}
	defaults := d.sendDefaults()
	defaults.Rules = d.guard.rules(mc.Name)
	now := d.now()
	messages, refusal := compose(api.SendRequest{To: api.Recipients{mc.KeepaliveTo}, Text: &text, Modem: mc.Name}, defaults, []string{mc.Name}, now)
	if refusal != nil {
		return refusal
	}
	key := store.Key{Caller: "keepalive", Key: fmt.Sprintf("%d %s", sim, now.Format("2006-01-02"))}
	if _, err := d.store.EnqueueWithin(now.Local(), &key, messages, d.guard.budget()); err != nil {
		return err
	}
	d.queue.wake()
	return nil
}
