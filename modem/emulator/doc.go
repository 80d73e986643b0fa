// Package emulator is a shelf of GSM modems made of bytes, and the mobile network they are on.
//
// A Network holds the service centre, the SIM cards in its Modems and a number of virtual Phones, and keeps the one
// record that settles every argument: which SUBMIT was truly accepted. Every test above atcmd, `simpost demo` and
// `simpost emulate` use it; so do other people's programs, over a pseudo-terminal.
//
// What a reader would get wrong: it shares no code with pdu, atcmd or modem, on purpose, so that they are never judged by
// themselves. PDUs are built and read with github.com/warthog618/sms, or byte by byte where they must be odd.
//
// One lock (Network.mu) guards all state; nobody waits while holding it. Each powered modem has one goroutine, its
// "processor", which reads the line, runs one command at a time and may sleep in the middle of one. Everything blocks on
// channels and package time only, so a whole network lives in a testing/synctest bubble. Network.Close ends every goroutine.
package emulator
