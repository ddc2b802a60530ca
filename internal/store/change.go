package store

import (
	"context"
	"database/sql"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/mojaloop/cpm/internal/fault"
)

// Entry says who changes what and why. It becomes part of the changes and so of the record.
type Entry struct {
	Action, Target, Actor, RequestID string
	At                               time.Time
	Record                           []byte
	// ExpectRevision is the revision the caller saw. If the store is at another one by now, the change is
	// fault.Conflict. 0 is any.
	ExpectRevision int64
}

// Commit is a change that is stored.
type Commit struct {
	Revision int64
	// Touched are the rows written or deleted, each once, in the order of the first touch.
	Touched []Ref
}

const (
	// maxAttempts bounds how often a transaction is tried that the database could not put in order with others.
	maxAttempts = 10
	// settleTime bounds the search for what became of a commit; it runs even if the caller has given up. A server that
	// only restarts is often back by then.
	settleTime = 5 * time.Second
)

// Change runs f in a transaction that has the next revision, stamps what f writes with it, adds the rows of the table
// changes and commits. If f fails, nothing is stored and its error is returned as it is.
//
// f runs again from the beginning if the database could not put the transaction in order with others, so it must have no
// effect but through Tx. One Change runs at a time: f must not begin another.
//
// Errors: fault.Conflict (ExpectRevision, a constraint), fault.State (a row failed its check), fault.Timeout,
// fault.Unavailable (not stored), fault.OutcomeUnknown (nobody knows; read again before trying again).
func (s *Store) Change(ctx context.Context, e Entry, f func(*Tx) error) (Commit, error) {
	mac, err := s.trusted()
	if err != nil {
		return Commit{}, err
	}
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-ctx.Done():
		return Commit{}, s.explain(ctx, ctx.Err())
	}
	for attempt := 1; ; attempt++ {
		c, err := s.attempt(ctx, mac, e, f)
		if err == nil || attempt == maxAttempts || s.dialect.judge(err) != transient {
			return c, s.explain(ctx, err)
		}
		if err := pause(ctx, attempt); err != nil {
			return Commit{}, s.explain(ctx, err)
		}
	}
}

func (s *Store) attempt(ctx context.Context, mac MAC, e Entry, f func(*Tx) error) (Commit, error) {
	inner, err := s.db.BeginTx(ctx, &sql.TxOptions{Isolation: s.dialect.writing})
	if err != nil {
		return Commit{}, err
	}
	tx := &Tx{store: s, inner: inner, ctx: ctx, check: &checker{mac: mac}, entry: e, statements: map[string]*sql.Stmt{}}
	defer func() { tx.end() }() // also when f panics
	if err := tx.begin(); err != nil {
		return Commit{}, err
	}
	if err := f(tx); err != nil {
		return Commit{}, err
	}
	if err := tx.finish(); err != nil {
		return Commit{}, err
	}
	if err := s.commit(ctx, tx); err != nil {
		return Commit{}, err
	}
	tx.committed = true
	return Commit{Revision: tx.revision, Touched: tx.touched}, nil
}

// commit commits, and finds out what happened if the answer does not say.
func (s *Store) commit(ctx context.Context, tx *Tx) error {
	err := tx.inner.Commit()
	if err == nil || errors.Is(err, sql.ErrTxDone) || s.dialect.judge(err) == transient {
		return err // ErrTxDone: the context ended and it was rolled back before
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.settleTime)
	defer cancel()
	stored, unsettled := s.settle(ctx, tx)
	switch {
	case unsettled != nil:
		return fault.New(fault.OutcomeUnknown, "the database did not say whether the change is stored; look before you try again").
			Because(errors.Join(err, unsettled))
	case stored:
		return nil
	default:
		return err
	}
}

// settle asks until there is an answer, or no more time.
func (s *Store) settle(ctx context.Context, tx *Tx) (stored bool, err error) {
	for attempt := 1; ; attempt++ {
		stored, err = s.stored(ctx, tx)
		if err == nil || pause(ctx, attempt) != nil {
			return stored, err
		}
	}
}

// stored says whether a transaction whose commit failed is there after all: whether its first row of the table changes
// is, by its mac, which covers revision, request id and all else. It takes the lock on the revision first, which waits
// for a commit that is still on its way.
func (s *Store) stored(ctx context.Context, tx *Tx) (bool, error) {
	probe, err := s.db.BeginTx(ctx, &sql.TxOptions{Isolation: s.dialect.writing})
	if err != nil {
		return false, err
	}
	defer func() { _ = probe.Rollback() }()
	if _, err := probe.ExecContext(ctx, `UPDATE "revision" SET "n" = "n"`); err != nil {
		return false, err
	}
	query := `SELECT "mac" FROM "changes" WHERE "rev" = ` + s.dialect.placeholder(1) + ` AND "seq" = 0`
	var mac [32]byte
	err = probe.QueryRowContext(ctx, query, tx.revision).Scan(&cell{&mac})
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return equal(mac, tx.proof), err
}

// pause waits a random time that grows with the attempts, so that those who collided do not meet again.
func pause(ctx context.Context, attempt int) error {
	longest := 5 * time.Millisecond << min(attempt, 6)
	t := time.NewTimer(rand.N(longest)) //nolint:gosec // chance, not secrecy
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
