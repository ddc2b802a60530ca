package store_test

import (
	"path/filepath"
	"testing"

	"github.com/mojaloop/cpm/internal/store"
)

func TestInspectSeesTheSchemaAndChangesNothing(t *testing.T) {
	t.Parallel()
	c := store.Config{Driver: "sqlite", DSN: filepath.Join(t.TempDir(), "cpm.db")}
	for range 2 { // the second look finds what the first one left: nothing
		before, err := store.Inspect(t.Context(), c)
		if err != nil || before.Schema != 0 || before.Known == 0 {
			t.Errorf("a new database: %+v %v", before, err)
		}
	}
	s, err := store.Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	after, err := store.Inspect(t.Context(), c)
	if err != nil || after.Schema != after.Known {
		t.Errorf("beside a store that is open: %+v %v", after, err)
	}
	nowhere := store.Config{Driver: "sqlite", DSN: filepath.Join(t.TempDir(), "none", "cpm.db")}
	if found, err := store.Inspect(t.Context(), nowhere); err == nil {
		t.Errorf("a database in no directory: %+v", found)
	}
	if found, err := store.Inspect(t.Context(), store.Config{Driver: "none"}); err == nil {
		t.Errorf("an unknown driver: %+v", found)
	}
}
