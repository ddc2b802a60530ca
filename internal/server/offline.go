package server

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/mojaloop/cpm/internal/config"
	"github.com/mojaloop/cpm/internal/core"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/obs"
	"github.com/mojaloop/cpm/internal/route"
	"github.com/mojaloop/cpm/internal/ssm"
)

// Apply stores a configuration in the database of a CPM that is not running, such as before its first start. While one
// runs it is refused: the change then goes through the socket.
func Apply(ctx context.Context, c *config.Config, document []byte, actor string) (core.Receipt, error) {
	var receipt core.Receipt
	err := offline(ctx, c, func(ctx context.Context, o *core.Core) (err error) {
		receipt, err = o.Apply(ctx, cpm.Principal{Kind: cpm.PrincipalSocket, Name: actor}, core.Change{
			Action: "config.apply", Document: document, RequestID: obs.NewRequestID(),
		})
		return err
	})
	return receipt, err
}

// offline opens the data directory alone, lets do work on a core that takes no requests, and closes it.
func offline(ctx context.Context, c *config.Config, do func(context.Context, *core.Core) error) error {
	release, err := lock(c.DataDir)
	if err != nil {
		return err
	}
	defer release()
	opened, ring, err := open(ctx, c)
	if err != nil {
		return err
	}
	defer func() { _ = opened.Close() }()
	alone := core.New(core.Config{
		Store: opened, Ring: ring, Logger: newLog(c, io.Discard), Now: time.Now,
		Open: func(_ context.Context, a *route.Adapter, _ string) (cpm.Module, error) {
			return ssm.New(ssm.Config{Mandated: a.Operations, HeavyWorkers: 1, Now: time.Now}), nil
		},
	})
	if err := alone.Load(ctx); err != nil {
		return err
	}
	return errors.Join(do(ctx, alone), alone.Shutdown(ctx))
}
