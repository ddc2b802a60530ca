package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/mojaloop/cpm/internal/fault"
)

// revision is the one row that says how far the store is and what all rows add up to.
type revision struct {
	n    int64
	root sum
}

// querier is a transaction or a database.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// readRevision reads the revision row and verifies it. A transaction that has moved n on already says by how much.
func (s *Store) readRevision(ctx context.Context, q querier, c *checker, moved int64) (revision, error) {
	rows, err := q.QueryContext(ctx, `SELECT "n", "root", "mac" FROM "revision"`)
	if err != nil {
		return revision{}, err
	}
	defer func() { _ = rows.Close() }()
	var (
		n         int64
		root, mac []byte
	)
	if !rows.Next() {
		if err := rows.Err(); err != nil {
			return revision{}, err
		}
		return revision{}, damaged("table revision", errors.New("the row is not there"))
	}
	if err := rows.Scan(&cell{&n}, &cell{&root}, &cell{&mac}); err != nil {
		if errors.Is(err, errMisfit) {
			err = damaged("table revision", err)
		}
		return revision{}, err
	}
	return s.verifyRevision(c, n-moved, root, mac)
}

func (s *Store) verifyRevision(c *checker, n int64, root, mac []byte) (revision, error) {
	r := revision{n: n}
	if n == 0 && len(root) == 0 && len(mac) == 0 {
		return r, nil // empty since it was made; that the tables are, the root tells
	}
	if len(root) != 32 || len(mac) != 32 {
		return r, damaged("table revision", errMAC)
	}
	r.root = sumOf([32]byte(root))
	if !equal([32]byte(mac), c.revision(s.id, n, r.root)) {
		return r, damaged("table revision", errMAC)
	}
	return r, nil
}

// begin takes the next revision, which locks out other writers, and verifies the present one.
func (tx *Tx) begin() error {
	if _, err := tx.inner.ExecContext(tx.ctx, `UPDATE "revision" SET "n" = "n" + 1`); err != nil {
		return err
	}
	now, err := tx.store.readRevision(tx.ctx, tx.inner, tx.check, 1)
	if err != nil {
		return err
	}
	if e := tx.entry.ExpectRevision; e != 0 && e != now.n {
		return fault.New(fault.Conflict, "something was changed in between; look again, then repeat the change if it still fits").
			Because(fmt.Errorf("revision %d was expected, the store is at %d", e, now.n))
	}
	tx.revision, tx.root = now.n+1, now.root
	return nil
}

// finish writes the changes and the new root.
func (tx *Tx) finish() error {
	if tx.failed != nil {
		return tx.failed
	}
	if err := tx.writeChanges(); err != nil {
		return err
	}
	root := tx.root.bytes()
	mac := tx.check.revision(tx.store.id, tx.revision, tx.root)
	d := tx.store.dialect
	return tx.exec(`UPDATE "revision" SET `+assignments(d, []string{"root", "mac"}, ", ", 0), []any{root[:], mac[:]})
}

func (tx *Tx) writeChanges() error {
	t := tx.store.tables[changesTable]
	refs := tx.touched
	if len(refs) == 0 {
		refs = []Ref{{}}
	}
	e := tx.entry
	for i, r := range refs {
		c := Change{
			Rev: tx.revision, Seq: int64(i), Table: r.Table, PK: r.PK,
			Action: e.Action, Target: e.Target, Actor: e.Actor, RequestID: e.RequestID, At: Micros(e.At),
		}
		if i == 0 {
			c.Record = e.Record
		}
		fields := c.fields(nil)
		mac := tx.check.row(t, fields, tx.revision)
		if i == 0 {
			tx.proof = mac
		}
		if err := tx.exec(t.insert, values(fields, tx.revision, mac)); err != nil {
			return err
		}
	}
	return nil
}

// end rolls back what was not committed and tells those who asked.
func (tx *Tx) end() {
	if !tx.committed {
		_ = tx.inner.Rollback()
	}
	for _, f := range tx.atEnd {
		f(tx.committed)
	}
}
