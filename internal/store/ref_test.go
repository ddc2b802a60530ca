package store_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mojaloop/cpm/internal/store"
)

func TestRefsNameEveryRow(t *testing.T) {
	t.Parallel()
	parts := []string{"", "a", "/", "%", "%2F", "a/b", "%25", "\x1f", "1:a", "é", "%2"}
	seen := map[store.Ref][2]string{}
	for _, a := range parts {
		for _, b := range parts {
			r := store.RefTo(&store.Route{Space: a, Operation: b, Adapter: "not part of the key"})
			if other, there := seen[r]; there {
				t.Errorf("%q and %q have one Ref", other, [2]string{a, b})
			}
			seen[r] = [2]string{a, b}
			row, err := r.Row()
			if diff := cmp.Diff(store.Row(&store.Route{Space: a, Operation: b}), row); diff != "" || err != nil {
				t.Errorf("%v: %v\n%s", r, err, diff)
			}
		}
	}
}

func TestRefsOfIDsAndNumbers(t *testing.T) {
	t.Parallel()
	for want, row := range map[string]store.Row{
		"0102000000000000000000000000000f": &store.Object{ID: [16]byte{1, 2, 15: 15}},
		"f/-3":                             &store.KEK{Space: "f", Version: -3},
		"a/b/80":                           &store.Endpoint{Adapter: "a", Address: "b", Port: 80},
	} {
		r := store.RefTo(row)
		again, err := r.Row()
		if err != nil || r.PK != want {
			t.Errorf("got %q, %v, want %q", r.PK, err, want)
		}
		if diff := cmp.Diff(row, again); diff != "" {
			t.Error(diff)
		}
	}
}

func TestRefsThatNameNothing(t *testing.T) {
	t.Parallel()
	for _, r := range []store.Ref{
		{},
		{Table: "revision"},
		{Table: "changes", PK: "1"},
		{Table: "routes", PK: "a"},
		{Table: "routes", PK: "a/b/c"},
		{Table: "keks", PK: "f/1x"},
		{Table: "objects", PK: "01"},
		{Table: "objects", PK: "zz02000000000000000000000000000f"},
	} {
		if row, err := r.Row(); err == nil {
			t.Errorf("%v gave %v", r, row)
		}
	}
}

func TestTimesAreMicroseconds(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 21, 9, 8, 7, 654321999, time.FixedZone("x", 3600))
	if got := store.Time(store.Micros(at)); !got.Equal(at.Truncate(time.Microsecond)) || got.Location() != time.UTC {
		t.Errorf("got %v", got)
	}
	if store.Micros(time.Time{}) != 0 || !store.Time(0).IsZero() {
		t.Error("the zero time is not 0")
	}
}

func TestChangesTableIsNotForCallers(t *testing.T) {
	t.Parallel()
	s, _ := openFaulty(t)
	for name, f := range map[string]func(tx *store.Tx) error{
		"put":    func(tx *store.Tx) error { return tx.Put(&store.Change{}) },
		"delete": func(tx *store.Tx) error { return tx.Delete(&store.Change{}) },
		"get":    func(tx *store.Tx) error { _, err := tx.Get(&store.Change{}); return err },
	} {
		if _, err := s.Change(t.Context(), store.Entry{}, f); err == nil {
			t.Errorf("%s was allowed", name)
		}
	}
}
