package storetest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/mojaloop/cpm/internal/store"
)

// Database is one database of a Server. It belongs to a user who may do nothing else.
type Database struct {
	server *Server
	name   string
}

// Database makes an empty database.
func (s *Server) Database(t testing.TB) Database {
	t.Helper()
	d := Database{s, fmt.Sprintf("cpm%d", s.databases.Add(1))}
	db := s.open(t, s.product.admin, s.product.adminDatabase, "")
	defer func() { _ = db.Close() }()
	for _, statement := range s.product.create {
		if _, err := db.ExecContext(t.Context(), strings.ReplaceAll(statement, "@name", d.name)); err != nil {
			t.Fatal(err)
		}
	}
	return d
}

// Config says how to reach the database over the server's socket.
func (d Database) Config() store.Config { return d.Through("") }

// Through says how to reach the database over a TCP address (host:port), where a proxy listens that passes on to the
// server's Dial.
func (d Database) Through(address string) store.Config {
	p := d.server.product
	return store.Config{Driver: p.driver, DSN: p.dsn(d.server.dir, "cpm", d.name, address)}
}

// Disconnect has the server end every session in the database that is not the administrator's.
func (d Database) Disconnect(t testing.TB) {
	t.Helper()
	p := d.server.product
	db := d.server.open(t, p.admin, p.adminDatabase, "")
	defer func() { _ = db.Close() }()
	rows, err := db.QueryContext(t.Context(), strings.ReplaceAll(p.disconnect, "@name", d.name))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	var kills []string
	for rows.Next() {
		var kill string
		if err := rows.Scan(&kill); err != nil {
			t.Fatal(err)
		}
		kills = append(kills, kill)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	for _, k := range kills {
		if _, err := db.ExecContext(t.Context(), k); err != nil && !strings.Contains(err.Error(), "Unknown thread") {
			t.Fatal(err)
		}
	}
}

// Target is an empty database for the suite.
func (s *Server) Target(t *testing.T) Target {
	t.Helper()
	d := s.Database(t)
	raw := s.open(t, s.product.admin, d.name, s.product.raw)
	t.Cleanup(func() { _ = raw.Close() })
	return Target{
		Raw:         raw,
		Placeholder: s.product.placeholder,
		Open: func(t *testing.T) *store.Store {
			t.Helper()
			return Open(t, d.Config())
		},
	}
}

// Open opens a store that is closed when the test ends.
func Open(t testing.TB, c store.Config) *store.Store {
	t.Helper()
	opened, err := store.Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = opened.Close() })
	return opened
}
