package store_test

import (
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/store"
	"github.com/mojaloop/cpm/internal/store/storetest"
)

func TestPostgreSQL(t *testing.T) {
	t.Parallel()
	onServer(t, storetest.PostgreSQL)
}

func TestMariaDB(t *testing.T) {
	t.Parallel()
	onServer(t, storetest.MariaDB)
}

// onServer runs everything with one server, and a database for each test; what stops the server has one of its own.
func onServer(t *testing.T, start func(testing.TB) *storetest.Server) {
	server := start(t)
	t.Run("suite", func(t *testing.T) {
		t.Parallel()
		storetest.Test(t, server.Target)
	})
	for name, run := range map[string]func(*testing.T, *storetest.Server){
		"many open an empty database at once":            manyOpenAtOnce,
		"one migrates at a time":                         oneMigrates,
		"the lock of one that vanished expires":          lockExpires,
		"the schema is what the program knows":           schemaOnServer,
		"a change whose session is ended stores nothing": sessionEnded,
		"a name that is too long is refused":             tooLong,
		"migration goes on where it was cut off":         cutOffMigration,
		"errors mean what the program takes them for": func(t *testing.T, server *storetest.Server) {
			store.JudgeOnServer(t, server.Database(t).Config())
		},
		"a commit whose answer is lost is looked up": func(t *testing.T, server *storetest.Server) {
			commitLost(t, func(t *testing.T) (*store.Store, *faults) { return openFaultyAt(t, server.Database(t).Config()) })
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			run(t, server)
		})
	}
	t.Run("a server that comes back is used again", func(t *testing.T) {
		t.Parallel()
		serverComesBack(t, start(t))
	})
}

func manyOpenAtOnce(t *testing.T, server *storetest.Server) {
	config := server.Database(t).Config()
	ids := make([][16]byte, 4)
	var wait sync.WaitGroup
	for i := range ids {
		wait.Go(func() {
			s, err := store.Open(t.Context(), config)
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
	s := storetest.Open(t, config)
	if n, err := s.Migrated(t.Context()); n != 1 || err != nil {
		t.Errorf("the first migration is noted %d times, %v", n, err)
	}
}

func oneMigrates(t *testing.T, server *storetest.Server) {
	config := server.Database(t).Config()
	release, err := storetest.Open(t, config).HoldLock(t.Context(), time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	elsewhere := server.Database(t).Config()
	_ = storetest.Open(t, elsewhere) // has a lock of its own
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if _, err := store.Open(ctx, config); !errors.Is(err, fault.Timeout) {
		t.Errorf("got %v while another migrates", err)
	}
	release()
	_ = storetest.Open(t, config)
}

// One that vanished leaves a session that says nothing.
func lockExpires(t *testing.T, server *storetest.Server) {
	config := server.Database(t).Config()
	release, err := storetest.Open(t, config).HoldLock(t.Context(), time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	_ = storetest.Open(t, config)
}

func schemaOnServer(t *testing.T, server *storetest.Server) {
	s := storetest.Open(t, server.Database(t).Config())
	for _, table := range store.Schema() {
		there, err := s.Columns(t.Context(), table.Name)
		if err != nil {
			t.Fatal(err)
		}
		slices.Sort(there)
		want := append(slices.Clone(table.Columns), "rev", "mac")
		slices.Sort(want)
		if diff := cmp.Diff(want, there); diff != "" {
			t.Errorf("%s: known (-) and there (+) differ:\n%s", table.Name, diff)
		}
	}
}

// trusted opens a store with one setting, "before".
func trusted(t *testing.T, config store.Config) *store.Store {
	t.Helper()
	s := storetest.Open(t, config)
	s.Trust(storetest.MAC("m"))
	if _, err := s.Change(t.Context(), store.Entry{}, putSetting("before")); err != nil {
		t.Fatal(err)
	}
	return s
}

func sessionEnded(t *testing.T, server *storetest.Server) {
	database := server.Database(t)
	s := trusted(t, database.Config())
	var wait sync.WaitGroup
	for range 4 { // so that more than one connection is there to end
		wait.Go(func() { _ = settings(t, s) })
	}
	wait.Wait()
	_, err := s.Change(t.Context(), store.Entry{}, func(tx *store.Tx) error {
		if err := putSetting("lost")(tx); err != nil {
			return err
		}
		database.Disconnect(t)
		return nil
	})
	if !errors.Is(err, fault.Unavailable) {
		t.Errorf("got %v", err)
	}
	if _, err := s.Change(t.Context(), store.Entry{}, putSetting("next")); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff([]string{"before", "next"}, settings(t, s)); diff != "" {
		t.Error(diff)
	}
}

func tooLong(t *testing.T, server *storetest.Server) {
	s := trusted(t, server.Database(t).Config())
	var random string // PostgreSQL compresses
	for range 1000 {
		random += rand.Text()
	}
	_, err := s.Change(t.Context(), store.Entry{}, putSetting(random))
	if !errors.Is(err, fault.Invalid) || strings.Contains(fault.From(err).Public, random[:8]) {
		t.Errorf("got %v", err)
	}
	if diff := cmp.Diff([]string{"before"}, settings(t, s)); diff != "" {
		t.Error(diff)
	}
}

func serverComesBack(t *testing.T, server *storetest.Server) {
	s := trusted(t, server.Database(t).Config())
	server.Stop(t)
	_, err := s.Change(t.Context(), store.Entry{}, putSetting("lost"))
	for _, err := range []error{err, s.Ping(t.Context())} {
		if !errors.Is(err, fault.Unavailable) {
			t.Errorf("got %v from a server that is down", err)
		}
	}
	server.Start(t)
	if _, err := s.Change(t.Context(), store.Entry{}, putSetting("after")); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff([]string{"after", "before"}, settings(t, s)); diff != "" {
		t.Error(diff)
	}
}

// A process that dies in its first start leaves some of the tables, or none, and no note of it.
func cutOffMigration(t *testing.T, server *storetest.Server) {
	config := server.Database(t).Config()
	s := storetest.Open(t, config)
	if err := s.ForgetMigrations(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if got := settings(t, trusted(t, config)); len(got) != 1 {
		t.Errorf("the rows are %v", got)
	}
}
