// Package store keeps everything simpost must not forget in one SQLite file:
// messages, parts, attempts, received octets, reports, modems, SIMs, keys and the
// log of events. The daemon and its HTTP handlers call it; nothing else does, and
// all SQL is here. One method is one operation and one transaction.
//
// What a reader would get wrong: a method that changes something returns after
// the COMMIT and its fsync, but it may have shared both with other callers
// (write.go). So an error of the COMMIT is an error of them all, and a nil error
// means that the change survives a power cut.
//
// Times are arguments: the package has no clock. On disk they are integers, UTC
// milliseconds. All methods may be called from any goroutine, and from inside a
// testing/synctest bubble; the package starts no goroutine of its own.
package store
