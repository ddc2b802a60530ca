package store

import (
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/mojaloop/cpm/internal/fault"
)

// The errors are SQLite's own: what they mean decides whether a transaction is tried again.
func TestWhatErrorsOfSQLiteMean(t *testing.T) {
	t.Parallel()
	db, err := sql.Open("sqlite", filepath.Join(t.TempDir(), "a.db")+"?_txlock=immediate")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	exec := func(statement string) error {
		_, err := db.ExecContext(t.Context(), statement)
		return err
	}
	if err := exec(`CREATE TABLE a (b INTEGER PRIMARY KEY) STRICT; INSERT INTO a VALUES (1)`); err != nil {
		t.Fatal(err)
	}
	taken := exec(`INSERT INTO a VALUES (1)`)
	lock, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = lock.Rollback() }()
	for _, c := range []struct {
		err  error
		want verdict
	}{
		{exec(`INSERT INTO a VALUES (2)`), transient},
		{taken, contradiction},
		{exec(`SELECT nonsense`), broken},
		{errors.New("database is locked (5)"), broken},
	} {
		wrapped := fault.New(fault.Unavailable, "x").Because(fmt.Errorf("y: %w", c.err))
		if c.err == nil || judgeSQLite(c.err) != c.want || judgeSQLite(wrapped) != c.want {
			t.Errorf("%v is judged %d, want %d", c.err, judgeSQLite(c.err), c.want)
		}
	}
}
