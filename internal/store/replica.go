package store

import (
	"context"
	"time"
)

const replicasTable = "replicas"

// Replica is a process that follows the database, and how far it says it has come: requests it takes are judged by that
// revision or a later one. Whoever holds the database but not the keys of the macs cannot say so in its place.
type Replica struct {
	Name string
	// At is when it said so, by its own clock.
	At       int64
	Revision int64
}

func (*Replica) table() string { return replicasTable }

func (*Replica) columns() (int, []string) { return 1, []string{"name", "at"} }

func (r *Replica) fields(d []any) []any { return append(d, &r.Name, &r.At) }

// Confirm stores how far a process has come, and forgets those that have said nothing since a time.
func (s *Store) Confirm(ctx context.Context, r Replica, since time.Time) error {
	mac, err := s.trusted()
	if err != nil {
		return err
	}
	t := s.tables[replicasTable]
	fields := r.fields(nil)
	stamp := []any{r.Revision, (&checker{mac: mac}).row(t, fields, r.Revision)}
	// The row is never gone for a moment: who looks then would not wait for this process.
	done, err := s.db.ExecContext(ctx, t.update, append(values(fields[t.key:], stamp...), r.Name)...)
	if err != nil {
		return s.explain(ctx, err)
	}
	if n, err := done.RowsAffected(); err == nil && n == 0 {
		if _, err := s.db.ExecContext(ctx, t.insert, values(fields, stamp...)...); err != nil {
			return s.explain(ctx, err)
		}
	}
	_, err = s.db.ExecContext(ctx, "DELETE FROM "+quoted(t.name)+` WHERE "at" < `+s.dialect.placeholder(1), Micros(since))
	return s.explain(ctx, err)
}

// Leave forgets a process that ends.
func (s *Store) Leave(ctx context.Context, name string) error {
	t := s.tables[replicasTable]
	_, err := s.db.ExecContext(ctx, t.remove, name)
	return s.explain(ctx, err)
}

// Replicas lists the processes that follow the database, by name. A row that is not as its process wrote it is
// fault.State.
func (s *Store) Replicas(ctx context.Context) ([]Replica, error) {
	mac, err := s.trusted()
	if err != nil {
		return nil, err
	}
	t := s.tables[replicasTable]
	rows, err := s.db.QueryContext(ctx, t.selectAll)
	if err != nil {
		return nil, s.explain(ctx, err)
	}
	var all []Replica
	err = eachRow(rows, t, &checker{mac: mac}, func() Row {
		all = append(all, Replica{})
		return &all[len(all)-1]
	}, func(r *reader) error {
		all[len(all)-1].Revision = r.rev
		return nil
	})
	if err != nil {
		return nil, s.explain(ctx, err)
	}
	return all, nil
}
