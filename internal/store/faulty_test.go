package store_test

import (
	"context"
	"database/sql/driver"
	"path/filepath"
	"testing"

	"github.com/mojaloop/cpm/internal/store"
	"github.com/mojaloop/cpm/internal/store/storetest"
)

// faults makes a working driver fail at will. It wraps real connections: nothing else is made up.
type faults struct {
	driver.Connector

	// begin runs before a writing transaction begins; an error stands for it.
	begin func() error
	// commit decides what a commit does: whether the real one happens, and what is answered.
	commit func() (really bool, answer error)
}

func (f *faults) Connect(ctx context.Context) (driver.Conn, error) {
	c, err := f.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	return &faultyConn{c.(realConn), f}, nil
}

type realConn interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.QueryerContext
}

type faultyConn struct {
	realConn

	faults *faults
}

func (c *faultyConn) BeginTx(ctx context.Context, o driver.TxOptions) (driver.Tx, error) {
	if c.faults.begin != nil && !o.ReadOnly {
		if err := c.faults.begin(); err != nil {
			return nil, err
		}
	}
	tx, err := c.realConn.BeginTx(ctx, o)
	return &faultyTx{tx, c.faults}, err
}

type faultyTx struct {
	driver.Tx

	faults *faults
}

func (t *faultyTx) Commit() error {
	if t.faults.commit == nil {
		return t.Tx.Commit()
	}
	really, answer := t.faults.commit()
	if !really {
		_ = t.Rollback()
		return answer
	}
	if err := t.Tx.Commit(); err != nil {
		return err
	}
	return answer
}

// openFaulty gives a trusted store with one setting "before", at revision 1, and its faults, none of them on.
func openFaulty(t *testing.T) (*store.Store, *faults) {
	t.Helper()
	return openFaultyAt(t, store.Config{Driver: "sqlite", DSN: filepath.Join(t.TempDir(), "cpm.db")})
}

func openFaultyAt(t *testing.T, config store.Config) (*store.Store, *faults) {
	t.Helper()
	f := &faults{}
	s, err := store.OpenFaulty(t.Context(), config, func(c driver.Connector) driver.Connector {
		f.Connector = c
		return f
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	s.Trust(storetest.MAC("faults"))
	if _, err := s.Change(t.Context(), store.Entry{Action: "before"}, putSetting("before")); err != nil {
		t.Fatal(err)
	}
	return s, f
}

func putSetting(name string) func(*store.Tx) error {
	return func(tx *store.Tx) error { return tx.Put(&store.Setting{Name: name}) }
}
