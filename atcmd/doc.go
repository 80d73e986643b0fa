// Package atcmd holds one AT conversation with a modem on one port (3GPP TS 27.005, TS 27.007, ITU-T V.250).
//
// Package modem opens a Conn on a serial line, runs commands on it and reads what the modem says by itself; nothing
// else imports this package. A Conn serialises commands: one goroutine's command waits for the other's final result.
//
// github.com/warthog618/modem/at is the engine: it writes the command line, waits for the prompt and the final result
// and collects the answer. It trusts every byte it reads, so it never sees the port, only a gate (engine.go) that this
// package opens for lines that belong to the running command. Everything that protects is on this side of the gate.
//
// # States
//
// A Conn is in one of five states, all of them guarded by Conn.mu:
//
//	idle     no command runs: a line is a URC, or late evidence
//	dirty    idle, but something came that nobody asked for: whoever takes the turn next resynchronises first
//	busy     one command runs: its own lines are the answer, the rest are URCs
//	lost     a command was given up half way: drain, ESC, ping (resync.go), then idle again
//	dead     the port failed or was closed; the first cause is kept
//
// # What can't be told
//
// A modem that says a final result twice is seen at the first pause or query after it, and is given a pause before each
// command from then on; until then the second one ends a command that has no answer of its own (AT+CMGF=0).
// A +CMT that lost its PDU inside a list takes one of exactly its length from the list: see isPDUOfHead.
//
// # What a reader would get wrong
//
// An error does not mean that nothing happened. ExecError.Submitted says whether ^Z was handed to the port; after that
// the message may be on the air whatever the error is, and the answer may still come: as a URC with Late set and the
// Seq of the ExecError.
//
// By TS 27.005 the modem is busy from AT+CMGS to its final result, so an AT+CNMA waits for a running ExecPrompt like
// any other command. A modem that can't wait acknowledges by itself.
package atcmd
