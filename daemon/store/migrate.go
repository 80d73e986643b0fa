package store

import (
	"context"
	"database/sql"
	"fmt"

	"simpost/daemon/api"
)

// probe looks at the file without changing it: is it ours, empty (fresh), or
// someone else's? Nothing of its schema is believed.
func probe(path string) (fresh bool, err error) {
	db := connectTo(dsn(path, "ro"))
	defer db.Close()
	var app, version, tables int
	err = db.QueryRow(`SELECT (SELECT application_id FROM pragma_application_id),
		(SELECT user_version FROM pragma_user_version), (SELECT count(*) FROM sqlite_schema)`).Scan(&app, &version, &tables)
	switch {
	case isNotADatabase(err):
		return false, notOurs(path, "is not a database")
	case isHotJournal(err):
		return false, notOurs(path, "belongs to another program, which was cut short")
	case err != nil:
		return false, storageError("read "+path, err)
	case app == 0 && version == 0 && tables == 0:
		return true, nil
	case app != applicationID:
		return false, notOurs(path, "belongs to another program")
	case version < 0:
		return false, corrupt(fmt.Sprintf("%s says that it has format %d", path, version))
	case version > len(migrations):
		e := api.Errorf(api.CodeDatabaseNewer, "the database %s was written by a later version of simpost (format %d, this one knows %d)", path, version, len(migrations))
		e.Hint = "install the later version again, or restore a backup that is older"
		return false, e
	}
	return false, nil
}

func notOurs(path, what string) error {
	e := api.Errorf(api.CodeDatabaseNotOurs, "%s %s", path, what)
	e.Hint = "set `database` in the configuration to a file of simpost's own"
	return e
}

// migrate climbs from the file's version to steps', one transaction a step.
func migrate(conn *sql.Conn, steps []string) error {
	ctx := context.Background()
	var version int
	if err := conn.QueryRowContext(ctx, `PRAGMA user_version`).Scan(&version); err != nil {
		return storageError("read the database's version", err)
	}
	for ; version < len(steps); version++ {
		script := fmt.Sprintf("BEGIN IMMEDIATE; %s; PRAGMA application_id = %d; PRAGMA user_version = %d; COMMIT",
			steps[version], applicationID, version+1)
		if _, err := conn.ExecContext(ctx, script); err != nil {
			err = storageError(fmt.Sprintf("bring the database to format %d", version+1), err)
			_, _ = conn.ExecContext(ctx, `ROLLBACK`) // an error means that SQLite has done it
			return err
		}
	}
	return nil
}
