package store

import (
	"context"
	"database/sql"
	"strconv"
	"strings"
	"time"
)

// Inspection is what can be seen of a database without changing it.
type Inspection struct {
	// Schema is the version of the tables, 0 when there are none yet; Known the newest this program has.
	Schema, Known int64
	// Took is the time one question took.
	Took time.Duration
}

// Inspect looks at a database and changes nothing: neither is its schema brought up to date, nor is a row verified. An
// error says that the database does not answer.
func Inspect(ctx context.Context, c Config) (Inspection, error) {
	var found Inspection
	e, err := engineNamed(c.Driver)
	if err != nil {
		return found, err
	}
	connector, err := e.connect(c.DSN)
	if err != nil {
		return found, err
	}
	if found.Known, err = newest(); err != nil {
		return found, err
	}
	db := sql.OpenDB(connector)
	defer func() { _ = db.Close() }()
	if err := db.PingContext(ctx); err != nil {
		return found, err
	}
	began := time.Now()
	var version sql.NullInt64
	// A new database has no such table.
	if db.QueryRowContext(ctx, `SELECT MAX("version_id") FROM "migrations"`).Scan(&version) == nil {
		found.Schema = version.Int64
	}
	found.Took = time.Since(began)
	return found, nil
}

// newest is the highest version among the migrations.
func newest() (int64, error) {
	files, err := migrations.ReadDir("migrations")
	if err != nil {
		return 0, err
	}
	var highest int64
	for _, f := range files {
		prefix, _, _ := strings.Cut(f.Name(), "_")
		n, err := strconv.ParseInt(prefix, 10, 64)
		if err != nil {
			return 0, err
		}
		highest = max(highest, n)
	}
	return highest, nil
}
