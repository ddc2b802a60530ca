package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"

	"github.com/mojaloop/cpm/internal/fault"
)

func postgresEngine() engine {
	return engine{
		dialect: dialect{
			placeholder: dollar,
			types: []string{
				"@id", "BYTEA", "@hash", "BYTEA", "@bytes", "BYTEA", "@name", `TEXT COLLATE "C"`, "@text", `TEXT COLLATE "C"`,
				"@int", "BIGINT", "@bool", "SMALLINT", "@table", "", "@empty", "''", "@again", "", "@repeat", "",
			},
			judge: judgePostgres,
			// A writer that waited for the revision sees what the one before it wrote, and is not refused for having begun
			// earlier, as on every stricter level.
			writing: sql.LevelReadCommitted,
			// One number a database; a session that ends gives it back.
			lock:  "SELECT 1 FROM pg_advisory_lock(6516845)",
			lease: func(seconds int) string { return fmt.Sprintf("SET idle_session_timeout = '%ds'", seconds) },
		},
		connect:     connectPostgres,
		migrations:  goose.DialectPostgres,
		connections: serverConnections,
		lifetime:    connectionLifetime,
	}
}

// What holds for the database servers.
const (
	// serverConnections is enough for one writer, the look at the changes and loads beside them; a server may have many
	// replicas to serve.
	serverConnections = 8
	// connectionLifetime bounds how long a connection stays with a server that is no longer the one its name means.
	connectionLifetime = 30 * time.Minute
	connectTimeout     = 5 * time.Second
	// silence is how long a server may take for an answer.
	silence = 15 * time.Second
	// idleInTransaction is how long the server lets a transaction wait for its next statement, in seconds. A replica
	// that is cut off in the midst of a change holds the revision until then.
	idleInTransaction = "30"
)

// connectPostgres makes a connector from a URL or a list of key=value. What the data source name says about the
// session counts.
func connectPostgres(dsn string) (driver.Connector, error) {
	if dsn == "" {
		return nil, noDatabase()
	}
	c, err := pgx.ParseConfig(dsn)
	if err != nil { // the cause may hold parts of the data source name
		return nil, fault.New(fault.Invalid, "the database's data source name is not one of PostgreSQL; "+
			"write postgres://user:password@host/database?sslmode=verify-full")
	}
	if c.ConnectTimeout == 0 {
		c.ConnectTimeout = connectTimeout
	}
	for name, value := range map[string]string{
		"application_name": "cpm", "idle_in_transaction_session_timeout": idleInTransaction + "s",
	} {
		if _, given := c.RuntimeParams[name]; !given {
			c.RuntimeParams[name] = value
		}
	}
	// A connection that lay idle is tried before it is used: after a restart of the server none of them is any good.
	always := func(context.Context, stdlib.ShouldPingParams) bool { return true }
	return stdlib.GetConnector(*c, stdlib.OptionShouldPing(always)), nil
}

func noDatabase() error {
	return fault.New(fault.Invalid, "the database has no data source name, or it does not name a database")
}

// judgePostgres goes by SQLSTATE (PostgreSQL, Appendix A). A commit whose answer is lost has none.
func judgePostgres(err error) verdict {
	e, ok := errors.AsType[*pgconn.PgError](err)
	if !ok {
		return broken
	}
	switch e.Code {
	case "40001", "40P01", "55P03": // serialization_failure, deadlock_detected, lock_not_available
		return transient
	case "54000": // program_limit_exceeded: longer than an index takes
		return unfit
	}
	switch {
	case strings.HasPrefix(e.Code, "23"): // integrity constraint violation
		return contradiction
	case strings.HasPrefix(e.Code, "22"): // data exception
		return unfit
	}
	return broken
}
