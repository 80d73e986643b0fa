package store

import (
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"simpost/daemon/api"
)

const (
	readers       = 3 // connections of the read-only pool
	busyTimeout   = 5 * time.Second
	pageSize      = 1024    // octets: a change writes whole pages, and rows are short
	cachedQueries = 128     // prepared statements kept by a connection
	readerCache   = 512     // KiB of pages a reader keeps
	walLimit      = 4 << 20 // octets the write-ahead log keeps after a burst
	fileMode      = 0o600   // messages are nobody else's business
)

// Store is an open database. It is safe for use by any number of goroutines.
type Store struct {
	// Retention is for how long things are kept. Set it before Start.
	Retention Retention

	path         string
	lock         *os.File // flock on FILE.lock: one daemon a database
	wdb          *sql.DB
	conn         *sql.Conn // the one connection that writes; used by the leader of w only
	rdb          *sql.DB
	w            writer
	mark         mark     // used by the leader of w, and before and after it
	checkpointAt int      // frames; a test's are fewer
	opened       heights  // what there was when it was opened,
	restamped    heights  // and at the last Restamp
	day          dayCount // the leader's
	forgot       bool     // the write-ahead log still has what was forgotten; the leader's

	mu          sync.Mutex // guards what follows
	changed     chan struct{}
	lastEvent   int64
	lastAttempt int64
	counts      map[api.State]int
	broken      chan struct{}
	err         error
}

// Open opens or creates the database, brings it to this version's format and
// keeps every other daemon out until Close. Errors that a person can mend are
// *api.Error: CodeDatabaseBusy, CodeDatabaseNewer, CodeDatabaseNotOurs,
// CodeDatabaseUnsafe, CodeDiskFull, CodeStorage, CodeDatabaseCorrupt.
//
// With CodeDatabaseCorrupt there is a Store too: Broken already, it refuses every
// write with that error, for a daemon that stays to say so.
func Open(path string) (*Store, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("open the database: %w", err)
	}
	s := &Store{path: path, checkpointAt: checkpointAt, changed: make(chan struct{}), broken: make(chan struct{})}
	err = s.open()
	if hasCode(err, api.CodeDatabaseCorrupt) {
		s.fail(err)
		if s.rdb == nil {
			s.rdb = connectTo(dsn(s.path, "ro"))
		}
		return s, err
	}
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Store) open() error {
	if err := refuseLink(s.path); err != nil {
		return err
	}
	var err error
	if s.lock, err = lockFile(s.path + ".lock"); err != nil {
		return err
	}
	if err := createFile(s.path); err != nil {
		return err
	}
	if err := undo(s.path); err != nil {
		return err
	}
	fresh, err := probe(s.path)
	if err != nil {
		return err
	}
	if fresh {
		if err := layOut(s.path); err != nil {
			return err
		}
	}
	if err := os.Chmod(s.path, fileMode); err != nil { // it is ours: narrow what someone widened
		return openError(err)
	}
	if err := s.connect(); err != nil {
		return err
	}
	return s.load()
}

// connect opens the writer and the readers, and looks whether the pragmas took.
func (s *Store) connect() error {
	ctx := context.Background()
	var err error
	s.wdb = connectTo(dsn(s.path, "rw"))
	s.wdb.SetMaxOpenConns(1)
	s.rdb = connectTo(dsn(s.path, "ro"))
	s.rdb.SetMaxOpenConns(readers)
	s.rdb.SetMaxIdleConns(readers)
	if s.conn, err = s.wdb.Conn(ctx); err != nil {
		return storageError("open "+s.path, err)
	}
	if err := checkPragmas(s.conn); err != nil {
		return err
	}
	// In memory is where SQLite keeps what a savepoint may have to undo: in a file it is a dozen writes a message.
	if _, err := s.conn.ExecContext(ctx, fmt.Sprintf(`PRAGMA journal_size_limit = %d; PRAGMA wal_autocheckpoint = 0; PRAGMA temp_store = MEMORY; PRAGMA secure_delete = ON`, walLimit)); err != nil {
		return storageError("open "+s.path, err)
	}
	// Until the file had a write-ahead log its changes were undone from a journal: after this none comes back.
	if err := syncDir(filepath.Dir(s.path)); err != nil {
		return openError(err)
	}
	if err := migrate(s.conn, migrations); err != nil {
		return err
	}
	if _ = s.emptyLog(); s.Err() != nil { // a full disk or a foreign reader puts it off
		return s.Err()
	}
	return nil
}

// layOut gives an empty file its page size, which it keeps.
func layOut(path string) error {
	db := connectTo(uri(path) + "mode=rw&_synchronous=FULL")
	_, err := db.Exec(fmt.Sprintf(`PRAGMA page_size = %d; VACUUM`, pageSize))
	return storageError("create "+path, errors.Join(err, db.Close()))
}

// undo lets SQLite take back what a crash cut short while the file was being made. A
// connection that only reads, as that of probe, can't. Another program's file is left
// as it is.
func undo(path string) error {
	if _, err := os.Stat(path + "-journal"); err != nil {
		return nil // there is none, or what follows says what is wrong
	}
	ours, err := inTheMaking(path)
	if err != nil || !ours {
		return err
	}
	db := connectTo(uri(path) + "mode=rw&_synchronous=FULL")
	var tables int
	err = db.QueryRow(`SELECT count(*) FROM sqlite_schema`).Scan(&tables)
	return storageError("go on making "+path, errors.Join(err, db.Close()))
}

