package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"simpost/daemon/api"
)

// Backup writes a consistent copy of the database to path while everything goes
// on, readable by its owner only. It does not overwrite: CodeConflict. A copy
// that was not finished is removed. The copy says that it is one: who starts on it
// finds its open messages held (StartMarked).
func (s *Store) Backup(ctx context.Context, path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR|unix.O_NOFOLLOW, fileMode)
	if errors.Is(err, os.ErrExist) {
		e := api.Errorf(api.CodeConflict, "%s exists, and a backup overwrites nothing", path)
		e.Hint = "name a new file"
		return e
	}
	if err != nil {
		return api.Errorf(api.CodeInvalid, "create the backup: %v", err)
	}
	defer f.Close()
	if err := s.copyTo(ctx, path, f); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return nil
}

func (s *Store) copyTo(ctx context.Context, path string, f *os.File) error {
	_, err := s.rdb.ExecContext(ctx, `VACUUM INTO ?`, path)
	if isCorrupt(err) {
		return s.readError("write the backup "+path, err)
	}
	if err == nil {
		err = markCopy(ctx, path)
	}
	if err != nil {
		code := api.CodeStorage
		if isFull(err) {
			code = api.CodeDiskFull
		}
		return api.Errorf(code, "write the backup %s: %v", path, err)
	}
	if err := f.Sync(); err != nil {
		return fmt.Errorf("write the backup: %w", err)
	}
	return syncDir(filepath.Dir(path))
}

// markCopy makes the copy one that was restored. It leaves no file beside it: what
// is not finished is removed, so there is nothing to undo.
func markCopy(ctx context.Context, path string) error {
	db := connectTo(uri(path) + "mode=rw&_journal_mode=OFF")
	_, err := db.ExecContext(ctx, `UPDATE mark SET state = ?`, restored)
	return errors.Join(err, db.Close())
}
