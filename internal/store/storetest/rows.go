package storetest

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/store"
)

func sealedUntilTrusted(t *testing.T, g Target) {
	s := g.Open(t)
	ctx := t.Context()
	if err := s.Ping(ctx); err != nil {
		t.Error(err)
	}
	if terms, err := s.RootTerms(ctx); err != nil || len(terms) != 0 {
		t.Error(terms, err)
	}
	_, err := s.Load(ctx)
	is(t, err, fault.Sealed)
	_, _, err = s.Reload(ctx, nil)
	is(t, err, fault.Sealed)
	_, err = s.Changes(ctx, 0, 1)
	is(t, err, fault.Sealed)
	_, err = s.Change(ctx, entry("any"), func(*store.Tx) error { t.Error("the function ran"); return nil })
	is(t, err, fault.Sealed)
}

func freshStoreIsEmpty(t *testing.T, g Target) {
	s := g.trusted(t)
	if diff := cmp.Diff(&store.State{}, load(t, s)); diff != "" {
		t.Error(diff)
	}
	if changes, err := s.Changes(t.Context(), 0, 10); err != nil || len(changes) != 0 {
		t.Error(changes, err)
	}
	if a, b := s.ID(), g.Open(t).ID(); a != b || a == [16]byte{} {
		t.Errorf("ids of one store: %x and %x", a, b)
	}
}

// rowsOf lists the rows of a State.
func rowsOf(s *store.State) []store.Row {
	return concat(all(s.FSPs), all(s.Series), all(s.Objects), all(s.Links), all(s.Adapters), all(s.Endpoints), all(s.HSMs),
		all(s.Routes), all(s.Grants), all(s.Groups), all(s.Users), all(s.GroupCommands), all(s.Whitelist), all(s.Proposals),
		all(s.Approvals), all(s.RootTerms), all(s.KEKs), all(s.Settings), all(s.KeyUpdates))
}

func concat(lists ...[]store.Row) (rows []store.Row) {
	for _, l := range lists {
		rows = append(rows, l...)
	}
	return rows
}

func all[T any, P interface {
	*T
	store.Row
}](rows []T) (out []store.Row) {
	for i := range rows {
		out = append(out, P(&rows[i]))
	}
	return out
}

func everyRowType(t *testing.T, g Target) {
	for i, rows := range [][]store.Row{Samples(), Bare()} {
		if len(rows) != len(store.Schema()) {
			t.Fatalf("%d rows for %d tables", len(rows), len(store.Schema()))
		}
		s := g.trusted(t)
		put(t, s, rows...)
		if diff := cmp.Diff(rows, rowsOf(load(t, s))); diff != "" {
			t.Errorf("rows %d: stored (-) and loaded (+) differ:\n%s", i, diff)
		}
		change(t, s, "read", func(tx *store.Tx) error { return sameByKey(t, tx, rows) })
		change(t, s, "clear", func(tx *store.Tx) error {
			for j := range rows { // children before parents
				if err := tx.Delete(rows[len(rows)-1-j]); err != nil {
					return err
				}
			}
			return nil
		})
	}
}

