package core

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/obs"
)

// agreement is when memory and database were last known to agree. It goes by the monotonic clock: setting the time of day
// makes nothing older or younger.
type agreement struct {
	born      time.Time
	confirmed atomic.Int64 // nanoseconds after born
	failures  atomic.Uint64
	// away is set while the database does not answer.
	away atomic.Bool

	// Only Follow uses what follows: what it has logged already.
	trouble string
	since   time.Time
	stale   bool
}

// confirm notes that memory is what was stored at a time.
func (a *agreement) confirm(at time.Time) {
	for {
		was, now := a.confirmed.Load(), int64(at.Sub(a.born))
		if now <= was || a.confirmed.CompareAndSwap(was, now) {
			a.away.Store(false)
			return
		}
	}
}

// age is how long ago that was.
func (a *agreement) age() time.Duration {
	return time.Since(a.born) - time.Duration(a.confirmed.Load())
}

// fresh declines operations once the snapshot is too old to be trusted.
func (c *Core) fresh(s *Snapshot) error {
	if c.agreement.age() <= s.Settings.MaxStaleness {
		return nil
	}
	return fault.New(fault.Unavailable, "this CPM could not follow its database for longer than maxStaleness allows; "+
		"it accepts requests again when it can").After(time.Second)
}

// Fresh is nil while requests may be judged by the present snapshot, and else the decline they get.
func (c *Core) Fresh() error { return c.fresh(c.snapshot.Load()) }

// Agreement tells how far memory follows the database.
func (c *Core) Agreement() obs.Agreement {
	return obs.Agreement{Age: c.agreement.age(), Failures: c.agreement.failures.Load(), Reachable: !c.agreement.away.Load()}
}

// administrable declines administration while the database does not answer: nothing could be stored. It looks for itself, as one
// look that was too slow says little, and the next may be a minute away; but not for long while the database is away.
func (c *Core) administrable(ctx context.Context) error {
	patience := pollTimeout
	if c.agreement.away.Load() {
		patience = awayTimeout
	}
	look, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	_, err := c.config.Store.At(look, c.snapshot.Load().Position)
	if err == nil || !unreachable(err) {
		return err
	}
	if ctx.Err() == nil { // whoever broke off says nothing about the database
		c.agreement.away.Store(true) // until the next look finds it
	}
	return fault.New(fault.Unavailable, "the database does not answer; nothing can be changed or read again until it does").
		After(time.Second).Because(err)
}

// The troubles of following, as events.
const (
	troubleAway   = "database.unreachable"
	troubleBehind = "replica.behind"
)

// noteAgreement counts and logs what came of a look; what lasts is logged once.
func (c *Core) noteAgreement(ctx context.Context, err error) {
	switch {
	case err == nil:
		c.noteBack(ctx)
	case isDatabase(err) && unreachable(err):
		c.agreement.away.Store(true)
		if c.agreement.newTrouble(troubleAway) {
			c.log.LogAttrs(ctx, slog.LevelError, "the database does not answer; operations go on with what is in memory, nothing can be changed",
				c.trouble(troubleAway, err)...)
		}
	default:
		if c.agreement.newTrouble(troubleBehind) {
			c.log.LogAttrs(ctx, slog.LevelError, "this CPM cannot follow what was changed in the database; what is in memory stays",
				c.trouble(troubleBehind, err)...)
		}
	}
	c.noteStale(ctx)
}

// newTrouble counts a failure and says whether it is not the one before.
func (a *agreement) newTrouble(event string) bool {
	a.failures.Add(1)
	if a.trouble == "" {
		a.since = time.Now()
	}
	fresh := a.trouble != event
	a.trouble = event
	return fresh
}

func (c *Core) trouble(event string, err error) []slog.Attr {
	s := c.snapshot.Load()
	return []slog.Attr{
		obs.Event(event), slog.Int64("revision", s.Revision),
		slog.Duration("maxStaleness", s.Settings.MaxStaleness), obs.Err(err),
	}
}

func (c *Core) noteStale(ctx context.Context) {
	stale := c.Fresh() != nil
	if stale && !c.agreement.stale {
		c.log.LogAttrs(ctx, slog.LevelError, "what is in memory is too old; operations are declined until the database can be followed",
			obs.Event("replica.stale"), obs.Duration(c.agreement.age()))
	}
	c.agreement.stale = stale
}

func (c *Core) noteBack(ctx context.Context) {
	a := &c.agreement
	if a.trouble == "" {
		return
	}
	a.trouble = ""
	c.log.LogAttrs(ctx, slog.LevelInfo, "memory and database agree again", obs.Event("database.back"),
		slog.Int64("revision", c.Revision()), obs.Duration(time.Since(a.since)))
}
