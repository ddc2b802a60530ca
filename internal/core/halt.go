package core

import (
	"context"
	"log/slog"

	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/obs"
)

// Halt begins the shutdown of the whole CPM for its own operator, as the command Shutdown does for one at a Command adapter
// (specification, "Commands", 1.b): what was accepted is answered, everything else is declined from now on.
func (c *Core) Halt(ctx context.Context, p cpm.Principal, requestID string) error {
	if err := c.snapshot.Load().Rules.AllowChange(p, "system.shutdown"); err != nil {
		return err
	}
	switch {
	case c.config.End == nil:
		return fault.New(fault.Unsupported, "this CPM cannot be ended by a command; send it SIGTERM")
	case c.ending():
		return fault.New(fault.State, "the CPM is shutting down already")
	}
	c.log.LogAttrs(ctx, slog.LevelInfo, "the shutdown of the CPM was asked for", obs.Event("cpm.shutdown-asked"),
		obs.RequestID(requestID), slog.String("actor", p.String()))
	c.commanded.Store(true)
	c.BeginShutdown(ctx)
	c.config.End()
	return nil
}
