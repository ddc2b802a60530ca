package storetest

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/store"
)

func newsIsWhatChanged(t *testing.T, g Target) {
	s, other := g.trusted(t), g.trusted(t)
	empty := load(t, other).Position
	here, err := other.At(t.Context(), empty)
	if err != nil || !here {
		t.Errorf("not at its own position: %v", err)
	}
	want := write(t, s)
	if here, err := other.At(t.Context(), empty); err != nil || here {
		t.Errorf("the changes are not noticed: %v", err)
	}
	news, err := other.News(t.Context(), empty)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, news.Changes); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]store.Ref{{Table: "fsps", PK: "a"}}, news.Gone); diff != "" {
		t.Error(diff)
	}
	now := load(t, s)
	if diff := cmp.Diff(rowsOf(now), rowsOf(news.State)); diff != "" || now.Position != news.State.Position {
		t.Errorf("what was changed is not all there is: %s", diff)
	}
	none, err := other.News(t.Context(), news.State.Position)
	if err != nil || len(none.Changes)+len(none.Gone) != 0 || none.State.Position != news.State.Position {
		t.Errorf("news without a change: %+v, %v", none, err)
	}
	put(t, s, &store.Setting{Name: "s", Value: []byte("1")})
	some, err := other.News(t.Context(), news.State.Position)
	if err != nil || len(some.State.Settings) != 1 || len(rowsOf(some.State)) != 1 {
		t.Errorf("%+v, %v", some, err)
	}
}

// A row put back from before the last change of it is whole in itself.
func newsHasNoOldRows(t *testing.T, g Target) {
	s := g.trusted(t)
	put(t, s, &store.Setting{Name: "s", Value: []byte("old")})
	position := load(t, s).Position
	columns := []string{"value", "rev", "mac"}
	old := g.values(t, "settings", columns)
	put(t, s, &store.Setting{Name: "s", Value: []byte("new")})
	g.set(t, "settings", columns, old)
	_, err := s.News(t.Context(), position)
	is(t, err, fault.State)
}

func newsOfAnotherHistory(t *testing.T, g Target) {
	s := g.trusted(t)
	put(t, s, &store.Setting{Name: "s", Value: []byte("1")})
	position := load(t, s).Position
	for what, forged := range map[string]func(*store.Position){
		"a revision to come":  func(p *store.Position) { p.Revision++ },
		"other rows":          func(p *store.Position) { p.Root[0] ^= 1 },
		"another last change": func(p *store.Position) { p.Last[0] ^= 1 },
	} {
		p := position
		forged(&p)
		if _, err := s.News(t.Context(), p); err == nil {
			t.Errorf("%s: followed", what)
		} else {
			is(t, err, fault.Conflict)
		}
	}
}

func newsWithoutAChange(t *testing.T, g Target) {
	s := g.trusted(t)
	before := load(t, s).Position
	write(t, s)
	g.exec(t, `DELETE FROM "changes" WHERE "rev" = 2`)
	_, err := s.News(t.Context(), before)
	is(t, err, fault.State)
	g.exec(t, `DELETE FROM "changes"`)
	_, err = s.News(t.Context(), before)
	is(t, err, fault.State)
}

func replicasSay(t *testing.T, g Target) {
	s := g.trusted(t)
	for _, r := range []store.Replica{
		{Name: "b", At: store.Micros(at), Revision: 7},
		{Name: "a", At: store.Micros(at), Revision: 8},
		{Name: "b", At: store.Micros(at) + 1, Revision: 9},
		{Name: "old", At: store.Micros(at.Add(-time.Hour)), Revision: 1},
		{Name: "c", At: store.Micros(at), Revision: 2},
	} {
		if err := s.Confirm(t.Context(), r, at.Add(-time.Minute)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Leave(t.Context(), "c"); err != nil {
		t.Fatal(err)
	}
	got, err := s.Replicas(t.Context())
	want := []store.Replica{{Name: "a", At: store.Micros(at), Revision: 8}, {Name: "b", At: store.Micros(at) + 1, Revision: 9}}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v\n%s", err, diff)
	}
	for _, column := range []string{`"rev" = 10`, `"at" = 5`, `"name" = 'x'`} {
		g.exec(t, `UPDATE "replicas" SET `+column+` WHERE "name" = 'a'`)
		if _, err := s.Replicas(t.Context()); err == nil {
			t.Errorf("%s is not noticed", column)
		}
		if err := s.Confirm(t.Context(), store.Replica{Name: "a", At: store.Micros(at), Revision: 8}, at.Add(-time.Minute)); err != nil {
			t.Fatal(err)
		}
		g.exec(t, `DELETE FROM "replicas" WHERE "name" = 'x'`)
	}
	load(t, s)
}
