package store

import (
	"context"
	"database/sql/driver"
	"io/fs"
	"slices"
	"strings"
	"time"
)

// ErrTransient is judged transient by a store of OpenFaulty.
var ErrTransient = errTransient("transient")

type errTransient string

func (e errTransient) Error() string { return string(e) }

// OpenFaulty opens a database through another connector.
func OpenFaulty(ctx context.Context, config Config, wrap func(driver.Connector) driver.Connector) (*Store, error) {
	e, err := engineNamed(config.Driver)
	if err != nil {
		return nil, err
	}
	c, err := e.connect(config.DSN)
	if err != nil {
		return nil, err
	}
	judge := e.judge
	e.judge = func(err error) verdict {
		if err == ErrTransient { //nolint:errorlint // exactly what the wrapper gives
			return transient
		}
		return judge(err)
	}
	return open(ctx, e, wrap(c), migrations)
}

// SettleWithin bounds the search for what became of a commit.
func (s *Store) SettleWithin(d time.Duration) { s.settleTime = d }

// OpenWith opens SQLite with other migrations.
func OpenWith(ctx context.Context, path string, m fs.FS) (*Store, error) {
	e := sqliteEngine()
	c, err := e.connect(path)
	if err != nil {
		return nil, err
	}
	return open(ctx, e, c, m)
}

// Columns lists the columns of a table as they are.
func (s *Store) Columns(ctx context.Context, table string) ([]string, error) {
	rows, err := s.db.QueryContext(ctx, "SELECT * FROM "+quoted(table)+" WHERE 1 = 0")
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	return rows.Columns()
}

// TablesThere lists the tables of a SQLite database as they are.
func (s *Store) TablesThere(ctx context.Context) (names []string, err error) {
	rows, err := s.db.QueryContext(ctx, `SELECT name FROM sqlite_schema WHERE type = 'table'`)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var n string
		if err := rows.Scan(&n); err != nil {
			return nil, err
		}
		names = append(names, n)
	}
	slices.Sort(names)
	return names, rows.Err()
}

// Pragma reads a setting of one of the store's connections.
func (s *Store) Pragma(ctx context.Context, name string) (value string) {
	if err := s.db.QueryRowContext(ctx, "PRAGMA "+name).Scan(&value); err != nil {
		return err.Error()
	}
	return value
}

// File is the path of the SQLite database.
func (s *Store) File(ctx context.Context) (path string) {
	if err := s.db.QueryRowContext(ctx, `SELECT file FROM pragma_database_list WHERE name = 'main'`).Scan(&path); err != nil {
		return err.Error()
	}
	return path
}

// Migrated counts the notes of the first migration.
func (s *Store) Migrated(ctx context.Context) (n int, err error) {
	err = s.db.QueryRowContext(ctx, "SELECT COUNT(*) FROM migrations WHERE version_id = 1").Scan(&n)
	return n, err
}

// ForgetMigrations makes the database one whose migrations were cut off in the first. Where that leaves nothing, so does it.
func (s *Store) ForgetMigrations(ctx context.Context) error {
	if !strings.Contains(strings.Join(s.dialect.types, " "), "IF NOT EXISTS") {
		_, err := s.db.ExecContext(ctx, "DROP SCHEMA public CASCADE")
		if err == nil {
			_, err = s.db.ExecContext(ctx, "CREATE SCHEMA public")
		}
		return err
	}
	for _, statement := range []string{
		"DELETE FROM migrations WHERE version_id > 0", `DROP TABLE "settings"`, `DROP TABLE "keks"`, `DELETE FROM "store"`,
	} {
		if _, err := s.db.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}

// HoldLock takes the lock of the migrations until it is released.
func (s *Store) HoldLock(ctx context.Context, lease time.Duration) (release func(), err error) {
	s.lease = lease
	session, err := s.db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	return func() { _ = session.Raw(func(any) error { return driver.ErrBadConn }) }, s.takeLock(ctx, session)
}
