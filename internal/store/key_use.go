package store

import (
	"context"
	"database/sql"
	"errors"
)

const keyUsesTable = "key_uses"

// keyUse says how many uses of a key version its CPMs have taken out. It is written without a change of anything else, and like
// replicas does not count in the root.
type keyUse struct {
	id   [16]byte
	used int64
}

func (*keyUse) table() string { return keyUsesTable }

func (*keyUse) columns() (int, []string) { return 1, []string{"id", "used"} }

func (r *keyUse) fields(d []any) []any { return append(d, &r.id, &r.used) }

// TakeUses takes up to n uses of a key version out of its limit, for one process. It tells how many it took, which is none when
// all are taken, and how many all processes have taken together. What it took and cannot tell of, because the answer was
// lost, is used up.
func (s *Store) TakeUses(ctx context.Context, id [16]byte, n, limit int64) (took, used int64, err error) {
	mac, err := s.trusted()
	if err != nil {
		return 0, 0, err
	}
	for attempt := 1; ; attempt++ {
		was, there, err := s.keyUse(ctx, &checker{mac: mac}, id)
		if err != nil {
			return 0, 0, err
		}
		took = max(0, min(n, limit-was.used))
		if took == 0 {
			return 0, was.used, nil
		}
		now := keyUse{id, was.used + took}
		done, err := s.putKeyUse(ctx, &checker{mac: mac}, was, now, there)
		if done || err != nil {
			return took, now.used, err
		}
		if err := pause(ctx, attempt); err != nil { // another process was faster
			return 0, 0, s.explain(ctx, err)
		}
	}
}

// Uses is how many uses of a key version all processes have taken.
func (s *Store) Uses(ctx context.Context, id [16]byte) (int64, error) {
	mac, err := s.trusted()
	if err != nil {
		return 0, err
	}
	row, _, err := s.keyUse(ctx, &checker{mac: mac}, id)
	return row.used, err
}

func (s *Store) keyUse(ctx context.Context, c *checker, id [16]byte) (row keyUse, there bool, err error) {
	t := s.tables[keyUsesTable]
	row.id = id
	rows, err := s.db.QueryContext(ctx, t.selectOne, values(row.fields(nil)[:t.key])...)
	if err != nil {
		return row, false, s.explain(ctx, err)
	}
	err = eachRow(rows, t, c, func() Row { return &row }, func(*reader) error { there = true; return nil })
	if err == nil && row.used < 0 {
		err = damaged("table "+t.name, errors.New("a count is negative"))
	}
	return row, there, s.explain(ctx, err)
}

// putKeyUse writes a row in the place of the one that was read, unless that is not there any more.
func (s *Store) putKeyUse(ctx context.Context, c *checker, was, now keyUse, there bool) (done bool, err error) {
	t := s.tables[keyUsesTable]
	fields := now.fields(nil)
	stamp := []any{int64(0), c.row(t, fields, 0)}
	var result sql.Result
	if there {
		result, err = s.db.ExecContext(ctx, t.update+` AND "used" = `+s.dialect.placeholder(len(t.columns)+3),
			append(values(fields[t.key:], stamp...), now.id[:], was.used)...)
	} else {
		result, err = s.db.ExecContext(ctx, t.insert, values(fields, stamp...)...)
	}
	if err != nil {
		if v := s.dialect.judge(err); ctx.Err() == nil && (v == transient || v == contradiction && !there) {
			return false, nil // nothing was written, and the next attempt may succeed
		}
		return false, s.explain(ctx, err)
	}
	n, err := result.RowsAffected()
	return n == 1, s.explain(ctx, err)
}
