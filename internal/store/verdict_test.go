package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"testing"

	"github.com/mojaloop/cpm/internal/fault"
)

// JudgeOnServer compares what errors of a server mean with what this package takes them for. The errors are the server's
// own.
func JudgeOnServer(t *testing.T, config Config) {
	t.Helper()
	e, err := engineNamed(config.Driver)
	if err != nil {
		t.Fatal(err)
	}
	c, err := e.connect(config.DSN)
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(c)
	defer func() { _ = db.Close() }()
	j := judged{t: t, db: db, engine: e}
	j.exec(t.Context(), `CREATE TABLE parent (a BIGINT PRIMARY KEY, b VARCHAR(3), CHECK (a < 100))`)
	j.exec(t.Context(), `CREATE TABLE child (a BIGINT PRIMARY KEY, FOREIGN KEY (a) REFERENCES parent (a))`)
	j.exec(t.Context(), `INSERT INTO parent VALUES (1, 'x'), (2, 'y')`)
	j.exec(t.Context(), `INSERT INTO child VALUES (1)`)
	for statement, want := range map[string]verdict{
		`INSERT INTO parent VALUES (1, 'x')`:    contradiction,
		`INSERT INTO parent VALUES (100, 'x')`:  contradiction,
		`INSERT INTO parent VALUES (NULL, 'x')`: contradiction,
		`INSERT INTO child VALUES (7)`:          contradiction,
		`DELETE FROM parent WHERE a = 1`:        contradiction,
		`INSERT INTO parent VALUES (3, 'long')`: unfit,
		`SELECT nonsense`:                       broken,
	} {
		_, err := db.ExecContext(t.Context(), statement)
		j.is(statement, err, want)
	}
	j.is("no error of the server", driver.ErrBadConn, broken)
	j.locked()
	j.deadlocked()
}

type judged struct {
	t      *testing.T
	db     *sql.DB
	engine engine
}

func (j judged) is(what string, err error, want verdict) {
	j.t.Helper()
	wrapped := fault.New(fault.Unavailable, "x").Because(fmt.Errorf("y: %w", err))
	if err == nil || j.engine.judge(err) != want || j.engine.judge(wrapped) != want {
		j.t.Errorf("%s: %v is judged %d, want %d", what, err, j.engine.judge(err), want)
	}
}

func (j judged) exec(ctx context.Context, statement string) {
	j.t.Helper()
	if _, err := j.db.ExecContext(ctx, statement); err != nil {
		j.t.Fatalf("%s: %v", statement, err)
	}
}

func (j judged) begin() *sql.Tx {
	j.t.Helper()
	tx, err := j.db.BeginTx(j.t.Context(), nil)
	if err != nil {
		j.t.Fatal(err)
	}
	return tx
}

// locked asks for a row that another transaction holds, without waiting.
func (j judged) locked() {
	one, two := j.begin(), j.begin()
	defer func() { _ = errors.Join(one.Rollback(), two.Rollback()) }()
	if _, err := one.ExecContext(j.t.Context(), `UPDATE parent SET b = 'z' WHERE a = 1`); err != nil {
		j.t.Fatal(err)
	}
	_, err := two.ExecContext(j.t.Context(), `SELECT a FROM parent WHERE a = 1 FOR UPDATE NOWAIT`)
	j.is("NOWAIT", err, transient)
}

// deadlocked has two transactions each wait for what the other holds, until the server refuses one.
func (j judged) deadlocked() {
	one, two := j.begin(), j.begin()
	defer func() { _ = errors.Join(one.Rollback(), two.Rollback()) }()
	update := func(tx *sql.Tx, row int) error {
		_, err := tx.ExecContext(j.t.Context(), fmt.Sprintf(`UPDATE parent SET b = 'z' WHERE a = %d`, row))
		return err
	}
	if err := errors.Join(update(one, 1), update(two, 2)); err != nil {
		j.t.Fatal(err)
	}
	other := make(chan error, 1)
	go func() {
		err := update(one, 2)
		_ = one.Rollback() // lets the other go on, if this one is refused
		other <- err
	}()
	err := update(two, 1)
	_ = two.Rollback()
	if first := <-other; err == nil {
		err = first
	}
	j.is("deadlock", err, transient)
}
