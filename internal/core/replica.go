package core

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"github.com/mojaloop/cpm/internal/obs"
	"github.com/mojaloop/cpm/internal/store"
)

// Replicas names the CPMs on one database by whether they have confirmed that they judge requests by a change.
type Replicas struct {
	Confirmed []string `json:"confirmed"`
	// Unconfirmed have been heard of lately and have not confirmed: they are cut off, or ended without saying so.
	Unconfirmed []string `json:"unconfirmed,omitempty"`
}

const (
	// heartbeat is how often a CPM says that it follows, when nothing changes.
	heartbeat = 5 * time.Second
	// lost is when one that was not heard of is no longer waited for.
	lost = 3 * heartbeat
	// gatherTimeout bounds the wait for confirmations, gatherInterval is how often they are read.
	gatherTimeout  = 2 * time.Second
	gatherInterval = 25 * time.Millisecond
)

// testimony is what this CPM said of itself last.
type testimony struct {
	revision int64
	at       time.Time
}

// testify says how far this CPM follows, when that is news or was not said for a while. Keys that became unusable have
// left the adapters by then.
func (c *Core) testify(ctx context.Context, said testimony) testimony {
	s, now := c.snapshot.Load(), time.Now()
	if c.config.Replica == nil || s.Revision == said.revision && now.Sub(said.at) < heartbeat {
		return said
	}
	look, cancel := context.WithTimeout(ctx, pollTimeout)
	defer cancel()
	since := now.Add(-s.Settings.MaxStaleness - time.Minute) // those cut off may still serve
	err := c.config.Store.Confirm(look, store.Replica{Name: c.replica(), At: store.Micros(now), Revision: s.Revision}, since)
	if err != nil {
		c.log.LogAttrs(ctx, slog.LevelWarn, "this CPM could not say how far it follows", obs.Event("replica.unsaid"), obs.Err(err))
		return said
	}
	return testimony{s.Revision, now}
}

// announce says that this CPM is there before it serves, and then looks once more what was changed while nobody knew of it:
// what another CPM changes from now on waits for this one.
func (c *Core) announce(ctx context.Context) {
	if c.config.Replica == nil {
		return
	}
	c.testify(ctx, testimony{})
	look, cancel := context.WithTimeout(ctx, pollTimeout)
	defer cancel()
	c.noteAgreement(ctx, c.poll(ctx, look))
}

// leave says that this CPM no longer serves.
func (c *Core) leave(ctx context.Context) {
	if c.config.Replica == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), pollTimeout)
	defer cancel()
	if err := c.config.Store.Leave(ctx, c.replica()); err != nil {
		c.log.LogAttrs(ctx, slog.LevelWarn, "this CPM could not take its leave of the others", obs.Event("replica.unsaid"), obs.Err(err))
	}
}

// gather waits until the CPMs on this database follow a revision, and names them. One that was not heard of lately is not
// waited for. nil when the database is not shared.
func (c *Core) gather(ctx context.Context, revision int64) *Replicas {
	if c.config.Replica == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), gatherTimeout)
	defer cancel()
	r, _ := judged(nil, c.replica(), revision, time.Now())
	for {
		// A read that fails, as the last one does when the time is over, tells nothing: what was read before it counts.
		all, err := c.config.Store.Replicas(ctx)
		complete := false
		if err == nil {
			r, complete = judged(all, c.replica(), revision, time.Now())
		}
		if complete || !sleep(ctx, gatherInterval) {
			c.logUnconfirmed(ctx, revision, r)
			return r
		}
	}
}

// judged sorts CPMs by whether they follow a revision; complete is that nobody needs to be waited for.
func judged(all []store.Replica, self string, revision int64, now time.Time) (r *Replicas, complete bool) {
	r, complete = &Replicas{Confirmed: []string{self}}, true
	for _, one := range all {
		switch {
		case one.Name == self:
		case one.Revision >= revision:
			r.Confirmed = append(r.Confirmed, one.Name)
		default:
			r.Unconfirmed = append(r.Unconfirmed, one.Name)
			complete = complete && now.Sub(store.Time(one.At)) > lost
		}
	}
	slices.Sort(r.Confirmed)
	return r, complete
}

func (c *Core) logUnconfirmed(ctx context.Context, revision int64, r *Replicas) {
	if len(r.Unconfirmed) == 0 {
		return
	}
	c.log.LogAttrs(ctx, slog.LevelWarn, "not every CPM on this database has confirmed a change", obs.Event("replica.unconfirmed"),
		slog.Int64("revision", revision), slog.Any("unconfirmed", r.Unconfirmed))
}
