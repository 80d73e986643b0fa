package store

import (
	"context"
	"fmt"
	"strings"
)

// structural begins what quick_check says of the file's trees and lists of pages,
// and not of a value in them.
const structural = "*** in database"

// QuickCheck reads the whole file and returns what is wrong with a value in it, ""
// if nothing is. A broken structure is CodeDatabaseCorrupt, and ends all writing.
// It takes as long as it takes, beside everything else; ctx ends it.
func (s *Store) QuickCheck(ctx context.Context) (finding string, err error) {
	err = s.rdb.QueryRowContext(ctx, `PRAGMA quick_check(1)`).Scan(&finding)
	switch {
	case ctx.Err() != nil:
		return "", fmt.Errorf("check the database: %w", ctx.Err())
	case err != nil:
		return "", s.readError("check the database", err)
	case finding == "ok":
		return "", nil
	case strings.HasPrefix(finding, structural):
		err = corrupt(finding)
		s.fail(err)
		return "", err
	}
	return finding, nil
}
