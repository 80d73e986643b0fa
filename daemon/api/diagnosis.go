package api

// Diagnosis is one thing that is wrong with a modem or with the machine it hangs
// on, in words, with what to do about it.
type Diagnosis struct {
	Code     ConditionCode `json:"code" doc:"of a condition, or of a finding beside it"`
	Sentence string        `json:"sentence"`
	Remedy   string        `json:"remedy,omitempty" doc:"what to do"`
	Detail   string        `json:"detail,omitempty" doc:"what was seen, such as the device or the program it is about"`
}

// What a diagnosis finds beside a modem's condition. This list is closed as well.
const (
	FindModemManager ConditionCode = "modem-manager"        // it holds the port
	FindCDROM        ConditionCode = "cdrom-mode"           // a stick shows its Windows driver instead of its ports
	FindNetworkCard  ConditionCode = "network-card"         // a stick without AT ports (HiLink)
	FindNoDriver     ConditionCode = "no-driver"            // a stick whose ports no kernel driver serves
	FindLTE          ConditionCode = "lte-without-sms"      // messages fail while the modem is on LTE
	FindHand         ConditionCode = "restart-failed"       // a restart from outside was tried, and not possible
	FindUsedUp       ConditionCode = "restarts-used-up"     // as many of them as an hour or a day allows
	FindPINFile      ConditionCode = "pin-file-open"        // others may read or write the file of the PIN
	FindFilling      ConditionCode = "memory-filling"       // a message memory is nearly full
	FindWeak         ConditionCode = "weak-signal"          // hardly any reception
	FindUnderVoltage ConditionCode = "under-voltage"        // the machine gets too little voltage
	FindWasLow       ConditionCode = "under-voltage-before" // it has got too little since it was started
	FindClock        ConditionCode = "clock-not-trusted"    // nobody has told the time
)

// OfMachine says that a diagnosis is about the machine, and the same for every
// modem of it.
func (d Diagnosis) OfMachine() bool {
	switch d.Code {
	case FindUnderVoltage, FindWasLow, FindClock, CondDiskFull, CondDatabase, CondCorrupt:
		return true
	}
	return false
}