// inTheMaking says whether the file is what a crash before migrate may leave: it has
// one page at the most, and is marked as nobody's, or it is marked as ours.
func inTheMaking(path string) (bool, error) {
	f, err := os.Open(path)
	if err != nil {
		return false, openError(err)
	}
	defer f.Close()
	head := make([]byte, pageSize+1)
	n, err := f.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return false, openError(err)
	}
	mark := binary.BigEndian.Uint32(head[applicationIDAt:])
	return mark == applicationID || mark == 0 && n <= pageSize, nil
}

// load reads what is kept in memory beside the file.
func (s *Store) load() error {
	ctx := context.Background()
	err := s.conn.QueryRowContext(ctx, `SELECT coalesce(max(seq), 0) FROM event`).Scan(&s.lastEvent)
	if err != nil {
		return storageError("read the log of events", err)
	}
	err = s.conn.QueryRowContext(ctx, `SELECT coalesce(max(id), 0) FROM attempt`).Scan(&s.lastAttempt)
	if err != nil {
		return storageError("read the last attempt", err)
	}
	if err := s.conn.QueryRowContext(ctx, heightsSQL).Scan(s.opened.scanned()...); err != nil {
		return storageError("see what there is", err)
	}
	s.counts = map[api.State]int{}
	for _, state := range openStates {
		var n int
		if err := s.conn.QueryRowContext(ctx, `SELECT count(*) FROM message WHERE state = ?`, string(state)).Scan(&n); err != nil {
			return storageError("count the messages", err)
		}
		s.counts[state] = n
	}
	return nil
}

// Close ends the store; no method may be running or called after.
func (s *Store) Close() error {
	if s.Err() != nil {
		return s.abandon()
	}
	if s.counts != nil { // it was open: SQLite would do this itself, and ignore a failure
		if _ = s.emptyLog(); s.Err() != nil {
			return errors.Join(s.Err(), s.abandon())
		}
	}
	errs := []error{s.leave()}
	if s.rdb != nil {
		errs = append(errs, s.rdb.Close())
	}
	if s.conn != nil {
		errs = append(errs, s.conn.Close())
	}
	if s.wdb != nil {
		errs = append(errs, s.wdb.Close())
	}
	if s.lock != nil {
		errs = append(errs, s.lock.Close())
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("close the database: %w", err)
	}
	return nil
}

// abandon leaves a broken database as it is: SQLite would sync the files once more
// when it closes them, and an fsync that failed is never tried again. The files
// stay open until the process ends, which is what is to happen now: the writer's
// connection is in use as far as database/sql knows, and outlives its pool.
func (s *Store) abandon() error {
	errs := []error{s.rdb.Close(), s.lock.Close()}
	if s.wdb != nil {
		errs = append(errs, s.wdb.Close())
	}
	return errors.Join(errs...)
}

// checkPragmas refuses a connection on which a COMMIT is not durable.
func checkPragmas(conn *sql.Conn) error {
	ctx := context.Background()
	var journal string
	var synchronous, foreign int
	err := errors.Join(
		conn.QueryRowContext(ctx, `PRAGMA journal_mode`).Scan(&journal),
		conn.QueryRowContext(ctx, `PRAGMA synchronous`).Scan(&synchronous),
		conn.QueryRowContext(ctx, `PRAGMA foreign_keys`).Scan(&foreign))
	if err != nil {
		return storageError("read the database's settings back", err)
	}
	const full = 2
	if journal == "wal" && synchronous >= full && foreign == 1 {
		return nil
	}
	e := api.Errorf(api.CodeDatabaseUnsafe, "the database would not survive a power cut: journal_mode is %s and synchronous is %d, not wal and %d or more", journal, synchronous, full)
	e.Hint = "put the database on a local file system, and use simpost as it was built"
	return e
}

func refuseLink(path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("open the database: %w", err)
	case info.Mode()&os.ModeSymlink != 0:
		return notOurs(path, "is a symbolic link, which simpost does not follow")
	case !info.Mode().IsRegular():
		return notOurs(path, "is not a file")
	}
	return nil
}

// lockFile takes the lock that keeps a second daemon out. The file stays: taking
// it away would let two daemons lock two files of one name.
func lockFile(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|unix.O_NOFOLLOW, fileMode)
	if err != nil {
		return nil, openError(err)
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if err == nil {
		return f, nil
	}
	f.Close()
	if errors.Is(err, unix.EWOULDBLOCK) {
		e := api.Errorf(api.CodeDatabaseBusy, "another simpost has the database open (%s is locked)", path)
		e.Hint = "stop the other daemon, or give this one its own `database`"
		return nil, e
	}
	return nil, fmt.Errorf("lock %s: %w", path, err)
}

// createFile makes an empty file where there is none. SQLite gives -wal and -shm
// its mode.
func createFile(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|unix.O_NOFOLLOW, fileMode)
	if err != nil {
		return openError(err)
	}
	if err := f.Close(); err != nil {
		return openError(err)
	}
	return syncDir(filepath.Dir(path))
}

// openError says what a person can do about a file that does not open.
func openError(err error) error {
	if isNoSpace(err) {
		return diskFull("open the database")
	}
	e := api.Errorf(api.CodeStorage, "open the database: %v", err)
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, os.ErrPermission) {
		e.Hint = "make its directory, and let simpost's user write there"
	}
	return e
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("sync %s: %w", dir, err)
	}
	defer d.Close()
	if err := d.Sync(); err != nil {
		return fmt.Errorf("sync %s: %w", dir, err)
	}
	return nil
}
