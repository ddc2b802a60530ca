package core

import (
	"context"
	"log/slog"

	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/obs"
)

// Refresh reads configuration and keys from the database again (specification, "RefreshConfig" and "RefreshKeys"). The
// present ones serve until the new ones are read, checked and in place; if anything fails they go on serving, and the
// error says why. Keys that may not be used any more leave memory before the answer.
func (c *Core) Refresh(ctx context.Context, p cpm.Principal) (Receipt, error) {
	receipt, err := c.refresh(ctx, p)
	attrs := []slog.Attr{obs.Event("refresh." + outcome(err)), slog.String("actor", p.String()), slog.Int64("revision", receipt.Revision)}
	if err != nil {
		c.log.LogAttrs(ctx, slog.LevelWarn, "refresh failed; the present configuration and keys stay", append(attrs, obs.Err(err))...)
		return Receipt{}, fault.From(err)
	}
	c.log.LogAttrs(ctx, obs.LevelAudit, "configuration and keys have been refreshed", attrs...)
	return receipt, nil
}

func (c *Core) refresh(ctx context.Context, p cpm.Principal) (Receipt, error) {
	if s := c.State(); s == cpm.ShuttingDown || s == cpm.Inactive {
		return Receipt{}, fault.New(fault.Unavailable, "the CPM is shutting down; no changes are accepted")
	}
	if err := c.administrable(); err != nil {
		return Receipt{}, err
	}
	revision, retired, err := c.reread(ctx, p)
	if err == nil {
		<-retired
	}
	return Receipt{Revision: revision}, err
}

// reread reads everything. The channel is closed when the adapters that are no longer needed have ended.
func (c *Core) reread(ctx context.Context, p cpm.Principal) (int64, <-chan struct{}, error) {
	c.changing.Lock()
	defer c.changing.Unlock()
	before := c.snapshot.Load()
	if err := before.Rules.AllowChange(p); err != nil {
		return 0, nil, err
	}
	next, err := c.reload(ctx, before)
	if err != nil {
		return 0, nil, err
	}
	return next.Revision, c.retire(ctx, before, next), nil
}
