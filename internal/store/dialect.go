package store

import (
	"database/sql/driver"

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
}

type verdict int

const (
	broken        verdict = iota // nothing to be done here
	transient                    // nothing was written; the whole transaction may be tried again
	contradiction                // a constraint of the schema was violated
)

// engine is a dialect with its driver.
type engine struct {
	dialect

	connect     func(dsn string) (driver.Connector, error)
	migrations  goose.Dialect
	connections int
}

func engineNamed(name string) (engine, error) {
	switch name {
	case "sqlite":
		return sqliteEngine(), nil
	default:
		return engine{}, fault.New(fault.Invalid, `the database driver must be "sqlite"`)
	}
}
