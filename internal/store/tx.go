package store

import (
	"context"
	"database/sql"
	"errors"

	"github.com/mojaloop/cpm/internal/fault"
)

// Tx is the transaction of one Change. It serves one goroutine and ends with the function it was given to. After an
// error of the database or of a check it stores nothing, even if the function goes on.
type Tx struct {
	store      *Store
	inner      *sql.Tx
	ctx        context.Context
	check      *checker
	entry      Entry
	statements map[string]*sql.Stmt

	revision int64
	root     sum
	touched  []Ref
	seen     map[Ref]bool
	// proof is the mac of the first row of the table changes.
	proof     [32]byte
	failed    error
	atEnd     []func(committed bool)
	committed bool
}

// Put inserts the row, or updates it if its primary key is there.
func (tx *Tx) Put(row Row) error {
	t, err := tx.store.tableOf(row)
	if err != nil {
		return err
	}
	return tx.keep(tx.put(t, row))
}

func (tx *Tx) put(t *table, row Row) error {
	fields := row.fields(nil)
	was, there, err := tx.macOf(t, fields)
	if err != nil {
		return err
	}
	mac := tx.check.row(t, fields, tx.revision)
	if there {
		tx.root.subtract(tx.check.share(t, fields, was))
		err = tx.exec(t.update, append(values(fields[t.key:], tx.revision, mac), values(fields[:t.key])...))
	} else {
		err = tx.exec(t.insert, values(fields, tx.revision, mac))
	}
	if err != nil {
		return err
	}
	tx.root.add(tx.check.share(t, fields, mac))
	tx.touch(RefTo(row))
	return nil
}

// Delete deletes the row with the primary key of the one given. fault.NotFound if there is none.
func (tx *Tx) Delete(row Row) error {
	t, err := tx.store.tableOf(row)
	if err != nil {
		return err
	}
	fields := row.fields(nil)
	mac, there, err := tx.macOf(t, fields)
	if err != nil {
		return tx.keep(err)
	}
	if !there {
		return fault.New(fault.NotFound, "there is no such entry")
	}
	if err := tx.exec(t.remove, values(fields[:t.key])); err != nil {
		return tx.keep(err)
	}
	tx.root.subtract(tx.check.share(t, fields, mac))
	tx.touch(RefTo(row))
	return nil
}

// Get fills the row with its primary key from the database, verified, and says whether it is there.
func (tx *Tx) Get(row Row) (bool, error) {
	t, err := tx.store.tableOf(row)
	if err != nil {
		return false, err
	}
	rows, err := tx.query(t.selectOne, values(row.fields(nil)[:t.key]))
	if err != nil {
		return false, tx.keep(err)
	}
	found := false
	err = eachRow(rows, t, tx.check, func() Row { return row }, func(*reader) error { found = true; return nil })
	return found && err == nil, tx.keep(err)
}

// Objects reads the versions of a series, the oldest first.
func (tx *Tx) Objects(series [16]byte) ([]Object, error) {
	return selectBy[Object](tx, []string{"series"}, "version", series[:])
}

// SeriesNamed finds a series by its space and name; nil if there is none.
func (tx *Tx) SeriesNamed(space, name string) (*Series, error) {
	all, err := selectBy[Series](tx, []string{"space", "name"}, "id", space, name)
	if err != nil || len(all) == 0 {
		return nil, err
	}
	return &all[0], nil
}

// KEKs reads the key-encryption keys of a space, the oldest first.
func (tx *Tx) KEKs(space string) ([]KEK, error) {
	return selectBy[KEK](tx, []string{"space"}, "version", space)
}

// Revision is the revision this transaction will have.
func (tx *Tx) Revision() int64 { return tx.revision }

// At is the time of the Entry, as Micros gives it.
func (tx *Tx) At() int64 { return Micros(tx.entry.At) }

// AtEnd has f called once when the transaction is over: after a commit that is certain, or after everything else. For
// what is kept outside of the database and must not outlive a transaction that did not. f must not begin a Change.
func (tx *Tx) AtEnd(f func(committed bool)) { tx.atEnd = append(tx.atEnd, f) }

// selectBy reads the rows of a table whose columns have the values given.
func selectBy[T any, P pointer[T]](tx *Tx, columns []string, order string, args ...any) ([]T, error) {
	t, err := tx.store.tableOf(P(new(T)))
	if err != nil {
		return nil, err
	}
	rows, err := tx.query(t.selectBy(tx.store.dialect, columns, order), args)
	if err != nil {
		return nil, tx.keep(err)
	}
	var all []T
	err = eachRow(rows, t, tx.check, in[T, P](&all).next, func(*reader) error { return nil })
	if err != nil {
		return nil, tx.keep(err)
	}
	return all, nil
}

// macOf reads the mac of the row that is there now.
func (tx *Tx) macOf(t *table, fields []any) (mac [32]byte, there bool, err error) {
	stmt, err := tx.prepared(t.selectMAC)
	if err != nil {
		return mac, false, err
	}
	err = stmt.QueryRowContext(tx.ctx, values(fields[:t.key])...).Scan(&cell{&mac})
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return mac, false, nil
	case errors.Is(err, errMisfit):
		return mac, false, damaged("table "+t.name, err)
	}
	return mac, err == nil, err
}

func (tx *Tx) exec(query string, args []any) error {
	stmt, err := tx.prepared(query)
	if err != nil {
		return err
	}
	_, err = stmt.ExecContext(tx.ctx, args...)
	return err
}

func (tx *Tx) query(query string, args []any) (*sql.Rows, error) {
	stmt, err := tx.prepared(query)
	if err != nil {
		return nil, err
	}
	return stmt.QueryContext(tx.ctx, args...)
}

func (tx *Tx) prepared(query string) (*sql.Stmt, error) {
	if stmt := tx.statements[query]; stmt != nil {
		return stmt, nil
	}
	stmt, err := tx.inner.PrepareContext(tx.ctx, query)
	if err == nil {
		tx.statements[query] = stmt
	}
	return stmt, err
}

// keep remembers an error, so that the transaction cannot be committed any more.
func (tx *Tx) keep(err error) error {
	err = tx.store.explain(tx.ctx, err)
	if tx.failed == nil {
		tx.failed = err
	}
	return err
}

func (tx *Tx) touch(r Ref) {
	if tx.seen[r] {
		return
	}
	if tx.seen == nil {
		tx.seen = map[Ref]bool{}
	}
	tx.seen[r] = true
	tx.touched = append(tx.touched, r)
}

// values are the arguments for fields, and rev and mac if given.
func values(fields []any, stamp ...any) []any {
	all := make([]any, 0, len(fields)+2)
	for _, f := range fields {
		all = append(all, value(f))
	}
	for _, s := range stamp {
		if mac, ok := s.([32]byte); ok {
			s = mac[:]
		}
		all = append(all, s)
	}
	return all
}
