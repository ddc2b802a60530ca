package storetest

import (
	"strings"
	"testing"

	"github.com/mojaloop/cpm/internal/store"
)

// alteredColumn alters each column of each secured table by itself, from a value and from zero.
func alteredColumn(t *testing.T, g Target) {
	for _, rows := range [][]store.Row{Samples(), Bare()} {
		s := g.trusted(t)
		put(t, s, rows...)
		for _, table := range store.Schema() {
			columns := stored(table)
			original := g.values(t, table.Name, columns)
			for i := range columns {
				g.set(t, table.Name, columns[i:i+1], []any{altered(t, original[i])})
				refused(t, s, "table "+table.Name)
				if t.Failed() {
					t.Fatalf("altering %s.%s is not noticed", table.Name, columns[i])
				}
				g.set(t, table.Name, columns[i:i+1], original[i:i+1])
			}
		}
		load(t, s)
		for _, table := range store.Schema() {
			g.exec(t, `DELETE FROM "`+table.Name+`"`)
		}
		g.exec(t, `DELETE FROM "changes"`)
		g.set(t, "revision", []string{"n", "root", "mac"}, []any{0, []byte{}, []byte{}})
	}
}

func removedRow(t *testing.T, g Target) {
	s := g.trusted(t)
	put(t, s, Samples()...)
	for _, table := range store.Schema() {
		columns := stored(table)
		original := g.values(t, table.Name, columns)
		g.exec(t, `DELETE FROM "`+table.Name+`"`)
		refused(t, s, "root")
		g.insert(t, table.Name, columns, original)
		load(t, s)
	}
}

// insert puts a row in past the store.
func (g Target) insert(t *testing.T, table string, columns []string, values []any) {
	t.Helper()
	marks := strings.TrimSuffix(strings.Repeat("?, ", len(columns)), ", ")
	g.exec(t, `INSERT INTO "`+table+`" (`+list(columns)+`) VALUES (`+marks+`)`, values...)
}

// restoredRow puts a row back as it was one revision ago. Its mac is genuine.
func restoredRow(t *testing.T, g Target) {
	s := g.trusted(t)
	table := store.Schema()[0]
	put(t, s, &store.FSP{Name: "payerfsp", State: "active"})
	old := g.values(t, table.Name, stored(table))
	put(t, s, &store.FSP{Name: "payerfsp", State: "suspended"})
	g.set(t, table.Name, stored(table), old)
	refused(t, s, "root")
	// A later write does not make it good.
	put(t, s, &store.FSP{Name: "payerfsp", State: "active"})
	refused(t, s, "root")
}

func resurrectedRow(t *testing.T, g Target) {
	s := g.trusted(t)
	table := store.Schema()[0]
	put(t, s, &store.FSP{Name: "payerfsp", State: "active"})
	old := g.values(t, table.Name, stored(table))
	change(t, s, "delete", func(tx *store.Tx) error { return tx.Delete(&store.FSP{Name: "payerfsp"}) })
	g.insert(t, table.Name, stored(table), old)
	refused(t, s, "root")
}

// movedRow exchanges all but the keys of two rows.
func movedRow(t *testing.T, g Target) {
	s := g.trusted(t)
	put(t, s, &store.Setting{Name: "a", Value: []byte("1")}, &store.Setting{Name: "b", Value: []byte("2")})
	g.exec(t, `UPDATE "settings" SET "name" = 'c' WHERE "name" = 'a'`)
	g.exec(t, `UPDATE "settings" SET "name" = 'a' WHERE "name" = 'b'`)
	g.exec(t, `UPDATE "settings" SET "name" = 'b' WHERE "name" = 'c'`)
	refused(t, s, "table settings")
}

func alteredRevision(t *testing.T, g Target) {
	s := g.trusted(t)
	put(t, s, &store.Setting{Name: "a"})
	columns := []string{"n", "root", "mac"}
	old := g.values(t, "revision", columns)
	put(t, s, &store.Setting{Name: "a", Value: []byte("x")})
	now := g.values(t, "revision", columns)
	for i := range columns {
		g.set(t, "revision", columns[i:i+1], []any{altered(t, now[i])})
		refused(t, s, "table revision")
		_, err := s.Change(t.Context(), entry("any"), func(*store.Tx) error { t.Error("the function ran"); return nil })
		isIntegrityFault(t, err, "table revision")
		_, _, err = s.Reload(t.Context(), nil)
		isIntegrityFault(t, err, "table revision")
		g.set(t, "revision", columns[i:i+1], now[i:i+1])
	}
	for _, v := range [][]any{old, {0, []byte{}, []byte{}}, {old[0], now[1], now[2]}, {now[0], now[1], []byte{1}}} {
		g.set(t, "revision", columns, v)
		refused(t, s, "table")
	}
	g.exec(t, `DELETE FROM "revision"`)
	refused(t, s, "table revision")
	_, err := s.Change(t.Context(), entry("any"), func(*store.Tx) error { t.Error("the function ran"); return nil })
	isIntegrityFault(t, err, "table revision")
}

func alteredID(t *testing.T, g Target) {
	put(t, g.trusted(t), &store.Setting{Name: "a"})
	was := g.values(t, "store", []string{"id"})
	g.set(t, "store", []string{"id"}, []any{altered(t, was[0])})
	refused(t, g.trusted(t), "table revision")
}

func anotherKey(t *testing.T, g Target) {
	put(t, g.trusted(t), &store.Setting{Name: "a"})
	s := g.Open(t)
	s.Trust(MAC("another"))
	refused(t, s, "table revision")
}

func alteredRowInTransaction(t *testing.T, g Target) {
	s := g.trusted(t)
	put(t, s, &store.Series{ID: id(1), Name: "n"}, &store.Object{ID: id(2), Series: id(1), State: "Destroyed"})
	g.exec(t, `UPDATE "objects" SET "state" = 'Active'`)
	for what, read := range map[string]func(tx *store.Tx) error{
		"get": func(tx *store.Tx) error {
			o := store.Object{ID: id(2)}
			found, err := tx.Get(&o)
			if found || o.State != "" {
				t.Error("an altered row is given out")
			}
			return err
		},
		"objects": func(tx *store.Tx) error {
			got, err := tx.Objects(id(1))
			if got != nil {
				t.Error("altered rows are given out")
			}
			return err
		},
		"ignored": func(tx *store.Tx) error { _, _ = tx.Objects(id(1)); return nil },
	} {
		_, err := s.Change(t.Context(), entry(what), read)
		isIntegrityFault(t, err, "table objects, key 02")
	}
	state, _, err := s.Reload(t.Context(), []store.Ref{store.RefTo(&store.Object{ID: id(2)})})
	isIntegrityFault(t, err, "table objects")
	if state != nil {
		t.Error("an altered row is given out")
	}
}

func damagedMAC(t *testing.T, g Target) {
	s := g.trusted(t)
	put(t, s, &store.Setting{Name: "a"})
	g.set(t, "settings", []string{"mac"}, []any{[]byte{1}})
	for what, write := range map[string]func(tx *store.Tx) error{
		"put":     func(tx *store.Tx) error { return tx.Put(&store.Setting{Name: "a"}) },
		"delete":  func(tx *store.Tx) error { return tx.Delete(&store.Setting{Name: "a"}) },
		"ignored": func(tx *store.Tx) error { _ = tx.Put(&store.Setting{Name: "a"}); return nil },
	} {
		_, err := s.Change(t.Context(), entry(what), write)
		isIntegrityFault(t, err, "table settings")
	}
}
