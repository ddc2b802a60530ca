// Package store keeps the configuration, the keys and the record of every change in a SQL database: SQLite for one
// process, PostgreSQL or MariaDB for several.
//
// Nothing in the database is believed. Every row of a secured table ends in the revision that wrote it and a mac over all
// its columns, and the revision row holds a keyed sum over all live rows (the root), so that a row that was altered,
// added, removed or put back from an older copy is found. The keys of the macs are handed in (Trust): the store never
// sees the root key, and before it has a MAC it answers fault.Sealed.
//
// Every write is a Change: it takes the next revision first, which puts the writers of all replicas in one order without
// gaps, and leaves rows in the table changes that say who touched what and why. A whole old copy of the database is
// consistent in itself; what finds it is a copy of revision and root elsewhere, which is the audit log's task.
package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io/fs"
	"sync/atomic"
	"time"

	"github.com/mojaloop/cpm/internal/fault"
)

// Config says where the database is.
type Config struct {
	// Driver is the engine: "sqlite", "postgres", or "mysql" for MariaDB.
	Driver string
	// DSN is the data source name: for SQLite the path of the database file; for PostgreSQL a URL or key=value words; for
	// MariaDB user:password@tcp(host:port)/database. It also says how TLS is used.
	DSN string
}

// Store is an open database. It is safe for concurrent use.
type Store struct {
	db      *sql.DB
	dialect dialect
	tables  map[string]*table
	id      [16]byte
	mac     atomic.Pointer[MAC]
	// turn lets the writers of this process wait here, in order, instead of polling for the database's lock.
	turn       chan struct{}
	settleTime time.Duration
	lease      time.Duration
}

// Open opens the database and brings its schema up to date. A schema newer than this program is fault.State.
func Open(ctx context.Context, c Config) (*Store, error) {
	e, err := engineNamed(c.Driver)
	if err != nil {
		return nil, err
	}
	connector, err := e.connect(c.DSN)
	if err != nil {
		return nil, err
	}
	return open(ctx, e, connector, migrations)
}

func open(ctx context.Context, e engine, connector driver.Connector, migrations fs.FS) (*Store, error) {
	sub, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, err
	}
	s := &Store{
		db: sql.OpenDB(connector), dialect: e.dialect, tables: tables(e.dialect), turn: make(chan struct{}, 1), settleTime: settleTime,
		lease: lease,
	}
	s.db.SetMaxOpenConns(e.connections)
	s.db.SetMaxIdleConns(e.connections)
	s.db.SetConnMaxLifetime(e.lifetime)
	if err := s.prepare(ctx, e, sub); err != nil {
		_ = s.db.Close()
		return nil, s.explain(ctx, err)
	}
	return s, nil
}

// Close closes the database. What is in progress is waited for or fails.
func (s *Store) Close() error { return s.db.Close() }

// ID is the store's own id, made when the database was. It binds sealed keys to this store.
func (s *Store) ID() [16]byte { return s.id }

// Trust hands in the keyed hash that makes and checks macs. Until then only ID, Ping and RootTerms work, and everything
// else is fault.Sealed. The MAC handed in last counts.
func (s *Store) Trust(mac MAC) { s.mac.Store(&mac) }

func (s *Store) trusted() (MAC, error) {
	if mac := s.mac.Load(); mac != nil {
		return *mac, nil
	}
	return nil, fault.New(fault.Sealed, "the store is sealed")
}

// Ping says whether the database answers. It verifies nothing.
func (s *Store) Ping(ctx context.Context) error {
	var n int64
	if err := s.db.QueryRowContext(ctx, `SELECT "n" FROM "revision"`).Scan(&n); err != nil {
		return s.explain(ctx, err)
	}
	return nil
}

// RootTerms reads the sealed root terms. They are not verified, as the keys to do so come out of them: whoever unseals
// them finds out by that, and Load verifies the rows afterwards.
func (s *Store) RootTerms(ctx context.Context) ([]RootTerm, error) {
	t := s.tables[(&RootTerm{}).table()]
	rows, err := s.db.QueryContext(ctx, "SELECT "+names(t.columns)+" FROM "+quoted(t.name)+" ORDER BY "+names(t.columns[:t.key]))
	if err != nil {
		return nil, s.explain(ctx, err)
	}
	defer func() { _ = rows.Close() }()
	var all []RootTerm
	for rows.Next() {
		var r RootTerm
		var dest []any
		for _, f := range r.fields(nil) {
			dest = append(dest, &cell{f})
		}
		if err := rows.Scan(dest...); err != nil {
			return nil, damaged("table "+t.name, err)
		}
		all = append(all, r)
	}
	if err := rows.Err(); err != nil {
		return nil, s.explain(ctx, err)
	}
	return all, nil
}

// explain makes a fault of a driver's error. What is a fault already stays as it is.
func (s *Store) explain(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*fault.Error](err); ok {
		return err
	}
	if ctx.Err() != nil || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return fault.New(fault.Timeout, "the database did not answer in time").Because(err)
	}
	switch s.dialect.judge(err) {
	case transient:
		return fault.New(fault.Unavailable, "the database is busy; try again").After(time.Second).Because(err)
	case contradiction:
		return fault.New(fault.Conflict, "the change contradicts what is stored: a name is taken, or a row it refers to is not there").Because(err)
	case unfit:
		return fault.New(fault.Invalid, "a value is too long, or holds a character that the database cannot store").Because(err)
	default:
		return fault.New(fault.Unavailable, "the database is not available").Because(err)
	}
}
