package modem

import (
	"context"
	"fmt"
)

// ShowCallers has the modem tell the numbers of callers with each ring. It is not part of Open: the mail does without.
func (m *Modem) ShowCallers(ctx context.Context) error {
	if _, err := m.ask(ctx, "+CLIP=1"); ignoreRefused(err) != nil {
		return fmt.Errorf("ask for callers' numbers: %w", err)
	}
	return nil
}

// HangUp ends the call that rings, or refuses it. A modem without a call says OK too.
func (m *Modem) HangUp(ctx context.Context) error {
	_, err := m.ask(ctx, "+CHUP")
	if refused(err) { // V.250 6.3.6 is what older ones know
		_, err = m.ask(ctx, "H")
	}
	if err != nil {
		return fmt.Errorf("hang up: %w", err)
	}
	return nil
}
