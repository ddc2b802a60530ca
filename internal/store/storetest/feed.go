package storetest

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/store"
)

// write makes four revisions: three rows, none, a deletion and an update of one row, one row.
func write(t *testing.T, s *store.Store) []store.Change {
	t.Helper()
	put(t, s, &store.FSP{Name: "a"}, &store.Route{Space: "a/b", Operation: "%"}, &store.Series{ID: id(0xab)})
	change(t, s, "nothing", func(*store.Tx) error { return nil })
	change(t, s, "both", func(tx *store.Tx) error {
		if err := tx.Delete(&store.FSP{Name: "a"}); err != nil {
			return err
		}
		if err := tx.Put(&store.Route{Space: "a/b", Operation: "%", Enabled: true}); err != nil {
			return err
		}
		return tx.Put(&store.Route{Space: "a/b", Operation: "%"}) // the same row again counts once
	})
	put(t, s, &store.Setting{Name: "s"})
	of := func(rev, seq int64, action, table, pk string) store.Change {
		c := store.Change{
			Rev: rev, Seq: seq, Table: table, PK: pk, Action: action, Target: "t", Actor: "certificate:operator",
			RequestID: "r-" + action, At: store.Micros(at),
		}
		if seq == 0 {
			c.Record = []byte("record of " + action)
		}
		return c
	}
	return []store.Change{
		of(1, 0, "put", "fsps", "a"),
		of(1, 1, "put", "routes", "a%2Fb/%25"),
		of(1, 2, "put", "series", "ab000000000000000000000000000080"),
		of(2, 0, "nothing", "", ""),
		of(3, 0, "both", "fsps", "a"),
		of(3, 1, "both", "routes", "a%2Fb/%25"),
		of(4, 0, "put", "settings", "s"),
	}
}

func changesInOrder(t *testing.T, g Target) {
	s := g.trusted(t)
	want := write(t, s)
	for after := range int64(6) {
		var rest []store.Change
		for _, c := range want {
			if c.Rev > after {
				rest = append(rest, c)
			}
		}
		got, err := s.Changes(t.Context(), after, 100)
		if diff := cmp.Diff(rest, got); diff != "" || err != nil {
			t.Errorf("after %d: %v\n%s", after, err, diff)
		}
	}
}

// changesOfAnother follows the changes as a replica does, while two others write.
func changesOfAnother(t *testing.T, g Target) {
	const each = 10
	reader := g.trusted(t)
	var wait sync.WaitGroup
	for name, s := range map[string]*store.Store{"one": g.trusted(t), "two": g.trusted(t)} {
		wait.Go(func() {
			for i := range each {
				put(t, s, &store.Setting{Name: name, Value: []byte{byte(i)}}, &store.FSP{Name: fmt.Sprint(name, i)})
			}
		})
	}
	defer wait.Wait()
	var seen []store.Ref
	of := map[string][]string{}
	for after := int64(0); after < 2*each && !t.Failed() && t.Context().Err() == nil; {
		some, err := reader.Changes(t.Context(), after, 3)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range some {
			if next := after + 1 - c.Seq; c.Rev != next {
				t.Errorf("revision %d comes where %d belongs", c.Rev, next)
			}
			after = c.Rev
			seen = append(seen, c.Ref())
			if name, ok := strings.CutPrefix(c.PK, "one"); c.Table == "fsps" && ok {
				of["one"] = append(of["one"], name)
			} else if name, ok := strings.CutPrefix(c.PK, "two"); c.Table == "fsps" && ok {
				of["two"] = append(of["two"], name)
			}
		}
	}
	for name, order := range of {
		if got := strings.Join(order, " "); got != "0 1 2 3 4 5 6 7 8 9" {
			t.Errorf("the changes of %s came in the order %s", name, got)
		}
	}
	slices.SortFunc(seen, func(a, b store.Ref) int { return strings.Compare(a.PK, b.PK) }) // as Load sorts
	state, gone, err := reader.Reload(t.Context(), seen)
	if diff := cmp.Diff(load(t, reader), state); diff != "" || len(gone) != 0 || err != nil {
		t.Errorf("what the changes name is not all there is: %v, %v\n%s", gone, err, diff)
	}
}

