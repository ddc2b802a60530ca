package store

import (
	"context"
	"database/sql"
	"errors"

	"github.com/mojaloop/cpm/internal/fault"
)

// News is what happened after a revision: the rows it touched as they are now, and those that are gone.
type News struct {
	// State holds the touched rows; its Revision is the newest there is.
	State *State
	Gone  []Ref
	// Changes say who touched them and why, in commit order.
	Changes []Change
}

// maxNews bounds the rows that are read one by one. With more, reading everything is quicker.
const maxNews = 1000

// Position is where a database is. Two databases at one revision are the same only if they add up to the same and the
// last change was the same: one that lost a change and took another has the revision too.
type Position struct {
	Revision int64
	// Root is what all rows add up to, Last the mac of the last change.
	Root, Last [32]byte
}

// At says whether the database is exactly at a position. It is one short query, for those who look often.
func (s *Store) At(ctx context.Context, p Position) (bool, error) {
	mac, err := s.trusted()
	if err != nil {
		return false, err
	}
	now, err := s.readRevision(ctx, s.db, &checker{mac: mac}, 0)
	return now.n == p.Revision && equal(now.root.bytes(), p.Root), s.explain(ctx, err)
}

// News reads, in one look at the database, what happened after a position. Each row must have been written by the change
// that names it last, so an older copy of a row does not pass for news.
//
// Errors: fault.State when changes are missing, too many or damaged, and Load tells more; fault.Conflict when the
// database never was at the position, or is at one before it.
func (s *Store) News(ctx context.Context, after Position) (*News, error) {
	mac, err := s.trusted()
	if err != nil {
		return nil, err
	}
	r := newReloading(s, &checker{mac: mac})
	var changes []Change
	err = s.read(ctx, func(tx *sql.Tx) error {
		now, err := s.readRevision(ctx, tx, r.check, 0)
		if err != nil {
			return err
		}
		r.state.Revision, r.state.Root = now.n, now.root.bytes()
		if err := s.was(ctx, tx, r.check, after, now); err != nil {
			return err
		}
		changes, r.state.Last, err = s.changesUpTo(ctx, tx, r.check, after, now.n)
		if err != nil {
			return err
		}
		for _, c := range changes {
			r.writtenBy[c.Ref()] = c.Rev // the last one counts
		}
		for _, c := range changes {
			if err := r.row(ctx, tx, c.Ref()); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &News{State: r.state, Gone: r.gone, Changes: changes}, nil
}

// was says whether this is the database that was at a position.
func (s *Store) was(ctx context.Context, tx *sql.Tx, c *checker, p Position, now revision) error {
	if now.n < p.Revision || now.n == p.Revision && !equal(now.root.bytes(), p.Root) {
		return another(p.Revision, now.n)
	}
	last, err := s.lastChange(ctx, tx, c, p.Revision)
	if err == nil && !equal(last.mac, p.Last) {
		err = another(p.Revision, now.n)
	}
	return err
}

// another is the answer of a database that is not the one it was: a copy from a backup, or a server that lost what it had
// acknowledged.
func another(was, is int64) error {
	return fault.New(fault.Conflict, "the database is not the one that was at revision %d, it has another history up to revision %d; "+
		"if an older copy was restored on purpose, accept it with: cpm refresh-config", was, is)
}

// changesUpTo reads the changes after a position, up to the present revision, and the mac of the last; none may be
// missing.
func (s *Store) changesUpTo(ctx context.Context, tx *sql.Tx, c *checker, after Position, now int64) ([]Change, [32]byte, error) {
	if now == after.Revision {
		return nil, after.Last, nil
	}
	f := &feed{store: s, tx: tx, check: c, after: after.Revision}
	if err := f.more(ctx, quoted("rev")+" > "+s.dialect.placeholder(1), maxNews+1, after.Revision); err != nil {
		return nil, f.last, err
	}
	switch n := len(f.all); {
	case n > maxNews:
		return nil, f.last, fault.New(fault.State, "too much was changed to follow it row by row; load everything")
	case n == 0 || f.all[n-1].Rev != now:
		return nil, f.last, damaged("table changes", errors.New("the last change does not have the present revision"))
	}
	return f.all, f.last, nil
}
