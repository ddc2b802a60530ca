package core

import (
	"context"
	"log/slog"
	"sync/atomic"

	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/obs"
)

// call is one request handed to a module. Whoever settles it first decides the answer: the module or the timer.
type call struct {
	settled atomic.Bool
	done    chan struct{}
	result  *cpm.Result
	err     error
}

// call hands the request to the adapter's module and waits for the answer or the timer. An answer that comes after the
// timer is counted and dropped; a module that never answers costs its goroutine, never the caller.
func (c *Core) call(ctx context.Context, t *trip) (*cpm.Result, error) {
	one := &call{done: make(chan struct{})}
	c.runners.run(func() { c.do(ctx, t, one) })
	select {
	case <-one.done:
		return one.result, one.err
	case <-ctx.Done():
	}
	if one.settled.CompareAndSwap(false, true) {
		return nil, fault.New(fault.Timeout, "the adapter did not answer before the timer of the route").Because(ctx.Err())
	}
	<-one.done
	return one.result, one.err
}

func (c *Core) do(ctx context.Context, t *trip, one *call) {
	inner := ctx
	if deadline, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		inner, cancel = context.WithDeadline(ctx, deadline.Add(-hop))
		defer cancel()
	}
	result, err := t.adapter.module.Do(inner, t.request)
	if !one.settled.CompareAndSwap(false, true) {
		c.late(ctx, t)
		return
	}
	one.result, one.err = result, err
	close(one.done)
}

// late counts an answer nobody waits for any more (specification, step 10).
func (c *Core) late(ctx context.Context, t *trip) {
	c.counters.late.Add(1)
	c.log.LogAttrs(ctx, slog.LevelWarn, "an adapter answered after the timer; the answer is dropped", obs.Event("adapter.late"),
		obs.RequestID(t.request.ID), obs.FSP(t.fspLabel()), obs.Operation(t.operationLabel()), obs.Adapter(t.rule.Adapter))
}
