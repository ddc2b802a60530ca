package store

import (
	"database/sql/driver"
	"errors"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"

	"github.com/pressly/goose/v3"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/mojaloop/cpm/internal/fault"
)

func sqliteEngine() engine {
	return engine{
		dialect: dialect{
			placeholder: func(int) string { return "?" },
			types: []string{
				"@id", "BLOB", "@hash", "BLOB", "@bytes", "BLOB", "@name", "TEXT", "@text", "TEXT", "@int", "INTEGER",
				"@bool", "INTEGER", "@table", "STRICT, WITHOUT ROWID", "@empty", "x''", "@again", "", "@repeat", "",
			},
			judge: judgeSQLite,
		},
		connect:    connectSQLite,
		migrations: goose.DialectSQLite3,
		// One writes, some read beside it; more only wait for the same lock.
		connections: 4,
	}
}

// connectSQLite makes a connector to the file named. The file is made here, before SQLite would, so that only its owner
// can read it; SQLite gives the write-ahead log and its index the same mode.
func connectSQLite(path string) (driver.Connector, error) {
	if path == "" {
		return nil, fault.New(fault.Invalid, "the database has no file name")
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fault.New(fault.State, "the directory of the database file is not there; make it first").Because(err)
	case err != nil:
		return nil, fault.New(fault.State, "the database file cannot be opened for writing").Because(err)
	}
	if err := f.Close(); err != nil {
		return nil, err
	}
	return sqlite.NewConnector(sqliteDSN(path))
}

// sqliteDSN is a URI, in which no character of the path can be taken for an option. A transaction that will write takes
// its lock at once: one that reads first and is then overtaken could not wait, only start again. Without _dqs=0 SQLite
// takes a misspelt column for a string.
func sqliteDSN(absolute string) string {
	options := url.Values{
		"_busy_timeout": {"1000"}, "_journal_mode": {"WAL"}, "_synchronous": {"FULL"}, "_foreign_keys": {"on"},
		"_txlock": {"immediate"}, "_dqs": {"0"}, "_defensive": {"1"},
	}
	return "file:" + (&url.URL{Path: absolute}).EscapedPath() + "?" + options.Encode()
}

func judgeSQLite(err error) verdict {
	e, ok := errors.AsType[*sqlite.Error](err)
	if !ok {
		return broken
	}
	switch e.Code() & 0xff { // the rest is detail
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return transient
	case sqlite3.SQLITE_CONSTRAINT:
		return contradiction
	}
	return broken
}
