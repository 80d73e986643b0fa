package store

import (
	"errors"
	"fmt"
	"syscall"

	"github.com/mattn/go-sqlite3"

	"simpost/daemon/api"
)

// This file says what an error of SQLite means. A full disk is a state that
// passes: the operation failed, nothing was lost, the next one may work. An I/O
// error is the end of this store: what the kernel did with pages whose fsync
// failed can't be known, so nothing is tried again and the daemon restarts.
//
// Damage (SQLITE_CORRUPT, SQLITE_NOTADB) ends all writing too: what is written into
// a broken tree may be lost, or overwrite something else. But no restart mends it,
// so the store stays and says why.

// storageError turns an error of the driver into an *api.Error. doing is what
// was being done. Errors that are already *api.Error pass.
func storageError(doing string, err error) error {
	var known *api.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &known):
		return err
	case isFull(err):
		return diskFull(doing)
	}
	e := api.Errorf(api.CodeStorage, "%s: the database says: %v", doing, err)
	switch {
	case isCorrupt(err):
		return corrupt(fmt.Sprintf("%s: %v", doing, err))
	case isBusy(err):
		e.Hint = "another program uses the database file: end it, and read a copy made by `simpost backup` instead"
	case isBreaking(err):
		e.Hint = "look at the disk and its messages in the system log; simpost starts again by itself"
	}
	return e
}

func corrupt(what string) error {
	e := api.Errorf(api.CodeDatabaseCorrupt, "the database file is damaged: %s", what)
	e.Hint = "nothing is accepted, sent or taken from the modems until it is replaced: docs/restoring.md, \"A damaged file\""
	return e
}

func diskFull(doing string) *api.Error {
	e := api.Errorf(api.CodeDiskFull, "%s: the disk is full", doing)
	e.Hint = "make room on the file system of the database; simpost goes on by itself"
	return e
}

func isNoSpace(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

// isFull is true where writing failed for want of room, and was not half done.
func isFull(err error) bool {
	var e sqlite3.Error
	if !errors.As(err, &e) {
		return false
	}
	switch {
	case e.Code == sqlite3.ErrFull:
		return true
	case e.ExtendedCode == sqlite3.ErrIoErrFsync || e.ExtendedCode == sqlite3.ErrIoErrDirFsync:
		return false
	}
	return e.Code == sqlite3.ErrIoErr && isNoSpace(e.SystemErrno)
}

// isBreaking is true where the store must not go on.
func isBreaking(err error) bool {
	var e sqlite3.Error
	if !errors.As(err, &e) || isFull(err) {
		return false
	}
	switch e.Code {
	case sqlite3.ErrIoErr, sqlite3.ErrCorrupt, sqlite3.ErrNotADB, sqlite3.ErrReadonly, sqlite3.ErrCantOpen:
		return true
	}
	return false
}

// hasCode is true of an *api.Error with code c.
func hasCode(err error, c api.Code) bool {
	var e *api.Error
	return errors.As(err, &e) && e.Code == c
}

// isCorrupt is true where the file's own structure is broken.
func isCorrupt(err error) bool {
	var e sqlite3.Error
	return errors.As(err, &e) && (e.Code == sqlite3.ErrCorrupt || e.Code == sqlite3.ErrNotADB)
}

// endsBatch is true where SQLite may have rolled the whole transaction back.
func endsBatch(err error) bool {
	var e sqlite3.Error
	return errors.As(err, &e) && e.Code != sqlite3.ErrConstraint
}

func isBusy(err error) bool {
	var e sqlite3.Error
	return errors.As(err, &e) && (e.Code == sqlite3.ErrBusy || e.Code == sqlite3.ErrLocked)
}

// isHotJournal says that a change must be undone first, which only a writer can.
func isHotJournal(err error) bool {
	var e sqlite3.Error
	return errors.As(err, &e) && e.ExtendedCode == sqlite3.ErrReadonlyRollback
}

func isNotADatabase(err error) bool {
	var e sqlite3.Error
	return errors.As(err, &e) && e.Code == sqlite3.ErrNotADB
}