func changesUnsplit(t *testing.T, g Target) {
	s := g.trusted(t)
	want := write(t, s)
	for limit, n := range map[int]int{-1: 3, 0: 3, 1: 3, 2: 3, 3: 3, 4: 4, 5: 6, 6: 6, 7: 7, 100: 7} {
		got, err := s.Changes(t.Context(), 0, limit)
		if diff := cmp.Diff(want[:n], got); diff != "" || err != nil {
			t.Errorf("limit %d: %v\n%s", limit, err, diff)
		}
	}
}

func missingChange(t *testing.T, g Target) {
	s := g.trusted(t)
	write(t, s)
	for _, where := range []string{`"rev" = 1 AND "seq" = 1`, `"rev" = 2`, `"rev" = 3 AND "seq" = 0`} {
		g.exec(t, `DELETE FROM "changes" WHERE `+where)
		_, err := s.Changes(t.Context(), 0, 100)
		is(t, err, fault.State)
		_, err = s.Changes(t.Context(), 3, 100)
		if err != nil {
			t.Errorf("what is whole cannot be read: %v", err)
		}
	}
	g.exec(t, `DELETE FROM "changes" WHERE "rev" = 4`)
	refused(t, s, "table changes")
}

func alteredChange(t *testing.T, g Target) {
	s := g.trusted(t)
	put(t, s, &store.Setting{Name: "s"})
	columns := []string{"seq", "tbl", "pk", "action", "target", "actor", "request_id", "at", "record", "rev", "mac"}
	original := g.values(t, "changes", columns)
	for i, c := range columns {
		g.set(t, "changes", columns[i:i+1], []any{altered(t, original[i])})
		if got, err := s.Changes(t.Context(), 0, 10); err == nil && len(got) > 0 {
			t.Errorf("altered %s is not noticed", c)
		}
		if _, err := s.Load(t.Context()); err == nil {
			t.Errorf("altered %s of the last change is not noticed by Load", c)
		}
		g.set(t, "changes", columns[i:i+1], original[i:i+1])
	}
	load(t, s)
}

func reloads(t *testing.T, g Target) {
	s := g.trusted(t)
	rows := Samples()
	put(t, s, rows...)
	var refs []store.Ref
	for _, r := range rows {
		refs = append(refs, store.RefTo(r), store.RefTo(r))
	}
	gone := []store.Ref{{Table: "fsps", PK: "nobody"}, {Table: "routes", PK: "a/b"}}
	state, missing, err := s.Reload(t.Context(), append(append(refs, gone...), store.Ref{}))
	if err != nil {
		t.Fatal(err)
	}
	changes, err := s.Changes(t.Context(), 0, 1)
	if err != nil || len(changes) != len(rows) || changes[1].Ref() != store.RefTo(rows[1]) {
		t.Errorf("the changes do not name the rows: %v, %v", changes, err)
	}
	if diff := cmp.Diff(rows, rowsOf(state)); diff != "" || state.Revision != 1 {
		t.Errorf("revision %d\n%s", state.Revision, diff)
	}
	if diff := cmp.Diff(gone, missing); diff != "" {
		t.Error(diff)
	}
	for _, r := range []store.Ref{{Table: "strange", PK: "x"}, {Table: "routes", PK: "x"}, {Table: "series", PK: "xy"}, {Table: "keks", PK: "f/x"}} {
		if _, _, err := s.Reload(t.Context(), []store.Ref{r}); err == nil {
			t.Errorf("%v was accepted", r)
		}
	}
	some, _, err := s.Reload(t.Context(), []store.Ref{store.RefTo(rows[0])})
	if err != nil || len(rowsOf(some)) != 1 {
		t.Error(some, err)
	}
}
