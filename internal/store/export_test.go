package store

import (
	"context"
	"database/sql/driver"
	"io/fs"
	"slices"
)

// ErrTransient is judged transient by a store of OpenFaulty.
var ErrTransient = errTransient("transient")

type errTransient string

func (e errTransient) Error() string { return string(e) }

// OpenFaulty opens SQLite through another connector.
func OpenFaulty(ctx context.Context, path string, wrap func(driver.Connector) driver.Connector) (*Store, error) {
	e := sqliteEngine()
	c, err := e.connect(path)
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
