// Package storetest is the suite that the store passes on every engine.
package storetest

import (
	"crypto/hmac"
	"crypto/sha256"
	"database/sql"
	"errors"
	"hash"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/store"
)

// Target is one empty database.
type Target struct {
	// Open gives another handle on the database. The suite trusts it; the target closes it.
	Open func(t *testing.T) *store.Store
	// Raw writes past the store, as someone with the database's password does. It does not enforce foreign keys.
	Raw *sql.DB
	// Placeholder is the n-th parameter of a statement, counted from 1.
	Placeholder func(n int) string
}

// Test runs the suite. open is called once for each test.
func Test(t *testing.T, open func(t *testing.T) Target) {
	for _, c := range []struct {
		name string
		run  func(*testing.T, Target)
	}{
		{"sealed until trusted", sealedUntilTrusted},
		{"fresh store is empty", freshStoreIsEmpty},
		{"every row type survives the trip", everyRowType},
		{"put updates by primary key", putUpdates},
		{"delete", deletes},
		{"names are compared byte by byte", namesByteByByte},
		{"keys and references are compared byte by byte", keysByteByByte},
		{"unique names", uniqueNames},
		{"objects in order of version", objectsInOrder},
		{"keks in order of version", keksInOrder},
		{"error leaves nothing", errorLeavesNothing},
		{"panic leaves nothing", panicLeavesNothing},
		{"ignored error leaves nothing", ignoredErrorLeavesNothing},
		{"hooks learn the end", hooksLearnTheEnd},
		{"expected revision", expectedRevision},
		{"concurrent writers have gap-free revisions", concurrentWriters},
		{"changes are complete and in order", changesInOrder},
		{"changes of another handle are seen once and in order", changesOfAnother},
		{"changes never split a revision", changesUnsplit},
		{"missing change is noticed", missingChange},
		{"altered change is refused", alteredChange},
		{"reload reads what is named", reloads},
		{"news is what changed", newsIsWhatChanged},
		{"news has no rows from before the change", newsHasNoOldRows},
		{"news of another history is refused", newsOfAnotherHistory},
		{"news without one of the changes is refused", newsWithoutAChange},
		{"replicas say how far they are", replicasSay},
		{"uses of a key are taken once", usesAreTaken},
		{"altered count of uses is refused", alteredUses},
		{"load sees one revision", loadSeesOneRevision},
		{"altered column is refused", alteredColumn},
		{"removed row is refused", removedRow},
		{"row put back from an old copy is refused", restoredRow},
		{"deleted row put back is refused", resurrectedRow},
		{"row of another place is refused", movedRow},
		{"altered revision is refused", alteredRevision},
		{"another store's id is refused", alteredID},
		{"another key is refused", anotherKey},
		{"damaged mac is refused by a write", damagedMAC},
		{"altered row is refused by get, reload and objects", alteredRowInTransaction},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.run(t, open(t))
		})
	}
}

// MAC is the keyed hash of the suite.
func MAC(key string) store.MAC {
	pool := sync.Pool{New: func() any { return hmac.New(sha256.New, []byte(key)) }}
	return func(p store.Purpose, data []byte) (sum [32]byte) {
		h := pool.Get().(hash.Hash)
		defer pool.Put(h)
		h.Reset()
		_, _ = h.Write([]byte{byte(p)})
		_, _ = h.Write(data)
		return [32]byte(h.Sum(sum[:0]))
	}
}

func (g Target) trusted(t *testing.T) *store.Store {
	t.Helper()
	s := g.Open(t)
	s.Trust(MAC("suite"))
	return s
}

var at = time.Date(2026, 11, 21, 9, 8, 7, 654321000, time.UTC)

func entry(action string) store.Entry {
	return store.Entry{Action: action, Target: "t", Actor: "certificate:operator", RequestID: "r-" + action, At: at, Record: []byte("record of " + action)}
}

// change runs f in a Change that must succeed.
func change(t *testing.T, s *store.Store, action string, f func(tx *store.Tx) error) store.Commit {
	t.Helper()
	c, err := s.Change(t.Context(), entry(action), f)
	if err != nil {
		t.Fatalf("%s: %v", action, err)
	}
	return c
}

// put stores rows in one Change.
func put(t *testing.T, s *store.Store, rows ...store.Row) store.Commit {
	t.Helper()
	return change(t, s, "put", func(tx *store.Tx) error {
		for _, r := range rows {
			if err := tx.Put(r); err != nil {
				return err
			}
		}
		return nil
	})
}

func load(t *testing.T, s *store.Store) *store.State {
	t.Helper()
	state, err := s.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return state
}

// refused wants Load to fail the integrity check, with the place in the cause and not in the public text.
func refused(t *testing.T, s *store.Store, where string) {
	t.Helper()
	state, err := s.Load(t.Context())
	isIntegrityFault(t, err, where)
	if state != nil {
		t.Error("a state is returned in spite of the failed check")
	}
}

func isIntegrityFault(t *testing.T, err error, where string) {
	t.Helper()
	if !errors.Is(err, fault.State) || fault.From(err).Public != "a stored row failed its integrity check" {
		t.Errorf("got %v, want a failed integrity check", err)
		return
	}
	if !strings.Contains(err.Error(), where) {
		t.Errorf("the cause does not name %q: %v", where, err)
	}
}

func is(t *testing.T, err error, want fault.Kind) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("got error %v, want kind %s", err, want)
	}
}

// exec writes past the store.
func (g Target) exec(t *testing.T, query string, args ...any) {
	t.Helper()
	for i := range args {
		query = strings.Replace(query, "?", g.Placeholder(i+1), 1)
	}
	if _, err := g.Raw.ExecContext(t.Context(), query, args...); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
}

// values reads the columns of the only row of a table past the store.
func (g Target) values(t *testing.T, table string, columns []string) []any {
	t.Helper()
	v, dest := make([]any, len(columns)), make([]any, len(columns))
	for i := range v {
		dest[i] = &v[i]
	}
	query := "SELECT " + list(columns) + ` FROM "` + table + `"`
	if err := g.Raw.QueryRowContext(t.Context(), query).Scan(dest...); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	for i := range v {
		if b, ok := v[i].([]byte); ok && b == nil {
			v[i] = []byte{} // drivers read an empty value as nil, and write nil as NULL
		}
	}
	return v
}

// set writes the columns of the only row of a table past the store.
func (g Target) set(t *testing.T, table string, columns []string, values []any) {
	t.Helper()
	assignments := make([]string, len(columns))
	for i, c := range columns {
		assignments[i] = `"` + c + `" = ?`
	}
	g.exec(t, `UPDATE "`+table+`" SET `+strings.Join(assignments, ", "), values...)
}

func list(columns []string) string { return `"` + strings.Join(columns, `", "`) + `"` }

// stored are all columns of a secured table.
func stored(s store.Table) []string { return append(slices.Clone(s.Columns), "rev", "mac") }

// altered is a value that differs in the least.
func altered(t *testing.T, v any) any {
	t.Helper()
	switch v := v.(type) {
	case int64:
		return v ^ 1
	case string:
		return v + "x"
	case []byte:
		if len(v) == 0 {
			return []byte{0}
		}
		w := slices.Clone(v)
		w[len(w)-1] ^= 1
		return w
	}
	t.Fatalf("the database gave a %T", v)
	return nil
}

func id(n byte) [16]byte { return [16]byte{0: n, 15: 0x80} }
