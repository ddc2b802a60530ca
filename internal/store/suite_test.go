package store_test

import (
	"database/sql"
	"path/filepath"
	"testing"

	"github.com/mojaloop/cpm/internal/store"
	"github.com/mojaloop/cpm/internal/store/storetest"
)

func TestSQLite(t *testing.T) {
	t.Parallel()
	storetest.Test(t, newSQLite)
}

func newSQLite(t *testing.T) storetest.Target {
	path := filepath.Join(t.TempDir(), "cpm?x#%20.db") // nothing of it may be taken for an option
	raw, err := sql.Open("sqlite", "file:"+filepath.Dir(path)+"/cpm%3fx%23%2520.db?_busy_timeout=5000")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = raw.Close() })
	return storetest.Target{
		Raw:         raw,
		Placeholder: func(int) string { return "?" },
		Open: func(t *testing.T) *store.Store {
			t.Helper()
			s, err := store.Open(t.Context(), store.Config{Driver: "sqlite", DSN: path})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = s.Close() })
			return s
		},
	}
}