// sameByKey gets each row by the key its Ref gives.
func sameByKey(t *testing.T, tx *store.Tx, rows []store.Row) error {
	for _, want := range rows {
		got, err := store.RefTo(want).Row()
		if err != nil {
			return err
		}
		if found, err := tx.Get(got); !found || err != nil {
			return fmt.Errorf("%v is not found: %w", store.RefTo(want), err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	}
	return nil
}

func putUpdates(t *testing.T, g Target) {
	s := g.trusted(t)
	put(t, s, &store.Setting{Name: "a", Value: []byte("1")}, &store.Setting{Name: "b", Value: []byte("1")})
	put(t, s, &store.Setting{Name: "a", Value: []byte("2")})
	change(t, s, "twice", func(tx *store.Tx) error {
		for _, v := range []string{"3", "4"} {
			if err := tx.Put(&store.Setting{Name: "b", Value: []byte(v)}); err != nil {
				return err
			}
		}
		return nil
	})
	want := []store.Setting{{Name: "a", Value: []byte("2")}, {Name: "b", Value: []byte("4")}}
	if diff := cmp.Diff(want, load(t, s).Settings); diff != "" {
		t.Error(diff)
	}
}

func deletes(t *testing.T, g Target) {
	s := g.trusted(t)
	put(t, s, &store.Setting{Name: "a"}, &store.Setting{Name: "b"})
	change(t, s, "delete", func(tx *store.Tx) error { return tx.Delete(&store.Setting{Name: "a"}) })
	if diff := cmp.Diff([]store.Setting{{Name: "b"}}, load(t, s).Settings); diff != "" {
		t.Error(diff)
	}
	change(t, s, "delete again", func(tx *store.Tx) error {
		is(t, tx.Delete(&store.Setting{Name: "a"}), fault.NotFound)
		found, err := tx.Get(&store.Setting{Name: "a"})
		if found {
			t.Error("a deleted row is found")
		}
		return err
	})
}

func namesByteByByte(t *testing.T, g Target) {
	s := g.trusted(t)
	names := []string{"PayerFSP", "payerFSP", "payerfsp", "payerfsp ", "payérfsp", "paye\u0301rfsp", "straße", "strasse"}
	for _, n := range names {
		put(t, s, &store.FSP{Name: n, State: n})
	}
	state := load(t, s)
	if len(state.FSPs) != len(names) {
		t.Errorf("%d names became %d rows", len(names), len(state.FSPs))
	}
	for _, f := range state.FSPs {
		if f.Name != f.State {
			t.Errorf("%q was overwritten by %q", f.Name, f.State)
		}
	}
	change(t, s, "get", func(tx *store.Tx) error {
		found, err := tx.Get(&store.FSP{Name: "PAYERFSP"})
		if found {
			t.Error("a name is found by another spelling")
		}
		return err
	})
}

// keysByteByByte looks at every kind of key that has text: alone, first, last, and in a foreign key.
func keysByteByByte(t *testing.T, g Target) {
	s := g.trusted(t)
	var rows []store.Row
	for _, n := range []string{"ZED", "a", "zed", "\u00c9", "\u00e9"} { // in the order of their bytes
		rows = append(rows,
			&store.Adapter{Name: n, Type: "t" + n}, &store.Endpoint{Adapter: n, Address: "h", Port: 1},
			&store.Route{Space: "s", Operation: n}, &store.Setting{Name: n, Value: []byte(n)})
	}
	put(t, s, rows...)
	state := load(t, s)
	for i, r := range state.Adapters {
		if want := rows[4*i].(*store.Adapter).Name; r.Name != want || r.Type != "t"+want || state.Routes[i].Operation != want {
			t.Errorf("row %d is %q of %q, want %q", i, r.Name, r.Type, want)
		}
	}
	if len(state.Adapters) != 5 || len(state.Endpoints) != 5 || len(state.Routes) != 5 || len(state.Settings) != 5 {
		t.Errorf("%d, %d, %d and %d rows of 5", len(state.Adapters), len(state.Endpoints), len(state.Routes), len(state.Settings))
	}
	for _, other := range []string{"Zed", "A", "a ", "e\u0301"} {
		_, err := s.Change(t.Context(), entry("refer"), func(tx *store.Tx) error {
			return tx.Put(&store.Endpoint{Adapter: other, Address: "h"})
		})
		is(t, err, fault.Conflict)
	}
}

func uniqueNames(t *testing.T, g Target) {
	s := g.trusted(t)
	put(t, s, &store.Series{ID: id(1), Space: "f", Name: "jws"}, &store.Series{ID: id(2), Space: "f", Name: "JWS"})
	put(t, s, &store.Object{ID: id(3), Series: id(1), Version: 1})
	for _, row := range []store.Row{
		&store.Series{ID: id(4), Space: "f", Name: "jws"},
		&store.Object{ID: id(5), Series: id(1), Version: 1},
		&store.Object{ID: id(6), Series: id(9), Version: 1},
	} {
		_, err := s.Change(t.Context(), entry("again"), func(tx *store.Tx) error { return tx.Put(row) })
		is(t, err, fault.Conflict)
	}
	change(t, s, "find", func(tx *store.Tx) error {
		for name, want := range map[string][16]byte{"jws": id(1), "JWS": id(2)} {
			series, err := tx.SeriesNamed("f", name)
			if err != nil || series == nil || series.ID != want {
				t.Errorf("%s: got %v, %v", name, series, err)
			}
		}
		series, err := tx.SeriesNamed("f", "Jws")
		if series != nil || err != nil {
			t.Errorf("got %v, %v for a name that is not there", series, err)
		}
		return nil
	})
}

func objectsInOrder(t *testing.T, g Target) {
	s := g.trusted(t)
	put(t, s, &store.Series{ID: id(1), Name: "a"}, &store.Series{ID: id(2), Name: "b"},
		&store.Object{ID: id(3), Series: id(1), Version: 10}, &store.Object{ID: id(4), Series: id(1), Version: 9},
		&store.Object{ID: id(5), Series: id(2), Version: 1})
	change(t, s, "read", func(tx *store.Tx) error {
		got, err := tx.Objects(id(1))
		want := []store.Object{{ID: id(4), Series: id(1), Version: 9}, {ID: id(3), Series: id(1), Version: 10}}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		return err
	})
}

func keksInOrder(t *testing.T, g Target) {
	s := g.trusted(t)
	put(t, s, &store.RootTerm{ID: id(1)}, &store.KEK{Space: "f", Version: 2, Term: id(1)}, &store.KEK{Space: "f", Version: 1, Term: id(1)},
		&store.KEK{Space: "F", Version: 7, Term: id(1)})
	change(t, s, "read", func(tx *store.Tx) error {
		got, err := tx.KEKs("f")
		want := []store.KEK{{Space: "f", Version: 1, Term: id(1)}, {Space: "f", Version: 2, Term: id(1)}}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		return err
	})
	if terms, err := s.RootTerms(t.Context()); err != nil || len(terms) != 1 || terms[0].ID != id(1) {
		t.Error(terms, err)
	}
}
