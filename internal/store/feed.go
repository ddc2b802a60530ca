package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/mojaloop/cpm/internal/fault"
)

const changesTable = "changes"

// Change is one row that a transaction touched, and who did it why. A transaction that touched nothing has one Change
// without Table and PK. Record stands in the first Change of a transaction only.
//
// Every Change has a mac of its own, but they do not count in the root: they grow without bound, and Load would have to
// read them all. What makes a loss evident is that revisions and sequence numbers have no gaps.
type Change struct {
	Rev, Seq                         int64
	Table, PK                        string
	Action, Target, Actor, RequestID string
	At                               int64
	Record                           []byte
}

// Ref is the row that was touched.
func (r *Change) Ref() Ref { return Ref{r.Table, r.PK} }

func (*Change) table() string { return changesTable }

func (*Change) columns() (int, []string) {
	return 1, []string{"seq", "tbl", "pk", "action", "target", "actor", "request_id", "at", "record"}
}

func (r *Change) fields(d []any) []any {
	return append(d, &r.Seq, &r.Table, &r.PK, &r.Action, &r.Target, &r.Actor, &r.RequestID, &r.At, &r.Record)
}

// Changes reads what happened after a revision, in commit order, verified and without gaps. It never splits a revision:
// at least limit changes are returned if there are as many, and then the rest of the last revision. Changes that are no
// longer there are fault.State; load everything then.
func (s *Store) Changes(ctx context.Context, after int64, limit int) ([]Change, error) {
	mac, err := s.trusted()
	if err != nil {
		return nil, err
	}
	var all []Change
	err = s.read(ctx, func(tx *sql.Tx) error {
		f := &feed{store: s, tx: tx, check: &checker{mac: mac}, after: after}
		if err := f.more(ctx, quoted("rev")+" > "+s.dialect.placeholder(1), int64(max(limit, 1)), after); err != nil {
			return err
		}
		if n := len(f.all); n > 0 && n >= limit {
			last := f.all[n-1]
			where := quoted("rev") + " = " + s.dialect.placeholder(1) + " AND " + quoted("seq") + " > " + s.dialect.placeholder(2)
			if err := f.more(ctx, where, 0, last.Rev, last.Seq); err != nil {
				return err
			}
		}
		all = f.all
		return nil
	})
	return all, err
}

type feed struct {
	store *Store
	tx    *sql.Tx
	check *checker
	after int64
	all   []Change
	last  [32]byte // the mac of the last one
}

// more appends the changes that a condition selects; limit 0 is all of them.
func (f *feed) more(ctx context.Context, where string, limit int64, args ...any) error {
	t := f.store.tables[changesTable]
	query := "SELECT " + names(append(t.columns[:len(t.columns):len(t.columns)], "rev", "mac")) +
		" FROM " + quoted(t.name) + " WHERE " + where + " ORDER BY " + names([]string{"rev", "seq"})
	if limit > 0 {
		query += fmt.Sprintf(" LIMIT %d", limit)
	}
	rows, err := f.tx.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	return eachRow(rows, t, f.check, func() Row {
		f.all = append(f.all, Change{})
		return &f.all[len(f.all)-1]
	}, f.accept)
}

// accept takes the change read last if it follows the one before.
func (f *feed) accept(r *reader) error {
	c := &f.all[len(f.all)-1]
	c.Rev, f.last = r.rev, r.mac
	before := Change{Rev: f.after}
	if len(f.all) > 1 {
		before = f.all[len(f.all)-2]
	}
	switch {
	case c.Rev == before.Rev && len(f.all) > 1 && c.Seq == before.Seq+1, c.Rev == before.Rev+1 && c.Seq == 0:
		return nil
	}
	return fault.New(fault.State, "changes are missing; load everything").
		Because(errors.New("table changes: " + RefTo(c).PK + " does not follow the change before it"))
}
