package store_test

import (
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
	return storetest.Target{
		Raw:         storetest.Raw(t, path),
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
