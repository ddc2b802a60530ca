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
