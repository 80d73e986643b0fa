package api

import (
	"fmt"
	"time"
)

// RecoveryStep is what is done about a modem that does not answer. The list is closed.
type RecoveryStep string

// The steps, each heavier than the one before.
const (
	StepResync RecoveryStep = "resync" // the command is given up, and ESC and questions bring the line in step
	StepReinit RecoveryStep = "reinit" // the port is opened anew and the modem brought up from the start
	StepReset  RecoveryStep = "reset"  // the modem is told to restart
	StepReopen RecoveryStep = "reopen" // the same as reinit, with the port closed for longer

	StepUSBReset RecoveryStep = "usb-reset" // the kernel resets the device
	StepUSBPower RecoveryStep = "usb-power" // its port of the hub is switched off and on
	StepPowerKey RecoveryStep = "power-key" // its power key is pressed by a GPIO line
)

// Recovery is the step that is being taken.
type Recovery struct {
	Step   RecoveryStep `json:"step"`
	Try    int          `json:"try" doc:"of this step, from 1"`
	Of     int          `json:"of" doc:"tries before the next step"`
	Rounds int          `json:"rounds" doc:"how often the last step has failed; then it goes on from reset"`
	Since  time.Time    `json:"since"`
}

// String is such as "reset, try 1 of 1".
func (r Recovery) String() string { return fmt.Sprintf("%s, try %d of %d", r.Step, r.Try, r.Of) }
