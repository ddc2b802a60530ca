package core

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/obs"
	"github.com/mojaloop/cpm/internal/store"
)

// What bounds the look at the database.
const (
	// pollTimeout bounds one look: a database that is slower counts as one that does not answer.
	pollTimeout = 2 * time.Second
	// awayTimeout bounds the look of a change while the last look at the database was in vain.
	awayTimeout = 500 * time.Millisecond
	// loadTimeout bounds reading everything.
	loadTimeout = 30 * time.Second
	// behindInterval is the pause when the database answers and memory cannot follow it, which costs more to try.
	behindInterval = time.Second
)

// Follow keeps memory in step with the database until ctx ends: it looks for changes of any process every
// Settings.FollowInterval, reads the rows they name, swaps the snapshot and takes keys that became unusable out of the
// adapters. When changes are missing it reads everything. It goes on by itself after every failure, so memory also
// recovers from a change whose outcome was not known.
//
// While it fails the present snapshot serves, up to Settings.MaxStaleness after memory and database were last known to
// agree; then operations are declined. Administration is declined while the database does not answer.
func (c *Core) Follow(ctx context.Context) {
	defer c.leave(ctx)
	var said testimony
	for {
		look, cancel := context.WithTimeout(ctx, pollTimeout)
		err := c.poll(ctx, look)
		cancel()
		if ctx.Err() != nil {
			return
		}
		c.noteAgreement(ctx, err)
		if err == nil {
			said = c.testify(ctx, said)
		}
		pause := c.snapshot.Load().Settings.FollowInterval
		if err != nil && !unreachable(err) {
			pause = max(pause, behindInterval)
		}
		if !sleep(ctx, jittered(pause)) {
			return
		}
	}
}

// jittered keeps replicas that were started together from asking together.
func jittered(d time.Duration) time.Duration {
	return d*4/5 + rand.N(max(d*2/5, 1)) //nolint:gosec // chance, not secrecy
}

func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// unreachable says whether an error means that the database did not answer.
func unreachable(err error) bool {
	return errors.Is(err, fault.Unavailable) || errors.Is(err, fault.Timeout)
}

// errDatabase marks what went wrong with the database, as opposed to an adapter that could not be started.
type errDatabase struct{ error }

// Unwrap gives what went wrong.
func (e errDatabase) Unwrap() error { return e.error }

func isDatabase(err error) bool {
	_, ok := errors.AsType[errDatabase](err)
	return ok
}

// poll looks once. look bounds the database's answers, ctx what follows from them.
func (c *Core) poll(ctx, look context.Context) error {
	began, at := time.Now(), c.snapshot.Load().Position
	same, err := c.config.Store.At(look, at)
	if err != nil {
		return errDatabase{err}
	}
	if !same {
		return c.catchUp(ctx)
	}
	c.agreement.confirm(began)
	return nil
}

// catchUp brings memory to what is stored now. Old adapters end beside it: their last requests must not hold up the next
// look.
func (c *Core) catchUp(ctx context.Context) error {
	c.changing.Lock()
	defer c.changing.Unlock()
	// A change may have taken its time, to reach an adapter for example; the database is not to blame for it.
	look, cancel := context.WithTimeout(ctx, pollTimeout)
	defer cancel()
	if c.ended {
		return nil
	}
	before := c.snapshot.Load()
	next, err := c.agree(ctx, look, before)
	if err != nil || next == before {
		return err
	}
	c.retire(ctx, before, next)
	c.log.LogAttrs(ctx, slog.LevelInfo, "followed what was changed in the database", obs.Event("replica.followed"),
		slog.Int64("from", before.Revision), slog.Int64("revision", next.Revision))
	return nil
}

// agree reads what happened since before and makes it the snapshot. Its caller holds changing, and retires what is no
// longer needed. If nothing happened it gives before.
func (c *Core) agree(ctx, look context.Context, before *Snapshot) (*Snapshot, error) {
	began := time.Now()
	news, err := c.config.Store.News(look, before.Position)
	var next *Snapshot
	switch {
	case errors.Is(err, fault.State):
		next, err = c.reload(ctx, before)
	case err != nil:
		return nil, errDatabase{err}
	case news.State.Revision == before.Revision:
		next = before
	default:
		next, err = c.adopt(ctx, before, news)
	}
	if err != nil {
		return nil, err
	}
	c.agreement.confirm(began)
	return next, nil
}

// reload reads everything and makes it the snapshot.
func (c *Core) reload(ctx context.Context, before *Snapshot) (*Snapshot, error) {
	began := time.Now()
	next, state, err := c.rebuild(ctx, before)
	if err != nil {
		return nil, err
	}
	c.snapshot.Store(next)
	c.agreement.confirm(began)
	c.dropUnusable(ctx, next, state)
	return next, nil
}

// rebuild reads everything and makes a snapshot of it, with its adapters running. It is not in use yet.
func (c *Core) rebuild(ctx context.Context, before *Snapshot) (*Snapshot, *store.State, error) {
	look, cancel := context.WithTimeout(ctx, loadTimeout)
	defer cancel()
	state, err := c.config.Store.Load(look)
	if err != nil {
		return nil, nil, errDatabase{err}
	}
	if err := c.config.Ring.Load(state.KEKs); err != nil {
		return nil, nil, err
	}
	next, err := c.build(ctx, state, before)
	return next, state, err
}

// adopt makes the rows that were touched part of the snapshot. Keys do not wait for the rest: a deleted key leaves memory
// also when an adapter takes its time to start, or when the rest cannot be followed at all.
func (c *Core) adopt(ctx context.Context, before *Snapshot, news *store.News) (*Snapshot, error) {
	fresh := news.State
	if err := c.config.Ring.Load(fresh.KEKs); err != nil {
		return nil, err
	}
	next, err := before.patched(fresh, news.Gone)
	if err != nil || len(fresh.Adapters)+len(fresh.Endpoints) > 0 {
		c.adoptKeys(ctx, before, fresh)
	}
	if err != nil {
		return nil, err
	}
	if err := c.startAdapters(ctx, next, before); err != nil {
		return nil, err
	}
	c.snapshot.Store(next)
	c.dropUnusable(ctx, next, fresh)
	return next, nil
}

// adoptKeys takes over the keys alone. The position stays: the rest has yet to be followed.
func (c *Core) adoptKeys(ctx context.Context, before *Snapshot, fresh *store.State) {
	if len(fresh.Series)+len(fresh.Objects) == 0 {
		return
	}
	early := *before
	early.Keys = before.Keys.With(fresh.Series, fresh.Objects)
	c.snapshot.Store(&early)
	c.dropUnusable(ctx, &early, fresh)
}
