package store

import (
	"database/sql"
	"database/sql/driver"
	"strconv"
	"time"

	"github.com/pressly/goose/v3"

	"github.com/mojaloop/cpm/internal/fault"
)

// dialect is all that differs between the SQL of the engines. The rest is common: quoted identifiers, no upserts (a
// write reads the old mac first anyway), no sequences, times and truth values as numbers.
type dialect struct {
	// placeholder is the n-th parameter of a statement, counted from 1.
	placeholder func(n int) string
	// types are the words for the names with @ in the migrations, in pairs.
	types []string
	// judge says what an error of the driver means.
	judge func(error) verdict
	// writing is the isolation of transactions that write. They need little of it, as they take the revision first.
	writing sql.IsolationLevel
	// lock is a query that waits for the one lock of a database, which its session then holds until it ends: 1 is taken,
	// anything else is not yet. Empty if the engine has none.
	lock string
	// lease has the server end the session, and with it the lock, when it has said nothing for a time in whole seconds: a
	// machine that vanished closes no connection.
	lease func(seconds int) string
}

type verdict int

const (
	broken        verdict = iota // nothing to be done here
	transient                    // nothing was written; the whole transaction may be tried again
	contradiction                // a constraint of the schema was violated
	unfit                        // a value is not one that the column can hold
)

// engine is a dialect with its driver.
type engine struct {
	dialect

	connect     func(dsn string) (driver.Connector, error)
	migrations  goose.Dialect
	connections int
	// lifetime bounds how long a connection is used; 0 is without end.
	lifetime time.Duration
}

// dollar is the placeholder of PostgreSQL.
func dollar(n int) string { return "$" + strconv.Itoa(n) }

func engineNamed(name string) (engine, error) {
	switch name {
	case "sqlite":
		return sqliteEngine(), nil
	case "postgres":
		return postgresEngine(), nil
	case "mysql":
		return mariaEngine(), nil
	default:
		return engine{}, fault.New(fault.Invalid, `the database driver must be "sqlite", "postgres" or "mysql"`)
	}
}
