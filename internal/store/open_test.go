package store_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/store"
	"github.com/mojaloop/cpm/internal/store/storetest"
)

func open(t *testing.T, path string) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), store.Config{Driver: "sqlite", DSN: path})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func TestNewerSchemaIsRefused(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "cpm.db")
	there, err := filepath.Glob("migrations/*.sql")
	if err != nil || len(there) == 0 {
		t.Fatal(err, there)
	}
	files := fstest.MapFS{"migrations/09999_newer.sql": {Data: []byte("-- +goose Up\nCREATE TABLE t (a @int PRIMARY KEY) @table;\n")}}
	for _, name := range there {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		files[name] = &fstest.MapFile{Data: text}
	}
	newer, err := store.OpenWith(t.Context(), path, files)
	if err != nil {
		t.Fatal(err)
	}
	if err := newer.Close(); err != nil {
		t.Fatal(err)
	}
	_, err = store.Open(t.Context(), store.Config{Driver: "sqlite", DSN: path})
	if !errors.Is(err, fault.State) || !strings.Contains(fault.From(err).Public, fmt.Sprintf("schema 9999 and this program knows %d; use the newer program", len(there))) {
		t.Errorf("got %v", err)
	}
}

func raw(t *testing.T, path, statement string) {
	t.Helper()
	if _, err := storetest.Raw(t, path).ExecContext(t.Context(), statement); err != nil {
		t.Fatal(err)
	}
}

func TestOneDatabaseMayBeOpenedByManyAtOnce(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "cpm.db")
	ids := make([][16]byte, 4)
	var wait sync.WaitGroup
	for i := range ids {
		wait.Go(func() {
			s, err := store.Open(t.Context(), store.Config{Driver: "sqlite", DSN: path})
			if err != nil {
				t.Error(err)
				return
			}
			ids[i] = s.ID()
			_ = s.Close()
		})
	}
	wait.Wait()
	for _, id := range ids {
		if id != ids[0] || id == [16]byte{} {
			t.Errorf("the ids of one store are %x", ids)
		}
	}
}

func TestDataSurvivesClosing(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "cpm.db")
	s := open(t, path)
	s.Trust(storetest.MAC("m"))
	if _, err := s.Change(t.Context(), store.Entry{}, putSetting("a")); err != nil {
		t.Fatal(err)
	}
	id := s.ID()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	again := open(t, path)
	again.Trust(storetest.MAC("m"))
	if got := settings(t, again); len(got) != 1 || again.ID() != id {
		t.Errorf("got %v of store %x, want one setting of %x", got, again.ID(), id)
	}
}

func TestOnlyTheOwnerCanReadTheFiles(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "cpm.db")
	s := open(t, path)
	s.Trust(storetest.MAC("m"))
	if _, err := s.Change(t.Context(), store.Entry{}, putSetting("a")); err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{path, path + "-wal", path + "-shm"} {
		info, err := os.Stat(p)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %o", filepath.Base(p), info.Mode().Perm())
		}
	}
}

func TestConnectionsAreSetUp(t *testing.T) {
	t.Parallel()
	s, _ := openFaulty(t)
	for pragma, want := range map[string]string{"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1", "busy_timeout": "1000"} {
		if got := s.Pragma(t.Context(), pragma); got != want {
			t.Errorf("%s is %q, want %q", pragma, got, want)
		}
	}
}

func TestWhatCannotBeOpenedSaysWhy(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	text := filepath.Join(dir, "text.db")
	if err := os.WriteFile(text, []byte(strings.Repeat("not a database\n", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		config store.Config
		kind   fault.Kind
		text   string
	}{
		{store.Config{Driver: "oracle", DSN: "x"}, fault.Invalid, "the database driver must be"},
		{store.Config{Driver: "sqlite"}, fault.Invalid, "no file name"},
		{store.Config{Driver: "sqlite", DSN: filepath.Join(dir, "no", "cpm.db")}, fault.State, "make it first"},
		{store.Config{Driver: "sqlite", DSN: dir}, fault.State, "cannot be opened"},
		{store.Config{Driver: "sqlite", DSN: text}, fault.Unavailable, "not available"},
		{store.Config{Driver: "postgres"}, fault.Invalid, "no data source name"},
		{store.Config{Driver: "postgres", DSN: "postgres://u:hunter2@h:port/d"}, fault.Invalid, "not one of PostgreSQL; write postgres://"},
		{store.Config{Driver: "postgres", DSN: "host=" + dir + " user=u dbname=d"}, fault.Unavailable, "not available"},
		{store.Config{Driver: "mysql"}, fault.Invalid, "no data source name"},
		{store.Config{Driver: "mysql", DSN: "u:hunter2@tcp(h)/"}, fault.Invalid, "does not name a database"},
		{store.Config{Driver: "mysql", DSN: "mysql://u:hunter2@h/d"}, fault.Invalid, "not one of MariaDB; write user:password@tcp("},
		{store.Config{Driver: "mysql", DSN: "u:hunter2@unix(" + dir + "/s)/d"}, fault.Unavailable, "not available"},
	} {
		_, err := store.Open(t.Context(), c.config)
		if !errors.Is(err, c.kind) || !strings.Contains(fault.From(err).Public, c.text) {
			t.Errorf("%v: got %v", c.config, err)
		} else if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: the error shows the password: %v", c.config.Driver, err)
		}
	}
}

func TestDamagedIDIsRefused(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "cpm.db")
	if err := open(t, path).Close(); err != nil {
		t.Fatal(err)
	}
	raw(t, path, `UPDATE store SET id = x'00'`)
	if _, err := store.Open(t.Context(), store.Config{Driver: "sqlite", DSN: path}); !errors.Is(err, fault.State) {
		t.Errorf("got %v", err)
	}
}

func TestRootTermsThatCannotBeReadAreRefused(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "cpm.db")
	s := open(t, path)
	raw(t, path, `INSERT INTO root_terms VALUES (x'00', 'p', x'', 's', 0, 1, x'')`)
	if _, err := s.RootTerms(t.Context()); !errors.Is(err, fault.State) {
		t.Errorf("got %v", err)
	}
}
