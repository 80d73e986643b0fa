package daemon

import (
	"errors"
	"io"
	"time"

	"simpost/daemon/api"
	"simpost/hw"
	"simpost/modem"
)

// This file is the one place that puts a modem's state into words. A condition
// says what is so, its remedy what a person can do; neither holds a number, a
// text or a PIN, because both are logged.

type words struct{ sentence, remedy string }

var conditionWords = map[api.ConditionCode]words{
	api.CondStarting:     {"the modem is being brought up", ""},
	api.CondReady:        {"the modem is registered and can send", ""},
	api.CondRoaming:      {"the modem is registered abroad and can send", "messages may cost more than at home"},
	api.CondNoDevice:     {"the device is not there", "plug the modem in, or correct `device` in the configuration; it is used as soon as it appears"},
	api.CondUnplugged:    {"the modem was unplugged", "plug it in again; it resumes by itself"},
	api.CondNoPermission: {"the device may not be opened by this user", "add the daemon's user to the group that owns the device (usually dialout), then restart simpost"},
	api.CondPortBusy:     {"another program holds the device", "stop that program (often ModemManager: systemctl stop ModemManager), or give it another port of the stick"},
	api.CondNotTTY:       {"the device is not a serial port", "point `device` to a /dev/ttyUSB*, /dev/ttyACM* or /dev/serial/by-id path"},
	api.CondPortError:    {"the system refuses to open the device", "see the last error; unplug the modem and plug it in again"},
	api.CondSilent:       {"nothing answers on this port", "try another port of the stick (often the third), or `baud` if you set it, and look at the modem's power"},
	api.CondNotModem:     {"something answers on this port, but not a modem", "point `device` to the AT port of the stick; the others are for diagnosis, GPS or data"},
	api.CondStuck:        {"the modem stopped answering and is being restarted", "nothing, if it comes back; else look at its power supply and cable"},
	api.CondRebooted:     {"the modem restarted by itself", "if it happens again: a stronger power supply; modems draw 2 A when they send"},
	api.CondSIMAbsent:    {"there is no SIM card in the modem", "insert the SIM card; check that it sits the right way round"},
	api.CondSIMFailure:   {"the SIM card cannot be read", "take it out, clean its contacts, put it back; try it in a phone"},
	api.CondOtherCard:    {"another SIM card was put into the modem, which is brought up anew", "what had begun on the card before waits for that card; `simpost resolve ID fail` gives it up"},
	api.CondSIMBusy:      {"the SIM card does not get ready", "wait a minute; if it stays, unplug the modem and plug it in again"},
	api.CondPINRequired:  {"the SIM card wants its PIN", "write the PIN into a file that only the daemon can read and name it as `pin_file`"},
	api.CondPINRefused:   {"the PIN was refused by this SIM card; it will not be tried again", "put the right PIN into `pin_file`, or unlock the SIM card in a phone"},
	api.CondPINGuard:     {"too few PIN tries are left to risk another one", "enter the right PIN once in a phone: that brings the tries back"},
	api.CondPUKRequired:  {"the SIM card is blocked and wants its PUK", "put it into a phone and enter the PUK; simpost never does"},
	api.CondLocked:       {"the modem is locked to another operator's SIM cards", "use a SIM card of that operator, or have the modem unlocked"},
	api.CondConfig:       {"the modem's configuration has a mistake", "see the last error, correct the configuration and restart simpost"},
	api.CondNoSMS:        {"the modem does not do SMS in PDU mode", "use another modem, or another of its ports"},
	api.CondNoSMSC:       {"the SIM card has no service centre number", "ask the operator for the number of its service centre; simpost sim smsc MODEM NUMBER writes it to the card"},
	api.CondHomeOnly:     {"the modem is registered abroad, where the configuration does not let it send", "wait for the home network, or take out `home_only` to send abroad, which may cost more"},
	api.CondCantReceive:  {"the modem can send, but does not show the messages that it holds", "use it for sending only, or use another modem; some phones never show them"},
	api.CondNotSearching: {"the modem is not registered and does not search", "check the antenna; the operator may need to activate the SIM card"},
	api.CondSearching:    {"the modem searches for a network", "wait; if it stays, check the antenna and the coverage"},
	api.CondDenied:       {"the network refuses this SIM card", "ask the operator whether the card is active and may roam here"},
	api.CondEmergency:    {"only emergency calls are possible", "ask the operator whether the card is active; check the coverage of its network"},
	api.CondNoNetwork:    {"the modem does not say whether it is registered", "check the antenna; unplug the modem and plug it in again"},
	api.CondMemoryFull:   {"the modem's message memory is full and cannot be emptied", "see the last error; the messages are kept and read again at each poll"},
	api.CondUnreadable:   {"the modem counts messages that it does not show", "it is asked again at each poll; unplugging it helps some models"},
	api.CondRefused:      {"the network refuses the messages to every number: no credit is suspected", "check the prepaid balance and that the contract allows SMS; sending is tried again in a while"},
	api.CondAnswerOwed:   {"the modem did not answer for a message; it sends no other until that answer can't come any more", "nothing: it takes a few minutes; if it happens often, look at the signal and the power supply"},
	api.CondMayNotSend:   {"the modem or its SIM card refuses to send at all", "see the last error: it names the card, its PIN or its service centre; sending is tried again in a while"},
	api.CondDiskFull:     {"the disk is full: nothing is sent or accepted", "make room on the disk of the database; work resumes by itself"},
	api.CondDatabase:     {"the database fails: the modem waits for it", "see the last error and the system log; simpost ends and starts again after an error of the disk"},
	api.CondCorrupt:      {"the database file is damaged: nothing is accepted, sent or taken from the modems", "stop simpost and replace the file: docs/restoring.md, \"A damaged file\""},
	api.CondStopping:     {"the daemon is shutting down", ""},
}

