package api

import "time"

// Condition is the state of a modem in words, out of a closed list.
type Condition struct {
	Code     ConditionCode `json:"code"`
	Sentence string        `json:"sentence"`
	Remedy   string        `json:"remedy,omitempty"`
	Since    time.Time     `json:"since"`
}

// ConditionCode names a Condition. The list is closed: a client may switch on it.
type ConditionCode string

// The conditions of a modem. Only Ready, Roaming and CantReceive send.
const (
	CondStarting     ConditionCode = "starting"            // being brought up
	CondReady        ConditionCode = "ready"               // registered at home
	CondRoaming      ConditionCode = "roaming"             // registered abroad
	CondNoDevice     ConditionCode = "no-device"           // the device path does not exist
	CondUnplugged    ConditionCode = "unplugged"           // it went while in use
	CondNoPermission ConditionCode = "no-permission"       // the tty may not be opened
	CondPortBusy     ConditionCode = "port-busy"           // another program holds the tty
	CondNotTTY       ConditionCode = "not-a-tty"           // the path is something else
	CondPortError    ConditionCode = "port-error"          // the system refuses the port for another reason
	CondSilent       ConditionCode = "silent"              // nothing answers AT
	CondNotModem     ConditionCode = "not-a-modem"         // something answers, not in AT
	CondStuck        ConditionCode = "stuck"               // stopped answering while in use
	CondRebooted     ConditionCode = "rebooted"            // restarted by itself
	CondSIMAbsent    ConditionCode = "sim-absent"          // no SIM card
	CondSIMFailure   ConditionCode = "sim-failure"         // the SIM card cannot be read
	CondSIMBusy      ConditionCode = "sim-busy"            // the SIM card does not get ready
	CondOtherCard    ConditionCode = "sim-changed"         // another SIM card was put in
	CondPINRequired  ConditionCode = "pin-required"        // no PIN configured
	CondPINRefused   ConditionCode = "pin-refused"         // this PIN failed on this SIM
	CondPINGuard     ConditionCode = "pin-guard"           // too few tries left to risk one
	CondPUKRequired  ConditionCode = "puk-required"        // the SIM is blocked
	CondLocked       ConditionCode = "device-locked"       // the modem takes one operator's SIMs only
	CondConfig       ConditionCode = "config"              // its configuration has a mistake
	CondNoSMS        ConditionCode = "no-sms"              // the modem has no SMS in PDU mode
	CondNoSMSC       ConditionCode = "no-smsc"             // no service centre number
	CondHomeOnly     ConditionCode = "roaming-not-allowed" // registered abroad, and the configuration says home_only
	CondCantReceive  ConditionCode = "cannot-receive"      // sends, but its messages can't be read
	CondNotSearching ConditionCode = "not-registered"      // not registered, not searching
	CondSearching    ConditionCode = "searching"           // looking for a network
	CondDenied       ConditionCode = "denied"              // the network refuses the SIM
	CondEmergency    ConditionCode = "emergency-only"      // only emergency calls
	CondNoNetwork    ConditionCode = "network-unknown"     // the modem does not say
	CondMemoryFull   ConditionCode = "memory-full"         // the message store is full
	CondUnreadable   ConditionCode = "memory-unreadable"   // it counts messages it does not show
	CondRefused      ConditionCode = "refused"             // the network refuses every number: no credit is suspected
	CondAnswerOwed   ConditionCode = "answer-awaited"      // a message was not answered: none is sent until that can't come
	CondMayNotSend   ConditionCode = "sending-refused"     // the modem or the SIM refuses to send at all
	CondDiskFull     ConditionCode = "disk-full"           // the database has no room
	CondDatabase     ConditionCode = "database-error"      // the database fails
	CondCorrupt      ConditionCode = "database-corrupt"    // the database file is damaged; the modem is left alone
	CondStopping     ConditionCode = "stopping"            // the daemon is shutting down
)
