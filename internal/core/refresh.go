package core

import (
	"context"
	"log/slog"

	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/obs"
)

// What a refresh is asked for (specification, "RefreshConfig" and "RefreshKeys"). Both read everything: a key without the
// route that leads to it, or the other way round, would be a state that was never stored.
const (
	RefreshConfig = "config"
	RefreshKeys   = "keys"
)

// RefreshOrder says what is asked for, and under which id the log shall know it.
type RefreshOrder struct{ What, RequestID string }

// Refresh reads configuration and keys from the database again (specification, "RefreshConfig" and "RefreshKeys"). The
// present ones serve until the new ones are read, checked and in place; if anything fails they go on serving, and the
// error says why. Keys that may not be used any more leave memory before the answer.
func (c *Core) Refresh(ctx context.Context, p cpm.Principal, o RefreshOrder) (Receipt, error) {
	what := RefreshConfig
	if o.What == RefreshKeys {
		what = RefreshKeys
	}
	receipt, err := c.refresh(ctx, p, "refresh."+what)
	attrs := []slog.Attr{
		obs.RequestID(o.RequestID), slog.String("what", what), slog.String("actor", p.String()), slog.Int64("revision", receipt.Revision),
	}
	if err != nil {
		c.log.LogAttrs(ctx, slog.LevelWarn, "refresh failed; the present configuration and keys stay",
			append(attrs, obs.Event(what+".refresh-failed"), obs.Err(err))...)
		return Receipt{}, fault.From(err)
	}
	c.log.LogAttrs(ctx, obs.LevelAudit, "configuration and keys have been refreshed", append(attrs, obs.Event(what+".refreshed"))...)
	return receipt, nil
}

func (c *Core) refresh(ctx context.Context, p cpm.Principal, action string) (Receipt, error) {
	if c.ending() {
		return Receipt{}, errEnding()
	}
	if err := c.administrable(ctx); err != nil {
		return Receipt{}, err
	}
	revision, retired, err := c.reread(ctx, p, action)
	if err == nil {
		<-retired
	}
	return Receipt{Revision: revision}, err
}

// reread reads everything. The channel is closed when the adapters that are no longer needed have ended.
func (c *Core) reread(ctx context.Context, p cpm.Principal, action string) (int64, <-chan struct{}, error) {
	c.changing.Lock()
	defer c.changing.Unlock()
	before := c.snapshot.Load()
	if c.ending() {
		return 0, nil, errEnding()
	}
	if err := before.Rules.AllowChange(p, action); err != nil {
		return 0, nil, err
	}
	next, err := c.reload(ctx, before)
	if err != nil {
		return 0, nil, err
	}
	return next.Revision, c.retire(ctx, before, next), nil
}
