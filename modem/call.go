package modem

import (
	"context"
	"fmt"
)

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
