package storetest

import (
	"database/sql"
	"net/url"
	"testing"
)

// Raw opens a SQLite file past the store, without foreign keys, until the test ends.
func Raw(t testing.TB, path string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: path}).EscapedPath()+"?_busy_timeout=5000")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// PutBack puts the rows that tables had in a copy of a SQLite database in place of those they have.
func PutBack(t testing.TB, path, copied string, tables ...string) {
	t.Helper()
	db := Raw(t, path)
	db.SetMaxOpenConns(1) // one session has the copy attached
	run := func(statement string, args ...any) {
		if _, err := db.ExecContext(t.Context(), statement, args...); err != nil {
			t.Fatal(err)
		}
	}
	run(`ATTACH ? AS copied`, copied)
	run(`BEGIN IMMEDIATE`)
	for _, table := range tables {
		run(`DELETE FROM "` + table + `"`)
		run(`INSERT INTO "` + table + `" SELECT * FROM copied."` + table + `"`)
	}
	run(`COMMIT`)
}
