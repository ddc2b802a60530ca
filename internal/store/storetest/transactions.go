package storetest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/store"
)

var errOwn = errors.New("the function's own error")

func errorLeavesNothing(t *testing.T, g Target) {
	s := g.trusted(t)
	put(t, s, &store.Setting{Name: "a"}, &store.Setting{Name: "b"})
	before := load(t, s)
	_, err := s.Change(t.Context(), entry("fail"), func(tx *store.Tx) error { return errors.Join(spoil(tx), errOwn) })
	if !errors.Is(err, errOwn) {
		t.Errorf("got %v, want the function's error", err)
	}
	unchanged(t, s, before)
}

// spoil does one of everything to the settings a, b and c.
func spoil(tx *store.Tx) error {
	return errors.Join(tx.Put(&store.Setting{Name: "a", Value: []byte("x")}), tx.Delete(&store.Setting{Name: "b"}), tx.Put(&store.Setting{Name: "c"}))
}

// unchanged wants the state of before, and nothing in the changes after it.
func unchanged(t *testing.T, s *store.Store, before *store.State) {
	t.Helper()
	if diff := cmp.Diff(before, load(t, s)); diff != "" {
		t.Error(diff)
	}
	if c, err := s.Changes(t.Context(), before.Revision, 10); err != nil || len(c) != 0 {
		t.Error(c, err)
	}
}

func panicLeavesNothing(t *testing.T, g Target) {
	s := g.trusted(t)
	put(t, s, &store.Setting{Name: "a"}, &store.Setting{Name: "b"})
	before := load(t, s)
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic was swallowed")
			}
		}()
		_, _ = s.Change(t.Context(), entry("panic"), func(tx *store.Tx) error { panic(spoil(tx)) })
	}()
	unchanged(t, s, before)
	put(t, s, &store.Setting{Name: "after"}) // the turn was given back
}

func ignoredErrorLeavesNothing(t *testing.T, g Target) {
	s := g.trusted(t)
	put(t, s, &store.Setting{Name: "a"}, &store.Setting{Name: "b"})
	before := load(t, s)
	_, err := s.Change(t.Context(), entry("ignore"), func(tx *store.Tx) error {
		is(t, tx.Put(&store.Endpoint{Adapter: "nowhere", Address: "a"}), fault.Conflict)
		_ = spoil(tx)
		return nil
	})
	is(t, err, fault.Conflict)
	unchanged(t, s, before)
}

func hooksLearnTheEnd(t *testing.T, g Target) {
	s := g.trusted(t)
	for _, want := range []struct {
		err  error
		text string
	}{{nil, "1 true 2 true"}, {errOwn, "1 false 2 false"}} {
		var got string
		_, err := s.Change(t.Context(), entry("hook"), func(tx *store.Tx) error {
			got = ""
			tx.AtEnd(func(committed bool) { got = fmt.Sprint("1 ", committed) })
			tx.AtEnd(func(committed bool) { got += fmt.Sprint(" 2 ", committed) })
			return want.err
		})
		if !errors.Is(err, want.err) || got != want.text {
			t.Errorf("got %q, %v, want %q, %v", got, err, want.text, want.err)
		}
	}
}

func expectedRevision(t *testing.T, g Target) {
	s := g.trusted(t)
	one := put(t, s, &store.Setting{Name: "a"})
	e := entry("second")
	e.ExpectRevision = one.Revision
	two, err := s.Change(t.Context(), e, func(tx *store.Tx) error {
		if tx.Revision() != one.Revision+1 || tx.At() != store.Micros(at) {
			t.Errorf("the transaction has revision %d and time %d", tx.Revision(), tx.At())
		}
		return tx.Put(&store.Setting{Name: "b"})
	})
	if err != nil || two.Revision != one.Revision+1 {
		t.Fatal(two, err)
	}
	before := load(t, s)
	_, err = s.Change(t.Context(), e, func(*store.Tx) error { t.Error("the function ran"); return nil })
	is(t, err, fault.Conflict)
	unchanged(t, s, before)
}

const (
	writers = 3 // in each of two handles
	rounds  = 8
)

func concurrentWriters(t *testing.T, g Target) {
	var (
		wait sync.WaitGroup
		mu   sync.Mutex
		seen = map[int64]string{}
	)
	handles := []*store.Store{g.trusted(t), g.trusted(t)}
	for i, s := range handles {
		for w := range writers {
			wait.Go(func() {
				for r := range rounds {
					mine := fmt.Sprintf("%d-%d-%d", i, w, r)
					c, err := s.Change(t.Context(), entry(mine), func(tx *store.Tx) error { return count(tx, mine) })
					if err != nil {
						t.Error(err)
						return
					}
					mu.Lock()
					seen[c.Revision] = mine
					mu.Unlock()
				}
			})
		}
	}
	wait.Wait()
	const total = 2 * writers * rounds
	state := load(t, handles[0])
	if state.Revision != total || len(seen) != total || len(state.Settings) != total+1 {
		t.Errorf("revision %d, %d different revisions, %d rows after %d changes", state.Revision, len(seen), len(state.Settings), total)
	}
	inOrder(t, handles[1], seen)
}

// count writes a row of its own and counts in a common one.
func count(tx *store.Tx, mine string) error {
	common := store.Setting{Name: "count", Value: make([]byte, 8)}
	if _, err := tx.Get(&common); err != nil {
		return err
	}
	n := binary.BigEndian.Uint64(append(make([]byte, 8-len(common.Value)), common.Value...)) + 1
	if err := tx.Put(&store.Setting{Name: "count", Value: binary.BigEndian.AppendUint64(nil, n)}); err != nil {
		return err
	}
	return tx.Put(&store.Setting{Name: mine, Value: binary.BigEndian.AppendUint64(nil, n)})
}

// inOrder wants the changes to have the revisions their writers were told, one after the other.
func inOrder(t *testing.T, s *store.Store, seen map[int64]string) {
	t.Helper()
	changes, err := s.Changes(t.Context(), 0, 10_000)
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range changes {
		if want := int64(i/2 + 1); c.Rev != want || c.Seq != int64(i%2) || c.Action != seen[c.Rev] {
			t.Errorf("change %d is %d/%d of %s, want revision %d of %s", i, c.Rev, c.Seq, c.Action, want, seen[want])
		}
	}
	if len(changes) != 2*len(seen) {
		t.Errorf("%d changes of %d transactions with two rows each", len(changes), len(seen))
	}
	for _, row := range load(t, s).Settings {
		if row.Name == "count" {
			if got := binary.BigEndian.Uint64(row.Value); got != uint64(len(seen)) {
				t.Errorf("the count is %d: updates were lost", got)
			}
		}
	}
}

func loadSeesOneRevision(t *testing.T, g Target) {
	writer, reader := g.trusted(t), g.trusted(t)
	var wait sync.WaitGroup
	wait.Go(func() {
		for i := range 20 {
			put(t, writer, &store.Setting{Name: "a", Value: fmt.Append(nil, i)}, &store.FSP{Name: "b", State: fmt.Sprint(i)})
		}
	})
	for range 30 {
		state := load(t, reader)
		if state.Revision == 0 {
			continue
		}
		if want := fmt.Sprint(state.Revision - 1); string(state.Settings[0].Value) != want || state.FSPs[0].State != want {
			t.Errorf("revision %d has rows %s and %s", state.Revision, state.Settings[0].Value, state.FSPs[0].State)
		}
	}
	wait.Wait()
}
