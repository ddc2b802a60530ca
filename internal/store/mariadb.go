package store

import (
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"

	"github.com/go-sql-driver/mysql"
	"github.com/pressly/goose/v3"

	"github.com/mojaloop/cpm/internal/fault"
)

// mariaEngine is MariaDB, by the protocol it shares with MySQL. Its collations of text take names for equal that are not,
// also the binary ones when they end in spaces; therefore text is kept as bytes.
func mariaEngine() engine {
	return engine{
		dialect: dialect{
			placeholder: func(int) string { return "?" },
			types: []string{
				"@id", "BINARY(16)", "@hash", "VARBINARY(32)", "@bytes", "LONGBLOB", "@name", "VARBINARY(512)", "@text", "MEDIUMBLOB",
				"@int", "BIGINT", "@bool", "SMALLINT", "@table", "ENGINE=InnoDB ROW_FORMAT=DYNAMIC", "@empty", "''",
				"@again", " IF NOT EXISTS", "@repeat", " IGNORE",
			},
			judge: judgeMaria,
			// The snapshot is made by the first SELECT, which comes after the revision is taken.
			writing: sql.LevelRepeatableRead,
			// Locks are the server's; the name makes it the database's. 0 after five seconds: ask again.
			lock:  "SELECT GET_LOCK(CONCAT('cpm-', MD5(DATABASE())), 5)",
			lease: func(seconds int) string { return fmt.Sprintf("SET SESSION wait_timeout = %d", seconds) },
		},
		connect:     connectMaria,
		migrations:  goose.DialectMySQL,
		connections: serverConnections,
		lifetime:    connectionLifetime,
	}
}

// connectMaria makes a connector from user:password@tcp(host:port)/database. The session has the SQL that the store
// speaks, whatever the server's or the data source name's own settings are.
func connectMaria(dsn string) (driver.Connector, error) {
	c, err := mysql.ParseDSN(dsn)
	if err != nil { // the cause may hold parts of the data source name
		return nil, fault.New(fault.Invalid, "the database's data source name is not one of MariaDB; "+
			"write user:password@tcp(host:3306)/database?tls=true")
	}
	if c.DBName == "" {
		return nil, noDatabase()
	}
	if c.Timeout == 0 {
		c.Timeout = connectTimeout
	}
	// The driver's commit and rollback know no context: without these a server that hangs would hold them for ever.
	if c.ReadTimeout == 0 {
		c.ReadTimeout = silence
	}
	if c.WriteTimeout == 0 {
		c.WriteTimeout = silence
	}
	if c.Params == nil {
		c.Params = map[string]string{}
	}
	// MySQL has no time limit for idle transactions and takes the second half for a comment.
	c.Params["sql_mode"] = "'ANSI_QUOTES,NO_BACKSLASH_ESCAPES,STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION'" +
		" /*M!100300 , idle_transaction_timeout = " + idleInTransaction + " */"
	c.Params["innodb_lock_wait_timeout"] = "5"
	c.MultiStatements, c.InterpolateParams, c.ParseTime, c.AllowAllFiles = false, false, false, false
	c.Logger = &mysql.NopLogger{} // every error is returned, too
	return mysql.NewConnector(c)
}

// judgeMaria goes by error number (MariaDB Error Codes). A commit whose answer is lost has none.
func judgeMaria(err error) verdict {
	e, ok := errors.AsType[*mysql.MySQLError](err)
	if !ok {
		return broken
	}
	switch e.Number {
	case 1205, 1213, 1020: // lock wait timeout, deadlock, record has changed since last read
		return transient
	case 1022, 1048, 1062, 1169, 1216, 1217, 1451, 1452, 1586, 4025: // keys, foreign keys, NOT NULL, CHECK
		return contradiction
	case 1071, 1264, 1366, 1406: // key too long, out of range, incorrect value, data too long
		return unfit
	}
	return broken
}
