// Command simpost is one binary with three kinds of verb: `serve` is the daemon,
// most others are clients of its socket, and a few (`pdu`, `emulate`, `demo`,
// `doctor`, `config`) need no daemon. One file holds one verb; what they share is
// in app.go (the global flags), exit.go (how a verb ends) and text.go (how people
// read it).
//
// The rules all files obey: data goes to standard output and everything else to
// standard error with a `simpost: ` prefix; `--json` prints the API's JSON as the
// daemon made it.
//
// What a reader would get wrong: exit status 3 is not a failure. It means that a
// message may or may not have been sent, so that a script must not repeat it.
package main

import "os"

func main() {
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
