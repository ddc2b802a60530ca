package core

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

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

// call hands the request to the adapter's module and waits for the answer or the timer. The module's context ends a hop
// before the timer, so that it can still say why. An answer that comes after the timer is counted and dropped; a module
// that never answers costs its goroutine, never the caller.
func (c *Core) call(ctx context.Context, t *trip) (*cpm.Result, error) {
	if _, trusted := t.endpoint.module.(cpm.Prompt); trusted {
		return c.callPrompt(ctx, t)
	}
	one := &call{done: make(chan struct{})}
	c.runners.run(func() { c.do(ctx, t, one) })
	select {
	case <-one.done:
		return one.result, one.err
	case <-ctx.Done():
	}
	timer := time.NewTimer(hop)
	defer timer.Stop()
	select {
	case <-one.done:
		return one.result, one.err
	case <-timer.C:
	}
	if one.settled.CompareAndSwap(false, true) {
		return nil, fault.New(fault.Timeout, "the adapter did not answer before the timer of the route").Because(ctx.Err())
	}
	<-one.done
	return one.result, one.err
}

// callPrompt has a module that keeps to its deadline do the operation in the calling goroutine, which saves waking another
// one. Should it answer late all the same, its answer is dropped like any other.
func (c *Core) callPrompt(ctx context.Context, t *trip) (*cpm.Result, error) {
	result, err := t.endpoint.module.Do(ctx, t.request)
	if err == nil && time.Now().After(t.deadline) {
		c.late(ctx, t)
		return nil, fault.New(fault.Timeout, "the adapter did not answer before the timer of the route")
	}
	return result, err
}

func (c *Core) do(ctx context.Context, t *trip, one *call) {
	result, err := t.endpoint.module.Do(ctx, t.request)
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
		obs.RequestID(t.request.ID), obs.TraceID(t.request.Trace.ID()), obs.FSP(t.fspLabel()), obs.Operation(t.operationLabel()), obs.Adapter(t.rule.Adapter))
}