// findingWords are for what a diagnosis finds beside a condition.
var findingWords = map[api.ConditionCode]words{
	api.FindModemManager: {"another program holds the device: it takes every modem it sees", "install simpost's udev rules, which keep it away, and plug the modem in again; or, where nothing needs it: sudo systemctl disable --now ModemManager"},
	api.FindCDROM:        {"a stick shows itself as a CD-ROM with its Windows driver, not as a modem", "sudo apt install usb-modeswitch, then unplug the stick and plug it in again"},
	api.FindNetworkCard:  {"a stick is a network card only (HiLink and the like): it has no AT port", "use another stick; some of these can be given a firmware with AT ports, at your own risk"},
	api.FindNoDriver:     {"a modem is attached whose ports no driver of the kernel serves", "sudo modprobe option; if that does not help, a newer kernel may know the model"},
	api.FindLTE:          {"messages fail while the modem is on LTE: this network may carry no SMS for it there", "let the operator's SIM use SMS over LTE, or put the modem on 2G or 3G. To try, with the console on: AT+CGSMS=1 and AT+CGSMS=3 choose the way (any modem), AT+CNMP=14 is 3G only and AT+CNMP=2 takes it back (SIMCom)"},
	api.FindHand:         {"the modem could not be restarted from outside", "do what is said there; or, by hand: sudo simpost doctor --restart and the modem's name"},
	api.FindUsedUp:       {"the modem was restarted as often as an hour or a day allows, and does not answer", "unplug it and plug it in again; look at its power supply and cable"},
	api.FindPINFile:      {"other users may read or write the file that holds the PIN", "give it to simpost's user alone: sudo chown simpost and sudo chmod 0400, and the file's name"},
	api.FindFilling:      {"a message memory of the modem is nearly full", "see the last error, and what else writes to the card; a full memory takes no more messages"},
	api.FindWeak:         {"the signal is weak: messages will be late or fail", "move the antenna to a window, or use one on a cable"},
	api.FindUnderVoltage: {"the machine gets too little voltage: modems restart or hang when they send", "use the power supply made for this Raspberry Pi and a short, thick cable; or put the modem on a hub with a supply of its own"},
	api.FindWasLow:       {"the machine has got too little voltage since it was started", "use the power supply made for this Raspberry Pi and a short, thick cable; or put the modem on a hub with a supply of its own"},
	api.FindClock:        {"the clock is not trusted: nothing expires, and times may be wrong", "let the machine reach a time server, fit a clock with a battery, or wait for the first message from the network"},
}

// condition puts code into words. A code without words is a fault of simpost.
func condition(code api.ConditionCode, since time.Time) api.Condition {
	w, ok := conditionWords[code]
	if !ok {
		panic("daemon: condition without words: " + string(code))
	}
	return api.Condition{Code: code, Sentence: w.sentence, Remedy: w.remedy, Since: since}
}

// conditionOf names the condition that err, the end of a session, leaves a modem in.
func conditionOf(err error) api.ConditionCode {
	var absent absentError
	var open *hw.OpenError
	var start *modem.StartError
	var refusal *api.Error
	switch {
	case isDiskFull(err):
		return api.CondDiskFull
	case isCorrupt(err):
		return api.CondCorrupt
	case hasCode(err, api.CodeInvalid): // it does not say which card it is
		return api.CondSIMFailure
	case errors.As(err, &refusal):
		return api.CondDatabase
	case errors.As(err, &absent):
		return api.CondNoDevice
	case errors.As(err, &open):
		return openCondition(open.Condition)
	case errors.As(err, &start):
		return startCondition(start.Condition)
	case errors.Is(err, errOtherCard):
		return api.CondOtherCard
	case errors.Is(err, errSIMChanged):
		return api.CondSIMAbsent
	case errors.Is(err, errRebooted):
		return api.CondRebooted
	case errors.Is(err, hw.ErrGone), errors.Is(err, io.EOF):
		return api.CondUnplugged
	}
	return api.CondStuck
}

func openCondition(c hw.Condition) api.ConditionCode {
	switch c {
	case hw.NoDevice:
		return api.CondNoDevice
	case hw.NoPermission:
		return api.CondNoPermission
	case hw.PortBusy:
		return api.CondPortBusy
	case hw.NotATTY:
		return api.CondNotTTY
	}
	return api.CondPortError
}

// startCondition: modem's conditions of a failed start are named as ours are, but
// that a port that died during it is an unplugged modem.
func startCondition(code string) api.ConditionCode {
	if code == "closed" {
		return api.CondUnplugged
	}
	c := api.ConditionCode(code)
	if _, ok := conditionWords[c]; ok {
		return c
	}
	return api.CondStuck
}
