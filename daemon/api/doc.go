// Package api is the daemon's vocabulary: what a message, a part, a modem, an
// event and an error are to a program that talks to simpost, and the Client that
// talks. The daemon fills these types, the command line prints them, and
// `--json` prints them as they are.
//
// A reader might take State for one thing: there are two lists. A message's
// State (MessageStates) is derived from the states of its parts; a part has a
// few more (submitting, submitted), because a part is what a modem sends.
package api
