package store

import (
	"context"
	"fmt"
)

// QuickCheck reads the whole file and returns what is wrong with it, "" if
// nothing is. It takes as long as it takes, beside everything else; ctx ends it.
// Whatever it finds, it changes nothing.
func (s *Store) QuickCheck(ctx context.Context) (finding string, err error) {
	err = s.rdb.QueryRowContext(ctx, `PRAGMA quick_check(1)`).Scan(&finding)
	switch {
	case ctx.Err() != nil:
		return "", fmt.Errorf("check the database: %w", ctx.Err())
	case isBreaking(err): // too damaged to be looked through
		return storageError("check the database", err).Error(), nil
	case err != nil:
		return "", storageError("check the database", err)
	case finding == "ok":
		return "", nil
	}
	return finding, nil
}
