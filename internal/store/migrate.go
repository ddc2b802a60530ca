package store

import (
	"context"
	"crypto/rand"
	"database/sql"
	"database/sql/driver"
	"embed"
	"errors"
	"io/fs"
	"strings"
	"time"

	"github.com/pressly/goose/v3"

	"github.com/mojaloop/cpm/internal/fault"
)

// prepare brings the schema up to date and reads the store's id. Of several processes that start on one database, one does
// it at a time.
func (s *Store) prepare(ctx context.Context, e engine, sources fs.FS) error {
	if s.dialect.lock != "" {
		session, err := s.db.Conn(ctx)
		if err != nil {
			return err
		}
		// The end of the session is the end of the lock, also if the context has ended or the server is not heard.
		defer func() { _ = session.Raw(func(any) error { return driver.ErrBadConn }) }()
		if err := s.takeLock(ctx, session); err != nil {
			return err
		}
		holding, release := context.WithCancel(ctx)
		released := make(chan struct{})
		go func() { defer close(released); s.holdLock(holding, session) }()
		defer func() { release(); <-released }()
	}
	if err := s.migrate(ctx, e, sources); err != nil {
		return err
	}
	return s.identify(ctx)
}

// lease is how long the lock is held by a process that is not heard of.
const lease = 30 * time.Second

// takeLock waits for the lock. Who holds it has to be heard of within the lease.
func (s *Store) takeLock(ctx context.Context, session *sql.Conn) error {
	if _, err := session.ExecContext(ctx, s.dialect.lease(int(s.lease/time.Second))); err != nil {
		return err
	}
	for {
		var taken sql.NullInt64
		if err := session.QueryRowContext(ctx, s.dialect.lock).Scan(&taken); err != nil {
			return err
		}
		if taken.Int64 == 1 {
			return nil
		}
		if err := pause(ctx, 1); err != nil {
			return err
		}
	}
}

// holdLock keeps the lock until ctx ends. If it cannot, another process migrates too, and finds what is there already.
func (s *Store) holdLock(ctx context.Context, session *sql.Conn) {
	tick := time.NewTicker(s.lease / 3)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			_, _ = session.ExecContext(ctx, "SELECT 1")
		}
	}
}

// migrate brings the schema up to date. Without a lock the processes that come second fail on a table that is there
// already and look again.
func (s *Store) migrate(ctx context.Context, e engine, sources fs.FS) error {
	p, err := goose.NewProvider(e.migrations, s.db, typed{sources, strings.NewReplacer(e.types...)},
		goose.WithTableName("migrations"), goose.WithDisableGlobalRegistry(true), goose.WithLogger(goose.NopLogger()))
	if err != nil {
		return err
	}
	for attempt := 1; ; attempt++ {
		err := migrateOnce(ctx, p)
		if err == nil || errors.Is(err, fault.State) || attempt == maxAttempts {
			return err
		}
		if err := pause(ctx, attempt); err != nil {
			return err
		}
	}
}

func migrateOnce(ctx context.Context, p *goose.Provider) error {
	current, known, err := p.GetVersions(ctx)
	if err != nil {
		return err
	}
	if current > known {
		return fault.New(fault.State, "the database has schema %d and this program knows %d; use the newer program, "+
			"or restore a backup made before the upgrade", current, known)
	}
	_, err = p.Up(ctx)
	return err
}

// identify reads the store's id and gives it one the first time.
func (s *Store) identify(ctx context.Context) error {
	var id []byte
	const query = `SELECT "id" FROM "store"`
	err := s.db.QueryRowContext(ctx, query).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		fresh := make([]byte, len(s.id))
		_, _ = rand.Read(fresh) // never fails
		insert := `INSERT INTO "store" ("one", "id") VALUES (1, ` + s.dialect.placeholder(1) + ")"
		_, insertErr := s.db.ExecContext(ctx, insert, fresh)
		// Another process may have been faster; then its id counts.
		if err = s.db.QueryRowContext(ctx, query).Scan(&id); err != nil {
			return errors.Join(insertErr, err)
		}
	}
	if err != nil {
		return err
	}
	if len(id) != len(s.id) {
		return damaged("table store", errors.New("the id has the wrong length"))
	}
	copy(s.id[:], id)
	return nil
}

//go:embed migrations/*.sql
var migrations embed.FS

// typed shows SQL files with the types of one engine put in.
type typed struct {
	fs.FS

	types *strings.Replacer
}

// Open implements fs.FS.
func (t typed) Open(name string) (fs.File, error) {
	f, err := t.FS.Open(name)
	if err != nil || !strings.HasSuffix(name, ".sql") {
		return f, err
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	text, err := fs.ReadFile(t.FS, name)
	if err != nil {
		return nil, err
	}
	return &typedFile{strings.NewReader(t.types.Replace(string(text))), info}, nil
}

type typedFile struct {
	*strings.Reader

	info fs.FileInfo
}

// Stat implements fs.File. The size is that of the text before the types were put in.
func (f *typedFile) Stat() (fs.FileInfo, error) { return f.info, nil }

// Close implements fs.File.
func (f *typedFile) Close() error { return nil }
