package store

import (
	"context"
	"database/sql"
	"errors"
	"math"

	"github.com/mojaloop/cpm/internal/fault"
)

// Load reads every secured table as it was at one revision and verifies every row, the root and the last change. A
// mismatch is fault.State; its cause names table and key.
func (s *Store) Load(ctx context.Context) (*State, error) {
	mac, err := s.trusted()
	if err != nil {
		return nil, err
	}
	c := &checker{mac: mac}
	state := &State{}
	err = s.read(ctx, func(tx *sql.Tx) error {
		now, err := s.readRevision(ctx, tx, c, 0)
		if err != nil {
			return err
		}
		state.Revision, state.Root = now.n, now.root.bytes()
		var root sum
		for _, l := range state.lists() {
			if err := s.loadAll(ctx, tx, c, l, &root); err != nil {
				return err
			}
		}
		if !equal(root.bytes(), now.root.bytes()) {
			return damaged("table revision", errors.New("the rows do not add up to the root: one was removed, added or replaced"))
		}
		last, err := s.lastChange(ctx, tx, c, math.MaxInt64)
		state.Last = last.mac
		if err == nil && last.rev != now.n {
			err = damaged("table changes", errors.New("the last change does not have the present revision"))
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return state, nil
}

func (s *Store) loadAll(ctx context.Context, tx *sql.Tx, c *checker, l list, root *sum) error {
	t := s.tables[l.table()]
	rows, err := tx.QueryContext(ctx, t.selectAll)
	if err != nil {
		return err
	}
	return eachRow(rows, t, c, l.next, func(r *reader) error {
		root.add(r.share())
		return nil
	})
}

// last is a change by its revision and its mac.
type last struct {
	rev int64
	mac [32]byte
}

// lastChange finds the last change up to a revision; without any it is of revision 0.
func (s *Store) lastChange(ctx context.Context, tx *sql.Tx, c *checker, upTo int64) (last, error) {
	t := s.tables[changesTable]
	columns := append(t.columns[:len(t.columns):len(t.columns)], "rev", "mac")
	rows, err := tx.QueryContext(ctx, "SELECT "+names(columns)+" FROM "+quoted(t.name)+` WHERE "rev" <= `+s.dialect.placeholder(1)+
		` ORDER BY "rev" DESC, "seq" DESC LIMIT 1`, upTo)
	if err != nil {
		return last{}, err
	}
	var l last
	err = eachRow(rows, t, c, func() Row { return &Change{} }, func(r *reader) error { l = last{r.rev, r.mac}; return nil })
	return l, err
}

// Reload reads the rows named, verified, as a State that holds just those and the revision at reading. The Refs whose
// rows are no longer there come second. What one row by itself cannot show, that it is an older copy of itself, only Load
// finds.
func (s *Store) Reload(ctx context.Context, refs []Ref) (*State, []Ref, error) {
	mac, err := s.trusted()
	if err != nil {
		return nil, nil, err
	}
	r := newReloading(s, &checker{mac: mac})
	err = s.read(ctx, func(tx *sql.Tx) error {
		now, err := s.readRevision(ctx, tx, r.check, 0)
		if err != nil {
			return err
		}
		r.state.Revision, r.state.Root = now.n, now.root.bytes()
		last, err := s.lastChange(ctx, tx, r.check, now.n)
		if err != nil {
			return err
		}
		r.state.Last = last.mac
		for _, ref := range refs {
			if err := r.row(ctx, tx, ref); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	return r.state, r.gone, nil
}

type reloading struct {
	store *Store
	check *checker
	state *State
	lists map[string]list
	done  map[Ref]bool
	gone  []Ref
	// writtenBy are the revisions that rows must have, where they are known.
	writtenBy map[Ref]int64
}

func newReloading(s *Store, c *checker) *reloading {
	r := &reloading{
		store: s, check: c, state: &State{}, lists: map[string]list{}, done: map[Ref]bool{}, writtenBy: map[Ref]int64{},
	}
	for _, l := range r.state.lists() {
		r.lists[l.table()] = l
	}
	return r
}

func (r *reloading) row(ctx context.Context, tx *sql.Tx, ref Ref) error {
	if r.done[ref] || ref == (Ref{}) { // the change of a transaction that touched nothing has no Ref
		return nil
	}
	r.done[ref] = true
	l, ok := r.lists[ref.Table]
	if !ok {
		return fault.New(fault.State, "a change names a table this program does not know")
	}
	key := l.next()
	if err := setKey(key, ref.PK); err != nil {
		return fault.New(fault.Internal, "a change names a row in a way this program does not understand").Because(err)
	}
	t := r.store.tables[ref.Table]
	rows, err := tx.QueryContext(ctx, t.selectOne, values(key.fields(nil)[:t.key])...)
	if err != nil {
		return err
	}
	found := false
	err = eachRow(rows, t, r.check, func() Row { return key }, func(is *reader) error {
		found = true
		if rev, known := r.writtenBy[ref]; known && rev != is.rev {
			return damaged("table "+t.name, errors.New("the row is not the one that the last change wrote"))
		}
		return nil
	})
	if err == nil && !found {
		l.drop()
		r.gone = append(r.gone, ref)
	}
	return err
}

// read runs f in a transaction that sees one state of the database.
func (s *Store) read(ctx context.Context, f func(*sql.Tx) error) error {
	tx, err := s.db.BeginTx(ctx, &sql.TxOptions{ReadOnly: true, Isolation: sql.LevelRepeatableRead})
	if err != nil {
		return s.explain(ctx, err)
	}
	defer func() { _ = tx.Rollback() }()
	return s.explain(ctx, f(tx))
}
